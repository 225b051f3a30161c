"""Several at once, one for several, and what is remembered."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaik.errors import Unavailable
from localaik.media.concurrency import SingleFlight, all_in_order
from localaik.media.lru import LruCache
from localaik.media.pageimages import cut_apart
from localaik.media.pdfplan import PageRange, Scale, plan_ranges


class Job:
    """Work that a test ends by hand."""

    def __init__(self) -> None:
        self.runs = 0
        self.cancelled = 0
        self.started = asyncio.Event()
        self.outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __call__(self) -> str:
        self.runs += 1
        self.started.set()
        try:
            return await asyncio.shield(self.outcome)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def test_b117_concurrent_calls_share_one_run() -> None:
    flights: SingleFlight[str] = SingleFlight()
    job = Job()
    callers = [asyncio.create_task(flights.run("key", job)) for _ in range(3)]
    await job.started.wait()
    job.outcome.set_result("done")
    assert await asyncio.gather(*callers) == ["done"] * 3
    assert job.runs == 1
    assert await flights.run("key", job) == "done"
    assert job.runs == 2


async def test_all_callers_get_the_exception() -> None:
    flights: SingleFlight[str] = SingleFlight()
    job = Job()
    callers = [asyncio.create_task(flights.run("key", job)) for _ in range(2)]
    await job.started.wait()
    job.outcome.set_exception(ValueError("broken"))
    assert [str(result) for result in await asyncio.gather(*callers, return_exceptions=True)] == ["broken"] * 2


async def test_b137_the_run_goes_on_until_the_last_caller_leaves() -> None:
    flights: SingleFlight[str] = SingleFlight()
    job = Job()
    callers = [asyncio.create_task(flights.run("key", job)) for _ in range(2)]
    await job.started.wait()
    callers[0].cancel()
    await asyncio.gather(callers[0], return_exceptions=True)
    assert job.cancelled == 0
    callers[1].cancel()
    await asyncio.gather(callers[1], return_exceptions=True)
    await flights.close()
    assert job.cancelled == 1


async def test_closing_lets_a_cancelled_run_clear_up() -> None:
    flights: SingleFlight[str] = SingleFlight()
    started, clearing, cleared = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> str:
        started.set()
        try:
            await asyncio.Event().wait()
            return "never"
        finally:
            await clearing.wait()
            cleared.set()

    caller = asyncio.create_task(flights.run("key", work))
    await started.wait()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    closing = asyncio.create_task(flights.close())
    await asyncio.sleep(0)
    clearing.set()
    await closing
    assert cleared.is_set()


async def test_after_the_last_caller_left_a_new_run_starts() -> None:
    flights: SingleFlight[str] = SingleFlight()
    first, second = Job(), Job()
    caller = asyncio.create_task(flights.run("key", first))
    await first.started.wait()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    second.outcome.set_result("fresh")
    assert await flights.run("key", second) == "fresh"
    await flights.close()


async def test_closing_ends_runs_and_tells_their_callers() -> None:
    flights: SingleFlight[str] = SingleFlight()
    job = Job()
    caller = asyncio.create_task(flights.run("key", job))
    await job.started.wait()
    await flights.close()
    with pytest.raises(Unavailable):
        await caller
    assert job.cancelled == 1


async def test_results_come_in_order() -> None:
    jobs = [Job() for _ in range(3)]
    together = asyncio.create_task(all_in_order(job() for job in jobs))
    for job, result in reversed(list(zip(jobs, "abc", strict=True))):
        await job.started.wait()
        job.outcome.set_result(result)
    assert await together == ["a", "b", "c"]
    assert await all_in_order([]) == []


async def test_the_first_fault_in_order_is_raised_and_the_rest_is_cancelled() -> None:
    jobs = [Job() for _ in range(4)]
    together = asyncio.create_task(all_in_order(job() for job in jobs))
    for job in jobs:
        await job.started.wait()
    jobs[2].outcome.set_exception(ValueError("later"))
    await asyncio.sleep(0)
    jobs[1].outcome.set_exception(ValueError("earlier"))
    jobs[0].outcome.set_result("fine")
    with pytest.raises(ValueError, match="earlier"):
        await together
    assert jobs[3].cancelled == 1


async def test_cancelling_the_whole_ends_all_parts() -> None:
    jobs = [Job() for _ in range(3)]
    together = asyncio.create_task(all_in_order(job() for job in jobs))
    for job in jobs:
        await job.started.wait()
    together.cancel()
    await asyncio.gather(together, return_exceptions=True)
    assert [job.cancelled for job in jobs] == [1, 1, 1]


def test_b117_the_least_recently_used_is_forgotten() -> None:
    cache: LruCache[str] = LruCache(10)
    cache.put("a", "A", 4)
    cache.put("b", "B", 4)
    assert cache.get("a") == "A"
    cache.put("c", "C", 4)
    assert [cache.get(key) for key in "abc"] == ["A", None, "C"]
    cache.put("huge", "H", 11)
    assert (cache.get("huge"), cache.get("a"), cache.size) == (None, "A", 8)


def test_a_cache_of_no_bytes_keeps_nothing() -> None:
    cache: LruCache[str] = LruCache(0)
    cache.put("a", "A", 1)
    assert cache.get("a") is None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 12))), st.integers(0, 20))
def test_the_cache_never_passes_its_limit(puts: list[tuple[int, int]], limit: int) -> None:
    cache: LruCache[int] = LruCache(limit)
    for key, cost in puts:
        cache.put(key, cost, cost)
        assert cache.size <= limit
    assert cache.size == sum(cache.get(key) or 0 for key in range(6))


LETTER = 792.0
FULL, CAPPED = ("-r", "150"), ("-scale-to", "1792")


def test_b116_pages_are_cut_into_one_range_per_worker() -> None:
    ranges = plan_ranges(range(1, 21), [LETTER] * 20, Scale(150, 1792), 3)
    assert ranges == [PageRange(1, 7, FULL), PageRange(8, 14, FULL), PageRange(15, 20, FULL)]
    assert plan_ranges([1], [LETTER], Scale(150, 1792), 4) == [PageRange(1, 1, FULL)]
    assert plan_ranges([], [], Scale(150, 1792), 4) == []


def test_pages_of_another_size_and_gaps_start_a_new_range() -> None:
    sides = [LETTER, LETTER, 2000.0, LETTER, LETTER, LETTER]
    assert plan_ranges([1, 2, 3, 4, 6], sides, Scale(150, 1792), 1) == [
        PageRange(1, 2, FULL),
        PageRange(3, 3, CAPPED),
        PageRange(4, 4, FULL),
        PageRange(6, 6, FULL),
    ]


@given(st.lists(st.sampled_from([LETTER, 2000.0]), max_size=60), st.integers(1, 9))
def test_every_page_is_drawn_once_at_its_own_size(sides: list[float], workers: int) -> None:
    pages = range(1, len(sides) + 1)
    ranges = plan_ranges(pages, sides, Scale(150, 1792), workers)
    assert [page for part in ranges for page in part.pages] == list(pages)
    assert all(part.option == Scale(150, 1792).option(sides[page - 1]) for part in ranges for page in part.pages)


def test_b120_half_the_scale_is_half_of_every_page() -> None:
    half = Scale(150, 1792).halved()
    assert (half.option(LETTER), half.option(2000.0)) == (("-r", "75"), ("-scale-to", "896"))
    assert Scale(18, 1).halved().side_px == 1


JPEGS = [b"\xff\xd8\xff\xe0 one \xff\x00 \xff\xd9", b"\xff\xd8\xff\xdb\xff\xd9", b"\xff\xd8\xff\xe0 three"]


def test_pages_are_cut_apart_between_end_and_start() -> None:
    assert list(cut_apart(b"".join(JPEGS))) == JPEGS
    assert list(cut_apart(b"")) == []
