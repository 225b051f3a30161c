"""Responses over a WebSocket: many requests on one connection, told by the same events as a stream's.

Requests of one lane (`stream_id`; none is a lane too) run one after the other, and lanes beside each other. What was
made on a connection is remembered as long as it lasts, so a chain of responses needs no store.
"""

import asyncio
import logging
from collections import deque
from contextlib import aclosing
from typing import Final
from urllib.parse import urlsplit

import orjson
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from localaik.errors import (
    BadRequest,
    Forbidden,
    InternalFault,
    LocalaikError,
    MethodNotAllowed,
    RateLimited,
    Unavailable,
)
from localaik.http.body import parse_json
from localaik.http.call import Call
from localaik.http.quota import Quota
from localaik.protocols.contract import Services
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.errors import answer_of, error_object
from localaik.protocols.openai.responses.chain import ChainMemory
from localaik.protocols.openai.responses.decode import read_create
from localaik.protocols.openai.responses.run import ResponseRun

__all__ = ["connect"]

PING_SECONDS: Final = 20
_CLOSE_SECONDS: Final = 2
"""How long a caller may take to answer our wish to close."""
_MOST_WAITING: Final = 256
"""Requests of one connection that have not begun."""
_CREATE: Final = "response.create"
_EXPIRED: Final = "websocket_connection_limit_reached"
_log = logging.getLogger(__name__)

Lane = str | None


async def connect(call: Call, services: Services) -> web.StreamResponse:
    """GET responses, with the wish to go on as a WebSocket."""
    settings = services.settings
    socket = web.WebSocketResponse(timeout=_CLOSE_SECONDS, compress=False, max_msg_size=settings.max_body_bytes)
    _check(call.request, socket, is_for_all=settings.cors == "*")
    socket.headers.update(call.answer_headers())
    await socket.prepare(call.request)
    await _Connection(call, services, socket).serve()
    return socket


def _check(request: web.BaseRequest, socket: web.WebSocketResponse, *, is_for_all: bool) -> None:
    """Refuse what is no WebSocket, and web pages from elsewhere: browsers let any page open one to any server.

    Pages that are allowed by their name are welcome (whether they are was checked before); those that all are, are not.
    """
    if request.headers.get("Upgrade", "").strip().lower() != "websocket":
        raise MethodNotAllowed(("POST",))
    origin = request.headers.get("Origin")
    if origin is not None and is_for_all and urlsplit(origin).netloc.lower() != request.headers.get("Host", "").lower():
        raise Forbidden("Web pages of other servers may not open a WebSocket here.", reason="forbidden")
    if not socket.can_prepare(request):
        raise BadRequest("This is not a valid handshake of a WebSocket (RFC 6455).", reason="invalid_value")


class _Connection:
    """One open WebSocket."""

    def __init__(self, call: Call, services: Services, socket: web.WebSocketResponse) -> None:
        self._call = call
        self._services = services
        self._socket = socket
        self._memory = ChainMemory()
        self._waiting: dict[Lane, deque[Object]] = {}
        """The lanes in use, and what waits in each."""
        self._lanes: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Answer requests until the caller goes, the time is over, or the server stops."""
        reading = asyncio.create_task(self._read())
        pinging = asyncio.create_task(self._ping())
        ending = asyncio.create_task(self._services.live.ending.wait())
        limit = self._services.settings.websocket_seconds
        try:
            await asyncio.wait({reading, ending}, timeout=limit or None, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
            elif ending.done():
                await self._finish_lanes(reading)
                await self._socket.close(code=WSCloseCode.GOING_AWAY)
            else:
                await _cancel(*self._lanes)
                await self._send(_frame(_error(400, _EXPIRED, f"This WebSocket was open for {limit:g} seconds.")))
                await self._socket.close(code=WSCloseCode.OK)
        except (ConnectionError, TimeoutError):
            self._call.caller_left = True
        finally:
            await _cancel(reading, pinging, ending, *self._lanes)

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.ERROR:
                return
            try:
                body = _request(message, self._services.settings.max_json_depth)
                if self._call.quota is not None:
                    await self._count(self._call.quota, body)
                self._take(body)
            except _Refused as refused:
                await self._tell(refused.error, refused.lane)

    async def _count(self, quota: Quota, body: Object) -> None:
        try:
            await quota.take()
        except RateLimited as error:
            lane = body.get("stream_id")
            raise _Refused(error, lane if isinstance(lane, str) else None) from None

    async def _ping(self) -> None:
        """Keep what is between us and the caller from taking the connection for a dead one."""
        while True:
            await asyncio.sleep(PING_SECONDS)
            try:
                await self._socket.ping()
            except ConnectionError:
                return

    def _take(self, body: Object) -> None:
        lane = body.get("stream_id")
        assert lane is None or isinstance(lane, str)  # noqa: S101 - for the type checker: `_request` has checked
        if self._services.live.ending.is_set():
            raise _Refused(Unavailable("The server is stopping."), lane)
        if sum(map(len, self._waiting.values())) >= _MOST_WAITING:
            raise _Refused(Unavailable("Too many requests wait on this connection."), lane)
        if lane in self._waiting:
            self._waiting[lane].append(body)
            return
        self._waiting[lane] = deque([body])
        task = asyncio.create_task(self._run_lane(lane))
        self._lanes.add(task)
        task.add_done_callback(self._lanes.discard)

    async def _run_lane(self, lane: Lane) -> None:
        """Answer what waits in a lane, until nothing does."""
        bodies = self._waiting[lane]
        try:
            while bodies:
                await self._answer(bodies.popleft(), lane)
        except (ConnectionError, TimeoutError):
            self._call.caller_left = True
            if self._call.request.transport is not None and not self._socket.closed:
                self._call.request.transport.abort()  # which ends the other lanes, too
        finally:
            del self._waiting[lane]

    async def _answer(self, body: Object, lane: Lane) -> None:
        call = Call(self._call.request, self._call.request_id, self._call.protocol)
        previous = body.get("previous_response_id")
        try:
            succeeded = await self._run(body, lane, call)
        except LocalaikError as error:
            succeeded, call.failure = False, error
            await self._tell(error, lane)
        except (ConnectionError, TimeoutError):
            raise
        except Exception as error:  # noqa: BLE001 - a defect of ours must not end the connection
            succeeded, call.failure = False, error
            _log.exception("a response on a WebSocket failed")
            await self._tell(InternalFault("The server had an error while processing your request."), lane)
        if not succeeded and isinstance(previous, str):
            self._memory.forget(previous)
        self._add_up(call)

    async def _run(self, body: Object, lane: Lane, call: Call) -> bool:
        """Tell the events of one response; False where it failed."""
        fields = {name: value for name, value in body.items() if name not in _ENVELOPE}
        run = ResponseRun(
            self._services,
            read_create(fields),
            call=call,
            memory=self._memory,
            tells_faults=True,
            generates=body.get("generate") is not False,
        )
        try:
            await run.prepare()
            async with aclosing(run.frames()) as batches:
                async for frames in batches:
                    await self._send(*(_in_lane(frame.data, lane) for frame in frames))
        finally:
            run.close()
        return run.response["status"] != "failed"

    async def _tell(self, error: LocalaikError, lane: Lane) -> None:
        answer = answer_of(error, prompt_field="input")
        told = {"type": "error", "status": answer.status, **error_object(error, prompt_field="input")}
        await self._send(_in_lane(_frame(told), lane))

    async def _send(self, *frames: bytes) -> None:
        """Raises `ConnectionError`, and `TimeoutError` where the caller has stopped reading."""
        async with asyncio.timeout(self._services.settings.write_idle_seconds or None):
            for data in frames:
                await self._socket.send_frame(data, WSMsgType.TEXT)

    def _add_up(self, call: Call) -> None:
        """The access line tells of all responses together."""
        total = self._call
        total.model = call.model or total.model
        total.failure = call.failure or total.failure
        total.first_token = total.first_token or call.first_token
        if call.prompt_tokens is not None and call.completion_tokens is not None:
            total.prompt_tokens = (total.prompt_tokens or 0) + call.prompt_tokens
            total.completion_tokens = (total.completion_tokens or 0) + call.completion_tokens

    async def _finish_lanes(self, reading: asyncio.Task[None]) -> None:
        """Wait for what runs and what waits; nothing new begins."""
        while self._lanes and not reading.done():
            await asyncio.wait({reading, *self._lanes}, return_when=asyncio.FIRST_COMPLETED)


class _Refused(Exception):
    """A request that is not begun."""

    def __init__(self, error: LocalaikError, lane: Lane) -> None:
        super().__init__(error.message)
        self.error = error
        self.lane = lane


_ENVELOPE: Final = frozenset({"type", "stream_id", "generate", "stream", "background"})
"""Fields of a request that belong to the connection, or have no meaning on it."""


def _request(message: WSMessage, max_depth: int) -> Object:
    """What a caller asks for. Raises `_Refused`."""
    lane: Lane = None
    try:
        if message.type is not WSMsgType.TEXT:
            raise BadRequest("Only text messages are accepted.", reason="invalid_value")
        body = parse_json(message.data.encode(), max_depth)
        if not isinstance(body, dict):
            raise BadRequest("A message must be a JSON object.", reason="invalid_type")
        named = body.get("stream_id")
        if named is not None and not isinstance(named, str):
            raise BadRequest(
                "Invalid type for 'stream_id': expected a string.", field="stream_id", reason="invalid_type"
            )
        lane = named
        if body.get("type") != _CREATE:
            raise BadRequest(
                f"Invalid value for 'type': only '{_CREATE}' is served.", field="type", reason="invalid_value"
            )
        generate = body.get("generate")
        if generate is not None and not isinstance(generate, bool):
            raise BadRequest(
                "Invalid type for 'generate': expected a boolean.", field="generate", reason="invalid_type"
            )
    except BadRequest as error:
        raise _Refused(error, lane) from None
    return body


async def _cancel(*tasks: asyncio.Task[None] | asyncio.Task[bool]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _error(
    status: int, code: str | None, message: str, *, kind: str = "invalid_request_error", param: str | None = None
) -> Object:
    error = {"type": kind, "code": code, "message": message, "param": param}
    return {"type": "error", "status": status, "error": error}


def _frame(payload: Object) -> bytes:
    return orjson.dumps(payload)


def _in_lane(data: bytes, lane: Lane) -> bytes:
    """An event that says to which lane it belongs."""
    return data if lane is None else data[:-1] + b',"stream_id":' + orjson.dumps(lane) + b"}"
