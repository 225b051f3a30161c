"""Cached contents: parts of prompts that are kept under a name until they expire."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, RowMapping, delete, func, insert, select, tuple_, update

from localaik.state.faults import CachesFull, UnknownCache
from localaik.state.ids import new_id
from localaik.state.paging import place_of, token_of
from localaik.state.records import NewCache, Page, StoredCache
from localaik.state.rows import microseconds_of, moment_of
from localaik.state.shelf import Shelf
from localaik.state.tables import CACHED_CONTENTS as CACHES

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["CacheStore"]

_KIND: Final = "cachedContents"
_MAX_ID_CHARS: Final = 64
_DESCRIBING: Final = [column for column in CACHES.c if column.name != "body"]


class CacheStore:
    """All cached contents. One that has expired is gone, whether or not it was swept away yet."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def now(self) -> datetime:
        """The time by the store's clock, which decides what has expired."""
        return moment_of(self._shelf.now())

    async def add(self, new: NewCache) -> StoredCache:
        """Keep a new one under a generated id. Raises `CachesFull`."""
        row: dict[str, object] = {
            "id": new_id(),
            "model": new.model,
            "display_name": new.display_name,
            "body": new.body,
            "tokens": new.tokens,
            "created": microseconds_of(new.created),
            "updated": microseconds_of(new.created),
            "expires": microseconds_of(new.expires),
        }

        limit = self._shelf.limits.stored_bytes
        alive = CACHES.c.expires > self._shelf.now()
        size = func.coalesce(func.sum(func.length(CACHES.c.body)), 0)  # characters: never more than bytes

        async def put(connection: "AsyncConnection") -> None:
            if limit and (await connection.execute(select(size).where(alive))).scalar_one() + len(new.body) > limit:
                raise CachesFull(limit)
            await connection.execute(insert(CACHES).values(**row))

        await self._shelf.database.write(put)
        return await self.get(str(row["id"]))

    async def get(self, cache_id: str) -> StoredCache:
        """The one with this id. Raises `UnknownCache`."""
        return _cache_of(await self._row(cache_id, _DESCRIBING))

    async def body(self, cache_id: str) -> tuple[StoredCache, str]:
        """The one with this id, and the content as it was given. Raises `UnknownCache`."""
        row = await self._row(cache_id, list(CACHES.c))
        return _cache_of(row), row["body"]

    async def list(self, size: int, token: str = "") -> Page[StoredCache]:
        """At most `size`, newest first, after the page that gave `token`. Raises `InvalidPageToken`."""
        query = select(*_DESCRIBING).where(CACHES.c.expires > self._shelf.now())
        if token:
            query = query.where(tuple_(CACHES.c.created, CACHES.c.id) < place_of(_KIND, token))
        query = query.order_by(CACHES.c.created.desc(), CACHES.c.id.desc()).limit(size + 1)

        async def find(connection: "AsyncConnection") -> list[RowMapping]:
            return list((await connection.execute(query)).mappings())

        found = await self._shelf.database.read(find)
        last = found[size - 1] if len(found) > size else None
        next_token = None if last is None else token_of(_KIND, (last["created"], last["id"]))
        return Page(tuple(_cache_of(row) for row in found[:size]), next_token)

    async def prolong(self, cache_id: str, expires: datetime, *, now: datetime) -> StoredCache:
        """Set when it expires, sooner or later than before; `now` is the time of the change. Raises `UnknownCache`."""
        same = CACHES.c.id == _checked(cache_id), CACHES.c.expires > microseconds_of(now)
        change = update(CACHES).where(*same).values(expires=microseconds_of(expires), updated=microseconds_of(now))

        async def put(connection: "AsyncConnection") -> RowMapping | None:
            await connection.execute(change)
            found = await connection.execute(select(*_DESCRIBING).where(*same))
            return found.mappings().one_or_none()

        row = await self._shelf.database.write(put)
        if row is None:
            raise UnknownCache
        return _cache_of(row)

    async def delete(self, cache_id: str) -> None:
        """Delete it. Raises `UnknownCache`."""
        same = CACHES.c.id == _checked(cache_id), CACHES.c.expires > self._shelf.now()

        async def forget(connection: "AsyncConnection") -> bool:
            found = (await connection.execute(select(CACHES.c.id).where(*same))).scalar_one_or_none()
            await connection.execute(delete(CACHES).where(*same))
            return found is not None

        if not await self._shelf.database.write(forget):
            raise UnknownCache

    async def sweep(self) -> None:
        """Delete what has expired."""
        now = self._shelf.now()

        async def forget(connection: "AsyncConnection") -> None:
            await connection.execute(delete(CACHES).where(CACHES.c.expires <= now))

        await self._shelf.database.write(forget)

    async def _row(self, cache_id: str, columns: Sequence[Column[Any]]) -> RowMapping:
        query = select(*columns).where(CACHES.c.id == _checked(cache_id), CACHES.c.expires > self._shelf.now())

        async def find(connection: "AsyncConnection") -> RowMapping | None:
            return (await connection.execute(query)).mappings().one_or_none()

        found = await self._shelf.database.read(find)
        if found is None:
            raise UnknownCache
        return found


def _checked(cache_id: str) -> str:
    """An id that may exist; some databases can't even be asked for others."""
    if not (cache_id.isascii() and cache_id.isalnum() and len(cache_id) <= _MAX_ID_CHARS):
        raise UnknownCache
    return cache_id


def _cache_of(row: RowMapping) -> StoredCache:
    return StoredCache(
        id=row["id"],
        model=row["model"],
        display_name=row["display_name"],
        tokens=row["tokens"],
        created=moment_of(row["created"]),
        updated=moment_of(row["updated"]),
        expires=moment_of(row["expires"]),
    )
