"""The files of a store: found, listed, read, deleted, expired."""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from io import FileIO
from typing import TYPE_CHECKING, Final

from sqlalchemy import ColumnElement, RowMapping, case, delete, func, literal, select, tuple_

from localaik.errors import InternalFault
from localaik.state.blobs import PIECE_BYTES
from localaik.state.faults import InvalidCursor, InvalidId, UnknownFile
from localaik.state.ids import check_id
from localaik.state.paging import place_of, token_of
from localaik.state.part_uploads import PartUploads
from localaik.state.records import MADE_HERE, UPLOADED, NewFile, Page, StoredFile
from localaik.state.rows import file_of, lives
from localaik.state.shelf import Shelf
from localaik.state.tables import FILES, UPLOAD_PARTS, UPLOADS
from localaik.state.uploads import Upload, Uploads

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["FileReader", "FileStore"]

_KIND: Final = "files"
_PURPOSE: Final[ColumnElement[str]] = func.coalesce(
    FILES.c.purpose, case((FILES.c.generated, literal(MADE_HERE)), else_=literal(UPLOADED))
)
"""What a file is for: where nobody said it, whether it was made here tells."""


class FileStore:
    """All files. Ids are checked here: whatever a caller sends, nothing outside of the store is reached."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._uploads = Uploads(shelf)
        self.in_parts = PartUploads(self._uploads)
        """Uploads whose parts come in any order."""

    async def begin(self, new: NewFile) -> Upload:
        """Start an upload. Raises `InvalidId`, `NameTaken`, `FileTooLarge`, `StoreFull`."""
        return await self._uploads.begin(new)

    async def upload(self, upload_id: str) -> Upload:
        """An upload that was begun. Raises `UnknownUpload`."""
        return await self._uploads.resume(upload_id)

    async def add(self, new: NewFile, chunks: AsyncIterable[bytes]) -> StoredFile:
        """Store a whole file at once. Raises what `begin`, `Upload.append` and `Upload.finish` raise."""
        upload = await self.begin(new)
        try:
            await upload.append(0, chunks)
            return await upload.finish()
        except BaseException:
            await self._uploads.drop(upload.id)
            raise

    async def get(self, file_id: str) -> StoredFile:
        """A file by its id. Raises `InvalidId`, `UnknownFile`."""
        return file_of(await self._row(file_id))

    async def list(self, size: int, token: str = "") -> Page[StoredFile]:
        """At most `size` files, newest first, after the page that gave `token`. Raises `InvalidPageToken`."""
        query = select(FILES).where(lives(self._shelf.now())).order_by(FILES.c.created.desc(), FILES.c.id.desc())
        if token:
            query = query.where(tuple_(FILES.c.created, FILES.c.id) < place_of(_KIND, token))

        async def find(connection: "AsyncConnection") -> list[StoredFile]:
            rows = (await connection.execute(query.limit(size + 1))).mappings()
            return [file_of(row) for row in rows]

        found = await self._shelf.database.read(find)
        return Page(tuple(found[:size]), _next_token(found[size - 1]) if len(found) > size else None)

    async def page(
        self, size: int, *, after: str | None = None, newest_first: bool = True, purpose: str | None = None
    ) -> tuple[tuple[StoredFile, ...], bool]:
        """At most `size` files behind the file `after`, of one purpose where it is given; and whether more follow.

        Raises `InvalidCursor`.
        """
        place = tuple_(FILES.c.created, FILES.c.id)
        query = select(FILES).where(lives(self._shelf.now()))
        if purpose is not None:
            query = query.where(_PURPOSE.in_([purpose]))
        if after is not None:
            last = tuple_(*map(literal, await self._place(after)))
            query = query.where(place < last if newest_first else place > last)
        columns = (FILES.c.created, FILES.c.id)
        query = query.order_by(*(column.desc() if newest_first else column for column in columns)).limit(size + 1)

        async def find(connection: "AsyncConnection") -> list[StoredFile]:
            return [file_of(row) for row in (await connection.execute(query)).mappings()]

        found = await self._shelf.database.read(find)
        return tuple(found[:size]), len(found) > size

    async def delete(self, file_id: str) -> None:
        """Delete a file. Raises `InvalidId`, `UnknownFile`."""
        same = FILES.c.id == check_id(file_id), lives(self._shelf.now())

        async def forget(connection: "AsyncConnection") -> str | None:
            blob: str | None = (await connection.execute(select(FILES.c.blob).where(*same))).scalar_one_or_none()
            await connection.execute(delete(FILES).where(*same))
            return blob

        blob = await self._shelf.database.write(forget)
        if blob is None:
            raise UnknownFile(file_id)
        await self._shelf.on_disk(partial(self._shelf.blobs.remove, [blob]))

    @asynccontextmanager
    async def open(self, file_id: str) -> "AsyncIterator[FileReader]":
        """A file for reading; it stays readable when it is deleted meanwhile. Raises `InvalidId`, `UnknownFile`."""
        row = await self._row(file_id)
        try:
            blob = await self._shelf.on_disk(partial(self._shelf.blobs.open_whole, row["blob"]), FileIO.close)
        except FileNotFoundError:
            raise UnknownFile(file_id) from None
        try:
            yield FileReader(file_of(row), blob, self._shelf)
        finally:
            blob.close()

    async def sweep(self) -> None:
        """Delete what has expired."""
        now = self._shelf.now()
        old_uploads = UPLOADS.c.expires <= now

        async def forget(connection: "AsyncConnection") -> list[str]:
            active = select(UPLOADS.c.id).where(old_uploads, UPLOADS.c.state == "active")
            blobs = [
                blob
                for query in (select(FILES.c.blob).where(~lives(now)), active)
                for blob in (await connection.execute(query)).scalars()
            ]
            await connection.execute(delete(FILES).where(~lives(now)))
            await connection.execute(delete(UPLOADS).where(old_uploads))
            takes_parts = select(UPLOADS.c.id).where(UPLOADS.c.state == "active")
            left = UPLOAD_PARTS.c.upload_id.not_in(takes_parts)
            blobs += (await connection.execute(select(UPLOAD_PARTS.c.id).where(left))).scalars()
            await connection.execute(delete(UPLOAD_PARTS).where(left))
            return blobs

        blobs = await self._shelf.database.write(forget)
        await self._shelf.on_disk(partial(self._shelf.blobs.remove, blobs))

    async def tidy(self) -> None:
        """Remove bytes that belong to nothing, such as a process leaves that is killed."""
        # Names first: what another process adds meanwhile has its row before it has a name.
        names = await self._shelf.on_disk(self._shelf.blobs.names)
        known = await self._shelf.database.read(_known_blobs)
        await self._shelf.on_disk(partial(self._shelf.blobs.remove, names - known))

    async def _place(self, file_id: str) -> tuple[int, str]:
        """Where a file stands in lists. Raises `InvalidCursor`."""
        try:
            row = await self._row(file_id)
        except (InvalidId, UnknownFile):
            raise InvalidCursor(file_id) from None
        return row["created"], row["id"]

    async def _row(self, file_id: str) -> RowMapping:
        query = select(FILES).where(FILES.c.id == check_id(file_id), lives(self._shelf.now()))

        async def find(connection: "AsyncConnection") -> RowMapping | None:
            return (await connection.execute(query)).mappings().one_or_none()

        found = await self._shelf.database.read(find)
        if found is None:
            raise UnknownFile(file_id)
        return found


class FileReader:
    """An open file."""

    def __init__(self, file: StoredFile, blob: FileIO, shelf: Shelf) -> None:
        """Made by `FileStore.open`."""
        self.file = file
        self._blob = blob
        self._shelf = shelf

    async def pieces(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` to `end` (not included; None is the end of the file), 1 MiB at most in a piece.

        Raises `InternalFault` where the disk fails or bytes are missing.
        """
        left = (self.file.size if end is None else min(end, self.file.size)) - start
        await self._shelf.on_disk(partial(self._blob.seek, start))
        while left > 0:
            piece = await self._shelf.on_disk(partial(self._blob.read, min(left, PIECE_BYTES)))
            if not piece:
                raise InternalFault("The stored file is damaged.")
            left -= len(piece)
            yield piece

    @property
    def mime(self) -> str:
        """The media type it was stored with."""
        return self.file.mime

    @property
    def size(self) -> int:
        """Bytes."""
        return self.file.size

    async def read(self, most: int | None = None) -> bytes:
        """The bytes from the beginning, `most` at most."""
        return b"".join([piece async for piece in self.pieces(0, most)])


def _next_token(last: StoredFile) -> str:
    return token_of(_KIND, (_microseconds(last), last.id))


def _microseconds(file: StoredFile) -> int:
    return int(file.created.timestamp()) * 1_000_000 + file.created.microsecond


async def _known_blobs(connection: "AsyncConnection") -> set[str]:
    active = select(UPLOADS.c.id).where(UPLOADS.c.state == "active")
    queries = (select(FILES.c.blob), active, select(UPLOAD_PARTS.c.id))
    return {blob for query in queries for blob in (await connection.execute(query)).scalars()}
