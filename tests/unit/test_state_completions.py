"""Stored chat completions: pages, filters, limits."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localaik.state.completion_records import Completion
from localaik.state.completions import CompletionStore
from localaik.state.faults import InvalidCursor, UnknownCompletion
from localaik.state.store import Store
from tests.state_samples import Clock, store_in

UNKNOWN = ["chatcmpl-0", "", "x", "chatcmpl-' OR 1=1", "../chatcmpl-1", "chatcmpl-" + "1" * 300, "chatcmpl-1\0"]


@pytest.fixture
async def store(lasting_place: dict[str, object], tmp_path: Path) -> AsyncIterator[Store]:
    one = store_in(tmp_path, **lasting_place)
    yield one
    await one.close()


def made(number: int, model: str = "m", body: str = "{}", **metadata: str) -> Completion:
    return Completion(f"chatcmpl-{number}", model, body, "[]", metadata)


async def ids(completions: CompletionStore, **wanted: object) -> list[str]:
    page = await completions.page(**{"limit": 20, **wanted})  # type: ignore[arg-type]
    return [one.id.removeprefix("chatcmpl-") for one in page.items]


async def test_what_is_saved_comes_back(store: Store) -> None:
    completions = await store.completions()
    new = made(1, "org/m", '{"a": "\\u0000 é"}', key="value", **{"zero\0": "\0"})
    await completions.save(new)
    assert await completions.get("chatcmpl-1") == new


async def test_an_unknown_id_is_not_found(store: Store) -> None:
    completions = await store.completions()
    await completions.save(made(1))
    for unknown in UNKNOWN:
        for ask in (completions.get, completions.delete, lambda one: completions.update(one, {})):
            with pytest.raises(UnknownCompletion) as refused:
                await ask(unknown)
            assert refused.value.message == f"Chat completion with id '{unknown[:100]}' not found."
        with pytest.raises(InvalidCursor):
            await completions.page(5, after=unknown)
    assert await ids(completions) == ["1"]


async def test_pages_follow_the_time_of_storing_in_both_orders(tmp_path: Path) -> None:
    clock = Clock()
    store = store_in(tmp_path, clock, state="memory")
    completions = await store.completions()
    for number in (3, 1, 2, 5, 4):
        await completions.save(made(number))
        clock.now += 1
    assert await ids(completions) == ["3", "1", "2", "5", "4"]
    assert await ids(completions, newest_first=True) == ["4", "5", "2", "1", "3"]
    first = await completions.page(2)
    assert first.has_more
    assert await ids(completions, limit=2, after="chatcmpl-1") == ["2", "5"]
    last = await completions.page(2, after="chatcmpl-5")
    assert ([one.id for one in last.items], last.has_more) == (["chatcmpl-4"], False)
    assert await ids(completions, after="chatcmpl-2", newest_first=True) == ["1", "3"]
    await store.close()


async def test_completions_of_one_moment_are_ordered_by_id(store: Store) -> None:
    completions = await store.completions()
    for number in (2, 3, 1):
        await completions.save(made(number))
    assert await ids(completions) == ["1", "2", "3"]
    assert await ids(completions, after="chatcmpl-1", limit=1) == ["2"]


async def test_filters_by_model_and_by_every_pair_of_metadata(store: Store) -> None:
    completions = await store.completions()
    await completions.save(made(1, "a", k="1", l="1"))
    await completions.save(made(2, "a", k="1"))
    await completions.save(made(3, "b", k="2", l="1"))
    assert await ids(completions, model="a") == ["1", "2"]
    assert await ids(completions, metadata={"k": "1"}) == ["1", "2"]
    assert await ids(completions, metadata={"k": "1", "l": "1"}) == ["1"]
    assert await ids(completions, model="b", metadata={"l": "1"}) == ["3"]
    assert await ids(completions, model="c\0", metadata={"\0": "\0"}) == []


async def test_metadata_are_replaced_also_where_the_filter_looks(store: Store) -> None:
    completions = await store.completions()
    await completions.save(made(1, k="1", l="1"))
    changed = await completions.update("chatcmpl-1", {"k": "2"})
    assert changed.metadata == {"k": "2"}
    assert await ids(completions, metadata={"l": "1"}) == await ids(completions, metadata={"k": "1"}) == []
    assert await ids(completions, metadata={"k": "2"}) == ["1"]


async def test_a_deleted_one_is_gone_with_its_metadata(store: Store) -> None:
    completions = await store.completions()
    await completions.save(made(1, k="1"))
    await completions.delete("chatcmpl-1")
    assert await ids(completions) == await ids(completions, metadata={"k": "1"}) == []
    await completions.save(made(1, k="1"))  # would clash with metadata that were left


async def test_an_expired_one_is_gone_before_it_is_swept(tmp_path: Path) -> None:
    clock = Clock()
    store = store_in(tmp_path, clock, state="memory", state_ttl_hours=1)
    completions = await store.completions()
    await completions.save(made(1, k="1"))
    clock.now += 3599
    await completions.save(made(2))
    clock.now += 1
    assert await ids(completions) == ["2"]
    with pytest.raises(UnknownCompletion):
        await completions.get("chatcmpl-1")
    await completions.sweep()
    assert await ids(completions) == ["2"]
    await store.close()


async def test_without_a_limit_of_time_nothing_expires(tmp_path: Path) -> None:
    clock = Clock()
    store = store_in(tmp_path, clock, state="memory", state_ttl_hours=0)
    completions = await store.completions()
    await completions.save(made(1))
    clock.now += 1e9
    await completions.sweep()
    assert await ids(completions) == ["1"]
    await store.close()


async def test_the_oldest_make_room_for_new_ones(tmp_path: Path, lasting_place: dict[str, object]) -> None:
    clock = Clock()
    store = store_in(tmp_path, clock, max_state_bytes=300, **lasting_place)
    completions = await store.completions()
    for number in range(1, 5):
        await completions.save(made(number, body="x" * 98, k=str(number)))
        clock.now += 1
    assert await ids(completions) == ["2", "3", "4"]
    await completions.save(made(5, body="é" * 149))
    assert await ids(completions) == ["5"]
    await store.close()


async def test_completions_survive_a_restart(tmp_path: Path, lasting_place: dict[str, object]) -> None:
    for expected in ([], ["1"]):
        store = store_in(tmp_path, **lasting_place)
        completions = await store.completions()
        assert await ids(completions) == expected
        if not expected:
            await completions.save(made(1))
        await store.close()
