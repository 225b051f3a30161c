"""One engine process: started, read from, and ended."""

import asyncio
import os
import re
import signal
import sys
from collections import deque
from contextlib import suppress
from typing import Final, Self, cast

from localaik.engine.launchers.base import Command, StartError

__all__ = ["EngineProcess", "OutputLog", "describe_status", "exit_status"]

_LOG_LINES: Final = 200
_MAX_LINE_BYTES: Final = 8_192
_STDOUT: Final = 1
_STDERR: Final = 2
_KILL_SECONDS: Final = 3.0
# llama-server loses a SIGTERM that comes between the installation of its handler and its main loop, and then waits for
# ever; the second one ends it whatever it does (tools/server/server.cpp).
_REQUESTS_TO_END: Final = 3
_OUTPUT_SECONDS: Final = 0.5
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_QUOTES_NOTHING: Final = re.compile(
    r"\d+\.\d\d\.\d{3}\.\d{3} [A-Z] (?!.*(?:exception|grammar|pars|template))"  # common/log.cpp
    r"|\S+\.(?:c|cc|cpp|cu|h|hpp|m|metal):\d+: "  # GGML_ASSERT
    r"|ggml|GGML|CUDA|ROCm|terminate called|libc\+\+abi|Fatal Python error|Segmentation fault"
)


class OutputLog:
    """The last lines of an engine's output, safe to print: control characters are escaped, long lines cut.

    Once requests come, engines quote them: a grammar that can't be parsed, the body of a refused call. From then on
    only lines are kept that are known to quote nothing: llama.cpp's log lines, but for those about parsing, and the
    last words of crashes.
    """

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_LOG_LINES)
        self.serving = False
        """Set when requests begin."""

    @property
    def lines(self) -> list[str]:
        """At most 200, oldest first."""
        return list(self._lines)

    def add(self, line: str) -> None:
        """One line without its end."""
        if self.serving and not _QUOTES_NOTHING.match(line):
            return
        self._lines.append(_CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), line))


class EngineProcess(asyncio.SubprocessProtocol):
    """A running engine. Make one with `spawn`.

    A protocol and not `asyncio.subprocess.Process`, whose `wait()` goes on for as long as anybody holds a pipe open: a
    process that the engine leaves behind would hide its death.
    """

    def __init__(self, address: re.Pattern[str]) -> None:
        loop = asyncio.get_running_loop()
        self.log = OutputLog()
        self.address: asyncio.Future[str] = loop.create_future()
        """Done when the process has told where it listens; cancelled when it ends before that."""
        self._pattern = address
        self._transport: asyncio.SubprocessTransport | None = None
        self._ended: asyncio.Future[int] = loop.create_future()
        self._unfinished = {_STDOUT: b"", _STDERR: b""}
        """The last line, not complete yet, of each stream that is open."""

    @classmethod
    async def spawn(cls, command: Command) -> Self:
        """Start `command` in a session of its own, so that a Ctrl-C in the terminal reaches us alone.

        Raises `StartError` where the system refuses.
        """
        try:
            _, process = await asyncio.get_running_loop().subprocess_exec(
                lambda: cls(command.address), *command.argv, env=dict(command.env), start_new_session=True
            )
        except OSError as error:
            raise StartError(f"The engine can't be started: {command.argv[0]}: {error.strerror}.") from None
        return process

    @property
    def pid(self) -> int:
        """Process id."""
        return self._running().get_pid()

    @property
    def is_running(self) -> bool:
        """False once its end is known."""
        return not self._ended.done()

    async def wait(self) -> int:
        """The exit status, -N for signal N, once the process has ended and its output was read."""
        return await asyncio.shield(self._ended)

    def kill(self) -> None:
        """End the process at once, with whatever it started."""
        if not self.is_running:
            return
        with suppress(ProcessLookupError, PermissionError):  # macOS answers the latter for a zombie
            if sys.platform == "win32":
                self._running().kill()
            else:
                os.killpg(self.pid, signal.SIGKILL)

    async def stop(self, patience_seconds: float = _KILL_SECONDS) -> None:
        """Ask the process to end; kill it when it has not within `patience_seconds`. Returns within twice that time."""
        for _ in range(_REQUESTS_TO_END):
            with suppress(ProcessLookupError):
                self._running().terminate()
            if await self._ends_within(patience_seconds / _REQUESTS_TO_END):
                return
        self.kill()
        await self._ends_within(patience_seconds)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The process runs."""
        self._transport = cast("asyncio.SubprocessTransport", transport)  # uvloop's is no subclass

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Output of any size."""
        *lines, rest = (self._unfinished[fd] + data).split(b"\n")
        if len(rest) > _MAX_LINE_BYTES:
            lines, rest = [*lines, rest], b""
        self._unfinished[fd] = rest
        for line in lines:
            self._take_line(line)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """A stream has ended."""
        rest = self._unfinished.pop(fd, b"")
        if rest:
            self._take_line(rest)
        if not self._unfinished and self._running().get_returncode() is not None:
            self._end()

    def process_exited(self) -> None:
        """The process is gone; the rest of its output usually follows at once, but may never end."""
        if self._unfinished:
            asyncio.get_running_loop().call_later(_OUTPUT_SECONDS, self._end)
        else:
            self._end()

    def _end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(self._running().get_returncode() or 0)
            self.address.cancel()
            self._running().close()

    def _running(self) -> asyncio.SubprocessTransport:
        if self._transport is None:
            raise RuntimeError("the process was not started with spawn()")
        return self._transport

    async def _ends_within(self, seconds: float) -> bool:
        done, _ = await asyncio.wait([self._ended], timeout=seconds)
        return bool(done)

    def _take_line(self, line: bytes) -> None:
        text = line[:_MAX_LINE_BYTES].rstrip(b"\r").decode("utf-8", "replace")
        match = None if self.address.done() else self._pattern.fullmatch(text)
        if match is None:
            self.log.add(text)
        else:
            self.address.set_result(match[1])


def exit_status(status: int) -> int:
    """The status with which we end because the engine ended with `status`: its own, 128 + N for signal N, never 0."""
    return (128 - status if status < 0 else status) or 1


def describe_status(status: int) -> str:
    """`status` in words."""
    if status >= 0:
        return f"the engine ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    if name == "SIGILL":
        return "the engine was ended by SIGILL: its build needs instructions that this CPU does not have"
    return f"the engine was ended by {name}"
