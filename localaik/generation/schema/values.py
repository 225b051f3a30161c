"""Single values under demands: whether they meet them, and the values that `enum` and `const` list."""

from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction

from localaik.generation.schema.children import (
    count_of,
    each,
    inner,
    item_nodes,
    numbers_of,
    property_nodes,
    required_names,
    strings_of,
)
from localaik.generation.schema.demands import Demands, Leaf, Node, Union
from localaik.generation.schema.strings import matches

__all__ = ["distinct", "holds", "key_of", "listed_values"]


def listed_values(demands: Demands) -> list[object] | None:
    """The values that meet the demands, if `enum` or `const` lists the candidates; else None."""
    lists = [distinct(_candidates(leaf)) for leaf in demands.leaves if _is_list(leaf)]
    if not lists:
        return None
    first, *others = lists
    common = [value for key, value in first.items() if all(key in other for other in others)]
    return [value for value in common if _meets(demands, value, listed=True)]


def holds(node: Node, value: object) -> bool:
    """Whether a value is valid under a schema. `format` is an annotation here."""
    return _meets(node.demands, value, listed=False)


def key_of(value: object) -> Hashable:
    """What equal JSON values have in common: 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(value, list):
        return "array", tuple(map(key_of, value))
    if isinstance(value, dict):
        return "object", frozenset((name, key_of(inner_value)) for name, inner_value in value.items())
    return _type(value), value


def distinct(values: Iterable[object]) -> dict[Hashable, object]:
    """The values by their keys, the first one of equal ones."""
    found: dict[Hashable, object] = {}
    for value in values:
        found.setdefault(key_of(value), value)
    return found


def _meets(demands: Demands, value: object, *, listed: bool) -> bool:
    """All demands hold; with `listed`, the value is known to be in all lists of the leaves."""
    return (
        not demands.is_impossible
        and all(_leaf_holds(leaf, value, listed=listed) for leaf in demands.leaves)
        and all(_union_holds(union, value) for union in demands.unions)
    )


def _union_holds(union: Union, value: object) -> bool:
    if union.excluded is not None:
        return not holds(union.excluded, value)
    return any(all(holds(node, value) for node in option.nodes) for option in union.options.ways)


def _leaf_holds(leaf: Leaf, value: object, *, listed: bool) -> bool:
    keywords = leaf.keywords
    if "type" in keywords and not _has_type(keywords["type"], value):
        return False
    if not listed and _is_list(leaf) and key_of(value) not in map(key_of, _candidates(leaf)):
        return False
    if isinstance(value, dict):
        return _object_holds(leaf, value)
    if isinstance(value, list):
        return _array_holds(leaf, value)
    if isinstance(value, str):
        return _string_holds(leaf, value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number_holds(leaf, value)
    return True


def _object_holds(leaf: Leaf, value: dict[str, object]) -> bool:
    if not _counts([leaf], "Properties", len(value)) or not all(name in value for name in required_names([leaf])):
        return False
    keys = [inner(leaf, raw, "propertyNames") for _, raw in each([leaf], "propertyNames")]
    return all(
        all(holds(node, name) for node in keys) and all(holds(node, item) for node in property_nodes([leaf], name))
        for name, item in value.items()
    )


def _array_holds(leaf: Leaf, value: list[object]) -> bool:
    if not _counts([leaf], "Items", len(value)):
        return False
    if leaf.keywords.get("uniqueItems") is True and len(set(map(key_of, value))) < len(value):
        return False
    for _, raw in each([leaf], "contains"):
        node = inner(leaf, raw, "contains")
        hits = sum(holds(node, item) for item in value)
        if not _counts([leaf], "Contains", hits) or (hits == 0 and "minContains" not in leaf.keywords):
            return False
    return all(holds(node, item) for index, item in enumerate(value) for node in item_nodes([leaf], index))


def _string_holds(leaf: Leaf, value: str) -> bool:
    strings = strings_of([leaf])
    languages = [(language, True) for language in strings.patterns]
    languages += [(language, False) for language in strings.excluded_patterns]
    return (
        strings.low <= len(value)
        and (strings.high is None or len(value) <= strings.high)
        and value not in strings.excluded
        and all(matches(language, value, strings.path) is wanted for language, wanted in languages)
    )


def _number_holds(leaf: Leaf, value: float) -> bool:
    numbers = numbers_of([leaf], integer=False)
    exact = Fraction(repr(value))
    if numbers.step is not None and exact % numbers.step:
        return False
    numbers.raise_low(exact, is_open=False)
    numbers.lower_high(exact, is_open=False)
    return (numbers.low, numbers.high) == (exact, exact) and not numbers.is_empty


def _counts(leaves: Sequence[Leaf], what: str, count: int) -> bool:
    """A count is within `min…` and `max…`."""
    low, high = count_of(leaves, f"min{what}"), count_of(leaves, f"max{what}")
    return (low is None or count >= low) and (high is None or count <= high)


def _is_list(leaf: Leaf) -> bool:
    return "const" in leaf.keywords or "enum" in leaf.keywords


def _candidates(leaf: Leaf) -> list[object]:
    values = leaf.keywords.get("enum", [leaf.keywords.get("const")])
    candidates = values if isinstance(values, list) else []
    if "const" in leaf.keywords and "enum" in leaf.keywords:
        constant = leaf.keywords["const"]
        return [constant] if key_of(constant) in map(key_of, candidates) else []
    return candidates


def _type(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, int | float):
        return "number"
    if value is None:
        return "null"
    return "array" if isinstance(value, list) else "object"


def _has_type(names: object, value: object) -> bool:
    allowed = names if isinstance(names, list) else [names]
    kind = _type(value)
    if kind in allowed:
        return True
    return kind == "number" and "integer" in allowed and isinstance(value, int | float) and value == int(value)
