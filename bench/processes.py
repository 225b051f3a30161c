"""The processes of a measurement: localaik, a scripted upstream and a load generator, each pinned to its cores."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
import psutil

from bench.load import Load, Outcome

__all__ = [
    "Cores",
    "LoadGenerator",
    "Localaik",
    "MeasurementError",
    "cores",
    "environment",
    "plan_cores",
    "start_upstream",
]

COMMAND: Final = (sys.executable, "-m", "localaik", "serve")
_BANNER_URL: Final = re.compile(r"http://127\.0\.0\.1:\d+")
_FOREIGN: Final = re.compile(r"LOCALAIK_|LK_|PORT$|LLAMA_SERVER_BIN$")
_STOP_SECONDS: Final = 15
_HANG_SECONDS: Final = 60

T = TypeVar("T")


class MeasurementError(Exception):
    """A measurement could not be made, or its answers were wrong."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where. Empty sets pin nobody."""

    localaik: frozenset[int]
    others: frozenset[int]
    """Load generator and upstream."""

    def describe(self) -> str:
        """One line for the report."""
        if not self.localaik:
            return "no process is pinned: localaik, upstream and load generator share the cores"
        return f"localaik alone on core {_list(self.localaik)}; upstream and load generator on {_list(self.others)}"


def plan_cores(available: Sequence[int]) -> Cores:
    """The last core for localaik, two more at most for the others. Where there is one core only, nobody is pinned."""
    if len(available) < 2:
        return Cores(frozenset(), frozenset())
    ordered = sorted(available)
    return Cores(frozenset(ordered[-1:]), frozenset(ordered[:-1][:2]))


def cores() -> Cores:
    """The plan for the cores that this process may use."""
    if not hasattr(os, "sched_getaffinity"):  # macOS, Windows
        return plan_cores([])
    return plan_cores(sorted(os.sched_getaffinity(0)))


def environment(settings: Mapping[str, object]) -> dict[str, str]:
    """This process's environment with these settings of localaik (field name -> value) and no others."""
    kept = {name: value for name, value in os.environ.items() if not _FOREIGN.match(name)}
    return kept | {f"LOCALAIK_{name.upper()}": str(value) for name, value in settings.items()}


class Localaik:
    """A server in a process of its own, as a person starts it; a context manager."""

    def __init__(self, pinned: frozenset[int] = frozenset(), **settings: object) -> None:
        """Starts at once. `settings` are names and values of localaik's settings. Raises `MeasurementError`."""
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            COMMAND,
            env=environment({"port": 0, "host": "127.0.0.1", **settings}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.status = psutil.Process(self._process.pid)
        _pin(self._process.pid, pinned)
        self.url = self._read_url()
        """`http://127.0.0.1:PORT`"""

    def __enter__(self) -> "Localaik":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def cpu_seconds(self) -> float:
        """Processor time of the server so far, user and system, without its engine's."""
        times = self.status.cpu_times()
        return float(times.user + times.system)

    def megabytes(self) -> tuple[float, float]:
        """Resident and unshared memory of the server, without its engine's, in units of 10^6 bytes."""
        memory = self.status.memory_full_info()
        return memory.rss / 1e6, memory.uss / 1e6

    def family(self) -> list[psutil.Process]:
        """The server's process and all that it has started, workers and tools alike."""
        return [self.status, *self.status.children(recursive=True)]

    def family_cpu_seconds(self) -> float:
        """Processor time of those that live, user and system."""
        return sum(times.user + times.system for times in _ask_all(self.family(), psutil.Process.cpu_times))

    def family_megabytes(self) -> tuple[float, float]:
        """Resident and unshared memory of those that live, in units of 10^6 bytes.

        What processes share is counted once for each of them in the first figure, and not at all in the second.
        """
        found = _ask_all(self.family(), psutil.Process.memory_full_info)
        return sum(memory.rss for memory in found) / 1e6, sum(memory.uss for memory in found) / 1e6

    def _read_url(self) -> str:
        guard = threading.Timer(_HANG_SECONDS, self._process.kill)
        guard.start()
        try:
            for line in self._process.stdout or ():
                found = _BANNER_URL.search(line)
                if found:
                    return found[0]
        finally:
            guard.cancel()
        self._process.wait()
        self._log.seek(0)
        raise MeasurementError(f"localaik ended with status {self._process.returncode}: {self._log.read()[-2000:]}")


def _ask_all(processes: Sequence[psutil.Process], question: Callable[[psutil.Process], T]) -> list[T]:
    """The answers of all that live on."""
    answers = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            answers.append(question(process))
    return answers


@contextmanager
def start_upstream(pinned: frozenset[int], *, chunks: int, tick_ms: float = 0) -> Iterator[str]:
    """A scripted upstream (`bench.upstream`); gives its base URL, which ends in `/v1`."""
    command = [sys.executable, "-m", "bench.upstream", "--chunks", str(chunks), "--tick-ms", str(tick_ms)]
    with _child(command, pinned) as process:
        yield f"http://127.0.0.1:{int(_line(process))}/v1"


class LoadGenerator:
    """A load generator (`bench.load`); a context manager."""

    def __init__(self, pinned: frozenset[int]) -> None:
        self._child = _child([sys.executable, "-m", "bench.load"], pinned)

    def __enter__(self) -> "LoadGenerator":
        self._process = self._child.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._child.__exit__(None, None, None)

    def measure(self, load: Load) -> Outcome:
        """Apply the load and wait for its end. Raises `MeasurementError` where an answer was wrong."""
        if self._process.stdin is None:
            raise MeasurementError("the load generator has no input")
        self._process.stdin.write(msgspec.json.encode(load).decode() + "\n")
        self._process.stdin.flush()
        patience = load.warmup_seconds + load.seconds + _HANG_SECONDS
        outcome = msgspec.json.decode(_line(self._process, patience), type=Outcome)
        if outcome.faulty or not outcome.requests:
            raise MeasurementError(f"{outcome.faulty} wrong answers from {load.url}: {json.dumps(outcome.faults)}")
        return outcome


@contextmanager
def _child(command: Sequence[str], pinned: frozenset[int]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        _pin(process.pid, pinned)
        yield process
    finally:
        process.kill()
        process.communicate()


def _line(process: subprocess.Popen[str], patience: float = _HANG_SECONDS) -> str:
    """The next line of its output. Raises `MeasurementError` after that many seconds, and where there is none."""
    if process.stdout is None or not select.select([process.stdout], [], [], patience)[0]:
        raise MeasurementError(f"{process.args!r} said nothing for {patience:g} s")
    line = process.stdout.readline()
    if not line:
        raise MeasurementError(f"{process.args!r} ended without an answer")
    return line


def _pin(pid: int, pinned: frozenset[int]) -> None:
    if pinned:
        os.sched_setaffinity(pid, pinned)


def _list(numbers: frozenset[int]) -> str:
    return " and ".join(map(str, sorted(numbers)))
