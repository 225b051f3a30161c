"""Tools and typed answers through the official SDK of the OpenAI API, against the real server and engine."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from enum import StrEnum

import jsonschema
import openai
import orjson
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageFunctionToolCall
from pydantic import BaseModel, Field

from tests.contract.conftest import RunningServer

MODEL = "gpt-4o-mini"
ASKED: list[dict[str, object]] = [{"role": "user", "content": "What is the weather in Paris?"}]
WEATHER_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "enum": ["Paris", "Oslo", "Rome"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 7},
        "unit": {"anyOf": [{"type": "string", "enum": ["C", "F"]}, {"type": "null"}]},
    },
    "required": ["city", "days", "unit"],
    "additionalProperties": False,
}
WEATHER: dict[str, object] = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Tells the weather.", "parameters": WEATHER_SCHEMA},
}
TIME_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"zone": {"type": "string", "pattern": "^UTC[+-][0-9]$"}},
    "required": ["zone"],
    "additionalProperties": False,
}
TIME: dict[str, object] = {"type": "function", "function": {"name": "get_time", "parameters": TIME_SCHEMA}}
PING: dict[str, object] = {"type": "function", "function": {"name": "ping"}}
CODE_PATTERN = "[A-Z]{3}-[0-9]{2}"
CODE: dict[str, object] = {
    "type": "custom",
    "custom": {
        "name": "code",
        "format": {"type": "grammar", "grammar": {"syntax": "regex", "definition": CODE_PATTERN}},
    },
}
TOOLS = [WEATHER, TIME, PING]
SCHEMAS = {
    "get_weather": WEATHER_SCHEMA,
    "get_time": TIME_SCHEMA,
    "ping": {"type": "object", "maxProperties": 0},
}
Create = Callable[..., ChatCompletion]


@pytest.fixture
def client(server: RunningServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as one:
        yield one


@pytest.fixture
async def async_client(server: RunningServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as one:
        yield one


def join(message: dict[str, object], delta: dict[str, object]) -> None:
    """Add a delta to a message: strings are joined, entries of lists are found by their index."""
    for name, value in delta.items():
        before = message.get(name)
        if isinstance(value, list):
            entries = message.setdefault(name, [])
            assert isinstance(entries, list)
            for piece in value:
                if piece["index"] == len(entries):
                    entries.append({})
                join(entries[piece["index"]], {key: part for key, part in piece.items() if key != "index"})
        elif isinstance(value, dict):
            inner = message.setdefault(name, {})
            assert isinstance(inner, dict)
            join(inner, value)
        elif isinstance(value, str) and isinstance(before, str):
            message[name] = before + value
        else:
            message[name] = value


def fold(chunks: list[ChatCompletionChunk]) -> ChatCompletion:
    """What the chunks of a stream with usage add up to."""
    messages: dict[int, dict[str, object]] = {}
    reasons: dict[int, str] = {}
    for chunk in chunks:
        for piece in chunk.choices:
            message = messages.setdefault(piece.index, {"annotations": []})
            join(message, piece.delta.model_dump(exclude_unset=True))
            if piece.finish_reason is not None:
                reasons[piece.index] = piece.finish_reason
    assert chunks[-1].usage is not None
    return ChatCompletion.model_validate(
        {
            "id": chunks[0].id,
            "object": "chat.completion",
            "created": chunks[0].created,
            "model": chunks[0].model,
            "system_fingerprint": chunks[0].system_fingerprint,
            "service_tier": chunks[0].service_tier,
            "usage": chunks[-1].usage.model_dump(exclude_unset=True),
            "choices": [
                {"index": index, "finish_reason": reasons[index], "message": message, "logprobs": None}
                for index, message in sorted(messages.items())
            ],
        }
    )


def without_ids(completion: ChatCompletion) -> dict[str, object]:
    """All that must be equal for equal requests."""
    told = completion.model_dump(exclude={"id", "created"}, exclude_unset=True)
    for choice in told["choices"]:
        for call in choice["message"].get("tool_calls", ()):
            assert call.pop("id").startswith("call_")
    return told


@pytest.fixture(params=["whole", "streamed"])
def create(client: OpenAI, request: pytest.FixtureRequest) -> Create:
    """Asks for a completion, in both forms of the answer."""

    def whole(**body: object) -> ChatCompletion:
        asked = {"model": MODEL, "messages": ASKED, "temperature": 0, **body}
        completion: ChatCompletion = client.chat.completions.create(**asked)  # type: ignore[call-overload]
        return completion

    def streamed(**body: object) -> ChatCompletion:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        asked = {"model": MODEL, "messages": ASKED, "temperature": 0, **body, **options}
        return fold(list(client.chat.completions.create(**asked)))  # type: ignore[call-overload]

    return whole if request.param == "whole" else streamed


def calls_of(completion: ChatCompletion) -> list[tuple[str, dict[str, object]]]:
    """Name and arguments of all calls of the only choice; every one is valid."""
    (choice,) = completion.choices
    calls = choice.message.tool_calls or []
    found: list[tuple[str, dict[str, object]]] = []
    for call in calls:
        assert isinstance(call, ChatCompletionMessageFunctionToolCall)
        arguments = orjson.loads(call.function.arguments)
        jsonschema.validate(arguments, SCHEMAS[call.function.name])
        found.append((call.function.name, arguments))
    assert len({call.id for call in calls}) == len(calls)
    if calls:
        assert choice.finish_reason == "tool_calls"
    return found


def function(name: str) -> dict[str, object]:
    return {"type": "function", "function": {"name": name}}


def allowed(mode: str, *names: str) -> dict[str, object]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [function(name) for name in names]}}


def test_b074_a_call_that_is_required(create: Create) -> None:
    completion = create(tools=TOOLS, tool_choice="required")
    assert calls_of(completion)
    assert completion.choices[0].message.content is None
    assert completion.usage is not None
    assert completion.usage.completion_tokens > 0


@pytest.mark.parametrize("name", ["get_weather", "get_time", "ping"])
def test_b074_a_call_by_name(create: Create, name: str) -> None:
    ((called, _),) = calls_of(create(tools=TOOLS, tool_choice=function(name)))
    assert called == name


def test_b074_no_call(create: Create) -> None:
    completion = create(tools=TOOLS, tool_choice="none", max_tokens=60)
    assert calls_of(completion) == []
    assert isinstance(completion.choices[0].message.content, str)


@pytest.mark.parametrize("mode", ["required", "auto"])
def test_b074_allowed_tools(create: Create, mode: str) -> None:
    completion = create(tools=TOOLS, tool_choice=allowed(mode, "get_time", "ping"), max_tokens=300)
    calls = calls_of(completion)
    assert {name for name, _ in calls} <= {"get_time", "ping"}
    assert calls or (mode == "auto" and completion.choices[0].message.content is not None)


def test_b074_a_free_choice(create: Create) -> None:
    completion = create(tools=TOOLS, max_tokens=300)
    calls = calls_of(completion)
    message = completion.choices[0].message
    assert calls or isinstance(message.content, str)
    assert "<tool_call>" not in (message.content or "")


def test_b074_one_call_at_most(create: Create) -> None:
    for seed in (1, 2):
        completion = create(tools=TOOLS, tool_choice="required", parallel_tool_calls=False, temperature=1.5, seed=seed)
        assert len(calls_of(completion)) == 1


def test_a_custom_tool_keeps_to_its_pattern(create: Create) -> None:
    completion = create(tools=[WEATHER, CODE], tool_choice={"type": "custom", "custom": {"name": "code"}})
    (choice,) = completion.choices
    (call,) = choice.message.tool_calls or []
    assert call.type == "custom"
    assert call.custom.name == "code"
    assert re.fullmatch(CODE_PATTERN, call.custom.input)
    assert choice.finish_reason == "tool_calls"


def test_a_custom_tool_with_free_text(create: Create) -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": 'start: "a"'}}
    tools = [{"type": "custom", "custom": {"name": "note", "description": "Notes.", "format": grammar}}]
    completion = create(tools=tools, tool_choice="required", parallel_tool_calls=False, max_tokens=200)
    (call,) = completion.choices[0].message.tool_calls or []
    assert call.type == "custom"
    assert call.custom.name == "note"


def test_every_choice_calls(create: Create) -> None:
    completion = create(tools=[WEATHER], tool_choice=function("get_weather"), n=3, temperature=1.2)
    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    for choice in completion.choices:
        (call,) = choice.message.tool_calls or []
        assert isinstance(call, ChatCompletionMessageFunctionToolCall)
        jsonschema.validate(orjson.loads(call.function.arguments), WEATHER_SCHEMA)


def test_b073_a_call_that_the_limit_cut(create: Create) -> None:
    whole = create(tools=[WEATHER], tool_choice=function("get_weather"))
    assert whole.usage is not None
    completion = create(
        tools=[WEATHER], tool_choice=function("get_weather"), max_tokens=whole.usage.completion_tokens - 4
    )
    (choice,) = completion.choices
    assert choice.finish_reason == "length"
    (call,) = choice.message.tool_calls or []
    (uncut,) = whole.choices[0].message.tool_calls or []
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    assert isinstance(uncut, ChatCompletionMessageFunctionToolCall)
    assert call.function.name == "get_weather"
    assert uncut.function.arguments.startswith(call.function.arguments)


@pytest.mark.parametrize(
    "options",
    [
        {"tools": TOOLS},
        {"tools": TOOLS, "tool_choice": "required"},
        {"tools": TOOLS, "tool_choice": "none"},
        {"tools": TOOLS, "tool_choice": function("get_weather"), "max_tokens": 20},
        {"tools": [CODE], "tool_choice": "required"},
        {"tools": [WEATHER], "tool_choice": "required", "n": 2},
        {
            "functions": [{"name": "get_weather", "parameters": WEATHER_SCHEMA}],
            "function_call": {"name": "get_weather"},
        },
        {"tools": TOOLS, "response_format": {"type": "json_object"}},
    ],
    ids=["auto", "required", "none", "cut", "custom", "n", "legacy", "format"],
)
def test_both_forms_of_an_answer_agree(client: OpenAI, options: dict[str, object]) -> None:
    body: dict[str, object] = {"model": MODEL, "messages": ASKED, "temperature": 0, "max_tokens": 200, **options}
    whole = client.chat.completions.create(**body)  # type: ignore[call-overload]
    again = client.chat.completions.create(**body)  # type: ignore[call-overload]
    chunks = list(
        client.chat.completions.create(**body, stream=True, stream_options={"include_usage": True})  # type: ignore[call-overload]
    )
    assert without_ids(fold(chunks)) == without_ids(whole)
    assert without_ids(again) == without_ids(whole)


class Unit(StrEnum):
    """An enumeration among the arguments."""

    CELSIUS = "celsius"
    FAHRENHEIT = "fahrenheit"


class GetWeather(BaseModel):
    """Tells the weather."""

    day: int = Field(ge=1, le=31)
    unit: Unit
    hour: int | None = Field(ge=0, le=23)


def test_a_tool_as_a_class(client: OpenAI) -> None:
    tool = openai.pydantic_function_tool(GetWeather)
    asked = {"model": MODEL, "messages": ASKED, "tools": [tool], "tool_choice": "required", "temperature": 0}
    completion = client.chat.completions.parse(**asked)  # type: ignore[arg-type]
    calls = completion.choices[0].message.tool_calls or []
    assert calls
    for call in calls:
        assert isinstance(call.function.parsed_arguments, GetWeather)
    beta = client.beta.chat.completions.parse(**asked)  # type: ignore[arg-type]
    assert [call.function.parsed_arguments for call in beta.choices[0].message.tool_calls or []] == [
        call.function.parsed_arguments for call in calls
    ]


@pytest.mark.parametrize("n", [1, 3])
def test_the_stream_helper(client: OpenAI, n: int) -> None:
    tool = openai.pydantic_function_tool(GetWeather)
    asked = {"model": MODEL, "messages": ASKED, "tools": [tool], "tool_choice": "required", "temperature": 0, "n": n}
    with client.chat.completions.stream(**asked) as stream:  # type: ignore[arg-type]
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        streamed = stream.get_final_completion()
    parsed = [call.function.parsed_arguments for choice in streamed.choices for call in choice.message.tool_calls or []]
    assert len(done) == len(parsed) >= n
    assert all(isinstance(arguments, GetWeather) for arguments in parsed)
    whole = client.chat.completions.parse(**asked)  # type: ignore[arg-type]
    assert parsed == [
        call.function.parsed_arguments for choice in whole.choices for call in choice.message.tool_calls or []
    ]
    assert [choice.message.content for choice in streamed.choices] == [None] * n


def test_from_a_call_to_the_answer(create: Create) -> None:
    question: list[object] = [{"role": "system", "content": "Be brief."}, *ASKED]
    first = create(messages=question, tools=TOOLS, tool_choice=function("get_weather"))
    made = first.choices[0].message
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": '{"degrees": 21, "sky": "clear"}'}
        for call in made.tool_calls or []
    ]
    conversation = [*question, made.model_dump(), *results]
    second = create(messages=conversation, tools=TOOLS, tool_choice="none", max_tokens=60)
    assert isinstance(second.choices[0].message.content, str)
    assert second.choices[0].message.tool_calls is None
    assert first.usage is not None
    assert second.usage is not None
    # The call and its result are part of the prompt; with no call allowed, the functions may not be.
    plain = create(messages=question, tools=TOOLS, tool_choice="none", max_tokens=1)
    assert plain.usage is not None
    assert second.usage.prompt_tokens > plain.usage.prompt_tokens + 10


@pytest.mark.parametrize(
    ("arguments", "content"),
    [
        ("no JSON", "no JSON"),
        ("[1]", "[1]"),
        ("", ""),
        ('{"a": "\\ud800"}', '{"a": "\\ud800"}'),
        ('{"a": NaN}', '{"a": 1e999}'),
        ('{"a":' * 200, "[" * 200),
        ("<tool_call>", "</tool_response><end_of_turn>"),
    ],
)
def test_whatever_stands_in_a_conversation_gets_an_answer(create: Create, arguments: str, content: str) -> None:
    calls = [{"id": "a", "type": "function", "function": {"name": "ping", "arguments": arguments}}]
    messages = [
        *ASKED,
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "content": content},
    ]
    for tools in ({}, {"tools": [PING], "tool_choice": "required", "parallel_tool_calls": False}):
        completion = create(messages=messages, max_tokens=40, **tools)
        assert completion.choices[0].finish_reason in {"stop", "length", "tool_calls"}


class Kind(StrEnum):
    """An enumeration."""

    CAT = "cat"
    DOG = "dog"


class Name(BaseModel):
    """A model within another."""

    first: str = Field(max_length=12)
    last: str | None = Field(max_length=12)


class Cat(BaseModel):
    """One of two."""

    kind: Kind
    lives: int = Field(ge=1, le=9)


class Car(BaseModel):
    """The other of two."""

    wheels: int = Field(ge=3, le=8)


class Owner(BaseModel):
    """All that people use in a schema."""

    name: Name
    kind: Kind
    owned: Cat | Car
    scores: list[int] = Field(max_length=3)
    note: str | None = Field(max_length=10)


def test_a_typed_answer(client: OpenAI) -> None:
    asked = {"model": MODEL, "messages": ASKED, "response_format": Owner, "temperature": 0, "max_tokens": 1000}
    whole = client.chat.completions.parse(**asked)  # type: ignore[arg-type]
    assert isinstance(whole.choices[0].message.parsed, Owner)
    with client.chat.completions.stream(**asked) as stream:  # type: ignore[arg-type]
        streamed = stream.get_final_completion()
    assert streamed.choices[0].message.parsed == whole.choices[0].message.parsed


def test_any_object(create: Create) -> None:
    completion = create(response_format={"type": "json_object"}, max_tokens=400)
    (choice,) = completion.choices
    assert (choice.message.content or "").startswith("{")
    if choice.finish_reason == "stop":
        assert isinstance(orjson.loads(choice.message.content or ""), dict)


def test_calls_or_an_answer_of_the_format(create: Create) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "maximum": 9}}, "required": ["a"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    completion = create(tools=TOOLS, response_format=wanted, max_tokens=400)
    if not calls_of(completion):
        jsonschema.validate(orjson.loads(completion.choices[0].message.content or ""), schema)


def test_functions_of_the_time_before_tools(create: Create) -> None:
    functions = [{"name": "get_weather", "parameters": WEATHER_SCHEMA}, {"name": "ping"}]
    first = create(functions=functions, function_call={"name": "get_weather"})
    (choice,) = first.choices
    assert choice.finish_reason == "function_call"
    assert choice.message.tool_calls is None
    assert choice.message.function_call is not None
    assert choice.message.function_call.name == "get_weather"
    jsonschema.validate(orjson.loads(choice.message.function_call.arguments), WEATHER_SCHEMA)
    made = choice.message.model_dump()
    messages = [*ASKED, made, {"role": "function", "name": "get_weather", "content": "21"}]
    second = create(messages=messages, functions=functions, function_call="none", max_tokens=40)
    assert isinstance(second.choices[0].message.content, str)


async def test_the_asynchronous_client(async_client: AsyncOpenAI) -> None:
    asked = {"model": MODEL, "messages": ASKED, "tools": TOOLS, "tool_choice": "required", "temperature": 0}
    whole = await async_client.chat.completions.create(**asked)  # type: ignore[call-overload]
    assert calls_of(whole)
    stream = await async_client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})  # type: ignore[call-overload]
    assert without_ids(fold([chunk async for chunk in stream])) == without_ids(whole)


IMPOSSIBLE = {"type": "object", "properties": {"a": {"type": "nonsense"}}, "required": ["a"]}


@pytest.mark.parametrize(
    ("body", "code", "param", "message"),
    [
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].function", "Missing required"),
        ({"tool_choice": "required"}, "invalid_value", "tool_choice", "is only allowed when 'tools' are specified"),
        ({"tools": TOOLS, "tool_choice": function("fly")}, "invalid_value", "tool_choice", "no function named 'fly'"),
        (
            {"tools": [PING, {"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}]},
            "invalid_function_parameters",
            "tools[1].function.parameters",
            "Invalid schema for function 'f': schema must be a JSON Schema of 'type: \"object\"'",
        ),
        (
            {"tools": [PING, {"type": "function", "function": {"name": "f", "parameters": IMPOSSIBLE}}]},
            "invalid_json_schema",
            "tools[1].function.parameters.properties.a.type",
            "Invalid schema for function 'f': ",
        ),
        (
            {"messages": [*ASKED, {"role": "tool", "tool_call_id": "a", "content": ""}]},
            None,
            "messages[1].tool_call_id",
            "must be a response to a preceeding message with 'tool_calls'.",
        ),
    ],
    ids=["tool", "choice", "name", "array", "schema", "result"],
)
def test_refusals(create: Create, body: dict[str, object], code: str | None, param: str, message: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        create(**body)
    assert (refused.value.code, refused.value.param, refused.value.type) == (code, param, "invalid_request_error")
    assert message in refused.value.message
