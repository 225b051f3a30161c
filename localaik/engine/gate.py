"""Who may use the engine now: at most as many callers as it has slots, the rest in order of arrival.

Waiting happens here and never inside the engine, because a request that waits there can't be taken back.
"""

import asyncio
from collections import deque

from localaik.errors import Unavailable

__all__ = ["Gate"]


class Gate:
    """A first-in, first-out semaphore with a bounded queue and a bounded wait."""

    def __init__(self, slots: int, *, queue_size: int, queue_seconds: float) -> None:
        self._slots = slots
        self._queue_size = queue_size
        self._queue_seconds = queue_seconds
        self._busy = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def busy(self) -> int:
        """Callers inside."""
        return self._busy

    @property
    def waiting(self) -> int:
        """Callers in the queue."""
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
        if self._queue_size and self.waiting >= self._queue_size:
            raise Unavailable("Too many requests are waiting for the model (LOCALAIK_QUEUE_SIZE).", reason="queue_full")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(self._queue_seconds or None):
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
        """Give the slot back; whoever waits longest gets it."""
        self._busy -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._busy < self._slots:
            place = self._waiting.popleft()
            if not place.done():
                self._busy += 1
                place.set_result(None)
