"""What a stored, streamed response costs its caller: `python -m bench.responses [--quick]`.

200 callers, who do not begin at the same instant, ask again and again for streams of paced events: first the upstream
itself, then localaik, which translates the streams and stores them on disk. Added latency is the time of a whole
stream through localaik, from the request's first byte to the answer's last, less the median of the upstream's own.
Every response must be complete and stored.
"""

import sqlite3
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from bench.load import Load, Outcome
from bench.processes import LoadGenerator, Localaik, MeasurementError, cores, start_upstream
from bench.report import Bar, Report, parse_arguments
from bench.wires import OPENAI, RESPONSES, Wire

__all__ = ["main"]

CALLERS: Final = 200
CHUNKS: Final = 20
TICK_MS: Final = 100.0
ADDED_P99_MS: Final = 25.0
_ROOM: Final = {"max_concurrent": 2 * CALLERS, "queue_size": 2 * CALLERS, "access_log": "off"}


def run(*, quick: bool) -> Report:
    """Start everything, measure, and report. Raises `MeasurementError`, also for a single event that was lost."""
    plan = cores()
    seconds = 6.0 if quick else 20.0
    report = Report("responses", quick)
    report.notes = [
        f"{CALLERS} callers, {seconds:g} s; {CHUNKS} chunks each, one per {TICK_MS:g} ms, kept in SQLite",
        plan.describe(),
    ]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        upstream = stack.enter_context(start_upstream(plan.others, chunks=CHUNKS, tick_ms=TICK_MS))
        load = stack.enter_context(LoadGenerator(plan.others))
        server = stack.enter_context(Localaik(plan.localaik, upstream=upstream, data_dir=folder, **_ROOM))
        direct = _ask(load, upstream.removesuffix("/v1"), OPENAI, seconds)
        before = server.cpu_seconds()
        through = _ask(load, server.url, RESPONSES, seconds)
        spent = (server.cpu_seconds() - before) / through.answers * 1000
        stored = _stored(Path(folder))
    report.notes.append(f"processor time of localaik for one stream: {spent:.2f} ms")
    for name, outcome in (("upstream", direct), ("localaik", through)):
        report.rows.append(
            {
                "through": name,
                "streams": outcome.answers,
                "p50 ms": outcome.p50_ms,
                "p99 ms": outcome.p99_ms,
                "added p99 ms": outcome.p99_ms - direct.p50_ms,
            }
        )
    report.check(Bar("added latency, p99", ADDED_P99_MS, "ms"), through.p99_ms - direct.p50_ms)
    complete = Bar(f"responses stored and complete, of {through.answers}", through.answers - 1, "responses", "above")
    report.check(complete, stored)
    return report


def _ask(load: LoadGenerator, url: str, wire: Wire, seconds: float) -> Outcome:
    stream_seconds = CHUNKS * TICK_MS / 1000
    return load.measure(
        Load(
            url + wire.stream_path,
            wire.stream_body,
            CALLERS,
            seconds=seconds,
            warmup_seconds=2 * stream_seconds,
            spread_seconds=stream_seconds,
            marker=wire.marker,
            markers=CHUNKS,
        )
    )


def _stored(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "state.sqlite3")) as database:
        found = database.execute("SELECT COUNT(*) FROM responses WHERE status = 'completed'").fetchone()
    return int(found[0])


def main() -> int:
    """Run and print; the exit status is 1 where something broke."""
    quick = parse_arguments(__doc__)
    try:
        print(run(quick=quick).text())
    except MeasurementError as error:
        print(f"bench.responses broke: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
