"""The engines of the parent: each is started for the first worker that needs it, and ends when none does any more."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from localaik.engine.embedding import EMBEDDINGS, embedding_settings
from localaik.engine.launchers.base import EngineSpec, StartError
from localaik.engine.sources import GENERATION, REMOTE_CONCURRENCY, ChildSource, supervise
from localaik.engine.supervisor import EngineState, Supervisor
from localaik.server.workers.messages import EngineIs
from localaik.settings import Settings

__all__ = ["Engines"]


@dataclass(slots=True)
class _Engine:
    """An engine that is a child of this process, or that will be one."""

    spec: EngineSpec
    settings: Settings
    supervisor: Supervisor | None = None
    source: ChildSource | None = None
    users: set[int] = field(default_factory=set)
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Engines:
    """All engines that the settings name and that are no servers of somebody else's. Construct in an event loop."""

    def __init__(self, settings: Settings, *, tell: Callable[[EngineIs], None], is_idle: Callable[[], bool]) -> None:
        """`tell` is given all news of engines; `is_idle` tells whether no worker asks any.

        Raises `StartError` for a missing model or engine.
        """
        self._tell = tell
        self._is_idle = is_idle
        self._engines: dict[str, _Engine] = {}
        self._slots: dict[str, int] = {GENERATION: settings.max_concurrent or REMOTE_CONCURRENCY}
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False
        self.generation_lost: asyncio.Future[int] | None = None
        """Done when the engine that generates is given up; None for one that is somebody else's."""
        if not settings.upstream_is_set:
            spec = EngineSpec.from_settings(settings)
            self._slots[GENERATION] = settings.max_concurrent or spec.slots
            engine = self._engines[GENERATION] = _Engine(spec, settings)
            self.generation_lost = self._make(GENERATION, engine).failed
        if settings.embeddings == "off":
            return
        self._slots[EMBEDDINGS] = REMOTE_CONCURRENCY
        if not settings.embedding_url:
            spec = EngineSpec.for_embeddings(settings)
            self._slots[EMBEDDINGS] = spec.slots
            self._engines[EMBEDDINGS] = _Engine(spec, embedding_settings(settings))

    def slots(self) -> Mapping[str, int]:
        """Roles, those of remote servers too, and the slots to lend until an engine tells its number."""
        return self._slots

    async def start(self) -> None:
        """Start the engine that generates; the model loads meanwhile. Raises `StartError`."""
        engine = self._engines.get(GENERATION)
        if engine is not None and engine.supervisor is not None:
            await engine.supervisor.start()

    async def ready(self) -> None:
        """Return when the engine that generates is up; at once where it is somebody else's."""
        engine = self._engines.get(GENERATION)
        if engine is not None and engine.supervisor is not None:
            await engine.supervisor.wait_ready()

    def use(self, worker: int, role: str) -> Awaitable[str]:
        """Have an engine running for a worker; "" or the reason why it can't be started. The worker is told of it."""
        engine = self._engines[role]
        engine.users.add(worker)  # now: it may be gone before the rest is done
        return self._run(worker, role, engine)

    async def _run(self, worker: int, role: str, engine: _Engine) -> str:
        async with engine.changing:
            if self._closed:
                return "The server is stopping."
            if engine.supervisor is not None and role != GENERATION and engine.supervisor.failed.done():
                await self._end(engine)
            if engine.supervisor is None:
                try:
                    await self._make(role, engine).start()
                except StartError as error:
                    engine.supervisor = engine.source = None
                    engine.users.discard(worker)
                    return error.message
            self._report(role, engine)
        return ""

    def report(self) -> None:
        """Tell all workers how all engines stand."""
        for role, engine in self._engines.items():
            self._report(role, engine)

    def release(self, worker: int, role: str) -> None:
        """A worker needs an engine no longer."""
        engine = self._engines.get(role)
        if engine is None:
            return
        engine.users.discard(worker)
        if role != GENERATION and not engine.users:
            task = asyncio.create_task(self._end_if_unused(engine))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def forget(self, worker: int) -> None:
        """A worker is gone."""
        for role in self._engines:
            self.release(worker, role)

    async def look_after(self, role: str) -> bool:
        """A worker could not reach an engine: find out whether it lives."""
        engine = self._engines.get(role)
        if engine is not None and engine.supervisor is not None:
            await engine.supervisor.report_death()
            self._report(role, engine)  # before the answer
        return True

    async def close(self) -> None:
        """End all engines; they are gone on return."""
        self._closed = True
        await asyncio.gather(*map(self._end_for_good, self._engines.values()), *self._ending)

    def _make(self, role: str, engine: _Engine) -> Supervisor:
        def on_state(_state: EngineState) -> None:
            self._report(role, engine)

        engine.supervisor, engine.source = supervise(
            engine.spec, engine.settings, is_idle=self._is_idle, on_state=on_state
        )
        return engine.supervisor

    def _report(self, role: str, engine: _Engine) -> None:
        """Tell all workers how an engine stands."""
        supervisor = engine.supervisor
        if supervisor is None or engine.source is None:
            return
        lost = supervisor.failed
        failed = lost.result() if lost.done() and not lost.cancelled() else None
        state = {"name": supervisor.name, **engine.source.describe()}
        self._tell(EngineIs(role, supervisor.address, state, failed))

    async def _end_for_good(self, engine: _Engine) -> None:
        async with engine.changing:
            await self._end(engine)

    async def _end_if_unused(self, engine: _Engine) -> None:
        async with engine.changing:
            if not engine.users:
                await self._end(engine)

    @staticmethod
    async def _end(engine: _Engine) -> None:
        supervisor = engine.supervisor
        if supervisor is not None:
            await supervisor.stop()
            engine.supervisor = engine.source = None
