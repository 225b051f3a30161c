"""When a dead engine is started again, and when that is given up. Pure: time comes in as a number."""

from collections import deque
from typing import Final

__all__ = ["RestartPolicy"]

_WINDOW_SECONDS: Final = 60.0
_FIRST_DELAY_SECONDS: Final = 0.5


class RestartPolicy:
    """At most `budget` restarts within 60 s, each after twice the delay of the one before: 0.5, 1, 2, ... s.

    An engine that never becomes ready uses up the same budget however long its loading takes: a model that can't be
    loaded will not load better the tenth time.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._restarts: deque[float] = deque()
        self._failed_loads = 0

    def after_death(self, now: float, *, was_ready: bool) -> float | None:
        """Seconds to wait before the next start, or None to give up. `now` is a monotonic time in seconds."""
        while self._restarts and now - self._restarts[0] >= _WINDOW_SECONDS:
            self._restarts.popleft()
        self._failed_loads = 0 if was_ready else self._failed_loads + 1
        if len(self._restarts) >= self._budget or self._failed_loads > self._budget:
            return None
        delay = _FIRST_DELAY_SECONDS * 2.0 ** len(self._restarts)
        self._restarts.append(now)
        return delay
