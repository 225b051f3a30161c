"""The line between the parent and a worker: messages with their length in front, questions and their answers."""

import asyncio
import itertools
import socket
import struct
from collections.abc import Callable
from typing import Final, Generic, TypeVar, cast

import msgspec

from localaik.server.workers.messages import Answer, Ask, FromParent, FromWorker, Settle, raw, to_bytes

__all__ = ["Channel", "ChannelClosedError"]

M = TypeVar("M")
T = TypeVar("T")

_LENGTH: Final = struct.Struct("!I")


class ChannelClosedError(ConnectionError):
    """The other side is gone."""


class Channel(asyncio.Protocol, Generic[M]):
    """One end. Messages leave in the order in which they are said; `say` never waits."""

    def __init__(
        self, decode: Callable[[bytes | memoryview], M], hear: Callable[[M], None], closed: Callable[[], None]
    ) -> None:
        """`hear` is called with each message that is no answer, `closed` once at the end."""
        self._decode = decode
        self._hear = hear
        self._closed = closed
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._unsent: list[bytes] = []

    async def connect(self, sock: socket.socket) -> None:
        """Talk through a connected stream socket, which belongs to the channel from then on."""
        sock.setblocking(False)
        await asyncio.get_running_loop().create_connection(lambda: self, sock=sock)

    def say(self, message: FromWorker | FromParent) -> None:
        """Send; nothing happens where nobody is there any more."""
        if self._transport is None:
            return
        if not self._unsent:  # all that one turn of the event loop says leaves at once
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append(to_bytes(message))

    def number(self) -> int:
        """A number for a question."""
        return next(self._numbers)

    async def ask(self, question: Ask, kind: type[T]) -> T:
        """The answer. Raises `ChannelClosedError` where there will be none."""
        if self._transport is None:
            raise ChannelClosedError
        future = self._asked[question.number] = asyncio.get_running_loop().create_future()
        self.say(question)
        try:
            return msgspec.msgpack.decode(await future, type=kind)
        finally:
            del self._asked[question.number]

    async def settle(self) -> None:
        """Return when the other side, a parent, has acted on all that was said. Raises `ChannelClosedError`."""
        await self.ask(Settle(self.number()), bool)

    def answer(self, number: int, value: object) -> None:
        """Answer a question of the other side's."""
        self.say(Answer(number, raw(value)))

    def close(self) -> None:
        """Send what was said, and hang up."""
        if self._transport is not None:
            self._flush()
            self._transport.close()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Hear every message that is complete."""
        received = self._received
        received += data
        start = 0
        while len(received) >= start + _LENGTH.size:
            (size,) = _LENGTH.unpack_from(received, start)
            end = start + _LENGTH.size + size
            if len(received) < end:
                break
            self._take(self._decode(bytes(received[start + _LENGTH.size : end])))
            start = end
        del received[:start]

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell whoever waits for an answer."""
        self._transport = None
        for future in self._asked.values():
            if not future.done():
                future.set_exception(ChannelClosedError())
        self._closed()

    def _take(self, message: M) -> None:
        if isinstance(message, Answer):
            future = self._asked.get(message.number)
            if future is not None and not future.done():
                future.set_result(message.value)
        else:
            self._hear(message)

    def _flush(self) -> None:
        said, self._unsent = self._unsent, []
        if self._transport is not None and said:
            self._transport.write(b"".join([part for one in said for part in (_LENGTH.pack(len(one)), one)]))
