"""Connections: how many there may be, how long a request's head may take, and what is refused before it is routed.

aiohttp bounds the size of a head (8,190 bytes for the request line and for each header, 128 headers), the time that an
idle connection is kept, and how much it reads ahead. What it leaves open is closed here: a connection that sends
nothing, or its head byte by byte, would stay for as long as it likes.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Final, cast

from aiohttp import HttpVersion10, HttpVersion11, StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from localaik.errors import BadRequest, LocalaikError
from localaik.settings import Settings

__all__ = ["Connections"]

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Refuse = Callable[[web.BaseRequest, str, LocalaikError], web.Response]

_NOT_HTTP: Final = "The request is not valid HTTP/1.1, or a line of its head is too long, or has too many headers."
_SPOKEN: Final = (HttpVersion11, HttpVersion10)
_UNKNOWN_METHOD: Final = "UNKNOWN"  # aiohttp's stand-in for a request that could not be parsed
_FULL_BODY: Final = (
    b'{"error":{"code":503,"message":"All connections are in use (LOCALAIK_MAX_CONNECTIONS). Try again.",'
    b'"status":"UNAVAILABLE"}}'
)
_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    b"Retry-After: 1\r\nConnection: close\r\n\r\n%b"
) % (len(_FULL_BODY), _FULL_BODY)
_OTHER_FILES: Final = 512  # the engine's connections, programs for PDFs, files, the database
_MANY_FILES: Final = 65_536
_TURNED_AWAY_SECONDS: Final = 2.0
_MAX_TURNED_AWAY: Final = 256
_WARN_EVERY_SECONDS: Final = 60.0

_log = logging.getLogger(__name__)


class Connections(web.Server):
    """aiohttp's low-level server with bounded connections."""

    def __init__(self, handle: Handler, refuse: Refuse, settings: Settings) -> None:
        """`handle` answers requests. `refuse` makes the answer to what is none; it gets the target as far as known."""
        super().__init__(self._handle_sound, request_factory=_new_request, handler_cancellation=True)
        self._answer = handle
        self.refuse = refuse
        # Bodies are unpacked where they are read (`http/coding.py`): in steps, and only what is wanted.
        self._options = {
            "access_log": None,
            "keepalive_timeout": settings.keepalive_seconds,
            "auto_decompress": False,
        }
        self._max_connections = _that_fit(settings.max_connections)
        self._open = 0
        self._turned_away: set[asyncio.Transport] = set()
        self._warned = float("-inf")
        self.heads = _Heads(settings.header_timeout_seconds)

    def __call__(self) -> web.RequestHandler:
        """A protocol for one more connection."""
        return _Connection(self)

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - aiohttp's signature
        """Close all connections; running handlers get `timeout` seconds."""
        self.heads.stop()
        for transport in tuple(self._turned_away):
            transport.abort()
        await super().shutdown(timeout)

    @property
    def options(self) -> dict[str, Any]:
        """What each connection is made with."""
        return self._options

    def admits(self) -> bool:
        """Count one more connection, if there may be one."""
        if self._max_connections and self._open >= self._max_connections:
            return False
        self._open += 1
        return True

    def left(self) -> None:
        """An admitted connection is closed."""
        self._open -= 1

    def turn_away(self, transport: asyncio.Transport) -> None:
        """Tell a caller for whom there is no place, and close.

        Not accepting would leave callers in the kernel's queue, where neither they nor a load balancer learn why. What
        the caller has sent is read and dropped: closing a socket with unread bytes resets the connection, and the
        answer would be lost with it.
        """
        if monotonic() - self._warned >= _WARN_EVERY_SECONDS:
            self._warned = monotonic()
            _log.warning("all %d connections are in use (LOCALAIK_MAX_CONNECTIONS)", self._max_connections)
        if len(self._turned_away) >= _MAX_TURNED_AWAY:
            transport.abort()
            return
        self._turned_away.add(transport)
        transport.write(_FULL)
        transport.write_eof()
        asyncio.get_running_loop().call_later(_TURNED_AWAY_SECONDS, transport.abort)

    def has_left(self, transport: asyncio.Transport) -> None:
        """A caller who was turned away is gone."""
        self._turned_away.discard(transport)

    def _handle_sound(self, request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        connection = request.protocol
        fault = connection.head_fault if isinstance(connection, _Connection) else None
        return self._answer(request) if fault is None else self._refuse(request, fault)

    async def _refuse(self, request: web.BaseRequest, fault: str) -> web.StreamResponse:
        response = self.refuse(request, request.raw_path, BadRequest(fault, reason="invalid_http"))
        response.force_close()
        return response


class _Heads:
    """The connections from which a head is awaited, oldest first. All have the same time, so one timer is enough."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._awaited: dict[_Connection, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._awaited)

    def begin(self, connection: "_Connection") -> None:
        """From now on the head has its time."""
        if not self._seconds:
            return
        loop = asyncio.get_running_loop()
        self._awaited[connection] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._sweep)

    def end(self, connection: "_Connection") -> None:
        """The head is complete, or the connection is gone."""
        self._awaited.pop(connection, None)

    def stop(self) -> None:
        """Watch no longer."""
        self._awaited.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        for connection, deadline in tuple(self._awaited.items()):
            if deadline > loop.time():
                self._timer = loop.call_at(deadline, self._sweep)
                return
            del self._awaited[connection]
            connection.force_close()


class _Connection(web.RequestHandler):
    """One connection. Between requests, aiohttp's `_waiter` is the future that the next head will fulfil."""

    __slots__ = ("_is_awaited", "_owner", "_start", "_turned_away", "head_fault")

    def __init__(self, owner: Connections) -> None:
        super().__init__(owner, loop=asyncio.get_running_loop(), **owner.options)
        self._owner = owner
        self._turned_away: asyncio.Transport | None = None
        self._is_awaited = False
        self._start: bytes | None = None
        self.head_fault: str | None = None
        """What is wrong with the head of the running request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or turn the caller away."""
        if not self._owner.admits():
            self._turned_away = cast("asyncio.Transport", transport)
            self._owner.turn_away(self._turned_away)
            return
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        if self._turned_away is not None:
            self._owner.has_left(self._turned_away)
            return
        self._owner.left()
        self._owner.heads.end(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a head that is only begun has its time from now on."""
        if self._turned_away is not None:
            return
        is_head = self._waiter is not None or not self._request_count
        if is_head and self._start is None:
            self._start = data
        super().data_received(data)
        waiter = self._waiter
        if waiter is None:
            if self._messages:
                self._tell_broken_body()
        elif not (self._is_awaited or waiter.done()):
            self._await_head()

    def is_plain(self) -> bool:
        """Whether the head is known to be ASCII: it came in one piece, as nearly all do."""
        return self._start is not None and not self._is_awaited and self._start.isascii()

    def begin_request(self, fault: str | None) -> None:
        """A head is complete; `fault` tells what is wrong with it."""
        self.head_fault, self._start = fault, None
        self.stop_waiting()

    def stop_waiting(self) -> None:
        """No head is awaited."""
        if self._is_awaited:
            self._is_awaited = False
            self._owner.heads.end(self)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no request. aiohttp's own repeats what was sent, which may be a prompt or a key."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        target, self._start = _target(self._start), None
        _log.warning("a request that is no valid HTTP was refused (%s)", type(exc).__name__)
        response = self._owner.refuse(request, target, BadRequest(_NOT_HTTP, reason="invalid_http"))
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:  # noqa: ANN401 - aiohttp's signature
        """Log a defect; that a caller's body broke off, its answer and its access line already tell."""
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError | HttpProcessingError):
            super().log_exception(*args, **kw)

    def _await_head(self) -> None:
        self._is_awaited = True
        self._owner.heads.begin(self)

    def _tell_broken_body(self) -> None:
        """Let the handler know that the rest of its body will never come.

        aiohttp queues the fault as another request behind the one whose body it is, and lets that one wait.
        """
        if isinstance(self._messages[-1][0], RawRequestMessage):
            return
        body = self._messages[-2][1] if len(self._messages) > 1 else None
        if body is None and self._current_request is not None:
            body = self._current_request.content
        if body is not None and not body.is_eof():
            self._messages.pop()
            body.set_exception(web.RequestPayloadError("The body is not valid HTTP."))
            self.close()


def _that_fit(wanted: int) -> int:
    """As many of the `wanted` connections (0: any number) as this process may have open files for.

    Systems begin with a low limit (256, 1024) that a process may raise by itself.
    """
    try:
        import resource  # noqa: PLC0415 - does not exist on Windows
    except ImportError:
        return wanted
    needed = wanted + _OTHER_FILES if wanted else _MANY_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(OSError, ValueError):  # macOS allows less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    fitting = max(soft - _OTHER_FILES, soft // 2)
    _log.warning("there can be %d connections at most: the limit of open files is %d", fitting, soft)
    return fitting


def _new_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    writer: AbstractStreamWriter,
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    """A request, or what stands for one that could not be parsed; always to be answered in HTTP/1.1."""
    if message.method == _UNKNOWN_METHOD:
        message = message._replace(version=HttpVersion11)
        if isinstance(protocol, _Connection):
            protocol.stop_waiting()
    else:
        fault = None
        if message.version not in _SPOKEN:
            message, fault = message._replace(version=HttpVersion11, should_close=True), "HTTP/1.1 is spoken here."
        elif not message.path.startswith("/"):
            message, fault = _with_own_path(message)
        if message.chunked and [each.lower() for each in message.headers.getall("Transfer-Encoding")] != ["chunked"]:
            fault = "The Transfer-Encoding must be chunked, and nothing else."
        if isinstance(protocol, _Connection):
            if not protocol.is_plain() and not all(value.isascii() for _, value in message.raw_headers):
                message = _with_clean_headers(message)
            protocol.begin_request(fault)
    return web.BaseRequest(message, payload, protocol, writer, task, asyncio.get_running_loop())


def _with_clean_headers(message: RawRequestMessage) -> RawRequestMessage:
    """A request whose headers are text: what is not UTF-8 becomes U+FFFD. Else it could be neither told nor stored."""
    headers = message.headers.copy()
    headers.clear()
    headers.extend((name.decode(), value.decode(errors="replace")) for name, value in message.raw_headers)
    return message._replace(headers=cast("Any", headers))


def _with_own_path(message: RawRequestMessage) -> tuple[RawRequestMessage, str | None]:
    """A request whose target is a whole URL (RFC 9112, section 3.2.2), as one with a path; or what is wrong with it."""
    if "://" not in message.path:
        return message, None
    url: URL = message.url
    if url.raw_authority.lower() != message.headers.get("Host", "").lower():
        return message, "The authority of the target is not that of the Host header."
    return message._replace(path=url.raw_path_qs, url=url.relative()), None


def _target(start: bytes | None) -> str:
    """The target in the first bytes of a request, without the query; `/` where there is none to be seen."""
    words = (start or b"").partition(b"\r\n")[0].split(b" ", 2)
    path = words[1].partition(b"?")[0].decode("latin-1") if len(words) > 1 else ""
    return path if path.startswith("/") else "/"
