"""The database behind the store: opened once, read by many, written by one at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from localaik.state.migrations import migrate

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncConnection
    from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["Database", "sqlite_in", "sqlite_in_memory"]

_WRITING: Final = "localaik_writing"
_BUSY_SECONDS: Final = 30  # how long another process of the same folder may hold the lock

T = TypeVar("T")


def sqlite_in(folder: Path, name: str) -> URL:
    """The URL of the SQLite database `name` in `folder`."""
    return URL.create("sqlite+aiosqlite", database=str(folder / name))


def sqlite_in_memory() -> URL:
    """The URL of a new SQLite database that ends with its connection."""
    return URL.create("sqlite+aiosqlite", database=":memory:")


class Database:
    """Runs units of work, each in one transaction. A unit that has begun ends, even where its caller leaves."""

    def __init__(self, engine: AsyncEngine, *, one_connection: bool) -> None:
        """Made by `open`. With `one_connection`, readers take turns with writers."""
        self._engine = engine
        self._one_connection = one_connection
        self._writer = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()  # of any result

    @classmethod
    async def open(cls, url: URL | str) -> "Database":
        """Connect and bring the schema up to date.

        Raises SQLAlchemy's errors and `OSError` where there is no connection, `InternalFault` for a schema of the
        future.
        """
        url = make_url(url)
        if url.get_backend_name() != "sqlite":
            database = cls(create_async_engine(url, pool_pre_ping=True, hide_parameters=True), one_connection=False)
        elif url.database in {None, "", ":memory:"}:
            database = cls(_sqlite(url, in_memory=True), one_connection=True)
        else:
            database = cls(_sqlite(url, in_memory=False), one_connection=False)
        try:
            await database.write(migrate)
        except BaseException:
            await database.close()
            raise
        return database

    async def read(self, work: "Callable[[AsyncConnection], Awaitable[T]]") -> T:
        """The result of `work`, which sees one state of the database and changes nothing."""
        return await self._to_its_end(self._read(work))

    async def write(self, work: "Callable[[AsyncConnection], Awaitable[T]]") -> T:
        """The result of `work`, which is committed; where it raises, nothing is."""
        return await self._to_its_end(self._write(work))

    async def close(self) -> None:
        """Let what runs end, and disconnect."""
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._engine.dispose()

    async def _read(self, work: "Callable[[AsyncConnection], Awaitable[T]]") -> T:
        if self._one_connection:
            return await self._write(work)
        async with self._engine.connect() as connection:
            return await work(connection)

    async def _write(self, work: "Callable[[AsyncConnection], Awaitable[T]]") -> T:
        async with self._writer, self._engine.connect() as connection:
            await connection.execution_options(**{_WRITING: True})
            async with connection.begin():
                return await work(connection)

    async def _to_its_end(self, unit: Coroutine[None, None, T]) -> T:
        task = asyncio.create_task(unit)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # told to the caller, who may have left


def _sqlite(url: URL, *, in_memory: bool) -> AsyncEngine:
    url = url.set(drivername="sqlite+aiosqlite")
    if in_memory:
        engine = create_async_engine(url, poolclass=StaticPool, hide_parameters=True)
    else:
        engine = create_async_engine(url, connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True)
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _prepare(connection: "DBAPIConnection", _entry: "ConnectionPoolEntry") -> None:
    # Python's driver would begin transactions by its own rules, and never with IMMEDIATE.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later fails where another process wrote in between; IMMEDIATE waits.
    writing = connection.get_execution_options().get(_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
