"""Stored batches: made whole or not at all, each request settled once, jobs by priority and age."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localaik.errors import BadRequest
from localaik.state.batch_records import Batch, NewBatch, NewItem
from localaik.state.batches import BatchStore
from localaik.state.faults import EmptyBatch, InvalidId, InvalidPageToken, UnknownBatch
from localaik.state.store import Store
from tests.state_samples import Clock, store_in

KINDS = ("generate",)
NEW = NewBatch("generate", "m")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(place: dict[str, object], tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    one = store_in(tmp_path / "data", clock, **place)
    yield one
    await one.close()


@pytest.fixture
async def batches(store: Store) -> BatchStore:
    return await store.batches()


async def items(*requests: str) -> AsyncIterator[NewItem]:
    for request in requests:
        yield NewItem(request)


async def make(batches: BatchStore, *requests: str, new: NewBatch = NEW) -> Batch:
    return await batches.create(new, items(*(requests or ("{}",))))


async def test_a_batch_is_given_back_as_it_was(batches: BatchStore) -> None:
    batch = await make(batches, "1", "2", new=NewBatch("embed", "m", "name", 7, from_file=True))
    assert (batch.kind, batch.model, batch.display_name, batch.from_file) == ("embed", "m", "name", True)
    assert (batch.state, batch.total, batch.succeeded, batch.failed, batch.active) == ("pending", 2, 0, 0, True)
    assert await batches.get(batch.id) == batch
    assert [item.request async for item in batches.items(batch.id)] == ["1", "2"]


async def test_many_items_keep_their_order(batches: BatchStore) -> None:
    batch = await make(batches, *map(str, range(1201)))
    assert batch.total == 1201
    assert [item.request async for item in batches.items(batch.id)] == [str(place) for place in range(1201)]


async def test_nothing_is_stored_of_a_broken_or_empty_input(batches: BatchStore) -> None:
    async def broken() -> AsyncIterator[NewItem]:
        for _ in range(600):
            yield NewItem("{}")
        raise BadRequest("broken")

    with pytest.raises(BadRequest, match="broken"):
        await batches.create(NEW, broken())
    with pytest.raises(EmptyBatch):
        await batches.create(NEW, items())
    assert (await batches.page(10)).items == ()
    assert await batches.next_step(KINDS, ()) is None


async def test_steps_go_by_priority_then_age_then_place(batches: BatchStore, clock: Clock) -> None:
    first = await make(batches, "a", "b")
    clock.now += 1
    urgent = await make(batches, "c", new=NewBatch("generate", "m", priority=1))
    other = await make(batches, "d", new=NewBatch("other", "m", priority=9))
    busy: list[tuple[str, int]] = []
    found = []
    while (step := await batches.next_step(KINDS, busy)) is not None:
        assert step.item is not None
        found.append((step.batch.id, step.item.request))
        busy.append((step.batch.id, step.item.place))
    assert found == [(urgent.id, "c"), (first.id, "a"), (first.id, "b")]
    assert other.id not in {batch_id for batch_id, _ in found}


async def test_a_result_is_final_and_the_last_one_leads_to_the_end(batches: BatchStore) -> None:
    batch = await make(batches, "a", "b")
    await batches.begin(batch.id)
    await batches.settle(batch.id, 0, "first", failed=False)
    await batches.settle(batch.id, 0, "second", failed=True)
    told = await batches.get(batch.id)
    assert (told.state, told.succeeded, told.failed) == ("running", 1, 0)
    await batches.settle(batch.id, 1, "wrong", failed=True)
    assert [(item.state, item.result) async for item in batches.items(batch.id)] == [
        ("done", "first"),
        ("failed", "wrong"),
    ]
    step = await batches.next_step(KINDS, ())
    assert step is not None
    assert step.item is None
    assert await batches.next_step(KINDS, [(batch.id, -1)]) is None
    assert await batches.finish(batch.id, "succeeded", output_file="f")
    assert not await batches.finish(batch.id, "failed")
    ended = await batches.get(batch.id)
    assert (ended.state, ended.output_file, ended.failed) == ("succeeded", "f", 1)
    assert ended.ended is not None
    assert await batches.next_step(KINDS, ()) is None


async def test_what_is_abandoned_keeps_its_results(batches: BatchStore) -> None:
    batch = await make(batches, "a", "b", "c")
    await batches.settle(batch.id, 1, "done", failed=False)
    await batches.abandon(batch.id, "gone")
    await batches.settle(batch.id, 0, "late", failed=False)
    assert [item.result async for item in batches.items(batch.id)] == ["gone", "done", "gone"]
    told = await batches.get(batch.id)
    assert (told.cancelled, told.expired, told.succeeded, told.failed) == (True, False, 1, 2)
    await batches.finish(batch.id, "cancelled")
    await batches.abandon(batch.id, "again", expired=True)
    assert not (await batches.get(batch.id)).expired


async def test_pages_are_newest_first(batches: BatchStore, clock: Clock) -> None:
    made = []
    for _ in range(5):
        made.append((await make(batches)).id)
        clock.now += 1
    first = await batches.page(2)
    assert first.next_token is not None
    second = await batches.page(3, first.next_token)
    assert [batch.id for batch in first.items + second.items] == made[::-1]
    assert second.next_token is None
    with pytest.raises(InvalidPageToken):
        await batches.page(2, "x")


async def test_deleted_and_unknown_batches(batches: BatchStore) -> None:
    batch = await make(batches, "a")
    await batches.delete(batch.id)
    assert [item async for item in batches.items(batch.id)] == []
    await batches.settle(batch.id, 0, "late", failed=False)
    assert not await batches.finish(batch.id, "succeeded")
    for ask in (batches.get, batches.delete):
        with pytest.raises(UnknownBatch):
            await ask(batch.id)
        with pytest.raises(InvalidId):
            await ask("../x")
    with pytest.raises(UnknownBatch):
        await batches.abandon(batch.id, "x")


async def test_a_batch_survives_the_process(tmp_path: Path) -> None:
    store = store_in(tmp_path / "data")
    assert not store.may_hold_anything()
    batch = await make(await store.batches(), "a", "b")
    await (await store.batches()).settle(batch.id, 0, "done", failed=False)
    await store.close()
    again = store_in(tmp_path / "data")
    assert again.may_hold_anything()
    step = await (await again.batches()).next_step(KINDS, ())
    assert step is not None
    assert step.item is not None
    assert step.item.request == "b"
    await again.close()
