"""The parent of several workers: it opens the port, runs the engines, starts the workers and starts them again."""

import asyncio
import logging
import shutil
import socket
import sys
import tempfile
from collections.abc import Awaitable
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final

from localaik.engine.launchers.base import StartError
from localaik.engine.restarts import RestartPolicy
from localaik.engine.upstream import Upstream
from localaik.server.listening import listen, url_of
from localaik.server.workers.desk import Desk, ForDesk
from localaik.server.workers.engines import Engines
from localaik.server.workers.messages import (
    Answer,
    CancelJob,
    Collect,
    EngineIs,
    FromParent,
    FromWorker,
    Lost,
    Needs,
    NeedsNot,
    Setup,
    Stop,
    Wake,
    raw,
)
from localaik.server.workers.process import Worker
from localaik.settings import Settings

__all__ = ["Parent"]

_RESTARTS: Final = 3
_PULSE_SECONDS: Final = 5.0
_COLLECT_SECONDS: Final = 2.0
_FIRST: Final = 0
"""The worker that does the background work."""
_ENDED: Final = -1
"""Stands for all workers that have ended."""
_log = logging.getLogger(__name__)


class Parent:
    """`start()`, then `url`, then `stop()`, as a `Server`."""

    def __init__(self, settings: Settings) -> None:
        """Raises `StartError` where there can't be several workers, and for a missing model, engine or upstream."""
        if sys.platform == "win32":
            raise StartError("There can't be several workers (--workers) on Windows.", 2)
        self._settings = settings
        self._folder = _folder()
        self._desk = Desk(settings, say=self._say, workers=settings.workers, address=self._address)
        self._workers: dict[int, Worker] = {}
        self._sockets: list[list[socket.socket]] = []
        self._keeping: list[asyncio.Task[None]] = []
        self._answering: set[asyncio.Task[None]] = set()
        self._counted: dict[int, bytes] = {}
        """What each worker has told of its figures last."""
        self.engine_lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.url = ""
        try:
            self._engines = Engines(settings, tell=self._tell_engine, is_idle=self._is_idle)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        for role, slots in self._engines.slots().items():
            self._desk.add_engine(role, slots)
        if self._engines.generation_lost is not None:
            self._engines.generation_lost.add_done_callback(self._on_lost)

    @property
    def engine_name(self) -> str:
        """See `Server`."""
        settings = self._settings
        return Upstream.from_settings(settings).redacted if settings.upstream_is_set else settings.engine

    async def start(self) -> None:
        """Open the port, start the engine and the workers; return once all of them serve. Raises `StartError`."""
        try:
            self._sockets = listen(self._settings.host, self._settings.port, shares=self._settings.workers)
            await self._engines.start()
            await asyncio.gather(*(self._spawn(index) for index in range(self._settings.workers)))
        except BaseException:
            await self.stop()
            raise
        self.url = url_of(self._sockets[0])
        for index in self._workers:
            self._keeping += [asyncio.create_task(self._keep(index)), asyncio.create_task(self._feel_pulse(index))]

    async def ready(self) -> None:
        """Return when the engine that generates is up. Raises `EngineUnreachable` where it was given up."""
        await self._engines.ready()

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.pid for worker in self._workers.values()]

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """Have all workers stop, each as a server does, then end the engines. Setting `hurry` ends the grace period."""
        for task in self._keeping:
            task.cancel()
        for sockets in self._sockets:
            for listening in sockets:
                listening.close()
        hurrying = asyncio.create_task(self._hurry(hurry)) if hurry is not None else None
        await asyncio.gather(*(worker.stop(self._settings.shutdown_grace_seconds) for worker in self._workers.values()))
        if hurrying is not None:
            hurrying.cancel()
        await self._desk.close()
        await self._engines.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _hurry(self, hurry: asyncio.Event) -> None:
        await hurry.wait()
        for worker in self._workers.values():
            worker.say(Stop())

    # Workers

    async def _spawn(self, index: int) -> None:
        sockets = self._sockets[index]
        worker = self._workers[index] = Worker(index, partial(self._hear, index))
        descriptors = [listening.fileno() for listening in sockets]
        setup = Setup(index, self._settings.model_dump_json().encode(), descriptors, str(self._folder))
        await worker.start(setup, sockets)
        self._desk.greet(index)
        self._engines.report()

    async def _keep(self, index: int) -> None:
        """Start a worker again whenever it has ended; its connections wait in its socket, which stays open here."""
        policy = RestartPolicy(_RESTARTS)
        while True:
            status = await self._workers[index].ended()
            self._workers[index].hang_up()
            self._forget(index)
            delay = policy.after_death(monotonic(), was_ready=True)
            if delay is None:
                _log.error("worker %d has ended again (status %d), and is given up", index, status)
                self._give_up(1)
                return
            _log.warning("worker %d has ended (status %d); it is started again in %g s", index, status, delay)
            await asyncio.sleep(delay)
            try:
                await self._spawn(index)
            except StartError as error:
                _log.error("worker %d can't be started: %s", index, error.message)

    def _forget(self, index: int) -> None:
        self._desk.forget(index)
        self._engines.forget(index)
        last = self._counted.pop(index, b"")
        if last:
            from localaik.server.metrics import Metrics  # noqa: PLC0415 - the parent does without aiohttp till then

            ended = self._counted.get(_ENDED)
            self._counted[_ENDED] = Metrics.of_ended([last] if ended is None else [ended, last])
        Path(self._address(index)).unlink(missing_ok=True)

    async def _feel_pulse(self, index: int) -> None:
        """Ask a worker now and then how busy it is; one that does not answer at all is ended."""
        while True:
            await asyncio.sleep(_PULSE_SECONDS)
            await self._workers[index].feel_pulse()

    def _is_idle(self) -> bool:
        return not any(worker.busy for worker in self._workers.values())

    def _on_lost(self, lost: "asyncio.Future[int]") -> None:
        if not lost.cancelled():
            self._give_up(lost.result())

    def _give_up(self, status: int) -> None:
        if not self.engine_lost.done():
            self.engine_lost.set_result(status)

    # What they say

    def _address(self, index: int) -> str:
        """Where neighbours reach a worker."""
        return str(self._folder / f"{index}.sock")

    def _say(self, index: int, message: FromParent) -> None:
        worker = self._workers.get(index)
        if worker is not None:
            worker.say(message)

    def _tell_engine(self, news: EngineIs) -> None:
        for worker in self._workers.values():
            worker.say(news)

    def _hear(self, index: int, message: FromWorker) -> None:
        if isinstance(message, ForDesk):
            self._desk.hear(index, message)
        elif isinstance(message, NeedsNot):
            self._engines.release(index, message.engine)
        elif isinstance(message, Needs):
            self._answer(index, message.number, self._engines.use(index, message.engine))
        elif isinstance(message, Lost):
            self._answer(index, message.number, self._engines.look_after(message.engine))
        elif isinstance(message, Wake):
            self._say(_FIRST, message)
        elif isinstance(message, CancelJob):
            cancelling = self._workers[_FIRST].ask(partial(CancelJob, job=message.job), bool, otherwise=True)
            self._answer(index, message.number, cancelling)
        elif isinstance(message, Collect):
            self._answer(index, message.number, self._collect())

    def _answer(self, index: int, number: int, finding: Awaitable[object]) -> None:
        """Answer a question once the answer is there."""
        worker = self._workers[index]  # not its successor, whose questions have the same numbers

        async def answer() -> None:
            worker.say(Answer(number, raw(await finding)))

        task = asyncio.create_task(answer())
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _collect(self) -> list[bytes]:
        await asyncio.gather(*map(self._collect_from, self._workers))
        return [*self._counted.values()]

    async def _collect_from(self, index: int) -> None:
        """Ask a worker for its figures. The last ones stay in force where it does not tell."""
        worker = self._workers[index]
        counted = b""
        with suppress(TimeoutError):
            async with asyncio.timeout(_COLLECT_SECONDS):
                counted = await worker.ask(Collect, bytes, otherwise=b"")
        if counted and worker is self._workers[index]:
            self._counted[index] = counted


def _folder() -> Path:
    """A folder for the sockets of the workers, and for what shall not outlive the server. Raises `StartError`."""
    try:
        return Path(tempfile.mkdtemp(prefix="localaik-"))
    except OSError as error:
        raise StartError(
            f"Several workers need a folder for temporary files: {error.strerror}. TMPDIR names another one."
        ) from None
