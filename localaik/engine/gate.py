"""Who may use the engine now: at most as many callers as it has slots, the rest in order of arrival.

Waiting happens here and never inside the engine, because a request that waits there can't be taken back.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from localaik.errors import Unavailable

__all__ = ["Gate", "as_background"]

_BACKGROUND: Final[ContextVar[bool]] = ContextVar("localaik_background", default=False)


@contextmanager
def as_background() -> Iterator[None]:
    """Whoever asks a gate within, or in a task made within, waits behind all others, and as long as it takes."""
    token = _BACKGROUND.set(True)
    try:
        yield
    finally:
        _BACKGROUND.reset(token)


class Gate:
    """A first-in, first-out semaphore with a bounded queue and a bounded wait."""

    def __init__(self, slots: int, *, queue_size: int, queue_seconds: float) -> None:
        self._slots = slots
        self._queue_size = queue_size
        self._queue_seconds = queue_seconds
        self._busy = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._background: deque[asyncio.Future[None]] = deque()

    @property
    def busy(self) -> int:
        """Callers inside."""
        return self._busy

    @property
    def waiting(self) -> int:
        """Callers in the queue; background work is none."""
        return sum(not place.done() for place in self._waiting)

    def resize(self, slots: int) -> None:
        """Set the number of slots, once the engine has told it."""
        self._slots = slots
        self._admit()

    async def acquire(self) -> None:
        """Take one slot; `release()` must follow.

        Raises `Unavailable` when the queue is full or the wait too long; a cancelled wait leaves no trace.
        """
        if self._busy < self._slots:
            self._busy += 1
            return
        if _BACKGROUND.get():
            await self._wait_in(self._background, seconds=None)
            return
        if self._queue_size and self.waiting >= self._queue_size:
            raise Unavailable("Too many requests are waiting for the model (LOCALAIK_QUEUE_SIZE).", reason="queue_full")
        await self._wait_in(self._waiting, seconds=self._queue_seconds or None)

    async def _wait_in(self, queue: deque[asyncio.Future[None]], *, seconds: float | None) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(place)
        try:
            async with asyncio.timeout(seconds):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():
                self.release()  # admitted in the same moment as it gave up
            if isinstance(error, TimeoutError):
                raise Unavailable(
                    "The model was busy for too long (LOCALAIK_QUEUE_TIMEOUT_SECONDS).", reason="queue_timeout"
                ) from None
            raise

    def release(self) -> None:
        """Give the slot back; whoever waits longest gets it, background work after all others."""
        self._busy -= 1
        self._admit()

    def _admit(self) -> None:
        while (queue := self._waiting or self._background) and self._busy < self._slots:
            place = queue.popleft()
            if not place.done():
                self._busy += 1
                place.set_result(None)
