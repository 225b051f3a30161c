"""Uploads in parts: what they become, what is refused, and what is left of those that end or break off."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData

from localaik.errors import BadRequest
from localaik.state.faults import UnknownUpload, UploadEnded
from localaik.state.part_uploads import PartUploads
from localaik.state.records import NewFile
from tests.openai_caller import Answer, Caller, serving
from tests.state_samples import START, broken, names, pieces, store_in

ROOT = Path(__file__).parent.parent.parent
NEW: dict[str, object] = {"filename": "a.txt", "bytes": 6, "mime_type": "text/plain", "purpose": "assistants"}


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(tmp_path) as one:
        yield one


async def begin(caller: Caller, **fields: object) -> str:
    answer = await caller.ask("POST", "/v1/uploads", {**NEW, **fields})
    assert answer.status == 200, answer.body
    return f"/v1/uploads/{answer.json['id']}"


async def send(caller: Caller, upload: str, data: bytes) -> Answer:
    body = FormData(default_to_multipart=True)
    body.add_field("data", data, filename="upload")
    return await caller.ask("POST", f"{upload}/parts", body)


async def part(caller: Caller, upload: str, data: bytes) -> str:
    answer = await send(caller, upload, data)
    assert answer.status == 200, answer.body
    return str(answer.json["id"])


async def complete(caller: Caller, upload: str, *part_ids: str, **fields: Any) -> Answer:
    return await caller.ask("POST", f"{upload}/complete", {"part_ids": part_ids, **fields})


async def test_parts_become_a_file_in_the_order_given(caller: Caller) -> None:
    made = await caller.ask("POST", "/v1/uploads", {**NEW, "expires_after": {"anchor": "created_at", "seconds": 7200}})
    upload_id = made.json["id"]
    assert upload_id.startswith("upload_")
    pending = {
        "id": upload_id,
        "object": "upload",
        "bytes": 6,
        "created_at": int(START),
        "filename": "a.txt",
        "purpose": "assistants",
        "status": "pending",
        "expires_at": int(START) + 3600,
        "file": None,
    }
    assert made.json == pending
    upload = f"/v1/uploads/{upload_id}"
    answer = await send(caller, upload, b"def")
    second = answer.json["id"]
    assert answer.json == {
        "id": second,
        "object": "upload.part",
        "created_at": int(START),
        "upload_id": upload_id,
    }
    first = await part(caller, upload, b"abc")
    await part(caller, upload, b"xyz")
    assert (await caller.ask("GET", "/v1/files")).json["data"] == []
    caller.clock.now += 10
    answer = await complete(caller, upload, first, second, md5=hashlib.md5(b"abcdef").hexdigest().upper())
    file = answer.json["file"]
    assert answer.json == {**pending, "status": "completed", "file": file}
    assert (file["bytes"], file["filename"], file["purpose"]) == (6, "a.txt", "assistants")
    assert (file["created_at"], file["expires_at"]) == (int(START) + 10, int(START) + 7210)
    content = await caller.ask("GET", f"/v1/files/{file['id']}/content")
    assert (content.body, content.headers["Content-Type"]) == (b"abcdef", "text/plain")
    assert len(names(caller.folder)) == 1


async def test_what_does_not_add_up_is_refused_and_can_be_mended(caller: Caller) -> None:
    upload = await begin(caller)
    first, second = await part(caller, upload, b"abc"), await part(caller, upload, b"def")
    other = await part(caller, await begin(caller), b"abc")
    for part_ids, param, words in (
        ([first], "part_ids", "have 3 bytes together, but 6 were declared"),
        ([first, first, second], "part_ids", "have 9 bytes"),
        ([first, other], "part_ids[1]", "has no part"),
        ([first, "part_../x"], "part_ids[1]", "has no part 'part_../x'"),
    ):
        answer = await complete(caller, upload, *part_ids)
        assert answer.fault[:3] == (400, "invalid_value", param)
        assert words in answer.fault[3]
    assert (await complete(caller, upload)).fault[:3] == (400, "empty_array", "part_ids")
    assert (await complete(caller, upload, first, second, md5="x")).fault[:3] == (400, "invalid_value", "md5")
    wrong = await complete(caller, upload, first, second, md5="0" * 32)
    assert wrong.fault[:3] == (400, "invalid_value", "md5")
    assert (await complete(caller, upload, first, first)).status == 200


async def test_two_completions_at_once_make_one_file(caller: Caller) -> None:
    upload = await begin(caller)
    one = await part(caller, upload, b"abcdef")
    answers = await asyncio.gather(*(complete(caller, upload, one) for _ in range(3)))
    assert sorted(answer.status for answer in answers) == [200, 400, 400]
    assert len((await caller.ask("GET", "/v1/files")).json["data"]) == 1


async def test_ended_uploads_take_nothing_more(caller: Caller) -> None:
    done = await begin(caller)
    one = await part(caller, done, b"abcdef")
    assert (await complete(caller, done, one)).status == 200
    gone = await begin(caller)
    await part(caller, gone, b"abc")
    cancelled = await caller.ask("POST", f"{gone}/cancel")
    assert (cancelled.json["status"], cancelled.json["file"]) == ("cancelled", None)
    for upload in (done, gone):
        for answer in (
            await send(caller, upload, b"x"),
            await complete(caller, upload, one),
            await caller.ask("POST", f"{upload}/cancel"),
        ):
            assert answer.fault[0] == 400
            assert "takes nothing more" in answer.fault[3]
    assert len(names(caller.folder)) == 1


async def test_an_hour_is_all_there_is(caller: Caller) -> None:
    upload = await begin(caller)
    one = await part(caller, upload, b"abcdef")
    caller.clock.now += 3601
    shown = upload.rpartition("/")[2]
    assert (await complete(caller, upload, one)).fault == (404, None, None, f"No such Upload object: {shown}")
    await (await caller.services.store.files()).sweep()
    assert names(caller.folder) == []


async def test_unknown_uploads(caller: Caller) -> None:
    for name in ("upload_" + "0" * 32, "upload_..%2F..%2Fstate", "x" * 200, "0" * 32):
        for way in ("parts", "complete", "cancel"):
            body = {"part_ids": ["part_x"]} if way == "complete" else None
            answer = await caller.ask("POST", f"/v1/uploads/{name}/{way}", body)
            assert answer.fault == (404, None, None, f"No such Upload object: {name.replace('%2F', '/')[:100]}")


async def test_uploads_of_gemini_are_not_found(caller: Caller) -> None:
    files = await caller.services.store.files()
    begun = await files.begin(NewFile("text/plain", size=3))
    assert (await caller.ask("POST", f"/v1/uploads/upload_{begun.id}/cancel")).status == 404


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"bytes": None}, "invalid_type", "bytes"),
        ({"bytes": -1}, "integer_below_min_value", "bytes"),
        ({"bytes": "6"}, "invalid_type", "bytes"),
        ({"purpose": "x"}, "invalid_value", "purpose"),
        ({"filename": 1}, "invalid_type", "filename"),
        ({"expires_after": {"anchor": "now", "seconds": 3600}}, "invalid_value", "expires_after.anchor"),
    ],
)
async def test_bad_starts(caller: Caller, fields: dict[str, object], code: str, param: str) -> None:
    answer = await caller.ask("POST", "/v1/uploads", {**NEW, **fields})
    assert answer.fault[:3] == (400, code, param)


async def test_parts_need_data_and_a_limit(caller: Caller, tmp_path: Path) -> None:
    upload = await begin(caller)
    body = FormData(default_to_multipart=True)
    body.add_field("file", b"x", filename="x")
    assert (await caller.ask("POST", f"{upload}/parts", body)).fault[:3] == (400, "missing_required_parameter", "data")
    assert (await send(caller, upload, b"x" * 7)).fault[:3] == (400, "invalid_value", "data")
    await part(caller, upload, b"x" * 6)
    await part(caller, upload, b"x" * 6)
    assert (await send(caller, upload, b"x")).fault[:3] == (400, "invalid_value", "data")
    assert len(names(caller.folder)) == 2
    async with serving(tmp_path / "small", max_file_bytes=5) as small:
        assert "exceeds the limit: 5 bytes" in (await small.ask("POST", "/v1/uploads", NEW)).fault[3]


@pytest.fixture
async def uploads(tmp_path: Path) -> AsyncIterator[PartUploads]:
    store = store_in(tmp_path)
    yield (await store.files()).in_parts
    await store.close()


async def test_a_part_that_breaks_off_leaves_nothing(uploads: PartUploads, tmp_path: Path) -> None:
    upload = await uploads.begin(NewFile("text/plain", size=6, purpose="batch"))
    with pytest.raises(ConnectionResetError):
        await uploads.add(upload.id, broken(b"abc"))
    assert names(tmp_path) == []
    with pytest.raises(BadRequest, match="has no part"):
        await uploads.complete(upload.id, ["0" * 32])


async def test_a_part_that_arrives_after_the_end_leaves_nothing(uploads: PartUploads, tmp_path: Path) -> None:
    upload = await uploads.begin(NewFile("text/plain", size=6, purpose="batch"))

    async def ended_meanwhile() -> AsyncIterator[bytes]:
        yield b"abc"
        await uploads.cancel(upload.id)
        yield b"def"

    with pytest.raises(UploadEnded):
        await uploads.add(upload.id, ended_meanwhile())
    assert names(tmp_path) == []
    with pytest.raises(UnknownUpload):
        await uploads.add("0" * 32, pieces(b"x"))


async def test_a_killed_process_leaves_uploads_that_can_be_completed(tmp_path: Path) -> None:
    program = """
import asyncio, os, signal, sys
from pathlib import Path
from localaik.state.records import NewFile
from tests.state_samples import pieces, store_in

async def dying():
    yield b"xyz"
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    uploads = (await store_in(Path(sys.argv[1])).files()).in_parts
    upload = await uploads.begin(NewFile("text/plain", size=6, purpose="batch"))
    parts = [(await uploads.add(upload.id, pieces(data))).id for data in (b"abc", b"def")]
    print(upload.id, *parts, flush=True)
    taking = await uploads._uploads.resume(upload.id)
    await taking.append(0, pieces(b"abc"))
    await uploads.add(upload.id, dying())

asyncio.run(main())
"""
    killed = await asyncio.to_thread(run, program, str(tmp_path))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    upload_id, *part_ids = killed.stdout.split()
    store = store_in(tmp_path)
    files = await store.files()
    assert (await files.list(9)).items == ()
    file = await files.in_parts.complete(upload_id, part_ids)
    async with files.open(file.id) as reader:
        assert await reader.read() == b"abcdef"
    assert file.sha256 == hashlib.sha256(b"abcdef").hexdigest()
    assert len(names(tmp_path)) == 1
    await store.close()


def run(program: str, folder: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, folder]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=ROOT)
