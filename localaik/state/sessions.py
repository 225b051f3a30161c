"""Sessions of the workbench: histories of chats, kept by the server until they are deleted."""

import logging
import re
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import orjson
from sqlalchemy import RowMapping, delete, func, insert, select, update

from localaik.state.faults import NoActiveSession, UnknownSession
from localaik.state.session_records import History, Session, SessionMessage
from localaik.state.shelf import Shelf
from localaik.state.tables import SESSION_MESSAGES as MESSAGES
from localaik.state.tables import SESSION_SLOTS as SLOTS
from localaik.state.tables import SESSIONS

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["SHARED_SLOT", "SessionStore"]

SHARED_SLOT: Final = ""
"""Whose current session it is where nobody is told apart."""
_ID: Final = re.compile(r"sess_[0-9a-f]{12}")
_ID_BYTES: Final = 6
_SECOND: Final = 1_000_000
_log = logging.getLogger(__name__)


class SessionStore:
    """All sessions, and which one is current for whom. A row that can't be read is logged and left out."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def create(self, model: str | None, max_context: int, slot: str = SHARED_SLOT) -> Session:
        """A new one without messages, which becomes the current one of `slot`."""
        session_id = f"sess_{secrets.token_hex(_ID_BYTES)}"
        now = self._shelf.now()
        row: dict[str, object] = {
            "id": session_id,
            "model": model,
            "message_count": 0,
            "token_count": 0,
            "max_context": max_context,
            "created": now,
            "accessed": now,
        }

        async def put(connection: "AsyncConnection") -> None:
            await connection.execute(insert(SESSIONS).values(**row))
            await _make_current(connection, slot, session_id)

        await self._shelf.database.write(put)
        return Session(session_id, model, 0, 0, max_context, now / _SECOND, now / _SECOND)

    async def get(self, session_id: str) -> Session:
        """The one with this id. Raises `UnknownSession`."""
        checked_id(session_id)

        async def find(connection: "AsyncConnection") -> Session:
            return await _read(connection, session_id)

        return await self._shelf.database.read(find)

    async def load(self, session_id: str, slot: str = SHARED_SLOT) -> Session:
        """Make it the current one of `slot`. Raises `UnknownSession`."""
        checked_id(session_id)
        now = self._shelf.now()

        async def touch(connection: "AsyncConnection") -> Session:
            await connection.execute(update(SESSIONS).where(SESSIONS.c.id == session_id).values(accessed=now))
            session = await _read(connection, session_id)
            await _make_current(connection, slot, session_id)
            return session

        return await self._shelf.database.write(touch)

    async def current(self, slot: str = SHARED_SLOT) -> Session:
        """The one that was created or loaded last. Raises `NoActiveSession`."""
        query = select(SESSIONS).join(SLOTS, SLOTS.c.session_id == SESSIONS.c.id).where(SLOTS.c.slot == slot)

        async def find(connection: "AsyncConnection") -> Session | None:
            row = (await connection.execute(query)).mappings().one_or_none()
            return None if row is None else _session_of(row)

        session = await self._shelf.database.read(find)
        if session is None:
            raise NoActiveSession
        return session

    async def all(self) -> list[Session]:
        """Every one, the one last used first."""
        query = select(SESSIONS).order_by(SESSIONS.c.accessed.desc(), SESSIONS.c.id)

        async def find(connection: "AsyncConnection") -> list[Session]:
            sessions = map(_session_of, (await connection.execute(query)).mappings())
            return [session for session in sessions if session is not None]

        return await self._shelf.database.read(find)

    async def history(self, session_id: str) -> History:
        """A session with its messages. Raises `UnknownSession`."""
        checked_id(session_id)
        query = select(MESSAGES).where(MESSAGES.c.session_id == session_id).order_by(MESSAGES.c.place)

        async def find(connection: "AsyncConnection") -> History:
            session = await _read(connection, session_id)
            rows = list((await connection.execute(query)).mappings())
            try:
                told = [(row["place"] < 0, SessionMessage(_object(row["body"]), int(row["tokens"]))) for row in rows]
            except (TypeError, ValueError):
                _log.error("a message of session %s can't be read", session_id)
                raise UnknownSession(session_id) from None
            system = [message for is_system, message in told if is_system]
            return History(session, system, [message for is_system, message in told if not is_system])

        return await self._shelf.database.read(find)

    async def append(
        self,
        session_id: str,
        messages: Sequence[SessionMessage],
        *,
        system: Sequence[SessionMessage] = (),
        max_context: int,
    ) -> None:
        """Add a turn in one transaction. `system`, where there is any, takes the place of what stands in front.

        Raises `UnknownSession` where it was deleted meanwhile.
        """
        checked_id(session_id)
        now = self._shelf.now()
        mine = MESSAGES.c.session_id == session_id

        async def put(connection: "AsyncConnection") -> None:
            await _read(connection, session_id)
            if system:
                await connection.execute(delete(MESSAGES).where(mine, MESSAGES.c.place < 0))
                await _insert(connection, session_id, system, -len(system))
            last = (await connection.execute(select(func.max(MESSAGES.c.place)).where(mine))).scalar_one_or_none()
            await _insert(connection, session_id, messages, 0 if last is None else max(last + 1, 0))
            count = select(func.count()).where(mine).scalar_subquery()
            tokens = select(func.coalesce(func.sum(MESSAGES.c.tokens), 0)).where(mine).scalar_subquery()
            changes = {"message_count": count, "token_count": tokens, "accessed": now, "max_context": max_context}
            await connection.execute(update(SESSIONS).where(SESSIONS.c.id == session_id).values(**changes))

        await self._shelf.database.write(put)

    async def delete(self, session_id: str) -> None:
        """Delete it with its messages. Raises `UnknownSession`."""
        checked_id(session_id)

        async def forget(connection: "AsyncConnection") -> None:
            await _read(connection, session_id)
            await connection.execute(delete(MESSAGES).where(MESSAGES.c.session_id == session_id))
            await connection.execute(delete(SLOTS).where(SLOTS.c.session_id == session_id))
            await connection.execute(delete(SESSIONS).where(SESSIONS.c.id == session_id))

        await self._shelf.database.write(forget)


def checked_id(session_id: str) -> None:
    """Raise `UnknownSession` for what can be no id, so that it never reaches the database."""
    if not _ID.fullmatch(session_id):
        raise UnknownSession(session_id)


async def _read(connection: "AsyncConnection", session_id: str) -> Session:
    found = (await connection.execute(select(SESSIONS).where(SESSIONS.c.id == session_id))).mappings().one_or_none()
    session = None if found is None else _session_of(found)
    if session is None:
        raise UnknownSession(session_id)
    return session


async def _make_current(connection: "AsyncConnection", slot: str, session_id: str) -> None:
    await connection.execute(delete(SLOTS).where(SLOTS.c.slot == slot))
    await connection.execute(insert(SLOTS).values(slot=slot, session_id=session_id))


async def _insert(
    connection: "AsyncConnection", session_id: str, messages: Sequence[SessionMessage], first: int
) -> None:
    rows = [
        {
            "session_id": session_id,
            "place": place,
            "body": orjson.dumps(message.body).decode(),
            "tokens": message.tokens,
        }
        for place, message in enumerate(messages, first)
    ]
    if rows:
        await connection.execute(insert(MESSAGES), rows)


def _session_of(row: RowMapping) -> Session | None:
    """The session in a row, or None where the row can't be read."""
    try:
        return Session(
            id=row["id"],
            model=row["model"],
            message_count=int(row["message_count"]),
            token_count=int(row["token_count"]),
            max_context=int(row["max_context"]),
            created=row["created"] / _SECOND,
            accessed=row["accessed"] / _SECOND,
        )
    except (TypeError, ValueError):
        _log.error("the row of session %s can't be read", row["id"])
        return None


def _object(text: str) -> dict[str, object]:
    value = orjson.loads(text)
    if not isinstance(value, dict):
        raise TypeError
    return value
