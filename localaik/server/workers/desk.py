"""Where workers ask for what they share: slots, names, rates, and who has which run. No sockets and no processes."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from time import monotonic_ns

from localaik.jobs.locks import Held, NamedLocks, OccupiedError
from localaik.server.windows import Windows
from localaik.server.workers.messages import (
    Answer,
    Came,
    Find,
    FromParent,
    GaveBack,
    Granted,
    Hold,
    IsHeld,
    Pressure,
    RateOf,
    Refused,
    Release,
    Resized,
    Settle,
    Wanted,
    WantedNot,
    Went,
    raw,
)
from localaik.server.workers.slots import Slots
from localaik.settings import Settings, read_rates

__all__ = ["Desk", "ForDesk"]

ForDesk = Wanted | WantedNot | GaveBack | Resized | Hold | Release | IsHeld | RateOf | Came | Went | Find | Settle
"""What the desk knows an answer to."""
_Key = tuple[int, int]
"""A worker, and the number of its question."""


class Desk:
    """The desk. Workers are told apart by numbers."""

    def __init__(
        self, settings: Settings, *, say: Callable[[int, FromParent], None], workers: int, address: Callable[[int], str]
    ) -> None:
        """`say` reaches a worker, `address` is where neighbours reach it."""
        self._settings = settings
        self._say = say
        self._workers = range(workers)
        self._address = address
        self._slots: dict[str, Slots] = {}
        self._locks = NamedLocks()
        self._waiting: dict[_Key, asyncio.Task[None]] = {}
        self._held: dict[_Key, Held] = {}
        self._windows = Windows(read_rates(settings.rate_limits))
        self._runs: defaultdict[str, list[int]] = defaultdict(list)

    def add_engine(self, engine: str, slots: int) -> None:
        """An engine with slots to lend, until a worker learns how many there are."""
        self._slots[engine] = Slots(
            slots,
            queue_size=self._settings.queue_size,
            grant=lambda worker: self._say(worker, Granted(engine)),
            refuse=lambda worker: self._say(worker, Refused(engine)),
            press=partial(self._press, engine),
        )

    def hear(self, worker: int, message: ForDesk) -> None:
        """What a worker says or asks."""
        match message:
            case Wanted():
                self._slots[message.engine].want(worker, background=message.background)
            case WantedNot():
                self._slots[message.engine].want_not(worker, background=message.background, ahead=message.ahead)
            case GaveBack():
                self._slots[message.engine].give_back(worker, message.slots, asked=message.asked)
            case Resized():
                self._slots[message.engine].resize(message.slots)
            case Hold():
                self._waiting[worker, message.number] = asyncio.create_task(self._hold(worker, message))
            case Release():
                self._release((worker, message.number))
            case _:
                self._look_up(worker, message)

    def forget(self, worker: int) -> None:
        """A worker is gone: what it had is free."""
        for slots in self._slots.values():
            slots.forget(worker)
        for key in [*self._waiting, *self._held]:
            if key[0] == worker:
                self._release(key)
        for run in [run for run, owners in self._runs.items() if worker in owners]:
            self._went(worker, run)

    def greet(self, worker: int) -> None:
        """A worker has come: tell it where others wait."""
        for engine, slots in self._slots.items():
            if slots.pressed:
                self._say(worker, Pressure(engine, on=True))

    async def close(self) -> None:
        """End all waiting."""
        tasks = list(self._waiting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _look_up(self, worker: int, message: IsHeld | RateOf | Came | Went | Find | Settle) -> None:
        match message:
            case IsHeld():
                self._answer(worker, message.number, self._locks.holds(message.name))
            case Settle():
                self._answer(worker, message.number, value=True)
            case RateOf():
                verdict = self._windows.take(message.bucket, message.client, monotonic_ns())
                self._answer(worker, message.number, verdict)
            case Came():
                self._runs[message.run].append(worker)
            case Went():
                self._went(worker, message.run)
            case Find():
                owners = self._runs.get(message.run, [])
                there = next((owner for owner in owners if owner != worker), None)
                self._answer(worker, message.number, "" if there is None else self._address(there))

    def _went(self, worker: int, run: str) -> None:
        owners = self._runs[run]
        if worker in owners:
            owners.remove(worker)
        if not owners:
            del self._runs[run]

    async def _hold(self, worker: int, message: Hold) -> None:
        key = worker, message.number
        try:
            self._held[key] = await self._locks.take(message.name, message.seconds)
        except OccupiedError:
            pass
        finally:
            self._waiting.pop(key, None)
        self._answer(worker, message.number, value=key in self._held)

    def _release(self, key: _Key) -> None:
        """At once, so that whoever asks next finds it free."""
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            waiting.cancel()
        held = self._held.pop(key, None)
        if held is not None:
            held.give_back()

    def _press(self, engine: str, on: bool) -> None:
        for worker in self._workers:
            self._say(worker, Pressure(engine, on))

    def _answer(self, worker: int, number: int, value: object) -> None:
        self._say(worker, Answer(number, raw(value)))
