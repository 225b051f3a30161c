"""The real engine under the grammar of each feature of schemas: it takes it, and what it writes is valid."""

import json
from typing import Any

import aiohttp
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from tests.schema_features import FEATURES
from tests.schemas import grammar_of

SEEDS = (1, 2, 3)


async def ask(http: aiohttp.ClientSession, response_format: dict[str, Any], seed: int) -> tuple[str, str]:
    """The answer's text and its finish reason."""
    body = {
        "model": "tiny",
        "messages": [{"role": "user", "content": "Tell me about the weather in Rome."}],
        "response_format": response_format,
        "max_tokens": 400,
        "temperature": 1,
        "seed": seed,
    }
    async with http.post("/v1/chat/completions", json=body) as answer:
        assert answer.status == 200, await answer.text()
        choice = (await answer.json())["choices"][0]
    return choice["message"]["content"], choice["finish_reason"]


# The wire takes no boolean as the schema of an answer.
@pytest.mark.parametrize("feature", [name for name, schema in FEATURES.items() if not isinstance(schema, bool)])
async def test_what_the_engine_writes_is_valid(http: aiohttp.ClientSession, feature: str) -> None:
    schema = FEATURES[feature]
    grammar = grammar_of(schema)
    validator = Draft202012Validator(schema, format_checker=FormatChecker(["date", "ipv4", "ipv6", "uuid", "email"]))
    response_format = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    for seed in SEEDS:
        text, reason = await ask(http, response_format, seed)
        if reason == "stop":
            validator.validate(json.loads(text))
            assert grammar.accepts(text), text
        else:
            assert reason == "length"
            assert grammar.begins(text), text


async def test_any_object(http: aiohttp.ClientSession) -> None:
    for seed in SEEDS:
        text, reason = await ask(http, {"type": "json_object"}, seed)
        assert text.startswith("{")
        assert reason == "length" or isinstance(json.loads(text), dict)


async def test_one_of_some_texts(http: aiohttp.ClientSession) -> None:
    values = ["sunny", "sun", 'a "storm"', "ø\\"]
    answers = set()
    for seed in range(8):
        body = {
            "contents": [{"parts": [{"text": "The weather?"}]}],
            "generationConfig": {
                "responseMimeType": "text/x.enum",
                "responseSchema": {"type": "STRING", "enum": values},
                "temperature": 2,
                "seed": seed,
            },
        }
        async with http.post("/v1beta/models/tiny:generateContent", json=body) as answer:
            assert answer.status == 200, await answer.text()
            answers.add((await answer.json())["candidates"][0]["content"]["parts"][0]["text"])
    assert answers <= set(values)


def _body(schema: dict[str, object]) -> dict[str, object]:
    return {
        "model": "tiny",
        "messages": [{"role": "user", "content": "Hello"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}},
        "max_tokens": 200,
    }


async def test_the_field_of_a_fault_reaches_the_caller(http: aiohttp.ClientSession) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "minLength": "two"}}}
    async with http.post("/v1/chat/completions", json=_body(schema)) as answer:
        assert answer.status == 400
        error = (await answer.json())["error"]
    assert "properties.a.minLength" in error["param"]
    assert "minLength" in error["message"]


async def test_what_no_grammar_holds_is_checked(http: aiohttp.ClientSession) -> None:
    schema = {"type": "array", "items": {"type": "object"}, "uniqueItems": True, "minItems": 1, "maxItems": 2}
    async with http.post("/v1/chat/completions", json=_body(schema)) as answer:
        body = await answer.json()
        assert answer.status == 200, body
    Draft202012Validator(schema).validate(json.loads(body["choices"][0]["message"]["content"]))


async def test_what_no_attempt_met_is_an_error(http: aiohttp.ClientSession) -> None:
    word = {"type": "string", "maxLength": 6, "pattern": "\\bword\\b"}
    schema = {"type": "object", "properties": {"a": word}, "required": ["a"]}
    async with http.post("/v1/chat/completions", json=_body(schema)) as answer:
        assert answer.status == 502
        error = (await answer.json())["error"]
    assert "3 attempts" in error["message"]
