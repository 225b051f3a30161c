"""`not` turned inside out: the ways in which a value can fail a schema.

A value fails a schema if it fails one of its keywords. Most of these failures are schemas themselves (`maxLength: 3`
fails as `minLength: 4`); keywords without such a schema are left out, and the options are no longer complete.
"""

from itertools import pairwise
from typing import Final

from localaik.generation.schema.demands import Option, Options, Source
from localaik.generation.schema.document import Raw, as_schema
from localaik.generation.schema.keywords import ALL_TYPES, CONSTRAINTS

__all__ = ["conditional", "is_plain_negation", "negated_options"]

# keyword -> the keyword that says the opposite, its type, and how far apart the two counts are.
_OPPOSITE_COUNTS: Final = {
    "minLength": ("maxLength", "string", -1),
    "maxLength": ("minLength", "string", 1),
    "minItems": ("maxItems", "array", -1),
    "maxItems": ("minItems", "array", 1),
    "minProperties": ("maxProperties", "object", -1),
    "maxProperties": ("minProperties", "object", 1),
}
_OPPOSITE_BOUNDS: Final = {
    "minimum": "exclusiveMaximum",
    "maximum": "exclusiveMinimum",
    "exclusiveMinimum": "maximum",
    "exclusiveMaximum": "minimum",
}
_APPLICATORS: Final = frozenset({"$ref", "allOf", "anyOf", "oneOf", "not", "if"})
_WITHOUT_OPPOSITE: Final = frozenset({"dependentRequired", "dependentSchemas"})


def is_plain_negation(raw: dict[str, object]) -> bool:
    """The schema is `not` in a form that strings are compiled from: strings without a pattern, or other than some."""
    inner = raw.get("not")
    return (
        raw.keys() == {"type", "not"}
        and raw["type"] == "string"
        and isinstance(inner, dict)
        and inner.keys() in ({"pattern"}, {"enum"})
    )


def conditional(raw: dict[str, object], path: str) -> tuple[Raw, Raw, Raw]:
    """`if`, `then` and `else` of a schema."""
    condition, then, otherwise = (as_schema(raw.get(keyword, True), path) for keyword in ("if", "then", "else"))
    return condition, then, otherwise


def negated_options(raw: Raw, path: str, source: Source) -> Options:
    """The ways for a value not to be valid under the schema `raw`; `path` leads to the `not`."""
    if isinstance(raw, bool):
        return Options(() if raw else (Option(()),))
    ways: list[Option] = []
    is_complete = True
    for keyword, value in raw.items():
        if keyword in _APPLICATORS:
            found, complete = _fails_applicator(keyword, value, raw, path, source)
        elif keyword == "properties" and isinstance(value, dict):
            found = [_fails_property(name, inner, path, source) for name, inner in value.items() if inner is not True]
            complete = True
        elif keyword in CONSTRAINTS or keyword in _WITHOUT_OPPOSITE:
            failures, complete = _fails_constraint(keyword, value, raw)
            found = [Option((source.node(failure, path),)) for failure in failures]
        else:
            continue
        ways += found
        is_complete &= complete
    return Options(tuple(ways), is_complete)


def _fails_applicator(
    keyword: str, value: object, raw: dict[str, object], path: str, source: Source
) -> tuple[list[Option], bool]:
    """How a keyword that applies other schemas to the value fails, and whether these are all ways."""
    if keyword == "$ref":
        return [Option((source.negated(source.target(raw), path),))], True
    if keyword == "not":
        return [Option((source.node(as_schema(value, path), path),))], True
    if keyword == "if":
        return _fails_condition(raw, path, source), True
    members = value if isinstance(value, list) else []
    if keyword == "allOf":
        return [Option((source.negated(member, path),)) for member in members], True
    # oneOf fails, too, where two members hold.
    return [Option(tuple(source.negated(member, path) for member in members))], keyword == "anyOf"


def _fails_condition(raw: dict[str, object], path: str, source: Source) -> list[Option]:
    condition, then, otherwise = conditional(raw, path)
    return [
        Option((source.node(condition, path), source.negated(then, path))),
        Option((source.negated(condition, path), source.negated(otherwise, path))),
    ]


def _fails_property(name: str, raw: object, path: str, source: Source) -> Option:
    """The property is there and fails."""
    failing = source.negated(as_schema(raw, path), path).raw
    schema: Raw = {"type": "object", "required": [name], "properties": {name: failing}}
    return Option((source.node(schema, path),), declared=name)


def _fails_constraint(keyword: str, value: object, raw: dict[str, object]) -> tuple[list[Raw], bool]:
    """Schemas of the values that fail one keyword, and whether these are all such values."""
    if keyword in _OPPOSITE_COUNTS and isinstance(value, int | float):
        opposite, kind, step = _OPPOSITE_COUNTS[keyword]
        return [{"type": kind, opposite: int(value) + step}] if int(value) + step >= 0 else [], True
    if keyword in _OPPOSITE_BOUNDS:
        return [{"type": "number", _OPPOSITE_BOUNDS[keyword]: value}], True
    if keyword == "type":
        return _other_types(value if isinstance(value, list) else [value])
    if keyword in {"const", "enum"}:
        return _other_values(value if keyword == "enum" and isinstance(value, list) else [value])
    if keyword == "required" and isinstance(value, list):
        return [{"type": "object", "properties": {name: False}} for name in value], True
    if keyword == "pattern":
        return [{"type": "string", "not": {"pattern": value}}], True
    if keyword == "items" and "prefixItems" not in raw:
        return [{"type": "array", "contains": {"not": value}}], True
    if keyword == "contains" and not {"minContains", "maxContains"} & raw.keys():
        return [{"type": "array", "items": {"not": value}}], True
    return [], keyword == "uniqueItems" and value is False


def _other_types(names: list[object]) -> tuple[list[Raw], bool]:
    """All other types. Numbers without the integers have no name."""
    numbers = {"number", "integer"}
    taken = {*names, *numbers} if numbers & {*names} else {*names}
    rest: list[object] = [name for name in ALL_TYPES if name not in taken]
    return [{"type": rest}] if rest else [], "number" in names or "integer" not in names


def _other_values(values: list[object]) -> tuple[list[Raw], bool]:
    """All values but these. Other arrays and objects than those among them have no schema."""
    strings = [value for value in values if isinstance(value, str)]
    flags = {value for value in values if isinstance(value, bool)}
    numbers = sorted({value for value in values if isinstance(value, int | float) and not isinstance(value, bool)})
    found = {
        "array": any(isinstance(value, list) for value in values),
        "object": any(isinstance(value, dict) for value in values),
        "string": bool(strings),
        "number": bool(numbers),
        "integer": bool(numbers),
        "boolean": bool(flags),
        "null": None in values,
    }
    others: list[dict[str, object]] = [{"type": [name for name in ALL_TYPES if not found[name]]}]
    if strings:
        others.append({"type": "string", "not": {"enum": strings}})
    if len(flags) == 1:
        others.append({"enum": [not flags.pop()]})
    if numbers:
        bounds = ["exclusiveMinimum", "exclusiveMaximum"]
        others.append({"type": "number", bounds[1]: numbers[0]})
        others += [{"type": "number", bounds[0]: low, bounds[1]: high} for low, high in pairwise(numbers)]
        others.append({"type": "number", bounds[0]: numbers[-1]})
    return list(others), not (found["array"] or found["object"])
