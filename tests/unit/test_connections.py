"""Connections that say nothing, say it slowly, or are too many: over real sockets, without an engine."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from localaik.errors import LocalaikError
from localaik.http.body import read_body
from localaik.server.connections import Connections
from localaik.server.logs import JsonFormatter, TextFormatter
from localaik.settings import Settings
from tests.raw_caller import HANG_SECONDS, PROBE, Reply, conversation, replies

HEAD = b"POST /echo HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
REFUSED = b'{"error": "refused"}'


def refuse(_request: web.BaseRequest, target: str, error: LocalaikError) -> web.Response:
    return web.Response(status=400, body=REFUSED, headers={"target": target, "why": error.message})


@asynccontextmanager
async def serving(**settings: object) -> AsyncIterator[tuple[str, Connections]]:
    """A server that answers with what it got; `/wait` has to be freed by closing the connection."""
    chosen = Settings.model_validate(settings)

    async def echo(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/wait":
            await asyncio.Event().wait()
        try:
            return web.Response(body=await read_body(request, chosen), headers={"path": request.raw_path})
        except LocalaikError as error:
            return web.Response(status=418, text=error.message)

    connections = Connections(echo, refuse, chosen)
    runner = web.ServerRunner(connections, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", connections
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connected(url: str, *pieces: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    try:
        async with asyncio.timeout(HANG_SECONDS):
            yield reader, writer
    finally:
        writer.close()


@pytest.mark.parametrize("begun", [b"", b"\r\n", b"GET", PROBE[:-2], b"POST / HTTP/1.1\r\nContent-Length: 10\r\n"])
async def test_a_head_that_never_comes_ends_the_connection(begun: bytes) -> None:
    async with serving(header_timeout_seconds=0.05) as (url, _), connected(url, begun) as (reader, _writer):
        assert await reader.read() == b""


async def test_a_head_that_comes_byte_by_byte_ends_the_connection() -> None:
    """Each byte is news, but the time runs from the first one on."""
    async with serving(header_timeout_seconds=0.05) as (url, _), connected(url, b"GET / HTTP/1.1\r\nX: ") as streams:
        reader, writer = streams
        end = asyncio.create_task(reader.read())
        while not end.done():
            writer.write(b"a")
            await asyncio.wait([end], timeout=0.001)
        assert not end.exception() or isinstance(end.exception(), ConnectionError)


async def test_a_kept_connection_has_its_time_from_the_first_byte_of_the_next_head() -> None:
    async with serving(header_timeout_seconds=0.05) as (url, _), connected(url) as (reader, writer):
        writer.write(PROBE.replace(b"Connection: close\r\n", b""))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"GET ")
        assert await reader.read() == b""


async def test_the_time_for_a_head_bounds_neither_bodies_nor_answers_nor_kept_connections() -> None:
    async with serving(header_timeout_seconds=0.05) as (url, connections):
        async with connected(url, HEAD + b"Content-Length: 2\r\n\r\na") as (reader, writer):
            async with connected(url) as (other, _):
                await other.read()  # a connection that is younger has been closed meanwhile
            writer.write(b"b")
            assert (await reader.readuntil(b"ab")).startswith(b"HTTP/1.1 200 ")
            async with connected(url) as (other, _):
                await other.read()
            writer.write(PROBE)
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        assert not connections.heads


async def test_zero_seconds_are_no_limit() -> None:
    async with serving(header_timeout_seconds=0) as (url, connections), connected(url, b"GET") as (_, writer):
        assert not connections.heads
        writer.write(PROBE[3:])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while not condition():  # noqa: ASYNC110 - there is no event for what aiohttp keeps to itself
            await asyncio.sleep(0)


async def test_callers_beyond_the_limit_are_told_and_closed(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        serving(max_connections=2, header_timeout_seconds=0) as (url, connections),
        connected(url, b"GET") as one,
        connected(url, PROBE[:9]) as two,
    ):
        await until(lambda: len(connections.connections) == 2)
        for sent in (b"", PROBE, HEAD + b"Content-Length: 200000\r\n\r\n" + b"x" * 200_000):
            (told,) = await replies(url, sent)
            assert (told.status, told.headers["retry-after"], told.headers["connection"]) == (503, "1", "close")
            assert "LOCALAIK_MAX_CONNECTIONS" in told.error
        two[1].write(PROBE[9:])
        assert (await two[0].read()).startswith(b"HTTP/1.1 200 ")  # those who are in are served
        assert not one[0].at_eof()
        await until(lambda: len(connections.connections) == 1)
        assert [each.status for each in await replies(url, PROBE)] == [200]
    assert [record.getMessage() for record in caplog.records] == [
        "all 2 connections are in use (LOCALAIK_MAX_CONNECTIONS)"
    ]


async def test_the_crowd_of_those_turned_away_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localaik.server.connections._TURNED_AWAY_SECONDS", HANG_SECONDS)  # none leaves by itself
    async with serving(max_connections=1) as (url, connections), connected(url):
        await until(lambda: len(connections.connections) == 1)
        crowd = [await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2])) for _ in range(300)]
        got = await asyncio.gather(*(reader.read(12) for reader, _ in crowd), return_exceptions=True)
        for _, writer in crowd:
            writer.close()
    told = [each for each in got if each == b"HTTP/1.1 503"]
    assert 0 < len(told) <= 256
    assert all(each == b"" or isinstance(each, ConnectionError) for each in got if each not in told)


async def test_a_caller_who_leaves_makes_room() -> None:
    async with serving(max_connections=1) as (url, connections):
        for _ in range(5):
            assert [each.status for each in await replies(url, PROBE)] == [200]
            await until(lambda: not connections.connections)


@pytest.mark.parametrize(
    ("begun", "rest"),
    [
        (CHUNKED, b"zz\r\n"),
        (CHUNKED + b"5\r\nab", b"cdeXX"),
        (CHUNKED + b"2\r\nab\r\n", b"0\r\nA B: c\r\n\r\n"),
    ],
)
async def test_a_body_that_turns_out_to_be_broken_is_told_at_once(
    begun: bytes, rest: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Not when the time for bodies is over, and with one answer for one request."""
    async with serving(body_idle_seconds=0) as (url, connections), connected(url, begun) as (reader, writer):
        await until(lambda: any(each._current_request is not None for each in connections.connections))
        writer.write(rest)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 418 ")
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"can't be decoded" in answer
    assert not caplog.records


async def test_a_broken_body_behind_another_request_is_told_to_its_own_handler() -> None:
    async with serving(body_idle_seconds=0) as (url, connections), connected(url, b"GET /wait HTTP/1.1\r\n") as streams:
        reader, writer = streams
        writer.write(b"Host: localhost\r\n\r\n" + CHUNKED)
        await until(lambda: any(len(each._messages) == 1 for each in connections.connections))
        writer.write(b"zz\r\n")
        await until(lambda: any(each._close for each in connections.connections))
        (one,) = connections.connections
        assert len(one._messages) == 1
        assert isinstance(one._messages[0][1].exception(), web.RequestPayloadError)
        assert not reader.at_eof()


def plain(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.headers["target"]


@pytest.mark.parametrize(
    ("sent", "target"),
    [
        (b"GET /a/b?key=secret HTTP/1.1\r\n\r\n", "/a/b"),
        (b"GET /a\r\n\r\n", "/a"),
        (b"GET /a HTTP/3.0\r\nHost: localhost\r\n\r\n", "/a"),
        (b"POST /a HTTP/1.1\r\nHost: localhost\r\nX : y\r\n\r\n", "/a"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "/"),
        (b"GET a HTTP/1.1\r\nHost: localhost\r\n\r\n", "/"),
    ],
)
async def test_what_is_no_request_is_refused_in_the_name_of_its_target(
    sent: bytes, target: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as (url, _):
        (told,) = await replies(url, sent)
    assert plain(told) == (400, target)
    assert told.headers["connection"] == "close"
    assert "secret" not in told.headers["why"] + caplog.text


async def test_b141_what_is_no_http_is_logged_without_its_bytes(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as (url, _):
        await replies(url, b"POST /x/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk-\x001\r\n\r\n")
    (told,) = caplog.records
    assert (told.levelno, told.exc_info) == (logging.WARNING, None)
    assert told.getMessage() == "a request that is no valid HTTP was refused (BadHttpMessage)"
    assert "sk-" not in TextFormatter().format(told) + JsonFormatter().format(told)


@pytest.mark.parametrize(
    ("target", "host", "path"),
    [
        ("http://localhost/a?b=c", "localhost", "/a?b=c"),
        ("http://LOCALHOST:80/a", "localhost:80", "/a"),
        ("http://localhost", "localhost", "/"),
        ("http://other/a", "localhost", None),
        ("http://user:pw@localhost/a", "localhost", None),
        ("http://localhost/a", "", None),
    ],
)
async def test_a_whole_url_as_target_must_name_the_host(target: str, host: str, path: str | None) -> None:
    async with serving() as (url, _):
        (told,) = await replies(url, f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert (told.status, told.headers.get("path")) == ((200, path) if path else (400, None))


@pytest.mark.parametrize(
    ("coding", "statuses"),
    [("chunked", [200, 200]), ("Chunked", [200, 200]), ("identity, chunked", [400]), ("gzip, chunked", [400])],
)
async def test_only_plain_chunks_are_read(coding: str, statuses: list[int]) -> None:
    sent = HEAD + f"Transfer-Encoding: {coding}\r\n\r\n0\r\n\r\n".encode()
    async with serving() as (url, _):
        assert [each.status for each in await conversation(url, sent)] == statuses


@pytest.mark.parametrize(("sent", "read"), [(b"\xff\xfe", "\ufffd\ufffd"), ("ä".encode(), "ä")])
async def test_headers_are_always_text(sent: bytes, read: str) -> None:
    seen: list[str] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request.headers.get("x-name", ""))
        return web.Response()

    runner = web.ServerRunner(Connections(handle, refuse, Settings()), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await conversation(f"http://127.0.0.1:{runner.addresses[0][1]}", HEAD + b"X-Name: %b\r\n\r\n" % sent)
    await runner.cleanup()
    assert seen[0] == read


async def test_a_compressed_body_is_still_read() -> None:
    body = gzip.compress(b"hello")
    async with serving() as (url, _):
        sent = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        assert [each.body for each in await conversation(url, sent)] == [b"hello", b""]


def test_open_files_bound_the_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    limits = {"now": (256, 400)}

    def set_limit(_kind: int, pair: tuple[int, int]) -> None:
        limits["now"] = pair

    monkeypatch.setattr(resource, "getrlimit", lambda _kind: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    from localaik.server.connections import _that_fit

    assert _that_fit(2048) == 200
    assert limits["now"] == (400, 400)
    limits["now"] = (1024, 1_048_576)
    assert _that_fit(2048) == 2048
    assert limits["now"] == (2560, 1_048_576)
