"""A scripted upstream that costs as little as possible: `python -m bench.upstream --chunks 500`, in its own process.

It prints its port, then answers until it is killed: `/v1/models`, `/v1/embeddings`, and `/v1/chat/completions`
streamed or not, in llama.cpp's shapes. The bytes of chat are made once; an answer is one write. With `--tick-ms`,
streams get one event each at every tick instead, as from a model that decodes them together.
"""

import argparse
import asyncio
from typing import Final, cast

import orjson
import uvloop

from tests.engine_answers import Answer, steps, whole

__all__ = ["MODEL", "Upstream", "chunked", "tokens"]

MODEL: Final = "bench"
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_BACKLOG: Final = 2048
_VECTOR: Final = [0.125 * number for number in range(-16, 16)]
_WORDS: Final = ("Hello", " there", ",", " this", " is", " one", " more", " token", ".", " And")


def tokens(count: int) -> list[str]:
    """So many deltas, of ordinary lengths."""
    return [_WORDS[number % len(_WORDS)] for number in range(count)]


def chunked(data: bytes) -> bytes:
    """`data` as one chunk of a chunked body (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _with_length(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


def _vectors(body: bytes) -> bytes:
    """The same vector for each text of a request for embeddings."""
    asked = orjson.loads(body)["input"]
    count = len(asked) if isinstance(asked, list) else 1
    data = [{"object": "embedding", "index": index, "embedding": _VECTOR} for index in range(count)]
    usage = {"prompt_tokens": 7 * count, "total_tokens": 7 * count}
    return _with_length(b"200 OK", orjson.dumps({"object": "list", "data": data, "model": MODEL, "usage": usage}))


class Upstream:
    """The answers of one scripted upstream, and the streams that wait for their next event."""

    def __init__(self, chunks: int, tick_seconds: float = 0) -> None:
        answer = Answer(tokens=tokens(chunks))
        usage = {"stream_options": {"include_usage": True}}
        self._events = [chunked(step.data) for step in steps(answer, "chat", usage, MODEL, llamacpp=False)]
        self._events.append(b"0\r\n\r\n")
        self._head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        self._stream = self._head + b"".join(self._events)
        self._whole = _with_length(b"200 OK", whole(answer, "chat", {}, MODEL))
        models = {"object": "list", "data": [{"id": MODEL, "object": "model"}]}
        self._models = _with_length(b"200 OK", orjson.dumps(models))
        self._missing = _with_length(b"404 Not Found", b'{"detail":"Not Found"}')
        self._tick_seconds = tick_seconds
        self._waiting: dict[asyncio.Transport, int] = {}

    def answer(self, transport: asyncio.Transport, head: bytes, body: bytes) -> None:
        """Answer one request."""
        target = head.split(b" ", 2)[1]
        if target.startswith(b"/v1/chat/completions"):
            if b'"stream":true' not in body:
                transport.write(self._whole)
            elif self._tick_seconds:
                transport.write(self._head)
                self._waiting[transport] = 0
            else:
                transport.write(self._stream)
        elif target.startswith(b"/v1/embeddings"):
            transport.write(_vectors(body))
        else:
            transport.write(self._models if target.startswith(b"/v1/models") else self._missing)

    def forget(self, transport: asyncio.Transport) -> None:
        """The client has left."""
        self._waiting.pop(transport, None)

    def tick(self) -> None:
        """Send the next event of every stream."""
        asyncio.get_running_loop().call_later(self._tick_seconds, self.tick)
        last = len(self._events) - 1
        for transport, number in tuple(self._waiting.items()):
            transport.write(self._events[number])
            if number == last:
                del self._waiting[transport]
            else:
                self._waiting[transport] = number + 1


class _Connection(asyncio.Protocol):
    """Reads requests, one after the other."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._transport: asyncio.Transport | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._transport is not None:
            self._upstream.forget(self._transport)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        while self._transport is not None:
            end = buffer.find(_HEAD_END)
            if end < 0:
                break
            head = buffer[:end]
            start = end + len(_HEAD_END)
            stop = start + _content_length(head)
            if len(buffer) < stop:
                break
            self._upstream.answer(self._transport, head, buffer[start:stop])
            buffer = buffer[stop:]
        self._buffer = buffer


def _content_length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(_LENGTH)
    return int(lower[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def _serve(chunks: int, tick_seconds: float) -> None:
    upstream = Upstream(chunks, tick_seconds)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(upstream), "127.0.0.1", 0, backlog=_BACKLOG)
    if tick_seconds:
        upstream.tick()
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description="A scripted upstream for measurements.")
    parser.add_argument("--chunks", type=int, default=3, help="deltas of an answer")
    parser.add_argument("--tick-ms", type=float, default=0, help="time between two events of a stream; 0 is none")
    options = parser.parse_args()
    uvloop.run(_serve(options.chunks, options.tick_ms / 1000))


if __name__ == "__main__":
    main()
