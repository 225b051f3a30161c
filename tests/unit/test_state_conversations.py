"""Conversations: their items in order, listed by pages, deleted one by one or all."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localaik.state.conversations import ConversationStore
from localaik.state.faults import InvalidCursor, UnknownConversation, UnknownItem
from localaik.state.response_records import Item
from localaik.state.store import Store
from tests.state_samples import START, Clock, store_in


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(place: dict[str, object], tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    one = store_in(tmp_path / "data", clock, **place)
    yield one
    await one.close()


@pytest.fixture
async def conversations(store: Store) -> ConversationStore:
    return await store.conversations()


def some(letters: str) -> list[Item]:
    return [Item(f"msg_{letter}", f'"{letter}"') for letter in letters]


def letters(items: list[Item] | tuple[Item, ...]) -> str:
    return "".join(item.body.strip('"') for item in items)


async def pages(conversations: ConversationStore, talk: str, size: int, *, newest_first: bool) -> str:
    found, after = "", None
    while True:
        page = await conversations.items(talk, limit=size, after=after, newest_first=newest_first)
        found += letters(page.items)
        if not page.has_more:
            return found
        after = page.items[-1].id


async def test_a_conversation_is_given_back_as_it_was(conversations: ConversationStore) -> None:
    made = await conversations.create({"topic": "ä"}, some("ab"))
    assert (made.created, made.metadata, made.item_count) == (START, {"topic": "ä"}, 2)
    assert await conversations.get(made.id) == made
    changed = await conversations.update(made.id, {"x": ""})
    assert (changed.id, changed.metadata, changed.item_count) == (made.id, {"x": ""}, 2)
    assert await conversations.get(made.id) == changed
    assert await conversations.context(made.id) == some("ab")


async def test_items_keep_their_order(conversations: ConversationStore) -> None:
    talk = (await conversations.create({})).id
    other = (await conversations.create({}, some("z"))).id
    for part in ("abc", "", "d", "efg"):
        await conversations.add(talk, some(part))
    for size in (1, 2, 3, 7, 1000):
        assert await pages(conversations, talk, size, newest_first=False) == "abcdefg"
        assert await pages(conversations, talk, size, newest_first=True) == "gfedcba"
    assert letters(await conversations.context(other)) == "z"


async def test_items_are_deleted(conversations: ConversationStore) -> None:
    talk = (await conversations.create({}, some("abc"))).id
    assert (await conversations.delete_item(talk, "msg_b")).item_count == 2
    for ask in (conversations.item, conversations.delete_item):
        with pytest.raises(UnknownItem, match="Item with id 'msg_b' not found"):
            await ask(talk, "msg_b")
        with pytest.raises(UnknownItem):
            await ask(talk, "\0")
    with pytest.raises(InvalidCursor):
        await conversations.items(talk, limit=1, after="msg_b")
    await conversations.add(talk, some("b"))
    assert await conversations.item(talk, "msg_b") == some("b")[0]
    assert letters(await conversations.context(talk)) == "acb"


async def test_items_with_one_id(conversations: ConversationStore) -> None:
    talk = (await conversations.create({}, [Item("x", '"1"'), Item("y", '"2"'), Item("x", '"3"')])).id
    assert letters([await conversations.item(talk, "x")]) == "3"
    assert await pages(conversations, talk, 1, newest_first=False) == "1"
    await conversations.delete_item(talk, "x")
    assert letters(await conversations.context(talk)) == "12"
    assert letters([await conversations.item(talk, "x")]) == "1"


async def test_items_of_other_conversations_are_unknown(conversations: ConversationStore) -> None:
    talk = (await conversations.create({}, some("a"))).id
    other = (await conversations.create({}, some("b"))).id
    with pytest.raises(UnknownItem):
        await conversations.item(talk, "msg_b")
    with pytest.raises(InvalidCursor):
        await conversations.items(other, limit=1, after="msg_a")


async def test_conversations_are_listed_newest_first(conversations: ConversationStore, clock: Clock) -> None:
    assert (await conversations.page(5)).items == ()
    made = []
    for _ in range(5):
        made.append((await conversations.create({})).id)
        clock.now += 1
    await conversations.delete(made.pop(2))
    first = await conversations.page(3)
    assert first.has_more
    second = await conversations.page(3, first.items[-1].id)
    assert not second.has_more
    assert [one.id for one in first.items + second.items] == made[::-1]
    for cursor in ("conv_x", "x", "\0"):
        with pytest.raises(InvalidCursor):
            await conversations.page(3, cursor)


async def test_unknown_conversations(conversations: ConversationStore) -> None:
    talk = (await conversations.create({}, some("a"))).id
    await conversations.delete(talk)
    for name in (talk, "conv_x", "x", "", "conv_\0"):
        for ask in (conversations.get, conversations.delete, conversations.context):
            with pytest.raises(UnknownConversation, match="Conversation with id '"):
                await ask(name)
        with pytest.raises(UnknownConversation):
            await conversations.items(name, limit=1)
        with pytest.raises(UnknownConversation):
            await conversations.add(name, some("b"))
        with pytest.raises(UnknownConversation):
            await conversations.update(name, {})
        with pytest.raises(UnknownConversation):
            await conversations.item(name, "msg_a")
    assert (await conversations.page(5)).items == ()


async def test_conversations_survive_the_process(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    talk = (await (await store.conversations()).create({"a": "b"}, some("ab"))).id
    await store.close()
    again = store_in(tmp_path)
    assert letters(await (await again.conversations()).context(talk)) == "ab"
    await again.close()
