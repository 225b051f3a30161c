"""Who has which slots of an engine, and who gets the next one. Pure: no I/O, no clock.

A worker keeps the slots that it was lent as long as nobody else wants one, so a server that is not full asks for
nothing. Once somebody waits, all give back what they do not use, and each slot goes to whoever has waited longest,
in whatever worker that is. Whether a queue is too long is known only when all have given back.
"""

from collections import Counter, deque
from collections.abc import Callable

__all__ = ["Slots"]


class Slots:
    """The slots of one engine."""

    def __init__(
        self,
        total: int,
        *,
        queue_size: int,
        grant: Callable[[int], None],
        refuse: Callable[[int], None],
        press: Callable[[bool], None],
    ) -> None:
        """`grant` lends a slot to a worker, `refuse` tells it that its last request can't wait, `press` tells all
        workers whether somebody waits. 0 is no limit to a queue.

        Workers are told apart by numbers.
        """
        self.total = total
        self._queue_size = queue_size
        self._grant = grant
        self._refuse = refuse
        self._press = press
        self._lent: Counter[int] = Counter()
        self._asked: Counter[int] = Counter()
        """How often a worker that may have unused slots was told that somebody waits, and has not answered yet."""
        self._waiting: deque[int] = deque()
        self._background: deque[int] = deque()
        self.pressed = False
        """Somebody waits."""

    def want(self, worker: int, *, background: bool) -> None:
        """One more request of a worker waits."""
        (self._background if background else self._waiting).append(worker)
        self._settle()

    def want_not(self, worker: int, *, background: bool, ahead: int = 0) -> None:
        """One of them waits no longer, and so many of the worker's have waited longer.

        Nothing happens where it was granted a slot meanwhile, which it gives back.
        """
        queue = self._background if background else self._waiting
        places = [place for place, other in enumerate(queue) if other == worker]
        if places:
            del queue[places[min(ahead, len(places) - 1)]]
        self._settle()

    def give_back(self, worker: int, slots: int, *, asked: bool = False) -> None:
        """A worker has no use for slots that it was lent. `asked`: it says so because it was told that others wait."""
        self._lent[worker] -= min(slots, self._lent[worker])
        if asked and self._asked[worker]:
            self._asked[worker] -= 1
        self._settle()

    def resize(self, total: int) -> None:
        """The engine has so many."""
        self.total = total
        self._settle()

    def forget(self, worker: int) -> None:
        """A worker is gone, with all its requests."""
        del self._lent[worker], self._asked[worker]
        for queue in (self._waiting, self._background):
            kept = [other for other in queue if other != worker]
            queue.clear()
            queue.extend(kept)
        self._settle()

    @property
    def _free(self) -> int:
        return self.total - self._lent.total()

    def _settle(self) -> None:
        while self._free > 0 and (queue := self._waiting or self._background):
            worker = queue.popleft()
            self._lent[worker] += 1
            self._grant(worker)
        pressed = bool(self._waiting or self._background) or self._free < 0
        if pressed != self.pressed:
            self.pressed = pressed
            if pressed:
                self._asked.update(worker for worker, slots in self._lent.items() if slots)
            self._press(pressed)
        while self._queue_size and len(self._waiting) > self._queue_size and not self._asked.total():
            self._refuse(self._waiting.pop())
