"""Calls of clients in sliding windows.

A window holds the times of the calls that count. A call that is refused does not count, so whoever waits as long as it
is told gets through, however often it has asked meanwhile.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from time import monotonic_ns
from typing import Final

from localaik.http.quota import Verdict
from localaik.settings import Rate

__all__ = ["LocalRates", "Windows"]

_MAX_CLIENTS: Final = 10_000
_SECOND: Final = 1_000_000_000


class _Client:
    """What is remembered of a client."""

    __slots__ = ("last", "times")

    def __init__(self) -> None:
        self.last = 0
        """Time of the last call that counts."""
        self.times: dict[str, deque[int]] = {}
        """Bucket -> times of its calls."""


class Windows:
    """The calls of each client that still count. Pure: the caller brings the time."""

    def __init__(self, rates: Mapping[str, Rate], *, max_clients: int = _MAX_CLIENTS) -> None:
        """`rates` are those of the buckets that are limited."""
        self._rates = {bucket: (rate.calls, rate.seconds * _SECOND) for bucket, rate in rates.items()}
        self._longest = max((period for _, period in self._rates.values()), default=0)
        self._max_clients = max_clients
        # Not a dict, whose first entry takes ever longer to find as others before it are deleted.
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        """The one whose last call is the oldest comes first."""

    def __len__(self) -> int:
        """How many clients are remembered."""
        return len(self._clients)

    def take(self, bucket: str, client: str, now: int) -> Verdict:
        """Count one call of a client, unless it is refused. `bucket` is limited.

        `now` is in nanoseconds, by a clock that never goes back.
        """
        calls, period = self._rates[bucket]
        self._forget_idle(now)
        known = self._clients.get(client) or _Client()
        times = known.times.setdefault(bucket, deque())
        while times and times[0] + period <= now:
            times.popleft()
        if len(times) >= calls:
            reset, wait = times[-1] + period - now, times[0] + period - now
            return Verdict(
                allowed=False, limit=calls, remaining=0, reset_seconds=reset / _SECOND, retry_after=-(-wait // _SECOND)
            )
        times.append(now)
        known.last = now
        self._clients[client] = known
        self._clients.move_to_end(client)
        if len(self._clients) > self._max_clients:
            self._clients.popitem(last=False)
        left = calls - len(times)
        return Verdict(allowed=True, limit=calls, remaining=left, reset_seconds=period / _SECOND, retry_after=0)

    def _forget_idle(self, now: int) -> None:
        """Drop the clients none of whose calls counts any more."""
        while self._clients and next(iter(self._clients.values())).last + self._longest <= now:
            self._clients.popitem(last=False)


class LocalRates:
    """A `RateLimiter` for a server that is one process."""

    def __init__(self, rates: Mapping[str, Rate], clock: Callable[[], int] = monotonic_ns) -> None:
        """`clock` tells nanoseconds and never goes back."""
        self._windows = Windows(rates)
        self._clock = clock

    async def take(self, bucket: str, client: str) -> Verdict:
        """Count one call of a client, unless it is refused."""
        return self._windows.take(bucket, client, self._clock())
