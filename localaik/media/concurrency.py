"""Doing several things at once, and one thing once for several callers."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from localaik.errors import Unavailable

__all__ = ["SingleFlight", "all_in_order"]

T = TypeVar("T")


async def all_in_order(works: Iterable[Coroutine[None, None, T]]) -> list[T]:
    """Run all at once and return the results in the order given.

    Where some fail, the first of them in that order is raised, however the timing was; the rest is cancelled and has
    ended when this returns or raises.
    """
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return [await task for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(slots=True)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    waiting: int = 0


class SingleFlight(Generic[T]):
    """Concurrent calls with one key share one run. When the last of the callers leaves, the run is cancelled."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[T]] = {}
        self._leaving: set[asyncio.Task[T]] = set()

    async def run(self, key: Hashable, work: Callable[[], Coroutine[None, None, T]]) -> T:
        """The result of `work()`, or of the run with this key that is under way; its exception likewise."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(work()))
        flight.waiting += 1
        try:
            await asyncio.wait([flight.task])
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                self._end(key, flight)
        if flight.task.cancelled():
            raise Unavailable("The server is stopping.", reason="stopping")
        return flight.task.result()

    async def close(self) -> None:
        """Cancel what runs, and wait for its end."""
        running = [flight.task for flight in self._flights.values()]
        for task in running:
            task.cancel()
        # Those that are leaving were cancelled before; once more would break into their clearing up.
        await asyncio.gather(*running, *self._leaving, return_exceptions=True)

    def _end(self, key: Hashable, flight: _Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not flight.task.done():
            flight.task.cancel()
            self._leaving.add(flight.task)
            flight.task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[T]) -> None:
        self._leaving.discard(task)
        if not task.cancelled():
            task.exception()  # nobody is left to be told
