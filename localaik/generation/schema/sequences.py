"""Parts in a fixed order with commas between them, some of which may be left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from localaik.generation.schema.expressions import EMPTY, NOTHING, Expr, Rule, Text, choice, optional, seq

__all__ = ["Part", "TooManyPartsError", "subsequence"]

_COMMA: Final = Text(",")
_MAX_STATES: Final = 10_000


class TooManyPartsError(Exception):
    """Counting the parts would take too many rules."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part; a required one is never left out."""

    expr: Expr
    required: bool = False


def subsequence(parts: Sequence[Part], low: int, high: int | None) -> Expr:
    """The parts in order, all required ones and `low` to `high` parts in total. The size is linear in the parts.

    Only where the bounds count optional parts, it is linear in the parts times the bound.
    """
    required = sum(part.required for part in parts)
    high = len(parts) if high is None else min(high, len(parts))
    if low > high or required > high:
        return NOTHING
    if high < len(parts) or low > max(required, 1):
        return _counted(parts, low, high)
    if required:
        return _around_required(parts)
    some = _none_required(parts)
    return some if low else optional(some)


def _around_required(parts: Sequence[Part]) -> Expr:
    """Optional parts bring their comma along: behind them before the first required part, else in front."""
    first = next(index for index, part in enumerate(parts) if part.required)
    items: list[Expr] = [optional(seq(part.expr, _COMMA)) for part in parts[:first]]
    items.append(parts[first].expr)
    for part in parts[first + 1 :]:
        item = seq(_COMMA, part.expr)
        items.append(item if part.required else optional(item))
    return seq(*items)


def _none_required(parts: Sequence[Part]) -> Expr:
    """At least one of the parts: any of them first, then any of the later ones."""
    options: list[Expr] = []
    rest: Expr = EMPTY
    for part in reversed(parts):
        expr = part.expr if isinstance(part.expr, Rule) else Rule("part", part.expr)
        options.append(seq(expr, rest))
        rest = Rule("rest", seq(optional(seq(_COMMA, expr)), rest))
    return choice(reversed(options))


def _counted(parts: Sequence[Part], low: int, high: int) -> Expr:
    """`low` to `high` parts. A state is how many parts were looked at, and how many of them taken."""
    # Beyond `low`, the count matters only where `high` can be passed.
    most = high if high < len(parts) else low
    if len(parts) * (most + 1) > _MAX_STATES:
        raise TooManyPartsError
    behind: list[Expr] = [EMPTY if low <= taken else NOTHING for taken in range(most + 1)]
    for index in range(len(parts) - 1, -1, -1):
        part = parts[index]
        expr = part.expr if isinstance(part.expr, Rule) else Rule("part", part.expr)
        states: list[Expr] = []
        for taken in range(min(index, most) + 1):
            options: list[Expr] = []
            if taken < high:
                options.append(seq(_COMMA if taken else EMPTY, expr, behind[min(taken + 1, most)]))
            if not part.required:
                options.append(behind[taken])
            states.append(Rule("rest", choice(options)))
        behind = states
    return behind[0]
