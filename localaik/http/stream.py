"""Streamed answers: what the engine tells in one read goes out in one write."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Final, Protocol, TypeVar

from aiohttp import web

from localaik.errors import InternalFault, LocalaikError
from localaik.http.call import Call

__all__ = ["StreamEncoder", "stream_events"]

_SMALL_BYTES: Final = 16_384  # well below where asyncio makes a writer wait

_log = logging.getLogger(__name__)

E_contra = TypeVar("E_contra", contravariant=True)
E = TypeVar("E")


class StreamEncoder(Protocol[E_contra]):
    """A protocol's writer: a state machine from events to bytes, without I/O."""

    def feed(self, events: Sequence[E_contra]) -> bytes:
        """The bytes that these events add to the body; `b""` where they add none."""
        ...

    def fail(self, error: LocalaikError) -> bytes:
        """The last bytes of a body that a fault cut short; never a clean end."""
        ...


async def stream_events(
    call: Call,
    batches: AsyncGenerator[Sequence[E], None],
    encoder: StreamEncoder[E],
    *,
    content_type: str,
    headers: Mapping[str, str] | None = None,
    ping: bytes = b"",
    ping_seconds: float = 0,
    write_idle_seconds: float = 0,
) -> web.StreamResponse:
    """Write batches of events as they come, and return the finished response.

    Status 200 is sent after the first batch, so a fault before it is raised to the caller as an ordinary error. A later
    fault ends the body with `encoder.fail()`. When the caller goes away, or reads nothing for `write_idle_seconds`,
    the batches are closed, which frees the engine. `ping` is written after each `ping_seconds` of silence (0: never).
    """
    async with aclosing(batches):
        first = await anext(batches, None)
        response = web.StreamResponse(
            headers={"Content-Type": content_type, **(headers or {}), **call.answer_headers()}
        )
        await response.prepare(call.request)
        silence = _Silence(response, ping, ping_seconds)
        try:
            if first is not None:
                await _write(call, response, encoder.feed(first), write_idle_seconds)
            async for batch in batches:
                data = encoder.feed(batch)
                if data:
                    silence.broken()
                    await _write(call, response, data, write_idle_seconds)
            await response.write_eof()
        except LocalaikError as error:
            call.failure = error
            await _write(call, response, encoder.fail(error), write_idle_seconds)
        except (ConnectionError, TimeoutError):
            call.caller_left = True
        except Exception as error:  # noqa: BLE001 - the status is sent: only the stream itself can still tell of a fault
            call.failure = error
            _log.exception("request %s failed", call.request_id)
            await _write(call, response, encoder.fail(InternalFault("The server had an error.")), write_idle_seconds)
        finally:
            silence.end()
    return response


async def _write(call: Call, response: web.StreamResponse, data: bytes, idle_seconds: float) -> None:
    if not data:
        return
    transport = call.request.transport
    can_not_block = len(data) < _SMALL_BYTES and transport is not None and not transport.get_write_buffer_size()
    if can_not_block or not idle_seconds:
        await response.write(data)
        return
    async with asyncio.timeout(idle_seconds):
        await response.write(data)


class _Silence:
    """Writes the ping whenever nothing else was written for a while; one timer for the whole stream, none per event."""

    def __init__(self, response: web.StreamResponse, ping: bytes, seconds: float) -> None:
        self._response = response
        self._ping = ping
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._last_write = self._loop.time()
        self._writing: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(seconds, self._check) if ping and seconds else None

    def broken(self) -> None:
        """Something is about to be written."""
        self._last_write = self._loop.time()

    def end(self) -> None:
        """The body is complete."""
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None:
            self._writing.cancel()

    def _check(self) -> None:
        quiet_for = self._loop.time() - self._last_write
        if quiet_for >= self._seconds:
            self._writing = self._loop.create_task(self._send())
            self.broken()
            quiet_for = 0
        self._timer = self._loop.call_later(self._seconds - quiet_for, self._check)

    async def _send(self) -> None:
        try:
            await self._response.write(self._ping)
        except ConnectionError:
            return  # the stream's own next write, or its cancellation, tells of the loss
