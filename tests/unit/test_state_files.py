"""Stored files: found, listed, read, deleted, expired, within limits."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from localaik.errors import InternalFault, Unavailable
from localaik.state.faults import (
    FileTooLarge,
    InvalidId,
    InvalidPageToken,
    NameTaken,
    StoreFull,
    UnknownFile,
    UnknownUpload,
)
from localaik.state.files import FileStore
from localaik.state.migrations import MIGRATIONS
from localaik.state.records import NewFile, StoredFile
from localaik.state.store import Store
from localaik.state.tables import METADATA
from tests.state_samples import START, Clock, names, pieces, store_in

MIB = 1 << 20
TEXT = NewFile("text/plain")


@pytest.fixture
async def store(place: dict[str, object], tmp_path: Path) -> AsyncIterator[Store]:
    one = store_in(tmp_path / "data", **place)
    yield one
    await one.close()


@pytest.fixture
async def files(store: Store) -> FileStore:
    return await store.files()


async def read(files: FileStore, file_id: str) -> bytes:
    async with files.open(file_id) as reader:
        return await reader.read()


async def add(files: FileStore, data: bytes = b"x", new: NewFile = TEXT) -> StoredFile:
    return await files.add(new, pieces(data))


async def test_a_file_is_given_back_as_it_was(files: FileStore) -> None:
    data = os.urandom(2 * MIB + 7)
    chunks = [data[:1], data[1 : MIB + 5], b"", data[MIB + 5 :]]
    file = await files.add(NewFile("image/png", display_name="Ä \u2028", size=len(data)), pieces(*chunks))
    assert file == StoredFile(
        id=file.id,
        mime="image/png",
        display_name="Ä \u2028",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        generated=False,
        created=datetime.fromtimestamp(START, UTC),
        expires=datetime.fromtimestamp(START + 48 * 3600, UTC),
    )
    assert await files.get(file.id) == file
    assert await read(files, file.id) == data


async def test_a_part_of_a_file(files: FileStore) -> None:
    data = os.urandom(2 * MIB)
    file = await add(files, data)
    for start, end in ((0, None), (5, 9), (MIB - 1, MIB + 1), (MIB, MIB), (3 * MIB, None), (1, 9 * MIB)):
        async with files.open(file.id) as reader:
            got = [piece async for piece in reader.pieces(start, end)]
        assert b"".join(got) == data[start:end]
        assert all(0 < len(piece) <= MIB for piece in got)


async def test_an_empty_file(files: FileStore) -> None:
    file = await files.add(TEXT, pieces())
    assert (file.size, file.sha256) == (0, hashlib.sha256().hexdigest())
    assert await read(files, file.id) == b""


async def test_a_wanted_id_is_taken_once(files: FileStore) -> None:
    assert (await add(files, new=NewFile("text/plain", id="mine-1"))).id == "mine-1"
    with pytest.raises(NameTaken):
        await files.begin(NewFile("text/plain", id="mine-1"))
    await files.delete("mine-1")
    assert (await add(files, b"again", NewFile("text/plain", id="mine-1"))).size == 5


async def test_of_two_uploads_of_one_id_the_first_that_ends_wins(files: FileStore) -> None:
    one, other = [await files.begin(NewFile("text/plain", id="mine")) for _ in range(2)]
    await one.append(0, pieces(b"one"))
    await other.append(0, pieces(b"other"))
    await other.finish()
    with pytest.raises(NameTaken):
        await one.finish()
    assert await read(files, "mine") == b"other"
    assert (await one.status()).state == "cancelled"


async def test_no_id_leads_out_of_the_store(files: FileStore) -> None:
    for file_id in ("../secret", "..", "A", "a/b", ""):
        for work in (
            files.get(file_id),
            files.delete(file_id),
            read(files, file_id),
            files.begin(NewFile("a/b", id=file_id)),
        ):
            with pytest.raises(InvalidId):
                await work


async def test_deleted_files_are_gone_and_readers_read_on(files: FileStore) -> None:
    file = await add(files, b"abc")
    async with files.open(file.id) as reader:
        await files.delete(file.id)
        assert await reader.read() == b"abc"
    for work in (files.get(file.id), files.delete(file.id), read(files, file.id)):
        with pytest.raises(UnknownFile):
            await work


async def test_pages_newest_first(tmp_path: Path) -> None:
    clock = Clock()
    store = store_in(tmp_path, clock)
    files = await store.files()
    made = []
    for number in range(7):
        clock.now += number % 2  # pairs of the same moment
        made.append((await add(files)).id)
    whole = await files.list(100)
    assert {file.id for file in whole.items} == {*made}
    assert [file.created for file in whole.items] == sorted((file.created for file in whole.items), reverse=True)
    assert whole.next_token is None
    pages = [await files.list(3)]
    while pages[-1].next_token is not None:
        pages.append(await files.list(3, pages[-1].next_token))
    assert [len(page.items) for page in pages] == [3, 3, 1]
    assert [file for page in pages for file in page.items] == [*whole.items]
    clock.now += 1
    await files.delete(pages[0].items[2].id)
    await add(files)
    assert pages[0].next_token is not None
    assert (await files.list(3, pages[0].next_token)).items == pages[1].items
    with pytest.raises(InvalidPageToken):
        await files.list(3, "nonsense")
    await store.close()


async def test_expiry_is_honoured_at_once_and_swept_later(tmp_path: Path) -> None:
    clock = Clock()
    store = store_in(tmp_path, clock, file_ttl_hours=1)
    files = await store.files()
    file = await add(files, new=NewFile("text/plain", id="mine"))
    upload = await files.begin(TEXT)
    await upload.append(0, pieces(b"abc"))
    clock.now += 3599
    assert (await files.list(5)).items == (file,)
    clock.now += 1
    assert (await files.list(5)).items == ()
    with pytest.raises(UnknownFile):
        await files.get("mine")
    again = await add(files, b"new", NewFile("text/plain", id="mine"))
    assert [again] == [*(await files.list(5)).items]
    clock.now += 24 * 3600
    with pytest.raises(UnknownUpload):
        await files.upload(upload.id)
    assert len(names(tmp_path)) == 2
    await files.sweep()
    assert names(tmp_path) == []
    await store.close()


async def test_files_stay_for_good_where_there_is_no_time_limit(tmp_path: Path) -> None:
    clock = Clock()
    store = store_in(tmp_path, clock, file_ttl_hours=0)
    files = await store.files()
    file = await add(files)
    clock.now *= 2
    await files.sweep()
    assert await files.get(file.id) == file
    assert file.expires is None
    await store.close()


async def test_limits(tmp_path: Path) -> None:
    store = store_in(tmp_path, max_file_bytes=10, max_stored_bytes=15)
    files = await store.files()
    with pytest.raises(FileTooLarge):
        await files.begin(NewFile("text/plain", size=11))
    with pytest.raises(FileTooLarge):
        await add(files, b"12345678901")
    first = await add(files, b"1234567890")
    with pytest.raises(StoreFull):
        await files.begin(NewFile("text/plain", size=6))
    with pytest.raises(StoreFull):
        await add(files, b"123456")
    promised = await files.begin(NewFile("text/plain", size=5))
    with pytest.raises(StoreFull):
        await files.begin(NewFile("text/plain", size=1))
    await promised.cancel()
    await add(files, b"12345")
    await files.delete(first.id)
    await add(files, b"1234567890")
    assert len(names(tmp_path)) == 2
    await store.close()


async def test_g046_many_at_once_are_byte_equal(files: FileStore) -> None:
    bodies = [os.urandom(1000 + number) for number in range(40)]
    added = await asyncio.gather(*(add(files, body) for body in bodies))
    assert [await read(files, file.id) for file in added] == bodies
    assert len((await files.list(100)).items) == 40


# The store as a whole


async def test_nothing_is_written_before_the_first_use(tmp_path: Path) -> None:
    store = store_in(tmp_path / "data")
    await store.close()
    assert not (tmp_path / "data").exists()


async def test_files_outlive_the_store_on_disk(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    file = await add(await store.files(), b"abc")
    await store.close()
    store = store_in(tmp_path)
    assert await read(await store.files(), file.id) == b"abc"
    await store.close()


async def test_two_stores_share_a_folder(tmp_path: Path) -> None:
    one, other = store_in(tmp_path), store_in(tmp_path)
    upload = await (await one.files()).begin(TEXT)
    await upload.append(0, pieces(b"abc"))
    there = await (await other.files()).upload(upload.id)
    assert await there.append(3, pieces(b"def")) == 6
    file = await upload.finish()
    assert await read(await other.files(), file.id) == b"abcdef"
    assert file.sha256 == hashlib.sha256(b"abcdef").hexdigest()
    await asyncio.gather(one.close(), other.close())


def kept_in(folder: Path) -> list[Path]:
    return [*folder.iterdir()]


async def test_memory_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = store_in(tmp_path / "data", state="memory")
    await add(await store.files())
    assert [path.name.startswith("localaik-") for path in kept_in(tmp_path)] == [True]
    await store.close()
    await store.close()
    assert kept_in(tmp_path) == []


async def test_a_closed_store_opens_no_more(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    await store.close()
    with pytest.raises(Unavailable):
        await store.files()


@pytest.mark.parametrize("fields", [{}, {"database_url": "nonsense://u:secret@h/d"}, {"database_url": "no url"}])
async def test_a_store_that_cannot_be_opened_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, fields: dict[str, str]
) -> None:
    folder = tmp_path / "data"
    if not fields:
        folder.write_text("a file where the folder should be")
    store = store_in(folder, **fields)
    with pytest.raises(InternalFault, match="LOCALAIK_DATA_DIR"):
        await store.files()
    assert "secret" not in caplog.text
    await store.close()


async def test_the_database_may_be_elsewhere(tmp_path: Path) -> None:
    store = store_in(tmp_path / "data", database_url=f"sqlite:///{tmp_path}/other.db")
    file = await add(await store.files())
    await store.close()
    assert (tmp_path / "other.db").exists()
    assert len(names(tmp_path / "data")) == 1
    assert file.size == 1


async def test_data_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    await store.files()
    await store.close()
    engine = create_engine(f"sqlite:///{tmp_path}/state.sqlite3")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE schema_version SET version = {len(MIGRATIONS) + 1}")
    engine.dispose()
    store = store_in(tmp_path)
    with pytest.raises(InternalFault, match="newer localaik"):
        await store.files()
    await store.close()


async def test_the_migrations_make_the_tables_that_the_queries_know(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    await store.files()
    await store.close()
    engine = create_engine(f"sqlite:///{tmp_path}/state.sqlite3")
    made = inspect(engine)
    assert {*made.get_table_names()} == {*METADATA.tables, "schema_version"}
    for name, table in METADATA.tables.items():
        columns = {(one["name"], str(one["type"]), one["nullable"]) for one in made.get_columns(name)}
        assert columns == {(one.name, str(one.type), one.nullable) for one in table.columns}
    with engine.begin() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()
