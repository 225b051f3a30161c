"""Stored chat completions: kept for a time, found by model and metadata."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from sqlalchemy import RowMapping, delete, func, insert, select, tuple_, update

from localaik.state.completion_records import Completion, CompletionPage
from localaik.state.faults import InvalidCursor, UnknownCompletion
from localaik.state.shelf import Shelf
from localaik.state.tables import COMPLETION_METADATA as TAGS
from localaik.state.tables import COMPLETIONS

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["CompletionStore"]

_ID: Final = re.compile(r"[A-Za-z]+-[A-Za-z0-9_-]{1,80}")
_SECOND: Final = 1_000_000


class CompletionStore:
    """All chat completions. One that has expired is gone, whether or not it was swept away yet."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._ttl = shelf.limits.answer_seconds * _SECOND
        self._most_bytes = shelf.limits.answer_bytes

    async def save(self, new: Completion) -> None:
        """Keep a new one, for which the oldest ones go where there is no room."""
        row = {
            "id": _checked(new.id),
            "model": new.model,
            "body": new.body,
            "messages": new.messages,
            "metadata": json.dumps(new.metadata),
            "size": len(new.body.encode()) + len(new.messages.encode()),
            "stored": self._shelf.now(),
        }

        async def put(connection: "AsyncConnection") -> None:
            await connection.execute(insert(COMPLETIONS).values(**row))
            await _tag(connection, new.id, new.metadata)
            if self._most_bytes:
                await _make_room(connection, self._most_bytes)

        await self._shelf.database.write(put)

    async def get(self, completion_id: str) -> Completion:
        """The one with this id. Raises `UnknownCompletion`."""
        query = select(COMPLETIONS).where(COMPLETIONS.c.id == _checked(completion_id), self._lives())

        async def find(connection: "AsyncConnection") -> RowMapping | None:
            return (await connection.execute(query)).mappings().one_or_none()

        found = await self._shelf.database.read(find)
        if found is None:
            raise UnknownCompletion(completion_id)
        return _completion_of(found)

    async def page(
        self,
        limit: int,
        *,
        after: str | None = None,
        newest_first: bool = False,
        model: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> CompletionPage:
        """At most `limit`, behind the one with the id `after`; only those of `model` and with all of `metadata`.

        Raises `InvalidCursor`.
        """
        place = tuple_(COMPLETIONS.c.stored, COMPLETIONS.c.id)
        query = select(COMPLETIONS).where(self._lives())
        if model is not None:
            query = query.where(COMPLETIONS.c.model == model)
        for name, value in (metadata or {}).items():
            query = query.where(COMPLETIONS.c.id.in_(_tagged(name, value)))
        order = (COMPLETIONS.c.stored, COMPLETIONS.c.id)
        query = query.order_by(*(column.desc() if newest_first else column for column in order)).limit(limit + 1)

        async def find(connection: "AsyncConnection") -> list[RowMapping]:
            wanted = query
            if after is not None:
                last = await self._place(connection, after)
                wanted = wanted.where(place < last if newest_first else place > last)
            return list((await connection.execute(wanted)).mappings())

        found = await self._shelf.database.read(find)
        return CompletionPage(tuple(_completion_of(row) for row in found[:limit]), len(found) > limit)

    async def update(self, completion_id: str, metadata: Mapping[str, str]) -> Completion:
        """Replace the metadata. Raises `UnknownCompletion`."""
        same = COMPLETIONS.c.id == _checked(completion_id), self._lives()
        change = update(COMPLETIONS).where(*same).values(metadata=json.dumps(dict(metadata)))

        async def put(connection: "AsyncConnection") -> RowMapping | None:
            await connection.execute(change)
            found = (await connection.execute(select(COMPLETIONS).where(*same))).mappings().one_or_none()
            if found is not None:
                await connection.execute(delete(TAGS).where(TAGS.c.completion_id == completion_id))
                await _tag(connection, completion_id, metadata)
            return found

        row = await self._shelf.database.write(put)
        if row is None:
            raise UnknownCompletion(completion_id)
        return _completion_of(row)

    async def delete(self, completion_id: str) -> None:
        """Delete it. Raises `UnknownCompletion`."""
        same = COMPLETIONS.c.id == _checked(completion_id), self._lives()

        async def forget(connection: "AsyncConnection") -> bool:
            found = (await connection.execute(select(COMPLETIONS.c.id).where(*same))).scalar_one_or_none()
            if found is not None:
                await _remove(connection, select(COMPLETIONS.c.id).where(*same))
            return found is not None

        if not await self._shelf.database.write(forget):
            raise UnknownCompletion(completion_id)

    async def sweep(self) -> None:
        """Delete what has expired."""

        async def forget(connection: "AsyncConnection") -> None:
            await _remove(connection, select(COMPLETIONS.c.id).where(~self._lives()))

        if self._ttl:
            await self._shelf.database.write(forget)

    def _lives(self) -> "ColumnElement[bool]":
        """The condition that a completion has not expired."""
        oldest = self._shelf.now() - self._ttl if self._ttl else -1
        return COMPLETIONS.c.stored > oldest

    async def _place(self, connection: "AsyncConnection", completion_id: str) -> tuple[int, str]:
        found = None
        if _ID.fullmatch(completion_id):
            query = select(COMPLETIONS.c.stored).where(COMPLETIONS.c.id == completion_id, self._lives())
            found = (await connection.execute(query)).scalar_one_or_none()
        if found is None:
            raise InvalidCursor(completion_id)
        return found, completion_id


def _checked(completion_id: str) -> str:
    """An id that may exist; some databases can't even be asked for others."""
    if not _ID.fullmatch(completion_id):
        raise UnknownCompletion(completion_id)
    return completion_id


def _tagged(name: str, value: str) -> "Select[tuple[str]]":
    """The ids of the completions whose metadata have this pair."""
    return select(TAGS.c.completion_id).where(TAGS.c.name == name, TAGS.c.value == value)


async def _tag(connection: "AsyncConnection", completion_id: str, metadata: Mapping[str, str]) -> None:
    if metadata:
        rows = [{"completion_id": completion_id, "name": name, "value": text} for name, text in metadata.items()]
        await connection.execute(insert(TAGS), rows)


async def _make_room(connection: "AsyncConnection", most_bytes: int) -> None:
    """Delete the oldest until the rest takes `most_bytes` at most."""
    total = (await connection.execute(select(func.sum(COMPLETIONS.c.size)))).scalar_one()
    if total <= most_bytes:
        return
    newest_first = (COMPLETIONS.c.stored.desc(), COMPLETIONS.c.id.desc())
    with_newer = func.sum(COMPLETIONS.c.size).over(order_by=newest_first).label("with_newer")
    ranked = select(COMPLETIONS.c.id, with_newer).subquery()
    await _remove(connection, select(ranked.c.id).where(ranked.c.with_newer > most_bytes))


async def _remove(connection: "AsyncConnection", ids: "Select[tuple[str]]") -> None:
    await connection.execute(delete(TAGS).where(TAGS.c.completion_id.in_(ids)))
    await connection.execute(delete(COMPLETIONS).where(COMPLETIONS.c.id.in_(ids)))


def _completion_of(row: RowMapping) -> Completion:
    return Completion(
        id=row["id"],
        model=row["model"],
        body=row["body"],
        messages=row["messages"],
        metadata=json.loads(row["metadata"]),
    )
