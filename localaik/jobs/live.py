"""Work that goes on whether anybody watches it or not, and what it told so far."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple

__all__ = ["Directory", "Frame", "LiveRuns", "Run"]

_KEEP_SECONDS: Final = 3600
_KEPT_RUNS: Final = 256
_log = logging.getLogger(__name__)


class Frame(NamedTuple):
    """One event of a run."""

    name: str
    """Its type, such as `response.created`."""
    data: bytes
    """The whole event as JSON on one line."""


class Run:
    """One piece of work, as a list of events that grows until it has ended."""

    def __init__(self, batches: AsyncGenerator[Sequence[Frame], None]) -> None:
        """Made by `LiveRuns.start`."""
        self._frames: list[Frame] = []
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._collect(batches))
        self.when_ended(self._tell)  # watchers look at `ended`, which is true by then

    @property
    def ended(self) -> bool:
        """Nothing comes any more."""
        return self._task.done()

    async def watch(self, start: int = 0) -> AsyncGenerator[list[Frame], None]:
        """All events from number `start` on, those of the past in one batch. Who stops watching ends nothing."""
        while True:
            news, ended = self._news, self.ended
            if len(self._frames) > start:
                batch = self._frames[start:]
                start += len(batch)
                yield batch
            elif ended:
                return
            else:
                await news.wait()

    async def cancel(self) -> None:
        """Stop the work, and return when it has stopped. Whoever asks second waits for the same end."""
        if not self._task.cancelling():
            self._task.cancel()
        await asyncio.wait([self._task])

    def when_ended(self, act: Callable[[], None]) -> None:
        """Call `act` after the end, however it comes."""
        self._task.add_done_callback(lambda _task: act())

    async def _collect(self, batches: AsyncGenerator[Sequence[Frame], None]) -> None:
        try:
            async with aclosing(batches):
                async for batch in batches:
                    self._frames += batch
                    self._tell()
        except Exception:  # noqa: BLE001 - a defect of ours; nobody waits for this task
            _log.exception("work in the background failed")

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


class Directory:
    """Where else there are runs. This one knows of no other place: a server is one process."""

    def came(self, run_id: str) -> None:
        """Something that is not finished, or not forgotten, is here now."""

    def went(self, run_id: str) -> None:
        """It is no longer."""

    async def settle(self) -> None:
        """Return when all know what came and went."""

    async def find(self, _run_id: str) -> str | None:
        """The address of the neighbour who has it; None where it is here or nowhere."""
        return None


class LiveRuns:
    """The runs of a server by their ids, and for a while those that have ended."""

    def __init__(self, directory: Directory | None = None) -> None:
        self._directory = directory or Directory()
        self._runs: dict[str, Run] = {}
        self._shown: dict[str, Callable[[], dict[str, object]]] = {}
        self.ending = asyncio.Event()
        """The server is going to stop: connections that wait for requests should end."""
        self.closed = False
        """The server stops: what is cancelled now is so for no wish of its caller."""

    def start(self, run_id: str, batches: AsyncGenerator[Sequence[Frame], None]) -> Run:
        """Begin, and keep what is told for an hour after the end."""
        run = self._runs[run_id] = Run(batches)
        self._came(run_id)
        run.when_ended(lambda: self._forget_later(run_id))
        return run

    def get(self, run_id: str) -> Run | None:
        """A run that goes on, or ended not long ago."""
        return self._runs.get(run_id)

    def forget(self, run_id: str) -> None:
        """Drop what a run has told."""
        if self._runs.pop(run_id, None) is not None:
            self._went(run_id)

    async def elsewhere(self, run_id: str) -> str | None:
        """The address of the neighbour who has a run, or something that is not finished; None where it is not so."""
        if run_id in self._runs or run_id in self._shown:
            return None
        return await self._directory.find(run_id)

    async def settle(self) -> None:
        """Return when what is shown can be found by all."""
        await self._directory.settle()

    def show(self, run_id: str, state: Callable[[], dict[str, object]]) -> None:
        """Let others see, by its id, how something stands that is not finished."""
        self._shown[run_id] = state
        self._came(run_id)

    def shown(self, run_id: str) -> dict[str, object] | None:
        """How it stands now; None for what is not shown."""
        state = self._shown.get(run_id)
        return None if state is None else state()

    def hide(self, run_id: str) -> None:
        """It is finished, and kept elsewhere or not at all."""
        if self._shown.pop(run_id, None) is not None:
            self._went(run_id)

    async def close(self) -> None:
        """Stop everything and return when it has stopped."""
        self.closed = True
        for run in list(self._runs.values()):
            await run.cancel()
        self._runs.clear()

    def _came(self, run_id: str) -> None:
        if (run_id in self._runs) != (run_id in self._shown):  # not both: it is known already
            self._directory.came(run_id)

    def _went(self, run_id: str) -> None:
        if run_id not in self._runs and run_id not in self._shown:
            self._directory.went(run_id)

    def _forget_later(self, run_id: str) -> None:
        ended = [each for each, run in self._runs.items() if run.ended]
        for each in ended[: max(0, len(ended) - _KEPT_RUNS)]:
            self.forget(each)
        asyncio.get_running_loop().call_later(_KEEP_SECONDS, self.forget, run_id)
