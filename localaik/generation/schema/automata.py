"""Deterministic automata for what expressions alone can't say: intersections, complements, and their lengths.

States are languages; a step takes the Brzozowski derivative ("Derivatives of Regular Expressions", 1964). Only
expressions over characters come in here, and they have no rules.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from localaik.generation.schema.charsets import ALL, CharSet, charset, intersection
from localaik.generation.schema.expressions import (
    ANYTHING,
    EMPTY,
    NOTHING,
    Chars,
    Choice,
    Expr,
    Repeat,
    Rule,
    Seq,
    Text,
    choice,
    repeat,
    seq,
)

__all__ = ["MAX_STEPS", "Automaton", "Both", "Other", "Term", "TooManyStatesError", "accepts_empty", "both", "other"]

MAX_STEPS: Final = 50_000


class TooManyStatesError(Exception):
    """The automaton would be too large."""


@dataclass(frozen=True, slots=True)
class Both:
    """The texts that are in every part."""

    parts: "tuple[Term, ...]"


@dataclass(frozen=True, slots=True)
class Other:
    """The texts that are not in `term`."""

    term: "Term"


Term = Text | Chars | Seq | Choice | Repeat | Rule | Both | Other


def both(parts: Iterable[Term]) -> Term:
    """The intersection, in the simplest form."""
    flat: dict[Term, None] = {}
    for part in parts:
        for inner in part.parts if isinstance(part, Both) else (part,):
            if inner == NOTHING:
                return NOTHING
            if inner != ANYTHING:
                flat[inner] = None
    if not flat:
        return ANYTHING
    return next(iter(flat)) if len(flat) == 1 else Both(tuple(flat))


def other(term: Term) -> Term:
    """The complement, in the simplest form."""
    if isinstance(term, Other):
        return term.term
    if term == NOTHING:
        return ANYTHING
    return NOTHING if term == ANYTHING else Other(term)


def accepts_empty(term: Term) -> bool:
    """The empty text is in the language."""
    if isinstance(term, Seq):
        return all(map(accepts_empty, term.items))
    if isinstance(term, Both):
        return all(map(accepts_empty, term.parts))
    if isinstance(term, Choice):
        return any(map(accepts_empty, term.options))
    if isinstance(term, Repeat):
        return term.low == 0 or accepts_empty(term.item)
    return isinstance(term, Other) and not accepts_empty(term.term)


class Automaton:
    """Steps between languages, with a budget: when it is spent, `TooManyStatesError` is raised."""

    def __init__(self) -> None:
        self.budget = MAX_STEPS
        """Steps that may still be taken."""
        self._known: dict[tuple[Term, int], Term] = {}

    def steps(self, term: Term) -> list[tuple[CharSet, Term]]:
        """The disjoint sets of first characters, each with the language of what may follow it."""
        starts = sorted({0, 0xE000, *self._cuts(term)})
        followers: dict[Term, list[tuple[int, int]]] = {}
        for start, end in zip(starts, [*starts[1:], 0x110000], strict=True):
            if start < end and intersection(((start, end - 1),), ALL):
                followers.setdefault(self._derive(term, start), []).append((start, end - 1))
        return [(charset(ranges), rest) for rest, ranges in followers.items() if rest != NOTHING]

    def contains(self, term: Term, text: str) -> bool:
        """The text is in the language."""
        for character in text:
            term = self._derive(term, ord(character))
        return accepts_empty(term)

    def has_text(self, term: Term) -> bool:
        """The language is not empty."""
        seen = {term}
        todo = [term]
        while todo:
            state = todo.pop()
            if accepts_empty(state):
                return True
            rests = {rest: None for _, rest in self.steps(state) if rest not in seen}
            seen.update(rests)
            todo += rests
        return False

    def _spend(self) -> None:
        self.budget -= 1
        if self.budget < 0:
            raise TooManyStatesError

    def _cuts(self, term: Term) -> set[int]:
        """Where the sets of first characters begin and end."""
        cuts: set[int] = set()
        todo = [term]
        while todo:
            self._spend()
            item = todo.pop()
            if isinstance(item, Chars):
                cuts.update(border for low, high in item.ranges for border in (low, high + 1))
            elif isinstance(item, Seq):
                for part in item.items:
                    todo.append(part)
                    if not accepts_empty(part):
                        break
            elif isinstance(item, Choice):
                todo += item.options
            elif isinstance(item, Both):
                todo += item.parts
            elif isinstance(item, Repeat):
                todo.append(item.item)
            elif isinstance(item, Other):
                todo.append(item.term)
        return cuts

    def _derive(self, term: Term, code: int) -> Term:
        """The language of what may follow the character `code`."""
        if isinstance(term, Chars):
            return EMPTY if any(low <= code <= high for low, high in term.ranges) else NOTHING
        key = (term, code)
        if key not in self._known:
            self._spend()
            self._known[key] = self._derived(term, code)
        return self._known[key]

    def _derived(self, term: Term, code: int) -> Term:
        if isinstance(term, Seq):
            options: list[Term] = []
            for index, item in enumerate(term.items):
                options.append(_then(self._derive(item, code), term.items[index + 1 :]))
                if not accepts_empty(item):
                    break
            return _either(options)
        if isinstance(term, Choice):
            return _either([self._derive(option, code) for option in term.options])
        if isinstance(term, Both):
            return both([self._derive(part, code) for part in term.parts])
        if isinstance(term, Other):
            return other(self._derive(term.term, code))
        if isinstance(term, Repeat):
            low = 0 if accepts_empty(term.item) else max(term.low - 1, 0)
            rest = repeat(term.item, low, None if term.high is None else term.high - 1)
            return _then(self._derive(term.item, code), (rest,))
        return NOTHING


def _then(first: Term, rest: tuple[Expr, ...]) -> Term:
    if isinstance(first, Both | Other):
        raise TypeError("intersections and complements stand outside of sequences")
    return seq(first, *rest)


def _either(options: list[Term]) -> Term:
    plain = [option for option in options if not isinstance(option, Both | Other)]
    if len(plain) < len(options):
        raise TypeError("intersections and complements stand outside of choices")
    return ANYTHING if ANYTHING in plain else choice(plain)
