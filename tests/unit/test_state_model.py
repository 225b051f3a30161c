"""Responses and conversations under random orders of everything that can be done, against lists in plain Python."""

import random
from collections.abc import Callable, Coroutine
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import text

from localaik.state.conversations import ConversationStore
from localaik.state.response_records import Item, NewResponse
from localaik.state.responses import ResponseStore
from localaik.state.store import Store
from tests.state_samples import store_in

STEPS = 40
LOOKED_AT = 3


class Model:
    """Does things to a store, and knows what it should hold."""

    def __init__(self, seed: int, responses: ResponseStore, conversations: ConversationStore) -> None:
        self._random = random.Random(seed)
        self._names = count()
        self._responses = responses
        self._conversations = conversations
        self.input: dict[str, list[str]] = {}
        """What each response saw."""
        self.seen: dict[str, list[str]] = {}
        """What each response saw and said."""
        self.talks: dict[str, list[str]] = {}

    async def step(self) -> None:
        acts: list[Callable[[], Coroutine[None, None, None]]] = [self._begin, self._save, self._save, self._save]
        if self.talks:
            acts += [self._add, self._take, self._save_in_talk, self._save_in_talk, self._end]
        if self.seen:
            acts += [self._forget, self._continue, self._continue]
        await self._random.choice(acts)()

    async def check(self) -> None:
        """Look at some of everything."""
        for response_id in self._some(self.seen):
            assert [item.id for item in await self._responses.context(response_id)] == self.seen[response_id]
            assert await self._listed(response_id) == self.input[response_id]
        for talk in self._some(self.talks):
            assert [item.id for item in await self._conversations.context(talk)] == self.talks[talk]
            assert (await self._conversations.get(talk)).item_count == len(self.talks[talk])

    def _some(self, of: dict[str, list[str]]) -> list[str]:
        return self._random.sample(list(of), min(LOOKED_AT, len(of)))

    async def forget_everything(self) -> None:
        while self.seen:
            await self._forget()
            if len(self.seen) % 5 == 0:
                await self.check()
        while self.talks:
            await self._end()

    async def _listed(self, response_id: str) -> list[str]:
        newest_first, size, after = self._random.random() < 0.5, self._random.randint(2, 9), None
        found: list[str] = []
        while True:
            page = await self._responses.input_items(response_id, limit=size, after=after, newest_first=newest_first)
            found += [item.id for item in page.items]
            if not page.has_more:
                return found[::-1] if newest_first else found
            after = found[-1]

    def _items(self) -> list[Item]:
        return [Item(f"msg_{next(self._names)}", "{}") for _ in range(self._random.randint(0, 3))]

    async def _begin(self) -> None:
        items = self._items()
        talk = (await self._conversations.create({}, items)).id
        self.talks[talk] = [item.id for item in items]

    async def _add(self) -> None:
        talk, items = self._random.choice(list(self.talks)), self._items()
        await self._conversations.add(talk, items)
        self.talks[talk] += [item.id for item in items]

    async def _take(self) -> None:
        talk = self._random.choice(list(self.talks))
        if self.talks[talk]:
            item_id = self._random.choice(self.talks[talk])
            await self._conversations.delete_item(talk, item_id)
            self.talks[talk].remove(item_id)

    async def _end(self) -> None:
        talk = self._random.choice(list(self.talks))
        await self._conversations.delete(talk)
        del self.talks[talk]

    async def _save(self) -> None:
        await self._write(None, None, [])

    async def _continue(self) -> None:
        previous = self._random.choice(list(self.seen))
        await self._write(previous, None, self.seen[previous])

    async def _save_in_talk(self) -> None:
        talk = self._random.choice(list(self.talks))
        await self._write(None, talk, self.talks[talk])

    async def _write(self, previous: str | None, talk: str | None, history: list[str]) -> None:
        response_id = f"resp_{next(self._names)}"
        given, said = self._items(), self._items()
        status = self._random.choice(["completed", "incomplete", "failed"])
        for each in ["queued", status] if self._random.random() < 0.3 else [status]:
            output = [] if each == "queued" else said
            await self._responses.save(NewResponse(response_id, 1, each, True, "{}", given, output, previous, talk))
        self.input[response_id] = history + [item.id for item in given]
        self.seen[response_id] = self.input[response_id] + [item.id for item in said]
        if talk is not None and status != "failed":
            self.talks[talk] = list(self.seen[response_id])

    async def _forget(self) -> None:
        response_id = self._random.choice(list(self.seen))
        await self._responses.delete(response_id)
        del self.seen[response_id]


async def left(store: Store) -> int:
    """All rows of all tables."""
    assert store._shelf is not None
    total = 0
    for table in ("items", "responses", "response_items", "conversations", "conversation_items"):
        query = text(f"SELECT * FROM {table}")
        found = await store._shelf.database.read(lambda connection, query=query: connection.execute(query))
        total += len(found.all())
    return total


@pytest.mark.parametrize("seed", range(2))
async def test_the_store_does_what_plain_lists_do(tmp_path: Path, seed: int) -> None:
    store = store_in(tmp_path, state="memory")
    model = Model(seed, await store.responses(), await store.conversations())
    for number in range(STEPS):
        await model.step()
        if number % 10 == 9:
            await model.check()
    await model.forget_everything()
    assert await left(store) == 0
    assert (await store.responses())._bytes == 0
    await store.close()
