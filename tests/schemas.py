"""What the tests of schemas share: grammars of schemas, texts of them, and random schemas."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from localaik.generation.request import JsonMatching
from localaik.generation.schema import compile_grammar
from localaik.generation.schema.compiler import compiled_rules
from localaik.generation.schema.faults import SchemaError
from tests.gbnf import Grammar

JsonSchema = dict[str, Any] | bool


def grammar_of(schema: JsonSchema) -> Grammar:
    return Grammar(compile_grammar(JsonMatching(schema, "schema")).text)


def refusal(schema: JsonSchema) -> SchemaError | None:
    """Why no grammar holds the whole schema, None where one does."""
    try:
        compiled_rules(json.loads(json.dumps(schema)), "root")
    except SchemaError as error:
        return error
    return None


def is_exact(schema: JsonSchema) -> bool:
    return compile_grammar(JsonMatching(schema, "schema")).exact


def accepts(schema: JsonSchema, value: object) -> bool:
    """The grammar of `schema` has the value, written as compact JSON."""
    return grammar_of(schema).accepts(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def samples(schema: JsonSchema, count: int = 60, effort: int = 120) -> Iterator[Any]:
    """Values from the grammar; each was found valid under the schema (if exact), and its text compact."""
    grammar = grammar_of(schema)
    validator = Draft202012Validator(schema if is_exact(schema) else True)
    for seed in range(count):
        text = grammar.sample(seed, effort)
        value = json.loads(text)
        validator.validate(value)
        assert grammar.accepts(text), text
        yield value


_NAMES = st.sampled_from(["a", "b", "c", "d e", 'q"', "ü"])
_SMALL = st.integers(0, 4)
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-12, 12), st.sampled_from([0.5, -1.25, 2.0]), st.text('ab"\\é\n', max_size=3)
)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAMES, inner, max_size=2), max_leaves=3
)
_PATTERNS = st.sampled_from(
    ["^a+$", "b", "^[ab]{1,3}$", '^(a|b"?)*$', "^\\d", "é$", "^(?!ab)", "^(?=.*b)a", "x?", "^\\S\\s.\\w$", "^$"]
)
_TYPES = st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"])


def _keywords(inner: st.SearchStrategy[JsonSchema]) -> st.SearchStrategy[dict[str, Any]]:
    listed = st.lists(inner, min_size=1, max_size=3)
    several: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "object": {
            "properties": st.dictionaries(_NAMES, inner, max_size=3),
            "required": st.lists(_NAMES, unique=True, max_size=2),
            "additionalProperties": inner,
            "minProperties": st.integers(0, 2),
            "maxProperties": _SMALL,
            "patternProperties": st.dictionaries(_PATTERNS, inner, min_size=1, max_size=2),
            "propertyNames": st.one_of(inner, st.just({"enum": ["a", "c"]})),
            "dependentRequired": st.dictionaries(_NAMES, st.lists(_NAMES, unique=True, max_size=2), max_size=1),
            "dependentSchemas": st.dictionaries(_NAMES, inner, max_size=1),
        },
        "array": {
            "items": inner,
            "prefixItems": listed,
            "minItems": _SMALL,
            "maxItems": _SMALL,
            "uniqueItems": st.booleans(),
            "contains": inner,
            "minContains": st.integers(0, 2),
            "maxContains": _SMALL,
        },
        "string": {
            "minLength": _SMALL,
            "maxLength": st.integers(0, 70),
            "pattern": _PATTERNS,
            "format": st.sampled_from(["date", "ipv4", "unknown"]),
        },
        "number": {
            "minimum": st.sampled_from([-10, 0, 3, 0.5, -2.75]),
            "maximum": st.sampled_from([-5, 5, 12, 130, 3.25]),
            "exclusiveMinimum": st.sampled_from([-10, 0, 3, 0.5]),
            "exclusiveMaximum": st.sampled_from([4, 5, 100, 0.125]),
            "multipleOf": st.sampled_from([1, 2, 3, 7, 0.5, 0.25, 100, 1.5]),
        },
    }
    several["integer"] = several["number"]
    typed = _TYPES.flatmap(lambda name: st.fixed_dictionaries({"type": st.just(name)}, optional=several.get(name, {})))
    combined = st.fixed_dictionaries(
        {},
        optional={
            "type": st.one_of(_TYPES, st.lists(_TYPES, unique=True, min_size=1, max_size=3)),
            "allOf": listed,
            "anyOf": listed,
            "oneOf": listed,
            "not": inner,
            "enum": st.lists(_VALUES, min_size=1, max_size=4),
            "const": _VALUES,
            "if": inner,
            "then": inner,
            "else": inner,
            "properties": st.dictionaries(_NAMES, inner, max_size=2),
            "items": inner,
        },
    )
    untyped = _TYPES.flatmap(lambda name: st.fixed_dictionaries({}, optional=several.get(name, {})))
    return st.one_of(typed, typed, typed, combined, untyped)


SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.one_of(_TYPES.map(lambda name: {"type": name}), st.booleans(), st.builds(lambda v: {"const": v}, _VALUES)),
    _keywords,
    max_leaves=8,
).filter(lambda schema: isinstance(schema, dict))
