"""One schema for each feature that grammars are compiled from."""

from typing import Any

__all__ = ["FEATURES"]

SHORT = {"type": "string", "maxLength": 6}
POINT = {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}, "required": ["x", "y"]}


def _kind(name: str, /, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"kind": {"const": name}, **properties},
        "required": ["kind", *properties],
        "additionalProperties": False,
    }


STRINGS: dict[str, dict[str, Any] | bool] = {
    "string of a length": {"type": "string", "minLength": 2, "maxLength": 5},
    "string of a large length": {"type": "string", "minLength": 70, "maxLength": 5000},
    "length beyond the repetitions of the engine": {"type": "string", "maxLength": 1_000_000},
    "pattern": {"type": "string", "pattern": '^[A-Z]{2}-\\d{3}(é|")?$'},
    "pattern in the middle": {"type": "string", "pattern": "ab+c", "maxLength": 12},
    "pattern of nothing over and over": {"type": "string", "pattern": "^(a?b?|c*)*$", "maxLength": 20},
    "pattern with lookaheads": {"type": "string", "pattern": "^(?=.*[A-Z])(?!.*x).{4,8}$"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "time"},
    "date-time": {"type": "string", "format": "date-time"},
    "duration": {"type": "string", "format": "duration"},
    "uuid": {"type": "string", "format": "uuid"},
    "email": {"type": "string", "format": "email"},
    "hostname": {"type": "string", "format": "hostname"},
    "ipv4": {"type": "string", "format": "ipv4"},
    "ipv6": {"type": "string", "format": "ipv6"},
    "uri": {"type": "string", "format": "uri", "minLength": 1, "maxLength": 2083},
    "json-pointer": {"type": "string", "format": "json-pointer"},
    "unknown format": {"type": "string", "format": "unheard-of", "maxLength": 5},
    "other than some strings": {"type": "string", "maxLength": 3, "not": {"enum": ["", "a", "no"]}},
}
NUMBERS: dict[str, dict[str, Any] | bool] = {
    "integer": {"type": "integer"},
    "bounded integer": {"type": "integer", "minimum": -7, "exclusiveMaximum": 1234},
    "int64": {"type": "integer", "format": "int64"},
    "multiple": {"type": "integer", "multipleOf": 7, "minimum": 10},
    "number": {"type": "number"},
    "bounded number": {"type": "number", "exclusiveMinimum": 0, "maximum": 2.5},
    "quarters": {"type": "number", "multipleOf": 0.25, "minimum": -3},
}
OBJECTS: dict[str, dict[str, Any] | bool] = {
    "object": {**POINT, "additionalProperties": False},
    "all optional": {"type": "object", "properties": {"a": SHORT, "b": SHORT, "c": SHORT}},
    "escapes in keys": {"type": "object", "properties": {'q"\\é\n': {"type": "boolean"}}, "required": ['q"\\é\n']},
    "map": {"type": "object", "additionalProperties": {"type": "integer", "maximum": 9}, "maxProperties": 3},
    "map with a pattern": {"type": "object", "patternProperties": {"^k[0-9]$": SHORT}, "additionalProperties": False},
    "map of names": {"type": "object", "propertyNames": {"enum": ["red", "green"]}, "minProperties": 1},
    "counted properties": {
        "type": "object",
        "properties": {name: {"type": "boolean"} for name in "abcdef"},
        "minProperties": 2,
        "maxProperties": 3,
    },
    "dependentRequired": {
        "type": "object",
        "properties": {"card": {"type": "integer"}, "address": SHORT},
        "dependentRequired": {"card": ["address"]},
    },
}
ARRAYS: dict[str, dict[str, Any] | bool] = {
    "array": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 4},
    "array of arrays": {"type": "array", "items": {"type": "array", "items": {"type": "boolean"}, "maxItems": 2}},
    "long array": {"type": "array", "items": {"type": "null"}, "minItems": 70, "maxItems": 3000},
    "tuple": {"type": "array", "prefixItems": [{"type": "integer"}, SHORT], "items": False, "minItems": 1},
    "contains": {"type": "array", "items": SHORT, "contains": {"const": "yes"}, "maxItems": 3},
    "set of words": {"type": "array", "items": {"enum": ["a", "b", "c", "d"]}, "uniqueItems": True, "minItems": 2},
    "set of strings": {"type": "array", "items": SHORT, "uniqueItems": True, "minItems": 2, "maxItems": 4},
    "set of integers": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "maxItems": 3},
}
COMBINED: dict[str, dict[str, Any] | bool] = {
    "any value": True,
    "no constraint": {},
    "null": {"type": "null"},
    "boolean": {"type": "boolean"},
    "list of types": {"type": ["integer", "boolean", "null"]},
    "enum of everything": {"enum": ["a", 'a"b', "ü\n", 1, 2.5, True, None, [1, "x"], {"k": {"deep": []}}]},
    "const": {"const": {"a": [1, None, "\\"]}},
    "anyOf": {"anyOf": [{"type": "integer"}, SHORT, POINT]},
    "discriminated oneOf": {"oneOf": [_kind("cat", lives={"type": "integer"}), _kind("dog", name=SHORT)]},
    "allOf": {"allOf": [POINT, {"properties": {"x": {"minimum": 5, "maximum": 9}}}]},
    "if": {
        "type": "object",
        "properties": {"land": {"enum": ["US", "FR"]}, "code": {"type": "string"}},
        "required": ["land", "code"],
        "if": {"properties": {"land": {"const": "US"}}},
        "then": {"properties": {"code": {"pattern": "^\\d{5}$"}}},
        "else": {"properties": {"code": {"maxLength": 2}}},
    },
    "linked list": {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "v": {"type": "integer"},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                },
                "required": ["v", "next"],
            }
        },
    },
    "tree": {
        "type": "object",
        "properties": {"name": SHORT, "children": {"type": "array", "items": {"$ref": "#"}, "maxItems": 2}},
        "required": ["name"],
    },
}

FEATURES: dict[str, dict[str, Any] | bool] = {**STRINGS, **NUMBERS, **OBJECTS, **ARRAYS, **COMBINED}
