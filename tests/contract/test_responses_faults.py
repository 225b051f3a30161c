"""Responses when something goes wrong: the engine, the upstream behind it, the server, the caller."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from openai import AsyncOpenAI

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.contract.test_cli import banner, serving
from tests.contract.test_engine_death import read_until
from tests.engine_answers import Script
from tests.fake_engine import Answer, ScriptedEngine, error
from tests.responses_grammar import check_response, check_stream, events_of_sse

MODEL = "gpt-5"
GUARD_SECONDS = 60  # against hangs, far above any answer
Event = dict[str, Any]
StartServer = Callable[[Settings], RunningServer]
WEATHER = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}


def overflow() -> Script:
    """What llama.cpp says of a prompt that does not fit."""
    told = error(400, "the request exceeds the available context size", "exceed_context_size_error")
    return replace(told, body=told.body.replace(b'"type"', b'"n_prompt_tokens":9000,"n_ctx":8192,"type"'))


class Scripted:
    """A server on an engine that fails as it is told to, and clients of it."""

    def __init__(self, engine: ScriptedEngine, http: aiohttp.ClientSession, client: AsyncOpenAI) -> None:
        self.engine = engine
        self.http = http
        self.client = client

    async def stream(self, *, gate: asyncio.Event | None = None, **body: object) -> list[Event]:
        """The events of a stream, which are checked; `gate` is opened once there was text."""
        text = b""
        async with self.http.post("/v1/responses", json=asked(stream=True, **body)) as answer:
            if gate is not None:
                text = await read_until(answer, b"output_text.delta")
                gate.set()
            text += await answer.read()
            assert answer.status == 200, text
        events = events_of_sse(text)
        check_stream(events)
        return events

    async def refused(self, **body: object) -> tuple[int, Event, Any]:
        """Status, error and headers of a request that is refused."""
        async with self.http.post("/v1/responses", json=asked(**body)) as answer:
            return answer.status, (await answer.json())["error"], answer.headers

    async def get(self, response_id: str) -> Event:
        async with self.http.get(f"/v1/responses/{response_id}") as answer:
            response: Event = await answer.json()
            assert answer.status == 200, response
        check_response(response)
        return response


def asked(**body: object) -> dict[str, object]:
    return {"model": MODEL, "input": "Hi", **body}


@asynccontextmanager
async def clients(engine: ScriptedEngine, url: str) -> AsyncIterator[Scripted]:
    async with (
        aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=GUARD_SECONDS)) as http,
        AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0, timeout=GUARD_SECONDS) as client,
    ):
        yield Scripted(engine, http, client)


@pytest.fixture
async def scripted(start_server: StartServer) -> AsyncIterator[Scripted]:
    async with ScriptedEngine(native_tools=True) as engine:
        settings = Settings(port=0, state="memory", upstream=engine.url)
        server = await asyncio.to_thread(start_server, settings)
        async with clients(engine, server.url) as one:
            yield one
        await asyncio.to_thread(server.stop)


async def test_an_engine_that_dies_ends_the_stream_as_failed(scripted: Scripted) -> None:
    for fault in ("hang_up", "not_json", "error_frame"):
        gate = asyncio.Event()
        script = Answer(tokens=("Hel", "lo", "!"), fault=fault, fault_after=2, gates={2: gate})
        scripted.engine.enqueue(script)
        events = await scripted.stream(gate=gate)
        response = events[-1]["response"]
        assert (events[-1]["type"], response["error"]["code"]) == ("response.failed", "server_error")
        assert response["output_text"].startswith("Hel")
        assert response["output"][0]["status"] == "incomplete"
        assert await scripted.get(response["id"]) == response
        with pytest.raises(openai.BadRequestError, match="it is failed") as caught:
            await scripted.client.responses.create(model=MODEL, input="x", previous_response_id=response["id"])
        assert caught.value.param == "previous_response_id"


async def test_an_engine_that_dies_in_the_background_makes_a_failed_response(scripted: Scripted) -> None:
    scripted.engine.enqueue(Answer(tokens=("Hel", "lo", "!"), fault="hang_up", fault_after=2))
    made = await scripted.client.responses.create(model=MODEL, input="Hi", background=True)
    async with scripted.http.get(f"/v1/responses/{made.id}", params={"stream": "true"}) as answer:
        response = check_stream(events_of_sse(await answer.read()))
    assert response is not None
    assert response["status"] == "failed"
    assert (await scripted.get(made.id))["status"] == "failed"
    assert (await scripted.client.responses.cancel(made.id)).status == "failed"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_fault_before_the_first_event_is_an_http_error(scripted: Scripted, stream: bool) -> None:
    engine = scripted.engine
    engine.enqueue(error(429, "Slow down", "rate_limit"))
    status, told, headers = await scripted.refused(stream=stream)
    assert (status, told["type"], told["code"]) == (429, "requests", "rate_limit_exceeded")
    assert headers["retry-after"].isdigit()
    engine.enqueue(error(500, "Out of order"))
    status, told, _ = await scripted.refused(stream=stream)
    assert (status, told["type"]) == (500, "server_error")
    engine.enqueue(overflow())
    status, told, _ = await scripted.refused(stream=stream)
    assert (status, told["code"], told["param"]) == (400, "context_length_exceeded", "input")
    assert "exceeds the context window" in told["message"]
    engine.enqueue(Answer(fault="hang_up_early"))
    status, told, _ = await scripted.refused(stream=stream)
    assert (status, told["code"]) == (502, "upstream_unreachable")
    if not stream:
        engine.enqueue(Answer(tokens=("Hel", "lo"), fault="hang_up"))
        status, told, _ = await scripted.refused()
        assert (status, told["type"]) == (502, "server_error")


async def test_a_fault_in_the_background_is_told_by_the_response(scripted: Scripted) -> None:
    for script, code in (
        (error(429, "Slow down"), "rate_limit_exceeded"),
        (error(500, "Out of order"), "server_error"),
        (overflow(), "invalid_prompt"),
    ):
        scripted.engine.enqueue(script)
        events = await scripted.stream(background=True)
        assert [event["type"] for event in events] == [
            "response.created",
            "response.queued",
            "response.in_progress",
            "response.failed",
        ]
        response = events[-1]["response"]
        assert response["error"]["code"] == code
        assert await scripted.get(response["id"]) == response


async def test_a_full_context_makes_an_incomplete_response(scripted: Scripted) -> None:
    scripted.engine.enqueue(Answer(tokens=("Hel", "lo"), finish="length"))
    response = (await scripted.stream())[-1]["response"]
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    scripted.engine.answer("Go on.")
    await scripted.client.responses.create(model=MODEL, input="x", previous_response_id=response["id"])
    assert "Hello" in str(scripted.engine.calls[-1].body)


async def test_calls_that_are_none_are_a_fault_and_never_told(scripted: Scripted) -> None:
    scripted.engine.default = Answer(tokens=(), tool_calls=(("no_such_tool", "{}"),), finish="tool_calls")
    body: Event = {"tools": [WEATHER], "tool_choice": "required"}
    status, told, _ = await scripted.refused(**body)
    assert (status, told["type"]) == (502, "server_error")
    for background in (False, True):
        events = await scripted.stream(background=background, **body)
        assert events[-1]["type"] == "response.failed"
        assert events[-1]["response"]["output"] == []


async def test_a_caller_who_leaves_frees_engine_and_conversation(scripted: Scripted) -> None:
    never = asyncio.Event()
    talk = (await scripted.client.conversations.create()).id
    scripted.engine.enqueue(Answer(tokens=("Hel", "lo"), gates={1: never}))
    body = asked(stream=True, conversation=talk)
    async with scripted.http.post("/v1/responses", json=body) as answer:
        await read_until(answer, b"output_text.delta")
        with pytest.raises(openai.ConflictError) as caught:
            await scripted.client.responses.create(model=MODEL, input="x", conversation=talk)
        assert (caught.value.code, caught.value.type) == ("conversation_locked", "invalid_request_error")
        answer.close()
    async with asyncio.timeout(30):
        await scripted.engine.disconnected.wait()
    while (await scripted.refused(conversation=talk, input=[{"type": "nonsense"}]))[0] == 409:
        pass
    scripted.engine.answer("Here.")
    response = await scripted.client.responses.create(model=MODEL, input="Still there?", conversation=talk)
    assert response.output_text == "Here."
    items = await scripted.client.conversations.items.list(talk)
    assert len(items.data) == 2


async def test_a_server_that_stops_marks_what_runs_in_the_background_as_failed(
    start_server: StartServer, tmp_path: Path
) -> None:
    never = asyncio.Event()
    async with ScriptedEngine() as engine:
        settings = Settings(port=0, data_dir=str(tmp_path), upstream=engine.url, shutdown_grace_seconds=0.05)
        server = await asyncio.to_thread(start_server, settings)
        engine.enqueue(Answer(tokens=("Hel", "lo"), gates={1: never}))
        async with clients(engine, server.url) as one:
            body = asked(background=True, stream=True)
            async with one.http.post("/v1/responses", json=body) as answer:
                begun = await read_until(answer, b"output_text.delta")
                stopping = asyncio.create_task(asyncio.to_thread(server.stop))
                rest = await answer.read()
            await stopping
        events = events_of_sse(begun + rest)
        response = check_stream(events)
        assert response is not None
        assert (response["status"], response["error"]["code"]) == ("failed", "server_error")
        again = await asyncio.to_thread(start_server, settings)
        async with clients(engine, again.url) as one:
            assert await one.get(response["id"]) == response
        await asyncio.to_thread(again.stop)


async def test_what_was_told_survives_the_server(start_server: StartServer, tmp_path: Path) -> None:
    never = asyncio.Event()
    async with ScriptedEngine() as engine:
        engine.enqueue(Answer(tokens=("Never", "ending"), gates={1: never}), Answer(tokens=("I am here.",)))
        with serving("--port", "0", "--upstream", engine.url, "--data-dir", str(tmp_path)) as process:
            url, _ = await asyncio.to_thread(banner, process)
            async with clients(engine, url) as one:
                talk = (await one.client.conversations.create()).id
                body = asked(input="My name is Ada.", stream=True, conversation=talk)
                running = await one.client.responses.create(model=MODEL, input="Run", background=True)
                await engine.called(1)
                async with one.http.post("/v1/responses", json=body) as answer:
                    text = await read_until(answer, b"event: response.completed")
                    process.kill()
                    await asyncio.to_thread(process.wait)
        first_id = text.partition(b'"id":"')[2].partition(b'"')[0].decode()
        engine.default = Answer(tokens=("Hello Ada.",))
        settings = Settings(port=0, data_dir=str(tmp_path), upstream=engine.url)
        server = await asyncio.to_thread(start_server, settings)
        async with clients(engine, server.url) as one:
            first = await one.get(first_id)
            assert first["status"] == "completed"
            second = await one.client.responses.create(model=MODEL, input="Who am I?", previous_response_id=first_id)
            assert second.output_text == "Hello Ada."
            assert "My name is Ada." in str(engine.calls[-1].body)
            assert first["output_text"] in str(engine.calls[-1].body)
            items = await one.client.conversations.items.list(talk, order="asc")
            assert [item.id for item in items.data][1:] == [item["id"] for item in first["output"]]
            with pytest.raises(openai.BadRequestError) as caught:
                await one.client.responses.create(model=MODEL, input="x", previous_response_id=running.id)
            assert caught.value.param == "previous_response_id"
            cut = await one.get(running.id)
            assert (cut["status"], cut["error"]["code"]) == ("failed", "server_error")
            assert (await one.client.responses.cancel(running.id)).status == "failed"
        await asyncio.to_thread(server.stop)
