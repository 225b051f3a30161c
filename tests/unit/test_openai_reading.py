"""Requests that are refused, and the words in which they are."""

import pytest

from localaik.errors import BadRequest
from localaik.protocols.openai.reading import read
from localaik.protocols.openai.types import ChatRequest, CompletionRequest, Wire

MESSAGES: list[object] = [{"role": "user", "content": "Hi"}]


def fault(kind: type[Wire], body: object) -> tuple[str | None, str | None, str]:
    with pytest.raises(BadRequest) as refused:
        read(kind, body)
    error = refused.value
    return error.reason, error.field, error.message


def user(content: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": content}]}


CHAT_FAULTS: list[tuple[object, str, str | None, str]] = [
    ([], "invalid_json", None, "The body must be a JSON object."),
    ({}, "missing_required_parameter", "messages", "Missing required parameter: 'messages'."),
    (
        {"messages": None},
        "invalid_type",
        "messages",
        "Invalid type for 'messages': expected an array, but got null instead.",
    ),
    (
        {"messages": []},
        "empty_array",
        "messages",
        "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
    ),
    (
        {"messages": [5]},
        "invalid_type",
        "messages[0]",
        "Invalid type for 'messages[0]': expected an object, but got an integer instead.",
    ),
    (
        {"messages": [{}]},
        "missing_required_parameter",
        "messages[0].role",
        "Missing required parameter: 'messages[0].role'.",
    ),
    (
        {"messages": [*MESSAGES, {"role": "x"}]},
        "invalid_value",
        "messages[1].role",
        "Invalid value: 'x'. Supported values are: 'system', 'developer', 'user', 'assistant', 'tool', and 'function'.",
    ),
    (
        {"messages": [{"role": "user"}]},
        "missing_required_parameter",
        "messages[0].content",
        "Missing required parameter: 'messages[0].content'.",
    ),
    (
        user(5),
        "invalid_type",
        "messages[0].content",
        (
            "Invalid type for 'messages[0].content': expected one of a string or an array of objects,"
            " but got an integer instead."
        ),
    ),
    (
        user({"str": 1}),
        "invalid_type",
        "messages[0].content",
        (
            "Invalid type for 'messages[0].content': expected one of a string or an array of objects,"
            " but got an object instead."
        ),
    ),
    (
        user([]),
        "empty_array",
        "messages[0].content",
        (
            "Invalid 'messages[0].content': empty array. Expected an array with minimum length 1,"
            " but got an empty array instead."
        ),
    ),
    (
        user(["Hi"]),
        "invalid_type",
        "messages[0].content[0]",
        "Invalid type for 'messages[0].content[0]': expected an object, but got a string instead.",
    ),
    (
        user([{}]),
        "missing_required_parameter",
        "messages[0].content[0].type",
        "Missing required parameter: 'messages[0].content[0].type'.",
    ),
    (
        user([{"type": "text", "text": "a"}, {"type": "video"}]),
        "invalid_value",
        "messages[0].content[1].type",
        "Invalid value: 'video'. Supported values are: 'text', 'image_url', 'file', and 'input_audio'.",
    ),
    (
        user([{"type": "text", "text": 5}]),
        "invalid_type",
        "messages[0].content[0].text",
        "Invalid type for 'messages[0].content[0].text': expected a string, but got an integer instead.",
    ),
    (
        user([{"type": "text"}]),
        "missing_required_parameter",
        "messages[0].content[0].text",
        "Missing required parameter: 'messages[0].content[0].text'.",
    ),
    (
        user([{"type": "image_url", "image_url": {"url": 5}}]),
        "invalid_type",
        "messages[0].content[0].image_url.url",
        "Invalid type for 'messages[0].content[0].image_url.url': expected a string, but got an integer instead.",
    ),
    (
        user([{"type": "image_url", "image_url": "data:,"}]),
        "invalid_type",
        "messages[0].content[0].image_url",
        "Invalid type for 'messages[0].content[0].image_url': expected an object, but got a string instead.",
    ),
    (
        {"messages": [{"role": "system", "content": [{"type": "image_url"}]}]},
        "invalid_value",
        "messages[0].content[0].type",
        "Invalid value: 'image_url'. Supported value is: 'text'.",
    ),
    (
        {"messages": [{"role": "system", "content": [{"type": "text", "text": None}]}]},
        "invalid_type",
        "messages[0].content[0].text",
        "Invalid type for 'messages[0].content[0].text': expected a string, but got null instead.",
    ),
]
FIELD_FAULTS: list[tuple[str, object, str, str, str]] = [
    (
        "temperature",
        "1",
        "invalid_type",
        "temperature",
        "Invalid type for 'temperature': expected a decimal, but got a string instead.",
    ),
    (
        "temperature",
        True,
        "invalid_type",
        "temperature",
        "Invalid type for 'temperature': expected a decimal, but got a boolean instead.",
    ),
    (
        "temperature",
        5,
        "decimal_above_max_value",
        "temperature",
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 5 instead.",
    ),
    (
        "top_p",
        -0.5,
        "decimal_below_min_value",
        "top_p",
        "Invalid 'top_p': decimal below minimum value. Expected a value >= 0, but got -0.5 instead.",
    ),
    (
        "max_tokens",
        0,
        "integer_below_min_value",
        "max_tokens",
        "Invalid 'max_tokens': integer below minimum value. Expected a value >= 1, but got 0 instead.",
    ),
    (
        "n",
        129,
        "integer_above_max_value",
        "n",
        "Invalid 'n': integer above maximum value. Expected a value <= 128, but got 129 instead.",
    ),
    ("n", 1.0, "invalid_type", "n", "Invalid type for 'n': expected an integer, but got a decimal instead."),
    (
        "seed",
        2**63,
        "integer_above_max_value",
        "seed",
        (
            "Invalid 'seed': integer above maximum value. Expected a value <= 9223372036854775807,"
            " but got 9223372036854775808 instead."
        ),
    ),
    (
        "stop",
        ["a"] * 5,
        "array_above_max_length",
        "stop",
        (
            "Invalid 'stop': array too long. Expected an array with maximum length 4,"
            " but got an array with length 5 instead."
        ),
    ),
    (
        "stop",
        7,
        "invalid_type",
        "stop",
        "Invalid type for 'stop': expected one of a string or an array of strings, but got an integer instead.",
    ),
    ("stop", ["a", 5], "invalid_type", "stop[1]", "Invalid type for 'stop[1]': expected a string, but got an integer"),
    (
        "logit_bias",
        {"5": 300},
        "decimal_above_max_value",
        "logit_bias.5",
        "Invalid 'logit_bias.5': decimal above maximum value. Expected a value <= 100, but got 300 instead.",
    ),
    (
        "top_logprobs",
        21,
        "integer_above_max_value",
        "top_logprobs",
        "Invalid 'top_logprobs': integer above maximum value. Expected a value <= 20, but got 21 instead.",
    ),
    (
        "metadata",
        {str(key): "" for key in range(17)},
        "object_above_max_properties",
        "metadata",
        (
            "Invalid 'metadata': too many properties. Expected an object with at most 16 properties,"
            " but got an object with 17 properties instead."
        ),
    ),
    (
        "metadata",
        {"a": "x" * 513},
        "string_above_max_length",
        "metadata.a",
        (
            "Invalid 'metadata.a': string too long. Expected a string with maximum length 512,"
            " but got a string with length 513 instead."
        ),
    ),
    (
        "metadata",
        {"k" * 65: ""},
        "string_above_max_length",
        "metadata." + "k" * 65,
        (
            f"Invalid 'metadata.{'k' * 65}': string too long. Expected a string with maximum length 64,"
            " but got a string with length 65 instead."
        ),
    ),
    (
        "response_format",
        {"type": "xml"},
        "invalid_value",
        "response_format.type",
        "Invalid value: 'xml'. Supported values are: 'text', 'json_object', and 'json_schema'.",
    ),
    (
        "response_format",
        {"type": "json_schema", "json_schema": {}},
        "missing_required_parameter",
        "response_format.json_schema.name",
        "Missing required parameter: 'response_format.json_schema.name'.",
    ),
    (
        "response_format",
        {"type": "json_schema", "json_schema": {"name": "a b"}},
        "invalid_value",
        "response_format.json_schema.name",
        (
            "Invalid 'response_format.json_schema.name': string does not match pattern."
            " Expected a string that matches the pattern '^[a-zA-Z0-9_-]{1,64}$'."
        ),
    ),
    (
        "response_format",
        {"type": "json_schema", "json_schema": {"name": "a", "schema": []}},
        "invalid_type",
        "response_format.json_schema.schema",
        "Invalid type for 'response_format.json_schema.schema': expected an object, but got an array instead.",
    ),
    (
        "stream_options",
        {"include_usage": 1},
        "invalid_type",
        "stream_options.include_usage",
        "Invalid type for 'stream_options.include_usage': expected a boolean, but got an integer instead.",
    ),
    (
        "modalities",
        ["video"],
        "invalid_value",
        "modalities[0]",
        "Invalid value: 'video'. Supported values are: 'text' and 'audio'.",
    ),
]


@pytest.mark.parametrize(("body", "reason", "field", "message"), CHAT_FAULTS)
def test_messages_that_are_refused(body: object, reason: str, field: str | None, message: str) -> None:
    assert fault(ChatRequest, body) == (reason, field, message)


@pytest.mark.parametrize(("name", "value", "reason", "field", "message"), FIELD_FAULTS)
def test_fields_that_are_refused(name: str, value: object, reason: str, field: str, message: str) -> None:
    found = fault(ChatRequest, {"messages": MESSAGES, name: value})
    assert found[:2] == (reason, field)
    assert found[2].startswith(message)


PROMPTS = "a string, an array of strings, an array of integers, or an array of integer arrays"


@pytest.mark.parametrize(
    ("prompt", "reason", "field", "message"),
    [
        ([], "empty_array", "prompt", "Invalid 'prompt': empty array."),
        ([[]], "empty_array", "prompt[0]", "Invalid 'prompt[0]': empty array."),
        (["a", 1], "invalid_type", "prompt[1]", "Invalid type for 'prompt[1]': expected a string"),
        ([1, "a"], "invalid_type", "prompt[1]", "Invalid type for 'prompt[1]': expected an integer"),
        ([[1], "a"], "invalid_type", "prompt[1]", "Invalid type for 'prompt[1]': expected an array"),
        ([[1.5]], "invalid_type", "prompt[0][0]", "Invalid type for 'prompt[0][0]': expected an integer"),
        ([-1], "integer_below_min_value", "prompt[0]", "Invalid 'prompt[0]': integer below minimum value."),
        ([True], "invalid_type", "prompt", f"Invalid type for 'prompt': expected one of {PROMPTS}"),
        ({}, "invalid_type", "prompt", f"Invalid type for 'prompt': expected one of {PROMPTS}"),
        (["a"] * 2049, "array_above_max_length", "prompt", "Invalid 'prompt': array too long."),
    ],
)
def test_prompts_that_are_refused(prompt: object, reason: str, field: str, message: str) -> None:
    found = fault(CompletionRequest, {"model": "m", "prompt": prompt})
    assert found[:2] == (reason, field)
    assert found[2].startswith(message)


def test_completions_need_a_model() -> None:
    assert fault(CompletionRequest, {"prompt": "a"})[:2] == ("missing_required_parameter", "model")


def test_null_is_absent() -> None:
    nothing = dict.fromkeys(set(ChatRequest.model_fields) - {"messages"})
    assert read(ChatRequest, {"messages": MESSAGES, **nothing}) is not None


def test_the_first_fault_in_the_order_of_the_fields_is_told() -> None:
    assert fault(ChatRequest, {"n": 0, "temperature": 9, "messages": MESSAGES})[1] == "temperature"


def test_long_values_are_cut_in_messages() -> None:
    _, field, message = fault(ChatRequest, {"messages": MESSAGES, "logit_bias": {"9" * 5000: "x"}})
    assert len(field or "") < 200
    assert len(message) < 300
    assert len(fault(ChatRequest, {"messages": [{"role": "x" * 5000}]})[2]) < 300
