"""Objects from schemas: which properties, in which order, with which commas."""

import json
from itertools import chain, combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from localaik.errors import BadRequest
from tests.schemas import accepts, grammar_of, is_exact, refusal, samples

NAMES = list("abcdef")


def subsets(names: list[str]) -> list[tuple[str, ...]]:
    return list(chain.from_iterable(combinations(names, size) for size in range(len(names) + 1)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from(NAMES), unique=True, max_size=6),
    st.sets(st.sampled_from(NAMES)),
    st.integers(0, 7) | st.none(),
    st.integers(0, 7) | st.none(),
)
def test_every_subset_has_its_commas(names: list[str], required: set[str], low: int | None, high: int | None) -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: {"const": 1} for name in names},
        "required": sorted(required & set(names)),
        "additionalProperties": False,
    }
    schema |= {"minProperties": low} if low is not None else {}
    schema |= {"maxProperties": high} if high is not None else {}
    validator = Draft202012Validator(schema)
    expected = {subset for subset in subsets(names) if validator.is_valid(dict.fromkeys(subset, 1))}
    if not expected:
        assert refusal(schema) is not None
        return
    grammar = grammar_of(schema)
    for subset in subsets(names):
        text = json.dumps(dict.fromkeys(subset, 1), separators=(",", ":"))
        assert grammar.accepts(text) is (subset in expected), text


@pytest.mark.parametrize(
    "text", ["{,}", '{"a":1,}', '{,"a":1}', '{"a":1"b":1}', '{"b":1,"a":1}', '{"a":1,"a":1}', '{"a": 1}', "{ }"]
)
def test_nothing_else_is_written(text: str) -> None:
    schema = {"type": "object", "properties": {"a": {"const": 1}, "b": {"const": 1}}}
    assert not grammar_of(schema).accepts(text)


@pytest.mark.parametrize("required", [[], ["p0"], ["p150"], ["p299"]])
def test_the_grammar_of_optional_properties_is_linear(required: list[str]) -> None:
    def elements(count: int) -> int:
        names = [f"p{index}" for index in range(count)]
        wanted = [name for name in required if name in names]
        schema = {"type": "object", "properties": {name: {"type": "boolean"} for name in names}, "required": wanted}
        return sum(len(option) for options in grammar_of(schema).rules.values() for option in options)

    assert elements(600) < 2.5 * elements(300)


def test_properties_come_in_the_order_of_the_schema_and_of_allof() -> None:
    leaf = {"const": 0}
    schema = {
        "allOf": [{"properties": {"c": leaf, "a": leaf}}],
        "properties": {"b": leaf, "a": {}},
        "$ref": "#/$defs/last",
        "required": ["a", "b", "c", "d", "e"],
        "$defs": {"last": {"type": "object", "properties": {"d": leaf}}},
    }
    assert grammar_of(schema).accepts('{"c":0,"a":0,"b":0,"d":0,"e":[]}')


def test_required_properties_need_no_declaration() -> None:
    schema = {"type": "object", "required": ["x"], "additionalProperties": {"type": "integer"}}
    assert accepts(schema, {"x": 5})
    assert not accepts(schema, {"x": "5"})
    assert not accepts(schema, {})


def test_names_are_quoted_as_json() -> None:
    name = 'a"b\\c\n\t\u00e9\U0001f600\x00'
    schema = {"type": "object", "properties": {name: {"type": "null"}}, "required": [name]}
    assert list(samples(schema, 3)) == [{name: None}] * 3


def test_objects_without_declared_properties_are_maps() -> None:
    free = grammar_of({"type": "object"})
    for text in ('{"a":1,"b":[{"c":null}]}', "{}", '{"":""}'):
        assert free.accepts(text)
    assert accepts({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1, "b": 2})
    assert not accepts({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1, "b": "2"})
    assert accepts({"type": "object", "additionalProperties": False}, {})
    assert not accepts({"type": "object", "additionalProperties": False}, {"a": 1})
    few = {"type": "object", "additionalProperties": True, "minProperties": 1, "maxProperties": 2}
    assert [accepts(few, dict.fromkeys(NAMES[:count], 1)) for count in range(4)] == [False, True, True, False]


def test_undeclared_properties_are_not_written_beside_declared_ones() -> None:
    assert not accepts({"type": "object", "properties": {"a": {}}, "additionalProperties": True}, {"a": 1, "z": 1})


def test_keys_keep_to_property_names() -> None:
    pattern = {"type": "object", "propertyNames": {"pattern": "^[a-z]$"}, "additionalProperties": {"type": "integer"}}
    assert accepts(pattern, {"a": 1, "b": 2})
    assert not accepts(pattern, {"A": 1})
    listed = {
        "type": "object",
        "propertyNames": {"enum": ["x", "y"]},
        "additionalProperties": {"type": "integer"},
        "minProperties": 2,
    }
    assert accepts(listed, {"x": 1, "y": 2})
    assert not accepts(listed, {"x": 1})
    declared = {"type": "object", "properties": {"a": {}, "long": {}}, "propertyNames": {"maxLength": 2}}
    assert accepts(declared, {"a": 1})
    assert not accepts(declared, {"a": 1, "long": 1})


def test_keys_keep_to_patterns() -> None:
    schema = {
        "type": "object",
        "patternProperties": {"^s": {"type": "string"}, "^si": {"type": "integer"}, "^n": {"type": "null"}},
        "additionalProperties": {"type": "boolean"},
    }
    assert accepts(schema, {"s": "x", "n1": None})
    assert not accepts(schema, {"s": 1})
    assert not accepts(schema, {"si": 1})
    assert len(list(samples(schema))) == 60


def test_declared_names_meet_patterns_too() -> None:
    schema = {
        "type": "object",
        "properties": {"ab": {"type": "integer"}},
        "patternProperties": {"^a": {"minimum": 5}},
        "required": ["ab"],
    }
    assert accepts(schema, {"ab": 5})
    assert not accepts(schema, {"ab": 4})


def test_additional_properties_speak_only_of_their_own_schema() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "allOf": [{"properties": {"b": {"type": "integer"}}, "additionalProperties": {"maximum": 3}}],
    }
    assert accepts(schema, {"a": 3, "b": 9})
    assert not accepts(schema, {"a": 4, "b": 9})


def test_what_can_never_be_present_is_left_out() -> None:
    schema = {
        "type": "object",
        "properties": {"a": False, "b": {"type": "integer", "minimum": 2, "maximum": 1}, "c": {"const": 1}},
    }
    assert {json.dumps(value) for value in samples(schema)} == {"{}", '{"c": 1}'}
    with pytest.raises(BadRequest, match="No JSON value"):
        grammar_of({**schema, "required": ["a"]})


@pytest.mark.parametrize(
    "schema",
    [
        {"dependentRequired": {"a": ["b", "c"], "c": ["d"]}},
        {"dependentSchemas": {"a": {"required": ["b"], "properties": {"c": False}}}},
        {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}},
        {"if": {"properties": {"a": {"const": 1}}, "required": ["a"]}, "then": {"required": ["d"]}},
        {"anyOf": [{"required": ["a", "b"]}, {"required": ["c"]}]},
        {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"not": {"required": ["a", "b"]}},
        {"allOf": [{"not": {"required": ["a"]}}, {"minProperties": 2}]},
    ],
)
def test_demands_about_presence_are_exact(schema: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {name: {"const": 1} for name in "abcd"}, **schema}
    validator = Draft202012Validator(schema)
    grammar = grammar_of(schema)
    for subset in subsets(list("abcd")):
        value = dict.fromkeys(subset, 1)
        assert grammar.accepts(json.dumps(value, separators=(",", ":"))) is validator.is_valid(value), value


def test_unevaluated_properties_of_a_single_schema_are_additional_ones() -> None:
    schema = {"type": "object", "properties": {"a": {"const": 1}}, "unevaluatedProperties": False, "required": ["a"]}
    assert accepts(schema, {"a": 1})
    wider: dict[str, Any] = {**schema, "allOf": [{"properties": {"b": {}}}]}
    error = refusal(wider)
    assert error is not None
    assert error.path == "unevaluatedProperties"
    assert not is_exact(wider)


@pytest.mark.parametrize(
    "schema",
    [
        {"minProperties": 2, "additionalProperties": {"type": "integer"}},
        {"properties": {"a": {}}, "minProperties": 2},
    ],
)
def test_counts_that_a_repeated_key_or_an_undeclared_one_would_break_are_left_out(schema: dict[str, Any]) -> None:
    error = refusal({"type": "object", **schema})
    assert error is not None
    assert (error.reason, error.path) == ("unsupported_schema_keyword", "minProperties")
    assert not is_exact({"type": "object", **schema})
