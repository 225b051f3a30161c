"""The keywords of JSON Schema (draft 2020-12): what their values must be, and which types they speak of."""

from collections.abc import Callable
from typing import Final

__all__ = [
    "ALL_TYPES",
    "CONSTRAINTS",
    "LISTS_OF_SCHEMAS",
    "MAPS_OF_SCHEMAS",
    "REFUSED",
    "SINGLE_SCHEMAS",
    "TYPED",
    "fault_of",
]

ALL_TYPES: Final = ("object", "array", "string", "number", "integer", "boolean", "null")

# Keywords whose values hold schemas.
SINGLE_SCHEMAS: Final = (
    "items",
    "contains",
    "additionalProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "not",
    "if",
    "then",
    "else",
)
LISTS_OF_SCHEMAS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
MAPS_OF_SCHEMAS: Final = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")

# Keywords that speak of one type only. Without `type`, the first type with a keyword is taken.
TYPED: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "properties",
            "patternProperties",
            "additionalProperties",
            "propertyNames",
            "required",
            "minProperties",
            "maxProperties",
            "unevaluatedProperties",
        ),
        "object",
    ),
    **dict.fromkeys(
        (
            "items",
            "prefixItems",
            "contains",
            "minContains",
            "maxContains",
            "minItems",
            "maxItems",
            "uniqueItems",
            "unevaluatedItems",
        ),
        "array",
    ),
    **dict.fromkeys(("minLength", "maxLength", "pattern"), "string"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
}
CONSTRAINTS: Final = frozenset({*TYPED, "type", "enum", "const", "format"})

# Known keywords that are not compiled, and why; to drop them in silence would accept what they forbid.
REFUSED: Final[dict[str, str]] = {
    "$dynamicRef": "dynamic references are not followed",
    "$recursiveRef": "recursive references of an older draft are not followed",
    "dependencies": "the keyword of an older draft is split into `dependentRequired` and `dependentSchemas`",
    "additionalItems": "the keyword of an older draft is now `items` beside `prefixItems`",
}

Check = Callable[[object], str | None]


def fault_of(keyword: str, value: object) -> str | None:
    """What is wrong with the value of a keyword, apart from the schemas inside; None where nothing is."""
    check = _CHECKS.get(keyword)
    return None if check is None else check(value)


def _schema(value: object) -> str | None:
    return None if isinstance(value, dict | bool) else "must be a schema: an object or a boolean"


def _schemas(value: object) -> str | None:
    if isinstance(value, list) and value:
        return None
    return "must be a list of schemas that is not empty"


def _schema_map(value: object) -> str | None:
    return None if isinstance(value, dict) else "must be an object of schemas"


def _count(value: object) -> str | None:
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and value == int(value)
    return None if whole else "must be an integer that is not negative"


def _number(value: object) -> str | None:
    return None if isinstance(value, int | float) and not isinstance(value, bool) else "must be a number"


def _positive(value: object) -> str | None:
    positive = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return None if positive else "must be a number above 0"


def _text(value: object) -> str | None:
    return None if isinstance(value, str) else "must be a string"


def _boolean(value: object) -> str | None:
    return None if isinstance(value, bool) else "must be a boolean"


def _names(value: object) -> str | None:
    if isinstance(value, list) and all(isinstance(name, str) for name in value) and len(set(value)) == len(value):
        return None
    return "must be a list of different strings"


def _map_of_names(value: object) -> str | None:
    fine = isinstance(value, dict) and all(_names(names) is None for names in value.values())
    return None if fine else "must be an object of lists of different strings"


def _types(value: object) -> str | None:
    names = value if isinstance(value, list) else [value]
    unknown = [name for name in names if not isinstance(name, str) or name not in ALL_TYPES]
    if unknown:
        return f"must be one of {', '.join(ALL_TYPES)}, or a list of them, and not {unknown[0]!r}"
    return _names(names) if names else "must not be empty"


def _values(value: object) -> str | None:
    return None if isinstance(value, list) and value else "must be a list of values that is not empty"


_CHECKS: Final[dict[str, Check]] = {
    **dict.fromkeys(SINGLE_SCHEMAS, _schema),
    **dict.fromkeys(LISTS_OF_SCHEMAS, _schemas),
    **dict.fromkeys(MAPS_OF_SCHEMAS, _schema_map),
    **dict.fromkeys(
        (
            "minLength",
            "maxLength",
            "minItems",
            "maxItems",
            "minProperties",
            "maxProperties",
            "minContains",
            "maxContains",
        ),
        _count,
    ),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _number),
    **dict.fromkeys(("pattern", "format", "$ref", "$id", "$anchor", "$dynamicAnchor", "$schema"), _text),
    "multipleOf": _positive,
    "uniqueItems": _boolean,
    "required": _names,
    "dependentRequired": _map_of_names,
    "type": _types,
    "enum": _values,
}
