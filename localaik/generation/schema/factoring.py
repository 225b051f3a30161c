"""Choices without shared beginnings.

The engine follows all options of a choice at once for as long as they agree, and options inside of options multiply.
Objects of a union mostly begin alike, so what they share is taken out in front: `{"a":1 | {"a":2` is `{"a": (1 | 2)`.
"""

from collections.abc import Mapping, Sequence

from localaik.generation.schema.expressions import (
    EMPTY,
    Choice,
    Expr,
    Rule,
    Seq,
    Text,
    choice,
    rebuilt,
    seq,
)

__all__ = ["factored"]

_Items = tuple[Expr, ...]


def factored(bodies: Mapping[Rule, Expr]) -> dict[Rule, Expr]:
    """The same rules, with the beginnings that options share written once."""
    return {rule: _factored(body, bodies) for rule, body in bodies.items()}


def _factored(expr: Expr, bodies: Mapping[Rule, Expr]) -> Expr:
    expr = rebuilt(expr, lambda part: _factored(part, bodies))
    return _choice([_items(option, bodies) for option in expr.options]) if isinstance(expr, Choice) else expr


def _items(option: Expr, bodies: Mapping[Rule, Expr]) -> _Items:
    """What an option consists of; a rule that begins with a text is taken apart."""
    body = bodies.get(option, option) if isinstance(option, Rule) else option
    if isinstance(body, Seq) and (body == option or isinstance(body.items[0], Text)):
        return body.items
    return (option,)


def _choice(options: Sequence[_Items]) -> Expr:
    groups: dict[Expr | str, list[_Items]] = {}
    for items in dict.fromkeys(options):  # two rules of one body are two options until they are taken apart
        head = items[0] if items else EMPTY
        groups.setdefault(head.value[0] if isinstance(head, Text) else head, []).append(items)
    return choice(_group(group) for group in groups.values())


def _group(options: list[_Items]) -> Expr:
    """Options that begin with the same character or the same expression."""
    if len(options) == 1:
        return seq(*options[0])
    shared: list[Expr] = []
    place = 0
    while all(len(items) > place and items[place] == options[0][place] for items in options):
        shared.append(options[0][place])
        place += 1
    rests = [items[place:] for items in options]
    heads = [items[0] if items else EMPTY for items in rests]
    texts = [head.value for head in heads if isinstance(head, Text)]
    if len(texts) == len(options):
        common = _common(texts)
        shared.append(Text(common))
        rests = [
            (Text(text[len(common) :]), *items[1:]) if len(text) > len(common) else items[1:]
            for text, items in zip(texts, rests, strict=True)
        ]
    return seq(*shared, _choice(rests))


def _common(texts: list[str]) -> str:
    first, last = min(texts), max(texts)
    length = next((i for i, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return first[:length]
