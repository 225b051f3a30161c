"""A disk without room: what can't be kept is refused, what was kept stays, and all goes on when there is room again."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
import pytest

from localaik.settings import Settings
from localaik.state import faults
from tests.contract.conftest import RunningServer
from tests.contract.test_cli import HANG_SECONDS
from tests.fake_engine import Answer, ScriptedEngine
from tests.responses_grammar import check_stream, events_of_sse

StartServer = Callable[[Settings], RunningServer]

DISK_BYTES = 3 << 20
SPARE_BYTES = 200_000  # more than rows need, less than the file that is uploaded
FILE = b"0123456789" * 60_000
MESSAGES = [{"role": "user", "content": "Hi"}]
BATCH_LINE = (
    b'{"custom_id":"one","method":"POST","url":"/v1/responses","body":{"model":"m","input":"Hi","store":true}}\n'
)
CAUSE = "the disk is full"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="a small disk is mounted, which takes root on Linux",
)


class Disk:
    """A disk of 3 MiB, and something that takes its room away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, *, spare: int = 0) -> None:
        """Leave at most `spare` bytes."""
        room = os.statvfs(self.folder)
        with self._filler.open("ab", buffering=0) as file:
            try:
                for _ in range((room.f_bavail * room.f_frsize - spare) // 4096 + 1 - bool(spare)):
                    file.write(bytes(4096))
            except OSError:
                return

    def empty(self) -> None:
        """Give the room back."""
        self._filler.unlink()


@contextmanager
def mounted(folder: Path) -> Iterator[Disk]:
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Told(NamedTuple):
    status: int
    body: Any
    headers: Any


class Scene:
    def __init__(self, engine: ScriptedEngine, http: aiohttp.ClientSession, disk: Disk) -> None:
        self.engine = engine
        self.http = http
        self.disk = disk

    async def ask(self, method: str, path: str, **more: Any) -> Told:
        async with self.http.request(method, path, **more) as answer:
            body = await answer.read()
        is_object = body.startswith(b"{")
        return Told(answer.status, orjson.loads(body) if is_object else body, answer.headers)

    async def made(self, path: str, **body: Any) -> Any:
        told = await self.ask("POST", path, json=body)
        assert told.status == 200, told
        return told.body

    async def upload(self, data: bytes, purpose: str = "user_data") -> Told:
        form = aiohttp.FormData()
        form.add_field("purpose", purpose)
        form.add_field("file", data, filename="file.jsonl")
        return await self.ask("POST", "/v1/files", data=form)

    async def begin_upload(self) -> Told:
        headers = {
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(len(FILE)),
            "X-Goog-Upload-Header-Content-Type": "text/plain",
        }
        return await self.ask("POST", "/upload/v1beta/files", headers=headers, json={})

    async def end_upload(self, url: str) -> Told:
        headers = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
        return await self.ask("POST", url, headers=headers, data=FILE)


@asynccontextmanager
async def scene(start_server: StartServer, tmp_path: Path) -> AsyncIterator[Scene]:
    with mounted(tmp_path / "disk") as disk:
        async with asyncio.timeout(HANG_SECONDS), ScriptedEngine() as engine:
            settings = Settings(port=0, data_dir=str(disk.folder / "data"), upstream=engine.url, embeddings="off")
            server = await asyncio.to_thread(start_server, settings)
            async with aiohttp.ClientSession(server.url) as http:
                yield Scene(engine, http, disk)
            await asyncio.to_thread(server.stop)


async def test_what_can_not_be_kept_is_refused_and_nothing_kept_is_lost(
    start_server: StartServer, tmp_path: Path
) -> None:
    async with scene(start_server, tmp_path) as one:
        talk = (await one.made("/v1/conversations"))["id"]
        kept = await one.made("/v1/responses", model="m", input="Hi", conversation=talk)
        session = (await one.made("/v1/sessions"))["session_id"]
        file = (await one.upload(b"kept")).body["id"]
        upload = (await one.begin_upload()).headers["X-Goog-Upload-URL"]

        one.disk.fill()
        response = {"model": "m", "input": "Hi"}
        chat = {"model": "m", "messages": MESSAGES, "store": True}
        gemini: dict[str, Any] = {"batch": {"inputConfig": {"requests": {"requests": [{"request": {"contents": []}}]}}}}
        for path, body in (
            ("/v1/responses", response),
            ("/v1/responses", {**response, "background": True}),
            ("/v1/responses", {**response, "conversation": talk}),
            ("/v1/chat/completions", chat),
            ("/v1/conversations", {}),
            ("/v1/sessions", {}),
            ("/v1beta/models/m:batchGenerateContent", gemini),
        ):
            told = await one.ask("POST", path, json=body)
            assert (told.status, told.headers["Retry-After"]) == (503, "5"), (path, told)
            assert CAUSE in told.body["error"]["message"]
        assert (told.body["error"]["code"], told.body["error"]["status"]) == (503, "UNAVAILABLE")
        for told in (await one.upload(FILE), await one.end_upload(upload), await one.begin_upload()):
            assert told.status == 503, told
            assert CAUSE in told.body["error"]["message"]

        streamed = (await one.ask("POST", "/v1/responses", json={**response, "stream": True})).body
        failed = check_stream(events_of_sse(streamed))
        assert failed is not None
        assert (failed["status"], CAUSE in failed["error"]["message"]) == ("failed", True)
        streamed = (await one.ask("POST", "/v1/chat/completions", json={**chat, "stream": True})).body
        assert CAUSE.encode() in streamed
        assert b"[DONE]" not in streamed

        # What needs no room goes on.
        assert (await one.made("/v1/chat/completions", model="m", messages=MESSAGES))["choices"]
        assert (await one.ask("GET", "/health")).status == 200
        assert (await one.ask("GET", f"/v1/responses/{kept['id']}")).body == kept

        one.disk.empty()
        for path in (f"/v1/responses/{kept['id']}", f"/v1/sessions/{session}", f"/v1/files/{file}"):
            assert (await one.ask("GET", path)).status == 200, path
        assert (await one.ask("GET", f"/v1/files/{file}/content")).body == b"kept"
        items = (await one.ask("GET", f"/v1/conversations/{talk}/items")).body["data"]
        assert len(items) == 2  # what was refused left nothing
        assert (await one.end_upload(upload)).body["file"]["sizeBytes"] == str(len(FILE))
        await one.made("/v1/responses", **response, conversation=talk)


async def test_a_batch_waits_for_room(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "_DISK_SECONDS", 0)
    async with scene(start_server, tmp_path) as one:
        gate = asyncio.Event()
        one.engine.enqueue(Answer(tokens="Done.", first_byte=gate))
        file = (await one.upload(BATCH_LINE, "batch")).body["id"]
        batch = await one.made("/v1/batches", input_file_id=file, endpoint="/v1/responses", completion_window="24h")
        await one.engine.called(1)
        one.disk.fill()
        gate.set()
        await one.engine.called(2)  # it could not be kept, and is asked again
        one.disk.empty()
        while (told := (await one.ask("GET", f"/v1/batches/{batch['id']}")).body)["status"] != "completed":
            assert told["status"] in {"in_progress", "finalizing"}, told
        assert told["request_counts"] == {"total": 1, "completed": 1, "failed": 0}


async def test_bytes_that_find_no_room_beside_the_rows(start_server: StartServer, tmp_path: Path) -> None:
    async with scene(start_server, tmp_path) as one:
        await one.upload(b"kept")  # the database is there
        one.disk.fill(spare=SPARE_BYTES)
        told = await one.upload(FILE)
        assert (told.status, CAUSE in told.body["error"]["message"]) == (503, True), told
        listed = (await one.ask("GET", "/v1/files")).body["data"]
        assert [each["bytes"] for each in listed] == [4]
        assert (await one.upload(b"small")).status == 200  # what was refused gave its room back
