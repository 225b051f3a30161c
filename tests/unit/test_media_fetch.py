"""Fetching, against servers on loopback, with names and addresses that the tests decide."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from ipaddress import ip_address
from socket import AF_INET, AddressFamily

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from localaik.media.addresses import IpAddress
from localaik.media.faults import MediaError
from localaik.media.fetch import Fetched, Fetcher
from localaik.settings import Settings

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handle], Awaitable[str]]
ANY = Settings(fetch="any")


class Names(AbstractResolver):
    """A resolver that answers each question about a name with the next of its address lists, and keeps count."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers = {name.replace("_", "."): lists for name, lists in answers.items()}
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_INET) -> list[ResolveResult]:
        self.asked.append(host)
        if host not in self._answers:
            raise OSError("unknown name")
        lists = self._answers[host]
        addresses = lists.pop(0) if len(lists) > 1 else lists[0]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=AF_INET, proto=0, flags=0)
            for address in addresses
        ]

    async def close(self) -> None:
        pass


class Requests(list[web.Request]):
    """What a server was asked."""


@pytest.fixture
def seen() -> Requests:
    return Requests()


@pytest.fixture
async def serve(seen: Requests) -> AsyncIterator[Serve]:
    """Starts servers of one handler and gives their URLs."""
    servers: list[TestServer] = []

    async def start(handle: Handle) -> str:
        async def answer(request: web.Request) -> web.StreamResponse:
            seen.append(request)
            return await handle(request)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        servers.append(server)
        return str(server.make_url("/"))

    yield start
    for server in servers:
        await server.close()


async def fetch(url: str, settings: Settings = ANY, **options: object) -> Fetched:
    fetcher = Fetcher(settings, **options)
    try:
        return await fetcher.fetch(url)
    finally:
        await fetcher.close()


async def refusal(url: str, settings: Settings = ANY, **options: object) -> MediaError:
    with pytest.raises(MediaError) as refused:
        await fetch(url, settings, **options)
    return refused.value


async def hello(_request: web.Request) -> web.Response:
    return web.Response(body=b"hello", content_type="image/png")


def port_of(url: str) -> str:
    return url.rsplit(":", 1)[1].rstrip("/")


async def test_b123_a_file_is_fetched_with_its_type(serve: Serve, seen: Requests) -> None:
    assert await fetch(await serve(hello) + "a/b?c=d") == Fetched(b"hello", "image/png")
    assert seen[0].path_qs == "/a/b?c=d"
    assert set(seen[0].headers) == {"Host", "Connection", "Accept", "Accept-Encoding", "User-Agent"}


async def test_no_cookies_are_kept(serve: Serve, seen: Requests) -> None:
    async def cookie(_request: web.Request) -> web.Response:
        return web.Response(headers={"Set-Cookie": "a=b"})

    url = await serve(cookie)
    fetcher = Fetcher(ANY)
    await fetcher.fetch(url)
    await fetcher.fetch(url)
    await fetcher.close()
    assert len(seen) == 2
    assert "Cookie" not in seen[1].headers


async def test_proxies_of_the_environment_are_not_used(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    url = await serve(hello)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert (await fetch(url)).data == b"hello"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://0.0.0.0:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://[64:ff9b::7f00:1]/",
    ],
)
async def test_b123_addresses_that_are_not_public_are_refused(serve: Serve, seen: Requests, url: str) -> None:
    fault = await refusal(url.format(port=port_of(await serve(hello))), Settings())
    assert fault.reason == "forbidden_address"
    assert "LOCALAIK_FETCH" in fault.message
    assert not seen


@pytest.mark.parametrize(
    "host",
    [
        *("127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost.", "0", "0x0", "0.0", "0x7f.1", "127.0.1"),
        *("LOCALHOST", "127.0.0.1.", "%31%32%37.0.0.1", "loc%61lhost", "１２７.0.0.1", "①②⑦.⓪.⓪.①", "127。0。0。1"),
        *(
            "[::]",
            "[::ffff:7f00:1]",
            "[0:0:0:0:0:0:0:1]",
            "[::127.0.0.1]",
            "[2002:7f00:1::]",
            "[::1%25lo]",
            "[fd00:ec2::254]",
        ),
    ],
)
async def test_b123_other_spellings_of_loopback_are_refused(serve: Serve, seen: Requests, host: str) -> None:
    fault = await refusal(f"http://{host}:{port_of(await serve(hello))}/", Settings())
    assert fault.reason in {"forbidden_address", "invalid_url", "fetch_failed"}
    assert not seen


async def test_b123_one_forbidden_address_of_several_refuses_the_name(seen: Requests, serve: Serve) -> None:
    names = Names(files_test=[["8.8.8.8", "127.0.0.1"]])
    fault = await refusal(f"http://files.test:{port_of(await serve(hello))}/", Settings(), resolver=names)
    assert fault.reason == "forbidden_address"
    assert not seen


def only(*addresses: str) -> Callable[[IpAddress], bool]:
    allowed = {ip_address(address) for address in addresses}
    return lambda address: address in allowed


async def test_b123_the_connection_goes_to_the_checked_address(serve: Serve, seen: Requests) -> None:
    """The name moves to a forbidden address after the check: nobody asks again."""
    names = Names(files_test=[["127.0.0.1"], ["127.0.0.2"]])
    url = f"http://files.test:{port_of(await serve(hello))}/x"
    fetched = await fetch(url, Settings(), resolver=names, is_allowed=only("127.0.0.1"))
    assert fetched.data == b"hello"
    assert names.asked == ["files.test"]
    assert seen[0].headers["Host"].startswith("files.test:")


async def test_b123_a_second_fetch_checks_the_name_again(serve: Serve, seen: Requests) -> None:
    names = Names(files_test=[["127.0.0.1"], ["127.0.0.2"]])
    url = f"http://files.test:{port_of(await serve(hello))}/x"
    fetcher = Fetcher(Settings(), resolver=names, is_allowed=only("127.0.0.1"))
    await fetcher.fetch(url)
    with pytest.raises(MediaError) as refused:
        await fetcher.fetch(url)
    await fetcher.close()
    assert refused.value.reason == "forbidden_address"
    assert len(seen) == 1


@pytest.mark.parametrize("target", ["http://inner.test:{port}/", "http://127.0.0.2:{port}/"])
async def test_b123_a_redirect_is_checked_again(serve: Serve, seen: Requests, target: str) -> None:
    inner = target.format(port=port_of(await serve(hello)))

    async def redirect(_request: web.Request) -> web.Response:
        raise web.HTTPFound(inner)

    names = Names(files_test=[["127.0.0.1"]], inner_test=[["127.0.0.2"]])
    url = f"http://files.test:{port_of(await serve(redirect))}/"
    fault = await refusal(url, Settings(), resolver=names, is_allowed=only("127.0.0.1"))
    assert fault.reason == "forbidden_address"
    assert len(seen) == 1


async def countdown(request: web.Request) -> web.Response:
    left = int(request.match_info["path"])
    if left:
        raise web.HTTPTemporaryRedirect(str(left - 1))
    return web.Response(body=b"end")


async def test_b123_three_redirects_are_followed_and_no_more(serve: Serve, seen: Requests) -> None:
    url = await serve(countdown)
    assert (await fetch(url + "3")).data == b"end"
    seen.clear()
    fault = await refusal(url + "4")
    assert (fault.reason, len(seen)) == ("fetch_failed", 4)
    assert "LOCALAIK_FETCH_MAX_REDIRECTS" in fault.message
    assert (await refusal(url + "1", Settings(fetch="any", fetch_max_redirects=0))).reason == "fetch_failed"


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("file:///etc/passwd", "invalid_url"),
        ("gs://bucket/x", "invalid_url"),
        ("http://user:secret@127.0.0.1/", "invalid_url"),
        ("http://[", "invalid_url"),
        ("", "fetch_failed"),
    ],
)
async def test_b123_redirects_to_other_things_are_refused(serve: Serve, location: str, reason: str) -> None:
    async def redirect(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": location} if location else {})

    assert (await refusal(await serve(redirect))).reason == reason


@pytest.mark.parametrize(
    "rest",
    [
        "x\r\nX-Injected: yes",
        "x\nX-Injected: yes",
        "x%0d%0aX-Injected:%20yes",
        "x HTTP/1.1\r\nX-Injected: yes\r\n\r\nGET /y",
        "?a\r\nX-Injected: yes",
        "#\r\nX-Injected: yes",
        "\0",
        "\u010d\u010aX-Injected: yes",
    ],
)
async def test_b123_nothing_in_a_url_becomes_a_header(serve: Serve, seen: Requests, rest: str) -> None:
    with suppress(MediaError):
        await fetch(await serve(hello) + rest)
    assert len(seen) <= 1
    assert not [request for request in seen if "X-Injected" in request.headers]


async def test_b123_a_body_that_trickles_has_the_time_of_the_whole_fetch(serve: Serve) -> None:
    """Each byte is news; the time runs on."""
    left = asyncio.Event()

    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x")
                await asyncio.sleep(0.001)
        finally:
            left.set()

    url = await serve(trickle)
    async with asyncio.timeout(30):
        fault = await refusal(url, Settings(fetch="any", fetch_timeout_seconds=0.1))
        await left.wait()
    assert fault.reason == "fetch_failed"
    assert "LOCALAIK_FETCH_TIMEOUT_SECONDS" in fault.message


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "GZIP", "gzip, gzip", "identity, gzip"])
async def test_b123_no_answer_is_unpacked(serve: Serve, coding: str) -> None:
    """So the limit of bytes holds for what is kept, too."""

    async def packed(_request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(bytes(1 << 20)), headers={"Content-Encoding": coding})

    assert (await refusal(await serve(packed))).reason == "fetch_failed"


async def test_b123_a_head_without_end_is_a_failure() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        with suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"X-Header: a\r\n" * 100)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with asyncio.timeout(30):
        fault = await refusal(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert fault.reason == "fetch_failed"
    server.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://user@files.test/",
        "http://user:secret@files.test/",
        "http://:secret@files.test/",
        "ftp://files.test/",
        "http://",
        "http:///path",
        "http://files.test:99999/",
        "http://[::1/",
        "https://www.youtube.com/watch?v=abc",
        "https://youtu.be/abc",
        "https://YouTube.com./watch",
    ],
)
async def test_b037_b123_other_urls_are_refused(url: str) -> None:
    names = Names()
    fault = await refusal(url, resolver=names)
    assert fault.reason == "invalid_url"
    assert "secret" not in fault.message
    assert not names.asked


async def test_b123_off_refuses_everything(serve: Serve, seen: Requests) -> None:
    fault = await refusal(await serve(hello), Settings(fetch="off"))
    assert fault.reason == "fetch_off"
    assert "LOCALAIK_FETCH" in fault.message
    assert not seen


async def test_b124_a_declared_size_over_the_limit_is_refused(serve: Serve) -> None:
    async def large(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 1001)

    settings = Settings(fetch="any", fetch_max_bytes=1000)
    fault = await refusal(await serve(large), settings)
    assert fault.reason == "fetch_too_large"
    assert all(word in fault.message for word in ("1001", "1000", "LOCALAIK_FETCH_MAX_BYTES"))


async def test_b124_no_more_than_the_limit_is_read(serve: Serve) -> None:
    """The server would go on for ever; it is left at the limit."""
    left = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
        finally:
            left.set()

    url = await serve(endless)
    async with asyncio.timeout(30):
        fault = await refusal(url, Settings(fetch="any", fetch_max_bytes=100_000))
        await left.wait()
    assert fault.reason == "fetch_too_large"
    assert "LOCALAIK_FETCH_MAX_BYTES" in fault.message


async def test_b124_a_file_of_just_the_limit_is_read(serve: Serve) -> None:
    assert (await fetch(await serve(hello), Settings(fetch="any", fetch_max_bytes=5))).data == b"hello"


@pytest.mark.parametrize("status", [204, 206, 304, 401, 404, 500])
async def test_b123_other_statuses_are_failures(serve: Serve, status: int) -> None:
    async def failing(_request: web.Request) -> web.Response:
        return web.Response(status=status)

    fault = await refusal(await serve(failing) + "path?key=secret")
    assert fault.reason == "fetch_failed"
    assert fault.message == f"could not fetch http://127.0.0.1: the server answered with status {status}."


async def test_a_compressed_answer_is_a_failure(serve: Serve) -> None:
    async def compressed(_request: web.Request) -> web.Response:
        return web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})

    assert (await refusal(await serve(compressed))).reason == "fetch_failed"


async def test_b123_a_slow_server_is_a_failure(serve: Serve) -> None:
    never = asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    fault = await refusal(await serve(slow), Settings(fetch="any", fetch_timeout_seconds=0.05))
    never.set()
    assert fault.reason == "fetch_failed"
    assert "LOCALAIK_FETCH_TIMEOUT_SECONDS" in fault.message


async def test_b123_a_slow_name_server_is_a_failure() -> None:
    class Slow(Names):
        async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_INET) -> list[ResolveResult]:
            await asyncio.Event().wait()
            return []

    fault = await refusal("http://files.test/", Settings(fetch_connect_timeout_seconds=0.05), resolver=Slow())
    assert fault.reason == "fetch_failed"
    assert "LOCALAIK_FETCH_CONNECT_TIMEOUT_SECONDS" in fault.message


async def test_unknown_names_and_closed_ports_are_failures(unused_tcp_port: int) -> None:
    unknown = await refusal("http://nowhere.test/", resolver=Names())
    closed = await refusal(f"http://127.0.0.1:{unused_tcp_port}/")
    assert (unknown.reason, closed.reason) == ("fetch_failed", "fetch_failed")


async def test_an_answer_that_is_no_http_is_a_failure() -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-server\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert (await refusal(f"http://127.0.0.1:{port}/")).reason == "fetch_failed"
    server.close()
    await server.wait_closed()


async def test_a_body_that_breaks_off_is_a_failure(serve: Serve) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"x")
        assert request.transport is not None
        request.transport.close()
        return response

    assert (await refusal(await serve(broken))).reason == "fetch_failed"


async def test_b137_a_cancelled_fetch_closes_its_connection(serve: Serve) -> None:
    started, left = asyncio.Event(), asyncio.Event()

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        started.set()
        try:
            while True:
                await response.write(b"x")
                await asyncio.sleep(0)
        finally:
            left.set()

    url = await serve(drip)
    task = asyncio.create_task(fetch(url, Settings(fetch="any", fetch_max_bytes=0)))
    await started.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(30):
        await left.wait()
    assert task.cancelled()
