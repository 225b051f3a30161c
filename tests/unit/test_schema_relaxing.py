"""Schemas that a grammar refuses, made wider until it takes them; nothing valid is lost on the way."""

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from localaik.generation.schema.relaxing import relaxed
from tests.schemas import SCHEMAS, JsonSchema, is_exact, refusal

LOOK: JsonSchema = {"type": "string", "pattern": "a(?=b)b"}


def refused_at(schema: Any) -> str | None:
    """The path of what the grammar refuses, None where it takes the schema."""
    error = refusal(schema)
    if error is None:
        return None
    assert error.reason == "unsupported_schema_keyword"
    return error.path


def steps_of(schema: Any) -> list[Any]:
    """The schema, and each wider one until a grammar takes it."""
    steps = [schema]
    while (path := refused_at(steps[-1])) is not None:
        wider = relaxed(steps[-1], path)
        assert wider is not None, path
        steps.append(wider)
    return steps


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "object", "properties": {"a.b[0]": LOOK}}, {"properties": {"a.b[0]": {"type": "string"}}}),
        ({"type": "object", "properties": {"a": {"pattern": "^a"}, "a.pattern": LOOK}}, None),
        ({"type": "array", "items": {"type": "object"}, "uniqueItems": True}, {"items": {"type": "object"}}),
        ({"type": "array", "contains": {"const": 1}, "minContains": 900, "maxItems": 1000}, {"maxItems": 1000}),
        ({"type": "array", "prefixItems": [{"type": "null"}, LOOK]}, None),
        ({"$defs": {"k": LOOK}, "type": "array", "items": {"$ref": "#/$defs/k"}}, None),
        ({"$ref": "#/parts/k", "parts": {"k": LOOK}}, None),
        ({"type": "object", "minProperties": 3, "additionalProperties": {"type": "null"}}, None),
        ({"type": "string", "format": "uuid", "maxLength": 3}, None),
        ({"type": "number", "minimum": 1e-30, "maximum": 2e-30}, None),
        ({"type": "array", "dependencies": {"a": ["b"]}}, {}),
        ({"anyOf": [LOOK, {"type": "null"}]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"oneOf": [LOOK, {"type": "null"}]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"type": "string", "not": {"pattern": "a(?=b)b"}}, {}),
        ({"type": "object", "properties": {"a": {"not": {"$ref": "#/$defs/k"}}}, "$defs": {"k": LOOK}}, None),
        ({"type": "object", "if": {"properties": {"a": LOOK}}, "then": {"required": ["b"]}, "title": "t"}, None),
        ({"type": "object", "propertyNames": {"pattern": "a(?=b)b"}}, {}),
        (
            {"type": "object", "anyOf": [{"properties": {"a": LOOK}}, {"required": ["b"]}], "unevaluatedItems": False},
            None,
        ),
        ({"anyOf": [{"properties": {"a": True}}], "type": "object", "unevaluatedProperties": False}, None),
    ],
)
def test_refused_schemas_compile_when_relaxed(schema: Any, expected: Any) -> None:
    before = copy.deepcopy(schema)
    steps = steps_of(schema)
    assert len(steps) > 1
    assert not is_exact(schema)
    assert json.dumps(schema) == json.dumps(before)
    if expected is not None:
        assert {name: value for name, value in steps[-1].items() if name != "type"} == expected


def test_a_schema_that_is_used_by_not_is_kept_as_it_is() -> None:
    schema = {"properties": {"a": {"not": {"$ref": "#/$defs/k"}, "type": "string"}}, "$defs": {"k": LOOK}}
    assert relaxed(schema, "$defs.k.pattern") == {"properties": {"a": {"type": "string"}}, "$defs": {"k": LOOK}}


def test_what_evaluates_goes_with_what_asks_for_it() -> None:
    schema = {"allOf": [{"properties": {"a": {"type": "null"}}}], "unevaluatedProperties": False}
    assert relaxed(schema, "allOf[0].properties") == {"allOf": [{}]}
    assert relaxed({"properties": {"a": True}, "additionalProperties": False}, "properties") == {}
    assert relaxed({"contains": {"type": "null"}, "minContains": 0}, "minContains") == {}


def test_order_is_kept() -> None:
    schema = {"properties": dict.fromkeys("zay", LOOK), "required": ["z"], "title": "t"}
    wider = relaxed(schema, "properties.a.pattern")
    assert isinstance(wider, dict)
    assert list(wider) == ["properties", "required", "title"]
    assert json.dumps(wider["properties"]) == json.dumps({"z": LOOK, "a": {"type": "string"}, "y": LOOK})


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        (LOOK, ""),
        (LOOK, "nowhere"),
        (True, "type"),
        ({"$ref": "http://127.0.0.1/x"}, "$ref"),
        ({"$schema": "x", "type": "null"}, "$schema"),
        ({"properties": {"a": {"$id": "x"}}}, "properties.a.$id"),
        ({"properties": {"a": {}}}, "properties.a"),
        ({"properties": {"a": LOOK}, "items": {"$ref": "#/properties/a"}}, "properties"),
        ({"$defs": {"a": LOOK}}, "$defs"),
    ],
)
def test_what_can_not_be_left_out(schema: Any, path: str) -> None:
    assert relaxed(schema, path) is None


def test_data_is_not_looked_into() -> None:
    schema = {"enum": [{"pattern": "x"}], "type": "object"}
    assert relaxed(schema, "enum[0].pattern") == {"type": "object"}


def _paths(schema: Any, path: str = "") -> list[str]:
    found: list[str] = []
    members = schema.items() if isinstance(schema, dict) else enumerate(schema) if isinstance(schema, list) else ()
    for name, value in members:
        step = f"[{name}]" if isinstance(name, int) else f".{name}" if path else name
        found += [path + step, *_paths(value, path + step)]
    return found


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-12, 12) | st.sampled_from([0.5, 2.0]) | st.text('ab"é1', max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c", "ü"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(SCHEMAS, st.sampled_from(["", "not", "anyOf"]), st.data())
def test_whatever_is_valid_stays_valid(schema: dict[str, Any], around: str, data: st.DataObject) -> None:
    if around:
        refer = {"$ref": "#/$defs/k"}
        schema = {"$defs": {"k": schema}, "type": ["object", "array"], "properties": {"a": refer, "b": refer}}
        schema["items"] = {around: [refer] if around == "anyOf" else refer}
    path = data.draw(st.sampled_from(_paths(schema) or ["type"]))
    wider = relaxed(schema, path)
    if wider is None:
        return
    narrow, wide = Draft202012Validator(schema), Draft202012Validator(wider)
    for value in data.draw(st.lists(VALUES, min_size=6, max_size=6)):
        assert wide.is_valid(value) or not narrow.is_valid(value), (value, path)
