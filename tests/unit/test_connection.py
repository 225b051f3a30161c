"""The HTTP client for engines, against a server that is a script of bytes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from yarl import URL

from localaik.engine.connection import Pool
from localaik.errors import EngineUnreachable, TimedOut

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class Peer:
    """Runs one script for each connection and keeps the requests it was sent."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.scripts: list[Script] = []
        self.connections = 0
        self.received = asyncio.Event()
        self.gone = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.scripts.pop(0)(reader, writer)
        finally:
            writer.close()

    async def receive(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        self.requests.append(head + await reader.readexactly(length))
        self.received.set()
        return self.requests[-1]

    def answer(self, *answers: bytes, then: str = "close") -> Script:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for answer in answers:
                await self.receive(reader)
                writer.write(answer)
                await writer.drain()
            if then == "wait":
                await reader.read()
                self.gone.set()

        return script


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    server = await asyncio.start_server(peer.handle, "127.0.0.1", 0)
    peer.url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")  # type: ignore[attr-defined]
    yield peer
    server.close()


def pool_for(peer: Peer, *, keep_alive: bool = True) -> Pool:
    return Pool(peer.url, connect_seconds=5, keep_alive=keep_alive)  # type: ignore[attr-defined]


async def ask(pool: Pool, seconds: float = 10) -> tuple[int, bytes]:
    response = await pool.request("POST", "/x?a=b", {"A": "1"}, b"body", first_byte_seconds=seconds)
    try:
        return response.status, await response.read_all(10_000, seconds)
    finally:
        response.close()


async def test_b155_a_complete_answer_leaves_the_connection_for_the_next_request(peer: Peer) -> None:
    peer.scripts = [peer.answer(OK, OK, OK, then="wait")]
    pool = pool_for(peer)
    assert [await ask(pool) for _ in range(3)] == [(200, b"hi")] * 3
    assert peer.connections == 1
    assert peer.requests[0].startswith(b"POST /x?a=b HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nA: 1\r\nContent-Length: 4\r\n\r\nbody" in peer.requests[0]
    pool.close()


async def test_without_keep_alive_every_request_has_its_own_connection(peer: Peer) -> None:
    peer.scripts = [peer.answer(OK, then="wait"), peer.answer(OK, then="wait")]
    pool = pool_for(peer, keep_alive=False)
    assert [await ask(pool) for _ in range(2)] == [(200, b"hi")] * 2
    assert peer.connections == 2
    assert b"Connection: close" in peer.requests[0]


async def test_b154_a_kept_connection_that_was_closed_is_replaced_once(peer: Peer) -> None:
    async def closes_after_the_second_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.answer(OK)(reader, writer)
        await peer.receive(reader)

    peer.scripts = [closes_after_the_second_request, peer.answer(OK)]
    pool = pool_for(peer)
    assert [await ask(pool) for _ in range(2)] == [(200, b"hi")] * 2
    assert peer.connections == 2


async def test_b154_a_new_connection_that_fails_is_not_tried_again(peer: Peer) -> None:
    peer.scripts = [peer.answer(b"")]
    with pytest.raises(EngineUnreachable, match="closed the connection"):
        await ask(pool_for(peer))
    assert peer.connections == 1


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3\r\n yo\r\n0\r\n\r\n", b"hi yo"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.0 404 Not Found\r\nContent-Length: 2\r\n\r\nno", b"no"),
    ],
)
async def test_every_framing_of_a_body_is_read(peer: Peer, answer: bytes, body: bytes) -> None:
    peer.scripts = [peer.answer(answer)]
    assert (await ask(pool_for(peer)))[1] == body


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
    ],
)
async def test_b152_a_body_that_breaks_off_is_a_fault(peer: Peer, answer: bytes) -> None:
    peer.scripts = [peer.answer(answer)]
    with pytest.raises(EngineUnreachable, match="broke"):
        await ask(pool_for(peer))


async def test_what_is_no_http_is_a_fault(peer: Peer) -> None:
    peer.scripts = [peer.answer(b"SSH-2.0-nope\r\n\r\n", then="wait")]
    with pytest.raises(EngineUnreachable, match="no HTTP"):
        await ask(pool_for(peer))


async def test_b153_no_first_byte_in_time(peer: Peer) -> None:
    peer.scripts = [peer.answer(b"", then="wait")]
    with pytest.raises(TimedOut):
        await ask(pool_for(peer), seconds=0.01)
    async with asyncio.timeout(10):
        await peer.gone.wait()


async def test_b153_a_head_that_drips_in_is_no_sign_of_life(peer: Peer) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.receive(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(b"X-A: b\r\n")
            await asyncio.sleep(0.002)

    peer.scripts = [drip]
    async with asyncio.timeout(10):
        with pytest.raises(TimedOut):
            await ask(pool_for(peer), seconds=0.05)


async def test_a_head_without_an_end_is_a_fault(peer: Peer) -> None:
    peer.scripts = [peer.answer(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 40_000, then="wait")]
    with pytest.raises(EngineUnreachable, match="no HTTP"):
        await ask(pool_for(peer))
    async with asyncio.timeout(10):
        await peer.gone.wait()


async def test_b153_silence_in_the_middle_after_a_longer_wait_for_the_head(peer: Peer) -> None:
    peer.scripts = [peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi", then="wait")]
    response = await pool_for(peer).request("GET", "/", {}, b"", first_byte_seconds=600)
    assert await response.read(600) == b"hi"
    with pytest.raises(TimedOut):
        await response.read(0.01)
    response.close()
    async with asyncio.timeout(10):
        await peer.gone.wait()


async def test_b137_closing_an_unfinished_answer_closes_the_connection(peer: Peer) -> None:
    peer.scripts = [peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi", then="wait")]
    response = await pool_for(peer).request("GET", "/", {}, b"", first_byte_seconds=10)
    response.close()
    async with asyncio.timeout(10):
        await peer.gone.wait()


async def test_a_cancelled_request_closes_its_connection(peer: Peer) -> None:
    peer.scripts = [peer.answer(b"", then="wait")]
    task = asyncio.create_task(ask(pool_for(peer)))
    await peer.received.wait()
    task.cancel()
    async with asyncio.timeout(10):
        await peer.gone.wait()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_refused_connection_is_a_fault_without_an_address_in_it(peer: Peer) -> None:
    pool = Pool(URL("http://127.0.0.1:1"), connect_seconds=5, keep_alive=True)
    with pytest.raises(EngineUnreachable, match="refused") as fault:
        await ask(pool)
    assert "127.0.0.1" not in fault.value.message


async def test_a_large_body_that_nobody_reads_is_held_back_and_arrives_whole(peer: Peer) -> None:
    size = 20_000_000
    peer.scripts = [peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))]
    response = await pool_for(peer).request("GET", "/", {}, b"", first_byte_seconds=10)
    total = 0
    while piece := await response.read(10):
        assert len(piece) < 3_000_000
        total += len(piece)
    assert total == size
    response.close()
