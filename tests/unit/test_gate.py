"""The gate in front of the engine's slots."""

import asyncio

import pytest

from localaik.engine.gate import Gate, SlotUse, watch_slots
from localaik.errors import Unavailable


async def hold(gate: Gate, name: str, order: list[str], leave: asyncio.Event) -> None:
    await gate.acquire()
    order.append(name)
    await leave.wait()
    gate.release()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_callers_enter_in_order_of_arrival() -> None:
    gate = Gate(1, queue_size=0, queue_seconds=0)
    order: list[str] = []
    leave = asyncio.Event()
    tasks = [asyncio.create_task(hold(gate, name, order, leave)) for name in "abc"]
    await settle()
    assert (order, gate.busy, gate.waiting) == (["a"], 1, 2)
    leave.set()
    await asyncio.gather(*tasks)
    assert (order, gate.busy, gate.waiting) == (["a", "b", "c"], 0, 0)


async def test_a_full_queue_refuses() -> None:
    gate = Gate(1, queue_size=1, queue_seconds=0)
    order: list[str] = []
    leave = asyncio.Event()
    tasks = [asyncio.create_task(hold(gate, name, order, leave)) for name in "ab"]
    await settle()
    with pytest.raises(Unavailable) as refused:
        await hold(gate, "c", order, leave)
    assert refused.value.reason == "queue_full"
    leave.set()
    await asyncio.gather(*tasks)


async def test_a_long_wait_ends() -> None:
    gate = Gate(1, queue_size=0, queue_seconds=0.001)
    leave = asyncio.Event()
    order: list[str] = []
    first = asyncio.create_task(hold(gate, "a", order, leave))
    await settle()
    with pytest.raises(Unavailable) as refused:
        await hold(gate, "b", order, leave)
    assert refused.value.reason == "queue_timeout"
    leave.set()
    await first
    assert gate.busy == 0


@pytest.mark.parametrize("free_first", [False, True])
async def test_b137_a_cancelled_wait_leaves_no_trace(free_first: bool) -> None:
    gate = Gate(1, queue_size=0, queue_seconds=0)
    order: list[str] = []
    leave = asyncio.Event()
    first = asyncio.create_task(hold(gate, "a", order, leave))
    second = asyncio.create_task(hold(gate, "b", order, leave))
    await settle()
    if free_first:
        leave.set()  # the slot is handed over in the same moment
        await first
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    leave.set()
    await first
    async with asyncio.timeout(5):
        await gate.acquire()
    assert gate.busy == 1


async def test_more_slots_admit_those_who_wait() -> None:
    gate = Gate(1, queue_size=0, queue_seconds=0)
    order: list[str] = []
    leave = asyncio.Event()
    tasks = [asyncio.create_task(hold(gate, name, order, leave)) for name in "abc"]
    await settle()
    gate.resize(3)
    await settle()
    assert order == ["a", "b", "c"]
    leave.set()
    await asyncio.gather(*tasks)


async def test_waits_of_one_request_count_once_however_many_wait() -> None:
    gate = Gate(1, queue_size=0, queue_seconds=0)
    leave = asyncio.Event()
    order: list[str] = []
    first = asyncio.create_task(hold(gate, "a", order, leave))
    await settle()
    use = SlotUse()
    watch_slots(use)
    assert (use.asked, use.waiting.seconds) == (False, 0.0)
    tasks = [asyncio.create_task(hold(gate, name, order, leave)) for name in "bc"]
    await settle()
    begun = asyncio.get_running_loop().time()
    assert use.asked
    earlier = use.waiting.seconds
    assert 0 < earlier <= use.waiting.seconds
    leave.set()
    await asyncio.gather(first, *tasks)
    total = use.waiting.seconds
    assert earlier <= total <= earlier + asyncio.get_running_loop().time() - begun + 0.001
    assert use.waiting.seconds == total  # nobody waits any more


async def test_a_wait_that_is_given_up_has_been_one() -> None:
    gate = Gate(1, queue_size=0, queue_seconds=0.001)
    await gate.acquire()
    use = SlotUse()
    watch_slots(use)
    with pytest.raises(Unavailable):
        await gate.acquire()
    told = use.waiting.seconds
    assert told > 0
    assert use.waiting.seconds == told  # the clock has stopped


async def test_a_slot_is_held_until_it_is_given_back_once() -> None:
    gate = Gate(2, queue_size=0, queue_seconds=0)
    use = SlotUse()
    watch_slots(use)
    first, second = await gate.enter(), await gate.enter()
    assert gate.busy == 2
    first.leave()
    first.leave()
    assert gate.busy == 1
    second.leave()
    told = use.holding.seconds
    assert told > 0
    assert (gate.busy, use.holding.seconds, use.waiting.seconds) == (0, told, 0.0)
