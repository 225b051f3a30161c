"""A small HTTP/1.1 client for engines: pooled connections, streamed answers, as little work per request as possible.

aiohttp's client costs about as much CPU per request as its server does (`docs/performance.md`), most of it for what an
engine never needs: cookies, redirects, proxies, compression, tracing. Parsing is httptools', sockets and TLS are
asyncio's.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, cast

import httptools
from yarl import URL

from localaik.engine.faults import unreachable
from localaik.errors import EngineUnreachable, TimedOut

__all__ = ["Pool", "Response"]

_PAUSE_AT_BYTES: Final = 1_048_576
_LARGE_BODY_BYTES: Final = 65_536
_MAX_IDLE: Final = 256
_MAX_HEAD_BYTES: Final = 262_144


class Response:
    """An answer whose status and headers are here; the body is read in the pieces that the network brings."""

    def __init__(self, connection: "_Connection", status: int, headers: Mapping[str, str]) -> None:
        self._connection = connection
        self.status = status
        self.headers = headers
        """Names in lower case; of repeated ones the last."""

    async def read(self, seconds: float) -> bytes:
        """All that has come since the last read, at least one byte; `b""` at the end of the body.

        Raises `TimedOut` after that many seconds of silence (0: never), `EngineUnreachable` when the connection breaks.
        """
        return await self._connection.read(seconds)

    async def read_all(self, limit: int, seconds: float) -> bytes:
        """The rest of the body, cut at `limit` bytes."""
        body = b""
        while len(body) < limit and (piece := await self.read(seconds)):
            body += piece
        return body[:limit]

    def close(self) -> None:
        """Keep the connection for the next request if the whole body was read, else close it."""
        self._connection.leave()


class Pool:
    """Connections to one server."""

    def __init__(self, url: URL, *, connect_seconds: float, keep_alive: bool) -> None:
        """`url` gives scheme, host and port. Without `keep_alive`, every request has a connection of its own."""
        self._host = url.host or ""
        self._port = url.port or 80
        self._ssl = ssl.create_default_context() if url.scheme == "https" else None
        self._connect_seconds = connect_seconds
        self._keep_alive = keep_alive
        self._idle: deque[_Connection] = deque()
        self._open: set[_Connection] = set()
        host = f"[{self._host}]" if ":" in self._host else self._host
        self._authority = host if url.is_default_port() else f"{host}:{self._port}"

    async def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, *, first_byte_seconds: float
    ) -> Response:
        """Send a request and wait for the answer's head. `target` is path and query.

        A kept connection may turn out to be closed by the server; a request that fails on one before the first byte of
        an answer is sent once more on a new one. Raises `EngineUnreachable`, `TimedOut`.
        """
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._authority}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines.append(f"Content-Length: {len(body)}")
        if not self._keep_alive:
            lines.append("Connection: close")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        # One write for what fits into one packet or a few; a large body is not copied.
        message = (head + body,) if len(body) < _LARGE_BODY_BYTES else (head, body)
        kept = self._take_idle()
        if kept is not None:
            try:
                return await kept.exchange(message, first_byte_seconds)
            except EngineUnreachable:
                pass  # closed since its last answer; nothing was generated
        return await (await self._connect()).exchange(message, first_byte_seconds)

    def close(self) -> None:
        """Close every connection, those in use included."""
        self._keep_alive = False
        for connection in tuple(self._open):
            connection.abort()

    def _take_idle(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_seconds or None):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self, loop), self._host, self._port, ssl=self._ssl
                )
        except TimeoutError:
            raise unreachable("it took no connection in time") from None
        except ssl.SSLError:
            raise unreachable("its certificate was not accepted") from None
        except OSError:
            raise unreachable("the connection was refused") from None
        self._open.add(connection)
        return connection

    def kept(self, connection: "_Connection") -> bool:
        """Take back a connection whose answer is complete; False where it is not wanted."""
        if not self._keep_alive or len(self._idle) >= _MAX_IDLE:
            return False
        self._idle.append(connection)
        return True

    def lost(self, connection: "_Connection") -> None:
        """Forget a closed connection."""
        self._open.discard(connection)


class _Connection(asyncio.Protocol):
    """One connection, one request at a time. One timer serves all waits: armed rarely, it looks at the deadline."""

    def __init__(self, pool: Pool, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._closed = False
        self._reset()
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = float("inf")
        self._timer: asyncio.TimerHandle | None = None

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._head_complete = False
        self._head_bytes = 0
        self._complete = False
        self._may_stay_open = False
        self._broken = False
        self._timed_out = False
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._paused = False

    @property
    def usable(self) -> bool:
        """May carry another request."""
        return not self._closed and self._transport is not None and not self._transport.is_closing()

    async def exchange(self, message: Sequence[bytes], seconds: float) -> Response:
        """Send a request; return at the end of the answer's head."""
        self._reset()
        if self._transport is None or not self.usable:
            raise unreachable("it closed the connection")
        for piece in message:
            self._transport.write(piece)
        end = self._loop.time() + seconds  # for the whole head: one that drips in is no sign of life
        try:
            while not self._head_complete:
                if self._closed or self._broken:
                    raise unreachable("it closed the connection" if self._closed else "its answer is no HTTP")
                await self._wait(max(end - self._loop.time(), 0.001) if seconds else 0)
        except TimeoutError:
            self.abort()
            raise TimedOut("The engine did not answer in time.", reason="timeout") from None
        except BaseException:
            self.abort()
            raise
        return Response(self, self._parser.get_status_code(), self._headers)

    async def read(self, seconds: float) -> bytes:
        """See `Response.read`."""
        while not self._buffer:
            if self._complete:
                return b""
            if self._closed or self._broken:
                raise unreachable("the connection broke")
            try:
                await self._wait(seconds)
            except TimeoutError:
                raise TimedOut("The engine fell silent in the middle of its answer.", reason="timeout") from None
        data = self._buffer[0] if len(self._buffer) == 1 else b"".join(self._buffer)
        self._buffer.clear()
        self._buffered = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    def leave(self) -> None:
        """The caller is done with the answer."""
        reusable = self._complete and not self._buffer and self._may_stay_open and self.usable
        if not (reusable and self._pool.kept(self)):
            self.abort()

    def abort(self) -> None:
        """Close at once; the server notices."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self, seconds: float) -> None:
        """Until something has come. Raises `TimeoutError` after `seconds` (0: never)."""
        self._waiter = self._loop.create_future()
        if seconds:
            self._deadline = self._loop.time() + seconds
            if self._timer is not None and self._timer.when() > self._deadline:
                self._timer.cancel()  # it would look too late
                self._timer = None
            if self._timer is None:
                self._timer = self._loop.call_at(self._deadline, self._look_at_deadline)
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._deadline = float("inf")
        if self._timed_out:
            raise TimeoutError

    def _look_at_deadline(self) -> None:
        self._timer = None
        if self._deadline == float("inf"):
            return  # nobody waits; the next wait arms a new timer
        if self._loop.time() >= self._deadline:
            self._timed_out = True
            self._wake()
        else:
            self._timer = self._loop.call_at(self._deadline, self._look_at_deadline)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._broken = True
        if not self._head_complete:
            self._head_bytes += len(data)
            self._broken |= self._head_bytes > _MAX_HEAD_BYTES
        if self._complete and self._waiter is None and not self._buffer and not self._head_complete:
            self.abort()  # an answer that nobody asked for
        if self._buffered > _PAUSE_AT_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._closed = True
        if self._head_complete and not self._complete and self._ends_with_connection():
            self._complete = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._pool.lost(self)
        self._wake()

    def _ends_with_connection(self) -> bool:
        """A body without a length of its own is complete when the server closes (RFC 9112, section 6.3)."""
        return "content-length" not in self._headers and "transfer-encoding" not in self._headers

    # httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._head_complete = True

    def on_body(self, body: bytes) -> None:
        self._buffer.append(body)
        self._buffered += len(body)

    def on_message_complete(self) -> None:
        self._complete = True
        self._may_stay_open = self._parser.should_keep_alive()  # the parser knows it in this moment only
