"""What a response saw: the responses that it continues, or a conversation as it was then, and its own items.

The number of queries does not depend on how much that is; those of a page ask for its items alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import CTE, ColumnElement, RowMapping, and_, literal, or_, select

from localaik.state.conversation_items import ConversationPart
from localaik.state.faults import InvalidCursor, UnknownResponse
from localaik.state.items import findable_id
from localaik.state.response_records import Item, ItemPage
from localaik.state.tables import ITEMS, RESPONSE_ITEMS, RESPONSES

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["context_of", "input_page"]

_CHAINED: Final = (RESPONSES.c.id, RESPONSES.c.previous_id)


@dataclass(frozen=True, slots=True)
class _Link:
    """The items of one response in a context: those at places below `count`."""

    response_id: str
    count: int


async def context_of(connection: "AsyncConnection", response_id: str, lives: ColumnElement[bool]) -> list[Item]:
    """Everything that a response saw and said, oldest first. Raises `UnknownResponse` for one that does not live."""
    chain = _chain(response_id, lives)
    first = select(RESPONSES.c.conversation_id, RESPONSES.c.seen).join(chain, chain.c.id == RESPONSES.c.id)
    root = (await connection.execute(first.order_by(chain.c.depth.desc()).limit(1))).mappings().one_or_none()
    if root is None:
        raise UnknownResponse(response_id)
    before = await _conversation_of(root).all(connection)
    query = (
        select(ITEMS.c.id, ITEMS.c.body)
        .select_from(chain)
        .join(RESPONSE_ITEMS, RESPONSE_ITEMS.c.response_id == chain.c.id)
        .join(ITEMS, ITEMS.c.number == RESPONSE_ITEMS.c.number)
        .order_by(chain.c.depth.desc(), RESPONSE_ITEMS.c.place)
    )
    return before + [Item(*row) for row in await connection.execute(query)]


async def input_page(
    connection: "AsyncConnection",
    response_id: str,
    lives: ColumnElement[bool],
    *,
    limit: int,
    after: str | None,
    newest_first: bool,
) -> ItemPage:
    """A page of what a response saw. Raises `UnknownResponse`, `InvalidCursor`."""
    chain = _chain(response_id, lives)
    query = (
        select(*_CHAINED, RESPONSES.c.inputs, RESPONSES.c.outputs, RESPONSES.c.conversation_id, RESPONSES.c.seen)
        .join(chain, chain.c.id == RESPONSES.c.id)
        .order_by(chain.c.depth.desc())
    )
    rows = (await connection.execute(query)).mappings().all()
    if not rows:
        raise UnknownResponse(response_id)
    links = [_Link(row["id"], row["inputs"] + row["outputs"]) for row in rows[:-1]] + [
        _Link(response_id, rows[-1]["inputs"])
    ]
    conversation = _conversation_of(rows[0])
    begin = None if after is None else await _place_of(connection, links, after, newest_first=newest_first)
    before = None
    if after is not None and begin is None:
        before = await conversation.place_of(connection, after, newest_first=newest_first)
        if before is None:
            raise InvalidCursor(after)
    wanted = limit + 1
    if newest_first:
        found = [] if before is not None else await _items_of(connection, links, begin, wanted, newest_first=True)
        if len(found) < wanted:
            found += await conversation.some(connection, wanted - len(found), before, newest_first=True)
    else:
        found = [] if begin is not None else await conversation.some(connection, wanted, before, newest_first=False)
        if len(found) < wanted:
            found += await _items_of(connection, links, begin, wanted - len(found), newest_first=False)
    return ItemPage(tuple(found[:limit]), has_more=len(found) > limit)


def _chain(response_id: str, lives: ColumnElement[bool]) -> CTE:
    """A response and all that it continues, each with its distance from the first."""
    one = select(*_CHAINED, literal(0).label("depth")).where(RESPONSES.c.id == response_id, lives)
    chain = one.cte("chain", recursive=True)
    earlier = select(*_CHAINED, chain.c.depth + 1).join(chain, RESPONSES.c.id == chain.c.previous_id)
    return chain.union_all(earlier)


def _conversation_of(root: RowMapping) -> ConversationPart:
    return ConversationPart(root["conversation_id"] or "", root["seen"])


async def _place_of(
    connection: "AsyncConnection", links: Sequence[_Link], item_id: str, *, newest_first: bool
) -> tuple[int, int] | None:
    """Where an item is: index of the link, and place. Of several with one id, the last that is met on the way."""
    query = (
        select(RESPONSE_ITEMS.c.response_id, RESPONSE_ITEMS.c.place)
        .join(ITEMS, ITEMS.c.number == RESPONSE_ITEMS.c.number)
        .where(ITEMS.c.id == findable_id(item_id), ITEMS.c.id != "")
    )
    indices = {link.response_id: index for index, link in enumerate(links)}
    found = [
        (indices[response_id], place)
        for response_id, place in await connection.execute(query)
        if response_id in indices and place < links[indices[response_id]].count
    ]
    if not found:
        return None
    return min(found) if newest_first else max(found)


def _ranges(
    links: Sequence[_Link], begin: tuple[int, int] | None, wanted: int, *, newest_first: bool
) -> list[tuple[_Link, int, int]]:
    """The links with the next `wanted` items behind `begin`, each with its first place and the one behind its last."""
    if newest_first:
        index, end = (len(links) - 1, None) if begin is None else begin
        order = range(index, -1, -1)
    else:
        index, end = (0, None) if begin is None else (begin[0], begin[1] + 1)
        order = range(index, len(links))
    ranges = []
    for each in order:
        link = links[each]
        low, high = 0, link.count
        if each == index and end is not None:
            low, high = (0, end) if newest_first else (end, link.count)
        if high - low > wanted:
            low, high = (high - wanted, high) if newest_first else (low, low + wanted)
        if high > low:
            ranges.append((link, low, high))
            wanted -= high - low
        if not wanted:
            break
    return ranges


async def _items_of(
    connection: "AsyncConnection",
    links: Sequence[_Link],
    begin: tuple[int, int] | None,
    wanted: int,
    *,
    newest_first: bool,
) -> list[Item]:
    """The next `wanted` items behind `begin`."""
    ranges = _ranges(links, begin, wanted, newest_first=newest_first)
    if not ranges:
        return []
    places = RESPONSE_ITEMS.c
    whole = [link.response_id for link, _, _ in ranges[1:-1]]
    ends = [
        and_(places.response_id == link.response_id, places.place >= low, places.place < high)
        for link, low, high in (ranges[0], ranges[-1])
    ]
    query = (
        select(places.response_id, places.place, ITEMS.c.id, ITEMS.c.body)
        .join(ITEMS, ITEMS.c.number == places.number)
        .where(or_(places.response_id.in_(whole), *ends))
    )
    order = {link.response_id: index for index, (link, _, _) in enumerate(ranges)}
    sign = -1 if newest_first else 1
    rows = sorted(await connection.execute(query), key=lambda row: (order[row.response_id], sign * row.place))
    return [Item(row.id, row.body) for row in rows]
