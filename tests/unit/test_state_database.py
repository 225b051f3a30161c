"""The database behind the store: older versions, other processes, servers that come and go."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from localaik.errors import InternalFault, MissingTool, Unavailable
from localaik.settings import Settings
from localaik.state.database import Database, Together
from localaik.state.migrations import MIGRATIONS
from localaik.state.records import NewFile
from localaik.state.response_records import Item, NewResponse
from localaik.state.store import Store
from localaik.state.tables import METADATA
from tests.postgres import Cluster
from tests.state_samples import pieces, store_in

_OLD_FILE = """
INSERT INTO files (id, blob, mime, size, sha256, generated, created) VALUES ('old', 'b', 'text/plain', 1, 's', false, 1)
"""
MESSAGE = Item("msg_1", "{}")


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/some.db"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    made = await cluster.make()
    yield made.render_as_string(hide_password=False)
    await cluster.drop(made)


async def prepare(url: str, version: int) -> None:
    """Make the tables of an older version, with one file in them."""
    database = await Database.open(url)

    async def work(connection: AsyncConnection) -> None:
        for table in (*METADATA.tables, "schema_version"):
            await connection.execute(text(f"DROP TABLE {table}"))
        await connection.execute(text("CREATE TABLE schema_version (version INTEGER NOT NULL)"))
        await connection.execute(text(f"INSERT INTO schema_version (version) VALUES ({version})"))
        for statements in MIGRATIONS[:version]:
            for statement in statements:
                await connection.execute(text(statement))
        await connection.execute(text(_OLD_FILE))

    await database.write(work)
    await database.close()


async def test_data_of_older_versions_is_kept(url: str, tmp_path: Path) -> None:
    for version in range(1, len(MIGRATIONS)):
        await prepare(url, version)
        store = store_in(tmp_path / "data", database_url=url, file_ttl_hours=0)
        assert [file.id for file in (await (await store.files()).list(9)).items] == ["old"]
        await (await store.responses()).save(NewResponse("resp_1", 1, "completed", False, "{}", [MESSAGE], []))
        await store.close()


async def test_the_tables_are_those_that_the_queries_know(url: str) -> None:
    def look(connection: Connection) -> None:
        made = inspect(connection)
        assert {*made.get_table_names()} == {*METADATA.tables, "schema_version"}
        for name, table in METADATA.tables.items():
            columns = {(one["name"], str(one["type"]), one["nullable"]) for one in made.get_columns(name)}
            assert columns == {(one.name, str(one.type), one.nullable) for one in table.columns}

    database = await Database.open(url)
    await database.read(lambda connection: connection.run_sync(look))
    await database.close()


async def test_two_processes_may_write_to_one_database(url: str, tmp_path: Path) -> None:
    stores = [store_in(tmp_path / name, database_url=url, max_stored_bytes=5) for name in "ab"]
    conversations = [await store.conversations() for store in stores]
    talk = (await conversations[0].create({})).id
    await asyncio.gather(*(conversations[number % 2].add(talk, [MESSAGE]) for number in range(20)))
    assert (await conversations[1].get(talk)).item_count == 20
    assert len(await conversations[1].context(talk)) == 20
    files = [await store.files() for store in stores]
    adding = (files[number % 2].add(NewFile("text/plain", size=2), pieces(b"ab")) for number in range(6))
    results = await asyncio.gather(*adding, return_exceptions=True)
    assert sum(not isinstance(result, Exception) for result in results) == 2
    for store in stores:
        await store.close()


async def test_a_text_may_hold_a_nul(url: str, tmp_path: Path) -> None:
    store = store_in(tmp_path, database_url=url)
    files = await store.files()
    file = await files.add(NewFile("text/plain", display_name="a\0b"), pieces(b"x"))
    assert (await files.get(file.id)).display_name in {"a\0b", "a\N{REPLACEMENT CHARACTER}b"}
    await store.close()


async def test_a_connection_that_was_lost_is_made_again(postgres_url: str, cluster: Cluster, tmp_path: Path) -> None:
    store = store_in(tmp_path, database_url=postgres_url)
    conversations = await store.conversations()
    talk = (await conversations.create({})).id
    await cluster.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{make_url(postgres_url).database}' AND pid <> pg_backend_pid()"
    )
    assert (await conversations.get(talk)).id == talk
    await conversations.add(talk, [MESSAGE])
    await store.close()


async def test_a_url_without_a_driver_gets_the_right_one(postgres_url: str, tmp_path: Path) -> None:
    store = store_in(tmp_path, database_url=postgres_url.replace("postgresql+asyncpg:", "postgresql:"))
    assert (await (await store.conversations()).page(1)).items == ()
    await store.close()


async def test_a_server_that_is_not_there_is_told_without_the_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("asyncpg")
    store = store_in(tmp_path, database_url=f"postgresql://me:secret@/db?host={tmp_path}")
    with caplog.at_level(logging.ERROR), pytest.raises(InternalFault) as caught:
        await store.files()
    assert "can't be opened" in caplog.text
    assert "secret" not in caplog.text + caught.value.message
    await store.close()


async def test_a_missing_driver_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    store = store_in(tmp_path, database_url="postgresql://me:secret@nowhere/db")
    with pytest.raises(MissingTool, match=r"localaik\[postgres\]"):
        await store.files()
    await store.close()


async def test_writes_that_wait_together_are_one_transaction(url: str) -> None:
    rounds: list[list[int]] = []

    async def work(connection: AsyncConnection, numbers: "list[int]") -> list[int]:
        rounds.append(list(numbers))
        for number in numbers:
            await connection.execute(text("INSERT INTO schema_version (version) VALUES (:n)"), {"n": number})
        if 13 in numbers:
            raise ValueError
        return [number * 2 for number in numbers]

    database = await Database.open(url)
    together = Together(work, most=4)
    results = await asyncio.gather(
        *(database.write_together(together, number) for number in range(10, 20)), return_exceptions=True
    )
    assert [result for result in results if not isinstance(result, Exception)] == [
        number * 2 for number in range(10, 20) if number != 13
    ]
    assert isinstance(results[3], ValueError)
    assert rounds == [[10], [11, 12, 13, 14], [11], [12], [13], [14], [15, 16, 17, 18], [19]]
    query = text("SELECT version FROM schema_version WHERE version BETWEEN 10 AND 19 ORDER BY version")
    kept = await database.read(lambda connection: connection.execute(query))
    assert [row.version for row in kept] == [10, 11, 12, 14, 15, 16, 17, 18, 19]
    await database.close()


@pytest.mark.parametrize("kind", ["batches", "completions", "conversations", "sessions"])
async def test_nothing_that_needs_sqlalchemy_is_imported_before_the_store_is_open(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread imports it then; a second thread at the same time would see halves of it."""
    store = Store(Settings(state="memory"))
    await store.close()  # nothing opens it any more
    monkeypatch.delitem(sys.modules, f"localaik.state.{kind}", raising=False)
    with pytest.raises(Unavailable):
        await getattr(store, kind)()
    assert f"localaik.state.{kind}" not in sys.modules
