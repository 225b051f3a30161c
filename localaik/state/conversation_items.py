"""The items of a conversation, as it is now or as a response saw it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, or_, select

from localaik.state.items import findable_id
from localaik.state.response_records import Item
from localaik.state.tables import CONVERSATION_ITEMS as LINKS
from localaik.state.tables import ITEMS

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["ConversationPart"]


@dataclass(frozen=True, slots=True)
class ConversationPart:
    """Some of the items of a conversation. One with an id that no conversation has is empty."""

    conversation_id: str
    seen: int | None = None
    """The next place of the conversation when it was looked at; None for what is in it now."""

    async def all(self, connection: "AsyncConnection") -> list[Item]:
        """All items, oldest first."""
        if not self._may_have_any():
            return []
        query = select(ITEMS.c.id, ITEMS.c.body).join(LINKS, LINKS.c.number == ITEMS.c.number)
        query = query.where(LINKS.c.conversation_id == self.conversation_id, *self._is_seen()).order_by(LINKS.c.place)
        return [Item(*row) for row in await connection.execute(query)]

    async def some(
        self, connection: "AsyncConnection", wanted: int, behind: int | None, *, newest_first: bool
    ) -> list[Item]:
        """At most `wanted` items behind a place."""
        if not self._may_have_any():
            return []
        place = LINKS.c.place
        near = select(LINKS.c.number, place).where(LINKS.c.conversation_id == self.conversation_id, *self._is_seen())
        if behind is not None:
            near = near.where(place < behind if newest_first else place > behind)
        links = near.order_by(place.desc() if newest_first else place).limit(wanted).subquery()
        query = select(ITEMS.c.id, ITEMS.c.body).join(links, links.c.number == ITEMS.c.number)
        query = query.order_by(links.c.place.desc() if newest_first else links.c.place)
        return [Item(*row) for row in await connection.execute(query)]

    async def place_of(self, connection: "AsyncConnection", item_id: str, *, newest_first: bool) -> int | None:
        """Where an item is. Of several with one id, the last that is met on the way."""
        if not self._may_have_any() or not findable_id(item_id):
            return None
        # Databases may think that reading all links of the conversation in order is cheaper; a computed value has no
        # index, so they begin with the items of this id.
        mine = LINKS.c.conversation_id.concat("") == self.conversation_id
        query = select(LINKS.c.place).join(ITEMS, ITEMS.c.number == LINKS.c.number)
        query = query.where(ITEMS.c.id == findable_id(item_id), mine, *self._is_seen())
        places = (await connection.execute(query)).scalars().all()
        return (min if newest_first else max)(places, default=None)

    def _may_have_any(self) -> bool:
        return bool(self.conversation_id) and self.seen != 0

    def _is_seen(self) -> list[ColumnElement[bool]]:
        if self.seen is None:
            return [LINKS.c.removed.is_(None)]
        return [LINKS.c.place < self.seen, or_(LINKS.c.removed.is_(None), LINKS.c.removed >= self.seen)]
