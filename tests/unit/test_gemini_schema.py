"""Gemini's schema dialect as neutral JSON Schema."""

import pytest

from localaik.errors import BadRequest
from localaik.protocols.gemini.reading import Findings, read
from localaik.protocols.gemini.schema import enum_values, to_json_schema
from localaik.protocols.gemini.types import Schema


def convert(schema: dict[str, object]) -> dict[str, object]:
    findings = Findings("Schema")
    result = to_json_schema(read(Schema, schema, strict=True, ignored=[]), "s", findings)
    findings.raise_if_any()
    return result


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, {}),
        ({"type": "TYPE_UNSPECIFIED"}, {}),
        ({"type": "OBJECT"}, {"type": "object"}),
        ({"type": "integer"}, {"type": "integer"}),
        ({"type": "NULL"}, {"type": "null"}),
        ({"type": "STRING", "minLength": "1", "max_length": 3}, {"type": "string", "minLength": 1, "maxLength": 3}),
        (
            {"type": "ARRAY", "minItems": "1", "max_items": 2.0, "items": {"type": "NUMBER"}},
            {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "number"}},
        ),
        ({"type": "INTEGER", "minimum": 1.0, "maximum": "5"}, {"type": "integer", "minimum": 1, "maximum": 5}),
        ({"type": "NUMBER", "minimum": 0.5}, {"type": "number", "minimum": 0.5}),
        ({"type": "STRING", "format": "date", "pattern": "^a"}, {"type": "string", "format": "date", "pattern": "^a"}),
        ({"type": "STRING", "example": "x", "title": "T"}, {"type": "string", "examples": ["x"], "title": "T"}),
        (
            {"ref": "#/defs/A", "defs": {"A": {"type": "STRING"}}},
            {"$ref": "#/$defs/A", "$defs": {"A": {"type": "string"}}},
        ),
        ({"$ref": "#/$defs/A", "$defs": {"A": {}}}, {"$ref": "#/$defs/A", "$defs": {"A": {}}}),
        ({"type": "OBJECT", "additionalProperties": False}, {"type": "object", "additionalProperties": False}),
        (
            {"type": "OBJECT", "additional_properties": {"type": "STRING"}, "minProperties": "2"},
            {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 2},
        ),
    ],
)
def test_b042_keywords(schema: dict[str, object], expected: dict[str, object]) -> None:
    assert convert(schema) == expected


def test_b042_user_data_stays_as_it_is() -> None:
    default = {"type": "NUMBER", "min_items": "1"}
    assert convert({"default": default, "example": default}) == {"default": default, "examples": [default]}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "STRING", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "STRING", "nullable": False}, {"type": "string"}),
        ({"nullable": True}, {}),
        ({"type": "NULL", "nullable": True}, {"type": "null"}),
        (
            {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}], "nullable": True},
            {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
        ),
        (
            {"type": "STRING", "enum": ["a"], "nullable": True},
            {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]},
        ),
        (
            {"type": "OBJECT", "anyOf": [{"required": ["a"]}], "nullable": True},
            {"anyOf": [{"type": "object", "anyOf": [{"required": ["a"]}]}, {"type": "null"}]},
        ),
        (
            {"ref": "#/defs/A", "nullable": True, "defs": {"A": {}}},
            {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}], "$defs": {"A": {}}},
        ),
    ],
)
def test_g024_nullable_adds_null_to_what_else_is_said(schema: dict[str, object], expected: dict[str, object]) -> None:
    assert convert(schema) == expected


def test_b043_properties_come_in_property_ordering_then_in_request_order() -> None:
    properties = {name: {"type": "STRING"} for name in ("z", "b", "a", "c")}
    assert list(convert({"properties": properties})["properties"]) == ["z", "b", "a", "c"]  # type: ignore[call-overload]
    ordered = convert({"properties": properties, "propertyOrdering": ["c", "a"]})
    assert list(ordered["properties"]) == ["c", "a", "z", "b"]  # type: ignore[call-overload]
    assert "propertyOrdering" not in ordered


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ({"properties": {"a": {}}, "propertyOrdering": ["a", "b"]}, "s.propertyOrdering"),
        ({"propertyOrdering": ["b"]}, "s.propertyOrdering"),
        ({"items": {"type": "INTEGER", "enum": ["1", "x"]}}, "s.items.enum"),
        (
            {"anyOf": [{}, {"properties": {"camelKey": {"type": "BOOLEAN", "enum": ["yes"]}}}]},
            "s.anyOf[1].properties.camelKey.enum",
        ),
        ({"type": "INTEGER", "enum": ["1.5"]}, "s.enum"),
        ({"type": "NUMBER", "enum": ["inf"]}, "s.enum"),
    ],
)
def test_g025_faults_are_told_with_their_path(schema: dict[str, object], field: str) -> None:
    with pytest.raises(BadRequest) as raised:
        convert(schema)
    assert raised.value.field == field
    assert raised.value.message.startswith(f"{field}: ")


def test_faults_of_reading_have_their_path_too() -> None:
    with pytest.raises(BadRequest) as raised:
        convert({"properties": {"camelKey": {"min_items": "x"}}})
    assert raised.value.field == "properties.camelKey.minItems"
    assert "'properties.camelKey.min_items' (TYPE_INT64)" in raised.value.message


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("STRING", ["1", "a"], ["1", "a"]),
        ("TYPE_UNSPECIFIED", ["1"], ["1"]),
        ("INTEGER", ["1", "2.0", "-3", "1e2"], [1, 2, -3, 100]),
        ("NUMBER", ["1", "2.5"], [1, 2.5]),
        ("BOOLEAN", ["true", "FALSE"], [True, False]),
    ],
)
def test_enum_values_have_the_type_of_the_schema(kind: str, values: list[str], expected: list[object]) -> None:
    converted = convert({"type": kind, "enum": values})["enum"]
    assert converted == expected
    assert [type(value) for value in converted] == [type(value) for value in expected]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        ({"type": "string", "enum": ["a", "b"]}, ("a", "b")),
        ({"enum": ["a"]}, ("a",)),
        ({"type": "array", "items": {"type": "string", "enum": ["a"]}}, None),
        ({"type": "integer", "enum": [1]}, None),
        ({"enum": [1]}, None),
        ({"enum": []}, None),
        ({"enum": [""]}, None),
        ({"type": "string"}, None),
        (True, None),
    ],
)
def test_g022_bare_values_need_a_string_schema_with_enum(
    schema: dict[str, object] | bool, values: tuple[str, ...] | None
) -> None:
    assert enum_values(schema) == values
