"""Uploads that one process at a time may change, where several keep things in one folder."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

__all__ = ["PartLocks"]

_FILE: Final = "uploads.lock"
_PLACES: Final = 1 << 40
_PAUSE_SECONDS: Final = 0.05


class PartLocks:
    """Locks between processes; within one they do not hold. The kernel drops those of a process that ends.

    A record lock (fcntl(2)) on one byte of a file that stays empty: nothing has to be tidied up.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` is the same for all processes; the file in it stays open."""
        self._file = os.open(folder / _FILE, os.O_RDWR | os.O_CREAT, 0o600)

    @asynccontextmanager
    async def hold(self, upload: str) -> AsyncGenerator[None, None]:
        """Hold an upload for the block; wait while another process has it."""
        place = int.from_bytes(sha256(upload.encode()).digest()[:8]) % _PLACES
        # A wait in the kernel would take a thread for each upload, and nothing tells of the end but asking again.
        while not self._lock(place):  # noqa: ASYNC110
            await asyncio.sleep(_PAUSE_SECONDS)
        try:
            yield
        finally:
            self._unlock(place)

    def _lock(self, place: int) -> bool:
        import fcntl  # noqa: PLC0415 - not on Windows, where there are no workers

        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _unlock(self, place: int) -> None:
        import fcntl  # noqa: PLC0415 - as above

        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)

    def close(self) -> None:
        """Drop all locks."""
        os.close(self._file)
