"""The runner of background work, on a source that is a list."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from localaik.engine.gate import Gate, as_background
from localaik.errors import Unavailable
from localaik.jobs import runner as runner_module
from localaik.jobs.runner import Runner, Unit

GUARD_SECONDS = 20


class Listed:
    """Gives units out in order, and again where they did not end."""

    def __init__(self, *units: tuple[str, Callable[[], Awaitable[None]]]) -> None:
        self.waiting = list(units)
        self.done: list[str] = []
        self.all_done = asyncio.Event()

    async def __call__(self) -> Unit | None:
        if not self.waiting:
            return None
        name, work = self.waiting.pop(0)

        async def run() -> None:
            try:
                await work()
            except BaseException:
                self.waiting.append((name, work))
                raise
            self.done.append(name)
            if not self.waiting:
                self.all_done.set()

        return Unit(name, run)


async def nothing() -> None:
    pass


def runner_of(source: Listed, concurrency: int = 1) -> Runner:
    runner = Runner(concurrency)
    runner.add(source)
    runner.start()
    return runner


async def test_units_run_in_order_and_new_ones_after_a_wake() -> None:
    source = Listed(("a", nothing), ("b", nothing))
    runner = runner_of(source)
    async with asyncio.timeout(GUARD_SECONDS):
        await source.all_done.wait()
        source.all_done.clear()
        source.waiting.append(("c", nothing))
        runner.wake()
        await source.all_done.wait()
    await runner.close()
    assert source.done == ["a", "b", "c"]


@pytest.mark.parametrize("concurrency", [1, 2, 3])
async def test_no_more_units_than_allowed_run_at_once(concurrency: int) -> None:
    inside = most = 0

    async def work() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        for _ in range(5):
            await asyncio.sleep(0)
        inside -= 1

    source = Listed(*((str(number), work) for number in range(7)))
    runner = runner_of(source, concurrency)
    async with asyncio.timeout(GUARD_SECONDS):
        while len(source.done) < 7:
            await source.all_done.wait()
            source.all_done.clear()
    await runner.close()
    assert most == concurrency


async def test_cancel_stops_the_units_of_one_job_only() -> None:
    release, begun = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await release.wait()

    source = Listed(("a", work), ("b", work))
    runner = runner_of(source, 2)
    async with asyncio.timeout(GUARD_SECONDS):
        await begun.wait()
        await runner.cancel("none")
        source.waiting.clear()
        await runner.cancel("a")
        source.waiting.clear()
        release.set()
        while "b" not in source.done:
            await source.all_done.wait()
    await runner.close()
    assert "b" in source.done


async def test_close_leaves_what_did_not_end() -> None:
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        await asyncio.Event().wait()

    source = Listed(("a", work))
    runner = runner_of(source)
    await begun.wait()
    await runner.close()
    await runner.close()
    assert [name for name, _ in source.waiting] == ["a"]
    assert source.done == []


async def test_a_failed_unit_is_tried_again() -> None:
    faults: list[Exception] = [Unavailable("loading", retry_after=0)]

    async def work() -> None:
        if faults:
            raise faults.pop()

    source = Listed(("a", work))
    runner = runner_of(source)
    async with asyncio.timeout(GUARD_SECONDS):
        await source.all_done.wait()
    await runner.close()
    assert source.done == ["a"]


@pytest.mark.parametrize("fault", [None, Unavailable("loading", retry_after=0), ZeroDivisionError()])
async def test_a_unit_is_released_behind_its_pause(monkeypatch: pytest.MonkeyPatch, fault: Exception | None) -> None:
    order: list[str] = []
    released = asyncio.Event()

    async def work() -> None:
        order.append("work")
        if fault is not None:
            raise fault

    async def pause(_seconds: float) -> None:
        order.append("pause")

    def release() -> None:
        order.append("release")
        released.set()

    units = [Unit("a", work, release)]

    async def source() -> Unit | None:
        return units.pop() if units else None

    monkeypatch.setattr(runner_module.asyncio, "sleep", pause)
    runner = Runner()
    runner.add(source)
    runner.start()
    async with asyncio.timeout(GUARD_SECONDS):
        await released.wait()
    await runner.close()
    assert order == (["work", "release"] if fault is None else ["work", "pause", "release"])


async def test_callers_who_wait_go_before_background_work() -> None:
    gate = Gate(1, queue_size=1, queue_seconds=GUARD_SECONDS)
    order: list[str] = []

    async def enter(name: str) -> None:
        await gate.acquire()
        order.append(name)
        gate.release()

    await gate.acquire()
    with as_background():
        behind = [asyncio.create_task(enter("background")) for _ in range(2)]
    await asyncio.sleep(0)
    first = asyncio.create_task(enter("caller"))
    await asyncio.sleep(0)
    assert gate.waiting == 1  # background work takes no place in the queue
    gate.release()
    await asyncio.gather(first, *behind)
    assert order == ["caller", "background", "background"]
    assert gate.busy == 0


async def test_background_work_that_gives_up_leaves_no_trace() -> None:
    gate = Gate(1, queue_size=1, queue_seconds=GUARD_SECONDS)
    await gate.acquire()
    with as_background():
        waiting = asyncio.create_task(gate.acquire())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.release()
    assert gate.busy == 0
    await gate.acquire()


async def test_sources_take_turns() -> None:
    order: list[str] = []

    def noting(name: str) -> tuple[str, Callable[[], Awaitable[None]]]:
        async def note() -> None:
            order.append(name)

        return name, note

    first = Listed(*(noting(f"a{place}") for place in range(3)))
    second = Listed(*(noting(f"b{place}") for place in range(2)))
    runner = Runner()
    runner.add(first)
    runner.add(second)
    runner.start()
    async with asyncio.timeout(GUARD_SECONDS):
        await first.all_done.wait()
        await second.all_done.wait()
    await runner.close()
    assert order == ["a0", "b0", "a1", "b1", "a2"]


async def test_a_unit_that_is_cancelled_before_it_begins_is_released() -> None:
    released = asyncio.Event()
    units = [Unit("a", nothing, released.set)]

    async def source() -> Unit | None:
        if not units:
            return None
        asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(runner.cancel("a")))
        return units.pop()

    runner = Runner()
    runner.add(source)
    runner.start()
    async with asyncio.timeout(GUARD_SECONDS):
        await released.wait()
    await runner.close()


async def test_a_source_that_fails_is_asked_again_and_told_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runner_module, "_PAUSE_SECONDS", 0.001)
    faults: list[Exception] = [PermissionError(), PermissionError(), PermissionError(), OSError()]
    asked_again = asyncio.Event()

    async def source() -> Unit | None:
        if faults:
            raise faults.pop(0)
        asked_again.set()
        return None

    runner = Runner()
    runner.add(source)
    runner.start()
    async with asyncio.timeout(GUARD_SECONDS):
        await asked_again.wait()
    await runner.close()
    told = [record.getMessage() for record in caplog.records]
    assert [text.split(" (")[0].rpartition(" ")[2] for text in told] == ["PermissionError", "OSError"]
