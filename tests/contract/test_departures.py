"""Callers who leave, at every stage of a request: whatever was begun for them ends, and their place is free."""

import asyncio
import base64
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from localaik.media.poppler import poppler_version
from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.contract.test_cli import HANG_SECONDS
from tests.contract.test_engine_death import read_until
from tests.fake_engine import Answer, ScriptedEngine
from tests.media_samples import make_pdf, pages_of_text

StartServer = Callable[[Settings], RunningServer]

CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}]}
GEMINI: dict[str, Any] = {"contents": [{"parts": [{"text": "Hi"}]}]}
RESPONSE: dict[str, Any] = {"model": "m", "input": "Hi"}
STREAMS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {**CHAT, "stream": True},
    "/v1/completions": {"model": "m", "prompt": "Hi", "stream": True},
    "/v1/responses": {**RESPONSE, "stream": True},
    "/v1beta/models/m:streamGenerateContent": GEMINI,
    "/v1beta/models/m:streamGenerateContent?alt=sse": GEMINI,
}
REQUESTS = [
    *STREAMS.items(),
    ("/v1/chat/completions", CHAT),
    ("/v1/responses", RESPONSE),
    ("/v1beta/models/m:generateContent", GEMINI),
]


class Scene:
    """A server whose engine has one slot, with one place in the queue in front of it."""

    def __init__(self, engine: ScriptedEngine, server: RunningServer, http: aiohttp.ClientSession) -> None:
        self.engine = engine
        self.server = server
        self.http = http

    async def ask(self) -> int:
        """The status of a request that needs the slot."""
        async with self.http.post("/v1/chat/completions", json=CHAT) as answer:
            await answer.read()
            return answer.status

    async def waiting(self, count: int) -> None:
        """Return when so many requests wait for the slot."""
        while self.server.server.engine.gate.waiting != count:
            async with self.http.get("/health/live") as answer:
                await answer.read()

    async def engine_is_left(self) -> None:
        """Return when the engine has noticed that nobody wants its answer any more."""
        await self.engine.disconnected.wait()
        self.engine.disconnected.clear()

    async def all_is_over(self) -> None:
        """Return when the server works on no request."""
        quiet = asyncio.run_coroutine_threadsafe(self.server.server.parts.face.quiet(), self.server.loop)
        await asyncio.wrap_future(quiet)


@pytest.fixture
async def scene(start_server: StartServer) -> AsyncIterator[Scene]:
    async with asyncio.timeout(HANG_SECONDS), ScriptedEngine() as engine:
        settings = Settings(
            port=0,
            state="memory",
            embeddings="off",
            upstream=engine.url,
            max_concurrent=1,
            queue_size=1,
            fetch="any",
        )
        server = await asyncio.to_thread(start_server, settings)
        async with aiohttp.ClientSession(server.url) as http:
            yield Scene(engine, server, http)
        await asyncio.to_thread(server.stop)


async def leaves(asking: Coroutine[Any, Any, Any], when: Coroutine[Any, Any, Any]) -> None:
    """Ask, and cut the connection when `when` has come, with nothing answered yet."""
    task = asyncio.create_task(asking)
    await when
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_b137_before_the_first_token(scene: Scene) -> None:
    for path, body in REQUESTS:
        scene.engine.enqueue(Answer(first_byte=asyncio.Event()))
        arrived = scene.engine.called(len(scene.engine.calls) + 1)
        await leaves(scene.http.post(path, json=body), arrived)
        await scene.engine_is_left()
        assert await scene.ask() == 200, path


async def test_b137_in_the_middle_of_an_answer(scene: Scene) -> None:
    for path, body in STREAMS.items():
        scene.engine.enqueue(Answer(tokens=("Hel", "lo"), gates={1: asyncio.Event()}))
        async with scene.http.post(path, json=body) as answer:
            await read_until(answer, b"Hel")
            answer.close()
        await scene.engine_is_left()
        assert await scene.ask() == 200, path

    scene.engine.enqueue(Answer(tokens=("Hel", "lo"), gates={1: asyncio.Event()}))
    socket = await scene.http.ws_connect("/v1/responses")
    await socket.send_json({"type": "response.create", **RESPONSE})
    while "Hel" not in await socket.receive_str():
        pass
    assert socket._conn is not None
    assert socket._conn.transport is not None
    socket._conn.transport.abort()
    await scene.engine_is_left()
    assert await scene.ask() == 200


async def test_b137_in_the_queue(scene: Scene) -> None:
    gate = asyncio.Event()
    scene.engine.enqueue(Answer(first_byte=gate))
    first = asyncio.create_task(scene.ask())
    await scene.engine.called(1)
    for path, body in REQUESTS:
        await leaves(scene.http.post(path, json=body), scene.waiting(1))
        await scene.waiting(0)
    last = asyncio.create_task(scene.ask())
    await scene.waiting(1)
    assert await scene.ask() == 503  # there is one place, and it was free
    gate.set()
    assert (await first, await last) == (200, 200)
    assert len(scene.engine.calls) == 2


async def test_b137_while_a_file_is_sent(scene: Scene) -> None:
    headers = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
    async with scene.http.post("/upload/v1beta/files", headers=headers, json={}) as answer:
        upload = answer.headers["X-Goog-Upload-URL"]
    form = (
        b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc'
    )
    command = "X-Goog-Upload-Command: upload, finalize\r\nX-Goog-Upload-Offset: 0\r\nContent-Type: text/plain"
    for path, more, sent in (
        (upload.removeprefix(scene.server.url), command, b"abc"),
        ("/v1/files", "Content-Type: multipart/form-data; boundary=x", form),
    ):
        host, _, port = scene.server.url.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n{more}\r\n\r\n"
        )
        writer.write(head.encode())
        assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await writer.drain()
        writer.transport.abort()
        await scene.all_is_over()
    async with scene.http.post(upload, headers={"X-Goog-Upload-Command": "query"}) as answer:
        told = answer.headers["X-Goog-Upload-Status"], answer.headers["X-Goog-Upload-Size-Received"]
    assert told == ("active", "0")
    async with scene.http.get("/v1/files") as answer:
        assert (await answer.json())["data"] == []


async def test_b137_while_a_file_is_fetched(scene: Scene) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def never(_request: web.Request) -> web.Response:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return web.Response()

    app = web.Application()
    app.router.add_get("/picture", never)
    async with TestServer(app, host="127.0.0.1", handler_cancellation=True) as pictures:
        part = {"type": "image_url", "image_url": {"url": str(pictures.make_url("/picture"))}}
        body = {"messages": [{"role": "user", "content": [part]}]}
        await leaves(scene.http.post("/v1/chat/completions", json=body), asked.wait())
        await left.wait()
        await scene.all_is_over()
    assert await scene.ask() == 200


@pytest.mark.skipif(sys.platform != "linux" or poppler_version() is None, reason="waits with pidfd_open for poppler")
async def test_b137_while_a_document_is_drawn(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pid")
    program = tmp_path / "pdftoppm"
    program.write_text(f'#!/bin/sh\necho $$ > "{tmp_path}/pid"\nexec sleep 600\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    descriptors: list[int] = []

    async def drawing() -> None:
        descriptors.append(os.pidfd_open(int(await asyncio.to_thread((tmp_path / "pid").read_text))))

    data = base64.b64encode(make_pdf(pages_of_text(1, 1))).decode()
    body = {"contents": [{"parts": [{"inlineData": {"mimeType": "application/pdf", "data": data}}]}]}
    await leaves(scene.http.post("/v1beta/models/m:generateContent", json=body), drawing())
    await readable(descriptors[0])  # the process has ended
    await scene.all_is_over()
    assert await scene.ask() == 200


async def readable(descriptor: int) -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, told.set)
    try:
        await told.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


@pytest.mark.skipif(poppler_version() is None, reason="needs poppler")
@pytest.mark.parametrize("program", ["pdftoppm", "pdfinfo"])
async def test_b115_a_killed_poppler_is_told_in_each_protocol(
    scene: Scene, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = tmp_path / program
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    data = base64.b64encode(make_pdf(pages_of_text(1, 1))).decode()
    uri = f"data:application/pdf;base64,{data}"
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": uri}}
    item = {"role": "user", "content": [{"type": "input_file", "filename": "a.pdf", "file_data": uri}]}
    contents = [{"parts": [{"inlineData": {"mimeType": "application/pdf", "data": data}}]}]
    for path, body in (
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": [file]}], "stream": True}),
        ("/v1/responses", {"model": "m", "input": [item]}),
        ("/v1beta/models/m:generateContent", {"contents": contents}),
    ):
        async with scene.http.post(path, json=body) as answer:
            error = (await answer.json())["error"]
        assert (answer.status, program in error["message"]) == (500, True), error
    assert await scene.ask() == 200
