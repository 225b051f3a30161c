"""Uploads whose parts have ids of their own: sent in any order, put together in the order that the end names.

Such an upload is an ordinary one (`uploads`) that takes its bytes all at once, when it is completed. Each part is a
blob until then; a process that is killed leaves whole parts, and an upload that can be completed again.
"""

import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from io import FileIO
from typing import TYPE_CHECKING, Final

from sqlalchemy import RowMapping, delete, func, insert, select, update

from localaik.errors import BadRequest
from localaik.state.blobs import PIECE_BYTES, Part
from localaik.state.faults import UnknownUpload, UploadEnded
from localaik.state.ids import new_blob_id
from localaik.state.records import NewFile, StoredFile, UploadState
from localaik.state.rows import moment_of
from localaik.state.tables import UPLOAD_PARTS
from localaik.state.uploads import Uploads, in_pieces

if TYPE_CHECKING:
    from sqlalchemy import Executable
    from sqlalchemy.ext.asyncio import AsyncConnection

    from localaik.state.shelf import Shelf

__all__ = ["PartUpload", "PartUploads", "StoredPart"]

_SECONDS: Final = 3600
_MOST_TIMES_DECLARED: Final = 2  # every part may be sent again once
_MOST_PARTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class PartUpload:
    """Where such an upload stands. Times are in UTC."""

    id: str
    mime: str
    display_name: str | None
    purpose: str
    size: int
    """Bytes that the file will have."""
    state: UploadState
    created: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part that has arrived whole."""

    id: str
    upload_id: str
    created: datetime


class PartUploads:
    """All uploads in parts of a store. Ids are looked up among those that were given out, and are never a path."""

    def __init__(self, uploads: "Uploads") -> None:
        self._uploads = uploads
        self._shelf: Shelf = uploads.shelf

    async def begin(self, new: NewFile) -> PartUpload:
        """Start one, which has an hour; `new` has id, size and purpose. Raises as `Uploads.begin`."""
        upload = await self._uploads.begin(new, _SECONDS)
        return await self.get(upload.id)

    async def get(self, upload_id: str) -> PartUpload:
        """One that was begun. Raises `UnknownUpload`."""
        row = await self._uploads.row(upload_id)
        if row["purpose"] is None or row["declared"] is None:
            raise UnknownUpload
        expires: int = row["expires"]
        return PartUpload(
            id=row["id"],
            mime=row["mime"],
            display_name=row["display_name"],
            purpose=row["purpose"],
            size=row["declared"],
            state=row["state"],
            created=moment_of(expires - _SECONDS * 1_000_000),
            expires=moment_of(expires),
        )

    async def add(self, upload_id: str, chunks: AsyncIterable[bytes]) -> StoredPart:
        """Take one part, whole or, whatever `chunks` raises, not at all.

        Raises `UnknownUpload`, `UploadEnded`, and `BadRequest` where it can't belong to a file of the declared size.
        """
        upload = await self._active(upload_id)
        room = upload.size * _MOST_TIMES_DECLARED - await self._check_count(upload_id)
        part_id, now = new_blob_id(), self._shelf.now()
        # The row comes first: bytes without one are taken for those that a killed process left.
        await self._write(insert(UPLOAD_PARTS).values(id=part_id, upload_id=upload_id, created=now))
        try:
            size = await self._keep(part_id, chunks, min(upload.size, room))
            await self._active(upload_id)
            await self._write(update(UPLOAD_PARTS).where(UPLOAD_PARTS.c.id == part_id).values(size=size))
        except BaseException:
            await self._forget([part_id])
            raise
        return StoredPart(part_id, upload_id, moment_of(now))

    async def complete(self, upload_id: str, part_ids: Sequence[str], md5: str | None = None) -> StoredFile:
        """Make the parts, in this order, the file. `md5` is what its bytes must have, in hexadecimal.

        Raises `UnknownUpload`, `UploadEnded`, and `BadRequest` for unknown parts, another size and another digest; the
        upload then stays as it was.
        """
        async with self._uploads.lock(f"{upload_id} as a whole"):  # beside the lock of each of its steps
            upload = await self._active(upload_id)
            _check_size(await self._sizes(upload_id, part_ids), upload.size)
            taking = await self._uploads.resume(upload_id)
            digest = hashlib.md5(usedforsecurity=False)
            await taking.restart()
            await taking.append(0, self._bytes_of(part_ids, digest.update))
            if md5 is not None and digest.hexdigest() != md5.strip().lower():
                raise BadRequest("The MD5 of the uploaded bytes is another one.", field="md5", reason="invalid_value")
            file = await taking.finish()
            await self._forget_all(upload_id)
            return file

    async def cancel(self, upload_id: str) -> PartUpload:
        """Drop what was received. Raises `UnknownUpload`, `UploadEnded`."""
        upload = await self._active(upload_id)
        await (await self._uploads.resume(upload.id)).cancel()
        await self._forget_all(upload_id)
        return await self.get(upload_id)

    async def _active(self, upload_id: str) -> PartUpload:
        upload = await self.get(upload_id)
        if upload.state != "active":
            raise UploadEnded
        return upload

    async def _check_count(self, upload_id: str) -> int:
        """Bytes of all parts so far. Raises `BadRequest` where there are too many parts."""
        query = select(func.count(), func.coalesce(func.sum(UPLOAD_PARTS.c.size), 0)).where(
            UPLOAD_PARTS.c.upload_id == upload_id
        )

        async def find(connection: "AsyncConnection") -> tuple[int, int]:
            count, size = (await connection.execute(query)).one()
            return int(count), int(size)

        count, size = await self._shelf.database.read(find)
        if count >= _MOST_PARTS:
            raise BadRequest(f"The upload has {count} parts already.", field="data", reason="invalid_value")
        return size

    async def _keep(self, part_id: str, chunks: AsyncIterable[bytes], most: int) -> int:
        part = await self._shelf.on_disk(partial(self._shelf.blobs.open_part, part_id, 0), Part.close)
        size = 0
        try:
            async for chunk in in_pieces(chunks):
                size += len(chunk)
                if size > most:
                    raise BadRequest(
                        "The parts have more bytes than the upload was declared to have.",
                        field="data",
                        reason="invalid_value",
                    )
                await self._shelf.on_disk(partial(part.write, chunk))
        finally:
            await self._shelf.on_disk(part.close)
        return size

    async def _sizes(self, upload_id: str, part_ids: Sequence[str]) -> int:
        """Bytes of these parts together. Raises `BadRequest` naming the first that is not there."""
        query = select(UPLOAD_PARTS.c.id, UPLOAD_PARTS.c.size).where(
            UPLOAD_PARTS.c.upload_id == upload_id, UPLOAD_PARTS.c.size.is_not(None)
        )

        async def find(connection: "AsyncConnection") -> list[RowMapping]:
            return [*(await connection.execute(query)).mappings()]

        sizes: dict[str, int] = {row["id"]: row["size"] for row in await self._shelf.database.read(find)}
        for index, part_id in enumerate(part_ids):
            if part_id not in sizes:
                raise BadRequest(
                    f"The upload has no part 'part_{part_id[:100]}'.",
                    field=f"part_ids[{index}]",
                    reason="invalid_value",
                )
        return sum(sizes[part_id] for part_id in part_ids)

    async def _bytes_of(self, part_ids: Sequence[str], watch: Callable[[bytes], None]) -> AsyncIterator[bytes]:
        """The bytes of the parts, each piece shown to `watch` first."""
        for part_id in part_ids:
            file = await self._shelf.on_disk(partial(self._shelf.blobs.open_piece, part_id), FileIO.close)
            try:
                while piece := await self._shelf.on_disk(partial(file.read, PIECE_BYTES)):
                    watch(piece)
                    yield piece
            finally:
                file.close()

    async def _forget_all(self, upload_id: str) -> None:
        query = select(UPLOAD_PARTS.c.id).where(UPLOAD_PARTS.c.upload_id == upload_id)

        async def find(connection: "AsyncConnection") -> list[str]:
            return [*(await connection.execute(query)).scalars()]

        await self._forget(await self._shelf.database.read(find))

    async def _forget(self, part_ids: Sequence[str]) -> None:
        await self._shelf.on_disk(partial(self._shelf.blobs.remove, part_ids))
        await self._write(delete(UPLOAD_PARTS).where(UPLOAD_PARTS.c.id.in_(part_ids)))

    async def _write(self, statement: "Executable") -> None:
        async def write(connection: "AsyncConnection") -> None:
            await connection.execute(statement)

        await self._shelf.database.write(write)


def _check_size(size: int, declared: int) -> None:
    if size != declared:
        raise BadRequest(
            f"The parts have {size} bytes together, but {declared} were declared.",
            field="part_ids",
            reason="invalid_value",
        )
