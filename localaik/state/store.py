"""The store of a server: nothing is opened, written or even imported before something is stored or asked for."""

import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from localaik.errors import InternalFault, LocalaikError, Unavailable

if TYPE_CHECKING:
    from localaik.settings import Settings
    from localaik.state.batches import BatchStore
    from localaik.state.caches import CacheStore
    from localaik.state.completions import CompletionStore
    from localaik.state.conversations import ConversationStore
    from localaik.state.files import FileReader, FileStore
    from localaik.state.responses import ResponseStore
    from localaik.state.sessions import SessionStore
    from localaik.state.shelf import Shelf

__all__ = ["Store"]

DATABASE_FILE: Final = "state.sqlite3"
_SWEEP_SECONDS: Final = 600
_log = logging.getLogger(__name__)


class Store:
    """Everything that outlives a request, by kind. Made at no cost; close it with the server.

    With the setting `state` on `memory` it ends with the server: rows live in memory, bytes in a temporary folder.
    """

    def __init__(self, settings: "Settings", *, clock: Callable[[], float] = time.time) -> None:
        """`clock` tells seconds since 1970."""
        self._settings = settings
        self._clock = clock
        self._opening = asyncio.Lock()
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._shelf: Shelf | None = None
        self._files: FileStore | None = None
        self._caches: CacheStore | None = None
        self._responses: ResponseStore | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._closed = False

    async def files(self) -> "FileStore":
        """The stored files. Raises `InternalFault` where the folder or the database can't be opened."""
        if self._files is None:
            async with self._opening:
                if self._closed:
                    raise Unavailable("The server is stopping.", reason="stopping")
                if self._files is None:
                    self._files = await self._open()
        return self._files

    async def caches(self) -> "CacheStore":
        """The cached contents. Raises what `files` raises."""
        await self.files()
        if self._caches is None:
            raise Unavailable("The server is stopping.", reason="stopping")
        return self._caches

    async def batches(self, kinds: Collection[str] | None = None) -> "BatchStore":
        """The stored batches of some kinds, or of all. Raises as `files`."""
        shelf = await self._opened()
        from localaik.state.batches import BatchStore  # noqa: PLC0415 - loaded by the first use only

        return BatchStore(shelf, kinds)

    async def completions(self) -> "CompletionStore":
        """The stored chat completions. Raises as `files`."""
        shelf = await self._opened()
        from localaik.state.completions import CompletionStore  # noqa: PLC0415 - loaded by the first use only

        return CompletionStore(shelf)

    async def sessions(self) -> "SessionStore":
        """The sessions. Raises as `files`."""
        shelf = await self._opened()
        from localaik.state.sessions import SessionStore  # noqa: PLC0415 - loaded by the first use only

        return SessionStore(shelf)

    async def responses(self) -> "ResponseStore":
        """The stored responses. Raises as `files`."""
        await self.files()
        if self._responses is None:
            raise Unavailable("The server is stopping.", reason="stopping")
        return self._responses

    async def conversations(self) -> "ConversationStore":
        """The conversations. Raises as `files`."""
        shelf = await self._opened()
        from localaik.state.conversations import ConversationStore  # noqa: PLC0415 - loaded by the first use only

        return ConversationStore(shelf)

    def may_hold_anything(self) -> bool:
        """False where nothing was stored so far, which costs nothing to know."""
        if self._shelf is not None:
            return True
        if self._closed or self._settings.state == "memory":
            return False
        return bool(self._settings.database_url) or (self._settings.data_path() / DATABASE_FILE).exists()

    @asynccontextmanager
    async def open(self, file_id: str) -> "AsyncIterator[FileReader]":
        """A stored file for reading: what `content.StoredFiles` promises. Raises `UnknownFile`, and as `files`."""
        async with (await self.files()).open(file_id) as reader:
            yield reader

    async def close(self) -> None:
        """Close what is open; a second time does nothing."""
        async with self._opening:
            self._closed = True
            if self._sweeper is not None:
                self._sweeper.cancel()
                await asyncio.wait([self._sweeper])
            if self._shelf is not None:
                await self._shelf.database.close()
                if self._shelf.part_locks is not None:
                    self._shelf.part_locks.close()
            if self._temporary is not None:
                await asyncio.to_thread(self._temporary.cleanup)
            self._files = self._caches = self._responses = self._shelf = self._sweeper = self._temporary = None

    async def _opened(self) -> "Shelf":
        """What all kinds are made of. Whoever needs modules that use SQLAlchemy imports them behind this.

        `_load` imports SQLAlchemy in a thread of its own; two threads that import a package with circles at the same
        time may both see halves of it.
        """
        await self.files()
        if self._shelf is None:
            raise Unavailable("The server is stopping.", reason="stopping")
        return self._shelf

    async def _open(self) -> "FileStore":
        await asyncio.to_thread(_load)  # a third of a second that would stop every other request
        try:
            self._shelf = await self._open_shelf()
            return await self._open_files(self._shelf)
        except LocalaikError:
            raise
        except Exception as error:  # noqa: BLE001 - drivers raise errors of many kinds
            # Their text may hold the address and the password of a database.
            _log.error("the store can't be opened: %s", _reason(error))
            raise InternalFault(
                "Nothing can be stored: the data folder or the database can't be opened (LOCALAIK_DATA_DIR,"
                " LOCALAIK_DATABASE_URL)."
            ) from None

    async def _open_shelf(self) -> "Shelf":
        from localaik.state.blobs import Blobs  # noqa: PLC0415 - loaded by the first use only
        from localaik.state.database import Database, sqlite_in, sqlite_in_memory  # noqa: PLC0415
        from localaik.state.part_locks import PartLocks  # noqa: PLC0415
        from localaik.state.shelf import Limits, Shelf  # noqa: PLC0415

        in_memory = self._settings.state == "memory"
        if in_memory and self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="localaik-")
        folder = Path(self._temporary.name) if self._temporary is not None else self._settings.data_path()
        blobs = await asyncio.to_thread(partial(Blobs, folder, durable=not in_memory))
        url = sqlite_in_memory() if in_memory else self._settings.database_url or sqlite_in(folder, DATABASE_FILE)
        database = await Database.open(url)
        locks = PartLocks(folder) if self._settings.workers > 1 else None
        return Shelf(database, blobs, Limits.of(self._settings), self._clock, locks)

    async def _open_files(self, shelf: "Shelf") -> "FileStore":
        from localaik.state.caches import CacheStore  # noqa: PLC0415 - loaded by the first use only
        from localaik.state.completions import CompletionStore  # noqa: PLC0415
        from localaik.state.files import FileStore  # noqa: PLC0415
        from localaik.state.responses import ResponseStore  # noqa: PLC0415

        files = FileStore(shelf)
        self._caches = CacheStore(shelf)
        self._responses = ResponseStore(shelf)
        swept: tuple[_Swept, ...] = (files, self._caches, self._responses, CompletionStore(shelf))
        for kind in swept:
            await kind.sweep()
        await files.tidy()
        self._sweeper = asyncio.create_task(_sweep_now_and_then(swept))
        return files


class _Swept(Protocol):
    """A kind of stored things, some of which end by themselves."""

    async def sweep(self) -> None:
        """Delete what has expired."""


def _load() -> None:
    import localaik.state.batches  # noqa: PLC0415 - SQLAlchemy is slow to import
    import localaik.state.caches  # noqa: PLC0415
    import localaik.state.completions  # noqa: PLC0415
    import localaik.state.conversations  # noqa: PLC0415
    import localaik.state.files  # noqa: PLC0415
    import localaik.state.responses  # noqa: PLC0415
    import localaik.state.sessions  # noqa: F401, PLC0415


async def _sweep_now_and_then(swept: "Sequence[_Swept]") -> None:
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        try:
            for kind in swept:
                await kind.sweep()
        except Exception as error:  # noqa: BLE001 - the next round may succeed; nobody waits for this one
            _log.warning("what has expired could not be deleted: %s", _reason(error))


def _reason(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else type(error).__name__
