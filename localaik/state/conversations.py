"""Conversations: named lists of items, to which responses add. They are kept until they are deleted."""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, RowMapping, func, insert, literal, select, tuple_, update

from localaik.state.conversation_items import ConversationPart
from localaik.state.faults import InvalidCursor, UnknownConversation, UnknownItem
from localaik.state.items import checked_id, insert_items
from localaik.state.removal import sweep_conversations
from localaik.state.response_records import Conversation, ConversationPage, Item, ItemPage
from localaik.state.saving import append_links
from localaik.state.shelf import Shelf
from localaik.state.tables import CONVERSATION_ITEMS as LINKS
from localaik.state.tables import CONVERSATIONS, ITEMS

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["ConversationStore"]

_ID_BYTES: Final = 16


class ConversationStore:
    """All conversations."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def create(self, metadata: Mapping[str, str], items: Sequence[Item] = ()) -> Conversation:
        """Make a new one."""
        conversation_id = f"conv_{secrets.token_hex(_ID_BYTES)}"
        row = {
            "id": conversation_id,
            "created": self._shelf.now(),
            "metadata": json.dumps(dict(metadata)),
            "item_count": 0,
            "next_place": 0,
            "gone": False,
        }

        async def put(connection: "AsyncConnection") -> Conversation:
            await connection.execute(insert(CONVERSATIONS), row)
            await _append(connection, conversation_id, 0, items)
            return _conversation_of(await _row(connection, conversation_id))

        return await self._shelf.database.write(put)

    async def get(self, conversation_id: str) -> Conversation:
        """One by its id. Raises `UnknownConversation`."""
        checked_id(conversation_id, UnknownConversation)
        row = await self._shelf.database.read(lambda connection: _row(connection, conversation_id))
        return _conversation_of(row)

    async def update(self, conversation_id: str, metadata: Mapping[str, str]) -> Conversation:
        """Replace the metadata. Raises `UnknownConversation`."""
        checked_id(conversation_id, UnknownConversation)
        text = json.dumps(dict(metadata))

        async def put(connection: "AsyncConnection") -> Conversation:
            same = CONVERSATIONS.c.id == conversation_id
            await connection.execute(update(CONVERSATIONS).where(same).values(metadata=text))
            return _conversation_of(await _row(connection, conversation_id))

        return await self._shelf.database.write(put)

    async def delete(self, conversation_id: str) -> None:
        """Delete one. Responses that were made in it keep what they saw. Raises `UnknownConversation`."""
        checked_id(conversation_id, UnknownConversation)

        async def forget(connection: "AsyncConnection") -> None:
            row = await _row(connection, conversation_id)
            present = LINKS.c.conversation_id == conversation_id, LINKS.c.removed.is_(None)
            await connection.execute(update(LINKS).where(*present).values(removed=row["next_place"]))
            same = CONVERSATIONS.c.id == conversation_id
            await connection.execute(update(CONVERSATIONS).where(same).values(gone=True))
            await sweep_conversations(connection, [conversation_id])

        await self._shelf.database.write(forget)

    async def page(self, limit: int, after: str | None = None, *, newest_first: bool = True) -> ConversationPage:
        """At most `limit`, after the one with the id `after`. Raises `InvalidCursor`."""
        place = tuple_(CONVERSATIONS.c.created, CONVERSATIONS.c.id)
        order = [CONVERSATIONS.c.created, CONVERSATIONS.c.id]
        query = select(CONVERSATIONS).where(~CONVERSATIONS.c.gone).limit(limit + 1)
        query = query.order_by(*(column.desc() if newest_first else column for column in order))

        async def find(connection: "AsyncConnection") -> Sequence[RowMapping]:
            if after is None:
                return (await connection.execute(query)).mappings().all()
            try:
                last = await _row(connection, checked_id(after, UnknownConversation))
            except UnknownConversation:
                raise InvalidCursor(after) from None
            behind = tuple_(literal(last["created"], BigInteger), literal(last["id"]))
            wanted = query.where(place < behind if newest_first else place > behind)
            return (await connection.execute(wanted)).mappings().all()

        rows = await self._shelf.database.read(find)
        return ConversationPage(tuple(map(_conversation_of, rows[:limit])), has_more=len(rows) > limit)

    async def add(self, conversation_id: str, items: Sequence[Item]) -> None:
        """Put items behind those that are there. Raises `UnknownConversation`."""
        checked_id(conversation_id, UnknownConversation)

        async def put(connection: "AsyncConnection") -> None:
            row = await _row(connection, conversation_id)
            await _append(connection, conversation_id, row["next_place"], items)

        await self._shelf.database.write(put)

    async def items(
        self, conversation_id: str, *, limit: int, after: str | None = None, newest_first: bool = True
    ) -> ItemPage:
        """A page of the items. Raises `UnknownConversation`, and `InvalidCursor` where no item has the id `after`."""
        checked_id(conversation_id, UnknownConversation)
        part = ConversationPart(conversation_id)

        async def find(connection: "AsyncConnection") -> list[Item]:
            await _row(connection, conversation_id)
            place = None
            if after is not None:
                place = await part.place_of(connection, after, newest_first=newest_first)
                if place is None:
                    raise InvalidCursor(after)
            return await part.some(connection, limit + 1, place, newest_first=newest_first)

        found = await self._shelf.database.read(find)
        return ItemPage(tuple(found[:limit]), has_more=len(found) > limit)

    async def item(self, conversation_id: str, item_id: str) -> Item:
        """An item, of several with this id the newest. Raises `UnknownConversation`, `UnknownItem`."""
        checked_id(conversation_id, UnknownConversation)

        async def find(connection: "AsyncConnection") -> Item:
            await _row(connection, conversation_id)
            place = await _place_of(connection, conversation_id, item_id)
            query = select(ITEMS.c.id, ITEMS.c.body).join(LINKS, LINKS.c.number == ITEMS.c.number)
            query = query.where(LINKS.c.conversation_id == conversation_id, LINKS.c.place == place)
            return Item(*(await connection.execute(query)).one())

        return await self._shelf.database.read(find)

    async def delete_item(self, conversation_id: str, item_id: str) -> Conversation:
        """Take an item away, of several with this id the newest. Responses that saw it still do.

        Raises `UnknownConversation`, `UnknownItem`.
        """
        checked_id(conversation_id, UnknownConversation)
        changed = {"item_count": CONVERSATIONS.c.item_count - 1, "next_place": CONVERSATIONS.c.next_place + 1}

        async def forget(connection: "AsyncConnection") -> Conversation:
            row = await _row(connection, conversation_id)
            place = await _place_of(connection, conversation_id, item_id)
            link = LINKS.c.conversation_id == conversation_id, LINKS.c.place == place
            await connection.execute(update(LINKS).where(*link).values(removed=row["next_place"]))
            await connection.execute(update(CONVERSATIONS).where(CONVERSATIONS.c.id == conversation_id).values(changed))
            await sweep_conversations(connection, [conversation_id])
            return _conversation_of(await _row(connection, conversation_id))

        return await self._shelf.database.write(forget)

    async def context(self, conversation_id: str) -> list[Item]:
        """All items, oldest first. Raises `UnknownConversation`."""
        checked_id(conversation_id, UnknownConversation)

        async def find(connection: "AsyncConnection") -> list[Item]:
            await _row(connection, conversation_id)
            return await ConversationPart(conversation_id).all(connection)

        return await self._shelf.database.read(find)


async def _append(connection: "AsyncConnection", conversation_id: str, place: int, items: Sequence[Item]) -> None:
    if not items:
        return
    last = (await connection.execute(select(func.coalesce(func.max(ITEMS.c.number), 0)))).scalar_one()
    await insert_items(connection, items, last + 1)
    await append_links(connection, conversation_id, place, range(last + 1, last + 1 + len(items)))


async def _row(connection: "AsyncConnection", conversation_id: str) -> RowMapping:
    query = select(CONVERSATIONS).where(CONVERSATIONS.c.id == conversation_id, ~CONVERSATIONS.c.gone)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise UnknownConversation(conversation_id)
    return row


async def _place_of(connection: "AsyncConnection", conversation_id: str, item_id: str) -> int:
    place = await ConversationPart(conversation_id).place_of(connection, item_id, newest_first=False)
    if place is None:
        raise UnknownItem(item_id)
    return place


def _conversation_of(row: RowMapping) -> Conversation:
    return Conversation(row["id"], row["created"] // 1_000_000, json.loads(row["metadata"]), row["item_count"])
