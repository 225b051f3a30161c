"""Locks by name: in line, released whatever happens, forgotten when nobody uses them."""

import asyncio

import pytest

from localaik.jobs.locks import NamedLocks, OccupiedError


async def test_holders_of_one_name_follow_each_other_in_line() -> None:
    locks = NamedLocks()
    order: list[str] = []
    may_end = asyncio.Event()

    async def work(name: str) -> None:
        async with locks.hold("a", 0):
            order.append(f"{name} begins")
            await may_end.wait()
            order.append(f"{name} ends")

    tasks = [asyncio.create_task(work(str(number))) for number in range(3)]
    await asyncio.sleep(0)
    async with locks.hold("b", 0):  # another name is free
        assert order == ["0 begins"]
    may_end.set()
    await asyncio.gather(*tasks)
    assert order == [f"{number} {what}" for number in range(3) for what in ("begins", "ends")]
    assert locks._locks == locks._users == {}


async def test_a_wait_that_is_too_long_is_given_up() -> None:
    locks = NamedLocks()
    async with locks.hold("a", 0):
        with pytest.raises(OccupiedError):
            async with locks.hold("a", 0.001):
                raise AssertionError
    async with locks.hold("a", 0.001):
        assert set(locks._locks) == {"a"}
    assert locks._locks == {}


async def test_a_fault_and_a_timeout_of_the_work_itself_pass_through() -> None:
    locks = NamedLocks()
    for fault in (TimeoutError("mine"), ValueError("mine")):
        with pytest.raises(type(fault), match="mine"):
            async with locks.hold("a", 1):
                raise fault
    assert locks._locks == {}


async def test_a_cancelled_wait_leaves_no_trace() -> None:
    locks = NamedLocks()

    async def wait() -> None:
        async with locks.hold("a", 0):
            raise AssertionError

    async with locks.hold("a", 0):
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert locks._locks == {}


async def test_who_does_not_wait_is_turned_away_and_a_name_is_given_back_once() -> None:
    locks = NamedLocks()
    held = await locks.take("a")
    assert await locks.is_taken("a")
    with pytest.raises(OccupiedError):
        await locks.take("a")
    held.give_back()
    next_one = await locks.take("a")
    held.give_back()
    assert await locks.is_taken("a")
    next_one.give_back()
    assert not await locks.is_taken("a")
