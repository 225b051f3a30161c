"""Grammars made of schemas, on the real engine: every one is accepted, and what is written is valid."""

import json

import aiohttp
import pytest
from jsonschema import Draft202012Validator

SCHEMAS: dict[str, dict[str, object]] = {
    "object": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 12},
            "age": {"type": "integer", "minimum": 0, "maximum": 130},
            "tags": {"type": "array", "items": {"enum": ["x", 'y"', "ü"]}, "minItems": 1, "maxItems": 3},
        },
        "required": ["name", "age", "tags"],
        "additionalProperties": False,
    },
    "optional members": {"type": "object", "properties": {key: {"type": "boolean"} for key in "abcd"}},
    "recursive": {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "leaf": {"type": "boolean"},
                    "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 1},
                },
                "required": ["leaf"],
            }
        },
        "$ref": "#/$defs/node",
    },
    "alternatives": {"anyOf": [{"type": "integer", "minimum": -5, "maximum": 5}, {"const": "none"}, {"type": "null"}]},
    "pattern": {"type": "string", "pattern": "^[A-Z]{2}-\\d{3}$"},
    "formats": {
        "type": "array",
        "prefixItems": [{"type": "string", "format": form} for form in ("date", "date-time", "uuid", "ipv4")],
        "items": False,
        "minItems": 4,
    },
    "number": {"type": "number", "minimum": 0, "maximum": 1},
    "tuple": {"type": "array", "prefixItems": [{"type": "boolean"}, {"const": "é\n"}], "items": False, "minItems": 2},
}


@pytest.mark.parametrize("name", SCHEMAS)
async def test_what_the_engine_writes_is_valid(http: aiohttp.ClientSession, name: str) -> None:
    schema = SCHEMAS[name]
    body = {
        "messages": [{"role": "user", "content": "Give me an example."}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}},
        "max_tokens": 400,
        "temperature": 1,
        "n": 4,
    }
    async with http.post("/v1/chat/completions", json=body) as answer:
        body = await answer.json()
        assert answer.status == 200, body
    finished = [choice["message"]["content"] for choice in body["choices"] if choice["finish_reason"] == "stop"]
    assert finished, body
    for text in finished:
        Draft202012Validator(schema).validate(json.loads(text))


@pytest.mark.parametrize("kind", ["json_object", "any"])
async def test_any_json_on_the_engine(http: aiohttp.ClientSession, kind: str) -> None:
    if kind == "json_object":
        path, body = (
            "/v1/chat/completions",
            {
                "messages": [{"role": "user", "content": "Give me JSON with name and age"}],
                "response_format": {"type": "json_object"},
                "max_tokens": 500,
                "temperature": 0,
            },
        )
    else:
        path, body = (
            "/v1beta/models/m:generateContent",
            {
                "contents": [{"parts": [{"text": "Give me JSON with name and age"}]}],
                "generationConfig": {"responseMimeType": "application/json", "maxOutputTokens": 500, "temperature": 0},
            },
        )
    async with http.post(path, json=body) as answer:
        result = json.loads(await answer.read())
    if kind == "json_object":
        text = result["choices"][0]["message"]["content"]
        assert isinstance(json.loads(text), dict)
    else:
        json.loads(result["candidates"][0]["content"]["parts"][0]["text"])
