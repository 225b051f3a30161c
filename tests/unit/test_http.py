"""Bodies and streams over a real socket, with handlers of three lines."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

import orjson
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from localaik.errors import BadRequest, EngineUnreachable, LocalaikError, RequestTooLarge, TimedOut, WrongContentType
from localaik.http.body import parse_json, read_json
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.http.stream import stream_events
from localaik.settings import Settings

Handle = Callable[[Call], Awaitable[web.StreamResponse]]
JSON = {"Content-Type": "application/json"}


class Face:
    """A server with one handler, which keeps what the handler raised."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self.raised: BaseException | None = None
        self.ended = asyncio.Event()

    async def __aenter__(self) -> "Face":
        app = web.Application()
        app.router.add_route("*", "/", self._answer)
        self._server = TestServer(app)
        await self._server.start_server(auto_decompress=False)  # as the real server
        self.url = self._server.make_url("/")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._handle(Call(request, "req_1", "test"))
        except LocalaikError as error:
            self.raised = error
            return web.Response(status=400)
        except asyncio.CancelledError as error:
            self.raised = error
            raise
        finally:
            self.ended.set()


async def post(
    body: bytes, headers: dict[str, str], settings: Settings | None = None
) -> tuple[object, BaseException | None]:
    seen: list[object] = []

    async def handle(call: Call) -> web.Response:
        seen.append(await read_json(call, settings or Settings()))
        return web.Response()

    async with Face(handle) as face, ClientSession() as session:
        async with session.post(face.url, data=body, headers=headers, skip_auto_headers=["Content-Type"]):
            pass
        return (seen or [None])[0], face.raised


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a":[1,2.5,"x"]}', {"a": [1, 2.5, "x"]}),
        (b"\xef\xbb\xbf{}", {}),
        (b" [] \n", []),
        ('{"ä":1}'.encode(), {"ä": 1}),
    ],
)
async def test_b013_one_json_value_is_read(body: bytes, value: object) -> None:
    assert await post(body, JSON) == (value, None)


@pytest.mark.parametrize("body", [b"", b"{", b"{} {}", b"{}x", b'{"a":NaN}', b'{"a":"\xff"}', b"\xff\xfe{\x00}\x00"])
async def test_b013_anything_else_is_refused(body: bytes) -> None:
    _, raised = await post(body, JSON)
    assert isinstance(raised, BadRequest)
    assert raised.reason == "invalid_json"


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ({"Content-Type": "application/json; charset=UTF-8"}, True),
        ({"Content-Type": "application/vnd.api+json"}, True),
        ({}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Content-Type": "text/plain"}, False),
        ({"Content-Type": "application/x-www-form-urlencoded"}, False),
        ({"Content-Type": "application/json; charset=utf-16"}, False),
    ],
)
async def test_b014_only_json_is_taken_for_json(headers: dict[str, str], accepted: bool) -> None:
    value, raised = await post(b"{}", headers)
    assert (value == {}) is accepted
    assert isinstance(raised, WrongContentType) is not accepted


async def test_a_compressed_body_is_read_and_a_broken_one_refused() -> None:
    headers = {**JSON, "Content-Encoding": "gzip"}
    assert await post(gzip.compress(b'{"a":1}'), headers) == ({"a": 1}, None)
    _, raised = await post(b"no gzip at all", headers)
    assert isinstance(raised, BadRequest)


async def test_the_size_limit_holds_before_and_after_decompression() -> None:
    settings = Settings(max_body_bytes=1000)
    _, raised = await post(b'"' + b"x" * 2000 + b'"', JSON, settings)
    assert isinstance(raised, RequestTooLarge)
    _, raised = await post(gzip.compress(b'"' + b"x" * 100_000 + b'"'), {**JSON, "Content-Encoding": "gzip"}, settings)
    assert isinstance(raised, RequestTooLarge)


async def test_a_body_that_never_comes_is_given_up() -> None:
    async def handle(call: Call) -> web.Response:
        await read_json(call, Settings(body_idle_seconds=0.01))
        return web.Response()

    async with Face(handle) as face:
        _, writer = await asyncio.open_connection(face.url.host, face.url.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{")
        async with asyncio.timeout(10):
            await face.ended.wait()
        assert isinstance(face.raised, TimedOut)
        writer.close()


@pytest.mark.parametrize(("depth", "refused"), [(100, False), (101, True)])
def test_the_depth_limit(depth: int, refused: bool) -> None:
    body = b"[" * depth + b"]" * depth
    if refused:
        with pytest.raises(BadRequest, match="LOCALAIK_MAX_JSON_DEPTH"):
            parse_json(body, 100)
    else:
        parse_json(body, 100)
    parse_json(b"[" + b"[]," * 500 + b"[]]", 100)


async def test_answers_are_compressed_for_those_who_accept_it() -> None:
    async def handle(call: Call) -> web.Response:
        return json_response({"a": "b" * 100}, gzip_for=call)

    async with Face(handle) as face, ClientSession(auto_decompress=False) as session:
        async with session.get(face.url, headers={"Accept-Encoding": "gzip"}) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert orjson.loads(gzip.decompress(await response.read())) == {"a": "b" * 100}
        async with session.get(face.url, headers={"Accept-Encoding": "identity"}) as response:
            assert "Content-Encoding" not in response.headers


class Letters:
    """An encoder of letters."""

    def feed(self, events: Sequence[str]) -> bytes:
        return "".join(events).encode()

    def fail(self, error: LocalaikError) -> bytes:
        return f"!{type(error).__name__}".encode()


def streamed(batches: AsyncGenerator[Sequence[str], None], **options: float | bytes) -> Handle:
    async def handle(call: Call) -> web.StreamResponse:
        return await stream_events(call, batches, Letters(), content_type="text/x", **options)  # type: ignore[arg-type]

    return handle


async def test_batches_are_written_in_order() -> None:
    async def batches() -> AsyncGenerator[Sequence[str], None]:
        yield ["a", "b"]
        yield [""]
        yield ["c"]

    async with Face(streamed(batches())) as face, ClientSession() as session, session.get(face.url) as response:
        assert (response.status, await response.text()) == (200, "abc")


async def test_b061_a_fault_before_the_first_batch_is_an_ordinary_error() -> None:
    async def batches() -> AsyncGenerator[Sequence[str], None]:
        raise EngineUnreachable("gone")
        yield []

    async with Face(streamed(batches())) as face, ClientSession() as session, session.get(face.url) as response:
        assert response.status == 400
        assert isinstance(face.raised, EngineUnreachable)


@pytest.mark.parametrize(
    ("fault", "end"), [(EngineUnreachable("gone"), "!EngineUnreachable"), (KeyError(), "!InternalFault")]
)
async def test_b062_a_later_fault_ends_the_body_with_the_protocols_error(fault: Exception, end: str) -> None:
    async def batches() -> AsyncGenerator[Sequence[str], None]:
        yield ["a"]
        raise fault

    async with Face(streamed(batches())) as face, ClientSession() as session, session.get(face.url) as response:
        assert (response.status, await response.text()) == (200, "a" + end)


async def test_b137_the_callers_departure_closes_the_batches() -> None:
    closed = asyncio.Event()

    async def batches() -> AsyncGenerator[Sequence[str], None]:
        try:
            yield ["a"]
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with Face(streamed(batches())) as face, ClientSession() as session:
        response = await session.get(face.url)
        await response.content.readexactly(1)
        response.close()
        async with asyncio.timeout(10):
            await closed.wait()


async def test_silence_is_filled_with_pings() -> None:
    enough = asyncio.Event()

    async def batches() -> AsyncGenerator[Sequence[str], None]:
        yield ["a"]
        await enough.wait()
        yield ["b"]

    handle = streamed(batches(), ping=b".", ping_seconds=0.005)
    async with Face(handle) as face, ClientSession() as session, session.get(face.url) as response:
        assert await response.content.readexactly(3) == b"a.."
        enough.set()
        assert (await response.text()).endswith("b")


def members(*texts: bytes) -> bytes:
    return b"".join([gzip.compress(text, mtime=0) for text in texts])


def bare(text: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(text) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", members(b'{"a":1}')),
        ("GZIP", members(b'{"a"', b"", b":1}")),
        ("x-gzip", members(b'{"a":1}')),
        ("deflate", zlib.compress(b'{"a":1}')),
        ("deflate", bare(b'{"a":1}')),
        ("identity", b'{"a":1}'),
        ("", b'{"a":1}'),
    ],
)
async def test_packed_bodies_are_unpacked(coding: str, body: bytes) -> None:
    assert await post(body, {**JSON, "Content-Encoding": coding}) == ({"a": 1}, None)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b""),
        ("gzip", b'{"a":1}'),
        ("gzip", members(b'{"a":1}')[:-1]),
        ("gzip", members(b'{"a":1}') + b"junk"),
        ("gzip", zlib.compress(b'{"a":1}')),
        ("deflate", zlib.compress(b'{"a":1}') + b"junk"),
        ("deflate", zlib.compress(b'{"a":1}')[:-1]),
        ("deflate", members(b'{"a":1}')),
    ],
)
async def test_damaged_packed_bodies_are_refused(coding: str, body: bytes) -> None:
    value, raised = await post(body, {**JSON, "Content-Encoding": coding})
    assert value is None
    assert isinstance(raised, BadRequest)
    assert raised.reason == "invalid_json"


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "gzip;q=1", "aws-chunked", "*"])
async def test_unknown_codings_are_refused_and_not_taken_for_none(coding: str) -> None:
    value, raised = await post(b'{"a":1}', {**JSON, "Content-Encoding": coding})
    assert value is None
    assert isinstance(raised, WrongContentType)


async def test_a_bomb_is_unpacked_up_to_the_limit_while_others_have_their_turn() -> None:
    bomb = gzip.compress(bytes(1 << 24))
    turns = 0

    async def handle(call: Call) -> web.Response:
        nonlocal turns
        reading = asyncio.create_task(read_json(call, Settings(max_body_bytes=1 << 23)))
        while not reading.done():
            await asyncio.sleep(0)
            turns += 1
        await reading
        return web.Response()

    async with Face(handle) as face, ClientSession() as session:
        async with session.post(face.url, data=bomb, headers={**JSON, "Content-Encoding": "gzip"}):
            pass
        assert isinstance(face.raised, RequestTooLarge)
    assert turns > 16
