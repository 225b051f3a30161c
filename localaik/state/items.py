"""Items of responses and conversations: each is stored once, and linked from where it belongs.

A response and the conversation that it belongs to link the same items. An item ends with its last link.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sqlalchemy import ColumnElement, delete, exists, insert, select

from localaik.errors import NotFound
from localaik.state.response_records import Item
from localaik.state.tables import CONVERSATION_ITEMS, ITEMS, RESPONSE_ITEMS, RESPONSES

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["checked_id", "findable_id", "insert_items", "size_of", "sweep_conversation", "unlink_responses"]

_ID: Final = re.compile(r"[A-Za-z]+_[A-Za-z0-9_-]{1,80}")
_MAX_ITEM_ID_CHARS: Final = 200


def checked_id(value: str, fault: type[NotFound]) -> str:
    """`value`, which may be the id of a response or a conversation. Raises `fault`, made of the value."""
    if not _ID.fullmatch(value):
        raise fault(value)
    return value


def findable_id(value: str) -> str:
    """The id of an item as it is stored: empty for one that no database can be asked for."""
    return value if len(value) <= _MAX_ITEM_ID_CHARS and "\0" not in value else ""


def size_of(items: Sequence[Item]) -> int:
    """Bytes of the bodies."""
    return sum(len(item.body.encode()) for item in items)


async def insert_items(connection: "AsyncConnection", items: Sequence[Item], first: int) -> None:
    """Store items under the numbers from `first` on."""
    rows = [
        {"number": number, "id": findable_id(item.id), "body": item.body} for number, item in enumerate(items, first)
    ]
    await connection.execute(insert(ITEMS), rows)


async def unlink_responses(connection: "AsyncConnection", ids: Sequence[str]) -> None:
    """Take the items from these responses. Items of conversations stay."""
    mine = RESPONSE_ITEMS.c.response_id.in_(ids)
    elsewhere = exists().where(CONVERSATION_ITEMS.c.number == ITEMS.c.number)
    numbers = select(RESPONSE_ITEMS.c.number).where(mine)
    await connection.execute(delete(ITEMS).where(ITEMS.c.number.in_(numbers), ~elsewhere))
    await connection.execute(delete(RESPONSE_ITEMS).where(mine))


async def sweep_conversation(connection: "AsyncConnection", conversation_id: str) -> None:
    """Take the deleted items from a conversation that no response has seen any more."""
    links = CONVERSATION_ITEMS
    has_seen = exists().where(
        RESPONSES.c.conversation_id == conversation_id,
        RESPONSES.c.seen > links.c.place,
        RESPONSES.c.seen <= links.c.removed,
    )
    mine: ColumnElement[bool] = (links.c.conversation_id == conversation_id) & links.c.removed.is_not(None) & ~has_seen
    numbers: Select[tuple[int]] = select(links.c.number).where(mine)
    elsewhere = exists().where(RESPONSE_ITEMS.c.number == ITEMS.c.number)
    await connection.execute(delete(ITEMS).where(ITEMS.c.number.in_(numbers), ~elsewhere))
    await connection.execute(delete(links).where(mine))
