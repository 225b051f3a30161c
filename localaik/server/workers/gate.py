"""A gate whose slots are shared with the gates of other workers."""

import asyncio
from collections.abc import Callable
from itertools import takewhile

from localaik.engine.gate import Gate, queue_full
from localaik.server.workers.messages import FromWorker, GaveBack, Resized, Wanted, WantedNot

__all__ = ["SharedGate"]


class SharedGate(Gate):
    """Lets in as many callers as slots are lent to this worker, and asks the parent for more where they don't do."""

    def __init__(self, engine: str, slots: int, *, queue_seconds: float, say: Callable[[FromWorker], None]) -> None:
        """`slots` is what all workers together have, until the engine tells; `say` reaches the parent."""
        super().__init__(0, queue_size=0, queue_seconds=queue_seconds)
        self._engine = engine
        self._total = slots
        self._say = say
        self._pressed = False
        self._is_granted = False

    @property
    def slots(self) -> int:
        """Those of the engine, whoever uses them."""
        return self._total

    def resize(self, slots: int) -> None:
        """Tell how many slots the engine has."""
        if slots != self._total:
            self._total = slots
            self._say(Resized(self._engine, slots))

    def release(self) -> None:
        """Give the slot to the parent where others wait, else to a caller here, or keep it for the next one."""
        if self._pressed:
            self._busy -= 1
            self._slots -= 1
            self._say(GaveBack(self._engine, 1))
        else:
            super().release()

    def granted(self) -> None:
        """The parent lends one more."""
        self._slots += 1
        self._is_granted = True  # who gets in by it need not be taken off the parent's list
        self._admit()
        self._is_granted = False
        if self._pressed and (idle := self._take_idle()):
            self._say(GaveBack(self._engine, idle))

    def refused(self) -> None:
        """The queue of all workers is full: whoever came last does not wait."""
        last = next((place for place in reversed(self._waiting) if not place.done()), None)
        if last is not None:
            last.set_exception(queue_full())

    def press(self, *, on: bool) -> None:
        """Others wait, or do no longer."""
        self._pressed = on
        if on:
            self._say(GaveBack(self._engine, self._take_idle(), asked=True))

    def _take_idle(self) -> int:
        """Slots that nobody here uses, which are not this worker's any more."""
        idle = max(self._slots - self._busy, 0)
        self._slots -= idle
        return idle

    def _begins_to_wait(self, *, background: bool) -> None:
        self._say(Wanted(self._engine, background))

    def _gives_up(self, place: "asyncio.Future[None]", *, background: bool) -> None:
        queue = self._background if background else self._waiting
        before = takewhile(lambda other: other is not place, queue)
        self._say(WantedNot(self._engine, background, ahead=sum(not other.done() for other in before)))

    def _admitted(self, *, background: bool) -> None:
        if not self._is_granted:
            self._say(WantedNot(self._engine, background))
