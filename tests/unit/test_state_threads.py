"""Blocking work in threads, when the one who waits for it is cancelled."""

import asyncio
import threading

import pytest

from localaik.state.threads import in_thread


async def cancelled(discard: list[str], *, fault: bool) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        may_end.wait()
        if fault:
            raise OSError
        return "a file"

    task = asyncio.create_task(in_thread(work, discard.append))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()  # it waits for the end of the work
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_nobody_gets_is_discarded() -> None:
    discarded: list[str] = []
    await cancelled(discarded, fault=False)
    assert discarded == ["a file"]


async def test_there_is_nothing_to_discard_after_a_fault() -> None:
    discarded: list[str] = []
    await cancelled(discarded, fault=True)
    assert discarded == []


async def test_who_is_not_cancelled_gets_the_result() -> None:
    discarded: list[str] = []
    assert await in_thread(lambda: "a file", discarded.append) == "a file"
    assert discarded == []
