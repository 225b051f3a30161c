"""The start of a server, and a signal that comes before it is done."""

import asyncio

import pytest

from localaik.engine.launchers.base import StartError
from localaik.server import main


class Slow:
    """A server that starts when it may."""

    def __init__(self, *, stubborn: bool = False, fault: Exception | None = None) -> None:
        self.may_start = asyncio.Event()
        self.stubborn = stubborn
        self.fault = fault
        self.begun = asyncio.Event()
        self.told: list[str] = []
        self.url = self.engine_name = ""
        self.engine_lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        self.begun.set()
        try:
            await self.may_start.wait()
        except asyncio.CancelledError:
            self.told.append("start was cut")
            if not self.stubborn:
                raise
        if self.fault is not None:
            raise self.fault

    async def stop(self, _hurry: asyncio.Event | None = None) -> None:
        self.told.append("stopped")


async def test_a_start_that_nobody_stops_goes_on_to_its_end() -> None:
    server, stop = Slow(), asyncio.Event()
    starting = asyncio.create_task(main._is_started(server, stop))
    await server.begun.wait()
    server.may_start.set()
    assert await starting
    assert server.told == []


@pytest.mark.parametrize(("stubborn", "told"), [(False, ["start was cut"]), (True, ["start was cut", "stopped"])])
async def test_a_signal_during_the_start_ends_it_and_leaves_nothing(stubborn: bool, told: list[str]) -> None:
    server, stop = Slow(stubborn=stubborn), asyncio.Event()
    starting = asyncio.create_task(main._is_started(server, stop))
    await server.begun.wait()
    stop.set()
    assert not await starting
    assert server.told == told


async def test_a_start_that_fails_tells_why() -> None:
    server = Slow(fault=StartError("no model"))
    server.may_start.set()
    with pytest.raises(StartError, match="no model"):
        await main._is_started(server, asyncio.Event())
