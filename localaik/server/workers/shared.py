"""What a worker shares with the others: each of these asks the parent."""

import asyncio
from collections.abc import Callable, Mapping

from yarl import URL

from localaik.engine.capabilities import Capabilities
from localaik.engine.engine import Address, Source
from localaik.engine.faults import given_up, still_loading, stopping
from localaik.engine.gate import Gate
from localaik.engine.launchers import create_launcher
from localaik.engine.launchers.base import EngineSpec, StartError
from localaik.http.quota import Verdict
from localaik.jobs.live import Directory
from localaik.jobs.locks import Held, NamedLocks, OccupiedError
from localaik.jobs.runner import Runner
from localaik.jobs.runner import Source as Work
from localaik.server.workers.channel import Channel
from localaik.server.workers.gate import SharedGate
from localaik.server.workers.messages import (
    Came,
    CancelJob,
    EngineIs,
    Find,
    FromParent,
    FromWorker,
    Granted,
    Hold,
    IsHeld,
    Lost,
    Needs,
    NeedsNot,
    Pressure,
    RateOf,
    Refused,
    Release,
    Wake,
    Went,
)
from localaik.settings import Settings

__all__ = ["DistantRunner", "SharedDirectory", "SharedHost", "SharedLocks", "SharedRates"]

Line = Channel[FromParent]


class SharedSource:
    """An engine that is a child of the parent."""

    def __init__(self, role: str, name: str, declared: Capabilities, line: Line) -> None:
        self._role = role
        self._name = name
        self._declared = declared
        self._line = line
        self._address: Address | None = None
        self._url: str | None = None
        self._state: Mapping[str, str | int | None] = {"state": "starting"}
        self._changed = asyncio.Event()
        self.lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """Done when the parent has given the engine up."""

    @property
    def name(self) -> str:
        """The launcher's name."""
        return self._name

    def told(self, news: EngineIs) -> None:
        """The parent says how the engine stands."""
        if news.address != self._url:
            self._url = news.address
            url = URL(news.address) if news.address is not None else None
            self._address = None if url is None else Address(url / "v1", url, declared=self._declared)
        self._state = news.state
        if news.failed is not None and not self.lost.done():
            self.lost.set_result(news.failed)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def start(self) -> None:
        """Have the parent start it, where it has not. Raises `StartError`."""
        reason = await self._line.ask(Needs(self._line.number(), self._role), str)
        if reason:
            raise StartError(reason)

    async def wait_ready(self, seconds: float) -> Address:
        """See `Source`."""
        try:
            async with asyncio.timeout(seconds or None):
                while self._address is None:
                    if self.lost.done():
                        raise given_up()
                    if self._state["state"] in {"stopping", "stopped"}:
                        raise stopping()
                    await self._changed.wait()
        except TimeoutError:
            raise still_loading() from None
        return self._address

    def current(self) -> Address | None:
        """See `Source`."""
        return self._address

    async def report_lost(self) -> None:
        """See `Source`."""
        await self._line.ask(Lost(self._line.number(), self._role), bool)

    def describe(self) -> Mapping[str, object]:
        """See `Source`."""
        return self._state

    async def stop(self) -> None:
        """Tell that this worker needs it no longer."""
        self._line.say(NeedsNot(self._role))


class SharedHost:
    """The engines of the parent."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._gates: dict[str, SharedGate] = {}
        self._sources: dict[str, SharedSource] = {}
        self._pressed: set[str] = set()
        self._told: dict[str, Mapping[str, object]] = {}

    def gate(self, role: str, slots: int, settings: Settings) -> Gate:
        """See `engine.sources.Host`. A role keeps its gate, whatever becomes of its engine."""
        if role not in self._gates:
            say: Callable[[FromWorker], None] = self._line.say
            gate = SharedGate(role, slots, queue_seconds=settings.queue_timeout_seconds, say=say)
            gate.press(on=role in self._pressed)
            self._gates[role] = gate
        return self._gates[role]

    def source(
        self, role: str, spec: EngineSpec, settings: Settings, _gate: Gate
    ) -> tuple[Source, "asyncio.Future[int]"]:
        """See `engine.sources.Host`."""
        launcher = create_launcher(settings)
        source = self._sources[role] = SharedSource(role, launcher.name, launcher.declared(spec), self._line)
        return source, source.lost

    def describe(self, role: str) -> Mapping[str, object]:
        """See `engine.sources.Host`."""
        told = self._told.get(role, {"state": "off"})
        return told if told["state"] != "stopped" else {"state": "off"}

    def busy(self) -> int:
        """Requests of this worker on all engines."""
        return sum(gate.busy for gate in self._gates.values())

    def hear(self, message: Granted | Refused | Pressure | EngineIs) -> None:
        """What the parent says of engines and slots."""
        if isinstance(message, EngineIs):
            self._told[message.engine] = message.state
            source = self._sources.get(message.engine)
            if source is not None:
                source.told(message)
            return
        if isinstance(message, Pressure):
            (self._pressed.add if message.on else self._pressed.discard)(message.engine)
        gate = self._gates.get(message.engine)
        if gate is None:
            return
        if isinstance(message, Granted):
            gate.granted()
        elif isinstance(message, Refused):
            gate.refused()
        else:
            gate.press(on=message.on)


class SharedLocks(NamedLocks):
    """Names that are held in one worker are held in all."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    async def take(self, name: str, seconds: float | None = None) -> Held:
        """See `NamedLocks`."""
        number = self._line.number()

        def release() -> None:
            self._line.say(Release(number))

        try:
            is_held = await self._line.ask(Hold(number, name, seconds), bool)
        except asyncio.CancelledError:
            release()
            raise
        if not is_held:
            raise OccupiedError
        return Held(release, self._line.settle)

    async def is_taken(self, name: str) -> bool:
        """See `NamedLocks`."""
        return await self._line.ask(IsHeld(self._line.number(), name), bool)


class SharedDirectory(Directory):
    """Which worker has what."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def came(self, run_id: str) -> None:
        """See `Directory`."""
        self._line.say(Came(run_id))

    def went(self, run_id: str) -> None:
        """See `Directory`."""
        self._line.say(Went(run_id))

    async def settle(self) -> None:
        """See `Directory`."""
        await self._line.settle()

    async def find(self, run_id: str) -> str | None:
        """See `Directory`."""
        return await self._line.ask(Find(self._line.number(), run_id), str) or None


class SharedRates:
    """Limits of clients, counted at the parent."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def take(self, bucket: str, client: str) -> Verdict:
        """See `RateLimiter`."""
        return await self._line.ask(RateOf(self._line.number(), bucket, client), Verdict)


class DistantRunner(Runner):
    """The background work is done by another worker."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def add(self, _source: Work) -> None:
        """The other worker has sources of its own."""

    def start(self) -> None:
        """Nothing to start."""

    def wake(self) -> None:
        """See `Runner`."""
        self._line.say(Wake())

    async def cancel(self, job: str) -> None:
        """See `Runner`."""
        await self._line.ask(CancelJob(self._line.number(), job), bool)
