"""How many calls a caller may still make: the question, its answer, and the headers that tell it.

Who counts is the server's business. Handlers see the `Quota` of their call alone, and only where its route is limited.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from msgspec import Struct

from localaik.errors import RateLimited
from localaik.settings import Rate

__all__ = ["Quota", "RateLimiter", "Verdict", "quota_headers"]

_NONE: Final[Mapping[str, str]] = {}


class Verdict(Struct, frozen=True):
    """Whether a call may be made, and what is left."""

    allowed: bool
    limit: int
    """Calls in one period."""
    remaining: int
    """Calls that may still be made at once."""
    reset_seconds: float
    """Until all of them may, if none is made."""
    retry_after: int
    """Whole seconds after which a refused call will be taken; 0 for one that is allowed."""


class RateLimiter(Protocol):
    """Counts calls."""

    async def take(self, bucket: str, client: str) -> Verdict:
        """Count one call of a client, unless it is refused."""
        ...


class Quota:
    """What one call may use: a bucket of limits, and the client that it is counted for."""

    __slots__ = ("_bucket", "_client", "_limiter", "_rate", "verdict")

    def __init__(self, limiter: RateLimiter, bucket: str, rate: Rate, client: str) -> None:
        self._limiter = limiter
        self._bucket = bucket
        self._rate = rate
        self._client = client
        self.verdict: Verdict | None = None
        """The last one; None before the first."""

    async def take(self) -> None:
        """Count one call. Raises `RateLimited`."""
        verdict = self.verdict = await self._limiter.take(self._bucket, self._client)
        if not verdict.allowed:
            raise RateLimited(self._bucket, self._rate.calls, self._rate.seconds, retry_after=verdict.retry_after)


def quota_headers(quota: Quota | None) -> Mapping[str, str]:
    """What answers of OpenAI's API tell of the calls that are left; nothing where they are not limited."""
    if quota is None or quota.verdict is None:
        return _NONE
    verdict = quota.verdict
    return {
        "x-ratelimit-limit-requests": str(verdict.limit),
        "x-ratelimit-remaining-requests": str(verdict.remaining),
        "x-ratelimit-reset-requests": _duration(verdict.reset_seconds),
    }


def _duration(seconds: float) -> str:
    """A time as OpenAI writes it: `250ms`, `1s`, `1.5s`, `6m0s`, `1h0m0s`. Never shorter than it is, to 1 ms."""
    milliseconds = -int(-seconds * 1000 // 1)
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
