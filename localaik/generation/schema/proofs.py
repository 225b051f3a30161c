"""Proofs that no value meets some demands; what can't be proved cheaply counts as possible."""

from collections.abc import Iterable
from itertools import islice

from localaik.generation.schema.children import (
    count_of,
    item_nodes,
    numbers_of,
    property_nodes,
    required_names,
    types_of,
)
from localaik.generation.schema.demands import Demands, Leaf, merged
from localaik.generation.schema.numbers import integer_range
from localaik.generation.schema.values import listed_values

__all__ = ["cannot_hold"]

_DEPTH = 3
_UNION_DEPTH = 2
_MAX_OPTIONS = 16
_MAX_UNIONS = 4


def cannot_hold(demands: Demands, depth: int = _DEPTH) -> bool:
    """No value meets the demands."""
    if demands.is_impossible:
        return True
    if not demands.leaves and not demands.unions:
        return False
    values = listed_values(demands)
    if values is not None:
        return not values
    types = types_of(demands.leaves)
    if types is not None and all(_type_cannot_hold(name, demands.leaves, depth) for name in types):
        return True
    # Unions of the value and of its properties decide whether schemas are alternatives; more would be a search.
    return depth >= _UNION_DEPTH and any(
        union.options.is_complete
        and len(union.options.ways) <= _MAX_OPTIONS
        and all(cannot_hold(demands.choosing(union, option), depth - 1) for option in union.options.ways)
        for union in islice(demands.unions, _MAX_UNIONS)
    )


def _type_cannot_hold(name: str, leaves: Iterable[Leaf], depth: int) -> bool:
    if name == "object":
        low, high = count_of(leaves, "minProperties"), count_of(leaves, "maxProperties")
        required = required_names(leaves)
        if high is not None and (len(required) > high or (low or 0) > high):
            return True
        return depth > 0 and any(cannot_hold(merged(property_nodes(leaves, key)), depth - 1) for key in required)
    if name == "array":
        low, high = count_of(leaves, "minItems"), count_of(leaves, "maxItems")
        if high is not None and (low or 0) > high:
            return True
        indexes = range(min(low or 0, _MAX_OPTIONS))
        return depth > 0 and any(cannot_hold(merged(item_nodes(leaves, index)), depth - 1) for index in indexes)
    if name == "string":
        low, high = count_of(leaves, "minLength"), count_of(leaves, "maxLength")
        return high is not None and (low or 0) > high
    if name == "integer":
        least, most = integer_range(numbers_of(leaves, integer=False))
        return least is not None and most is not None and least > most
    return name == "number" and numbers_of(leaves, integer=False).is_empty
