"""Where an engine comes from: a child under a supervisor, or a server that somebody else runs."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from yarl import URL

from localaik.engine.capabilities import UNKNOWN, Capabilities
from localaik.engine.engine import Address, Engine
from localaik.engine.gate import Gate
from localaik.engine.launchers import create_launcher
from localaik.engine.launchers.base import EngineSpec, StartError
from localaik.engine.supervisor import Supervisor
from localaik.engine.upstream import Upstream
from localaik.errors import Unavailable
from localaik.settings import Settings

__all__ = ["ChildSource", "RemoteSource", "create_engine"]

_EMBEDDED: Final = "tiny"
_REMOTE_CONCURRENCY: Final = 32
_log = logging.getLogger(__name__)


def create_engine(settings: Settings) -> tuple[Engine, "asyncio.Future[int]"]:
    """The engine that the settings describe, not yet started, and what is done when it is lost for good.

    The future's result is the status that the process should end with. Call it inside a running event loop. Raises
    `StartError` for a missing model, engine or upstream.
    """
    if settings.upstream_is_set:
        upstream = Upstream.from_settings(settings)
        for warning in upstream.warnings:
            _log.warning("%s", warning)
        remote = RemoteSource(upstream)
        never_lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        return Engine(remote, settings, _gate(settings, _REMOTE_CONCURRENCY), cache_prompt=True), never_lost
    if settings.require_upstream:
        raise StartError("This localaik runs no engine of its own: set LOCALAIK_UPSTREAM to a server's URL.", status=2)
    launcher = create_launcher(settings)
    spec = EngineSpec.from_settings(settings)
    gate = _gate(settings, spec.slots)
    supervisor = Supervisor(launcher, spec, settings=settings, is_idle=lambda: not gate.busy)
    # Reused prompts change the last bits of the logits; the embedded model is fast enough to do without.
    cache_prompt = settings.cache_prompt == "on" or (settings.cache_prompt == "auto" and settings.model != _EMBEDDED)
    source = ChildSource(supervisor, launcher.declared(spec))
    return Engine(source, settings, gate, cache_prompt=cache_prompt), supervisor.failed


def _gate(settings: Settings, slots: int) -> Gate:
    """A gate for `slots`, until the engine tells how many it has."""
    return Gate(
        settings.max_concurrent or slots,
        queue_size=settings.queue_size,
        queue_seconds=settings.queue_timeout_seconds,
    )


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

    def describe(self) -> Mapping[str, object]:
        """See `Source`."""
        state = self._supervisor.state
        described: dict[str, object] = {
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
        self._address = Address(upstream.base, upstream.root, upstream.headers, UNKNOWN, upstream.hide)

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
