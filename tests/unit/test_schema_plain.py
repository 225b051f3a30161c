"""Schemas that are written directly: the same language as the compiler's, and the choice between the two."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localaik.generation.request import AnyJson, JsonMatching
from localaik.generation.schema import compile_grammar
from localaik.generation.schema.compiler import compiled_rules
from localaik.generation.schema.plain import plain_rules
from tests.gbnf import Grammar
from tests.schemas import SCHEMAS, grammar_of

LEAVES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"type": "string", "description": "any"},
        {"type": "string", "minLength": 1, "maxLength": 3},
        {"type": "string", "maxLength": 0},
        {"type": "string", "enum": ["a", "ab", 'q"', "ü\n", "b"]},
        {"enum": [f"value {index}" for index in range(12)]},
        {"enum": [3, 30, -3]},
        {"const": "only"},
        {"type": "integer"},
        {"type": "integer", "minimum": -3, "maximum": 120},
        {"type": "integer", "minimum": 7},
        {"type": "number"},
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "boolean", "default": False},
        {"type": "null"},
        {"type": ["string", "null"]},
        {"type": "object"},
        {"type": "object", "properties": {}, "additionalProperties": False},
        {"type": "array"},
    ]
)


def _larger(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    counts = st.sampled_from([{}, {"minItems": 1}, {"maxItems": 2}, {"minItems": 2, "maxItems": 3}, {"maxItems": 0}])
    names = st.sampled_from(["a", "b", 'q"', "ü"])
    objects = st.dictionaries(names, inner, min_size=1, max_size=4).flatmap(
        lambda properties: st.fixed_dictionaries(
            {
                "type": st.just("object"),
                "properties": st.just(properties),
                "required": st.lists(st.sampled_from(list(properties)), unique=True),
            },
            optional={"additionalProperties": st.booleans()},
        )
    )
    arrays = st.builds(lambda item, count: {"type": "array", "items": item, **count}, inner, counts)
    return (
        objects
        | arrays
        | inner.filter(lambda schema: schema != {"type": "null"}).map(
            lambda schema: {"anyOf": [schema, {"type": "null"}]}
        )
    )


PLAIN = st.recursive(LEAVES, _larger, max_leaves=6)


def _agree(schema: object, rules: str) -> None:
    direct, compiled = Grammar(rules), Grammar(compiled_rules(schema, "root"))
    for seed in range(6):
        for one, other in ((direct, compiled), (compiled, direct)):
            text = one.sample(seed, 60)
            assert other.accepts(text), text
            json.loads(text)
            assert direct.accepts(text[:-1]) is compiled.accepts(text[:-1])


@settings(max_examples=70, deadline=None, derandomize=True)
@given(PLAIN)
def test_plain_schemas_have_the_language_of_the_compiler(schema: dict[str, Any]) -> None:
    rules = plain_rules(schema, "root")
    assert rules is not None
    _agree(schema, rules)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(SCHEMAS)
def test_whatever_is_written_directly_has_the_language_of_the_compiler(schema: dict[str, Any]) -> None:
    rules = plain_rules(schema, "root")
    if rules is not None:
        _agree(schema, rules)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "a"},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]},
        {"type": "object", "properties": {"a": {"type": "string"}}, "minProperties": 1},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "array", "items": {"type": "string"}, "maxItems": 5000},
        {"type": "array", "minItems": 3, "maxItems": 2},
        {"type": "array", "minItems": None},
        {"type": "array", "maxItems": None},
        {"type": "integer", "minimum": None},
        {"type": "integer", "minimum": 1.5},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "integer", "minimum": True},
        {"type": ["string", "integer"]},
        {"enum": ["a", 1]},
        {"enum": []},
        {"enum": ["\ud800"]},
        {"const": "a", "enum": ["a"]},
        {"type": "integer", "enum": ["a"]},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"$ref": "#"},
        {"type": "nonsense"},
        {},
        True,
    ],
)
def test_other_schemas_are_left_to_the_compiler(schema: object) -> None:
    assert plain_rules(schema, "root") is None


def test_deep_schemas_are_left_to_the_compiler() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(60):
        schema = {"type": "array", "items": schema}
    assert plain_rules(schema, "root") is None
    assert grammar_of(schema).accepts("[" * 60 + "]" * 60)


@pytest.mark.parametrize("schema", [{"type": "number"}, {"type": "integer"}, None, {"type": ["number", "null"]}])
def test_numbers_without_bounds_end(schema: dict[str, Any] | None) -> None:
    form = AnyJson() if schema is None else JsonMatching(schema, "x")
    grammar = Grammar(compile_grammar(form).text)
    assert grammar.accepts("9" * 15)
    assert not grammar.begins("9" * 16)
    assert not grammar.begins("0." + "3" * 16)
    assert not grammar.begins("1e1234")
