"""What many callers cost who do little: `python -m bench.connections [--quick]`.

1,000 connections have had one answer each and are kept open without a word; meanwhile 200 callers read streams of
paced events, all at once. Then each of the 1,000 asks once more. Every answer must come, and be complete.
"""

import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final
from urllib.parse import urlsplit

from bench.load import Load, Outcome
from bench.processes import LoadGenerator, Localaik, MeasurementError, start_upstream
from bench.report import Bar, Report, parse_arguments
from bench.wires import OPENAI

__all__ = ["allow_many_files", "main"]

IDLE: Final = 1000
STREAMS: Final = 200
CHUNKS: Final = 20
TICK_MS: Final = 100.0
MEGABYTES: Final = 250.0
WORKERS: Final = (1, 2)
_ANSWER_SECONDS: Final = 30
_UNPINNED: Final[frozenset[int]] = frozenset()
_ROOM: Final[dict[str, Any]] = {
    "max_concurrent": 2 * STREAMS,
    "queue_size": 2 * STREAMS,
    "access_log": "off",
    "keepalive_seconds": 600,
}


def run(*, quick: bool) -> Report:
    """Start everything, measure, and report. Raises `MeasurementError`, also for a single answer that was lost."""
    seconds = 6.0 if quick else 20.0
    report = Report("connections", quick)
    report.notes = [
        f"{IDLE} idle connections, and {STREAMS} streams of {CHUNKS} chunks, one per {TICK_MS:g} ms, for {seconds:g} s",
        "no process is pinned",
    ]
    with ExitStack() as stack:
        upstream = stack.enter_context(start_upstream(_UNPINNED, chunks=CHUNKS, tick_ms=TICK_MS))
        load = stack.enter_context(LoadGenerator(_UNPINNED))
        for workers in WORKERS:
            with Localaik(_UNPINNED, upstream=upstream, workers=workers, **_ROOM) as server:
                report.rows.append(_measure(server, load, workers, seconds))
    for row in report.rows:
        figure = f"resident memory, {row['workers']} worker{'s' if row['workers'] != 1 else ''}"
        report.check(Bar(figure, MEGABYTES, "MB"), float(str(row["RSS MB"])))
    return report


def _measure(server: Localaik, load: LoadGenerator, workers: int, seconds: float) -> dict[str, object]:
    at_rest, _ = server.family_megabytes()
    with _idle(server.url, IDLE) as sockets:
        holding, _ = server.family_megabytes()
        outcome = _streams(load, server.url, seconds)
        rss, uss = server.family_megabytes()
        _ask_each(sockets, server.url)
    return {
        "workers": workers,
        "streams": outcome.answers,
        "p50 ms": outcome.p50_ms,
        "p99 ms": outcome.p99_ms,
        "RSS MB at rest": at_rest,
        "with idle": holding,
        "RSS MB": rss,
        "unshared MB": uss,
        "KB/idle": (holding - at_rest) * 1000 / IDLE,
    }


def _streams(load: LoadGenerator, url: str, seconds: float) -> Outcome:
    one = CHUNKS * TICK_MS / 1000
    return load.measure(
        Load(
            url + OPENAI.stream_path,
            OPENAI.stream_body,
            STREAMS,
            seconds=seconds,
            warmup_seconds=2 * one,
            spread_seconds=one,
            marker=OPENAI.marker,
            markers=CHUNKS,
        )
    )


@contextmanager
def _idle(url: str, count: int) -> Iterator[Sequence[socket.socket]]:
    """So many connections, each of which has had an answer."""
    parts = urlsplit(url)
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_connection((parts.hostname or "", parts.port or 80), _ANSWER_SECONDS))
            for _ in range(count)
        ]
        _ask_each(sockets, url)
        yield sockets


def _ask_each(sockets: Sequence[socket.socket], url: str) -> None:
    """Let each ask for the server's health. Raises `MeasurementError` where one gets no good answer."""
    request = f"GET /health/live HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n\r\n".encode()
    lost = 0
    for one in sockets:
        with suppress(OSError):
            one.sendall(request)
            if one.recv(65536).startswith(b"HTTP/1.1 200 "):
                continue
        lost += 1
    if lost:
        raise MeasurementError(f"{lost} of {len(sockets)} idle connections got no answer")


def allow_many_files(wanted: int) -> None:
    """Let this process and its children have so many open files, where they may: some systems begin with 256."""
    if os.name == "posix":
        import resource  # noqa: PLC0415 - not on Windows

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def main() -> int:
    """Run and print; the exit status is 1 where something broke."""
    quick = parse_arguments(__doc__)
    allow_many_files(4 * (IDLE + STREAMS))
    try:
        print(run(quick=quick).text())
    except (MeasurementError, OSError) as error:
        print(f"bench.connections broke: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
