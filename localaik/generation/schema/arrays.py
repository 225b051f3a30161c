"""Schemas of arrays as expressions. Items that `contains` asks for stand first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from localaik.generation.schema.children import count_of, each, inner, item_nodes, path_of, prefix_length
from localaik.generation.schema.demands import Leaf, Node, merged
from localaik.generation.schema.expressions import EMPTY, NOTHING, Expr, Rule, Text, counted, listed, optional, seq
from localaik.generation.schema.faults import UnsupportedKeywordError
from localaik.generation.schema.host import Host
from localaik.generation.schema.sequences import Part, TooManyPartsError, subsequence
from localaik.generation.schema.unique import distinct_items

__all__ = ["compile_array"]

_MAX_HEADS: Final = 200


@dataclass(frozen=True, slots=True)
class _Contained:
    """The items that one `contains` asks for: those from `start` to `end`; others may be such only if `more`."""

    node: Node
    other: Node
    start: int
    end: int
    more: bool


def compile_array(leaves: Sequence[Leaf], host: Host) -> Expr:
    """The arrays that meet all leaves. Raises `UnsupportedKeywordError`."""
    low, high = count_of(leaves, "minItems") or 0, count_of(leaves, "maxItems")
    if high is not None and low > high:
        return NOTHING
    if any(_contains_nothing(leaf) for leaf, _ in each(leaves, "contains")):
        return NOTHING
    contained = _contained(leaves)
    hits = contained[-1].end if contained else 0
    if hits > (_MAX_HEADS if high is None else min(high, _MAX_HEADS)):
        raise UnsupportedKeywordError(path_of(leaves, "contains"), "its items are written one by one, and too many")
    if any(value is True for _, value in each(leaves, "uniqueItems")) and (high is None or high > 1):
        return seq(Text("["), _distinct(leaves, low, high, host), Text("]"))
    if contained:
        host.narrow(path_of(leaves, "contains"))
    heads = range(max(prefix_length(leaves), hits) if high is None else min(max(prefix_length(leaves), hits), high))
    first = [Rule("item", host.expression(_nodes(leaves, contained, index))) for index in heads]
    rest = host.expression(_nodes(leaves, contained, len(heads)))
    return seq(Text("["), _items(first, rest, max(low, hits), high), Text("]"))


def _items(first: Sequence[Expr], rest: Expr, low: int, high: int | None) -> Expr:
    """`low` to `high` items, the first ones of their own kind."""
    if not first:
        return EMPTY if rest == NOTHING and low == 0 else listed(rest, low, high)
    count = len(first)
    behind = counted(seq(Text(","), rest), max(low - count, 0), None if high is None else high - count)
    for index in range(count - 1, -1, -1):
        behind = seq(Text(",") if index else EMPTY, first[index], behind)
        if index >= low:
            behind = Rule("rest", optional(behind))
    return behind


def _contained(leaves: Sequence[Leaf]) -> list[_Contained]:
    """Where the items of each `contains` stand: side by side, from the first item on."""
    found: list[_Contained] = []
    end = 0
    for leaf, raw in each(leaves, "contains"):
        low = _least(leaf)
        node = inner(leaf, raw, "contains")
        other = leaf.source.negated(node.raw, node.path)
        found.append(_Contained(node, other, end, end + low, "maxContains" not in leaf.keywords))
        end += low
    return found


def _contains_nothing(leaf: Leaf) -> bool:
    most = count_of([leaf], "maxContains")
    return most is not None and most < _least(leaf)


def _least(leaf: Leaf) -> int:
    least = count_of([leaf], "minContains")
    return 1 if least is None else least


def _nodes(leaves: Sequence[Leaf], contained: Iterable[_Contained], index: int) -> list[Node]:
    """All schemas of the item at `index`."""
    nodes = item_nodes(leaves, index)
    for one in contained:
        if one.start <= index < one.end:
            nodes.append(one.node)
        elif not one.more:
            nodes.append(one.other)
    return nodes


def _distinct(leaves: Sequence[Leaf], low: int, high: int | None, host: Host) -> Expr:
    """Items of which no two are equal."""
    path = path_of(leaves, "uniqueItems")
    if prefix_length(leaves) or any(True for _ in each(leaves, "contains")):
        raise UnsupportedKeywordError(path, "it is not compiled beside `prefixItems` or `contains`")
    host.narrow(path)
    parts = distinct_items(merged(item_nodes(leaves, 0)), host.strings, path)
    try:
        expr = subsequence([Part(part) for part in parts], low, high)
    except TooManyPartsError:
        raise UnsupportedKeywordError(path, "it is not compiled beside such a count of items") from None
    if expr == NOTHING:
        raise UnsupportedKeywordError(path, f"only {len(parts)} items can be told apart")
    return expr
