"""The database behind the store: opened once, read by many, written by one at a time."""

import asyncio
import logging
import math
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from localaik.errors import MissingTool
from localaik.state.direct import DirectWriter
from localaik.state.faults import DiskFull
from localaik.state.migrations import migrate

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncConnection
    from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["Database", "Together", "sqlite_in", "sqlite_in_memory", "with_driver"]

_WRITING: Final = "localaik_writing"
_OUTSIDE: Final = "localaik_outside_of_transactions"
_TIDY_SECONDS: Final = 1.0
_LONGEST_LOG_PAGES: Final = 16_384  # 64 MiB
_TURN: Final = 0x6C6F63616C61696B  # any number that other programs in the same database do not use
_BUSY_SECONDS: Final = 30  # how long another process of the same folder may hold the lock

_SQLITE_NO_ROOM: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
_DISK_FULL: Final = "53100"  # PostgreSQL's SQLSTATE

_log = logging.getLogger(__name__)

T = TypeVar("T")
W = TypeVar("W")


def sqlite_in(folder: Path, name: str) -> URL:
    """The URL of the SQLite database `name` in `folder`."""
    return URL.create("sqlite+aiosqlite", database=str(folder / name))


def sqlite_in_memory() -> URL:
    """The URL of a new SQLite database that ends with its connection."""
    return URL.create("sqlite+aiosqlite", database=":memory:")


@dataclass(slots=True)
class _Entry(Generic[W, T]):
    what: W
    result: T | None = None
    error: Exception | None = None
    is_done: bool = False


class Together(Generic[W, T]):
    """Writes of one kind: those that wait for their turn at the same time are made in one transaction."""

    def __init__(
        self, work: "Callable[[AsyncConnection, Sequence[W]], Awaitable[Sequence[T]]]", *, most: int = 100
    ) -> None:
        """`work` writes at most `most` of them, in this order, and returns the result of each."""
        self.work = work
        self._most = most
        self._waiting: list[_Entry[W, T]] = []

    def add(self, what: W) -> _Entry[W, T]:
        """A write that waits from now on."""
        entry: _Entry[W, T] = _Entry(what)
        self._waiting.append(entry)
        return entry

    def take(self) -> list[_Entry[W, T]]:
        """The writes that have waited longest, which no longer do."""
        taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        return taken


class Database:
    """Runs units of work, each in one transaction. A unit that has begun ends, even where its caller leaves."""

    def __init__(self, engine: AsyncEngine, *, one_connection: bool, direct: DirectWriter | None = None) -> None:
        """Made by `open`. With `one_connection`, readers take turns with writers. `direct` writes quicker."""
        self._engine = engine
        self._one_connection = one_connection
        self._direct = direct
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._has_log = self._is_sqlite and not one_connection
        self._next_tidying = monotonic() + _TIDY_SECONDS
        self._writer = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()  # of any result

    @classmethod
    async def open(cls, url: URL | str) -> "Database":
        """Connect and bring the schema up to date.

        Raises SQLAlchemy's errors and `OSError` where there is no connection, `MissingTool` without the driver for it,
        `InternalFault` for a schema of the future.
        """
        url = make_url(url)
        if url.get_backend_name() != "sqlite":
            database = cls(_server(url), one_connection=False)
        elif url.database in {None, "", ":memory:"}:
            database = cls(_sqlite(url, in_memory=True), one_connection=True)
        else:
            database = cls(_sqlite(url, in_memory=False), one_connection=False, direct=_direct(url))
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

    async def write_together(self, together: Together[W, T], what: W) -> T:
        """The result of one of the writes of `together`, which is committed; where it fails, the others do not."""
        return await self._to_its_end(self._write_together(together, what))

    async def close(self) -> None:
        """Let what runs end, and disconnect."""
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._direct is not None:
            await self._direct.close()
        await self._engine.dispose()

    async def _read(self, work: "Callable[[AsyncConnection], Awaitable[T]]") -> T:
        if self._one_connection:
            return await self._write(work)
        async with self._engine.connect() as connection:
            if not self._is_sqlite:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            return await work(connection)

    async def _write(self, work: "Callable[[AsyncConnection], Awaitable[T]]") -> T:
        async with self._writer:
            return await self._commit(work)

    async def _commit(self, work: "Callable[[AsyncConnection], Awaitable[T]]") -> T:
        async with self._engine.connect() as connection:
            await connection.execution_options(**{_WRITING: True})
            async with connection.begin():
                result = await work(connection)
        self._tidy_now_and_then()
        return result

    def _tidy_now_and_then(self) -> None:
        if self._has_log and monotonic() >= self._next_tidying:
            self._next_tidying = math.inf
            self._start(self._tidy_log())

    async def _tidy_log(self) -> None:
        """Move what SQLite's log holds into the file, beside those who write: they would wait for the disk."""
        try:
            pages = await self._checkpoint("PASSIVE")
            if pages > _LONGEST_LOG_PAGES:  # it begins anew only where nobody writes at the same time
                async with self._writer:
                    await self._checkpoint("RESTART")  # waits for other processes, too
        finally:
            self._next_tidying = monotonic() + _TIDY_SECONDS

    async def _checkpoint(self, mode: str) -> int:
        """The pages that the log had."""
        async with self._engine.connect() as connection:
            await connection.execution_options(**{_OUTSIDE: True})
            told = await connection.exec_driver_sql(f"PRAGMA wal_checkpoint({mode})")
            return int(told.mappings().one()["log"])

    async def _write_together(self, together: Together[W, T], what: W) -> T:
        entry = together.add(what)
        async with self._writer:
            while not entry.is_done:
                await self._write_entries(together, together.take())
        if entry.error is not None:
            raise entry.error
        return cast("T", entry.result)

    async def _write_entries(self, together: Together[W, T], entries: Sequence[_Entry[W, T]]) -> None:
        try:
            results = await self._commit_together(together, [one.what for one in entries])
        except Exception as error:  # noqa: BLE001 - told to the callers whose writes fail alone, too
            if len(entries) == 1:
                entries[0].error, entries[0].is_done = error, True
                return
            for one in entries:
                await self._write_entries(together, [one])
            return
        for one, result in zip(entries, results, strict=True):
            one.result, one.is_done = result, True

    async def _commit_together(self, together: Together[W, T], what: Sequence[W]) -> Sequence[T]:
        if self._direct is None:
            return await self._commit(lambda connection: together.work(connection, what))
        results = await self._direct.write(together.work, what)
        self._tidy_now_and_then()
        return results

    async def _to_its_end(self, unit: Coroutine[None, None, T]) -> T:
        try:
            return await asyncio.shield(self._start(unit))
        except DBAPIError as error:
            if not _tells_of_no_room(error):
                raise
            _log.error("the database can't be written: its disk is full")
            raise DiskFull from None

    def _start(self, unit: Coroutine[None, None, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(unit)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # told to the caller, who may have left


def _tells_of_no_room(error: DBAPIError) -> bool:
    cause: BaseException | None = error.orig
    while cause is not None:
        if getattr(cause, "sqlite_errorcode", None) in _SQLITE_NO_ROOM or getattr(cause, "sqlstate", "") == _DISK_FULL:
            return True
        cause = cause.__cause__  # the driver's own, inside of what stands between
    return False


def with_driver(url: URL) -> URL:
    """The URL with the driver that is used for it, where it names none, or is SQLite's."""
    if url.get_backend_name() == "sqlite":
        return url.set(drivername="sqlite+aiosqlite")
    return url.set(drivername="postgresql+asyncpg") if url.drivername in {"postgres", "postgresql"} else url


def _server(url: URL) -> AsyncEngine:
    try:
        engine = create_async_engine(with_driver(url), pool_pre_ping=True, hide_parameters=True)
    except ModuleNotFoundError as error:
        if url.get_backend_name() != "postgresql":
            raise
        raise MissingTool(f"The store needs {error.name}: install localaik[postgres].") from None
    if engine.dialect.name == "postgresql":
        event.listen(engine.sync_engine, "begin", _wait_for_turn)
    return engine


def _sqlite(url: URL, *, in_memory: bool) -> AsyncEngine:
    url = with_driver(url)
    if in_memory:
        engine = create_async_engine(url, poolclass=StaticPool, hide_parameters=True)
    else:
        engine = create_async_engine(url, connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True)
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _direct(url: URL) -> DirectWriter:
    engine = create_engine(
        url.set(drivername="sqlite"),
        poolclass=StaticPool,
        connect_args={"timeout": _BUSY_SECONDS},
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return DirectWriter(engine)


def _prepare(connection: "DBAPIConnection", _entry: "ConnectionPoolEntry") -> None:
    # Python's driver would begin transactions by its own rules, and never with IMMEDIATE.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA wal_autocheckpoint=0")  # `_tidy_log` does it
    cursor.close()


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later fails where another process wrote in between; IMMEDIATE waits.
    options = connection.get_execution_options()
    if options.get(_OUTSIDE, False):
        return
    writing = options.get(_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _wait_for_turn(connection: Connection) -> None:
    # One writer at a time, as with SQLite, whatever process it is in: units read what they are going to change.
    if connection.get_execution_options().get(_WRITING, False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TURN})")
