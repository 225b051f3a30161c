"""Gemini's schemas, both dialects, as neutral JSON Schema (draft 2020-12).

`Schema` is a subset of the OpenAPI 3.0 schema object with lists of property names for the order of generation. The
other dialect already is JSON Schema and needs no conversion.
"""

from collections.abc import Mapping
from typing import Final

from localaik.protocols.gemini.proto3 import to_float, to_int
from localaik.protocols.gemini.reading import Findings
from localaik.protocols.gemini.types import Schema

__all__ = ["JsonSchema", "enum_values", "to_json_schema"]

JsonSchema = Mapping[str, object] | bool

# Keywords that mean the same in both; enum, type and what holds other schemas are converted.
_SAME: Final = {
    "format": "format",
    "title": "title",
    "description": "description",
    "default": "default",
    "min_items": "minItems",
    "max_items": "maxItems",
    "min_properties": "minProperties",
    "max_properties": "maxProperties",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
    "required": "required",
}


def to_json_schema(schema: Schema, path: str, findings: Findings) -> dict[str, object]:
    """`schema`, which stands at the wire path `path`, as JSON Schema. What is wrong with it is added to `findings`."""
    result: dict[str, object] = {}
    kind = schema.type.lower() if schema.type not in {None, "TYPE_UNSPECIFIED"} else None
    if kind is not None:
        result["type"] = kind
    for field, keyword in _SAME.items():
        value = getattr(schema, field)
        if value is not None:
            result[keyword] = value
    for bound in ("minimum", "maximum"):
        value = getattr(schema, bound)
        if value is not None:
            result[bound] = int(value) if value.is_integer() else value
    if schema.example is not None:
        result["examples"] = [schema.example]
    if schema.enum is not None:
        result["enum"] = _enum(schema.enum, kind, f"{path}.enum", findings)
    if schema.ref is not None:
        result["$ref"] = schema.ref.replace("#/defs/", "#/$defs/", 1)
    _convert_inner(schema, result, path, findings)
    return _with_null(result) if schema.nullable else result


def enum_values(schema: JsonSchema) -> tuple[str, ...] | None:
    """The values of a schema of strings with `enum`, or None where it is anything else."""
    if isinstance(schema, bool) or schema.get("type", "string") != "string":
        return None
    values = schema.get("enum")
    if not isinstance(values, list) or not values:
        return None
    texts = tuple(value for value in values if isinstance(value, str) and value)
    return texts if len(texts) == len(values) else None


def _convert_inner(schema: Schema, result: dict[str, object], path: str, findings: Findings) -> None:
    """The schemas inside."""
    if schema.properties is not None:
        result["properties"] = {
            name: to_json_schema(schema.properties[name], f"{path}.properties.{name}", findings)
            for name in _ordered(schema, path, findings)
        }
    elif schema.property_ordering:
        _ordered(schema, path, findings)
    if isinstance(schema.additional_properties, Schema):
        inner = f"{path}.additionalProperties"
        result["additionalProperties"] = to_json_schema(schema.additional_properties, inner, findings)
    elif schema.additional_properties is not None:
        result["additionalProperties"] = schema.additional_properties
    if schema.items is not None:
        result["items"] = to_json_schema(schema.items, f"{path}.items", findings)
    if schema.any_of is not None:
        result["anyOf"] = [
            to_json_schema(member, f"{path}.anyOf[{index}]", findings) for index, member in enumerate(schema.any_of)
        ]
    if schema.defs is not None:
        result["$defs"] = {
            name: to_json_schema(inner_schema, f"{path}.defs.{name}", findings)
            for name, inner_schema in schema.defs.items()
        }


def _ordered(schema: Schema, path: str, findings: Findings) -> list[str]:
    """Names of the properties: those that propertyOrdering lists, then the others as the request gave them."""
    properties = schema.properties or {}
    ordering = schema.property_ordering or []
    unknown = [name for name in ordering if name not in properties]
    if unknown:
        field, description = f"{path}.propertyOrdering", f"names properties that do not exist: {', '.join(unknown)}"
        findings.refuse_line(field, description, f"{field}: {description}")
    return list(dict.fromkeys([*(name for name in ordering if name in properties), *properties]))


def _enum(values: list[str], kind: str | None, field: str, findings: Findings) -> list[object]:
    """The values of an enum, which are strings on the wire, in the schema's type."""
    if kind not in {"integer", "number", "boolean"}:
        return list(values)
    converted: list[object] = []
    for value in values:
        literal = _literal(value, kind)
        if literal is None:
            description = f'"{value}" is no {kind}'
            findings.refuse_line(field, description, f"{field}: {description}")
        converted.append(literal)
    return converted


def _literal(value: str, kind: str | None) -> object:
    """The value that `value` stands for in an enum of `kind`, or None where it stands for nothing."""
    if kind == "boolean":
        return {"true": True, "false": False}.get(value.lower())
    whole = to_int(value)
    return to_float(value) if whole is None and kind == "number" else whole


def _with_null(schema: dict[str, object]) -> dict[str, object]:
    """The schema, or null."""
    kind = schema.get("type")
    if not schema or kind == "null":
        return schema
    if kind is None and "anyOf" in schema and not {"enum", "$ref"} & schema.keys():
        members = schema["anyOf"]
        return {**schema, "anyOf": [*members, {"type": "null"}]} if isinstance(members, list) else schema
    if kind is not None and not {"enum", "anyOf", "$ref"} & schema.keys():
        return {**schema, "type": [kind, "null"]}
    definitions = {"$defs": schema.pop("$defs")} if "$defs" in schema else {}
    return {"anyOf": [schema, {"type": "null"}], **definitions}
