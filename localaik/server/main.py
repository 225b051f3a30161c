"""The life of a server process: the port, the engine, then requests until a signal or the engine's end."""

import asyncio
import logging
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from localaik.engine.launchers.base import StartError
from localaik.server.logs import set_up_logging
from localaik.server.server import Server
from localaik.settings import LoadedSettings, Settings, is_loopback

__all__ = ["Server", "StartError", "loop_factory", "prepare_memory", "serve"]

_LARGEST_BURST_BYTES: Final = 1 << 22
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
    prepare_memory()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_serve(loaded, announce))


def prepare_memory() -> None:
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
    server = _server(loaded.settings)
    if not await _is_started(server, stop):
        return 0
    try:
        for line in _banner(server, loaded):
            announce(line)
        server.engine_lost.add_done_callback(lambda _: stop.set())
        await stop.wait()
        status = server.engine_lost.result() if server.engine_lost.done() else 0
    finally:
        await server.stop(hurry)
    return status


async def _is_started(server: "_Served", stop: asyncio.Event) -> bool:
    """Start the server, unless it is to stop before that is done; then nothing of it is left. Raises `StartError`."""
    starting, stopping = asyncio.create_task(server.start()), asyncio.create_task(stop.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done():
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting
            await server.stop()  # it was ready in the same moment
        return False
    await starting
    return True


class _Served(Protocol):
    """A server in this process, or one of several."""

    engine_lost: "asyncio.Future[int]"
    url: str

    @property
    def engine_name(self) -> str:
        """What runs the model: a launcher's name, or the redacted URL of an upstream."""
        ...

    async def start(self) -> None: ...

    async def stop(self, hurry: asyncio.Event | None = None) -> None: ...


def _server(settings: Settings) -> _Served:
    if settings.workers == 1:
        return Server(settings)
    from localaik.server.workers.parent import Parent  # noqa: PLC0415 - needed by few

    return Parent(settings)


def _banner(server: _Served, loaded: LoadedSettings) -> list[str]:
    """What a person wants to know once the port is open."""
    settings = loaded.settings
    lines = [f"localaik is listening on {server.url}"]
    if not is_loopback(settings.host):
        lines.append(f"  address {settings.host}")
    if settings.upstream_is_set:
        lines.append(f"  upstream {server.engine_name} (from {loaded.sources.get('upstream', 'default')})")
    else:
        lines.append(f"  model   {settings.model} ({server.engine_name})")
    if settings.workers > 1:
        lines.append(f"  workers {settings.workers}")
    if settings.serves("docs"):
        lines.append(f"  pages   {server.url}/   (first steps, all routes)")
    return [
        *lines,
        f"  Gemini  GOOGLE_GEMINI_BASE_URL={server.url}",
        f"  OpenAI  OPENAI_BASE_URL={server.url}/v1",
        f"  health  {server.url}/health   ({'an API key is asked for' if settings.api_key else 'any API key will do'})",
    ]


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the fastest event loop that there is."""
    try:
        import uvloop  # noqa: PLC0415 - does not exist on Windows
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
