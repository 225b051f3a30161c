"""Keeps one engine process alive: started at once, watched, restarted after a crash, given up after too many.

One task per supervisor owns the process; everybody else reads `state` and waits for it to change. What to do after a
death is decided in `restarts`, without a clock; starting, reading and killing are `process`'s.

    starting ──> ready ──> restarting ──> ready ...
        └───────────┴──────────┴──> failed            (the restarts are used up)
    any ──> stopping ──> stopped
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from localaik.engine.faults import given_up, still_loading, stopping
from localaik.engine.launchers.base import Command, EngineSpec, Launcher, StartError
from localaik.engine.liveness import ask_health
from localaik.engine.process import EngineProcess, describe_status, exit_status
from localaik.engine.restarts import RestartPolicy
from localaik.settings import Settings

__all__ = ["Clock", "EngineState", "Phase", "Supervisor"]

Phase = Literal["starting", "ready", "restarting", "stopping", "failed", "stopped"]

_FIRST_POLL_SECONDS: Final = 0.01
_LAST_POLL_SECONDS: Final = 0.25
_CHECK_SECONDS: Final = 5.0
_CHECKS_MISSED: Final = 3
_CHECKS_MISSED_IN_ALL: Final = 12  # at most 84 s, with the usual limit of a check
_DEATH_NOTICE_SECONDS: Final = 1.0
_KILL_NOTICE_SECONDS: Final = 5.0
_NOT_STARTED: Final = 127  # the shell's status for a program that can't be run
_LOADING: Final = "loading model"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Clock:
    """Where a supervisor takes its time from; tests bring their own."""

    monotonic: Callable[[], float] = time.monotonic
    unix: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class EngineState:
    """What is known of the engine now."""

    phase: Phase
    since: float
    """When this phase began, in Unix seconds."""
    detail: str = ""
    """For people: what it is doing, or why it is not."""
    restarts: int = 0
    """Restarts since the start of the server."""
    exit_status: int | None = None
    """How the last process ended (-N for signal N), or None while the first one runs."""
    pid: int | None = None
    """Process id, where a process runs."""


class Supervisor:
    """Runs the engine that `launcher` starts for `spec`. Construct it inside a running event loop."""

    def __init__(
        self,
        launcher: Launcher,
        spec: EngineSpec,
        *,
        settings: Settings,
        on_state: Callable[[EngineState], None] | None = None,
        is_idle: Callable[[], bool] = lambda: False,
        clock: Clock | None = None,
    ) -> None:
        """`on_state` is told of every change. `is_idle` tells whether no request runs: then a silent engine is soon
        taken for a dead one; a busy one may have no time to answer, and is given far longer.
        """
        self._launcher = launcher
        self._spec = spec
        self._health_seconds = settings.health_timeout_seconds
        self._policy = RestartPolicy(settings.engine_restarts)
        self._on_state = on_state
        self._is_idle = is_idle
        self._clock = clock or Clock()
        self._command: Command | None = None
        self._process: EngineProcess | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.state = EngineState("starting", self._clock.unix(), "not started yet")
        """Replaced, never changed."""
        self.address: str | None = None
        """`http://127.0.0.1:<port>` while the engine is ready, else None."""
        self.failed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """Done when the engine was given up, with the status that our process should end with (never 0)."""

    @property
    def name(self) -> str:
        """The launcher's name."""
        return self._launcher.name

    @property
    def log_tail(self) -> list[str]:
        """The last lines that the engine's last process wrote, safe to print."""
        return self._process.log.lines if self._process is not None else []

    async def start(self) -> None:
        """Start the process and return; the model loads meanwhile. Raises `StartError`."""
        self._command = self._launcher.command(self._spec)
        process = await EngineProcess.spawn(self._command)
        self._process = process
        self._enter("starting", _LOADING)
        self._task = asyncio.create_task(self._supervise(self._command, process))
        self._task.add_done_callback(self._on_task_end)

    async def wait_ready(self, timeout: float = 0) -> str:  # noqa: ASYNC109 - callers have a setting, not a scope
        """The address of the loaded engine, waited for at most `timeout` seconds (0: without limit).

        Raises `Unavailable` when the time is over or the server stops, `EngineUnreachable` when the engine was given
        up.
        """
        try:
            async with asyncio.timeout(timeout or None):
                while self.address is None:
                    self._raise_if_over()
                    await self._changed.wait()
        except TimeoutError:
            raise still_loading() from None
        return self.address

    async def report_death(self) -> None:
        """A client's connection was refused or reset: find out whether the engine is alive.

        On return the engine has answered, or is on its way to a restart, or did not answer in time, which proves
        nothing.
        """
        process, address = self._process, self.address
        if process is None or address is None or self._command is None:
            return
        try:
            await ask_health(address, self._command.health_path, self._health_seconds)
        except TimeoutError:
            return
        except OSError:
            # Nobody listens there. Usually the process has just ended, and our news of it is on its way.
            await self._wait_while(address, _DEATH_NOTICE_SECONDS)
            if self.address == address:
                process.kill()
                await self._wait_while(address, _KILL_NOTICE_SECONDS)

    async def stop(self) -> None:
        """End the engine: a request to end, SIGKILL 3 s later. Returns when it is gone, or can't be ended."""
        if self.state.phase == "stopped":
            return
        self._enter("stopping")
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._process is not None:
            await self._process.stop()
        self._enter("stopped")

    async def _supervise(self, command: Command, process: EngineProcess) -> None:
        """Live through one process after the other, until the policy has had enough."""
        while True:
            status = await self._live(command, process)
            was_ready = self.state.phase == "ready"
            delay = self._policy.after_death(self._clock.monotonic(), was_ready=was_ready)
            if delay is None:
                self._give_up(describe_status(status), status)
                return
            detail = f"{describe_status(status)}; it is started again in {delay:g} s"
            _log.warning("%s (%s)", detail, self.name)
            self._enter("restarting", detail, restarts=self.state.restarts + 1, exit_status=status)
            await self._clock.sleep(delay)
            try:
                process = await EngineProcess.spawn(command)
            except StartError as error:
                self._give_up(error.message, _NOT_STARTED)
                return
            self._process = process
            self._enter("restarting", _LOADING)

    async def _live(self, command: Command, process: EngineProcess) -> int:
        """Watch one process to its end; its exit status."""
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch(command, process))
            status = await process.wait()
            watching.cancel()
        return status

    async def _watch(self, command: Command, process: EngineProcess) -> None:
        """From the start to readiness, then check now and then. Ends when cancelled, or after a kill."""
        address = await process.address
        for pause in _poll_pauses():
            answer = await self._health(command, address)
            if answer == 200:
                break
            if answer is not None and answer != 503:
                self._enter(self.state.phase, f"{_LOADING} (health answers {answer})")
            await self._clock.sleep(pause)
        process.log.serving = True
        self._enter("ready", address=address)
        _log.info("the engine is ready (%s, process %d)", self.name, process.pid)
        missed = missed_idle = 0
        while missed_idle < _CHECKS_MISSED and missed < _CHECKS_MISSED_IN_ALL:
            await self._clock.sleep(_CHECK_SECONDS)
            is_idle = self._is_idle()
            answered = await self._health(command, address) is not None
            missed = 0 if answered else missed + 1
            missed_idle = 0 if answered or not is_idle else missed_idle + 1
        _log.warning("the engine has stopped answering and is killed (%s, process %d)", self.name, process.pid)
        process.kill()

    async def _health(self, command: Command, address: str) -> int | None:
        """The status of a health check, or None where there was no answer."""
        try:
            return await ask_health(address, command.health_path, self._health_seconds)
        except OSError:  # includes TimeoutError
            return None

    async def _wait_while(self, address: str, seconds: float) -> None:
        """Wait until the engine is no longer the ready one at `address`, or `seconds` have passed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.address == address:
                    await self._changed.wait()

    def _give_up(self, reason: str, status: int) -> None:
        detail = f"{reason}; {self.state.restarts} restarts did not help" if self.state.restarts else reason
        _log.error("%s (%s). Its last lines:\n%s", detail, self.name, "\n".join(self.log_tail) or "(none)")
        self._enter("failed", detail, exit_status=status)
        self.failed.set_result(exit_status(status))

    def _raise_if_over(self) -> None:
        if self.state.phase == "failed":
            raise given_up()
        if self.state.phase in {"stopping", "stopped"}:
            raise stopping()

    def _enter(
        self,
        phase: Phase,
        detail: str = "",
        *,
        address: str | None = None,
        restarts: int | None = None,
        exit_status: int | None = None,
    ) -> None:
        """Change the state and wake everybody who waits for that."""
        old = self.state
        process = self._process
        self.address = address
        self.state = EngineState(
            phase,
            old.since if phase == old.phase else self._clock.unix(),
            detail,
            old.restarts if restarts is None else restarts,
            old.exit_status if exit_status is None else exit_status,
            process.pid if process is not None and process.is_running else None,
        )
        if self.state == old:
            return
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if self._on_state is not None:
            self._on_state(self.state)

    def _on_task_end(self, task: asyncio.Task[None]) -> None:
        """A fault in this module must not leave a server that waits for its engine for ever."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.failed.done():
            self.failed.set_exception(error)


def _poll_pauses() -> Iterator[float]:
    """Seconds between health checks of a loading engine: short at first, since the small model loads in no time."""
    pause = _FIRST_POLL_SECONDS
    while True:
        yield pause
        pause = min(pause * 1.25, _LAST_POLL_SECONDS)
