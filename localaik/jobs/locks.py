"""Names that one piece of work at a time may use; the others wait in line, or are turned away."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

__all__ = ["Held", "NamedLocks", "OccupiedError"]


class OccupiedError(Exception):
    """The wait for a name was too long."""


class Held:
    """A name that is held."""

    def __init__(self, release: Callable[[], None], settled: Callable[[], Awaitable[object]] | None = None) -> None:
        """Made by `NamedLocks.take`. `settled` returns when all know what was released."""
        self._release: Callable[[], None] | None = release
        self._settled = settled

    def give_back(self) -> None:
        """Let others use it; a second time does nothing."""
        release, self._release = self._release, None
        if release is not None:
            release()

    async def settle(self) -> None:
        """Return when whoever asks for it finds it free, in whatever process; to be called when it was given back."""
        if self._settled is not None:
            await self._settled()


class NamedLocks:
    """A lock for each name that is in use. These hold within this process only."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: dict[str, int] = {}

    async def take(self, name: str, seconds: float | None = None) -> Held:
        """Hold `name` until it is given back.

        Waits behind whoever asked before: not at all without `seconds`, at most so long with them, 0 is for ever.
        Raises `OccupiedError`.
        """
        if seconds is None and name in self._locks:
            raise OccupiedError
        lock = self._locks.setdefault(name, asyncio.Lock())
        self._users[name] = self._users.get(name, 0) + 1
        try:
            async with asyncio.timeout(seconds or None):
                await lock.acquire()
        except BaseException as error:
            self._leave(name)
            if isinstance(error, TimeoutError):
                raise OccupiedError from None
            raise

        def release() -> None:
            lock.release()
            self._leave(name)

        return Held(release)

    async def is_taken(self, name: str) -> bool:
        """Somebody uses `name`, wherever that is."""
        return self.holds(name)

    def holds(self, name: str) -> bool:
        """Somebody uses `name` here."""
        return name in self._locks

    @asynccontextmanager
    async def hold(self, name: str, seconds: float | None = None) -> AsyncGenerator[None, None]:
        """Hold `name` for the block. Raises as `take`."""
        held = await self.take(name, seconds)
        try:
            yield
        finally:
            held.give_back()
            await held.settle()

    def _leave(self, name: str) -> None:
        self._users[name] -= 1
        if not self._users[name]:
            del self._users[name], self._locks[name]
