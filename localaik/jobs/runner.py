"""Runs units of background work, a few at once, and lets callers who wait go first."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from localaik.engine.gate import as_background
from localaik.errors import Unavailable

__all__ = ["Runner", "Source", "Unit"]

_PAUSE_SECONDS: Final = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of work that is done whole or not at all."""

    job: str
    """Id of what it belongs to; the units of one job are cancelled together."""
    work: Callable[[], Awaitable[None]]
    """Does it and records that it is done. Where it is cancelled or raises, its source gives it out again."""
    release: Callable[[], None] | None = None
    """Called at the end, behind the pause that follows a fault: from then on its source may give it out again."""


Source = Callable[[], Awaitable[Unit | None]]
"""Gives the next unit that nobody works on, or None where there is none now. Never asked twice at the same time."""


class Runner:
    """Takes units from its sources while it is started. What is not recorded when it ends waits for the next start."""

    def __init__(self, concurrency: int = 1) -> None:
        """At most `concurrency` units run at once."""
        self._concurrency = concurrency
        self._sources: list[Source] = []
        self._running: dict[asyncio.Task[None], str] = {}
        self._news = asyncio.Event()
        self._dispatcher: asyncio.Task[None] | None = None
        self._faults: dict[Source, str] = {}

    def add(self, source: Source) -> None:
        """Take units from `source` too; sources take turns."""
        self._sources.append(source)

    def start(self) -> None:
        """Begin, with what a former process left undone."""
        if self._dispatcher is None and self._sources:
            self._dispatcher = asyncio.create_task(self._dispatch())

    def wake(self) -> None:
        """Tell that a source may have something new."""
        self._news.set()

    async def cancel(self, job: str) -> None:
        """Stop the running units of a job and return when they have stopped."""
        await _end([task for task, owner in self._running.items() if owner == job])

    async def close(self) -> None:
        """Stop everything and return when it has stopped; a second time does nothing."""
        if self._dispatcher is not None:
            await _end([self._dispatcher])
            self._dispatcher = None
        await _end(list(self._running))

    async def _dispatch(self) -> None:
        while True:
            self._news.clear()
            while len(self._running) < self._concurrency:
                unit = await self._next()
                if unit is None:
                    break
                task = asyncio.create_task(self._work(unit))
                self._running[task] = unit.job
                # Not at the end of `_work`, which never begins in a task that is cancelled at once.
                task.add_done_callback(partial(self._ended, unit))
            await self._news.wait()

    async def _next(self) -> Unit | None:
        for source in tuple(self._sources):
            try:
                unit = await source()
            except Exception as error:  # noqa: BLE001 - a disk that fails now may work later, and others go on
                self._put_off(source, type(error).__name__)
                continue
            self._faults.pop(source, None)
            if unit is not None:
                self._sources.remove(source)
                self._sources.append(source)  # behind all others, which may wait as well
                return unit
        return None

    def _put_off(self, source: Source, fault: str) -> None:
        """Look again later; tell of a fault once, however long it lasts."""
        if self._faults.get(source) != fault:
            self._faults[source] = fault
            _log.warning("background work can't be looked up: %s (is LOCALAIK_DATA_DIR writable?)", fault)
        asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self.wake)

    async def _work(self, unit: Unit) -> None:
        with as_background():
            try:
                await unit.work()
            except Unavailable as error:
                await asyncio.sleep(error.retry_after)
            except Exception as error:  # noqa: BLE001 - the unit comes again; nobody waits for this one
                _log.warning("background work failed and is tried again: %s", type(error).__name__)
                await asyncio.sleep(_PAUSE_SECONDS)

    def _ended(self, unit: Unit, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if unit.release is not None:
            unit.release()
        self.wake()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
