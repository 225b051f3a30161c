"""Requests for responses, as what is asked of the model and as the response repeats them."""

import pytest

from localaik.content import Text
from localaik.generation.request import AnyJson, JsonMatching, Message, Sampling, Thinking, ToolChoice
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.responses.answering import Answering
from localaik.protocols.openai.responses.decode import (
    decode_response,
    new_items,
    read_create,
)
from tests.response_bodies import decode, function, refusal

SCHEMA: Object = {"type": "object", "properties": {"a": {"type": "integer"}}}
FORM: Object = {"type": "json_schema", "name": "out", "schema": SCHEMA}

DEFAULTS: Object = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "model": "m",
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "conversation": None,
    "prompt": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "truncation": "disabled",
    "user": None,
    "metadata": {},
}


def test_the_least_request() -> None:
    decoded = decode()
    generation = decoded.generation
    assert (generation.model, generation.messages) == ("m", [Message("user", [Text("Hi")])])
    assert generation.sampling == Sampling()
    assert (generation.max_tokens, generation.seed, generation.logprobs, generation.output) == (None,) * 4
    assert (generation.tools, generation.tool_choice, generation.thinking) == ((), ToolChoice(), None)
    assert decoded.answering == Answering()
    assert (decoded.stream, decoded.background, decoded.store) == (False, False, True)
    assert (decoded.previous_response_id, decoded.conversation_id) == (None, None)
    assert (decoded.truncation, decoded.compact_threshold) == ("disabled", None)
    assert (decoded.ignored, decoded.format_name) == ([], None)
    assert decoded.echo == DEFAULTS
    assert list(decoded.echo) == list(DEFAULTS)


def test_null_is_absent() -> None:
    names = [name for name in read_create({"model": "m", "input": "Hi"}).model_dump() if name not in {"model", "input"}]
    assert len(names) > 30
    decoded = decode(**dict.fromkeys(names), strict=True, unknown=None)
    assert (decoded.echo, decoded.ignored) == (DEFAULTS, [])


def test_everything_that_is_repeated() -> None:
    given: Object = {
        "background": True,
        "instructions": "Be brief.",
        "max_output_tokens": 16,
        "max_tool_calls": 3,
        "parallel_tool_calls": False,
        "previous_response_id": "resp_1",
        "prompt": {"id": "p_1", "variables": {"a": "b"}},
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "safety_identifier": "s",
        "temperature": 0.5,
        "tool_choice": "none",
        "top_logprobs": 2,
        "top_p": 0.1,
        "presence_penalty": -2.0,
        "frequency_penalty": 2.0,
        "truncation": "auto",
        "user": "u",
        "metadata": {"a": "b"},
    }
    decoded = decode(
        **given, service_tier="flex", reasoning={"effort": "low", "summary": "auto"}, text={"verbosity": "low"}
    )
    assert decoded.echo == {
        **DEFAULTS,
        **given,
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "text"}, "verbosity": "low"},
    }
    assert list(decoded.echo) == list(DEFAULTS)


def test_sampling_and_limits() -> None:
    decoded = decode(
        temperature=1, top_p=0.5, presence_penalty=1.5, frequency_penalty=-1, max_output_tokens=2**40, seed=7
    )
    generation = decoded.generation
    assert generation.sampling == Sampling(1.0, 0.5, None, 1.5, -1.0)
    assert (generation.max_tokens, generation.seed) == (2**31 - 1, 7)
    assert decoded.echo["max_output_tokens"] == 2**40
    assert isinstance(decoded.echo["temperature"], float)


@pytest.mark.parametrize(
    ("body", "logprobs"),
    [
        ({}, None),
        ({"top_logprobs": 0}, None),
        ({"top_logprobs": 20}, 20),
        ({"include": ["message.output_text.logprobs"]}, 0),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 3}, 3),
    ],
)
def test_logprobs(body: Object, logprobs: int | None) -> None:
    decoded = decode(**body)
    assert (decoded.generation.logprobs, decoded.answering.logprobs) == (logprobs, logprobs)


def test_forms_of_the_answer() -> None:
    assert decode(text={"format": {"type": "text"}}).generation.output is None
    assert decode(text={"format": {"type": "json_object"}}).generation.output == AnyJson(object_only=True)
    form = {**FORM, "strict": True, "description": "D"}
    decoded = decode(text={"format": form})
    assert decoded.generation.output == JsonMatching(SCHEMA, "text.format.schema")
    assert decoded.format_name == "out"
    assert decoded.echo["text"] == {"format": form, "verbosity": "medium"}


@pytest.mark.parametrize(
    ("body", "effort", "summary", "thinking"),
    [
        ({"reasoning": {}}, None, None, None),
        ({"reasoning": {"effort": "high"}}, "high", None, None),
        ({"reasoning_effort": "low"}, "low", None, None),
        ({"reasoning_effort": "low", "reasoning": {"effort": "low"}}, "low", None, None),
        ({"reasoning_effort": "low", "reasoning": {"summary": "auto"}}, "low", "auto", Thinking(include=True)),
        ({"reasoning": {"generate_summary": "concise"}}, None, "concise", Thinking(include=True)),
        ({"reasoning": {"effort": "none", "summary": "auto"}}, "none", "auto", None),
    ],
)
def test_reasoning(body: Object, effort: str | None, summary: str | None, thinking: Thinking | None) -> None:
    decoded = decode(**body, strict=True)
    assert (decoded.generation.reasoning_effort, decoded.generation.thinking) == (effort, thinking)
    assert decoded.answering.summary is (summary is not None)
    assert decoded.echo["reasoning"] == {"effort": effort, "summary": summary}


def test_what_the_writers_need() -> None:
    answering = decode(
        include=["reasoning.encrypted_content", "message.input_image.image_url"],
        stream=True,
        stream_options={"include_obfuscation": True},
        tools=[function()],
        egemma=True,
    ).answering
    assert answering == Answering(may_call=True, encrypted_reasoning=True, obfuscate=True, egemma=True)
    assert decode(tools=[function()], tool_choice="none").answering.may_call is False


@pytest.mark.parametrize(
    ("body", "previous", "conversation"),
    [
        ({"previous_response_id": "resp_1"}, "resp_1", None),
        ({"previous_response_id": "conv_1"}, None, "conv_1"),
        ({"conversation": "conv_1"}, None, "conv_1"),
        ({"conversation": {"id": "conv_1"}, "previous_response_id": None}, None, "conv_1"),
    ],
)
def test_what_is_continued(body: Object, previous: str | None, conversation: str | None) -> None:
    decoded = decode(**body)
    assert (decoded.previous_response_id, decoded.conversation_id) == (previous, conversation)
    assert decoded.echo["previous_response_id"] == previous
    assert decoded.echo["conversation"] == (None if conversation is None else {"id": conversation})
    request = read_create({"model": "m", **body})
    assert (request.conversation_id, new_items(request, strict=True)) == (conversation, [])


def test_store_and_background() -> None:
    decoded = decode(background=True, stream=True)
    assert (decoded.background, decoded.stream, decoded.store) == (True, True, True)
    assert decode(store=False).echo["store"] is False


@pytest.mark.parametrize(
    ("management", "threshold", "ignored"),
    [
        ([], None, []),
        ([{"type": "compaction", "compact_threshold": 500}], 500, []),
        ([{"type": "compaction", "compact_threshold": n} for n in (900, 300)], 300, []),
        ([{"type": "compaction"}, {"type": "other", "x": 1}], None, ["context_management[0]", "context_management[1]"]),
    ],
)
def test_management_of_the_context(management: object, threshold: int | None, ignored: list[str]) -> None:
    decoded = decode(context_management=management)
    assert (decoded.compact_threshold, decoded.ignored) == (threshold, ignored)


def test_what_has_no_effect_is_named() -> None:
    decoded = decode(
        input=[{"role": "user", "content": "Hi", "colour": "red"}],
        include=["web_search_call.results", "reasoning.encrypted_content"],
        max_tool_calls=2,
        moderation={"model": "x"},
        prompt={"id": "p"},
        prompt_cache_key="k",
        prompt_cache_options={},
        prompt_cache_retention="in_memory",
        safety_identifier="s",
        service_tier="flex",
        user="u",
        text={"verbosity": "low", "colour": 1},
        reasoning={"context": "auto", "mode": "pro", "colour": 1},
        stream_options={"include_usage": True},
        stop="x",
    )
    assert decoded.ignored == [
        "stop",
        "stream_options.include_usage",
        "text.colour",
        "reasoning.colour",
        "max_tool_calls",
        "moderation",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "user",
        "text.verbosity",
        "reasoning.context",
        "reasoning.mode",
        "include[0]",
        "input[0].colour",
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"stop": "x"}, "stop"),
        ({"text": {"colour": 1}}, "text.colour"),
        ({"text": {"format": {**FORM, "colour": 1}}}, "text.format.colour"),
        ({"reasoning": {"colour": 1}}, "reasoning.colour"),
        ({"stream_options": {"include_usage": True}}, "stream_options.include_usage"),
        ({"input": [{"role": "user", "content": "Hi", "colour": 1}]}, "input[0].colour"),
    ],
)
def test_unknown_fields_are_refused_where_the_service_refuses_them(body: Object, field: str) -> None:
    assert refusal(**body, strict=True) == ("unknown_parameter", field, f"Unknown parameter: '{field}'.")
    assert decode(**body).ignored == [field]


@pytest.mark.parametrize(
    ("given", "field", "message"),
    [
        (5, "input", "Invalid type for 'input': expected one of a string or an array of objects, but got an integer"),
        (["Hi"], "input[0]", "Invalid type for 'input[0]': expected an object, but got a string"),
    ],
)
def test_input_of_another_type(given: object, field: str, message: str) -> None:
    assert refusal(input=given) == ("invalid_type", field, f"{message} instead.")


def test_the_number_of_items() -> None:
    items = [{"role": "user", "content": "Hi"}] * 3
    assert len(decode(input=items, max_messages=3).generation.messages) == 3
    assert refusal(input=items, max_messages=2)[:2] == ("array_above_max_length", "input")
    request = read_create({"model": "m", "input": "Hi"})
    long = decode_response(request, new_items(request, strict=True) * 9, max_messages=2, max_tools=0, strict=True)
    assert len(long.generation.messages) == 9  # what is continued may be of any length


@pytest.mark.parametrize("more", [{"previous_response_id": "resp_1"}, {"conversation": "conv_1"}, {"input": []}])
def test_requests_without_input(more: Object) -> None:
    request = read_create({"model": "m", "instructions": "Go", **more})
    decoded = decode_response(
        request, new_items(request, strict=True), max_messages=0, max_tools=0, strict=True, egemma=False
    )
    assert decoded.generation.messages == [Message("system", [Text("Go")])]


def test_translating_twice_tells_the_same() -> None:
    request = read_create({"model": "m", "input": [{"role": "user", "content": "Hi", "x": 1}], "stop": "x"})
    items = new_items(request, strict=False)
    one, two = (decode_response(request, items, max_messages=0, max_tools=0, strict=False) for _ in "12")
    assert one == two
    assert one.ignored == ["stop", "input[0].x"]
