"""What a streamed answer costs: `python -m bench.stream [--quick]`.

Three ways that 500 events can come: as fast as they go at 32 connections, where one read brings many; to 500
connections at once, where none may be lost; and one event per read, as from a model that decodes 32 answers together,
where nothing can be batched and half of the cost is the kernel's. Processor time is that of localaik's process alone.
"""

import statistics
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from bench.load import Load, Outcome
from bench.processes import Cores, LoadGenerator, Localaik, MeasurementError, cores, start_upstream
from bench.report import Bar, Report, parse_arguments
from bench.wires import GEMINI, OPENAI, Wire

__all__ = ["Relayed", "main", "row"]

CHUNKS: Final = 500
CONNECTIONS: Final = 32
CROWD: Final = 500
TICK_MS: Final = 5.0
CHUNKS_PER_SECOND: Final = 300_000
MICROSECONDS_PER_CHUNK: Final = 3.0
_ROOM: Final = {"max_concurrent": 2 * CROWD, "queue_size": 2 * CROWD, "access_log": "off"}


@dataclass(frozen=True, slots=True)
class Relayed:
    """Streams through localaik, and the processor time that it spent on them."""

    outcome: Outcome
    chunks: int
    """Of each stream."""
    cpu_seconds: float

    @property
    def chunks_per_second(self) -> float:
        """Events with text that arrived per second."""
        return self.outcome.per_second * self.chunks

    @property
    def microseconds_per_chunk(self) -> float:
        """Processor time for one of them; what a stream costs at its start and end is part of it."""
        return self.cpu_seconds / (self.outcome.answers * self.chunks) * 1e6


def row(case: str, wire: Wire, connections: int, rounds: Sequence[Relayed]) -> Mapping[str, object]:
    """A line of the table: medians over the rounds."""
    return {
        "case": case,
        "protocol": wire.name,
        "connections": connections,
        "streams": sum(relayed.outcome.answers for relayed in rounds),
        "chunks/s": round(_median(rounds, "chunks_per_second")),
        "CPU us/chunk": _median(rounds, "microseconds_per_chunk"),
        "p50 ms": statistics.median(relayed.outcome.p50_ms for relayed in rounds),
        "p99 ms": statistics.median(relayed.outcome.p99_ms for relayed in rounds),
    }


def run(*, quick: bool) -> Report:
    """Start everything, measure, and report. Raises `MeasurementError`, also for a single event that was lost."""
    plan = cores()
    rounds, seconds = (1, 0.5) if quick else (5, 2.0)
    report = Report("stream", quick)
    report.notes = [
        f"streams of {CHUNKS} chunks, each counted; {rounds} rounds of {seconds:g} s per protocol, in turns; medians",
        f"burst: the upstream sends all at once; crowd: {CROWD} streams at once; lone: one chunk per {TICK_MS:g} ms",
        plan.describe(),
    ]
    _burst(report, plan, rounds, seconds)
    _lone(report, plan, 1 if quick else 2)
    return report


def _burst(report: Report, plan: Cores, rounds: int, seconds: float) -> None:
    with ExitStack() as stack:
        upstream = stack.enter_context(start_upstream(plan.others, chunks=CHUNKS))
        load = stack.enter_context(LoadGenerator(plan.others))
        server = stack.enter_context(Localaik(plan.localaik, upstream=upstream, **_ROOM))
        burst: dict[Wire, list[Relayed]] = {OPENAI: [], GEMINI: []}
        crowd: dict[Wire, list[Relayed]] = {OPENAI: [], GEMINI: []}
        for _ in range(rounds):
            for wire, relayed in burst.items():
                relayed.append(_relay(load, server, wire, CONNECTIONS, seconds))
        for wire, relayed in crowd.items():
            relayed.append(_relay(load, server, wire, CROWD, 0))
    for wire, relayed in burst.items():
        report.rows.append(row("burst", wire, CONNECTIONS, relayed))
        rate = Bar(f"burst {wire.name}", CHUNKS_PER_SECOND, "chunks/s", "above")
        report.check(rate, _median(relayed, "chunks_per_second"))
        cost = Bar(f"burst {wire.name}, CPU per chunk", MICROSECONDS_PER_CHUNK, "us")
        report.check(cost, _median(relayed, "microseconds_per_chunk"))
    for wire, relayed in crowd.items():
        report.rows.append(row("crowd", wire, CROWD, relayed))
        whole = Bar(f"crowd {wire.name}, complete streams of {CROWD}", CROWD - 1, "streams", "above")
        report.check(whole, relayed[0].outcome.answers)


def _lone(report: Report, plan: Cores, rounds: int) -> None:
    with ExitStack() as stack:
        upstream = stack.enter_context(start_upstream(plan.others, chunks=CHUNKS, tick_ms=TICK_MS))
        load = stack.enter_context(LoadGenerator(plan.others))
        server = stack.enter_context(Localaik(plan.localaik, upstream=upstream, **_ROOM))
        for wire in (OPENAI, GEMINI):
            relayed = [_relay(load, server, wire, CONNECTIONS, 0) for _ in range(rounds)]
            report.rows.append(row("lone", wire, CONNECTIONS, relayed))


def _relay(load: LoadGenerator, server: Localaik, wire: Wire, connections: int, seconds: float) -> Relayed:
    before = server.cpu_seconds()
    outcome = load.measure(
        Load(
            server.url + wire.stream_path,
            wire.stream_body,
            connections,
            seconds=seconds,
            warmup_seconds=seconds / 10,
            marker=wire.marker,
            markers=CHUNKS,
        )
    )
    return Relayed(outcome, CHUNKS, server.cpu_seconds() - before)


def _median(rounds: Sequence[Relayed], figure: str) -> float:
    return statistics.median(float(getattr(relayed, figure)) for relayed in rounds)


def main() -> int:
    """Run and print; the exit status is 1 where something broke."""
    quick = parse_arguments(__doc__)
    try:
        print(run(quick=quick).text())
    except MeasurementError as error:
        print(f"bench.stream broke: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
