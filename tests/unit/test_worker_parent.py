"""The parent of several workers while these come and go; the workers are dummies, and so are the engines."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from localaik.engine.launchers.base import StartError
from localaik.server.listening import neighbour_socket
from localaik.server.metrics import Metrics
from localaik.server.workers import engines, parent
from localaik.server.workers.channel import Channel
from localaik.server.workers.child import _Child
from localaik.server.workers.messages import CancelJob, Collect, EngineIs, FromParent, FromWorker, Pulse, from_worker
from localaik.settings import Settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no workers on Windows")

SETTINGS = Settings(port=0, workers=2, upstream="http://127.0.0.1:9", embeddings="off")


class Dummy:
    """Stands for a worker process."""

    faults: Sequence[bool] = ()
    """Which of the next ones do not come up."""
    all: list["Dummy"]

    def __init__(self, index: int, hear: Callable[[FromWorker], None]) -> None:
        self.index = index
        self.hear = hear
        self.busy = 0
        self.said: list[FromParent] = []
        self.answers: list[bytes] = []
        self.end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        Dummy.all.append(self)

    async def start(self, _setup: object, _sockets: object) -> None:
        fails, *rest = Dummy.faults or [False]
        Dummy.faults = rest
        if fails:
            self.end.set_result(1)
            raise StartError("It did not come up.")

    async def ask(self, _question: object, _kind: object, *, otherwise: bytes) -> bytes:
        return self.answers.pop() if self.answers else otherwise

    async def ended(self) -> int:
        return await asyncio.shield(self.end)

    async def stop(self, _seconds: float) -> None:
        pass

    async def feel_pulse(self) -> None:
        pass

    def say(self, message: FromParent) -> None:
        self.said.append(message)

    def hang_up(self) -> None:
        pass


class AtOnce(parent.RestartPolicy):
    def after_death(self, now: float, *, was_ready: bool) -> float | None:
        return None if super().after_death(now, was_ready=was_ready) is None else 0


@pytest.fixture
async def dummies(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[parent.Parent]:
    Dummy.all, Dummy.faults = [], ()
    monkeypatch.setattr(parent, "Worker", Dummy)
    monkeypatch.setattr(parent, "RestartPolicy", AtOnce)
    made = parent.Parent(SETTINGS)
    await made.start()
    yield made
    await made.stop()


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError


async def test_a_worker_that_dies_again_while_it_starts_is_started_again(dummies: parent.Parent) -> None:
    Dummy.faults = [True, True, False]
    Dummy.all[1].end.set_result(-9)
    await until(lambda: len(Dummy.all) == 5)
    assert [dummy.index for dummy in Dummy.all] == [0, 1, 1, 1, 1]
    assert not dummies.engine_lost.done()
    Dummy.all[-1].end.set_result(-9)  # the fourth time
    assert await asyncio.wait_for(dummies.engine_lost, 20) == 1


async def test_a_late_answer_is_not_told_to_the_successor(dummies: parent.Parent) -> None:
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    first = Dummy.all[0]
    dummies._answer(0, 5, found)
    first.end.set_result(-9)
    await until(lambda: len(Dummy.all) == 3)
    found.set_result("late")
    await until(lambda: bool(first.said))
    assert not Dummy.all[2].said


async def test_figures_of_a_worker_that_has_ended_or_is_silent_still_count(dummies: parent.Parent) -> None:
    def counting(busy: int) -> bytes:
        metrics = Metrics()
        metrics.active = lambda: busy
        metrics._background["openai", "response", "completed"] = 10
        return metrics.dump([])

    def told(dumps: list[bytes]) -> tuple[int, int]:
        total, _ = Metrics.of_all(dumps)
        return total._background["openai", "response", "completed"], total.active()

    for dummy in Dummy.all:
        dummy.answers = [counting(3)]
    assert told(await dummies._collect()) == (20, 6)
    assert told(await dummies._collect()) == (20, 6)
    for number in range(2):
        Dummy.all[-number].end.set_result(-9)
        await until(lambda: len(Dummy.all) == 3 + number)  # noqa: B023 - awaited here
        assert told(await dummies._collect()) == (20 + 10 * number, 3)
        Dummy.all[-1].answers = [counting(3)]
        assert told(await dummies._collect()) == (30 + 10 * number, 6)


async def test_a_worker_that_is_not_up_yet_answers_what_it_is_asked() -> None:
    ours, theirs = socket.socketpair()
    child = _Child()
    child._stop.set()  # else it ends the process when nobody is there any more
    line: Channel[FromWorker] = Channel(from_worker, lambda _: None, lambda: None)
    await line.connect(ours)
    await child._line.connect(theirs)
    async with asyncio.timeout(20):
        assert await line.ask(Collect(line.number()), bytes) == b""
        assert await line.ask(CancelJob(line.number(), "batch"), bool)
        assert await line.ask(Pulse(line.number()), int) == 0
    line.close()
    child._line.close()


async def test_an_engine_that_could_not_be_started_has_no_users(monkeypatch: pytest.MonkeyPatch) -> None:
    news: list[EngineIs] = []

    class Supervisor:
        name = "dummy"
        address = "http://127.0.0.1:1"
        stopped = 0

        def __init__(self, *, fails: bool) -> None:
            self._fails = fails
            self.failed: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def start(self) -> None:
            if self._fails:
                raise StartError("There is no such program.")

        async def stop(self) -> None:
            Supervisor.stopped += 1

        def describe(self) -> dict[str, str]:
            return {"state": "ready"}

    fails = [True, False]

    def supervise(*_: object, **_options: object) -> tuple[Any, Any]:
        made = Supervisor(fails=fails.pop(0))
        return made, made

    monkeypatch.setattr(engines, "supervise", supervise)
    settings = Settings(workers=2, upstream="http://127.0.0.1:9")
    having = engines.Engines(settings, tell=news.append, is_idle=lambda: True)
    having._engines["embeddings"] = engines._Engine(having_spec(), settings)
    assert await having.use(0, "embeddings") == "There is no such program."
    assert await having.use(1, "embeddings") == ""
    assert [(one.engine, one.address) for one in news] == [("embeddings", Supervisor.address)]
    having.release(1, "embeddings")
    await until(lambda: Supervisor.stopped == 1)
    await having.close()


def having_spec() -> Any:
    return engines.EngineSpec.for_embeddings(Settings())


def test_a_folder_with_too_long_a_name_for_sockets_is_told() -> None:
    with pytest.raises(StartError, match="TMPDIR"):
        neighbour_socket("/tmp/" + "x" * 200 + "/0.sock")
