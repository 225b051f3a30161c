"""Who may use the engine now: at most as many callers as it has slots, the rest in order of arrival.

Waiting happens here and never inside the engine, because a request that waits there can't be taken back.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import Final

from localaik.errors import Unavailable

__all__ = ["Gate", "Slot", "SlotUse", "Stopwatch", "as_background", "queue_full", "watch_slots"]

_BACKGROUND: Final[ContextVar[bool]] = ContextVar("localaik_background", default=False)


@contextmanager
def as_background() -> Iterator[None]:
    """Whoever asks a gate within, or in a task made within, waits behind all others, and as long as it takes."""
    token = _BACKGROUND.set(True)
    try:
        yield
    finally:
        _BACKGROUND.reset(token)


class Stopwatch:
    """How long at least one of several things went on. Those that go on at the same time count once."""

    __slots__ = ("_going_on", "_seconds", "_since")

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since = 0.0
        self._going_on = 0

    @property
    def seconds(self) -> float:
        """The time so far."""
        return self._seconds + (perf_counter() - self._since if self._going_on else 0.0)

    def begin(self) -> None:
        """One thing goes on from now on."""
        if not self._going_on:
            self._since = perf_counter()
        self._going_on += 1

    def end(self) -> None:
        """It is over."""
        self._going_on -= 1
        if not self._going_on:
            self._seconds += perf_counter() - self._since


class SlotUse:
    """What one request, with all its parts, had of the slots of engines."""

    __slots__ = ("asked", "holding", "waiting")

    def __init__(self) -> None:
        self.asked = False
        """A slot was asked for."""
        self.waiting = Stopwatch()
        """Time in front of gates."""
        self.holding = Stopwatch()
        """Time on slots."""


_SLOT_USE: Final[ContextVar[SlotUse | None]] = ContextVar("localaik_slot_use", default=None)


def watch_slots(use: SlotUse) -> None:
    """From now on `use` learns of every slot that is asked for in this context, and in tasks made within."""
    _SLOT_USE.set(use)


class Slot:
    """A slot that is held."""

    def __init__(self, gate: "Gate") -> None:
        """Made by `Gate.enter`."""
        self._gate: Gate | None = gate
        self._use = _SLOT_USE.get()
        if self._use is not None:
            self._use.holding.begin()

    def leave(self) -> None:
        """Give it back; a second time does nothing."""
        if self._gate is None:
            return
        self._gate.release()
        self._gate = None
        if self._use is not None:
            self._use.holding.end()


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
    def slots(self) -> int:
        """Callers who fit inside."""
        return self._slots

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

    async def enter(self) -> Slot:
        """As `acquire`; the slot knows who holds it, and how to give it back."""
        await self.acquire()
        return Slot(self)

    async def acquire(self) -> None:
        """Take one slot; `release()` must follow.

        Raises `Unavailable` when the queue is full or the wait too long; a cancelled wait leaves no trace.
        """
        use = _SLOT_USE.get()
        if use is not None:
            use.asked = True
        if self._busy < self._slots:
            self._busy += 1
            return
        if use is None:
            await self._queue()
            return
        use.waiting.begin()
        try:
            await self._queue()
        finally:
            use.waiting.end()

    async def _queue(self) -> None:
        if _BACKGROUND.get():
            await self._wait_in(self._background, seconds=None)
            return
        if self._queue_size and self.waiting >= self._queue_size:
            raise queue_full()
        await self._wait_in(self._waiting, seconds=self._queue_seconds or None)

    async def _wait_in(self, queue: deque[asyncio.Future[None]], *, seconds: float | None) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(place)
        is_background = queue is self._background
        self._begins_to_wait(background=is_background)
        try:
            async with asyncio.timeout(seconds):
                await place
        except BaseException as error:
            if not place.done() or place.cancelled():
                self._gives_up(place, background=is_background)
            elif place.exception() is None:
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
                self._admitted(background=queue is self._background)

    # For gates that share their slots with gates of other processes.

    def _begins_to_wait(self, *, background: bool) -> None:
        """Somebody has joined a queue."""

    def _gives_up(self, place: "asyncio.Future[None]", *, background: bool) -> None:
        """Somebody has left a place in a queue without a slot."""

    def _admitted(self, *, background: bool) -> None:
        """Somebody has left a queue with a slot."""


def queue_full() -> Unavailable:
    """The refusal of one more who would wait."""
    return Unavailable("Too many requests are waiting for the model (LOCALAIK_QUEUE_SIZE).", reason="queue_full")
