"""What parent and workers say to each other: whole, in order, however the bytes come; and what is shared by it."""

import asyncio
import itertools
import socket
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from localaik.http.quota import Verdict
from localaik.jobs.locks import OccupiedError
from localaik.server.metrics import EngineFigures, Metrics
from localaik.server.workers.channel import Channel, ChannelClosedError
from localaik.server.workers.desk import Desk, ForDesk
from localaik.server.workers.messages import (
    Answer,
    Came,
    EngineIs,
    FromParent,
    FromWorker,
    Hold,
    Needs,
    Pulse,
    Setup,
    Wake,
    Wanted,
    Went,
    from_parent,
    from_worker,
    raw,
    to_bytes,
)
from localaik.server.workers.shared import SharedDirectory, SharedLocks, SharedRates
from localaik.server.workers.split import settings_of_worker
from localaik.settings import Settings

SAID: list[FromWorker] = [
    Wanted("generation", background=True),
    Hold(7, "conv_1", None),
    Hold(8, "sess_1", 2.5),
    Wake(),
    Came("resp_1"),
]


def framed(*messages: FromWorker) -> bytes:
    encoded = [to_bytes(message) for message in messages]
    return b"".join(len(each).to_bytes(4, "big") + each for each in encoded)


def test_messages_are_heard_whole_wherever_the_bytes_are_split() -> None:
    data = framed(*SAID)
    for at in range(len(data) + 1):
        heard: list[FromWorker] = []
        channel: Channel[FromWorker] = Channel(from_worker, heard.append, lambda: None)
        channel.data_received(data[:at])
        channel.data_received(data[at:])
        assert heard == SAID
    one_by_one: list[FromWorker] = []
    channel = Channel(from_worker, one_by_one.append, lambda: None)
    for place in range(len(data)):
        channel.data_received(data[place : place + 1])
    assert one_by_one == SAID


@pytest.mark.parametrize(
    "message",
    [
        Setup(1, b"{}", [5, 6], "/folder"),
        EngineIs("generation", None, {"state": "starting", "pid": 3, "detail": None}, None),
        EngineIs("embeddings", "http://127.0.0.1:1", {"state": "ready"}, 9),
        Pulse(3),
        Answer(4, raw([1, "x"])),
    ],
)
def test_what_the_parent_says_comes_back_as_it_was(message: FromParent) -> None:
    assert from_parent(to_bytes(message)) == message


class Pair:
    """A parent's desk and lines of workers to it, over real sockets."""

    def __init__(self, settings: Settings, workers: int) -> None:
        self.desk = Desk(settings, say=self._say, workers=workers, address=lambda worker: f"socket of {worker}")
        self.lines: list[Channel[FromParent]] = []
        self._ours: list[Channel[FromWorker]] = []

    async def open(self, workers: int) -> "Pair":
        for worker in range(workers):
            ours, theirs = socket.socketpair()

            def hear(message: FromWorker, worker: int = worker) -> None:
                assert isinstance(message, ForDesk)
                self.desk.hear(worker, message)

            self._ours.append(Channel(from_worker, hear, lambda: None))
            self.lines.append(Channel(from_parent, lambda _: None, lambda: None))
            await self._ours[-1].connect(ours)
            await self.lines[-1].connect(theirs)
        return self

    async def close(self) -> None:
        await self.desk.close()
        for line in [*self.lines, *self._ours]:
            line.close()

    def hang_up(self, worker: int) -> None:
        self._ours[worker].close()

    def _say(self, worker: int, message: FromParent) -> None:
        self._ours[worker].say(message)


@pytest.fixture
async def pair() -> Any:
    made = await Pair(Settings(rate_limits="chat=2/60"), 2).open(2)
    yield made
    await made.close()


async def test_a_name_is_held_by_one_worker_at_a_time(pair: Pair) -> None:
    first, second = map(SharedLocks, pair.lines)
    held = await first.take("conv_1")
    assert await second.is_taken("conv_1")
    with pytest.raises(OccupiedError):
        await second.take("conv_1")
    with pytest.raises(OccupiedError):
        await second.take("conv_1", 0.001)
    waiting = asyncio.create_task(second.take("conv_1", 0))
    held.give_back()
    held.give_back()
    (await waiting).give_back()
    assert not await first.is_taken("conv_1")


async def test_a_wait_for_a_name_that_is_given_up_holds_nothing(pair: Pair) -> None:
    first, second = map(SharedLocks, pair.lines)
    held = await first.take("conv_1")
    waiting = asyncio.create_task(second.take("conv_1", 0))
    await second.is_taken("conv_1")  # the parent has heard of the wait by now
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    held.give_back()
    async with first.hold("conv_1", 0):
        pass
    assert not await first.is_taken("conv_1")


async def test_what_a_dead_worker_held_and_had_is_free(pair: Pair) -> None:
    first, second = map(SharedLocks, pair.lines)
    directories = [SharedDirectory(line) for line in pair.lines]
    await first.take("conv_1")
    directories[0].came("resp_1")
    assert await directories[1].find("resp_1") == "socket of 0"
    pair.desk.forget(0)
    async with second.hold("conv_1", 0):
        assert await directories[1].find("resp_1") is None


async def test_who_has_a_run_is_known_until_it_is_gone(pair: Pair) -> None:
    directories = [SharedDirectory(line) for line in pair.lines]
    directories[1].came("resp_1")
    assert await directories[0].find("resp_1") == "socket of 1"
    assert await directories[1].find("resp_1") is None  # it is here
    directories[1].went("resp_1")
    directories[1].went("resp_1")
    assert await directories[0].find("resp_1") is None


async def test_calls_of_a_client_count_together(pair: Pair) -> None:
    rates = [SharedRates(line) for line in pair.lines]
    verdicts: list[Verdict] = [await rates[number % 2].take("chat", "127.0.0.1") for number in range(3)]
    assert [verdict.allowed for verdict in verdicts] == [True, True, False]
    assert verdicts[2].retry_after > 0


async def test_questions_to_who_is_gone_are_faults_and_not_for_ever(pair: Pair) -> None:
    line = pair.lines[0]
    asking = asyncio.create_task(line.ask(Needs(line.number(), "generation"), str))
    await asyncio.sleep(0)
    pair.hang_up(0)
    with pytest.raises(ChannelClosedError):
        await asking
    with pytest.raises(ChannelClosedError):
        await line.ask(Needs(line.number(), "generation"), str)
    line.say(Went("resp_1"))


def test_figures_of_several_processes_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = EngineFigures("generation", "xllamacpp", "ready", 1, 4, 2, 3)
    off = EngineFigures("embeddings", "", "off", 0, 0, 0, 0)
    used = EngineFigures("embeddings", "xllamacpp", "ready", 0, 1, 1, 0)
    monkeypatch.setattr(time, "time", itertools.count(1000.0).__next__)
    metrics = Metrics()
    metrics.active = lambda: 2
    other = Metrics()
    other.active = lambda: 3
    dumps = [metrics.dump([ready, off]), other.dump([ready, used])]
    total, engines = Metrics.of_all(dumps)
    assert total.active() == 5
    assert engines == [ready._replace(busy=4, waiting=6), used]
    started = {_started(Metrics.of_all(dumps[::order])[0].render([])) for order in (1, -1)}
    assert started == {_started(metrics.render([]))}, "the server is as old as its oldest process"


def _started(page: bytes) -> str:
    return next(line for line in page.decode().splitlines() if line.startswith("process_start_time_seconds "))


def test_each_worker_gets_its_part_of_what_is_bounded(tmp_path: Path) -> None:
    whole = Settings(workers=4, max_connections=10, pdf_workers=2, pdf_cache_bytes=400, state="memory", port=9)
    part = settings_of_worker(whole, tmp_path)
    assert (part.max_connections, part.pdf_workers, part.pdf_cache_bytes) == (3, 1, 100)
    assert (part.state, Path(part.data_dir).parent) == ("disk", tmp_path)
    assert part.port == 9
    unbounded = settings_of_worker(Settings(workers=4, max_connections=0, data_dir="mine"), tmp_path)
    assert (unbounded.max_connections, unbounded.data_dir) == (0, "mine")


def test_settings_reach_a_worker_as_they_are() -> None:
    whole = Settings(workers=2, api_key="a,b", upstream="http://h/v1", upstream_auth_header="X: y")
    sent = from_parent(to_bytes(Setup(0, whole.model_dump_json().encode(), [], "")))
    assert isinstance(sent, Setup)
    assert Settings.model_validate_json(sent.settings) == whole


def test_an_unknown_message_is_a_fault() -> None:
    with pytest.raises(msgspec.ValidationError):
        from_worker(msgspec.msgpack.encode({"type": "Nonsense"}))
