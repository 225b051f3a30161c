"""Numbers from schemas: exactly those within the bounds."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from localaik.errors import BadRequest
from tests.schemas import accepts, grammar_of, is_exact, refusal, samples

BOUNDS = st.integers(-1200, 1200) | st.integers(-(10**18), 10**18)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(BOUNDS, st.integers(0, 1500) | st.integers(0, 10**18), st.data())
def test_bounded_integers_are_exact(low: int, width: int, data: st.DataObject) -> None:
    high = low + width
    grammar = grammar_of({"type": "integer", "minimum": low, "maximum": high})
    edges = {low - 1, low, low + 1, high - 1, high, high + 1, 0, -low, high * 10, low // 10}
    drawn = {data.draw(st.integers(low - 20, high + 20)) for _ in range(10)}
    for value in edges | drawn:
        assert grammar.accepts(str(value)) is (low <= value <= high), value


@pytest.mark.parametrize("text", ["01", "-0", "+1", "1.0", "1e2", "", "-", "00", " 1", "1 ", "--1"])
def test_integers_have_one_form(text: str) -> None:
    for schema in ({"type": "integer"}, {"type": "integer", "minimum": -5}, {"type": "integer", "multipleOf": 1}):
        assert not grammar_of(schema).accepts(text)


@pytest.mark.parametrize(
    ("schema", "inside", "outside"),
    [
        ({"minimum": 5}, [5, 6, 10, 999_999_999_999_999], [4, 0, -5, -6]),
        ({"maximum": -5}, [-5, -6, -100], [-4, 0, 5]),
        ({"exclusiveMinimum": 9}, [10, 11], [9, 8]),
        ({"exclusiveMaximum": 100}, [99, 9, 0, -100], [100, 101]),
        ({"minimum": 1.5, "maximum": 3.5}, [2, 3], [1, 4]),
        ({"minimum": 0, "exclusiveMinimum": 0}, [1], [0]),
        ({"format": "int32"}, [2**31 - 1, -(2**31), 0], [2**31, -(2**31) - 1]),
        ({"format": "int64"}, [2**63 - 1, -(2**63)], [2**63, -(2**63) - 1]),
        ({"format": "int32", "maximum": 10}, [10, -(2**31)], [11]),
        ({"minimum": 10**20}, [10**20, 10**20 + 5], [10**20 - 1]),
    ],
)
def test_integer_bounds(schema: dict[str, Any], inside: list[int], outside: list[int]) -> None:
    grammar = grammar_of({"type": "integer", **schema})
    assert [value for value in inside if not grammar.accepts(str(value))] == []
    assert [value for value in outside if grammar.accepts(str(value))] == []


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 64) | st.sampled_from([100, 120, 250, 3600, 86400, 1000]), BOUNDS, st.integers(0, 3000))
def test_multiples_are_exact_between_bounds(step: int, low: int, width: int) -> None:
    high = low + width
    multiples = [value for value in range(low, high + 1) if value % step == 0]
    schema = {"type": "integer", "multipleOf": step, "minimum": low, "maximum": high}
    if not multiples:
        with pytest.raises(BadRequest, match="No JSON value"):
            grammar_of(schema)
        return
    grammar = grammar_of(schema)
    for value in {*multiples[:3], *multiples[-3:], *range(low, min(high, low + 8) + 1), low - 1, high + 1}:
        assert grammar.accepts(str(value)) is (value in multiples), value


def test_large_steps_keep_to_some_multiples() -> None:
    for schema in ({"multipleOf": 12347}, {"multipleOf": 12347, "minimum": 10**9}, {"multipleOf": 997, "maximum": -3}):
        values = set(samples({"type": "integer", **schema}, count=40))
        assert len(values) > 5


@pytest.mark.parametrize(
    ("schema", "inside", "outside"),
    [
        ({"minimum": 0, "maximum": 1}, "0 1 0.5 0.0 1.0 0.123456 1.000", "-0 -0.1 1.1 1.000001 2 10 .5 1. 01"),
        ({"exclusiveMinimum": 0}, "0.1 0.000001 1 17 1.0 99999.5", "0 0.0 -1 -0.1 0.000000"),
        ({"exclusiveMaximum": 0}, "-0.1 -1 -12.5", "0 0.0 0.1 -0.0 -0"),
        ({"minimum": -2.75, "maximum": 3.25}, "-2.75 -2.7 -2 -0.5 0 3 3.2 3.25 3.250", "-2.76 -3 3.26 3.3 4 -2.750001"),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 2}, "1.5 1.000001 1.999999", "1 2 1.0 2.0 1.000000 0.9 2.1"),
        ({"minimum": 1e-7, "maximum": 2e-7}, "0.0000001 0.00000015 0.0000002", "0 0.00000009 0.0000003 1e-7"),
        ({"minimum": 10.5}, "10.5 11 10.50 100 10.6", "10.4 10 1.5 9.9"),
        ({"multipleOf": 0.25}, "0 0.25 0.5 0.75 1 12.50 -0.75", "0.2 0.3 1.1 0.125 -0.1"),
        ({"multipleOf": 0.01}, "0 0.01 12.34 5 5.1 -3.07", "0.001 12.345"),
        ({"multipleOf": 1.5, "minimum": 2}, "3 4.5 6 6.0 30", "1.5 2 5 4 3.1"),
        ({"multipleOf": 5}, "0 5 10 -15 12345", "1 2.5 0.5 12"),
    ],
)
def test_number_bounds(schema: dict[str, Any], inside: str, outside: str) -> None:
    grammar = grammar_of({"type": "number", **schema})
    assert [text for text in inside.split() if not grammar.accepts(text)] == []
    assert [text for text in outside.split() if grammar.accepts(text)] == []


FINE = st.decimals(-50, 50, places=3) | st.decimals(-(10**6), 10**6, places=1) | st.integers(-30, 30).map(Decimal)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(FINE, FINE, st.booleans(), st.booleans(), st.lists(FINE, max_size=8))
def test_numbers_between_any_bounds(
    one: Decimal, other: Decimal, open_low: bool, open_high: bool, values: list[Decimal]
) -> None:
    low, high = float(min(one, other)), float(max(one, other))
    schema = {
        "type": "number",
        "exclusiveMinimum" if open_low else "minimum": low,
        "exclusiveMaximum" if open_high else "maximum": high,
    }
    validator = Draft202012Validator(schema)
    if low == high and (open_low or open_high):
        with pytest.raises(BadRequest, match="No JSON value"):
            grammar_of(schema)
        return
    grammar = grammar_of(schema)
    for value in [*values, one, other, Decimal(0), one / 2, -one]:
        text = f"{value.normalize():f}"
        exact = Decimal(repr(float(text))) == Decimal(text) and -value.normalize().as_tuple().exponent <= 6
        if exact and text != "-0":
            assert grammar.accepts(text) is validator.is_valid(float(text)), text
    for seed in range(20):
        assert validator.is_valid(json.loads(grammar.sample(seed)))


@pytest.mark.parametrize("text", ["0", "-0", "1", "-12.5", "1e5", "1E-07", "0.000000000000001", "1.5e+10"])
def test_free_numbers_have_all_forms_of_json(text: str) -> None:
    assert grammar_of({"type": "number"}).accepts(text)


@pytest.mark.parametrize("text", ["00", "1.", ".5", "+1", "1e", "0x1", "NaN", "Infinity", "-", "1e1000"])
def test_free_numbers_have_no_other_forms(text: str) -> None:
    assert not grammar_of({"type": "number"}).accepts(text)


@pytest.mark.parametrize("bound", ["minimum", "exclusiveMinimum"])
def test_an_open_bound_is_passed_by_the_nearest_double_too(bound: str) -> None:
    limit = 0.1234567890123456
    validator = Draft202012Validator({bound: limit})
    for value in samples({"type": "number", bound: limit, "maximum": limit + 1e-15}, count=100, effort=400):
        validator.validate(value)


def test_bounds_beyond_all_numbers_are_no_bounds() -> None:
    largest = 1.7976931348623157e308
    assert accepts({"type": "number", "minimum": -largest, "maximum": largest}, 12.5)
    assert accepts({"type": "integer", "minimum": -(10**400)}, -12)


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"minimum": 10**70}, "minimum"),
        ({"minimum": 1e-300, "maximum": 2e-300}, "minimum"),
        ({"multipleOf": 1e-30}, "multipleOf"),
    ],
)
def test_numbers_of_too_many_digits_are_left_to_validation(schema: dict[str, Any], path: str) -> None:
    error = refusal({"type": "number", **schema})
    assert error is not None
    assert (error.reason, error.path) == ("unsupported_schema_keyword", path)
    assert not is_exact({"type": "number", **schema})
