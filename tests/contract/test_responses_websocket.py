"""Responses over a WebSocket, with the real engine: through a plain client and through the official SDK."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import orjson
import pytest
from openai import AsyncOpenAI, OpenAI

from localaik.settings import Settings
from tests.contract.conftest import RunningServer

PATH = "/v1/responses"
ASKED: dict[str, Any] = {"model": "gpt-4o-mini", "temperature": 0, "max_output_tokens": 200}
TERMINAL = {"response.completed", "response.incomplete", "response.failed", "error"}
Event = dict[str, Any]


class Socket:
    """A WebSocket that sends requests and collects events."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def ask(self, **fields: Any) -> list[Event]:
        """The events of one response."""
        await self.socket.send_json({"type": "response.create", **ASKED, **fields})
        return await self.answer()

    async def answer(self) -> list[Event]:
        """All events until one that is the last of its response."""
        events: list[Event] = []
        while not events or events[-1]["type"] not in TERMINAL:
            message = await self.socket.receive()
            assert message.type is aiohttp.WSMsgType.TEXT
            events.append(orjson.loads(message.data))
        return events


@pytest.fixture
async def socket(http: aiohttp.ClientSession) -> AsyncIterator[Socket]:
    async with http.ws_connect(PATH) as one:
        yield Socket(one)


def text_of(events: list[Event]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


def types_of(events: list[Event]) -> list[str]:
    """Types in their order; how many deltas there are depends on how the engine's tokens arrive."""
    types = [event["type"] for event in events]
    return [kind for kind, before in zip(types, ["", *types], strict=False) if kind != before]


async def streamed(http: aiohttp.ClientSession, **fields: Any) -> list[Event]:
    async with http.post(PATH, json={**ASKED, "stream": True, **fields}) as answer:
        lines = (await answer.text()).splitlines()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert data.pop() == "[DONE]"
    return [orjson.loads(line) for line in data]


async def test_the_events_are_those_of_a_stream(socket: Socket, http: aiohttp.ClientSession) -> None:
    events = await socket.ask(input="Say hello.")

    expected = await streamed(http, input="Say hello.")
    assert types_of(events) == types_of(expected)
    assert text_of(events) == text_of(expected) != ""
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert not any("stream_id" in event for event in events)


async def test_a_stored_response_can_be_asked_for_afterwards(socket: Socket, http: aiohttp.ClientSession) -> None:
    final = (await socket.ask(input="Say hello."))[-1]["response"]

    async with http.get(f"{PATH}/{final['id']}") as answer:
        assert await answer.json() == final


@pytest.mark.parametrize("store", [True, False])
async def test_a_chain_goes_on_from_what_was_made_on_the_connection(socket: Socket, *, store: bool) -> None:
    first = (await socket.ask(input="My name is Ada.", store=store))[-1]["response"]
    second = (await socket.ask(input="Again.", store=store, previous_response_id=first["id"]))[-1]["response"]
    third = (await socket.ask(input="Again.", store=store, previous_response_id=second["id"]))[-1]["response"]

    sizes = [response["usage"]["input_tokens"] for response in (first, second, third)]
    assert sizes == sorted(set(sizes))
    assert third["previous_response_id"] == second["id"]


async def test_a_chain_goes_on_from_the_store(socket: Socket, http: aiohttp.ClientSession) -> None:
    first = (await streamed(http, input="My name is Ada."))[-1]["response"]

    second = (await socket.ask(input="Again.", previous_response_id=first["id"]))[-1]["response"]
    async with http.get(f"{PATH}/{second['id']}/input_items?order=asc") as answer:
        items = (await answer.json())["data"]

    assert [item["role"] for item in items] == ["user", "assistant", "user"]


async def test_a_stored_response_goes_on_from_one_that_is_not(socket: Socket, http: aiohttp.ClientSession) -> None:
    first = (await socket.ask(input="My name is Ada.", store=False))[-1]["response"]
    second = (await socket.ask(input="Again.", previous_response_id=first["id"]))[-1]["response"]

    async with http.get(f"{PATH}/{second['id']}/input_items?order=asc") as answer:
        items = (await answer.json())["data"]

    assert [item["role"] for item in items] == ["user", "assistant", "user"]


async def test_another_connection_knows_nothing_that_is_not_stored(socket: Socket, http: aiohttp.ClientSession) -> None:
    first = (await socket.ask(input="Say hello.", store=False))[-1]["response"]

    async with http.ws_connect(PATH) as other:
        events = await Socket(other).ask(input="Again.", previous_response_id=first["id"])

    assert events == [
        {
            "type": "error",
            "status": 400,
            "error": {
                "type": "invalid_request_error",
                "code": "previous_response_not_found",
                "message": f"Previous response with id '{first['id']}' not found.",
                "param": "previous_response_id",
            },
        }
    ]


async def test_a_failed_turn_takes_its_previous_response_along(socket: Socket) -> None:
    first = (await socket.ask(input="Say hello.", store=False))[-1]["response"]

    failed = await socket.ask(input="Again.", previous_response_id=first["id"], temperature=9)
    after = await socket.ask(input="Again.", previous_response_id=first["id"])
    fresh = await socket.ask(input="Say hello.")

    assert failed[-1]["error"]["param"] == "temperature"
    assert after[-1]["error"]["code"] == "previous_response_not_found"
    assert fresh[-1]["type"] == "response.completed"


async def test_without_generate_a_response_is_complete_and_empty(socket: Socket) -> None:
    events = await socket.ask(input="My name is Ada.", generate=False, store=False)
    final = events[-1]["response"]
    alone = (await socket.ask(input="Again.", store=False))[-1]["response"]
    continued = (await socket.ask(input="Again.", store=False, previous_response_id=final["id"]))[-1]["response"]

    assert types_of(events) == ["response.created", "response.in_progress", "response.completed"]
    assert final["output"] == []
    assert continued["usage"]["input_tokens"] > alone["usage"]["input_tokens"]


async def test_a_chain_starts_again_from_its_compacted_form(socket: Socket, http: aiohttp.ClientSession) -> None:
    first = (await socket.ask(input="My name is Ada."))[-1]["response"]
    async with http.post(f"{PATH}/compact", json={"model": "gpt-4o", "previous_response_id": first["id"]}) as answer:
        compacted = await answer.json()

    asked = [*compacted["output"], {"role": "user", "content": "Again."}]
    events = await socket.ask(input=asked, previous_response_id=None)

    assert [item["type"] for item in compacted["output"]] == ["message", "compaction"]
    assert events[-1]["response"]["usage"]["input_tokens"] > compacted["usage"]["input_tokens"]


async def test_requests_of_one_lane_are_answered_in_their_order(socket: Socket) -> None:
    for word in ("one", "two", "three"):
        await socket.socket.send_json(
            {"type": "response.create", **ASKED, "input": f"Say {word}.", "metadata": {"word": word}}
        )
    answers = [await socket.answer() for _ in range(3)]

    assert [events[-1]["response"]["metadata"]["word"] for events in answers] == ["one", "two", "three"]
    for events in answers:
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert len({event["response"]["id"] for event in events if "response" in event}) == 1


async def test_each_event_names_its_lane(socket: Socket) -> None:
    lanes: dict[str, list[Event]] = {"a": [], "b": [], "c": []}
    for lane in lanes:
        await socket.socket.send_json({"type": "response.create", **ASKED, "input": f"Say {lane}.", "stream_id": lane})
    while not all(events and events[-1]["type"] in TERMINAL for events in lanes.values()):
        event = await socket.socket.receive_json()
        lanes[event["stream_id"]].append(event)

    for events in lanes.values():
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert events[-1]["type"] == "response.completed"


@pytest.mark.parametrize(
    ("sent", "code", "param"),
    [
        ("{", None, None),
        ("[]", "invalid_type", None),
        ('{"type":"response.cancel"}', "invalid_value", "type"),
        ('{"input":"hi","model":"x"}', "invalid_value", "type"),
        ('{"type":"response.create","stream_id":3}', "invalid_type", "stream_id"),
        ('{"type":"response.create","generate":"no"}', "invalid_type", "generate"),
        ('{"type":"response.create","input":"hi"}', "missing_required_parameter", "model"),
        ('{"type":"response.create","model":"x"}', "missing_required_parameter", "input"),
        ('{"type":"response.create","model":"x","input":"hi","top_p":7}', "decimal_above_max_value", "top_p"),
        (b"\x00", "invalid_value", None),
    ],
)
async def test_a_wrong_request_is_told_and_the_connection_goes_on(
    socket: Socket, sent: str | bytes, code: str | None, param: str | None
) -> None:
    if isinstance(sent, bytes):
        await socket.socket.send_bytes(sent)
    else:
        await socket.socket.send_str(sent)
    told = await socket.answer()
    after = await socket.ask(input="Say hello.")

    assert [(event["type"], event["status"]) for event in told] == [("error", 400)]
    assert set(told[0]["error"]) == {"type", "code", "message", "param"}
    assert (told[0]["error"]["code"], told[0]["error"]["param"]) == (code, param)
    assert after[-1]["type"] == "response.completed"


async def test_a_wrong_request_of_a_lane_is_told_in_it(socket: Socket) -> None:
    events = await socket.ask(stream_id="x", input=5)

    assert events[-1]["stream_id"] == "x"
    assert events[-1]["error"]["param"] == "input"


async def test_stream_and_background_mean_nothing(socket: Socket, http: aiohttp.ClientSession) -> None:
    final = (await socket.ask(input="Say hello.", stream=False, background=True))[-1]["response"]

    assert final["status"] == "completed"
    assert final["background"] is False


async def test_a_plain_get_is_refused(http: aiohttp.ClientSession) -> None:
    async with http.get(PATH) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "POST"
    async with http.get(PATH, headers={"Upgrade": "websocket", "Connection": "upgrade"}) as answer:
        assert answer.status == 400


async def test_a_web_page_from_elsewhere_is_refused(http: aiohttp.ClientSession, server: RunningServer) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await http.ws_connect(PATH, headers={"Origin": "http://example.com"})
    async with http.ws_connect(PATH, headers={"Origin": server.url}) as own:
        assert not own.closed

    assert caught.value.status == 403


async def test_a_server_that_stops_waits_for_no_idle_connection(
    start_server: Callable[[Settings], RunningServer],
) -> None:
    running = start_server(Settings(port=0, state="memory", embeddings="off", shutdown_grace_seconds=3600))

    async with aiohttp.ClientSession(running.url) as http, http.ws_connect(PATH) as one:
        stopping = asyncio.create_task(asyncio.to_thread(running.stop))
        message = await one.receive()
        await one.close()
        await stopping

    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.GOING_AWAY)


async def test_the_sdk_connects_and_goes_on(server: RunningServer) -> None:
    async with (
        AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any") as client,
        client.responses.connect() as connection,
    ):

        async def ask(text: str, **fields: Any) -> list[Any]:
            await connection.response.create(model="gpt-4o-mini", input=text, max_output_tokens=32, **fields)
            events = [await connection.recv()]
            while events[-1].type not in TERMINAL:
                events.append(await connection.recv())
            return events

        first = await ask("Say hello.")
        second = await ask("Again.", previous_response_id=first[-1].response.id)

    assert [events[0].type for events in (first, second)] == ["response.created", "response.created"]
    assert [events[-1].type for events in (first, second)] == ["response.completed", "response.completed"]
    assert second[-1].response.previous_response_id == first[-1].response.id


def test_the_synchronous_sdk_connects_and_reads_errors(server: RunningServer) -> None:
    with (
        OpenAI(base_url=f"{server.url}/v1", api_key="any") as client,
        client.responses.connect() as connection,
    ):
        connection.response.create(model="gpt-4o-mini", input="Say hello.", temperature=5)
        error = connection.recv()
        connection.response.create(model="gpt-4o-mini", input="Say hello.", max_output_tokens=32)
        first = connection.recv()

    assert error.type == "error"
    assert first.type == "response.created"
