"""Uploads that come in chunks: each chunk counts whole or not at all, and nothing is a file before the end."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from localaik.errors import BadRequest
from localaik.state.blobs import PIECE_BYTES, Part
from localaik.state.faults import (
    DiskFull,
    FileTooLarge,
    NameTaken,
    StoreFull,
    UnknownUpload,
    UploadEnded,
    WrongOffset,
    WrongSize,
)
from localaik.state.ids import check_id, new_blob_id, new_id
from localaik.state.records import NewFile, StoredFile, UploadStatus
from localaik.state.rows import file_of, lives
from localaik.state.shelf import Shelf
from localaik.state.tables import FILES, UPLOADS

if TYPE_CHECKING:
    from hashlib import _Hash

    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["Upload", "Uploads", "in_pieces"]

_UPLOAD_SECONDS: Final = 24 * 3600
_KNOWN_DIGESTS: Final = 256
_MICROSECONDS: Final = 1_000_000
_WITHOUT_END: Final = 1 << 62


class Uploads:
    """All uploads of a store."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._digests: OrderedDict[str, tuple[int, _Hash]] = OrderedDict()

    async def begin(self, new: NewFile, seconds: int = _UPLOAD_SECONDS) -> "Upload":
        """Start one, which has so many seconds to become a file.

        Raises `InvalidId`, `NameTaken`, `FileTooLarge`, `StoreFull`.
        """
        limits = self.shelf.limits
        if new.id is not None:
            check_id(new.id)
        if limits.file_bytes and (new.size or 0) > limits.file_bytes:
            raise FileTooLarge(limits.file_bytes)
        upload = new_blob_id()
        await self.shelf.database.write(partial(self._begin, upload, new, seconds))
        return Upload(self, upload)

    async def resume(self, upload: str) -> "Upload":
        """One that was begun, before a restart too. Raises `UnknownUpload`."""
        await self.row(upload)
        return Upload(self, upload)

    @asynccontextmanager
    async def lock(self, upload: str) -> AsyncGenerator[None, None]:
        """What whoever changes the upload must hold."""
        async with self._locks.setdefault(upload, asyncio.Lock()):
            if self.shelf.part_locks is None:
                yield
            else:
                async with self.shelf.part_locks.hold(upload):
                    yield

    def digest(self, upload: str, received: int) -> "_Hash | None":
        """SHA-256 of the first `received` bytes, where it is still known; a copy."""
        known = self._digests.get(upload)
        return known[1].copy() if known is not None and known[0] == received else None

    def keep_digest(self, upload: str, received: int, digest: "_Hash") -> None:
        """Spare the next chunk from reading all bytes again."""
        self._digests[upload] = (received, digest)
        self._digests.move_to_end(upload)
        if len(self._digests) > _KNOWN_DIGESTS:
            self._digests.popitem(last=False)

    async def row(self, upload: str) -> RowMapping:
        """The row of an upload. Raises `UnknownUpload`."""
        query = select(UPLOADS).where(UPLOADS.c.id == upload, UPLOADS.c.expires > self.shelf.now())

        async def find(connection: "AsyncConnection") -> RowMapping | None:
            return (await connection.execute(query)).mappings().one_or_none()

        found = await self.shelf.database.read(find)
        if found is None:
            raise UnknownUpload
        return found

    async def room(self, upload: str) -> int:
        """How many bytes an upload without a declared size may have."""
        limits = self.shelf.limits
        if not limits.stored_bytes:
            return _WITHOUT_END
        taken = await self.shelf.database.read(partial(self._taken, besides=upload))
        return max(limits.stored_bytes - taken, 0)

    async def drop(self, upload: str) -> None:
        """End an active upload without a file."""
        ending = update(UPLOADS).where(UPLOADS.c.id == upload, UPLOADS.c.state == "active").values(state="cancelled")

        async def end(connection: "AsyncConnection") -> int:
            return (await connection.execute(ending)).rowcount

        self._digests.pop(upload, None)
        if await self.shelf.database.write(end):
            await self.shelf.on_disk(partial(self.shelf.blobs.remove, [upload]))

    async def publish(self, upload: str, row: RowMapping) -> StoredFile:
        """Make what was received a file: its blob is published in the transaction that writes its row.

        So of several processes that try, one does. Raises `NameTaken`, `UploadEnded`, and `FileNotFoundError` where
        the bytes are gone.
        """
        now, seconds = self.shelf.now(), row["lifetime"] or self.shelf.limits.file_seconds
        new: dict[str, Any] = {  # a row
            "id": row["file_id"] or new_id(),
            "blob": upload,
            "mime": row["mime"],
            "display_name": row["display_name"],
            "size": row["received"],
            "generated": row["generated"],
            "created": now,
            "expires": now + seconds * _MICROSECONDS if seconds else None,
            "purpose": row["purpose"],
        }
        digest = self.digest(upload, row["received"])

        async def put(connection: "AsyncConnection") -> list[str]:
            await _end(upload, connection)
            publish = partial(self.shelf.blobs.publish, upload, row["received"], digest)
            new["sha256"] = await self.shelf.on_disk(publish)
            return await _replace(new, now, connection)

        try:
            expired = await self.shelf.database.write(put)
        except IntegrityError:
            raise NameTaken(new["id"]) from None
        self._digests.pop(upload, None)
        if expired:
            await self.shelf.on_disk(partial(self.shelf.blobs.remove, expired))
        return file_of(new)

    async def _begin(self, upload: str, new: NewFile, seconds: int, connection: "AsyncConnection") -> None:
        now, limit = self.shelf.now(), self.shelf.limits.stored_bytes
        if new.id is not None:
            same = select(FILES.c.id).where(FILES.c.id == new.id, lives(now))
            if (await connection.execute(same)).first() is not None:
                raise NameTaken(new.id)
        if limit and await self._taken(connection) + (new.size or 0) > limit:
            raise StoreFull(limit)
        await connection.execute(
            insert(UPLOADS).values(
                id=upload,
                file_id=new.id,
                mime=new.mime,
                display_name=new.display_name,
                declared=new.size,
                generated=new.generated,
                state="active",
                received=0,
                last_chunk=0,
                expires=now + seconds * _MICROSECONDS,
                purpose=new.purpose,
                lifetime=new.lifetime,
            )
        )

    async def _taken(self, connection: "AsyncConnection", *, besides: str = "") -> int:
        """Bytes of all files, and of all that active uploads have been promised."""
        now = self.shelf.now()
        files = select(func.coalesce(func.sum(FILES.c.size), 0)).where(lives(now))
        promised = func.coalesce(UPLOADS.c.declared, UPLOADS.c.received)
        uploads = select(func.coalesce(func.sum(promised), 0)).where(
            UPLOADS.c.state == "active", UPLOADS.c.expires > now, UPLOADS.c.id != besides
        )
        sums = [(await connection.execute(query)).scalar_one() for query in (files, uploads)]
        return int(sum(sums))


class Upload:
    """One upload. Its id is a credential: who knows it may add to the upload."""

    def __init__(self, uploads: Uploads, upload: str) -> None:
        """Made by `Uploads`."""
        self.id = upload
        self._uploads = uploads
        self._shelf = uploads.shelf

    async def status(self) -> UploadStatus:
        """Where it stands. Raises `UnknownUpload`."""
        row = await self._uploads.row(self.id)
        return UploadStatus(row["state"], row["received"], row["declared"])

    async def append(self, offset: int, chunks: AsyncIterable[bytes]) -> int:
        """Take one chunk, given in pieces of any size, and return how many bytes the upload has now.

        The chunk counts once all of it was taken: whatever `chunks` raises, the upload stays as it was. A repetition of
        the last chunk (same offset, same length) changes nothing. Raises `WrongOffset`, `UploadEnded`,
        `UnknownUpload`; and `WrongSize`, `FileTooLarge`, `StoreFull`, which end the upload.
        """
        async with self._uploads.lock(self.id):
            row = await self._active()
            received: int = row["received"]
            last_chunk: int = row["last_chunk"]
            if last_chunk and offset == received - last_chunk:
                if await _length(chunks, last_chunk) != last_chunk:
                    raise WrongOffset(offset, received)
                return received
            if offset != received:
                raise WrongOffset(offset, received)
            limit, fault = await self._limit(row["declared"])
            try:
                return await self._take(received, chunks, limit, fault)
            except DiskFull:
                # Bytes that do not count must not take the room of rows, without which nothing can be deleted either.
                await self._shelf.on_disk(partial(self._shelf.blobs.cut, self.id, received))
                raise
            except FileNotFoundError:
                await self._uploads.drop(self.id)
                raise UnknownUpload from None

    async def finish(self) -> StoredFile:
        """Make it a file, which from now on is seen by all.

        Raises `UploadEnded`, `UnknownUpload`; and `WrongSize`, `NameTaken`, which end the upload.
        """
        async with self._uploads.lock(self.id):
            row = await self._active()
            received, declared = row["received"], row["declared"]
            if declared is not None and received != declared:
                await self._uploads.drop(self.id)
                raise WrongSize(received, declared)
            try:
                return await self._uploads.publish(self.id, row)
            except FileNotFoundError:
                await self._uploads.drop(self.id)
                raise UnknownUpload from None
            except NameTaken:
                await self._uploads.drop(self.id)
                raise

    async def describe(self, *, purpose: str, lifetime: int | None) -> None:
        """Tell what the file is for and how many seconds it is kept, where that comes behind its bytes.

        Raises `UploadEnded`.
        """
        await self._change(purpose=purpose, lifetime=lifetime)

    async def restart(self) -> None:
        """Forget all bytes that were received. Raises `UploadEnded`."""
        async with self._uploads.lock(self.id):
            await self._change(received=0, last_chunk=0)

    async def cancel(self) -> None:
        """Drop what was received. Raises `UploadEnded` where it is a file already, `UnknownUpload`."""
        async with self._uploads.lock(self.id):
            if (await self.status()).state == "final":
                raise UploadEnded
            await self._uploads.drop(self.id)

    async def _change(self, **values: str | int | None) -> None:
        change = update(UPLOADS).where(UPLOADS.c.id == self.id, UPLOADS.c.state == "active").values(values)

        async def write(connection: "AsyncConnection") -> int:
            return (await connection.execute(change)).rowcount

        if not await self._shelf.database.write(write):
            raise UploadEnded

    async def _active(self) -> RowMapping:
        """Its row. Raises `UploadEnded`, `UnknownUpload`."""
        row = await self._uploads.row(self.id)
        if row["state"] != "active":
            raise UploadEnded
        return row

    async def _limit(self, declared: int | None) -> tuple[int, BadRequest]:
        """How many bytes the upload may have in all, and what is wrong with more."""
        if declared is not None:
            return declared, WrongSize(declared + 1, declared)
        limits = self._shelf.limits
        room = await self._uploads.room(self.id)
        if limits.file_bytes and limits.file_bytes <= room:
            return limits.file_bytes, FileTooLarge(limits.file_bytes)
        return room, StoreFull(limits.stored_bytes)

    async def _take(self, received: int, chunks: AsyncIterable[bytes], limit: int, fault: BadRequest) -> int:
        digest = self._uploads.digest(self.id, received)
        opening = partial(self._shelf.blobs.open_part, self.id, received, digest)
        part = await self._shelf.on_disk(opening, Part.close)
        total = received
        try:
            async for piece in in_pieces(chunks):
                total += len(piece)
                if total > limit:
                    break
                await self._shelf.on_disk(partial(part.write, piece))
        finally:
            await self._shelf.on_disk(part.close)
        if total > limit:
            await self._uploads.drop(self.id)
            raise fault
        await self._shelf.database.write(partial(_received, self.id, received, total))
        self._uploads.keep_digest(self.id, total, part.digest)
        return total


async def in_pieces(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytearray]:
    """The same bytes in pieces of `PIECE_BYTES`, the last one shorter."""
    held = bytearray()
    async for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            space = PIECE_BYTES - len(held)
            held += rest[:space]
            rest = rest[space:]
            if len(held) == PIECE_BYTES:
                yield held
                held = bytearray()
    if held:
        yield held


async def _length(chunks: AsyncIterable[bytes], most: int) -> int:
    """How many bytes come, or a number above `most`."""
    length = 0
    async for chunk in chunks:
        length += len(chunk)
        if length > most:
            break
    return length


async def _received(upload: str, before: int, after: int, connection: "AsyncConnection") -> None:
    counting = (
        update(UPLOADS)
        .where(UPLOADS.c.id == upload, UPLOADS.c.state == "active", UPLOADS.c.received == before)
        .values(received=after, last_chunk=after - before)
    )
    if not (await connection.execute(counting)).rowcount:
        raise UploadEnded


async def _end(upload: str, connection: "AsyncConnection") -> None:
    ending = update(UPLOADS).where(UPLOADS.c.id == upload, UPLOADS.c.state == "active").values(state="final")
    if not (await connection.execute(ending)).rowcount:
        raise UploadEnded


async def _replace(new: dict[str, Any], now: int, connection: "AsyncConnection") -> list[str]:
    """Insert a file; gives the blobs of an expired one of the same id."""
    expired = FILES.c.id == new["id"], ~lives(now)
    blobs = list((await connection.execute(select(FILES.c.blob).where(*expired))).scalars())
    await connection.execute(delete(FILES).where(*expired))
    await connection.execute(insert(FILES).values(new))
    return blobs
