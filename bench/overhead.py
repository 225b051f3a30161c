"""What localaik adds to a small, whole chat answer: `python -m bench.overhead [--quick]`.

The same scripted upstream is called directly and through localaik, in turns, so that whatever else the machine does
hits all alike. "Added" is the difference to the direct call of the same round; its median over the rounds is shown.
"""

import statistics
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from bench.load import Load, Outcome
from bench.processes import Cores, LoadGenerator, Localaik, MeasurementError, cores, start_upstream
from bench.report import Bar, Report, added, parse_arguments
from bench.wires import GEMINI, OPENAI, Wire

__all__ = ["Series", "main", "rows"]

CONNECTIONS: Final = (1, 32)
ADDED_P50: Final = 0.5
PER_SECOND: Final = 4000
_DIRECT: Final = "direct"
_ANSWER_CHUNKS: Final = 3


@dataclass(slots=True)
class Series:
    """One target at one concurrency, over all rounds."""

    target: str
    log: str
    connections: int
    outcomes: list[Outcome] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    """What localaik's process spent in each round, warm-up included."""

    def median(self, figure: str) -> float:
        """The median over the rounds of a field of `Outcome`."""
        return statistics.median(self.all(figure))

    def cpu_microseconds(self) -> float:
        """Processor time of localaik for one request; 0 for the direct call."""
        answers = sum(outcome.answers for outcome in self.outcomes)
        return sum(self.cpu_seconds) / answers * 1e6 if answers else 0.0

    def all(self, figure: str) -> list[float]:
        """A field of `Outcome` in each round."""
        return [float(getattr(outcome, figure)) for outcome in self.outcomes]


def rows(series: list[Series]) -> Iterator[Mapping[str, object]]:
    """A table's rows; the direct call of each concurrency comes first in `series`."""
    direct = {one.connections: one for one in series if one.target == _DIRECT}
    for one in series:
        base = direct[one.connections]
        yield {
            "target": one.target,
            "access log": one.log,
            "connections": one.connections,
            "req/s": round(one.median("per_second")),
            "of direct": one.median("per_second") / base.median("per_second"),
            "p50 ms": one.median("p50_ms"),
            "p99 ms": one.median("p99_ms"),
            "added p50 ms": added(one.all("p50_ms"), base.all("p50_ms")),
            "added p99 ms": added(one.all("p99_ms"), base.all("p99_ms")),
            "CPU us/req": one.cpu_microseconds(),
        }


def run(*, quick: bool) -> Report:
    """Start everything, measure, and report. Raises `MeasurementError`."""
    plan = cores()
    rounds, seconds = (1, 0.3) if quick else (7, 1.0)
    report = Report("overhead", quick)
    report.notes = [
        f"small non-streamed chat; {rounds} rounds of {seconds:g} s per target, in turns; medians over the rounds",
        plan.describe(),
    ]
    series = _measure(plan, rounds, seconds)
    report.rows = list(rows(series))
    for one, row in zip(series, report.rows, strict=True):
        _hold_against_bars(report, one, row)
    return report


def _measure(plan: Cores, rounds: int, seconds: float) -> list[Series]:
    with ExitStack() as stack:
        upstream = stack.enter_context(start_upstream(plan.others, chunks=_ANSWER_CHUNKS))
        load = stack.enter_context(LoadGenerator(plan.others))
        servers = {
            log: stack.enter_context(Localaik(plan.localaik, upstream=upstream, access_log=log))
            for log in ("off", "on")
        }
        targets: list[tuple[Series, Load, Localaik | None]] = []
        for connections in CONNECTIONS:
            direct = upstream.removesuffix("/v1")
            targets.append((Series(_DIRECT, "-", connections), _load(direct, OPENAI, connections, seconds), None))
            for log, server in servers.items():
                for wire in (OPENAI, GEMINI):
                    series = Series(f"localaik {wire.name}", log, connections)
                    targets.append((series, _load(server.url, wire, connections, seconds), server))
        for _ in range(rounds):
            for one, request, asked in targets:
                before = asked.cpu_seconds() if asked else 0.0
                one.outcomes.append(load.measure(request))
                one.cpu_seconds.append(asked.cpu_seconds() - before if asked else 0.0)
    return [series for series, _, _ in targets]


def _load(url: str, wire: Wire, connections: int, seconds: float) -> Load:
    return Load(url + wire.path, wire.body, connections, seconds=seconds, warmup_seconds=seconds / 5)


def _hold_against_bars(report: Report, series: Series, row: Mapping[str, object]) -> None:
    if series.target == _DIRECT:
        return
    name = f"{series.target}, log {series.log}"
    if series.connections == 1:
        report.check(Bar(f"added p50, {name}, 1 connection", ADDED_P50, "ms"), float(str(row["added p50 ms"])))
    else:
        bar = Bar(f"requests, {name}, {series.connections} connections", PER_SECOND, "req/s", "above")
        report.check(bar, series.median("per_second"))


def main() -> int:
    """Run and print; the exit status is 1 where something broke."""
    quick = parse_arguments(__doc__)
    try:
        print(run(quick=quick).text())
    except MeasurementError as error:
        print(f"bench.overhead broke: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
