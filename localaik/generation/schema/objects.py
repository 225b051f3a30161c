"""Schemas of objects as expressions.

Declared properties are written in their order, required ones always, the others or not. Where properties are declared,
no others are generated; an object without declared properties is a map with any number of pairs. A map may repeat a
key, which readers of JSON take as one pair.
"""

from collections.abc import Iterable, Sequence

from localaik.generation.schema.children import (
    count_of,
    each,
    inner,
    path_of,
    patterns_of,
    property_names,
    property_nodes,
    required_names,
)
from localaik.generation.schema.demands import Leaf, Node, merged
from localaik.generation.schema.document import at
from localaik.generation.schema.expressions import EMPTY, NOTHING, Expr, Text, choice, listed, seq
from localaik.generation.schema.faults import UnsupportedKeywordError
from localaik.generation.schema.host import Host
from localaik.generation.schema.jsontext import literal
from localaik.generation.schema.sequences import Part, TooManyPartsError, subsequence
from localaik.generation.schema.values import holds, listed_values

__all__ = ["compile_object"]


def compile_object(leaves: Sequence[Leaf], host: Host) -> Expr:
    """The objects that meet all leaves. Raises `UnsupportedKeywordError`."""
    low, high = count_of(leaves, "minProperties") or 0, count_of(leaves, "maxProperties")
    if high is not None and low > high:
        return NOTHING
    key_nodes = [inner(leaf, value, "propertyNames") for leaf, value in each(leaves, "propertyNames")]
    names = property_names(leaves)
    if not names and key_nodes:
        values = listed_values(merged(key_nodes))
        names = [value for value in values or () if isinstance(value, str)]
        if values is not None and not names:
            return Text("{}") if low == 0 else NOTHING
    if not names:
        return _map(leaves, key_nodes, low, high, host)
    required = set(required_names(leaves))
    parts: list[Part] = []
    for name in names:
        allowed = all(holds(node, name) for node in key_nodes)
        value = host.expression(property_nodes(leaves, name)) if allowed else NOTHING
        parts.append(Part(seq(Text(f"{literal(name)}:"), value), name in required))
    # What can't be present is left out, so that counts and commas are about the rest.
    parts = [part for part in parts if part.required or part.expr != NOTHING]
    if low > sum(part.required for part in parts):
        host.narrow(path_of(leaves, "minProperties"))
    try:
        return seq(Text("{"), subsequence(parts, low, high), Text("}"))
    except TooManyPartsError:
        raise UnsupportedKeywordError(path_of(leaves, "minProperties", "maxProperties"), "it counts too far") from None


def _map(leaves: Sequence[Leaf], key_nodes: list[Node], low: int, high: int | None, host: Host) -> Expr:
    """Objects of which no property is declared."""
    pairs: list[Expr] = []
    patterns = list(dict.fromkeys(pattern for leaf in leaves for pattern, _ in patterns_of(leaf)))
    if patterns:
        host.narrow(path_of(leaves, "patternProperties"))
    for pattern in patterns:
        others = [other for other in patterns if other != pattern]
        keys = [*key_nodes, *_key_schemas(leaves, pattern, others)]
        pairs.append(seq(host.expression(keys), Text(":"), host.expression(_values(leaves, pattern))))
    if not patterns:
        pairs.append(
            seq(host.expression([*key_nodes, *_key_schemas(leaves)]), Text(":"), host.expression(_values(leaves)))
        )
    pair = choice(pairs)
    if low > 1 and pair != NOTHING:
        why = "a map may repeat a key, and the pairs of one key count once"
        raise UnsupportedKeywordError(path_of(leaves, "minProperties"), why)
    return seq(Text("{"), listed(pair, low, high) if pair != NOTHING else EMPTY if low == 0 else NOTHING, Text("}"))


def _key_schemas(leaves: Sequence[Leaf], pattern: str | None = None, others: Iterable[str] = ()) -> list[Node]:
    """Keys are strings; those of one pattern match no other one."""
    path = next((at(leaf.path, "patternProperties") for leaf in leaves if patterns_of(leaf)), leaves[0].path)
    source = leaves[0].source
    key = source.node({"type": "string"} if pattern is None else {"type": "string", "pattern": pattern}, path)
    return [key, *(source.node({"type": "string", "not": {"pattern": other}}, path) for other in others)]


def _values(leaves: Iterable[Leaf], pattern: str | None = None) -> list[Node]:
    """The schemas of a value whose key matches `pattern` and no other one."""
    nodes: list[Node] = []
    for leaf in leaves:
        own = dict(patterns_of(leaf))
        if pattern in own:
            nodes.append(inner(leaf, own[pattern], "patternProperties", pattern))
        elif "additionalProperties" in leaf.keywords:
            nodes.append(inner(leaf, leaf.keywords["additionalProperties"], "additionalProperties"))
    return nodes
