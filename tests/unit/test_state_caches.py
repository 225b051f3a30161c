"""Cached contents in the store: kept, prolonged, listed, deleted, expired."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from localaik.state.caches import CacheStore
from localaik.state.faults import CachesFull, InvalidPageToken, UnknownCache
from localaik.state.records import NewCache, StoredCache
from localaik.state.store import Store
from localaik.state.tables import CACHED_CONTENTS
from tests.state_samples import START, Clock, store_in

NOW = datetime.fromtimestamp(START, UTC)
HOUR = timedelta(hours=1)
NEW = NewCache("m", '{"contents":[]}', NOW, NOW + HOUR, display_name="Ä \u2028", tokens=7)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def caches(place: dict[str, object], tmp_path: Path, clock: Clock) -> AsyncIterator[CacheStore]:
    store = store_in(tmp_path / "data", clock, **place)
    yield await store.caches()
    await store.close()


async def rows(store: Store) -> int:
    assert store._shelf is not None
    async with store._shelf.database._engine.connect() as connection:
        return int((await connection.execute(select(func.count()).select_from(CACHED_CONTENTS))).scalar_one())


async def test_a_content_is_given_back_as_it_was(caches: CacheStore) -> None:
    cache = await caches.add(NEW)
    assert cache == StoredCache(cache.id, "m", "Ä \u2028", 7, NOW, NOW, NOW + HOUR)
    assert await caches.get(cache.id) == cache
    assert await caches.body(cache.id) == (cache, NEW.body)
    assert caches.now() == NOW
    plain = await caches.add(replace(NEW, display_name=None, tokens=None))
    assert (plain.display_name, plain.tokens) == (None, None)
    assert plain.id != cache.id


async def test_unknown_ids(caches: CacheStore) -> None:
    for cache_id in ("", "c1", "a/b", "..", "a\0b", "é", "x" * 65):
        for act in (caches.get, caches.body, caches.delete, lambda one: caches.prolong(one, NOW + HOUR, now=NOW)):
            with pytest.raises(UnknownCache):
                await act(cache_id)


async def test_another_lifetime_counts_from_the_change(caches: CacheStore, clock: Clock) -> None:
    cache = await caches.add(NEW)
    clock.now += 3599
    changed = await caches.prolong(cache.id, NOW + 2 * HOUR, now=caches.now())
    assert changed == replace(cache, updated=NOW + timedelta(seconds=3599), expires=NOW + 2 * HOUR)
    clock.now += 3600
    assert await caches.get(cache.id) == changed
    clock.now += 1
    with pytest.raises(UnknownCache):
        await caches.get(cache.id)


async def test_what_has_expired_is_gone_without_a_sweep(caches: CacheStore, clock: Clock) -> None:
    cache = await caches.add(NEW)
    clock.now += 3600
    for act in (
        caches.get,
        caches.body,
        caches.delete,
        lambda one: caches.prolong(one, NOW + 9 * HOUR, now=caches.now()),
    ):
        with pytest.raises(UnknownCache):
            await act(cache.id)
    assert (await caches.list(9)).items == ()


async def test_deleted_twice(caches: CacheStore) -> None:
    first, second = await caches.add(NEW), await caches.add(NEW)
    await caches.delete(first.id)
    with pytest.raises(UnknownCache):
        await caches.delete(first.id)
    assert (await caches.list(9)).items == (second,)


async def test_pages_neither_repeat_nor_skip(caches: CacheStore, clock: Clock) -> None:
    made = []
    for number in range(7):
        clock.now += number % 2  # some at the same time
        made.append(await caches.add(replace(NEW, created=caches.now(), display_name=str(number))))
    found: list[StoredCache] = []
    token: str | None = ""
    while token is not None:
        page = await caches.list(3, token)
        found += page.items
        token = page.next_token
    assert found == sorted(made, key=lambda one: (one.created, one.id), reverse=True)
    with pytest.raises(InvalidPageToken):
        await caches.list(3, "nonsense")


async def test_all_contents_together_have_a_limit(place: dict[str, object], tmp_path: Path, clock: Clock) -> None:
    store = store_in(tmp_path, clock, **place, max_stored_bytes=2 * len(NEW.body))
    caches = await store.caches()
    short = await caches.add(NEW)
    await caches.add(replace(NEW, expires=NOW + 2 * HOUR))
    with pytest.raises(CachesFull, match="LOCALAIK_MAX_STORED_BYTES"):
        await caches.add(NEW)
    assert len((await caches.list(9)).items) == 2
    await caches.delete(short.id)
    await caches.add(NEW)
    clock.now += 3600  # what has expired takes no room, swept or not
    await caches.add(replace(NEW, expires=NOW + 2 * HOUR))
    await store.close()


async def test_a_sweep_removes_the_rows(tmp_path: Path, clock: Clock) -> None:
    store = store_in(tmp_path, clock)
    caches = await store.caches()
    await caches.add(NEW)
    await caches.add(replace(NEW, expires=NOW + 2 * HOUR))
    clock.now += 3600
    await caches.sweep()
    assert await rows(store) == 1
    await store.close()


async def test_a_content_survives_a_restart_and_still_expires(tmp_path: Path, clock: Clock) -> None:
    store = store_in(tmp_path, clock)
    cache = await (await store.caches()).add(NEW)
    await store.close()

    clock.now += 60
    store = store_in(tmp_path, clock)
    assert await (await store.caches()).body(cache.id) == (cache, NEW.body)
    await store.close()

    clock.now += 3600
    store = store_in(tmp_path, clock)
    await store.caches()
    assert await rows(store) == 0
    await store.close()
