"""The life of a server process: the port, the engine, then requests until a signal or the engine's end."""

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from localaik.engine.embedding import create_embedding_engine
from localaik.engine.launchers.base import StartError
from localaik.engine.sources import create_engine
from localaik.server.logs import set_up_logging
from localaik.settings import LoadedSettings, Settings

if TYPE_CHECKING:
    from aiohttp import web

    from localaik.engine.embedding import EmbeddingEngine
    from localaik.engine.engine import Engine
    from localaik.server.assembly import Assembled

__all__ = ["Server", "StartError", "serve"]

_BACKLOG: Final = 1024
_LARGEST_BURST_BYTES: Final = 1 << 22
_COLLECT_AFTER: Final = 20_000
_log = logging.getLogger(__name__)


def serve(loaded: LoadedSettings, *, announce: Callable[[str], None]) -> int:
    """Serve until SIGINT, SIGTERM or the end of the engine, and return the exit status.

    `announce` is given the banner, line by line, once the port is open; a log in JSON takes it instead. Raises
    `StartError` for what a person can mend: a port in use, a missing model or engine.
    """
    settings = loaded.settings
    set_up_logging(settings)
    if settings.log_format == "json":
        announce = _log.info  # whoever reads JSON wants nothing else
    for warning in loaded.warnings:
        _log.warning("%s", warning)
    _prepare_memory()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(loaded, announce))


def _prepare_memory() -> None:
    """Keep the C library from giving memory back after every burst, only to ask for it again.

    glibc raises its thresholds for that to the size of the largest block that was ever freed (mallopt(3), dynamic
    mmap threshold). A stream of 500 events otherwise costs about 500 page faults.
    """
    bytes(_LARGEST_BURST_BYTES)


async def _serve(loaded: LoadedSettings, announce: Callable[[str], None]) -> int:
    stop = asyncio.Event()
    hurry = asyncio.Event()

    def on_signal() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows, where Ctrl-C raises KeyboardInterrupt instead
            loop.add_signal_handler(number, on_signal)
    server = Server(loaded.settings)
    await server.start()
    try:
        for line in _banner(server, loaded):
            announce(line)
        server.engine_lost.add_done_callback(lambda _: stop.set())
        await stop.wait()
        status = server.engine_lost.result() if server.engine_lost.done() else 0
    finally:
        await server.stop(hurry)
    return status


def _banner(server: "Server", loaded: LoadedSettings) -> list[str]:
    """What a person wants to know once the port is open."""
    settings = loaded.settings
    lines = [f"localaik is listening on {server.url}"]
    if settings.upstream_is_set:
        upstream = server.engine.describe()["upstream"]
        lines.append(f"  upstream {upstream} (from {loaded.sources.get('upstream', 'default')})")
    else:
        lines.append(f"  model   {settings.model} ({server.engine.name})")
    return [
        *lines,
        f"  Gemini  GOOGLE_GEMINI_BASE_URL={server.url}",
        f"  OpenAI  OPENAI_BASE_URL={server.url}/v1",
        f"  health  {server.url}/health   ({'an API key is asked for' if settings.api_key else 'any API key will do'})",
    ]


class Server:
    """A server in this process: `start()`, then `url`, then `stop()`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine, self.engine_lost = create_engine(settings)
        self._embedding_engine = create_embedding_engine(settings)
        self._runner: web.ServerRunner | None = None
        self._parts: Assembled | None = None
        self._stopping = False
        self.url = ""
        """`http://host:port`, once started."""

    @property
    def engine(self) -> "Engine":
        """The engine behind this server."""
        return self._engine

    @property
    def embedding_engine(self) -> "EmbeddingEngine | None":
        """The engine that embeds; None where embeddings are off."""
        return self._embedding_engine

    async def start(self) -> None:
        """Open the port and start the engine; return while the model loads. Raises `StartError`."""
        sockets = _listen(self._settings.host, self._settings.port)
        try:
            await self._engine.start()
            if self._embedding_engine is not None and self._settings.embeddings == "start":
                await self._embedding_engine.start()
            await self._open(sockets)
        except BaseException:
            for listening in sockets:
                listening.close()
            await self._close_engines()
            raise
        host, port = sockets[0].getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """Accept no more, let running requests end within the grace period, then cut them and end the engine.

        The engine goes first: its end is a fault in every stream still open, which the stream's protocol then tells.
        Setting `hurry` ends the grace period.
        """
        self._stopping = True
        if self._parts is not None:
            self._parts.live.ending.set()
            await self._parts.jobs.close()
        if self._runner is not None:
            for site in tuple(self._runner.sites):
                await site.stop()
            if await self._is_quiet_in_time(hurry or asyncio.Event()):
                await self._runner.cleanup()  # what was answered last is still being sent
        await self._close_engines()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._parts is not None:
            await self._parts.live.close()
            await self._parts.loader.close()
            await self._parts.store.close()
            if self._parts.tracing is not None:
                await asyncio.to_thread(self._parts.tracing.close)

    async def _close_engines(self) -> None:
        closing = [self._engine.close()]
        if self._embedding_engine is not None:
            closing.append(self._embedding_engine.close())
        await asyncio.gather(*closing)

    async def _open(self, sockets: list[socket.socket]) -> None:
        # Imported only now: the engine is already loading, in its own process, while these modules do.
        from aiohttp import web  # noqa: PLC0415

        from localaik.server.assembly import assemble  # noqa: PLC0415

        parts = self._parts = assemble(self._settings, self._engine, self._embedding_engine, lambda: self._stopping)
        # The low-level server: its requests all reach our own routing, as they were sent.
        served = web.Server(
            parts.face.handle,
            access_log=None,
            handler_cancellation=True,
            keepalive_timeout=self._settings.keepalive_seconds,
        )
        self._runner = web.ServerRunner(served, shutdown_timeout=1.0)
        await self._runner.setup()
        # What exists by now stays: the collector need not look at it again, nor as often as its default is.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER, 20, 20)
        for listening in sockets:
            await web.SockSite(self._runner, listening, backlog=_BACKLOG).start()
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


def _listen(host: str, port: int) -> list[socket.socket]:
    """A listening socket for each address of `host`. Raises `StartError` naming the port where it is taken."""
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartError(f"Can't listen on {host!r}: {error.strerror or 'the name is unknown'}.") from None
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(infos):
            listening = socket.socket(family, socket.SOCK_STREAM)
            sockets.append(listening)
            if sys.platform != "win32":
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind(address)
            listening.listen(_BACKLOG)
            listening.setblocking(False)
    except OSError as error:
        for listening in sockets:
            listening.close()
        raise StartError(
            f"Can't listen on {host} port {port}: {error.strerror}. Choose another port with --port or LOCALAIK_PORT."
        ) from None
    return sockets


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - does not exist on Windows
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
