"""What more worker processes bring: `python -m bench.workers [--quick]`.

The same scripted upstream and the same load, through a server of one process and through one of two, in turns. Load
generator and upstream take their part of the machine's cores, the more the faster the server is; so the requests for
each second of the servers' own processor time are told beside those for each second on the clock.
"""

import os
import statistics
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from bench.load import Load, Outcome
from bench.processes import LoadGenerator, Localaik, MeasurementError, start_upstream
from bench.report import Bar, Report, parse_arguments
from bench.wires import OPENAI, Wire

__all__ = ["Series", "main", "rows"]

WORKERS: Final = (1, 2)
CONNECTIONS: Final = 64
GAIN: Final = 1.6
_WHOLE_CHUNKS: Final = 3
_STREAM_CHUNKS: Final = 200
_UNPINNED: Final[frozenset[int]] = frozenset()
_ROOM: Final = {"max_concurrent": 2 * CONNECTIONS, "queue_size": 2 * CONNECTIONS, "access_log": "off"}


@dataclass(slots=True)
class Series:
    """One kind of request to a server with so many workers, over all rounds."""

    kind: str
    workers: int
    outcomes: list[Outcome] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    """What the server's processes spent in each round, warm-up included."""
    megabytes: float = 0.0

    def per_second(self) -> float:
        """Requests for each second on the clock, the median over the rounds."""
        return statistics.median(outcome.per_second for outcome in self.outcomes)

    def per_cpu_second(self) -> float:
        """Requests for each second of the servers' processor time."""
        return sum(outcome.answers for outcome in self.outcomes) / max(sum(self.cpu_seconds), 1e-9)


def rows(series: list[Series]) -> list[dict[str, object]]:
    """A table's rows; gains are over one worker of the same kind."""
    alone = {one.kind: one for one in series if one.workers == 1}
    return [
        {
            "kind": one.kind,
            "workers": one.workers,
            "req/s": round(one.per_second()),
            "gain": one.per_second() / alone[one.kind].per_second(),
            "req/CPU s": round(one.per_cpu_second()),
            "p50 ms": statistics.median(outcome.p50_ms for outcome in one.outcomes),
            "p99 ms": statistics.median(outcome.p99_ms for outcome in one.outcomes),
            "RSS MB": one.megabytes,
        }
        for one in series
    ]


def run(*, quick: bool) -> Report:
    """Start everything, measure, and report. Raises `MeasurementError`, also for a single wrong answer."""
    rounds, seconds = (1, 1.0) if quick else (5, 3.0)
    report = Report("workers", quick)
    report.notes = [
        f"{CONNECTIONS} connections; {rounds} rounds of {seconds:g} s each, in turns; medians over the rounds",
        f"no process is pinned: servers, upstream and load generator share {os.cpu_count()} cores",
    ]
    series = [
        *_measure("whole answer", _WHOLE_CHUNKS, rounds, seconds),
        *_measure(f"stream of {_STREAM_CHUNKS}", _STREAM_CHUNKS, rounds, seconds),
    ]
    report.rows = list(rows(series))
    for one, row in zip(series, report.rows, strict=True):
        if one.workers > 1:
            bar = Bar(f"gain, {one.kind}, {one.workers} workers", GAIN, "times", "above")
            report.check(bar, float(str(row["gain"])))
    return report


def _measure(kind: str, chunks: int, rounds: int, seconds: float) -> list[Series]:
    series = [Series(kind, workers) for workers in WORKERS]
    with ExitStack() as stack:
        upstream = stack.enter_context(start_upstream(_UNPINNED, chunks=chunks))
        load = stack.enter_context(LoadGenerator(_UNPINNED))
        servers = [
            stack.enter_context(Localaik(_UNPINNED, upstream=upstream, workers=one.workers, **_ROOM)) for one in series
        ]
        for _ in range(rounds):
            for one, server in zip(series, servers, strict=True):
                before = server.family_cpu_seconds()
                one.outcomes.append(load.measure(_load(server.url, OPENAI, chunks, seconds)))
                one.cpu_seconds.append(server.family_cpu_seconds() - before)
        for one, server in zip(series, servers, strict=True):
            one.megabytes = server.family_megabytes()[0]
    return series


def _load(url: str, wire: Wire, chunks: int, seconds: float) -> Load:
    if chunks == _WHOLE_CHUNKS:
        return Load(url + wire.path, wire.body, CONNECTIONS, seconds=seconds, warmup_seconds=seconds / 5)
    return Load(
        url + wire.stream_path,
        wire.stream_body,
        CONNECTIONS,
        seconds=seconds,
        warmup_seconds=seconds / 5,
        marker=wire.marker,
        markers=chunks,
    )


def main() -> int:
    """Run and print; the exit status is 1 where something broke."""
    quick = parse_arguments(__doc__)
    try:
        print(run(quick=quick).text())
    except MeasurementError as error:
        print(f"bench.workers broke: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
