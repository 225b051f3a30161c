"""HTTP as bytes: for requests that no client library would send, and for answers of which the number counts."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import httptools
import orjson
from yarl import URL

__all__ = ["PROBE", "Reply", "conversation", "post", "replies"]

HANG_SECONDS = 60
PROBE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
"""A request that is always answered, and the last one of its connection."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)

    @property
    def error(self) -> str:
        """The message of an error of any protocol; `AssertionError` for what has none."""
        told = self.json
        told = told[0] if isinstance(told, list) else told
        error = told.get("error")
        message = error.get("message") if isinstance(error, dict) else error
        assert isinstance(message, str), told
        assert message
        return message


class _Reader:
    """Collects the answers of one connection."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body = b""

    def feed(self, data: bytes) -> Self:
        self._parser.feed_data(data)
        return self

    def on_message_begin(self) -> None:
        self._headers, self._body = {}, b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode("latin-1")

    def on_body(self, piece: bytes) -> None:
        self._body += piece

    def on_message_complete(self) -> None:
        self.replies.append(Reply(self._parser.get_status_code(), self._headers, self._body))


def post(path: str, body: bytes, *headers: str, declared: bool = True) -> bytes:
    """A POST with JSON. With `declared` its Content-Length is told."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *headers]
    if declared:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def replies(url: str, *pieces: bytes) -> list[Reply]:
    """Every answer until the server closes the connection. Each piece is sent when the network has taken the last."""
    target = URL(url)
    stream, writer = await asyncio.open_connection(target.host, target.port)
    reader = _Reader()
    try:
        async with asyncio.timeout(HANG_SECONDS):
            try:
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                while data := await stream.read(65_536):
                    reader.feed(data)
            except ConnectionError:
                pass  # closed while we were sending: what had come before that counts
    finally:
        writer.close()
    return reader.replies


async def conversation(url: str, *pieces: bytes) -> list[Reply]:
    """Like `replies`, but each piece is sent only after the answer to the one before it; the last is a `PROBE`."""
    target = URL(url)
    stream, writer = await asyncio.open_connection(target.host, target.port)
    reader = _Reader()
    try:
        async with asyncio.timeout(HANG_SECONDS):
            try:
                for number, piece in enumerate((*pieces, PROBE)):
                    while len(reader.replies) < number:
                        data = await stream.read(65_536)
                        if not data:
                            return reader.replies
                        reader.feed(data)
                    writer.write(piece)
                    await writer.drain()
                while data := await stream.read(65_536):
                    reader.feed(data)
            except ConnectionError:
                pass
    finally:
        writer.close()
    return reader.replies
