"""A worker: a server whose engines, queue and limits are those of its parent. Run by it, with a descriptor to talk."""

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

from localaik.engine.launchers.base import StartError
from localaik.server.company import Company
from localaik.server.listening import neighbour_socket
from localaik.server.logs import set_up_logging
from localaik.server.main import loop_factory, prepare_memory
from localaik.server.server import Server
from localaik.server.workers.channel import Channel
from localaik.server.workers.messages import (
    CancelJob,
    Collect,
    EngineIs,
    FromParent,
    Granted,
    Pressure,
    Pulse,
    Refused,
    Serves,
    Setup,
    Stop,
    Wake,
    from_parent,
)
from localaik.server.workers.shared import DistantRunner, SharedDirectory, SharedHost, SharedLocks, SharedRates
from localaik.server.workers.split import settings_of_worker
from localaik.settings import Settings

__all__ = ["main"]

_log = logging.getLogger(__name__)

_FIRST = 0
"""The worker that does the background work."""


class _Child:
    """One worker, from its setup to its end."""

    def __init__(self) -> None:
        self._setup: asyncio.Future[Setup] = asyncio.get_running_loop().create_future()
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._server: Server | None = None
        self._host: SharedHost | None = None
        self._folder: Path | None = None
        self._line = Channel(from_parent, self._hear, self._on_orphaned)
        self._answering: set[asyncio.Task[None]] = set()

    async def run(self, talk: socket.socket) -> int:
        """Serve until the parent says that it is enough; the exit status."""
        await self._line.connect(talk)
        setup = await self._setup
        whole = Settings.model_validate_json(setup.settings)
        folder = self._folder = Path(setup.folder)
        settings = settings_of_worker(whole, folder)
        set_up_logging(settings)
        prepare_memory()
        self._host = SharedHost(self._line)
        sockets = [socket.socket(fileno=descriptor) for descriptor in setup.sockets]
        for listening in sockets:
            listening.setblocking(False)
        try:
            company = Company(
                host=self._host,
                locks=SharedLocks(self._line),
                directory=SharedDirectory(self._line),
                jobs=None if setup.index == _FIRST else DistantRunner(self._line),
                rates=SharedRates(self._line) if settings.rate_limits else None,
                collect=self._collect,
                settings=whole,
                neighbours=neighbour_socket(str(folder / f"{setup.index}.sock")),
            )
            server = Server(settings, sockets=sockets, company=company)
            await server.start()
        except StartError as error:
            _log.error("a worker can't start: %s", error.message)
            return error.status
        self._server = server
        self._line.say(Serves())
        try:
            await self._stop.wait()
        finally:
            await server.stop(self._hurry)
            self._line.close()
        return 0

    def _hear(self, message: FromParent) -> None:
        match message:
            case Setup():
                self._setup.set_result(message)
            case Stop():
                (self._hurry if self._stop.is_set() else self._stop).set()
            case Granted() | Refused() | Pressure() | EngineIs():
                if self._host is not None:
                    self._host.hear(message)
            case Pulse():
                self._line.answer(message.number, self._host.busy() if self._host is not None else 0)
            case Wake():
                if self._server is not None:  # else it looks for work when it begins
                    self._server.parts.jobs.wake()
            case Collect():
                self._line.answer(message.number, b"" if self._server is None else self._server.parts.counted())
            case CancelJob():
                task = asyncio.create_task(self._cancel(message))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)

    async def _cancel(self, message: CancelJob) -> None:
        if self._server is not None:  # else nothing runs yet
            await self._server.parts.jobs.cancel(message.job)
        self._line.answer(message.number, value=True)

    async def _collect(self) -> list[bytes]:
        return await self._line.ask(Collect(self._line.number()), list[bytes])

    def _on_orphaned(self) -> None:
        """The parent is gone, and with it the engine: nothing here can be answered any more."""
        if self._stop.is_set():
            return
        if self._folder is not None:  # which its owner can't remove any more
            shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(1)


async def _serve(talk: socket.socket) -> int:
    return await _Child().run(talk)


def main(descriptor: int) -> int:
    """Be the worker at the other end of `descriptor`; the exit status."""
    # Whoever signals all processes of the server means the parent, which tells us. What is ignored altogether would be
    # so in the programs that are started here, too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: None)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_serve(socket.socket(fileno=descriptor)))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
