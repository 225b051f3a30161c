"""The end of responses: a deleted or expired one is kept while another one continues it, and goes with the last."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, exists, func, select, update

from localaik.state.items import sweep_conversation, unlink_responses
from localaik.state.tables import CONVERSATION_ITEMS, CONVERSATIONS, RESPONSES

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["give_up", "sweep_conversations"]

_AT_ONCE: Final = 500


async def give_up(connection: "AsyncConnection", ids: Collection[str]) -> int:
    """Mark responses as gone, and remove what no other one needs. Returns how many bytes that was."""
    await connection.execute(update(RESPONSES).where(RESPONSES.c.id.in_(ids)).values(gone=True))
    freed = 0
    candidates = set(ids)
    while candidates:
        removed, size, candidates = await _remove_ends(connection, candidates)
        if not removed:
            break
        freed += size
    return freed


async def sweep_conversations(connection: "AsyncConnection", ids: Collection[str]) -> None:
    """Remove what was deleted in these conversations, as far as no response has seen it."""
    for conversation_id in ids:
        await sweep_conversation(connection, conversation_id)
    is_empty = ~exists().where(CONVERSATION_ITEMS.c.conversation_id == CONVERSATIONS.c.id)
    gone = delete(CONVERSATIONS).where(CONVERSATIONS.c.id.in_(ids), CONVERSATIONS.c.gone, is_empty)
    await connection.execute(gone)


async def _remove_ends(connection: "AsyncConnection", candidates: Collection[str]) -> tuple[list[str], int, set[str]]:
    """Remove those of `candidates` that are gone and not continued, and what they alone continued, as far as gone.

    Returns what was removed, its bytes, and where to go on: what was continued by these too.
    """
    later = RESPONSES.alias()
    continued = select(func.count()).select_from(later).where(later.c.previous_id == RESPONSES.c.id).scalar_subquery()
    columns = (RESPONSES.c.id, RESPONSES.c.previous_id, RESPONSES.c.conversation_id, RESPONSES.c.size)
    ends = select(*columns).where(RESPONSES.c.id.in_(candidates), RESPONSES.c.gone, continued == 0)
    doomed = ends.cte("doomed", recursive=True)
    only_for_these = (
        select(*columns).join(doomed, doomed.c.previous_id == RESPONSES.c.id).where(RESPONSES.c.gone, continued == 1)
    )
    doomed = doomed.union_all(only_for_these)
    rows = (await connection.execute(select(doomed))).all()
    ids = [row.id for row in rows]
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        await unlink_responses(connection, some)
        await connection.execute(delete(RESPONSES).where(RESPONSES.c.id.in_(some)))
    conversations = {row.conversation_id for row in rows if row.conversation_id}
    if conversations:
        await sweep_conversations(connection, conversations)
    return ids, sum(row.size for row in rows), {row.previous_id for row in rows if row.previous_id} - set(ids)
