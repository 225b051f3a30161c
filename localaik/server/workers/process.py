"""One worker as its parent sees it: a process, and the line to it."""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from localaik.engine.launchers.base import StartError
from localaik.server.workers.channel import Channel, ChannelClosedError
from localaik.server.workers.messages import Ask, FromParent, FromWorker, Pulse, Serves, Setup, Stop, from_worker

__all__ = ["Worker"]

T = TypeVar("T")

_START_SECONDS: Final = 60.0
_PULSE_SECONDS: Final = 30.0
"""A worker that is silent for so long is ended: its event loop stands still."""
_END_SECONDS: Final = 10.0
"""For what workers do at their end, beyond the grace period of their requests."""
_log = logging.getLogger(__name__)


class Worker:
    """A worker process."""

    def __init__(self, index: int, hear: Callable[[FromWorker], None]) -> None:
        """`hear` is called with all that it says and that is no answer."""
        self._index = index
        self._hear = hear
        self._channel: Channel[FromWorker] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._serves = asyncio.Event()
        self.busy = 0
        """Requests on engines, when its pulse was felt last."""

    async def start(self, setup: Setup, sockets: Sequence[socket.socket]) -> None:
        """Start the process with the sockets that `setup` names, and return once it serves. Raises `StartError`."""
        ours, theirs = socket.socketpair()
        with theirs:
            descriptors = (theirs.fileno(), *(each.fileno() for each in sockets))
            # Without -P, modules of the folder that the server is started in would come first.
            argv = [sys.executable, "-P", "-m", "localaik.server.workers.child", str(theirs.fileno())]
            # In a session of its own: a Ctrl-C in the terminal reaches the parent alone, which tells the workers.
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=descriptors,
                    start_new_session=True,
                    env=_environ(),
                )
            except OSError as error:
                ours.close()
                raise StartError(f"A worker can't be started: {error.strerror}.") from None
            except BaseException:
                ours.close()
                raise
        self._channel = Channel(from_worker, self._on_message, _hung_up)
        await self._channel.connect(ours)
        self._channel.say(setup)
        waits = [asyncio.create_task(self._serves.wait()), asyncio.create_task(self._process.wait())]
        try:
            await asyncio.wait(waits, timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            if not self._serves.is_set():  # it has nothing to end in order
                self._kill()
        if not self._serves.is_set():
            raise StartError("A worker did not come up; the lines above tell why.")

    @property
    def pid(self) -> int:
        """Process id; 0 before the start."""
        return self._process.pid if self._process is not None else 0

    def say(self, message: FromParent) -> None:
        """Tell it; nothing happens where it is gone."""
        if self._channel is not None:
            self._channel.say(message)

    async def ask(self, question: Callable[[int], Ask], kind: type[T], *, otherwise: T) -> T:
        """Its answer to a question that is made from a number; `otherwise` where it is gone."""
        if self._channel is None:
            return otherwise
        try:
            return await self._channel.ask(question(self._channel.number()), kind)
        except ChannelClosedError:
            return otherwise

    async def feel_pulse(self) -> None:
        """Learn how busy it is; end it where it does not answer. One that starts has its own time."""
        if not self._serves.is_set():
            return
        try:
            async with asyncio.timeout(_PULSE_SECONDS):
                self.busy = await self.ask(Pulse, int, otherwise=0)
        except TimeoutError:
            _log.warning("worker %d has stopped answering and is killed", self._index)
            self._kill()

    async def ended(self) -> int:
        """The exit status, once it has ended."""
        return await self._process.wait() if self._process is not None else 1

    def hang_up(self) -> None:
        """Hear nothing more of it: what it has said last would be taken for words of its successor."""
        self._hear = _ignore
        if self._channel is not None:
            self._channel.close()

    async def stop(self, seconds: float) -> None:
        """Have it stop within `seconds` for its requests; it is gone on return."""
        self.say(Stop())
        try:
            async with asyncio.timeout(seconds + _END_SECONDS):
                await self.ended()
        except TimeoutError:
            _log.warning("worker %d did not end in time and is killed", self._index)
            self._kill()
            await self.ended()
        self.hang_up()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()

    def _on_message(self, message: FromWorker) -> None:
        if isinstance(message, Serves):
            self._serves.set()
        else:
            self._hear(message)


def _hung_up() -> None:
    """It has ended, or will at once: that is waited for."""


def _ignore(_message: FromWorker) -> None:
    """Nobody listens."""


def _environ() -> dict[str, str]:
    """The environment with the same modules, and without our settings, which the worker gets as they are in force."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("LOCALAIK_", "LK_"))}
    return {**own, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
