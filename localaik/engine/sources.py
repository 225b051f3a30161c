"""Where an engine comes from: a child under a supervisor, or a server that somebody else runs."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from yarl import URL

from localaik.engine.capabilities import UNKNOWN, Capabilities
from localaik.engine.engine import Address, Engine, Source
from localaik.engine.gate import Gate
from localaik.engine.launchers import create_launcher
from localaik.engine.launchers.base import EngineSpec, StartError
from localaik.engine.supervisor import EngineState, Supervisor
from localaik.engine.upstream import Upstream
from localaik.errors import Unavailable
from localaik.settings import Settings

__all__ = [
    "GENERATION",
    "REMOTE_CONCURRENCY",
    "ChildSource",
    "Host",
    "RemoteSource",
    "ThisProcess",
    "create_engine",
    "supervise",
]

GENERATION: Final = "generation"
"""The role of the engine that generates."""
REMOTE_CONCURRENCY: Final = 32
"""Generations at once on somebody else's server, where no setting tells."""

_EMBEDDED: Final = "tiny"
_log = logging.getLogger(__name__)

Lost = asyncio.Future[int]
"""Done when an engine is lost for good, with the status that the process should end with."""


class Host(Protocol):
    """Whoever has the engines of a server, each by its role, and gives out their slots."""

    def gate(self, role: str, slots: int, settings: Settings) -> Gate:
        """The gate in front of an engine with `slots`, until it tells how many it has."""
        ...

    def source(self, role: str, spec: EngineSpec, settings: Settings, gate: Gate) -> tuple[Source, Lost]:
        """An engine, not yet started."""
        ...

    def describe(self, role: str) -> Mapping[str, object]:
        """Name and state of an engine that this server does not use now; `state` is `off` where nobody does."""
        ...


class ThisProcess:
    """The engines are children of this process, and all their slots are for it."""

    def gate(self, _role: str, slots: int, settings: Settings) -> Gate:
        """See `Host`."""
        return Gate(slots, queue_size=settings.queue_size, queue_seconds=settings.queue_timeout_seconds)

    def source(self, _role: str, spec: EngineSpec, settings: Settings, gate: Gate) -> tuple[Source, Lost]:
        """See `Host`."""
        supervisor, source = supervise(spec, settings, is_idle=lambda: not gate.busy)
        return source, supervisor.failed

    def describe(self, _role: str) -> Mapping[str, object]:
        """See `Host`."""
        return {"state": "off"}


def supervise(
    spec: EngineSpec,
    settings: Settings,
    *,
    is_idle: Callable[[], bool],
    on_state: Callable[[EngineState], None] | None = None,
) -> tuple[Supervisor, "ChildSource"]:
    """An engine that becomes a child of this process, not yet started. See `Supervisor`."""
    launcher = create_launcher(settings)
    supervisor = Supervisor(launcher, spec, settings=settings, is_idle=is_idle, on_state=on_state)
    return supervisor, ChildSource(supervisor, launcher.declared(spec))


def create_engine(settings: Settings, host: Host | None = None) -> tuple[Engine, Lost]:
    """The engine that the settings describe, not yet started, and what is done when it is lost for good.

    Call it inside a running event loop. Raises `StartError` for a missing model, engine or upstream.
    """
    host = host or ThisProcess()
    if settings.upstream_is_set:
        upstream = Upstream.from_settings(settings)
        for warning in upstream.warnings:
            _log.warning("%s", warning)
        remote = RemoteSource(upstream)
        never_lost: Lost = asyncio.get_running_loop().create_future()
        gate = host.gate(GENERATION, settings.max_concurrent or REMOTE_CONCURRENCY, settings)
        return Engine(remote, settings, gate, cache_prompt=True), never_lost
    if settings.require_upstream:
        raise StartError("This localaik runs no engine of its own: set LOCALAIK_UPSTREAM to a server's URL.", status=2)
    spec = EngineSpec.from_settings(settings)
    gate = host.gate(GENERATION, settings.max_concurrent or spec.slots, settings)
    source, lost = host.source(GENERATION, spec, settings, gate)
    # Reused prompts change the last bits of the logits; the embedded model is fast enough to do without.
    cache_prompt = settings.cache_prompt == "on" or (settings.cache_prompt == "auto" and settings.model != _EMBEDDED)
    return Engine(source, settings, gate, cache_prompt=cache_prompt), lost


class ChildSource:
    """An engine in a child process, started again when it dies."""

    def __init__(self, supervisor: Supervisor, declared: Capabilities) -> None:
        self._supervisor = supervisor
        self._declared = declared
        self._url: str | None = None
        self._address: Address | None = None

    @property
    def name(self) -> str:
        """The launcher's name."""
        return self._supervisor.name

    async def start(self) -> None:
        """Start the child; the model loads meanwhile. Raises `StartError`."""
        await self._supervisor.start()

    async def wait_ready(self, seconds: float) -> Address:
        """The address of the loaded engine. Raises `Unavailable`, `EngineUnreachable`."""
        await self._supervisor.wait_ready(seconds)
        address = self.current()
        if address is None:  # it died in the same moment
            raise Unavailable("The model is still loading.", reason="loading")
        return address

    def current(self) -> Address | None:
        """One object for each process: another one means that the engine was started again."""
        url = self._supervisor.address
        if url != self._url:
            self._url = url
            self._address = None if url is None else Address(URL(url) / "v1", URL(url), declared=self._declared)
        return self._address

    async def report_lost(self) -> None:
        """See `Source`."""
        await self._supervisor.report_death()

    def describe(self) -> Mapping[str, str | int | None]:
        """See `Source`."""
        state = self._supervisor.state
        described: dict[str, str | int | None] = {
            "state": state.phase,
            "since": int(state.since),
            "restarts": state.restarts,
            "pid": state.pid,
        }
        return described | ({"detail": state.detail} if state.detail else {})

    async def stop(self) -> None:
        """End the child; it is gone on return."""
        await self._supervisor.stop()


class RemoteSource:
    """A server that somebody else runs: always at its address, up or not."""

    name = "remote"

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._address = Address(
            upstream.base, upstream.root, upstream.headers, UNKNOWN, upstream.hide, upstream.credential
        )

    async def start(self) -> None:
        """Nothing to start."""

    async def wait_ready(self, _seconds: float) -> Address:
        """See `Source`."""
        return self._address

    def current(self) -> Address | None:
        """See `Source`."""
        return self._address

    async def report_lost(self) -> None:
        """Nothing to find out: the server is asked anew by the next request."""

    def describe(self) -> Mapping[str, object]:
        """See `Source`."""
        return {"upstream": self._upstream.redacted}

    async def stop(self) -> None:
        """Nothing to stop."""
