"""Uploads in chunks: what counts, what ends them, and what is left when the process is killed."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from localaik.state import blobs
from localaik.state.faults import FileTooLarge, UnknownUpload, UploadEnded, WrongOffset, WrongSize
from localaik.state.files import FileStore
from localaik.state.records import NewFile, StoredFile, UploadStatus
from localaik.state.store import Store
from tests.state_samples import broken, names, pieces, store_in

ROOT = Path(__file__).parent.parent.parent
MIB = 1 << 20
TEXT = NewFile("text/plain")


@pytest.fixture
async def store(lasting_place: dict[str, object], tmp_path: Path) -> AsyncIterator[Store]:
    one = store_in(tmp_path, **lasting_place)
    yield one
    await one.close()


@pytest.fixture
async def files(store: Store) -> FileStore:
    return await store.files()


async def content(files: FileStore, file_id: str) -> bytes:
    async with files.open(file_id) as reader:
        return await reader.read()


async def test_chunks_add_up(files: FileStore) -> None:
    upload = await files.begin(NewFile("text/plain", size=6))
    assert await upload.status() == UploadStatus("active", 0, 6)
    assert await upload.append(0, pieces(b"ab", b"c")) == 3
    assert await upload.status() == UploadStatus("active", 3, 6)
    assert (await files.list(9)).items == ()
    again = await files.upload(upload.id)
    assert await again.append(3, pieces(b"def")) == 6
    file = await again.finish()
    assert await content(files, file.id) == b"abcdef"
    assert await upload.status() == UploadStatus("final", 6, 6)


async def test_the_last_chunk_may_come_twice(files: FileStore) -> None:
    upload = await files.begin(TEXT)
    await upload.append(0, pieces(b"abc"))
    await upload.append(3, pieces(b"de"))
    assert await upload.append(3, pieces(b"d", b"e")) == 5
    assert await upload.append(5, pieces(b"f")) == 6
    assert await content(files, (await upload.finish()).id) == b"abcdef"


async def test_a_wrong_offset_changes_nothing(files: FileStore) -> None:
    for offset, chunk in ((0, b"abc"), (4, b"x"), (6, b"x"), (3, b"d"), (3, b"def"), (99, b"")):
        upload = await files.begin(TEXT)
        await upload.append(0, pieces(b"abc"))
        await upload.append(3, pieces(b"de"))
        with pytest.raises(WrongOffset, match=f"offset is {offset}, but 5 bytes"):
            await upload.append(offset, pieces(chunk))
        assert await content(files, (await upload.finish()).id) == b"abcde"


@pytest.mark.parametrize("lost", [[b"xy"], [os.urandom(MIB), b"xy"], []])
async def test_a_chunk_that_breaks_off_counts_for_nothing(files: FileStore, lost: list[bytes]) -> None:
    upload = await files.begin(TEXT)
    await upload.append(0, pieces(b"abc"))
    with pytest.raises(ConnectionResetError):
        await upload.append(3, broken(*lost))
    assert (await upload.status()).received == 3
    assert await upload.append(3, pieces(b"d")) == 4
    file = await upload.finish()
    assert await content(files, file.id) == b"abcd"
    assert file.sha256 == hashlib.sha256(b"abcd").hexdigest()


async def test_a_chunk_whose_caller_leaves_counts_for_nothing(files: FileStore) -> None:
    upload = await files.begin(TEXT)
    waiting = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield os.urandom(MIB)
        waiting.set()
        await asyncio.Event().wait()

    sending = asyncio.create_task(upload.append(0, endless()))
    await waiting.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert await upload.append(0, pieces(b"abc")) == 3
    assert await content(files, (await upload.finish()).id) == b"abc"


async def test_chunks_of_one_upload_take_turns(files: FileStore) -> None:
    upload = await files.begin(TEXT)
    results = await asyncio.gather(
        *(upload.append(0, pieces(bytes([letter]) * 3)) for letter in b"ab"), upload.append(3, pieces(b"c"))
    )
    assert results == [3, 3, 4]
    assert await content(files, (await upload.finish()).id) == b"aaac"


@pytest.mark.parametrize("sizes", [[3 * MIB + 7], [MIB] * 3, [MIB - 1, 2, MIB, 65_536, 1]])
async def test_g046_bytes_go_to_disk_in_small_pieces(
    files: FileStore, monkeypatch: pytest.MonkeyPatch, sizes: list[int]
) -> None:
    written: list[int] = []
    write = blobs.Part.write

    def watched(part: blobs.Part, piece: bytes | bytearray) -> None:
        written.append(len(piece))
        write(part, piece)

    monkeypatch.setattr(blobs.Part, "write", watched)
    chunks = [os.urandom(size) for size in sizes]
    upload = await files.begin(TEXT)
    assert await upload.append(0, pieces(*chunks)) == sum(sizes)
    whole, rest = divmod(sum(sizes), MIB)
    assert written == [MIB] * whole + [rest] * bool(rest)
    assert await content(files, (await upload.finish()).id) == b"".join(chunks)


async def test_g042_two_ends_at_once_give_one_file(place: dict[str, object], tmp_path: Path) -> None:
    processes = 1 if place == {"state": "memory"} else 2
    opened = [store_in(tmp_path, **place) for _ in range(processes)]
    first, second = await opened[0].files(), await opened[-1].files()
    for number in range(8):
        body = b"abc%d" % number
        upload = await first.begin(TEXT)
        await upload.append(0, pieces(body))
        ends = (upload.finish(), (await second.upload(upload.id)).finish())
        results = await asyncio.gather(*ends, return_exceptions=True)
        (file,) = [result for result in results if isinstance(result, StoredFile)]
        assert [type(result) for result in results if result is not file] == [UploadEnded]
        assert [one.id for one in (await first.list(99)).items] == [file.id]
        assert await content(second, file.id) == body
        await first.delete(file.id)
    for store in opened:
        await store.close()
    assert names(tmp_path) == []


@pytest.mark.parametrize("chunk", [b"ab", b"abcd"])
async def test_another_size_than_declared_ends_the_upload(files: FileStore, tmp_path: Path, chunk: bytes) -> None:
    upload = await files.begin(NewFile("text/plain", size=3))

    async def send() -> None:
        await upload.append(0, pieces(chunk))
        await upload.finish()

    with pytest.raises(WrongSize):
        await send()
    assert (await upload.status()).state == "cancelled"
    assert names(tmp_path) == []
    assert (await files.list(9)).items == ()


async def test_too_many_bytes_without_a_declared_size(tmp_path: Path) -> None:
    store = store_in(tmp_path, max_file_bytes=5)
    upload = await (await store.files()).begin(TEXT)
    await upload.append(0, pieces(b"abc"))
    with pytest.raises(FileTooLarge):
        await upload.append(3, pieces(b"def"))
    assert names(tmp_path) == []
    await store.close()


async def test_an_upload_that_has_ended_takes_nothing(files: FileStore, tmp_path: Path) -> None:
    done, dropped = await files.begin(TEXT), await files.begin(TEXT)
    await done.append(0, pieces(b"abc"))
    file = await done.finish()
    await dropped.append(0, pieces(b"abc"))
    await dropped.cancel()
    await dropped.cancel()
    for upload in (done, dropped):
        with pytest.raises(UploadEnded):
            await upload.append(3, pieces(b"x"))
        with pytest.raises(UploadEnded):
            await upload.finish()
    with pytest.raises(UploadEnded):
        await done.cancel()
    assert await content(files, file.id) == b"abc"
    assert len(names(tmp_path)) == 1


async def test_unknown_uploads(files: FileStore) -> None:
    for upload_id in ("", "x", "../../etc/passwd", "0" * 32):
        with pytest.raises(UnknownUpload):
            await files.upload(upload_id)


async def test_a_part_that_lost_bytes_is_gone(files: FileStore, tmp_path: Path) -> None:
    upload = await files.begin(TEXT)
    await upload.append(0, pieces(b"abc"))
    os.truncate(tmp_path / "uploads" / upload.id, 2)
    with pytest.raises(UnknownUpload):
        await upload.append(3, pieces(b"d"))
    assert names(tmp_path) == []


# A process that is killed: a child ends itself with SIGKILL right before or after one step.

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from localaik.state import blobs, uploads
from localaik.state.records import NewFile
from tests.state_samples import pieces, store_in

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def killed_at(place, name, *, after):
    step = getattr(place, name)
    def stepping(*arguments):
        if not after:
            kill()
        result = step(*arguments)
        kill()
        return result
    setattr(place, name, stepping)

async def main(folder, point):
    files = await store_in(Path(folder)).files()
    upload = await files.begin(NewFile("text/plain", id="mine"))
    print(upload.id, flush=True)
    await upload.append(0, pieces(b"abc"))
    where, _, when = point.partition(" ")
    if where == "part":
        killed_at(blobs.Part, "write", after=when == "after")
    elif where == "chunk":
        killed_at(blobs.Part, "close", after=True)
    elif point == "rename before":
        killed_at(blobs.Part, "sync", after=True)
    elif point == "rename after":
        killed_at(blobs, "_sync_folder", after=False)
    elif where == "row":
        killed_at(uploads, "file_of", after=False)
    await upload.append(3, pieces(b"def"))
    await upload.finish()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize(
    ("point", "received"),
    [
        ("part before", 3),
        ("part after", 3),
        ("chunk after", 3),
        ("rename before", 6),
        ("rename after", 6),
        ("row", None),
    ],
)
async def test_g046_a_kill_leaves_a_whole_file_or_an_upload_that_goes_on(
    tmp_path: Path, point: str, received: int | None
) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path), point]
    child = partial(subprocess.run, command, capture_output=True, text=True, check=False, cwd=ROOT)
    done = await asyncio.to_thread(child)
    assert done.returncode == -signal.SIGKILL, done.stderr
    store = store_in(tmp_path)
    files = await store.files()
    if received is not None:
        assert (await files.list(9)).items == ()
        upload = await files.upload(done.stdout.strip())
        assert (await upload.status()).received == received
        if received == 3:
            await upload.append(3, pieces(b"def"))
        await upload.finish()
    file = await files.get("mine")
    assert file.sha256 == hashlib.sha256(b"abcdef").hexdigest()
    assert await content(files, "mine") == b"abcdef"
    await files.delete("mine")
    assert names(tmp_path) == []
    await store.close()


async def test_bytes_that_belong_to_nothing_are_removed_at_the_next_start(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    files = await store.files()
    file = await files.add(TEXT, pieces(b"abc"))
    upload = await files.begin(TEXT)
    await upload.append(0, pieces(b"abc"))
    await store.close()
    kept = names(tmp_path)
    (tmp_path / "files" / "stray").write_bytes(b"x")
    (tmp_path / "uploads" / "stray").write_bytes(b"x")
    store = store_in(tmp_path)
    files = await store.files()
    assert names(tmp_path) == kept
    assert await content(files, file.id) == b"abc"
    assert (await (await files.upload(upload.id)).status()).received == 3
    await store.close()
