"""What callers who never finish cost the others: `python -m bench.slowloris [--quick]`.

1,000 connections send a byte of a header each second and never its end, and 200 send a body in the same way; whoever is
cut off comes again at once. Ordinary calls are measured without them and with them, in turns.
"""

import asyncio
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final, cast
from urllib.parse import urlsplit

from bench.connections import allow_many_files
from bench.load import Load, Outcome
from bench.processes import LoadGenerator, Localaik, MeasurementError, start_upstream
from bench.report import Bar, Report, added, parse_arguments
from bench.wires import OPENAI

__all__ = ["Crowd", "main"]

HEADS: Final = 1000
BODIES: Final = 200
CONNECTIONS: Final = 4
ADDED_P50_MS: Final = 1.0
ADDED_P99_MS: Final = 10.0
HEADER_SECONDS: Final = 3
_SLACK_SECONDS: Final = 2.0
_BYTE_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 0.02
"""Between two calls of a connection: a server that is busy all the time has no latency to speak of."""
_STEPS: Final = 20
"""The bytes of a second are not sent all at once."""
_ARRIVAL_SECONDS: Final = 60
_UNPINNED: Final[frozenset[int]] = frozenset()


@dataclass(slots=True)
class Crowd:
    """Slow callers under way, and what has happened to them."""

    host: str
    port: int
    stopping: bool = False
    open: "set[_Slow]" = field(default_factory=set)
    heads_cut: int = 0
    """Connections that the server closed before their head was complete."""
    bodies_cut: int = 0
    longest_head: float = 0.0
    """The longest life of one of those, in seconds from its first byte on."""

    def callers(self) -> "Iterator[_Slow]":
        """All that are to come, in an order that mixes them."""
        every = HEADS // BODIES
        for number in range(HEADS + BODIES):
            yield _Slow(self, sends_body=number % (every + 1) == every)

    def start_of(self, *, body: bool) -> bytes:
        """What a caller sends at once."""
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
        if body:
            return f"{head}Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{{".encode()
        return f"{head}X-Slow: ".encode()


class _Slow(asyncio.Protocol):
    """One caller who takes its time; it comes again when it is cut off."""

    def __init__(self, crowd: Crowd, *, sends_body: bool) -> None:
        self._crowd = crowd
        self.sends_body = sends_body
        self._transport: asyncio.Transport | None = None
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._began = time.monotonic()
        self._transport.write(self._crowd.start_of(body=self.sends_body))
        self._crowd.open.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        crowd = self._crowd
        crowd.open.discard(self)
        if crowd.stopping:
            return
        if self.sends_body:
            crowd.bodies_cut += 1
        else:
            crowd.heads_cut += 1
            crowd.longest_head = max(crowd.longest_head, time.monotonic() - self._began)
        asyncio.get_running_loop().create_task(come(crowd, _Slow(crowd, sends_body=self.sends_body)))

    def drip(self) -> None:
        """Send the next byte."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b" " if self.sends_body else b"a")

    def leave(self) -> None:
        """Close, whatever is left."""
        if self._transport is not None:
            self._transport.abort()


async def come(crowd: Crowd, caller: _Slow) -> None:
    """Connect; who is refused stays away."""
    try:
        await asyncio.get_running_loop().create_connection(lambda: caller, crowd.host, crowd.port)
    except OSError:
        caller.leave()


@contextmanager
def _slow_callers(url: str) -> Iterator[Crowd]:
    """A crowd, complete at the beginning of the block, in a thread with a loop of its own."""
    parts = urlsplit(url)
    crowd = Crowd(parts.hostname or "", parts.port or 80)
    complete, end = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_drip(crowd, complete, end)), name="slow-callers")
    thread.start()
    try:
        if not complete.wait(_ARRIVAL_SECONDS):
            raise MeasurementError(f"only {len(crowd.open)} slow callers could connect")
        yield crowd
    finally:
        end.set()
        thread.join()


async def _drip(crowd: Crowd, complete: threading.Event, end: threading.Event) -> None:
    await asyncio.gather(*(come(crowd, caller) for caller in crowd.callers()))
    complete.set()
    step = 0
    while not end.is_set():
        for number, caller in enumerate(tuple(crowd.open)):
            if number % _STEPS == step:
                caller.drip()
        step = (step + 1) % _STEPS
        await asyncio.sleep(_BYTE_SECONDS / _STEPS)
    crowd.stopping = True
    for caller in tuple(crowd.open):
        caller.leave()


def run(*, quick: bool) -> Report:
    """Start everything, measure, and report. Raises `MeasurementError`, also for a single ordinary call that failed."""
    rounds, seconds = (1, 5.0) if quick else (5, 8.0)
    report = Report("slowloris", quick)
    report.notes = [
        f"{HEADS} callers who never end a head, {BODIES} who never end a body, a byte each second",
        f"ordinary calls: small chats on {CONNECTIONS} connections, {_PAUSE_SECONDS * 1000:g} ms between two",
        f"{rounds} rounds of {seconds:g} s without and with slow callers, in turns",
        f"header_timeout_seconds = {HEADER_SECONDS}; no process is pinned",
    ]
    alone: list[Outcome] = []
    beside: list[Outcome] = []
    crowds: list[Crowd] = []
    with ExitStack() as stack:
        upstream = stack.enter_context(start_upstream(_UNPINNED, chunks=3))
        load = stack.enter_context(LoadGenerator(_UNPINNED))
        room = {"access_log": "off", "header_timeout_seconds": HEADER_SECONDS}
        server = stack.enter_context(Localaik(_UNPINNED, upstream=upstream, **room))
        at_rest = server.family_megabytes()[0]
        for _ in range(rounds):
            alone.append(load.measure(_load(server.url, seconds)))
            with _slow_callers(server.url) as crowd:
                crowds.append(crowd)
                beside.append(load.measure(_load(server.url, seconds)))
                loaded = server.family_megabytes()[0]
    report.rows = [
        _row("alone", alone, at_rest, []),
        _row("beside slow callers", beside, loaded, crowds),
    ]
    figures = {name: added(_all(beside, name), _all(alone, name)) for name in ("p50_ms", "p99_ms")}
    report.check(Bar("added p50", ADDED_P50_MS, "ms"), figures["p50_ms"])
    report.check(Bar("added p99", ADDED_P99_MS, "ms"), figures["p99_ms"])
    report.check(Bar("heads cut off", 0, "connections", "above"), sum(crowd.heads_cut for crowd in crowds))
    longest = max(crowd.longest_head for crowd in crowds)
    report.check(Bar("longest life of an endless head", HEADER_SECONDS + _SLACK_SECONDS, "s"), longest)
    return report


def _load(url: str, seconds: float) -> Load:
    return Load(
        url + OPENAI.path,
        OPENAI.body,
        CONNECTIONS,
        seconds=seconds,
        warmup_seconds=seconds / 5,
        pause_seconds=_PAUSE_SECONDS,
    )


def _row(name: str, outcomes: list[Outcome], megabytes: float, crowds: list[Crowd]) -> dict[str, object]:
    return {
        "ordinary calls": name,
        "req/s": round(statistics.median(_all(outcomes, "per_second"))),
        "p50 ms": statistics.median(_all(outcomes, "p50_ms")),
        "p99 ms": statistics.median(_all(outcomes, "p99_ms")),
        "worst ms": max(_all(outcomes, "worst_ms")),
        "faults": sum(outcome.faulty for outcome in outcomes),
        "heads cut": sum(crowd.heads_cut for crowd in crowds),
        "bodies cut": sum(crowd.bodies_cut for crowd in crowds),
        "RSS MB": megabytes,
    }


def _all(outcomes: list[Outcome], figure: str) -> list[float]:
    return [float(getattr(outcome, figure)) for outcome in outcomes]


def main() -> int:
    """Run and print; the exit status is 1 where something broke."""
    quick = parse_arguments(__doc__)
    allow_many_files(4 * (HEADS + BODIES))
    try:
        print(run(quick=quick).text())
    except MeasurementError as error:
        print(f"bench.slowloris broke: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
