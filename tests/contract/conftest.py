"""A real server with the real engine, shared by all contract tests; and servers of a test's own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, TypeVar

import aiohttp
import pytest

from localaik.server.main import Server
from localaik.server.workers.parent import Parent
from localaik.settings import Settings
from tests.certificates import one_certificate

one_certificate()

START_SECONDS = 60

T = TypeVar("T")


class RunningServer:
    """A server on its own event loop in its own thread, so that synchronous SDKs can be tested against it."""

    def __init__(self, settings: Settings) -> None:
        # Tests run in several processes: engines that take all cores would be in each other's way.
        self._settings = settings.model_copy(update={"threads": settings.threads or 1})
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="localaik-under-test")

    def start(self) -> "RunningServer":
        self._thread.start()
        if not self._started.wait(START_SECONDS):
            raise TimeoutError("the server did not start")
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> None:
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work` on the server's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(START_SECONDS)

    @property
    def url(self) -> str:
        return self.server.url

    def _main(self) -> None:
        asyncio.run(self._run())

    def _make(self) -> Any:
        """A `Server`, or what stands for several workers."""
        return Server(self._settings) if self._settings.workers == 1 else Parent(self._settings)

    async def _run(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            self.server = self._make()
            await self.server.start()
            await (self.server.ready() if isinstance(self.server, Parent) else self.server.engine.ready())
        except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
            self._failure = error
            self._started.set()
            return
        self._started.set()
        await self._stop.wait()
        await self.server.stop()


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    """The server as `make run` starts it, on a free port."""
    running = RunningServer(Settings(port=0, fetch="any", state="memory")).start()
    yield running
    running.stop()


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client of `server`, for what no SDK sends."""
    async with aiohttp.ClientSession(server.url) as session:
        yield session


@pytest.fixture
def start_server() -> Iterator[Callable[[Settings], RunningServer]]:
    """Starts servers with settings of the test's own; they end with the test."""
    running: list[RunningServer] = []

    def start(settings: Settings) -> RunningServer:
        running.append(RunningServer(settings).start())
        return running[-1]

    yield start
    for one in running:
        one.stop()
