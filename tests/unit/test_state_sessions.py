"""Stored sessions: turns in one piece, the current one, rows that can't be read."""

import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from localaik.state.faults import NoActiveSession, UnknownSession
from localaik.state.session_records import SessionMessage
from localaik.state.sessions import SessionStore
from localaik.state.store import Store
from tests.state_samples import START, Clock, store_in

UNKNOWN = ["sess_0123456789ab", "../x", "sess_0123456789AB", "sess_0123456789abc", "x" * 300, "", "sess_01234567\0"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(lasting_place: dict[str, object], tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    one = store_in(tmp_path, clock, **lasting_place)
    yield one
    await one.close()


def message(role: str, content: str, tokens: int = 5) -> SessionMessage:
    return SessionMessage({"role": role, "content": content}, tokens)


async def told(sessions: SessionStore, session_id: str) -> list[object]:
    history = await sessions.history(session_id)
    return [one.body["content"] for one in (*history.system, *history.messages)]


async def spoil(store: Store, statement: str) -> None:
    await store.files()
    assert store._shelf is not None

    async def run(connection: object) -> None:
        await connection.execute(text(statement))  # type: ignore[attr-defined]

    await store._shelf.database.write(run)


async def test_a_new_session_is_empty_and_current(store: Store) -> None:
    sessions = await store.sessions()
    with pytest.raises(NoActiveSession):
        await sessions.current()
    made = await sessions.create("m", 4096)
    assert re.fullmatch("sess_[0-9a-f]{12}", made.id)
    assert (made.message_count, made.token_count, made.max_context, made.model) == (0, 0, 4096, "m")
    assert (made.created, made.accessed) == (START, START)
    assert await sessions.get(made.id) == await sessions.current() == made
    assert await told(sessions, made.id) == []


async def test_turns_are_counted_and_kept_in_order(store: Store, clock: Clock) -> None:
    sessions = await store.sessions()
    made = await sessions.create(None, 4096)
    clock.now += 1.5
    await sessions.append(made.id, [message("user", "a", 3), message("assistant", "b", 4)], max_context=8192)
    await sessions.append(made.id, [message("user", "c", 1)], max_context=8192)
    session = await sessions.get(made.id)
    assert (session.message_count, session.token_count, session.max_context) == (3, 8, 8192)
    assert (session.created, session.accessed) == (START, START + 1.5)
    assert await told(sessions, made.id) == ["a", "b", "c"]


async def test_w16_new_system_messages_take_the_place_of_the_old_ones(store: Store) -> None:
    sessions = await store.sessions()
    made = await sessions.create(None, 0)
    await sessions.append(made.id, [message("user", "a")], max_context=0)
    await sessions.append(made.id, [], system=[message("system", "1", 9), message("developer", "2", 9)], max_context=0)
    assert await told(sessions, made.id) == ["1", "2", "a"]
    await sessions.append(made.id, [message("user", "b")], system=[message("system", "3", 7)], max_context=0)
    assert await told(sessions, made.id) == ["3", "a", "b"]
    session = await sessions.get(made.id)
    assert (session.message_count, session.token_count) == (3, 17)


async def test_the_session_that_was_used_last_comes_first(store: Store, clock: Clock) -> None:
    sessions = await store.sessions()
    made = []
    for _ in range(3):
        made.append((await sessions.create(None, 0)).id)
        clock.now += 1
    assert [one.id for one in await sessions.all()] == made[::-1]
    loaded = await sessions.load(made[0])
    assert loaded.accessed == clock.now
    await sessions.history(made[1])
    assert [one.id for one in await sessions.all()] == [made[0], made[2], made[1]]
    assert (await sessions.current()).id == made[0]


async def test_sessions_of_one_moment_are_listed_by_id(store: Store) -> None:
    sessions = await store.sessions()
    made = [(await sessions.create(None, 0)).id for _ in range(4)]
    assert [one.id for one in await sessions.all()] == sorted(made)


async def test_each_slot_has_its_own_current_session(store: Store) -> None:
    sessions = await store.sessions()
    mine = await sessions.create(None, 0, "mine")
    await sessions.create(None, 0, "yours")
    assert (await sessions.current("mine")).id == mine.id
    with pytest.raises(NoActiveSession):
        await sessions.current()


async def test_a_deleted_session_is_gone_with_its_messages(store: Store) -> None:
    sessions = await store.sessions()
    made = await sessions.create(None, 0)
    await sessions.append(made.id, [message("user", "a")], max_context=0)
    await sessions.delete(made.id)
    with pytest.raises(NoActiveSession):
        await sessions.current()
    for ask in (sessions.get(made.id), sessions.delete(made.id), sessions.append(made.id, [], max_context=0)):
        with pytest.raises(UnknownSession):
            await ask
    assert await sessions.all() == []


async def test_w15_another_form_of_id_is_not_found(store: Store) -> None:
    sessions = await store.sessions()
    for unknown in UNKNOWN:
        for ask in (sessions.get, sessions.load, sessions.history, sessions.delete):
            with pytest.raises(UnknownSession) as refused:
                await ask(unknown)
            assert refused.value.message == f"Session not found: {unknown}"


async def test_w13_sessions_and_the_current_one_survive_a_restart(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    made = await (await store.sessions()).create("m", 1)
    await (await store.sessions()).append(made.id, [message("user", "a")], max_context=2)
    await store.close()
    again = store_in(tmp_path)
    sessions = await again.sessions()
    assert (await sessions.current()).id == made.id
    assert await told(sessions, made.id) == ["a"]
    await again.close()


@pytest.mark.parametrize("body", ["{", "[]", '"x"', ""])
async def test_a_message_that_cant_be_read_is_logged_and_hides_the_session(
    store: Store, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    sessions = await store.sessions()
    made = await sessions.create(None, 0)
    await sessions.append(made.id, [message("user", "a")], max_context=0)
    await spoil(store, f"UPDATE session_messages SET body = '{body}'")
    with caplog.at_level(logging.ERROR), pytest.raises(UnknownSession):
        await sessions.history(made.id)
    assert made.id in caplog.text


async def test_a_session_that_cant_be_read_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = store_in(tmp_path)
    sessions = await store.sessions()
    broken, whole = await sessions.create(None, 0), await sessions.create(None, 0)
    await spoil(store, f"UPDATE sessions SET created = 'x' WHERE id = '{broken.id}'")
    with caplog.at_level(logging.ERROR):
        assert [one.id for one in await sessions.all()] == [whole.id]
    assert broken.id in caplog.text
    with pytest.raises(UnknownSession):
        await sessions.get(broken.id)
    await store.close()
