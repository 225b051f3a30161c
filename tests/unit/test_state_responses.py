"""Stored responses: whole chains from linked items, listed by pages, removed with the last one that needs them."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from localaik.errors import NotFound
from localaik.state.conversations import ConversationStore
from localaik.state.faults import InvalidCursor, UnknownItem, UnknownResponse
from localaik.state.response_records import Item, NewResponse
from localaik.state.responses import ResponseStore
from localaik.state.store import Store
from tests.state_samples import Clock, store_in

TABLES = ("items", "responses", "response_items", "conversations", "conversation_items")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def most_bytes() -> int:
    """The limit for all responses; tests of it have another one."""
    return 0


@pytest.fixture
async def store(place: dict[str, object], tmp_path: Path, clock: Clock, most_bytes: int) -> AsyncIterator[Store]:
    one = store_in(tmp_path / "data", clock, **place, state_ttl_hours=1, max_state_bytes=most_bytes)
    yield one
    await one.close()


@pytest.fixture
async def responses(store: Store) -> ResponseStore:
    return await store.responses()


@pytest.fixture
async def conversations(store: Store) -> ConversationStore:
    return await store.conversations()


def item(name: str) -> Item:
    return Item(f"msg_{name}", f'{{"id":"msg_{name}"}}')


def new(
    name: str, inputs: str = "", outputs: str = "", *, after: str | None = None, talk: str | None = None, **more: object
) -> NewResponse:
    """A response `resp_{name}`; each letter of `inputs` and `outputs` is an item."""
    one = NewResponse(
        id=f"resp_{name}",
        created=5,
        status="completed",
        background=False,
        body="{}",
        input=[item(letter) for letter in inputs],
        output=[item(letter) for letter in outputs],
        previous_id=None if after is None else f"resp_{after}",
        conversation_id=talk,
    )
    return replace(one, **more)


def letters(items: list[Item] | tuple[Item, ...]) -> str:
    assert all(one.body == f'{{"id":"{one.id}"}}' for one in items)
    return "".join(one.id.removeprefix("msg_") for one in items)


async def rows(store: Store) -> dict[str, int]:
    """How much is in each table that has anything."""
    shelf = store._shelf
    assert shelf is not None
    counts = {}
    for table in TABLES:
        query = text(f"SELECT * FROM {table}")
        found = await shelf.database.read(lambda connection, query=query: connection.execute(query))
        counts[table] = len(found.all())
    return {table: count for table, count in counts.items() if count}


async def pages(responses: ResponseStore, name: str, size: int, *, newest_first: bool) -> str:
    """All letters of the input of a response, read page by page."""
    found, after = "", None
    while True:
        page = await responses.input_items(f"resp_{name}", limit=size, after=after, newest_first=newest_first)
        assert len(page.items) == size or not page.has_more
        found += letters(page.items)
        if not page.has_more:
            return found
        after = page.items[-1].id


async def test_a_response_is_given_back_as_it_was(responses: ResponseStore) -> None:
    one = new("1", "ab", "c", status="failed", background=True, body='{"x":"\\u0000 ä"}')
    await responses.save(one)
    assert await responses.get("resp_1") == one


async def test_a_response_that_is_saved_again_is_replaced(responses: ResponseStore, store: Store) -> None:
    await responses.save(new("1", "ab", background=True, status="queued"))
    assert (await responses.get("resp_1")).status == "queued"
    await responses.save(new("1", "ab", "c", background=True))
    assert (await responses.get("resp_1")).status == "completed"
    assert letters((await responses.get("resp_1")).output) == "c"
    assert await rows(store) == {"items": 3, "responses": 1, "response_items": 3}


async def test_a_chain_is_seen_whole(responses: ResponseStore) -> None:
    await responses.save(new("1", "ab", "c"))
    await responses.save(new("2", "d", "ef", after="1"))
    await responses.save(new("3", "g", "h", after="2"))
    await responses.save(new("4", "x", "y", after="1"))
    assert letters(await responses.context("resp_3")) == "abcdefgh"
    assert letters(await responses.context("resp_4")) == "abcxy"


async def test_input_is_listed_by_pages_both_ways(responses: ResponseStore) -> None:
    await responses.save(new("0"))
    await responses.save(new("1", "ab", "c", after="0"))
    await responses.save(new("2", "", "d", after="1"))
    await responses.save(new("3", "", "", after="2"))
    await responses.save(new("4", "efg", "hi", after="3"))
    for size in (1, 2, 3, 4, 7, 100):
        assert await pages(responses, "4", size, newest_first=False) == "abcdefg"
        assert await pages(responses, "4", size, newest_first=True) == "gfedcba"


async def test_a_conversation_is_seen_as_it_was(responses: ResponseStore, conversations: ConversationStore) -> None:
    talk = (await conversations.create({}, [item("a"), item("b")])).id
    await responses.save(new("1", "c", "d", talk=talk))
    await responses.save(new("2", "e", "f", talk=talk))
    await responses.save(new("3", "g", "h", after="1"))
    assert letters(await conversations.context(talk)) == "abcdef"
    assert letters(await responses.context("resp_1")) == "abcd"
    assert letters(await responses.context("resp_2")) == "abcdef"
    assert letters(await responses.context("resp_3")) == "abcdgh"
    for size in (1, 2, 3, 5, 100):
        assert await pages(responses, "2", size, newest_first=False) == "abcde"
        assert await pages(responses, "3", size, newest_first=True) == "gdcba"


async def test_only_what_ended_well_is_added_to_the_conversation(
    responses: ResponseStore, conversations: ConversationStore, store: Store
) -> None:
    talk = (await conversations.create({})).id
    await responses.save(new("1", "a", talk=talk, status="in_progress", background=True))
    await responses.save(new("2", "x", talk=talk, status="failed"))
    assert (await conversations.get(talk)).item_count == 0
    await responses.save(new("1", "a", "b", talk=talk, status="incomplete", background=True))
    await responses.save(new("1", "a", "b", talk=talk, status="incomplete", background=True))
    assert letters(await conversations.context(talk)) == "ab"
    assert letters(await responses.context("resp_1")) == "ab"
    assert (await conversations.get(talk)).item_count == 2


async def test_items_are_stored_once(responses: ResponseStore, conversations: ConversationStore, store: Store) -> None:
    talk = (await conversations.create({})).id
    await responses.save(new("1", "a", "b", talk=talk))
    await responses.save(new("2", "c", "d", after="1"))
    assert (await rows(store))["items"] == 4


async def test_deleting_leaves_later_responses_whole(responses: ResponseStore, store: Store) -> None:
    await responses.save(new("1", "a", "b"))
    await responses.save(new("2", "c", "d", after="1"))
    await responses.save(new("3", "e", "f", after="2"))
    await responses.save(new("4", "g", "h", after="1"))
    for name in "12":
        await responses.delete(f"resp_{name}")
        with pytest.raises(UnknownResponse):
            await responses.get(f"resp_{name}")
    assert letters(await responses.context("resp_3")) == "abcdef"
    with pytest.raises(UnknownItem):
        await responses.find_item("msg_a")
    await responses.delete("resp_3")
    assert await rows(store) == {"items": 4, "responses": 2, "response_items": 4}
    assert letters(await responses.context("resp_4")) == "abgh"
    await responses.delete("resp_4")
    assert await rows(store) == {}


async def test_deleting_in_a_conversation_leaves_its_items(
    responses: ResponseStore, conversations: ConversationStore, store: Store
) -> None:
    talk = (await conversations.create({}, [item("a")])).id
    await responses.save(new("1", "b", "c", talk=talk))
    await responses.delete("resp_1")
    assert letters(await conversations.context(talk)) == "abc"
    assert letters([await responses.find_item("msg_b")]) == "b"
    await conversations.delete(talk)
    assert await rows(store) == {}


async def test_what_a_response_saw_outlives_the_conversation(
    responses: ResponseStore, conversations: ConversationStore, store: Store
) -> None:
    talk = (await conversations.create({}, [item("a"), item("b")])).id
    await responses.save(new("1", "c", "d", talk=talk))
    await conversations.add(talk, [item("x")])
    await conversations.delete_item(talk, "msg_a")
    await responses.save(new("2", "e", "f", talk=talk))
    await conversations.delete_item(talk, "msg_x")
    assert letters(await conversations.context(talk)) == "bcdef"
    assert letters(await responses.context("resp_1")) == "abcd"
    assert letters(await responses.context("resp_2")) == "bcdxef"
    await conversations.delete(talk)
    assert letters(await responses.context("resp_1")) == "abcd"
    assert await pages(responses, "2", 2, newest_first=True) == "exdcb"
    await responses.delete("resp_2")
    assert letters(await responses.context("resp_1")) == "abcd"
    assert (await rows(store))["items"] == 4
    await responses.delete("resp_1")
    assert await rows(store) == {}


async def test_what_is_continued_may_be_gone_when_the_response_ends(
    responses: ResponseStore, conversations: ConversationStore
) -> None:
    talk = (await conversations.create({}, [item("a")])).id
    await conversations.delete(talk)
    history = [item("h")]
    await responses.save(new("1", "b", "c", talk=talk), history=history)
    await responses.save(new("2", "d", "e", after="0"), history=history)
    await responses.save(new("3", "f", "g", after="2"), history=history)
    assert letters(await responses.context("resp_1")) == "hbc"
    assert letters(await responses.context("resp_3")) == "hdefg"


async def test_cursors_that_lead_nowhere(responses: ResponseStore) -> None:
    await responses.save(new("1", "a", "b"))
    await responses.save(new("2", "c", "d", after="1"))
    for cursor in ("msg_d", "msg_x", "", "\0", "x" * 500):
        with pytest.raises(InvalidCursor) as caught:
            await responses.input_items("resp_2", limit=2, after=cursor)
        assert (caught.value.field, caught.value.reason) == ("after", "invalid_value")


async def test_items_with_one_id_end_in_finite_pages(responses: ResponseStore) -> None:
    await responses.save(new("1", "aba", "a"))
    await responses.save(new("2", "ac", after="1"))
    for newest_first in (True, False):
        assert len(await pages(responses, "2", 1, newest_first=newest_first)) <= 6
    assert letters([await responses.find_item("msg_a")]) == "a"


async def test_ids_of_another_form_never_reach_the_database(responses: ResponseStore) -> None:
    for name in ("", "x", "resp_", "resp_\0", "resp_é", "resp_" + "a" * 81, "1_a", "resp_a\n", "../_a"):
        for ask in (responses.get, responses.context, responses.delete):
            with pytest.raises(UnknownResponse, match="Response with id '"):
                await ask(name)
        with pytest.raises(NotFound):
            await responses.input_items(name, limit=1)


async def test_items_have_any_id(responses: ResponseStore) -> None:
    names = ["", "\0", "x" * 201, "é\u2028'", "y" * 200]
    items = [Item(name, "{}") for name in names]
    await responses.save(NewResponse("resp_1", 1, "completed", False, "{}", items, []))
    assert (await responses.get("resp_1")).output == []
    assert len(await responses.context("resp_1")) == len(names)
    for name in names:
        if name.startswith(("é", "y")):
            assert await responses.find_item(name) == Item(name, "{}")
        else:
            with pytest.raises(UnknownItem):
                await responses.find_item(name)


async def test_responses_expire_unless_they_run(responses: ResponseStore, store: Store, clock: Clock) -> None:
    await responses.save(new("1", "a", "b"))
    await responses.save(new("2", "x", background=True, status="in_progress"))
    clock.now += 1800
    await responses.save(new("3", "c", "d", after="1"))
    clock.now += 1800
    with pytest.raises(UnknownResponse):
        await responses.get("resp_1")
    await responses.sweep()
    assert letters(await responses.context("resp_3")) == "abcd"
    assert (await responses.get("resp_2")).status == "in_progress"
    clock.now += 1800
    await responses.sweep()
    assert await rows(store) == {"items": 1, "responses": 1, "response_items": 1}
    clock.now += 25 * 3600
    await responses.sweep()
    assert await rows(store) == {}


async def test_conversations_do_not_expire(
    responses: ResponseStore, conversations: ConversationStore, clock: Clock
) -> None:
    talk = (await conversations.create({}, [item("a")])).id
    await responses.save(new("1", "b", "c", talk=talk))
    clock.now += 10**6
    await responses.sweep()
    assert letters(await conversations.context(talk)) == "abc"


@pytest.mark.parametrize("most_bytes", [1000])
async def test_the_oldest_go_for_new_ones(responses: ResponseStore, clock: Clock) -> None:
    await responses.save(new("0", background=True, status="in_progress", body="x" * 200))
    for name in "1234":
        clock.now += 1
        await responses.save(new(name, after="1" if name == "4" else None, body="x" * 200))
    assert (await responses.get("resp_1")).body == "x" * 200
    clock.now += 1
    await responses.save(new("5", body="x" * 200))
    for name in "12":
        with pytest.raises(UnknownResponse):
            await responses.get(f"resp_{name}")
    assert [(await responses.get(f"resp_{name}")).id for name in "045"] == ["resp_0", "resp_4", "resp_5"]
    clock.now += 1
    await responses.save(new("6", body="x" * 2000))
    with pytest.raises(UnknownResponse):
        await responses.get("resp_5")
    assert (await responses.get("resp_0")).status == "in_progress"
    assert (await responses.get("resp_6")).status == "completed"


@pytest.mark.parametrize("most_bytes", [1000])
async def test_no_more_go_than_have_to(responses: ResponseStore) -> None:
    names = [f"resp_{number}" for number in range(40)]
    await asyncio.gather(*(responses.save(new(name.removeprefix("resp_"), body="x" * 100)) for name in names))
    found = await asyncio.gather(*map(responses.get, names), return_exceptions=True)
    assert sum(not isinstance(one, Exception) for one in found) in {9, 10}


async def test_a_chain_of_deleted_responses_goes_with_its_last(responses: ResponseStore, store: Store) -> None:
    await responses.save(new("0", "a"))
    for number in range(1, 12):
        await responses.save(new(str(number), after=str(number - 1)))
    for number in range(11):
        await responses.delete(f"resp_{number}")
    assert letters(await responses.context("resp_11")) == "a"
    await responses.delete("resp_11")
    assert await rows(store) == {}


async def test_saves_at_the_same_time_do_not_disturb_each_other(
    responses: ResponseStore, conversations: ConversationStore
) -> None:
    talk = (await conversations.create({})).id
    await responses.save(new("0", "a", "b"))
    many = [new(f"c{number}", "c", "d", talk=talk) for number in range(20)]
    many += [new(f"s{number}", "e", "f", after="0") for number in range(130)]
    many += [new("s1", "g", after="s0"), new("s0", "h", after="0")]
    broken = new("broken", body=None)
    results = await asyncio.gather(*map(responses.save, [*many, broken]), return_exceptions=True)
    assert [result for result in results[:-1] if result is not None] == []
    assert isinstance(results[-1], Exception)
    assert letters(await conversations.context(talk)) == "cd" * 20
    assert letters(await responses.context("resp_c3")) == "cd" * 4
    assert letters(await responses.context("resp_s129")) == "abef"
    assert letters(await responses.context("resp_s1")) == "abhg"
    with pytest.raises(UnknownResponse):
        await responses.get("resp_broken")


_DYING = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.unit.test_state_responses import new
from tests.state_samples import store_in
async def main():
    responses = await store_in(Path(sys.argv[1])).responses()
    await responses.save(new("1", "a", "b"))
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
async def test_what_was_saved_survives_the_end_of_the_process(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _DYING, str(tmp_path), stderr=subprocess.PIPE)
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == -9, errors
    store = store_in(tmp_path)
    assert letters(await (await store.responses()).context("resp_1")) == "ab"
    await store.close()
