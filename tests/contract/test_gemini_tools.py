"""Function calling of the official Python SDK of the Gemini API, and schemas of its users' types."""

import asyncio
import enum
import io
import json
from collections.abc import Iterator

import aiohttp
import pytest
from google import genai
from google.genai import types
from jsonschema import validate
from PIL import Image
from pydantic import BaseModel, TypeAdapter

from tests.contract.conftest import RunningServer

# What the SDK does inside its own asynchronous client is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

MODEL = "gemini-2.5-flash"
WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 12},
        "days": {"type": "integer", "minimum": 1, "maximum": 7},
        "unit": {"type": "string", "enum": ["C", "F"]},
        "hourly": {"type": "boolean"},
    },
    "required": ["city", "days", "unit"],
    "additionalProperties": False,
}
CLOCK = {
    "type": "object",
    "properties": {"zone": {"type": "string", "enum": ["UTC", "CET"]}},
    "required": ["zone"],
    "additionalProperties": False,
}
SCHEMAS = {"weather": WEATHER, "clock": CLOCK}
TOOL = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name="weather", description="The weather of a city.", parameters_json_schema=WEATHER),
        types.FunctionDeclaration(name="clock", description="The time of a zone.", parameters_json_schema=CLOCK),
    ]
)
MANUAL = types.AutomaticFunctionCallingConfig(disable=True)
MODES = types.FunctionCallingConfigMode


@pytest.fixture
def client(server: RunningServer) -> Iterator[genai.Client]:
    one = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=server.url, timeout=240_000))
    yield one
    one.close()


def config(mode: MODES, *allowed: str, tools: list[types.Tool] | None = None) -> types.GenerateContentConfig:
    calling = types.FunctionCallingConfig(mode=mode, allowed_function_names=list(allowed) or None)
    return types.GenerateContentConfig(
        tools=tools or [TOOL],  # type: ignore[arg-type]
        tool_config=types.ToolConfig(function_calling_config=calling),
        automatic_function_calling=MANUAL,
        max_output_tokens=300,
        temperature=0,
    )


def finish_of(answer: types.GenerateContentResponse) -> types.FinishReason | None:
    (candidate,) = answer.candidates or []
    return candidate.finish_reason


def check_calls(answer: types.GenerateContentResponse, *allowed: str) -> list[types.FunctionCall]:
    """The calls of an answer that must call: all of them allowed, complete and valid."""
    calls = answer.function_calls or []
    assert calls, answer
    for call in calls:
        assert call.name in allowed
        validate(call.args, SCHEMAS[call.name or ""])
    assert len({call.id for call in calls}) == len(calls)
    assert finish_of(answer) == types.FinishReason.STOP
    return calls


def parts_of(answer: types.GenerateContentResponse) -> list[types.Part]:
    (candidate,) = answer.candidates or []
    return (candidate.content and candidate.content.parts) or []


# Calls


def test_b045_any_calls_a_function_with_valid_arguments(client: genai.Client) -> None:
    answer = client.models.generate_content(model=MODEL, contents="Weather in Oslo?", config=config(MODES.ANY))
    check_calls(answer, "weather", "clock")
    signed = [part.thought_signature is not None for part in parts_of(answer) if part.function_call]
    assert signed == [True] + [False] * (len(signed) - 1)


@pytest.mark.parametrize("name", ["weather", "clock"])
def test_b045_only_allowed_functions_are_called(client: genai.Client, name: str) -> None:
    answer = client.models.generate_content(model=MODEL, contents="Weather in Oslo?", config=config(MODES.ANY, name))
    check_calls(answer, name)


def test_b042_parameters_in_the_other_dialect(client: genai.Client) -> None:
    schema = types.Schema.model_validate(
        {
            "type": "OBJECT",
            "properties": {
                "n": {"type": "INTEGER", "minimum": 3, "maximum": 3},
                "tags": {
                    "type": "ARRAY",
                    "items": {"type": "STRING", "enum": ["a", "b"]},
                    "min_items": 1,
                    "max_items": 2,
                },
            },
            "required": ["n", "tags"],
        }
    )
    tool = types.Tool(function_declarations=[types.FunctionDeclaration(name="f", parameters=schema)])
    answer = client.models.generate_content(model=MODEL, contents="Go.", config=config(MODES.ANY, tools=[tool]))
    for call in answer.function_calls or []:
        assert call.args is not None
        assert call.args["n"] == 3
        assert type(call.args["n"]) is int
        assert set(call.args["tags"]) <= {"a", "b"}
        assert 1 <= len(call.args["tags"]) <= 2
    assert answer.function_calls


def test_a_function_without_parameters_is_called_with_an_empty_object(client: genai.Client) -> None:
    tool = types.Tool(function_declarations=[types.FunctionDeclaration(name="now")])
    answer = client.models.generate_content(model=MODEL, contents="Time?", config=config(MODES.ANY, tools=[tool]))
    assert {(call.name, str(call.args)) for call in answer.function_calls or []} == {("now", "{}")}


@pytest.mark.parametrize("mode", [MODES.ANY, MODES.AUTO, MODES.VALIDATED, MODES.NONE])
def test_b059_streamed_equals_not_streamed(client: genai.Client, mode: MODES) -> None:
    request = {"model": MODEL, "contents": "Weather in Oslo?", "config": config(mode)}
    whole = client.models.generate_content(**request)  # type: ignore[arg-type]
    chunks = list(client.models.generate_content_stream(**request))  # type: ignore[arg-type]
    streamed = [part for chunk in chunks for part in parts_of(chunk)]

    def calls(parts: list[types.Part]) -> list[tuple[str | None, object, bytes | None]]:
        found = [(part.function_call, part.thought_signature) for part in parts]
        return [(call.name, call.args, signature) for call, signature in found if call]

    assert calls(streamed) == calls(parts_of(whole))
    assert "".join(part.text or "" for part in streamed) == "".join(part.text or "" for part in parts_of(whole))
    assert finish_of(chunks[-1]) == finish_of(whole)
    assert chunks[-1].usage_metadata == whole.usage_metadata
    assert all(finish_of(chunk) is None for chunk in chunks[:-1])


@pytest.mark.parametrize("mode", [MODES.AUTO, MODES.VALIDATED])
def test_b045_what_may_be_called_is_valid_where_it_is_called(client: genai.Client, mode: MODES) -> None:
    answer = client.models.generate_content(model=MODEL, contents="Weather in Oslo?", config=config(mode))
    if answer.function_calls:
        check_calls(answer, "weather", "clock")
    else:
        assert finish_of(answer) in {types.FinishReason.STOP, types.FinishReason.MAX_TOKENS}
        assert answer.text


def test_b045_none_never_calls(client: genai.Client) -> None:
    for prompt in ("Weather in Oslo?", "Call clock now."):
        answer = client.models.generate_content(model=MODEL, contents=prompt, config=config(MODES.NONE))
        assert not answer.function_calls
        assert "<tool_call>" not in (answer.text or "")


def test_b053_a_call_that_is_cut_is_none(client: genai.Client) -> None:
    request = config(MODES.ANY, "weather").model_copy(update={"max_output_tokens": 4})
    answer = client.models.generate_content(model=MODEL, contents="Weather?", config=request)
    assert not answer.function_calls
    assert finish_of(answer) == types.FinishReason.MAX_TOKENS


async def test_b051_the_finish_message_of_calls(http: aiohttp.ClientSession) -> None:
    body = {
        "contents": [{"parts": [{"text": "Time?"}]}],
        "tools": [{"functionDeclarations": [{"name": "clock", "parameters": CLOCK}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    }
    async with http.post(f"/v1beta/models/{MODEL}:generateContent", json=body) as answer:
        (candidate,) = (await answer.json())["candidates"]
    assert (candidate["finishReason"], candidate["finishMessage"]) == ("STOP", "Model generated function call(s).")
    assert candidate["content"]["parts"][0]["functionCall"]["args"]["zone"] in {"UTC", "CET"}


# Automatic function calling


class Calls:
    """A function of a user that remembers its arguments."""

    def __init__(self) -> None:
        self.seen: list[tuple[bool, int]] = []

    def forecast(self, tomorrow: bool, days: int) -> dict[str, int]:
        """The forecast of the weather.

        Args:
            tomorrow: Begin with tomorrow.
            days: How many days.
        """
        self.seen.append((tomorrow, days))
        return {"degrees": 20}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_g026_the_sdk_calls_a_python_function(client: genai.Client, streamed: bool) -> None:
    calls = Calls()
    calling = types.FunctionCallingConfig(mode=MODES.ANY)
    request = types.GenerateContentConfig(
        tools=[calls.forecast],
        tool_config=types.ToolConfig(function_calling_config=calling),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(maximum_remote_calls=2),
        max_output_tokens=300,
    )
    chat = client.chats.create(model=MODEL, config=request)
    if streamed:
        for _ in chat.send_message_stream("Oslo, 3 days?"):
            pass
    else:
        chat.send_message("Oslo, 3 days?")
    assert calls.seen
    assert all(type(tomorrow) is bool and type(days) is int for tomorrow, days in calls.seen)


def test_g026_the_sdk_may_call_where_the_model_decides(client: genai.Client) -> None:
    calls = Calls()
    request = types.GenerateContentConfig(tools=[calls.forecast], max_output_tokens=200)
    answer = client.models.generate_content(model=MODEL, contents="Oslo, 3 days?", config=request)
    assert answer.candidates
    assert bool(calls.seen) == bool(answer.automatic_function_calling_history)


def test_g026_the_asynchronous_client_calls_a_python_function(server: RunningServer) -> None:
    async def run() -> types.GenerateContentResponse:
        client = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=server.url, timeout=240_000))
        request = types.GenerateContentConfig(
            tools=[Calls().forecast],
            tool_config=types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode=MODES.ANY)),
            automatic_function_calling=types.AutomaticFunctionCallingConfig(maximum_remote_calls=2),
            max_output_tokens=300,
        )
        try:
            return await client.aio.models.generate_content(model=MODEL, contents="Oslo?", config=request)
        finally:
            await client.aio.aclose()

    # The SDK copies the function's object here, so only its history tells of the call.
    history = asyncio.run(run()).automatic_function_calling_history or []
    results = [part.function_response for turn in history for part in turn.parts or [] if part.function_response]
    assert results
    assert all(result.response == {"result": {"degrees": 20}} for result in results)


# Results


def called(*names: str) -> types.Content:
    calls = [types.FunctionCall(name=name, args={"n": place}) for place, name in enumerate(names)]
    return types.Content(role="model", parts=[types.Part(function_call=call) for call in calls])


@pytest.mark.parametrize("mode", [MODES.AUTO, MODES.NONE])
def test_g027_results_of_parallel_calls_are_sent_back(client: genai.Client, mode: MODES) -> None:
    first = client.models.generate_content(model=MODEL, contents="Weather in Oslo?", config=config(MODES.ANY))
    calls = check_calls(first, "weather", "clock")
    (candidate,) = first.candidates or []
    answers = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": place}))
        for place, call in enumerate(calls)
    ]
    contents = [
        types.Content(role="user", parts=[types.Part(text="Weather in Oslo?")]),
        candidate.content,
        types.Content(role="user", parts=answers),
        called("weather", "clock", "weather"),
        types.Content(
            role="user",
            parts=[
                types.Part.from_function_response(name=name, response={"result": name})
                for name in ("clock", "weather", "weather")
            ],
        ),
    ]
    answer = client.models.generate_content(model=MODEL, contents=contents, config=config(mode))  # type: ignore[arg-type]
    assert parts_of(answer)
    assert mode != MODES.NONE or not answer.function_calls


def test_b033_an_image_in_a_result_is_seen(client: genai.Client) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(buffer, "PNG")
    blob = types.FunctionResponseBlob(mime_type="image/png", data=buffer.getvalue())
    response = types.FunctionResponse(
        name="weather", response={"result": 1}, parts=[types.FunctionResponsePart(inline_data=blob)]
    )
    contents = [called("weather"), types.Content(role="user", parts=[types.Part(function_response=response)])]
    answer = client.models.generate_content(model=MODEL, contents=contents, config={"max_output_tokens": 4})  # type: ignore[arg-type]
    details = answer.usage_metadata and answer.usage_metadata.prompt_tokens_details
    assert types.MediaModality.IMAGE in {one.modality for one in details or []}


async def test_b048_counts_of_requests_with_functions(http: aiohttp.ClientSession) -> None:
    declaration = {"name": "clock", "description": "d", "parametersJsonSchema": CLOCK}
    body: dict[str, object] = {
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "clock", "args": {"zone": "UTC"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "clock", "response": {"time": "12:00"}}}]},
        ],
        "tools": [{"functionDeclarations": [declaration]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    }
    async with http.post(f"/v1beta/models/{MODEL}:generateContent", json=body) as answer:
        generated = (await answer.json())["usageMetadata"]["promptTokenCount"]
    totals = []
    for whole in (body, {"contents": body["contents"]}):
        request = {"generateContentRequest": {"model": f"models/{MODEL}", **whole}}
        async with http.post(f"/v1beta/models/{MODEL}:countTokens", json=request) as answer:
            totals.append((await answer.json())["totalTokens"])
    assert totals[0] == generated
    assert totals[0] > totals[1] > 0


# Schemas of types


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Leaf(BaseModel):
    name: str
    size: int


class Tree(BaseModel):
    leaf: Leaf
    note: str | None = None
    colour: Colour
    either: int | bool
    leaves: list[Leaf]


SHORT = {"max_output_tokens": 1500, "temperature": 0}


@pytest.mark.parametrize("kind", [Leaf, Tree, list[Leaf], list[int], Colour, int | str], ids=str)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_g021_answers_are_of_the_callers_type(client: genai.Client, kind: object, streamed: bool) -> None:
    request = {"response_mime_type": "application/json", "response_schema": kind, **SHORT}
    asked = {"model": MODEL, "contents": "A tree with two leaves.", "config": request}
    if streamed:
        chunks = list(client.models.generate_content_stream(**asked))  # type: ignore[arg-type]
        text, last = "".join(chunk.text or "" for chunk in chunks), chunks[-1]
    else:
        last = client.models.generate_content(**asked)  # type: ignore[arg-type]
        text = last.text or ""
    if finish_of(last) == types.FinishReason.MAX_TOKENS:
        assert text
        return
    assert finish_of(last) == types.FinishReason.STOP
    TypeAdapter(kind).validate_json(text)


def test_a_schema_and_functions_give_a_call_or_an_answer_of_the_schema(client: genai.Client) -> None:
    request = config(MODES.AUTO).model_copy(
        update={"response_mime_type": "application/json", "response_schema": types.Schema(type=types.Type.INTEGER)}
    )
    answer = client.models.generate_content(model=MODEL, contents="How many?", config=request)
    if answer.function_calls:
        check_calls(answer, "weather", "clock")
    elif finish_of(answer) == types.FinishReason.STOP:
        assert isinstance(json.loads(answer.text or ""), int)
