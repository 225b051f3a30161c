"""The life of a WebSocket: lanes, pings, time limit, the ends that it can come to. Responses are made by a stand-in."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import RawTestServer

from localaik.errors import LocalaikError, Unavailable
from localaik.http.call import Call
from localaik.http.quota import Quota
from localaik.jobs.live import Frame, LiveRuns
from localaik.protocols.openai.responses import websocket
from localaik.server.windows import LocalRates
from localaik.settings import Rate, Settings

Event = dict[str, Any]


class Script:
    """What the stand-ins do, and what happened to them."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.faults: dict[str, Exception] = {}
        self.cut: list[str] = []
        self.closed: list[str] = []
        self.memories: list[Any] = []
        self.generates: list[bool] = []
        self.news = asyncio.Event()

    def hold(self, name: str) -> asyncio.Event:
        """The response of this name waits behind its first event."""
        self.gates[name] = asyncio.Event()
        return self.gates[name]

    def tell(self) -> None:
        self.news.set()
        self.news = asyncio.Event()

    async def until_cut(self, name: str) -> None:
        while name not in self.cut:
            await self.news.wait()


class Run:
    """Stands in for a response in the making."""

    script: Script

    def __init__(self, _services: object, request: Event, *, memory: Any, generates: bool, **_options: object) -> None:
        self._name = request["input"]
        self.script.memories.append(memory)
        self.script.generates.append(generates)
        self.response: Event = {"status": "completed"}

    async def prepare(self) -> None:
        fault = self.script.faults.get(self._name)
        if fault is not None:
            raise fault

    async def frames(self) -> AsyncGenerator[list[Frame], None]:
        self.script.started.append(self._name)
        try:
            yield [frame("first", self._name)]
            if self._name in self.script.gates:
                await self.script.gates[self._name].wait()
            yield [frame("second", self._name), frame("last", self._name)]
        except (asyncio.CancelledError, GeneratorExit):
            self.script.cut.append(self._name)
            self.script.tell()
            raise

    def close(self) -> None:
        self.script.closed.append(self._name)


def frame(kind: str, name: str) -> Frame:
    return Frame(kind, orjson.dumps({"type": kind, "name": name}))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    one = Script()
    monkeypatch.setattr(Run, "script", one, raising=False)
    monkeypatch.setattr(websocket, "ResponseRun", Run)
    monkeypatch.setattr(websocket, "read_create", lambda body: body)
    return one


class Served:
    """A server of WebSockets, and a client of it."""

    def __init__(self, http: ClientSession, live: LiveRuns, calls: list[Call]) -> None:
        self.http = http
        self.live = live
        self.calls = calls
        self.ended = asyncio.Event()

    def connect(self, **options: Any) -> Any:
        return self.http.ws_connect("/v1/responses", **options)


@asynccontextmanager
async def serving(quota: Quota | None = None, **settings: Any) -> AsyncIterator[Served]:
    live = LiveRuns()
    services: Any = SimpleNamespace(settings=Settings(**settings), live=live)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        call = Call(request, "req_1", "openai", quota=quota)
        served.calls.append(call)
        try:
            return await websocket.connect(call, services)
        except LocalaikError as error:
            return web.Response(status=400, text=error.message)
        finally:
            served.ended.set()

    server = RawTestServer(handle)
    await server.start_server()
    async with ClientSession(server.make_url("/")) as http:
        served = Served(http, live, [])
        yield served
    await server.close()


async def ask(socket: ClientWebSocketResponse, name: str, **fields: Any) -> None:
    await socket.send_json({"type": "response.create", "input": name, **fields})


async def told(socket: ClientWebSocketResponse, count: int) -> list[Event]:
    return [await socket.receive_json() for _ in range(count)]


async def test_a_lane_goes_one_by_one_and_lanes_go_beside_each_other(script: Script) -> None:
    gate = script.hold("slow")
    async with serving() as served, served.connect() as socket:
        await ask(socket, "slow", stream_id="a")
        await ask(socket, "next", stream_id="a")
        await ask(socket, "other", stream_id="b")
        before = await told(socket, 4)
        started = list(script.started)
        gate.set()
        after = await told(socket, 5)

    assert [event["name"] for event in before if event["stream_id"] == "b"] == ["other"] * 3
    assert [event["name"] for event in before if event["stream_id"] == "a"] == ["slow"]
    assert sorted(started) == ["other", "slow"]
    assert [event["name"] for event in after] == ["slow", "slow", "next", "next", "next"]
    assert {event["stream_id"] for event in after} == {"a"}


async def test_the_memory_is_the_connections_own(script: Script) -> None:
    async with serving() as served:
        async with served.connect() as one:
            await ask(one, "x")
            await ask(one, "y", stream_id="a", generate=False)
            await told(one, 6)
        async with served.connect() as two:
            await ask(two, "z")
            await told(two, 3)

    first, second, third = script.memories
    assert first is second
    assert first is not third
    assert script.generates == [True, False, True]


@pytest.mark.parametrize("fault", [Unavailable("Not now."), KeyError("secret")])
async def test_a_fault_is_told_and_its_previous_response_forgotten(
    script: Script, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    script.faults["bad"] = fault
    async with serving() as served, served.connect() as socket:
        await ask(socket, "good")
        await told(socket, 3)
        script.memories[0].keep("resp_1", [])
        await ask(socket, "bad", previous_response_id="resp_1", stream_id="s")
        (error,) = await told(socket, 1)
        await ask(socket, "good")
        await told(socket, 3)

    assert error["type"] == "error"
    assert error["stream_id"] == "s"
    assert error["status"] == (503 if isinstance(fault, Unavailable) else 500)
    assert "secret" not in str(error)
    assert script.memories[0].recall("resp_1") is None
    assert script.closed == ["good", "bad", "good"]
    assert bool(caplog.records) is isinstance(fault, KeyError)


async def test_closing_cancels_what_runs(script: Script) -> None:
    script.hold("slow")
    async with serving() as served:
        async with served.connect() as socket:
            await ask(socket, "slow")
            await ask(socket, "never")
            await told(socket, 1)
        async with asyncio.timeout(20):
            await script.until_cut("slow")
            await served.ended.wait()

    assert script.started == ["slow"]
    assert script.closed == ["slow"]


async def test_a_lost_connection_cancels_what_runs(script: Script) -> None:
    script.hold("slow")
    async with serving() as served, asyncio.timeout(20):
        socket = await served.connect()
        await ask(socket, "slow")
        await told(socket, 1)
        transport = socket._response.connection.transport
        transport.abort()
        await script.until_cut("slow")
        await served.ended.wait()
        await socket.close()

    assert script.closed == ["slow"]


async def test_after_its_time_a_connection_ends(script: Script) -> None:
    script.hold("slow")
    async with serving(websocket_seconds=0.05) as served, served.connect() as socket, asyncio.timeout(20):
        await ask(socket, "slow")
        messages = [await socket.receive()]
        while messages[-1].type is not WSMsgType.CLOSE:
            messages.append(await socket.receive())

    assert orjson.loads(messages[-2].data) == {
        "type": "error",
        "status": 400,
        "error": {
            "type": "invalid_request_error",
            "code": "websocket_connection_limit_reached",
            "message": "This WebSocket was open for 0.05 seconds.",
            "param": None,
        },
    }
    assert messages[-1].data == 1000
    assert script.cut == script.started


async def test_an_idle_connection_ends_with_the_server(script: Script) -> None:
    async with serving() as served, served.connect() as socket, asyncio.timeout(20):
        await ask(socket, "x")
        await told(socket, 3)
        served.live.ending.set()
        message = await socket.receive()

    assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)


async def test_what_runs_may_end_when_the_server_stops(script: Script) -> None:
    gate = script.hold("slow")
    async with serving() as served, served.connect() as socket, asyncio.timeout(20):
        await ask(socket, "slow")
        first = await told(socket, 1)
        served.live.ending.set()
        await ask(socket, "late")
        refused = await told(socket, 1)
        gate.set()
        rest = await told(socket, 2)
        message = await socket.receive()

    assert [event["type"] for event in [*first, *rest]] == ["first", "second", "last"]
    assert (refused[0]["type"], refused[0]["status"]) == ("error", 503)
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
    assert script.cut == []


async def test_a_silent_connection_is_pinged(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "PING_SECONDS", 0.01)
    async with serving() as served, served.connect(autoping=False) as socket, asyncio.timeout(20):
        pings = [await socket.receive() for _ in range(2)]

    assert [ping.type for ping in pings] == [WSMsgType.PING, WSMsgType.PING]


async def test_no_more_than_so_many_requests_wait(script: Script) -> None:
    gate = script.hold("slow")
    most = websocket._MOST_WAITING
    async with serving() as served, served.connect() as socket, asyncio.timeout(20):
        await ask(socket, "slow")
        await told(socket, 1)
        for _ in range(most + 1):
            await ask(socket, "x")
        (error,) = await told(socket, 1)
        gate.set()
        await told(socket, 2 + 3 * most)

    assert error["status"] == 503


async def test_each_request_counts_where_calls_are_limited(script: Script) -> None:
    rate = Rate(2, 60)
    quota = Quota(LocalRates({"chat": rate}, lambda: 0), "chat", rate, "me")
    async with serving(quota) as served, served.connect() as socket, asyncio.timeout(20):
        await socket.send_json({"type": "response.cancel"})  # what is no request does not count
        assert [event["status"] for event in await told(socket, 1)] == [400]
        for name in ("a", "b"):
            await ask(socket, name)
            await told(socket, 3)
        await ask(socket, "c", stream_id="lane")
        (refused,) = await told(socket, 1)

    assert refused == {
        "type": "error",
        "status": 429,
        "error": {
            "type": "requests",
            "code": "rate_limit_exceeded",
            "message": "Rate limit exceeded. Try again in 60 seconds.",
            "param": None,
            "limit": {"bucket": "chat", "calls": 2, "seconds": 60},
        },
        "stream_id": "lane",
    }


async def test_a_message_that_is_too_long_ends_the_connection(script: Script) -> None:
    async with serving(max_body_bytes=100) as served, served.connect() as socket, asyncio.timeout(20):
        await ask(socket, "x" * 200)
        message = await socket.receive()

    assert (message.type, message.data) == (WSMsgType.CLOSE, 1009)
    assert script.started == []


async def test_the_access_line_adds_up_all_responses(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    class Counted(Run):
        def __init__(self, services: object, request: Event, *, call: Call, **options: Any) -> None:
            super().__init__(services, request, **options)
            call.model, call.prompt_tokens, call.completion_tokens = "m", 5, 3

    monkeypatch.setattr(websocket, "ResponseRun", Counted)
    async with serving() as served:
        async with served.connect() as socket:
            await ask(socket, "x")
            await ask(socket, "y", stream_id="a")
            await told(socket, 6)
        async with asyncio.timeout(20):
            await served.ended.wait()
        call = served.calls[0]

    assert (call.model, call.prompt_tokens, call.completion_tokens) == ("m", 10, 6)
