"""What all kinds of stored things share: the database, the folder, the limits and the clock."""

import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from localaik.errors import InternalFault
from localaik.state.faults import DiskFull
from localaik.state.threads import in_thread

if TYPE_CHECKING:
    from localaik.settings import Settings
    from localaik.state.blobs import Blobs
    from localaik.state.database import Database
    from localaik.state.part_locks import PartLocks

__all__ = ["Limits", "Shelf"]

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be kept and how long; 0 is without limit."""

    file_bytes: int
    stored_bytes: int
    file_seconds: int
    answer_bytes: int
    """Of each kind of stored answers."""
    answer_seconds: int
    processes: int = 1
    """How many keep things here at the same time."""

    @classmethod
    def of(cls, settings: "Settings") -> "Limits":
        """The limits that the settings give."""
        return cls(
            settings.max_file_bytes,
            settings.max_stored_bytes,
            settings.file_ttl_hours * 3600,
            settings.max_state_bytes,
            settings.state_ttl_hours * 3600,
            settings.workers,
        )


@dataclass(frozen=True, slots=True)
class Shelf:
    """An open store."""

    database: "Database"
    blobs: "Blobs"
    limits: Limits
    clock: Callable[[], float]
    """Seconds since 1970."""
    part_locks: "PartLocks | None" = None
    """Keep uploads from several processes; None where there is one only."""

    def now(self) -> int:
        """Microseconds since 1970."""
        return int(self.clock() * 1_000_000)

    async def on_disk(self, work: Callable[[], T], discard: Callable[[T], object] | None = None) -> T:
        """The result of blocking `work` on the folder, run in a thread. `discard` is for a caller who is cancelled.

        Raises `FileNotFoundError` as it is, `DiskFull`, and `InternalFault` for every other fault of the disk.
        """
        try:
            return await in_thread(work, discard)
        except FileNotFoundError:
            raise
        except OSError as error:
            _log.error("the data folder can't be used: %s", error.strerror or type(error).__name__)
            if error.errno in _NO_ROOM:
                raise DiskFull from None
            raise InternalFault("The file can't be kept: the data folder is not writable.") from error
