"""A server in this process: its engines, its sockets, its requests, and how all that ends."""

import asyncio
import gc
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from localaik.engine.embedding import create_embedding_engine
from localaik.engine.sources import create_engine
from localaik.server.company import Company
from localaik.server.listening import BACKLOG, listen, url_of
from localaik.settings import Settings

if TYPE_CHECKING:
    from aiohttp import web

    from localaik.engine.embedding import EmbeddingEngine
    from localaik.engine.engine import Engine
    from localaik.server.assembly import Assembled

__all__ = ["Server"]

_COLLECT_AFTER: Final = 20_000


class Server:
    """`start()`, then `url`, then `stop()`."""

    def __init__(
        self, settings: Settings, *, sockets: Sequence[socket.socket] = (), company: Company | None = None
    ) -> None:
        """Without `sockets` that listen, the server opens those that the settings name."""
        self._settings = settings
        self._sockets = list(sockets)
        self._company = company or Company()
        self._engine, self.engine_lost = create_engine(settings, self._company.host)
        self._embedding_engine = create_embedding_engine(settings, self._company.host)
        self._runners: list[web.ServerRunner] = []
        self._parts: Assembled | None = None
        self._stopping = False
        self.url = ""
        """`http://host:port`, once started."""

    @property
    def engine(self) -> "Engine":
        """The engine behind this server."""
        return self._engine

    @property
    def engine_name(self) -> str:
        """What runs the model: a launcher's name, or the redacted URL of an upstream."""
        described = self._engine.describe()
        return str(described.get("upstream") or described["name"])

    @property
    def embedding_engine(self) -> "EmbeddingEngine | None":
        """The engine that embeds; None where embeddings are off."""
        return self._embedding_engine

    @property
    def parts(self) -> "Assembled":
        """What the server is made of, once started."""
        assert self._parts is not None, "the server is not started"  # noqa: S101 - a mistake of the caller's
        return self._parts

    async def start(self) -> None:
        """Open the port and start the engine; return while the model loads. Raises `StartError`."""
        if not self._sockets:
            (self._sockets,) = listen(self._settings.host, self._settings.port)
        try:
            await self._engine.start()
            if self._embedding_engine is not None and self._settings.embeddings == "start":
                await self._embedding_engine.start()
            await self._open()
        except BaseException:
            for listening in self._sockets:
                listening.close()
            await self._close_engines()
            raise
        self.url = url_of(self._sockets)

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """Accept no more, let running requests end within the grace period, then cut them and end the engine.

        The engine goes first: its end is a fault in every stream still open, which the stream's protocol then tells.
        Setting `hurry` ends the grace period.
        """
        self._stopping = True
        if self._parts is not None:
            self._parts.face.stop()
            self._parts.live.ending.set()
            await self._parts.jobs.close()
        for runner in self._runners:
            for site in tuple(runner.sites):
                await site.stop()
        if self._runners and await self._is_quiet_in_time(hurry or asyncio.Event()):
            await self._clean_up()  # what was answered last is still being sent
        await self._close_engines()
        await self._clean_up()
        if self._parts is not None:
            await self._parts.live.close()
            await self._parts.loader.close()
            await self._parts.store.close()
            if self._parts.tracing is not None:
                await asyncio.to_thread(self._parts.tracing.close)

    async def _clean_up(self) -> None:
        for runner in self._runners:
            await runner.cleanup()

    async def _close_engines(self) -> None:
        closing = [self._engine.close()]
        if self._embedding_engine is not None:
            closing.append(self._embedding_engine.close())
        await asyncio.gather(*closing)

    async def _open(self) -> None:
        # Imported only now: the engine is already loading, in its own process, while these modules do.
        from aiohttp import web  # noqa: PLC0415

        from localaik.server.assembly import assemble  # noqa: PLC0415
        from localaik.server.connections import Connections  # noqa: PLC0415

        company = self._company
        parts = assemble(self._settings, self._engine, self._embedding_engine, lambda: self._stopping, company)
        self._parts = parts
        # The low-level server: its requests all reach our own routing, as they were sent.
        served = [(Connections(parts.face.handle, parts.face.refuse, self._settings), self._sockets)]
        if company.neighbours is not None:
            inner = Connections(parts.face.handle_relayed, parts.face.refuse, self._settings)
            served.append((inner, [company.neighbours]))
        self._runners = [web.ServerRunner(server, shutdown_timeout=1.0) for server, _ in served]
        for runner in self._runners:
            await runner.setup()
        # What exists by now stays: the collector need not look at it again, nor as often as its default is.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER, 20, 20)
        for runner, (_, sockets) in zip(self._runners, served, strict=True):
            for listening in sockets:
                await web.SockSite(runner, listening, backlog=BACKLOG).start()
        parts.jobs.start()

    async def _is_quiet_in_time(self, hurry: asyncio.Event) -> bool:
        """Wait until no request runs any more; False where the grace period ends first."""
        if self._parts is None:
            return True
        waits = (asyncio.create_task(self._parts.face.quiet()), asyncio.create_task(_set(hurry)))
        await asyncio.wait(waits, timeout=self._settings.shutdown_grace_seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return waits[0].done() and not waits[0].cancelled()


async def _set(event: asyncio.Event) -> None:
    await event.wait()
