"""How soon the server answers and how much memory it takes: `python -m bench.start [--quick]`.

With the embedded model: from the start of the process to the first 200 of `/health`. Import time is that of the
server's module beyond a bare interpreter's start. Memory is the server's own; its engine is another process.
"""

import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Final

from bench.processes import Localaik, MeasurementError, environment
from bench.report import Bar, Report, parse_arguments
from bench.wires import GEMINI, OPENAI

__all__ = ["main"]

READY_SECONDS: Final = 1.5
IMPORT_SECONDS: Final = 0.5
MEGABYTES: Final = 90.0
_MODULE: Final = "localaik.server.main"
_PATIENCE_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.005


def run(*, quick: bool) -> Report:
    """Start servers one after the other, and report. Raises `MeasurementError`."""
    rounds = 2 if quick else 9
    report = Report("start", quick)
    report.notes = [f"embedded model; medians of {rounds} starts; files in the page cache; no process is pinned"]
    ready: list[float] = []
    listening: list[float] = []
    idle: list[tuple[float, float]] = []
    used: list[tuple[float, float]] = []
    for _ in range(rounds):
        began = time.perf_counter()
        with Localaik(access_log="off") as server:
            listening.append(time.perf_counter() - began)
            _wait_healthy(server.url)
            ready.append(time.perf_counter() - began)
            idle.append(server.megabytes())
            for wire in (OPENAI, GEMINI):
                _post(server.url + wire.path, wire.body)
            used.append(server.megabytes())
    imports = _import_seconds(rounds)
    _rows(report, "port is open", "s", listening)
    _rows(report, "/health is 200", "s", ready)
    _rows(report, f"import {_MODULE}", "s", imports)
    for when, memory in (("idle", idle), ("after one request of each protocol", used)):
        _rows(report, f"resident memory, {when}", "MB", [resident for resident, _ in memory])
        _rows(report, f"unshared memory, {when}", "MB", [unshared for _, unshared in memory])
    report.check(Bar("/health is 200", READY_SECONDS, "s"), statistics.median(ready))
    report.check(Bar(f"import {_MODULE}", IMPORT_SECONDS, "s"), statistics.median(imports))
    report.check(Bar("resident memory, idle", MEGABYTES, "MB"), statistics.median(resident for resident, _ in idle))
    return report


def _rows(report: Report, figure: str, unit: str, values: list[float]) -> None:
    report.rows.append(
        {
            "figure": figure,
            "unit": unit,
            "median": statistics.median(values),
            "least": min(values),
            "most": max(values),
        }
    )


def _wait_healthy(url: str) -> None:
    deadline = time.perf_counter() + _PATIENCE_SECONDS
    while _status(url + "/health") != 200:
        if time.perf_counter() > deadline:
            raise MeasurementError(f"/health was not 200 within {_PATIENCE_SECONDS} s")
        time.sleep(_POLL_SECONDS)


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def _post(url: str, body: str) -> None:
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as response:
            response.read()
    except OSError as error:
        raise MeasurementError(f"{url}: {error}") from error


def _import_seconds(rounds: int) -> list[float]:
    """What importing the server adds to a bare interpreter, in turns."""
    _python(f"import {_MODULE}")  # writes the byte code, where it is missing
    return [_python(f"import {_MODULE}") - _python("pass") for _ in range(rounds)]


def _python(statement: str) -> float:
    """Seconds that an interpreter takes to run `statement` and end."""
    began = time.perf_counter()
    finished = subprocess.run([sys.executable, "-c", statement], env=environment({}), capture_output=True, check=False)
    if finished.returncode:
        raise MeasurementError(f"`{statement}` failed: {finished.stderr.decode(errors='replace')[-2000:]}")
    return time.perf_counter() - began


def main() -> int:
    """Run and print; the exit status is 1 where something broke."""
    quick = parse_arguments(__doc__)
    try:
        print(run(quick=quick).text())
    except MeasurementError as error:
        print(f"bench.start broke: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
