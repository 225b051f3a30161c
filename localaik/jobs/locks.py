"""Names that one piece of work at a time may use; the others wait in line."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

__all__ = ["NamedLocks", "OccupiedError"]


class OccupiedError(Exception):
    """The wait for a name was too long."""


class NamedLocks:
    """A lock for each name that is in use. They hold within this process only."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def hold(self, name: str, seconds: float) -> AsyncGenerator[None, None]:
        """Hold `name` for the block, after whoever asked before.

        Raises `OccupiedError` after `seconds` of waiting (0: never).
        """
        lock = self._locks.setdefault(name, asyncio.Lock())
        self._users[name] = self._users.get(name, 0) + 1
        try:
            await _acquire(lock, seconds)
            try:
                yield
            finally:
                lock.release()
        finally:
            self._users[name] -= 1
            if not self._users[name]:
                del self._users[name], self._locks[name]


async def _acquire(lock: asyncio.Lock, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds or None):
            await lock.acquire()
    except TimeoutError:
        raise OccupiedError from None
