"""Items of which no two are equal (`uniqueItems`): parts without a value in common, each of which stands once at most.

A grammar remembers nothing, so the order keeps items apart. Listed values come in their order. Strings come by rising
first character, integers in rising order: small ones one by one, beyond by their number of digits and first digit.
"""

from typing import Final

from localaik.generation.schema.children import numbers_of, strings_of, types_of
from localaik.generation.schema.demands import Demands
from localaik.generation.schema.expressions import NOTHING, Expr, Text
from localaik.generation.schema.faults import UnsupportedKeywordError
from localaik.generation.schema.jsontext import literal
from localaik.generation.schema.numbers import Numbers, integer_range, signed
from localaik.generation.schema.strings import StringRules
from localaik.generation.schema.values import distinct, listed_values

__all__ = ["distinct_items"]

_MAX_VALUES: Final = 256
_LARGEST: Final = 10**15 - 1


def distinct_items(demands: Demands, strings: StringRules, path: str) -> list[Expr]:
    """Parts of the values that meet the demands, each without a value of the others.

    Raises `UnsupportedKeywordError` at `path` for values that are not kept apart.
    """
    values = _few_values(demands)
    if values is not None:
        return [Text(literal(value)) for value in distinct(values).values()]
    types = types_of(demands.leaves)
    if types == {"string"} and not demands.unions:
        return strings.by_first_character(strings_of(tuple(demands.leaves)))
    if types and types <= {"integer", "number"} and not demands.unions:
        numbers = numbers_of(tuple(demands.leaves), integer=True)
        if numbers.step is None:
            return _bands(numbers)
    raise UnsupportedKeywordError(path, "only listed values, strings and integers are kept apart")


def _few_values(demands: Demands) -> list[object] | None:
    """All values that meet the demands, where they are few; else None."""
    if demands.is_impossible:
        return []
    values = listed_values(demands)
    if values is not None:
        return values
    for union in demands.unions:
        each = [_few_values(demands.choosing(union, way)) for way in union.options.ways if way.declared is None]
        if None in each or union.excluded is not None:
            return None
        return [value for some in each for value in some or ()]
    types = types_of(demands.leaves)
    if types is None or not types <= {"boolean", "null", "integer"}:
        return None
    few: list[object] = [False, True] if "boolean" in types else []
    few += [None] if "null" in types else []
    if "integer" in types:
        numbers = numbers_of(tuple(demands.leaves), integer=True)
        low, high = integer_range(numbers)
        if low is None or high is None or high - low >= _MAX_VALUES:
            return None
        few += [value for value in range(low, high + 1) if numbers.step is None or not value % numbers.step]
    return few


def _bands(numbers: Numbers) -> list[Expr]:
    """The integers within the bounds, in rising order, in bands of which none reaches into another."""
    low, high = integer_range(numbers)
    low = -_LARGEST if low is None else low
    high = _LARGEST if high is None else high
    tens = [(digit * 10, digit * 10 + 9) for digit in range(1, 10)]
    large = [(digit * 10**power, (digit + 1) * 10**power - 1) for power in range(2, 6) for digit in range(1, 10)]
    large += [(10**power, 10 ** (power + 1) - 1) for power in range(6, 15)]
    bands = [(-last, -first) for first, last in reversed([*tens, *large])]
    bands += [(value, value) for value in range(-9, 100)]
    bands += large
    parts = [
        signed(max(first, low), min(last, high), 0, 1, numbers.path)
        for first, last in bands
        if max(first, low) <= min(last, high)
    ]
    return [part for part in parts if part != NOTHING]
