"""Work in the background: what is told is told to all who watch, whenever they come."""

import asyncio
import logging
from collections.abc import AsyncGenerator

import pytest

from localaik.jobs import live
from localaik.jobs.live import Directory, Frame, LiveRuns, Run


def frames(*names: str) -> list[Frame]:
    return [Frame(name, name.encode()) for name in names]


class Scripted:
    """Batches that come when the test says so."""

    def __init__(self) -> None:
        self.next = asyncio.Semaphore(0)
        self.cut = False

    async def batches(self) -> AsyncGenerator[list[Frame], None]:
        try:
            for batch in (frames("a", "b"), frames("c"), frames("d")):
                await self.next.acquire()
                yield batch
        except asyncio.CancelledError:
            self.cut = True
            yield frames("cut")


async def names(run: Run, start: int = 0) -> str:
    return "".join([frame.name[0] async for batch in run.watch(start) for frame in batch])


async def test_watchers_see_past_and_future() -> None:
    script = Scripted()
    run = LiveRuns().start("r", script.batches())
    early = asyncio.create_task(names(run))
    script.next.release()
    watched = run.watch()
    assert [frame.name for frame in await anext(watched)] == ["a", "b"]
    late = asyncio.create_task(names(run, 2))
    script.next.release()
    script.next.release()
    assert await early == "abcd"
    assert await late == "cd"
    assert await names(run, 3) == "d"
    assert await names(run, 4) == ""
    assert await names(run, 99) == ""
    assert run.ended


async def test_cancelled_work_may_tell_its_end() -> None:
    script = Scripted()
    runs = LiveRuns()
    run = runs.start("r", script.batches())
    watcher = asyncio.create_task(names(run))
    script.next.release()
    assert len(await anext(run.watch())) == 2
    await run.cancel()
    assert script.cut
    assert await watcher == "abc"
    await run.cancel()
    assert runs.get("r") is run


async def test_a_watcher_who_leaves_ends_nothing() -> None:
    script = Scripted()
    run = LiveRuns().start("r", script.batches())
    watcher = asyncio.create_task(names(run))
    await asyncio.sleep(0)
    watcher.cancel()
    for _ in range(3):
        script.next.release()
    assert await names(run) == "abcd"


async def test_a_defect_ends_the_run_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> AsyncGenerator[list[Frame], None]:
        yield frames("a")
        raise RuntimeError("no")

    with caplog.at_level(logging.ERROR):
        run = LiveRuns().start("r", broken())
        assert await names(run) == "a"
    assert "work in the background failed" in caplog.text


async def test_close_cancels_everything() -> None:
    runs = LiveRuns()
    scripts = [Scripted(), Scripted()]
    started = [runs.start(str(place), script.batches()) for place, script in enumerate(scripts)]
    await asyncio.sleep(0)
    await runs.close()
    assert runs.closed
    assert all(run.ended for run in started)
    assert all(script.cut for script in scripts)
    assert runs.get("0") is None


async def test_few_ended_runs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_KEPT_RUNS", 2)

    async def nothing() -> AsyncGenerator[list[Frame], None]:
        yield frames("a")

    runs = LiveRuns()
    for name in "abcd":
        await names(runs.start(name, nothing()))
        await asyncio.sleep(0)
    assert [name for name in "abcd" if runs.get(name)] == ["c", "d"]
    runs.forget("c")
    runs.forget("c")
    assert runs.get("c") is None


class Told(Directory):
    def __init__(self) -> None:
        self.news: list[str] = []

    def came(self, run_id: str) -> None:
        self.news.append(f"+{run_id}")

    def went(self, run_id: str) -> None:
        self.news.append(f"-{run_id}")

    async def find(self, run_id: str) -> str | None:
        return f"where {run_id} is"


async def test_neighbours_are_told_once_what_is_here_and_asked_for_what_is_not() -> None:
    told = Told()
    runs = LiveRuns(told)
    may_end = asyncio.Event()

    async def batches() -> AsyncGenerator[list[Frame], None]:
        await may_end.wait()
        yield []

    runs.show("r", dict)
    run = runs.start("r", batches())
    assert await runs.elsewhere("r") is None
    runs.hide("r")
    assert told.news == ["+r"]
    assert await runs.elsewhere("other") == "where other is"
    await run.cancel()
    runs.forget("r")
    runs.forget("r")
    runs.hide("r")
    assert told.news == ["+r", "-r"]


def test_what_is_shown_is_as_it_is_now() -> None:
    runs = LiveRuns()
    state: dict[str, object] = {"status": "queued"}
    runs.show("r", lambda: dict(state))
    state["status"] = "in_progress"
    assert runs.shown("r") == {"status": "in_progress"}
    runs.hide("r")
    runs.hide("r")
    assert runs.shown("r") is None
