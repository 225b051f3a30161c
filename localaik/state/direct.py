"""Whole transactions on SQLite in one visit to a thread, for what every answer waits for.

The asynchronous driver goes to its thread and back for every statement, and each way back waits for its turn on a busy
event loop. Here a unit of work is run to its end where the connection is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Engine, Executable
    from sqlalchemy.engine.interfaces import _CoreAnyExecuteParams
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["DirectWriter"]

W = TypeVar("W")
T = TypeVar("T")


class DirectWriter:
    """Runs units of work that wait for nothing but `connection.execute`."""

    def __init__(self, engine: "Engine") -> None:
        """`engine` begins transactions that write; it is used by one thread, and closed here."""
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, "localaik-state")

    async def write(
        self, work: "Callable[[AsyncConnection, Sequence[W]], Awaitable[Sequence[T]]]", what: Sequence[W]
    ) -> Sequence[T]:
        """The result of `work`, which is committed; where it raises, nothing is."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._write, work, what)

    async def close(self) -> None:
        """Let what runs end, and disconnect."""
        await asyncio.to_thread(self._close)

    def _write(
        self, work: "Callable[[AsyncConnection, Sequence[W]], Awaitable[Sequence[T]]]", what: Sequence[W]
    ) -> Sequence[T]:
        with self._engine.begin() as connection:
            return _result_of(work(cast("AsyncConnection", _Immediate(connection)), what))

    def _close(self) -> None:
        self._thread.submit(self._engine.dispose).result()
        self._thread.shutdown()


class _Immediate:
    """The part of an `AsyncConnection` that such units use; nothing is waited for."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    async def execute(
        self, statement: "Executable", parameters: "_CoreAnyExecuteParams | None" = None
    ) -> "CursorResult[Any]":  # of any row
        return self._connection.execute(statement, parameters)


def _result_of(unit: Awaitable[T]) -> T:
    steps = unit.__await__()
    try:
        next(steps)
    except StopIteration as end:
        return cast("T", end.value)
    raise RuntimeError("a unit of work waits for something else than the database")
