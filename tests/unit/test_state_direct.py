"""Writes to SQLite in one visit to a thread, and the log that is tidied beside them."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from localaik.state import database as module
from localaik.state.database import Database, Together


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(f"sqlite:///{tmp_path}/some.db")
    await opened.write(make_notes)
    yield opened
    await opened.close()


async def make_notes(connection: AsyncConnection) -> None:
    await connection.execute(text("CREATE TABLE notes (note TEXT NOT NULL)"))


async def add(connection: AsyncConnection, notes: Sequence[str]) -> list[int]:
    """Add notes; each one's result is its length. An empty one fails after it was written."""
    for note in notes:
        await connection.execute(text("INSERT INTO notes (note) VALUES (:note)"), {"note": note})
    if "" in notes:
        raise ValueError("empty")
    return [len(note) for note in notes]


async def notes_of(database: Database) -> list[str]:
    async def look(connection: AsyncConnection) -> list[str]:
        return [*(await connection.execute(text("SELECT note FROM notes"))).scalars()]

    return await database.read(look)


async def test_each_gets_its_own_result_or_fault(database: Database) -> None:
    adding = Together(add)
    results = await asyncio.gather(
        *(database.write_together(adding, note) for note in ("one", "", "three")), return_exceptions=True
    )
    assert (results[0], results[2]) == (3, 5)
    assert isinstance(results[1], ValueError)
    assert sorted(await notes_of(database)) == ["one", "three"]


async def test_other_writes_wait_for_their_turn(database: Database) -> None:
    adding = Together(add)

    async def slow(connection: AsyncConnection) -> None:
        await connection.execute(text("INSERT INTO notes (note) VALUES ('first')"))
        for _ in range(5):
            await asyncio.sleep(0)
        await connection.execute(text("INSERT INTO notes (note) VALUES ('second')"))

    await asyncio.gather(database.write(slow), *(database.write_together(adding, "x") for _ in range(20)))
    notes = await notes_of(database)
    assert len(notes) == 22
    assert notes.index("second") == notes.index("first") + 1


async def test_a_unit_that_waits_for_something_else_is_a_defect(database: Database) -> None:
    async def waits(connection: AsyncConnection, notes: Sequence[str]) -> list[int]:
        await add(connection, notes)
        await asyncio.sleep(0)
        return []

    with pytest.raises(RuntimeError, match="waits for something else"):
        await database.write_together(Together(waits), "x")
    assert await notes_of(database) == []


async def test_the_log_does_not_grow_for_ever(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TIDY_SECONDS", 0.0)
    monkeypatch.setattr(module, "_LONGEST_LOG_PAGES", 10)
    database._next_tidying = 0.0
    adding = Together(add)
    log = tmp_path / "some.db-wal"
    sizes = []
    for _ in range(200):
        await database.write_together(adding, "x" * 20_000)
        await asyncio.gather(*database._running)  # it may be tidied at any time, or now
        sizes.append(log.stat().st_size)
    written = 200 * 20_000
    assert max(sizes) < written / 4
    assert len(await notes_of(database)) == 200


async def test_the_log_begins_anew_although_others_read(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LONGEST_LOG_PAGES", 0)
    adding = Together(add)
    other = sqlite3.connect(tmp_path / "some.db", isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM notes").fetchall()
    await database.write_together(adding, "x" * 200_000)  # the other process still sees what was before
    tidying = asyncio.create_task(database._tidy_log())
    await asyncio.wait({tidying}, timeout=0.2)  # who does not wait for the other process has ended by then
    other.execute("COMMIT")
    await tidying
    size = (tmp_path / "some.db-wal").stat().st_size
    await database.write_together(adding, "x" * 100_000)
    assert (tmp_path / "some.db-wal").stat().st_size == size
    other.close()


async def test_what_was_written_is_there_after_the_end(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/other.db"
    first = await Database.open(url)
    await first.write(make_notes)
    await first.write_together(Together(add), "kept")
    await first.close()
    second = await Database.open(url)
    assert await notes_of(second) == ["kept"]
    await second.close()
