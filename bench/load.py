"""A load generator that costs as little as possible: `python -m bench.load`, in its own process.

It reads one `Load` as JSON from each line of its input and writes one `Outcome` as JSON for it. Every connection sends
its next request as soon as the last answer is complete, or after a pause. Answers are parsed by httptools and counted
event by event.
"""

import asyncio
import sys
import time
from typing import Final, cast
from urllib.parse import urlsplit

import httptools
import msgspec
import uvloop

from bench.report import percentile

__all__ = ["Load", "Outcome", "request_bytes", "summarise"]

_MAX_FAULTS: Final = 5


class Load(msgspec.Struct, frozen=True):
    """One measurement: so many connections that send the same request again and again."""

    url: str
    body: str
    connections: int
    seconds: float = 0
    """Length of the measurement; 0 ends it after one request per connection."""
    warmup_seconds: float = 0
    """Time before it, which does not count."""
    spread_seconds: float = 0
    """The connections begin one after the other within this time; 0: all at once."""
    pause_seconds: float = 0
    """How long a connection waits between an answer and its next request."""
    marker: str = ""
    """What stands once in each event of an answer."""
    markers: int = 0
    """How many of them a complete answer has; fewer or more is a fault."""


class Outcome(msgspec.Struct, frozen=True):
    """What came of it. Latencies are from the request's first byte out to the answer's last byte in."""

    requests: int
    """Those inside the measurement."""
    answers: int
    """All right answers, those of the warm-up included."""
    seconds: float
    per_second: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    faulty: int
    """Answers that were no 200, incomplete, or had another number of markers."""
    faults: list[str]
    """The first few of them, in words."""


def request_bytes(url: str, body: str) -> bytes:
    """A POST of `body` as JSON."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    payload = body.encode()
    head = f"POST {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload


def summarise(latencies: list[float], answers: int, seconds: float, faults: list[str]) -> Outcome:
    """`latencies` are those inside the measurement; they and `seconds`, its length, are in seconds."""
    ordered = sorted(latencies)
    return Outcome(
        requests=len(ordered),
        answers=answers,
        seconds=seconds,
        per_second=len(ordered) / seconds if seconds else 0.0,
        p50_ms=percentile(ordered, 0.5) * 1000,
        p99_ms=percentile(ordered, 0.99) * 1000,
        worst_ms=ordered[-1] * 1000 if ordered else 0.0,
        faulty=len(faults),
        faults=faults[:_MAX_FAULTS],
    )


class _Run:
    """One measurement under way."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.message = request_bytes(load.url, load.body)
        self.marker = load.marker.encode()
        self.latencies: list[float] = []
        self.answers = 0
        self.faults: list[str] = []
        self.count_from = time.perf_counter() + load.warmup_seconds
        self.end = self.count_from + load.seconds
        self._open = load.connections
        self.finished = asyncio.Event()

    def closed(self) -> None:
        """One connection is through."""
        self._open -= 1
        if not self._open:
            self.finished.set()


class _Connection(asyncio.Protocol):
    """One caller."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._transport: asyncio.Transport | None = None
        self._pieces: list[bytes] = []
        self._sent_at = 0.0
        self._waiting = False
        self._pause: asyncio.TimerHandle | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class
        self._send(self._transport)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._waiting:
            self._run.faults.append("the connection was closed in the middle of an answer")
        elif self._pause is not None:
            self._pause.cancel()
            self._run.faults.append("the connection was closed between two requests")
        self._run.closed()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        run = self._run
        self._waiting = False
        self._judge(now)
        if self._transport is None:
            return
        if now >= run.end:
            self._transport.close()
        elif self._parser.should_keep_alive():
            if run.load.pause_seconds:
                self._pause = asyncio.get_running_loop().call_later(run.load.pause_seconds, self._send, self._transport)
            else:
                self._send(self._transport)
        else:
            run.faults.append("the server does not keep the connection")
            self._transport.close()

    def _send(self, transport: asyncio.Transport) -> None:
        self._pieces.clear()
        self._pause = None
        self._waiting = True
        self._sent_at = time.perf_counter()
        transport.write(self._run.message)

    def _judge(self, now: float) -> None:
        run = self._run
        status = self._parser.get_status_code()
        if status != 200:
            run.faults.append(f"status {status}: {b''.join(self._pieces)[:200].decode(errors='replace')}")
            return
        if run.load.markers and (count := b"".join(self._pieces).count(run.marker)) != run.load.markers:
            run.faults.append(f"{count} instead of {run.load.markers} events")
            return
        run.answers += 1
        if not run.load.seconds or (self._sent_at >= run.count_from and now <= run.end):
            run.latencies.append(now - self._sent_at)


async def measure(load: Load) -> Outcome:
    """Apply the load. Raises `OSError` where nothing listens."""
    run = _Run(load)
    parts = urlsplit(load.url)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()

    async def connect(place: int) -> None:
        await asyncio.sleep(load.spread_seconds * place / load.connections)
        await loop.create_connection(lambda: _Connection(run), parts.hostname or "", parts.port or 80)

    await asyncio.gather(*map(connect, range(load.connections)))
    await run.finished.wait()
    return summarise(run.latencies, run.answers, load.seconds or time.perf_counter() - began, run.faults)


def main() -> None:
    """Measure until the input ends."""
    for line in sys.stdin:
        outcome = uvloop.run(measure(msgspec.json.decode(line, type=Load)))
        print(msgspec.json.encode(outcome).decode(), flush=True)


if __name__ == "__main__":
    main()
