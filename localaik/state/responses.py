"""Stored responses. Each has the items that were new in it; what it continues is linked, never copied."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sqlalchemy import ColumnElement, RowMapping, and_, exists, func, or_, select

from localaik.state.chains import context_of, input_page
from localaik.state.database import Together
from localaik.state.faults import UnknownItem, UnknownResponse
from localaik.state.items import checked_id, findable_id
from localaik.state.removal import give_up
from localaik.state.response_records import Item, ItemPage, NewResponse, StoredResponse
from localaik.state.saving import Saving, save_responses
from localaik.state.shelf import Shelf
from localaik.state.tables import CONVERSATION_ITEMS, ITEMS, RESPONSE_ITEMS, RESPONSES

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["ResponseStore"]

_UNFINISHED: Final = ("queued", "in_progress")
_AT_ONCE: Final = 500
_ABANDONED: Final = 24 * 3600 * 1_000_000
"""What has not ended so long after its time is up belongs to a server that is no more; in microseconds."""
_SPARE: Final = 16
"""Where the limit is passed, a sixteenth of it is made free, so that not every response has to."""


class ResponseStore:
    """All stored responses. One that is deleted or has expired is gone, also where another one still needs it."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._bytes = 0
        """What is stored, as far as it is known here: of what others store there is an estimate only."""
        self._saving = Together(save_responses)

    async def save(self, new: NewResponse, *, history: Sequence[Item] = ()) -> None:
        """Store a response, in place of the one with the same id. It survives the process from then on.

        A response of a conversation that has ended well takes its items there. `history` is what stands for the
        response or the conversation that is continued where that is gone by now.
        """
        checked_id(new.id, UnknownResponse)

        saving = Saving(new, history, self._shelf.now())
        grown = await self._shelf.database.write_together(self._saving, saving)
        # Not in one line with `await`, before which it would be read. Others are taken to store as much as we do.
        self._bytes += grown * self._shelf.limits.processes
        await self._make_room(keep=new.id)

    async def get(self, response_id: str) -> StoredResponse:
        """A response by its id. Raises `UnknownResponse`."""
        checked_id(response_id, UnknownResponse)
        query = select(RESPONSES).where(RESPONSES.c.id == response_id, self._lives())

        async def find(connection: "AsyncConnection") -> StoredResponse | None:
            row = (await connection.execute(query)).mappings().one_or_none()
            return None if row is None else await _with_items(connection, row)

        found = await self._shelf.database.read(find)
        if found is None:
            raise UnknownResponse(response_id)
        return found

    async def context(self, response_id: str) -> list[Item]:
        """Everything that the next response sees, oldest first. Raises `UnknownResponse`."""
        checked_id(response_id, UnknownResponse)
        return await self._shelf.database.read(lambda connection: context_of(connection, response_id, self._lives()))

    async def input_items(
        self, response_id: str, *, limit: int, after: str | None = None, newest_first: bool = True
    ) -> ItemPage:
        """A page of what a response saw: its context without its output.

        Raises `UnknownResponse`, and `InvalidCursor` where no item of it has the id `after`.
        """
        checked_id(response_id, UnknownResponse)
        return await self._shelf.database.read(
            lambda connection: input_page(
                connection, response_id, self._lives(), limit=limit, after=after, newest_first=newest_first
            )
        )

    async def find_item(self, item_id: str) -> Item:
        """An item of a response or a conversation, of several with this id the newest. Raises `UnknownItem`."""
        if not findable_id(item_id):
            raise UnknownItem(item_id)
        answered = exists().where(
            RESPONSE_ITEMS.c.number == ITEMS.c.number, RESPONSES.c.id == RESPONSE_ITEMS.c.response_id, self._lives()
        )
        talked = exists().where(CONVERSATION_ITEMS.c.number == ITEMS.c.number, CONVERSATION_ITEMS.c.removed.is_(None))
        query = select(ITEMS.c.id, ITEMS.c.body).where(ITEMS.c.id == item_id, or_(answered, talked))

        async def find(connection: "AsyncConnection") -> Item:
            row = (await connection.execute(query.order_by(ITEMS.c.number.desc()).limit(1))).one_or_none()
            if row is None:
                raise UnknownItem(item_id)
            return Item(*row)

        return await self._shelf.database.read(find)

    async def delete(self, response_id: str) -> None:
        """Delete a response. Those that continue it stay whole. Raises `UnknownResponse`."""
        checked_id(response_id, UnknownResponse)
        query = select(RESPONSES.c.id).where(RESPONSES.c.id == response_id, self._lives())

        async def forget(connection: "AsyncConnection") -> int:
            if (await connection.execute(query)).one_or_none() is None:
                raise UnknownResponse(response_id)
            return await give_up(connection, [response_id])

        freed = await self._shelf.database.write(forget)
        self._bytes -= freed

    async def sweep(self) -> None:
        """Remove what has expired, and the oldest beyond the limit. To be called before the first response is saved."""
        horizon = self._horizon()
        ended = RESPONSES.c.status.not_in(_UNFINISHED)
        is_old = or_(and_(RESPONSES.c.stored <= horizon, ended), RESPONSES.c.stored <= horizon - _ABANDONED)
        expired = _oldest(_AT_ONCE).where(is_old)

        async def forget(connection: "AsyncConnection") -> int:
            ids = [row.id for row in await connection.execute(expired)]
            if ids:
                await give_up(connection, ids)
            return len(ids)

        while await self._shelf.database.write(forget) == _AT_ONCE:
            pass

        await self._measure()
        await self._make_room()

    def _lives(self) -> ColumnElement[bool]:
        """The condition that a response is neither deleted nor expired."""
        if not self._shelf.limits.answer_seconds:
            return ~RESPONSES.c.gone
        fresh = or_(RESPONSES.c.stored > self._horizon(), RESPONSES.c.status.in_(_UNFINISHED))
        return and_(~RESPONSES.c.gone, fresh)

    def _horizon(self) -> int:
        """What was stored then or before has expired; in microseconds."""
        seconds = self._shelf.limits.answer_seconds
        return self._shelf.now() - seconds * 1_000_000 if seconds else -1

    async def _measure(self) -> None:
        async def measure(connection: "AsyncConnection") -> int:
            return int((await connection.execute(select(func.coalesce(func.sum(RESPONSES.c.size), 0)))).scalar_one())

        self._bytes = await self._shelf.database.read(measure)

    async def _make_room(self, *, keep: str = "") -> None:
        limit = self._shelf.limits.answer_bytes
        if not limit or self._bytes <= limit:
            return
        if self._shelf.limits.processes > 1:
            await self._measure()
        target = limit - limit // _SPARE
        oldest = _oldest(_AT_ONCE).where(RESPONSES.c.id != keep, RESPONSES.c.status.not_in(_UNFINISHED))

        async def forget(connection: "AsyncConnection") -> bool:
            ids, excess = [], self._bytes - target
            for row in await connection.execute(oldest):
                if excess <= 0:
                    break
                ids.append(row.id)
                excess -= row.size
            if ids:
                freed = await give_up(connection, ids)
                self._bytes -= freed  # here, since the next one who looks may be quicker
            return bool(ids)

        while self._bytes > target and await self._shelf.database.write(forget):
            pass


def _oldest(most: int) -> "Select[tuple[str, int]]":
    return (
        select(RESPONSES.c.id, RESPONSES.c.size)
        .where(~RESPONSES.c.gone)
        .order_by(RESPONSES.c.stored, RESPONSES.c.id)
        .limit(most)
    )


async def _with_items(connection: "AsyncConnection", row: RowMapping) -> StoredResponse:
    query = (
        select(ITEMS.c.id, ITEMS.c.body)
        .join(RESPONSE_ITEMS, RESPONSE_ITEMS.c.number == ITEMS.c.number)
        .where(RESPONSE_ITEMS.c.response_id == row["id"])
        .order_by(RESPONSE_ITEMS.c.place)
    )
    items = [Item(*found) for found in await connection.execute(query)]
    names = ("id", "created", "status", "background", "body", "previous_id", "conversation_id")
    return StoredResponse(
        **{name: row[name] for name in names}, input=items[: row["inputs"]], output=items[row["inputs"] :]
    )
