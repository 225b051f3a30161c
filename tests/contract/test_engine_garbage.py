"""Engines that answer with anything but an answer, down to the bytes of HTTP: each is a clean fault, and the last one
to suffer is the request that met it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import orjson
import pytest

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.contract.test_cli import HANG_SECONDS
from tests.contract.test_engine_death import read_until
from tests.responses_grammar import check_stream, events_of_sse

StartServer = Callable[[Settings], RunningServer]

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = EVENTS + b"Transfer-Encoding: chunked\r\n\r\n"
FIRST = b'data: {"choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
MAX_EVENT_BYTES = 65_536

AT_ONCE: dict[str, bytes] = {
    "nothing": b"",
    "no http": b"SSH-2.0-OpenSSH_9.6\r\n",
    "half a status line": b"HTTP/1.1 20",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Ty",
    "status out of range": b"HTTP/1.1 99999 What\r\n\r\n",
    "negative length": EVENTS + b"Content-Length: -1\r\n\r\n" + FIRST,
    "two lengths": EVENTS + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\n" + FIRST,
    "length and chunks": EVENTS + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
    "no event stream": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
    "whole instead of streamed": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 40_000,
    "a redirect": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "an empty stream": EVENTS + b"Content-Length: 0\r\n\r\n",
}
IN_THE_MIDDLE: dict[str, bytes] = {
    "half a frame": b'data: {"choi',
    "no json": b"data: <html>\n\n",
    "json of another kind": b"data: [1, 2]\n\n",
    "choices of another kind": b'data: {"choices": 7}\n\n',
    "an error": b'data: {"error":{"message":"boom","code":500}}\n\n',
    "a line without end": b"data: " + b"a" * (2 * MAX_EVENT_BYTES),
    "broken utf-8": b'data: {"choices":[{"index":0,"delta":{"content":"\xff\xfe"}}]}\n\n',
    "zeros": bytes(1000) + b"\n\n",
}


class RawEngine:
    """Answers each POST with the bytes that a test gives it, and closes. It has no other routes."""

    def __init__(self) -> None:
        self.answer = b""
        self.rest = b""
        """What follows when `go` is set."""
        self.go = asyncio.Event()
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"POST"):
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
                writer.write(self.answer)
                await writer.drain()
                if self.rest:
                    await self.go.wait()
                    writer.write(self.rest)
            else:
                writer.write(NOT_FOUND)
            await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()


@asynccontextmanager
async def scene(start_server: StartServer) -> AsyncIterator[tuple[RawEngine, aiohttp.ClientSession]]:
    engine = RawEngine()
    listening = await asyncio.start_server(engine.handle, "127.0.0.1", 0)
    async with asyncio.timeout(HANG_SECONDS), listening:
        engine.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
        settings = Settings(
            port=0, state="memory", embeddings="off", upstream=engine.url, upstream_max_event_bytes=MAX_EVENT_BYTES
        )
        server = await asyncio.to_thread(start_server, settings)
        async with aiohttp.ClientSession(server.url) as http:
            yield engine, http
        await asyncio.to_thread(server.stop)


async def refused(http: aiohttp.ClientSession, path: str, body: dict[str, object]) -> int:
    async with http.post(path, json=body) as answer:
        told = orjson.loads(await answer.read())
    assert set(told[0] if isinstance(told, list) else told) == {"error"}
    return answer.status


async def streamed(engine: RawEngine, http: aiohttp.ClientSession, path: str, body: dict[str, object]) -> bytes:
    """A stream whose beginning is told before the engine goes on."""
    engine.go.clear()
    async with http.post(path, json=body) as answer:
        assert answer.status == 200
        beginning = await read_until(answer, b"Hel")
        engine.go.set()
        return beginning + await answer.read()


CHAT: dict[str, object] = {"messages": [{"role": "user", "content": "Hi"}]}
GEMINI: dict[str, object] = {"contents": [{"parts": [{"text": "Hi"}]}]}
RESPONSE: dict[str, object] = {"model": "m", "input": "Hi"}
MODEL = "/v1beta/models/m"


async def test_b152_what_is_no_answer_is_a_fault_in_every_protocol(
    start_server: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene(start_server) as (engine, http):
        for name, answer in AT_ONCE.items():
            engine.answer = answer
            told = [
                await refused(http, "/v1/chat/completions", CHAT),
                await refused(http, "/v1/chat/completions", {**CHAT, "stream": True}),
                await refused(http, "/v1/responses", RESPONSE),
                await refused(http, "/v1/responses", {**RESPONSE, "stream": True}),
                await refused(http, f"{MODEL}:generateContent", GEMINI),
                await refused(http, f"{MODEL}:streamGenerateContent", GEMINI),
                await refused(http, f"{MODEL}:streamGenerateContent?alt=sse", GEMINI),
            ]
            assert set(told) == {502}, (name, told)
    assert not [record for record in caplog.records if record.exc_info]


async def test_b152_what_goes_wrong_in_the_middle_ends_the_stream_with_an_error(
    start_server: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene(start_server) as (engine, http):
        for name, rest in IN_THE_MIDDLE.items():
            engine.answer = CHUNKED + chunk(FIRST)
            engine.rest = chunk(rest) + b"0\r\n\r\n"
            text = await streamed(engine, http, "/v1/chat/completions", {**CHAT, "stream": True})
            assert b'"error":{' in text.strip().split(b"\n\n")[-1], (name, text)
            assert b"[DONE]" not in text
            text = await streamed(engine, http, f"{MODEL}:streamGenerateContent", GEMINI)
            assert orjson.loads(text)[-1]["error"]["code"] == 502, name
            text = await streamed(engine, http, "/v1/responses", {**RESPONSE, "stream": True})
            response = check_stream(events_of_sse(text))
            assert response is not None
            assert (response["status"], response["output_text"]) == ("failed", "Hel"), name
            assert await refused(http, "/v1/chat/completions", CHAT) == 502, name

            # The same without a length of its own: the connection's end is no end of an answer.
            engine.answer, engine.rest = EVENTS + b"\r\n" + FIRST, rest
            text = await streamed(engine, http, "/v1/chat/completions", {**CHAT, "stream": True})
            assert b'"error":{' in text.strip().split(b"\n\n")[-1], (name, text)

        engine.rest = LAST
        text = await streamed(engine, http, "/v1/chat/completions", {**CHAT, "stream": True})
        assert text.endswith(b"data: [DONE]\n\n")
    assert not [record for record in caplog.records if record.exc_info]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
