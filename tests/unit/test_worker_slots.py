"""Slots of an engine that several workers share: in order of arrival, whatever worker a request is in."""

import asyncio
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localaik.engine.gate import as_background
from localaik.errors import Unavailable
from localaik.server.workers.gate import SharedGate
from localaik.server.workers.messages import FromWorker, GaveBack, Resized, Wanted, WantedNot
from localaik.server.workers.slots import Slots

ENGINE = "generation"


class Company:
    """A parent and its workers, whose messages travel when `deliver` says so, each line in its order."""

    def __init__(self, workers: int, slots: int, queue_size: int = 0) -> None:
        self.up: list[deque[FromWorker]] = [deque() for _ in range(workers)]
        self.down: list[deque[tuple[str, bool]]] = [deque() for _ in range(workers)]
        self.gates = [SharedGate(ENGINE, slots, queue_seconds=0, say=lines.append) for lines in self.up]
        self.slots = Slots(
            slots,
            queue_size=queue_size,
            grant=lambda worker: self.down[worker].append(("grant", True)),
            refuse=lambda worker: self.down[worker].append(("refuse", True)),
            press=lambda on: [line.append(("press", on)) for line in self.down] and None,
        )
        self.entered: list[str] = []
        self.where: dict[str, int] = {}
        self.leave: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def step(self, worker: int, *, up: bool) -> bool:
        """Deliver one message, if there is one."""
        if up and self.up[worker]:
            self._hear(worker, self.up[worker].popleft())
            return True
        if not up and self.down[worker]:
            what, on = self.down[worker].popleft()
            gate = self.gates[worker]
            {"grant": gate.granted, "refuse": gate.refused, "press": lambda: gate.press(on=on)}[what]()
            return True
        return False

    async def deliver(self) -> None:
        """Deliver everything, and let everybody act on it."""
        idle = 0
        while idle < 5:
            moved = [self.step(worker, up=up) for worker in range(len(self.gates)) for up in (True, False)]
            await asyncio.sleep(0)
            idle = 0 if any(moved) else idle + 1

    async def die(self, worker: int) -> None:
        """All that the worker had is gone; another one takes its place."""
        dead = [self.tasks[name] for name, where in self.where.items() if where == worker]
        self.gates[worker] = SharedGate(ENGINE, self.slots.total, queue_seconds=0, say=self.up[worker].append)
        for task in dead:
            task.cancel()
        await asyncio.gather(*dead, return_exceptions=True)
        self.up[worker].clear()
        self.down[worker].clear()
        self.slots.forget(worker)
        if self.slots.pressed:
            self.down[worker].append(("press", True))

    def enter(self, worker: int, name: str, *, background: bool = False) -> None:
        self.where[name] = worker
        self.leave[name] = asyncio.Event()
        if background:
            with as_background():
                self.tasks[name] = asyncio.create_task(self._work(worker, name))
        else:
            self.tasks[name] = asyncio.create_task(self._work(worker, name))

    async def _work(self, worker: int, name: str) -> None:
        slot = await self.gates[worker].enter()
        self.entered.append(name)
        try:
            await self.leave[name].wait()
        finally:
            slot.leave()

    def _hear(self, worker: int, message: FromWorker) -> None:
        match message:
            case Wanted():
                self.slots.want(worker, background=message.background)
            case WantedNot():
                self.slots.want_not(worker, background=message.background, ahead=message.ahead)
            case GaveBack():
                self.slots.give_back(worker, message.slots, asked=message.asked)
            case Resized():
                self.slots.resize(message.slots)

    async def close(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def test_each_slot_goes_to_whoever_waited_longest_in_whatever_worker() -> None:
    company = Company(3, slots=1)
    for number, worker in enumerate((0, 1, 2, 1, 0, 2)):
        company.enter(worker, str(number))
        await company.deliver()
    assert company.entered == ["0"]
    for number in range(6):
        company.leave[str(number)].set()
        await company.deliver()
    assert company.entered == list("012345")
    assert [gate.busy for gate in company.gates] == [0, 0, 0]


async def test_a_worker_keeps_its_slot_without_a_word_as_long_as_nobody_else_wants_it() -> None:
    company = Company(2, slots=2)
    company.enter(0, "first")
    await company.deliver()
    company.leave["first"].set()
    await company.deliver()
    for name in "abc":
        company.enter(0, name)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert company.entered[-1] == name
        company.leave[name].set()
        await company.tasks[name]
    assert not any(company.up)
    # Both slots are worth something to the other worker all the same.
    company.enter(1, "x")
    company.enter(1, "y")
    await company.deliver()
    assert company.entered[-2:] == ["x", "y"]
    await company.close()


async def test_background_work_waits_behind_all_others_of_all_workers() -> None:
    company = Company(2, slots=1)
    company.enter(0, "busy")
    await company.deliver()
    company.enter(0, "background", background=True)
    await company.deliver()
    company.enter(1, "caller")
    await company.deliver()
    company.leave["busy"].set()
    await company.deliver()
    assert company.entered == ["busy", "caller"]
    company.leave["caller"].set()
    await company.deliver()
    assert company.entered == ["busy", "caller", "background"]
    await company.close()


async def test_the_queue_of_all_workers_has_one_limit() -> None:
    company = Company(2, slots=1, queue_size=2)
    for worker, name in ((0, "in"), (0, "waits"), (1, "waits too"), (1, "refused")):
        company.enter(worker, name)
        await company.deliver()
    with pytest.raises(Unavailable) as refused:
        await company.tasks["refused"]
    assert refused.value.reason == "queue_full"
    assert [company.gates[0].waiting, company.gates[1].waiting] == [1, 1]
    await company.close()


async def test_a_queue_is_not_full_while_other_workers_have_slots_that_they_do_not_use() -> None:
    company = Company(2, slots=2, queue_size=1)
    for name in "ab":
        company.enter(0, name)
    await company.deliver()
    for name in "ab":
        company.leave[name].set()
    await company.deliver()
    for name in "wxy":  # at once
        company.enter(1, name)
    await company.deliver()
    assert company.entered == list("abwx")
    assert not company.tasks["y"].done()
    company.enter(0, "z")
    await company.deliver()
    with pytest.raises(Unavailable):
        await company.tasks["z"]
    await company.close()


async def test_a_worker_that_dies_before_it_gives_back_keeps_no_queue_open() -> None:
    company = Company(2, slots=1, queue_size=1)
    company.enter(0, "of the dead")
    await company.deliver()
    company.enter(1, "a")
    await asyncio.sleep(0)
    company.step(1, up=True)
    await company.die(0)
    for name in "bc":
        company.enter(1, name)
        await company.deliver()
    assert [company.tasks[name].done() for name in "abc"] == [False, False, True]
    assert isinstance(company.tasks["c"].exception(), Unavailable)
    await company.close()


async def test_who_gives_up_leaves_the_places_of_others_as_they_are() -> None:
    company = Company(2, slots=1)
    for worker, name in ((0, "in"), (0, "first"), (1, "second"), (0, "leaves"), (1, "third")):
        company.enter(worker, name)
        await company.deliver()
    company.tasks["leaves"].cancel()
    await company.deliver()
    for name in ("in", "first", "second", "third"):
        company.leave[name].set()
        await company.deliver()
    assert company.entered == ["in", "first", "second", "third"]
    await company.close()


async def test_who_gives_up_waits_no_longer_at_the_parent() -> None:
    company = Company(2, slots=1)
    company.enter(0, "in")
    await company.deliver()
    company.enter(1, "leaves")
    await company.deliver()
    company.tasks["leaves"].cancel()
    await company.deliver()
    assert not company.slots.pressed
    company.leave["in"].set()
    await company.deliver()
    company.enter(0, "next")
    await company.deliver()
    assert company.entered == ["in", "next"]
    await company.close()


async def test_what_a_dead_worker_had_and_wanted_is_free() -> None:
    company = Company(2, slots=1)
    company.enter(0, "of the dead")
    company.enter(0, "wanted by the dead")
    await company.deliver()
    company.enter(1, "lives")
    await company.deliver()
    company.slots.forget(0)
    company.up[0].clear()
    company.down[0].clear()
    await company.deliver()
    assert company.entered == ["of the dead", "lives"]
    await company.close()


async def test_an_engine_with_fewer_slots_than_were_lent_gets_them_back() -> None:
    company = Company(1, slots=3)
    for name in "abc":
        company.enter(0, name)
    await company.deliver()
    company.gates[0].resize(1)
    await company.deliver()
    assert (company.gates[0].slots, company.slots.total) == (1, 1)
    company.leave["a"].set()
    company.leave["b"].set()
    company.enter(0, "d")
    await company.deliver()
    assert company.entered == ["a", "b", "c"]
    company.leave["c"].set()
    await company.deliver()
    assert company.entered == ["a", "b", "c", "d"]
    await company.close()


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.integers(0, 2)),
        st.tuples(st.just("enter in the background"), st.integers(0, 2)),
        st.tuples(st.just("die"), st.integers(0, 2)),
        st.tuples(st.just("leave"), st.integers(0, 9)),
        st.tuples(st.just("cancel"), st.integers(0, 9)),
        st.tuples(st.just("up"), st.integers(0, 2)),
        st.tuples(st.just("down"), st.integers(0, 2)),
        st.tuples(st.just("deliver"), st.just(0)),
    ),
    max_size=60,
)


@given(ACTIONS, st.integers(1, 3), st.sampled_from([0, 0, 1, 3]))
@settings(max_examples=80, deadline=None)
def test_whatever_the_order_of_messages_no_slot_is_lost_or_used_twice(
    actions: list[tuple[str, int]], slots: int, queue_size: int
) -> None:
    asyncio.run(_whatever_the_order(actions, slots, queue_size))


async def _whatever_the_order(actions: list[tuple[str, int]], slots: int, queue_size: int) -> None:
    company = Company(3, slots, queue_size)
    names = iter(range(1000))
    for what, number in actions:
        running = [name for name, task in company.tasks.items() if not task.done()]
        if what.startswith("enter"):
            company.enter(number, str(next(names)), background="background" in what)
        elif what in {"leave", "cancel"} and running:
            name = running[number % len(running)]
            company.leave[name].set() if what == "leave" else company.tasks[name].cancel()
        elif what in {"up", "down"}:
            company.step(number, up=what == "up")
        elif what == "die":
            await company.die(number)
        elif what == "deliver":
            await company.deliver()
        await asyncio.sleep(0)
        assert sum(gate.busy for gate in company.gates) <= slots
    await company.deliver()
    waiting = sum(gate.waiting for gate in company.gates)
    busy = sum(gate.busy for gate in company.gates)
    assert busy == slots or not waiting, "somebody waits although a slot is free"
    assert not queue_size or waiting <= queue_size
    for event in company.leave.values():
        event.set()
    await company.deliver()
    await asyncio.gather(*company.tasks.values(), return_exceptions=True)
    assert sum(gate.busy for gate in company.gates) == sum(gate.waiting for gate in company.gates) == 0
    # All slots can still be used.
    for number in range(slots):
        company.enter(number % 3, f"again {number}")
    await company.deliver()
    assert sum(gate.busy for gate in company.gates) == slots
    await company.close()
