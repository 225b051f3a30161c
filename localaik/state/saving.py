"""How responses are written: several at once in few statements, since every answer waits for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import RowMapping, bindparam, delete, func, insert, select, update

from localaik.state.items import insert_items, size_of, unlink_responses
from localaik.state.response_records import Item, NewResponse
from localaik.state.tables import CONVERSATION_ITEMS, CONVERSATIONS, ITEMS, RESPONSE_ITEMS, RESPONSES

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["Saving", "append_links", "save_responses"]

_ENDED_WELL: Final = ("completed", "incomplete")
_KEPT: Final = ("stored", "size", "seen", "appended", "gone")

_LAST = select(func.coalesce(func.max(ITEMS.c.number), 0).label("last")).subquery()
_LOOK_UP: Final = select(_LAST.c.last, RESPONSES.c.id, *(RESPONSES.c[name] for name in _KEPT)).select_from(
    _LAST.outerjoin(RESPONSES, RESPONSES.c.id.in_(bindparam("ids", expanding=True)))
)
"""The last number, and the records that are replaced or continued."""
_NEXT_PLACES: Final = select(CONVERSATIONS.c.id, CONVERSATIONS.c.next_place).where(
    CONVERSATIONS.c.id.in_(bindparam("ids", expanding=True)), ~CONVERSATIONS.c.gone
)
_ADD_RESPONSES: Final = insert(RESPONSES)
_ADD_LINKS: Final = insert(RESPONSE_ITEMS)


@dataclass(frozen=True, slots=True)
class Saving:
    """A response that is to be written."""

    new: NewResponse
    history: Sequence[Item]
    """What stands for the response or the conversation that is continued, where that is gone."""
    now: int
    """Microseconds since 1970."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What the database says before anything is written."""

    last_number: int
    responses: dict[str, RowMapping]
    next_places: dict[str, int]


async def save_responses(connection: "AsyncConnection", savings: Sequence[Saving]) -> list[int]:
    """Write responses, in place of those with the same ids. Returns by how many bytes the store has grown for each."""
    grown: list[int] = []
    for round_ in _rounds(savings):
        grown += await _save(connection, round_)
    return grown


def _rounds(savings: Sequence[Saving]) -> list[list[Saving]]:
    """Parts of the list in which no response and no conversation comes twice, and none continues another one."""
    rounds: list[list[Saving]] = [[]]
    names: set[str | None] = set()
    for saving in savings:
        new = saving.new
        if names & {new.id, new.previous_id, new.conversation_id}:
            rounds.append([])
            names = set()
        names |= {new.id, new.conversation_id or new.id}
        rounds[-1].append(saving)
    return rounds


async def _save(connection: "AsyncConnection", savings: Sequence[Saving]) -> list[int]:
    found = await _look_up(connection, [saving.new for saving in savings])
    replaced = [saving.new.id for saving in savings if saving.new.id in found.responses]
    if replaced:
        await unlink_responses(connection, replaced)
        await connection.execute(delete(RESPONSES).where(RESPONSES.c.id.in_(replaced)))
    rows: list[dict[str, object]] = []
    links: list[dict[str, object]] = []
    items: list[Item] = []
    grown: list[int] = []
    for saving in savings:
        row, mine = _written(saving, found)
        start = found.last_number + 1 + len(items)
        numbers = range(start, start + len(mine))
        rows.append(row)
        items += mine
        links += [
            {"response_id": saving.new.id, "place": place, "number": number} for place, number in enumerate(numbers)
        ]
        old = found.responses.get(saving.new.id)
        grown.append(size_of(mine) + len(saving.new.body.encode()) - (0 if old is None else old["size"]))
        conversation_id = saving.new.conversation_id
        if conversation_id in found.next_places and row["appended"] and not (old and old["appended"]):
            await append_links(connection, conversation_id, found.next_places[conversation_id], numbers)
    await connection.execute(_ADD_RESPONSES, rows)
    if items:
        await insert_items(connection, items, found.last_number + 1)
        await connection.execute(_ADD_LINKS, links)
    return grown


async def _look_up(connection: "AsyncConnection", news: Sequence[NewResponse]) -> _Found:
    ids = [new.id for new in news] + [new.previous_id for new in news if new.previous_id is not None]
    rows = (await connection.execute(_LOOK_UP, {"ids": ids})).mappings().all()
    conversations = [new.conversation_id for new in news if new.conversation_id is not None]
    places = (await connection.execute(_NEXT_PLACES, {"ids": conversations})).all() if conversations else []
    return _Found(
        rows[0]["last"],
        {row["id"]: row for row in rows if row["id"] is not None},
        {row.id: row.next_place for row in places},
    )


def _written(saving: Saving, found: _Found) -> tuple[dict[str, object], list[Item]]:
    """The row of a response, and its items."""
    new = saving.new
    old = found.responses.get(new.id)
    previous_id = new.previous_id if new.previous_id in found.responses else None
    conversation_id = new.conversation_id if new.conversation_id in found.next_places else None
    is_whole = (previous_id, conversation_id) == (new.previous_id, new.conversation_id)
    given = [*(() if is_whole else saving.history), *new.input]
    items = [*given, *new.output]
    next_place = found.next_places.get(new.conversation_id or "", 0)
    was_appended = old is not None and old["appended"]
    row = {
        "id": new.id,
        "created": new.created,
        "stored": saving.now if old is None else old["stored"],
        "status": new.status,
        "background": new.background,
        "body": new.body,
        "size": len(new.body.encode()) + size_of(items),
        "inputs": len(given),
        "outputs": len(new.output),
        "previous_id": previous_id,
        "conversation_id": conversation_id,
        "seen": old["seen"] if old is not None and was_appended else next_place,
        "appended": was_appended or (conversation_id is not None and new.status in _ENDED_WELL),
        "gone": old is not None and old["gone"],
    }
    return row, items


async def append_links(connection: "AsyncConnection", conversation_id: str, place: int, numbers: Sequence[int]) -> None:
    """Put items behind those of a conversation, whose next place is `place`."""
    if not numbers:
        return
    links = [
        {"conversation_id": conversation_id, "place": each, "number": number}
        for each, number in enumerate(numbers, place)
    ]
    await connection.execute(insert(CONVERSATION_ITEMS), links)
    change = {
        "item_count": CONVERSATIONS.c.item_count + len(links),
        "next_place": CONVERSATIONS.c.next_place + len(links),
    }
    await connection.execute(update(CONVERSATIONS).where(CONVERSATIONS.c.id == conversation_id).values(change))
