"""The Responses API against the real server and engine: the official SDK, and the bare events."""

from base64 import b64encode
from collections.abc import AsyncIterator

import aiohttp
import openai
import orjson
import pytest
from openai import AsyncOpenAI
from openai.types.responses import Response
from pydantic import BaseModel

from tests.contract.conftest import RunningServer
from tests.media_samples import make_image, make_pdf, pages_of_text
from tests.responses_grammar import check_response, check_stream

MODEL = "gpt-5"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
SHOUT = {
    "type": "custom",
    "name": "shout",
    "format": {"type": "grammar", "syntax": "regex", "definition": "[A-Z]{2,5}!"},
}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 10}, "old": {"type": "boolean"}},
    "required": ["name", "old"],
    "additionalProperties": False,
}
JSON_FORMAT = {"format": {"type": "json_schema", "name": "person", "schema": SCHEMA, "strict": True}}
LONG_FORMAT = {
    "format": {
        "type": "json_schema",
        "name": "long",
        "schema": {
            "type": "object",
            "properties": {"text": {"type": "string", "minLength": 7000}},
            "required": ["text"],
        },
    }
}
"""An answer of this form takes seconds."""
IMAGE = "data:image/png;base64," + b64encode(make_image("PNG")).decode()

ASKED: dict[str, dict[str, object]] = {
    "text": {"input": "Hello"},
    "instructions": {"input": "Hello", "instructions": "Answer with one word."},
    "length": {"input": "Count from 1 to 50.", "max_output_tokens": 16},
    "auto": {"input": "Say hello.", "tools": [WEATHER]},
    "required": {"input": "What is the weather in Rome?", "tools": [WEATHER], "tool_choice": "required"},
    "named": {
        "input": "What is the weather in Rome?",
        "tools": [WEATHER, SHOUT],
        "tool_choice": {"type": "function", "name": "get_weather"},
        "parallel_tool_calls": False,
    },
    "none": {"input": "Hello", "tools": [WEATHER], "tool_choice": "none"},
    "custom": {"input": "Shout!", "tools": [SHOUT], "tool_choice": {"type": "custom", "name": "shout"}},
    "namespace": {
        "input": "What is the weather in Rome?",
        "tools": [{"type": "namespace", "name": "crm", "description": "Customers", "tools": [WEATHER]}],
        "tool_choice": "required",
    },
    "schema": {"input": "Make up a person.", "text": JSON_FORMAT},
    "json": {"input": "Make up a person.", "text": {"format": {"type": "json_object"}}, "max_output_tokens": 64},
    "logprobs": {"input": "Hello", "top_logprobs": 2, "include": ["message.output_text.logprobs"]},
    "image": {
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What colour is this?"},
                    {"type": "input_image", "image_url": IMAGE, "detail": "auto"},
                ],
            }
        ]
    },
    "thoughts": {"input": "Hello", "reasoning": {"effort": "low", "summary": "auto"}},
}


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as one:
        yield one


async def events_of(answer: aiohttp.ClientResponse) -> list[dict[str, object]]:
    """The events of a stream, checked for their frames."""
    text = (await answer.read()).decode()
    assert answer.status == 200, text
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    *frames, done, rest = text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    events = []
    for frame in frames:
        name, _, data = frame.partition("\n")
        event = orjson.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


def body_of(case: str) -> dict[str, object]:
    return {"model": MODEL, "temperature": 0, **ASKED[case]}


def same(response: object) -> object:
    """A response without what differs between equal requests: ids and times."""
    if isinstance(response, list):
        return [same(each) for each in response]
    if isinstance(response, dict):
        names = {"id", "call_id", "created_at", "completed_at"}
        return {name: same(value) for name, value in response.items() if name not in names}
    return response


@pytest.mark.parametrize("case", ASKED)
async def test_both_forms_agree(http: aiohttp.ClientSession, case: str) -> None:
    body = body_of(case)
    async with http.post("/v1/responses", json=body) as answer:
        whole = await answer.json()
        assert answer.status == 200, whole
    check_response(whole)
    Response.model_validate(whole)
    async with http.post("/v1/responses", json=body | {"stream": True}) as answer:
        events = await events_of(answer)
    check_stream(events)
    assert same(events[-1]["response"]) == same(whole)
    async with http.get(f"/v1/responses/{whole['id']}") as answer:
        assert await answer.json() == whole


class Person(BaseModel):
    name: str
    old: bool


async def test_sdk_parses_and_streams(client: AsyncOpenAI) -> None:
    parsed = await client.responses.parse(model=MODEL, input="Make up a person.", text_format=Person)
    assert isinstance(parsed.output_parsed, Person)
    async with client.responses.stream(model=MODEL, input="Hello") as stream:
        texts = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        final = await stream.get_final_response()
    assert "".join(texts) == final.output_text != ""


async def test_a_call_and_its_result(client: AsyncOpenAI) -> None:
    first = await client.responses.create(
        model=MODEL,
        input="What is the weather in Rome?",
        tools=[WEATHER],  # type: ignore[list-item]
        tool_choice="required",
        parallel_tool_calls=False,
    )
    (call,) = first.output
    assert call.type == "function_call"
    assert set(orjson.loads(call.arguments)) == {"city"}
    second = await client.responses.create(
        model=MODEL,
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "18 C"}],
    )
    assert second.status in {"completed", "incomplete"}
    assert second.previous_response_id == first.id
    items = await client.responses.input_items.list(second.id, order="asc")
    assert [item.type for item in items.data] == ["message", "function_call", "function_call_output"]
    with pytest.raises(
        openai.BadRequestError, match=f"No tool output found for function call {call.call_id}"
    ) as caught:
        await client.responses.create(model=MODEL, previous_response_id=first.id, input="And now?")
    assert caught.value.param == "input"


async def test_a_chain_remembers_and_outlives_a_deletion(client: AsyncOpenAI) -> None:
    first = await client.responses.create(model=MODEL, input="My name is Ada.")
    second = await client.responses.create(model=MODEL, input="I live in Rome.", previous_response_id=first.id)
    await client.responses.delete(first.id)
    third = await client.responses.create(model=MODEL, input="Who am I?", previous_response_id=second.id)
    items = await client.responses.input_items.list(third.id, order="asc")
    texts = [item.content[0].text for item in items.data]  # type: ignore[union-attr]
    assert [text for text in texts if text in {"My name is Ada.", "I live in Rome.", "Who am I?"}] == texts[::2]
    assert texts[1::2] == [first.output_text, second.output_text]
    with pytest.raises(openai.NotFoundError, match=f"Response with id '{first.id}' not found"):
        await client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError) as caught:
        await client.responses.create(model=MODEL, input="Hi", previous_response_id=first.id)
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


async def test_without_store_nothing_is_kept(client: AsyncOpenAI) -> None:
    response = await client.responses.create(model=MODEL, input="Hello", store=False)
    assert response.model_dump()["store"] is False
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(response.id)


async def test_a_conversation_grows(client: AsyncOpenAI) -> None:
    conversation = await client.conversations.create(items=[{"role": "user", "content": "My name is Ada."}])
    response = await client.responses.create(model=MODEL, input="Who am I?", conversation=conversation.id)
    assert response.conversation is not None
    assert response.conversation.id == conversation.id
    items = await client.conversations.items.list(conversation.id, order="asc")
    assert [item.type for item in items.data] == ["message", "message", "message"]
    assert items.data[-1].id == response.output[0].id
    again = await client.responses.create(model=MODEL, input="Bye", previous_response_id=conversation.id)
    assert again.conversation is not None
    seen = await client.responses.input_items.list(again.id, order="asc")
    assert [item.id for item in seen.data][:3] == [item.id for item in items.data]
    with pytest.raises(openai.NotFoundError, match="Conversation with id 'conv_nothing' not found"):
        await client.responses.create(model=MODEL, input="Hi", conversation="conv_nothing")


async def test_a_reference_stands_for_its_item(client: AsyncOpenAI) -> None:
    first = await client.responses.create(model=MODEL, input="My name is Ada.")
    item_id = first.output[0].id
    assert item_id is not None
    second = await client.responses.create(
        model=MODEL, input=[{"type": "item_reference", "id": item_id}, {"role": "user", "content": "Go on."}]
    )
    items = await client.responses.input_items.list(second.id, order="asc")
    assert items.data[0].id == item_id
    with pytest.raises(openai.NotFoundError, match="Item with id 'msg_nothing' not found"):
        await client.responses.create(model=MODEL, input=[{"type": "item_reference", "id": "msg_nothing"}])


async def test_counts_equal_what_is_used(client: AsyncOpenAI) -> None:
    first = await client.responses.create(model=MODEL, input="My name is Ada.")
    body: dict[str, object] = {"model": MODEL, "input": "Who am I?", "instructions": "Be brief."}
    body |= {"previous_response_id": first.id, "tools": [WEATHER]}
    counted = await client.responses.input_tokens.count(**body)  # type: ignore[arg-type]
    response = await client.responses.create(**body)  # type: ignore[call-overload]
    assert counted.object == "response.input_tokens"
    assert counted.input_tokens == response.usage.input_tokens > 0


async def test_background_is_polled_and_replayed(http: aiohttp.ClientSession, client: AsyncOpenAI) -> None:
    response = await client.responses.create(model=MODEL, input="Hello", background=True)
    assert response.status == "queued"
    async with http.get(f"/v1/responses/{response.id}?stream=true") as answer:
        events = await events_of(answer)
    check_stream(events)
    assert [event["type"] for event in events[:3]] == ["response.created", "response.queued", "response.in_progress"]
    done = await client.responses.retrieve(response.id)
    assert done.status == "completed"
    assert done.background is True
    late = await client.responses.retrieve(response.id, stream=True, starting_after=3)
    assert [event.sequence_number async for event in late] == [event["sequence_number"] for event in events[4:]]
    assert (await client.responses.cancel(response.id)).status == "completed"


async def test_a_finished_response_is_replayed(http: aiohttp.ClientSession) -> None:
    async with http.post("/v1/responses", json=body_of("text")) as answer:
        whole = await answer.json()
    async with http.get(f"/v1/responses/{whole['id']}?stream=true") as answer:
        events = await events_of(answer)
    check_stream(events)
    assert events[-1]["response"] == whole
    async with http.get(f"/v1/responses/{whole['id']}?stream=true&starting_after=2") as answer:
        assert await events_of(answer) == events[3:]


async def test_background_is_cancelled(client: AsyncOpenAI) -> None:
    stream = await client.responses.create(model=MODEL, input="Go on.", text=LONG_FORMAT, background=True, stream=True)
    first = await anext(aiter(stream))
    assert first.type == "response.created"
    cancelled = await client.responses.cancel(first.response.id)
    assert cancelled.status == "cancelled"
    assert (await client.responses.retrieve(first.response.id)).status == "cancelled"
    rest = [event.type async for event in stream]
    assert "response.completed" not in rest
    await client.responses.delete(first.response.id)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(first.response.id)


async def test_a_caller_who_leaves_cancels(http: aiohttp.ClientSession, client: AsyncOpenAI) -> None:
    body = {"model": MODEL, "input": "Go on.", "text": LONG_FORMAT, "stream": True}
    async with http.post("/v1/responses", json=body) as answer:
        while not (line := await answer.content.readline()).startswith(b"data: "):
            pass
        response_id = orjson.loads(line.removeprefix(b"data: "))["response"]["id"]
        with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
            await client.responses.cancel(response_id)
        answer.close()
    while (await client.responses.retrieve(response_id)).status == "in_progress":
        pass
    assert (await client.responses.retrieve(response_id)).status == "cancelled"


async def test_compaction(client: AsyncOpenAI) -> None:
    first = await client.responses.create(model=MODEL, input="My name is Ada.")
    compacted = await client.responses.compact(model=MODEL, previous_response_id=first.id, input="I live in Rome.")
    assert compacted.object == "response.compaction"
    assert [item.type for item in compacted.output] == ["message", "message", "compaction"]
    items = [item.model_dump(exclude_none=True, warnings=False) for item in compacted.output]
    again = await client.responses.create(model=MODEL, input=[*items, {"role": "user", "content": "Who am I?"}])
    assert again.status == "completed"
    long = await client.responses.create(
        model=MODEL,
        input="Hello",
        previous_response_id=first.id,
        context_management=[{"type": "compaction", "compact_threshold": 1000}],
    )
    assert [item.type for item in long.output] == ["message"]


async def test_a_threshold_compacts_first(http: aiohttp.ClientSession) -> None:
    turns = [{"role": role, "content": "word " * 60} for role in ("user", "assistant")] * 10
    management = [{"type": "compaction", "compact_threshold": 1000}]
    new = {"role": "user", "content": "Hello"}
    body = {"model": MODEL, "input": [*turns, new], "context_management": management, "max_output_tokens": 16}
    async with http.post("/v1/responses", json=body | {"stream": True}) as answer:
        events = await events_of(answer)
    check_stream(events)
    response = events[-1]["response"]
    assert [item["type"] for item in response["output"]] == ["compaction", "message"]  # type: ignore[index]


async def test_truncation_drops_the_oldest(client: AsyncOpenAI) -> None:
    words = "word " * 2000
    turns = [{"role": "user", "content": words}] * 6
    with pytest.raises(openai.BadRequestError, match="exceeds the context window") as caught:
        await client.responses.create(model=MODEL, input=turns)  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "input")
    response = await client.responses.create(
        model=MODEL,
        input=[*turns, {"role": "user", "content": "Hello"}],  # type: ignore[list-item]
        truncation="auto",
        max_output_tokens=16,
    )
    assert response.usage is not None
    assert response.usage.input_tokens < 8192


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({}, "input", "missing_required_parameter"),
        ({"input": "x", "model": None}, "model", "invalid_type"),
        ({"input": "x", "max_output_tokens": 15}, "max_output_tokens", "integer_below_min_value"),
        ({"input": "x", "temperature": 3}, "temperature", "decimal_above_max_value"),
        ({"input": [{"type": "nonsense"}]}, "input[0].type", "invalid_value"),
        ({"input": "x", "include": ["nonsense"]}, "include[0]", "invalid_value"),
        ({"input": "x", "background": True, "store": False}, "background", "invalid_value"),
        (
            {"input": "x", "previous_response_id": "resp_a", "conversation": "conv_b"},
            "previous_response_id",
            "mutually_exclusive_parameters",
        ),
        ({"input": "x", "tools": [{"type": "function", "name": "a b"}]}, "tools[0].name", "invalid_value"),
        (
            {"input": "x", "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "nonsense"}}}},
            "text.format.schema.type",
            "invalid_json_schema",
        ),
    ],
)
async def test_faults_name_their_field(
    http: aiohttp.ClientSession, fields: dict[str, object], param: str | None, code: str
) -> None:
    async with http.post("/v1/responses", json={"model": MODEL} | fields) as answer:
        error = (await answer.json())["error"]
        assert (answer.status, error["type"]) == (400, "invalid_request_error")
    assert (error["param"], error["code"]) == (param, code)
    assert error["message"]


async def test_a_document_is_read(client: AsyncOpenAI) -> None:
    data = "data:application/pdf;base64," + b64encode(make_pdf(pages_of_text(1))).decode()
    file = {"type": "input_file", "filename": "a.pdf", "file_data": data}
    question = {"type": "input_text", "text": "How many pages does the document have?"}
    response = await client.responses.create(
        model=MODEL,
        input=[{"role": "user", "content": [file, question]}],  # type: ignore[list-item]
        max_output_tokens=16,
    )
    assert response.output_text == "The document has 1 page."
