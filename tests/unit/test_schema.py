"""From schemas to grammars: what a grammar can write is always valid, and what can't be promised is refused."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from localaik.errors import BadRequest
from localaik.generation.request import AnyJson, EnumText, JsonMatching
from localaik.generation.schema import compile_grammar
from tests.gbnf import Grammar
from tests.schemas import SCHEMAS, JsonSchema, accepts, samples

PERSON: JsonSchema = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "tags": {"type": "array", "items": {"enum": ["x", "y"]}, "maxItems": 2},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
TREE: JsonSchema = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"v": {"type": "boolean"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
            "required": ["v"],
        }
    },
    "$ref": "#/$defs/node",
}


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(SCHEMAS)
def test_whatever_is_accepted_always_holds(schema: dict[str, Any]) -> None:
    refusal: BadRequest | None = None
    try:
        made = list(samples(schema, count=8, effort=60))
    except BadRequest as error:
        refusal = error
    if refusal is None:
        assert len(made) == 8
    else:
        assert refusal.reason in {"invalid_schema", "unsupported_schema_keyword"}
        assert (refusal.field or "").startswith("schema")


@pytest.mark.parametrize(
    ("schema", "valid", "invalid"),
    [
        (PERSON, {"name": "A", "age": 130}, {"name": "A", "age": 131}),
        (PERSON, {"name": "A", "age": 0, "tags": ["x", "y"]}, {"name": "", "age": 0}),
        (PERSON, {"name": 'q"\\\n\u00e9', "age": 7}, {"age": 7, "name": "order matters"}),
        (TREE, {"v": True, "kids": [{"v": False, "kids": []}]}, {"v": True, "kids": [{}]}),
        ({"type": ["string", "null"]}, None, 1),
        ({"anyOf": [{"type": "integer"}, {"const": "none"}]}, "none", "some"),
        ({"const": {"a": [1, "b"]}}, {"a": [1, "b"]}, {"a": [1]}),
        ({"enum": ["a", 2, None]}, 2, "2"),
        ({"type": "array", "prefixItems": [{"type": "integer"}], "items": False}, [3], [3, 4]),
        ({"type": "string", "pattern": "^[a-c]{2}\\d?$"}, "ab1", "abc"),
        ({"type": "string", "format": "date"}, "2024-02-28", "2024-13-01"),
        ({"type": "integer", "minimum": -5, "exclusiveMaximum": 12}, -5, 12),
        ({"type": "boolean"}, False, "false"),
    ],
)
def test_a_grammar_knows_valid_values_from_invalid_ones(schema: JsonSchema, valid: object, invalid: object) -> None:
    assert accepts(schema, valid)
    assert not accepts(schema, invalid)


@pytest.mark.parametrize("schema", [PERSON, TREE, True, {"type": "object"}, {"type": "number", "minimum": 0.5}])
def test_every_sample_of_an_ordinary_schema_is_valid(schema: JsonSchema) -> None:
    assert len(list(samples(schema))) == 60


def test_properties_are_written_in_the_order_of_the_schema() -> None:
    schema = {"type": "object", "properties": {"b": {"const": 1}, "a": {"const": 2}}, "required": ["a", "b"]}
    (text,) = {Grammar(compile_grammar(JsonMatching(schema, "s")).text).sample(seed, 50) for seed in range(5)}
    assert text == '{"b":1,"a":2}'


@pytest.mark.parametrize(
    ("schema", "reason", "field"),
    [
        ({"type": "nonsense"}, "invalid_schema", "f.s"),
        ({"type": "object", "properties": {"a": {"minItems": "x"}}}, "invalid_schema", "f.s"),
        ({"$ref": "#/$defs/none"}, "invalid_schema", "f.s"),
        ({"$ref": "https://example.com/s.json"}, "unsupported_schema_keyword", "f.s"),
        ({"type": "string", "minLength": 5, "maxLength": 2}, "invalid_schema", "f.s"),
        (False, "invalid_schema", "f.s"),
    ],
)
def test_what_is_no_schema_or_allows_nothing_is_refused_by_field(schema: JsonSchema, reason: str, field: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        compile_grammar(JsonMatching(schema, "f.s"))
    assert refusal.value.reason == reason
    assert (refusal.value.field or "").startswith(field)


def test_any_json_is_one_compact_value() -> None:
    anything, an_object = (Grammar(compile_grammar(AnyJson(object_only=only)).text) for only in (False, True))
    for value in (1, -0.5, "a", None, True, [], {}, {"a": [1, {"b": "ü"}]}):
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        assert anything.accepts(text)
        assert an_object.accepts(text) is isinstance(value, dict)
    for text in ("", "{", "[1,]", "'a'", "01", '"\n"', "{} {}", "nul"):
        assert not anything.accepts(text)


def test_an_enumeration_is_one_bare_text() -> None:
    grammar = Grammar(compile_grammar(EnumText(("red", 'say "hi"\n', "blau, rot"))).text)
    for text in ("red", 'say "hi"\n', "blau, rot"):
        assert grammar.accepts(text)
    for text in ("re", "reds", '"red"', ""):
        assert not grammar.accepts(text)


def test_alternatives_that_are_equal_are_one() -> None:
    word = {"type": "string", "pattern": "^a?b$", "maxLength": 3}
    thing = {"type": "object", "properties": {"a": word}, "required": ["a"]}
    assert accepts({"anyOf": [word, dict(word), {"type": "null"}]}, "ab")
    assert accepts({"anyOf": [thing, {"type": "null"}, dict(thing)]}, {"a": "b"})
