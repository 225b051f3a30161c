"""Whether memory stays where it is: `python -m bench.soak [--quick]`.

100,000 requests of all kinds, good ones and bad ones, callers who leave and small PDF files, each with a text of its
own, so that nothing is found in a cache forever. Caches and stores are given little room: what they may hold is in use
long before the first look at the memory. Once with the stored responses in memory, once with them on disk.
"""

import asyncio
import base64
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httptools
import uvloop

from bench.processes import Localaik, MeasurementError, start_upstream
from bench.report import Bar, Report, parse_arguments
from tests.media_samples import make_pdf, pages_of_text

__all__ = ["KINDS", "Kind", "Soak", "main", "order_of"]

REQUESTS: Final = 100_000
QUICK_REQUESTS: Final = 2000
MARKS: Final = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Shares of the requests after which the memory is looked at."""
GROWTH: Final = 5.0
CALLERS: Final = 16
_CHUNKS: Final = 20
_MAX_FAULTS: Final = 5
_PATTERN: Final = 1000
_HANG_SECONDS: Final = 60
_UNPINNED: Final[frozenset[int]] = frozenset()
_LITTLE_ROOM: Final[dict[str, Any]] = {
    "access_log": "off",
    "max_state_bytes": 500_000,
    "embedding_cache_bytes": 50_000,
    "pdf_cache_bytes": 200_000,
    "pdf_dpi": 36,
}

Body = dict[str, object]


def _talk(text: str) -> Body:
    return {"model": "bench", "messages": [{"role": "user", "content": text}]}


def _contents(text: str) -> Body:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}]}


def _paper(text: str) -> Body:
    data = base64.b64encode(make_pdf([*pages_of_text(1, 3)]) + b"\n%" + text.encode()).decode()
    parts = [{"text": "Sum up."}, {"inlineData": {"mimeType": "application/pdf", "data": data}}]
    return {"contents": [{"role": "user", "parts": parts}]}


def _broken_paper(text: str) -> Body:
    data = base64.b64encode(b"%PDF-1.4\n" + text.encode()).decode()
    return {"contents": [{"parts": [{"inlineData": {"mimeType": "application/pdf", "data": data}}]}]}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request."""

    name: str
    share: int
    """Out of a thousand requests."""
    path: str
    body: Callable[[str], Body | bytes]
    """From a text that no other request has."""
    status: int = 200
    holds: bytes = b""
    """What stands in a good answer."""
    leaves: bool = False
    """The caller goes away as soon as the answer begins."""


KINDS: Final = (
    Kind("chat", 300, "/v1/chat/completions", _talk, holds=b'"finish_reason"'),
    Kind("chat, streamed", 200, "/v1/chat/completions", lambda text: {**_talk(text), "stream": True}, holds=b"[DONE]"),
    Kind("Gemini", 120, "/v1beta/models/bench:generateContent", _contents, holds=b'"STOP"'),
    Kind("Gemini, streamed", 80, "/v1beta/models/bench:streamGenerateContent?alt=sse", _contents, holds=b'"STOP"'),
    Kind("embeddings", 80, "/v1/embeddings", lambda text: {"model": "bench", "input": text}, holds=b'"embedding"'),
    Kind("response", 50, "/v1/responses", lambda text: {"model": "bench", "input": text}, holds=b'"completed"'),
    Kind(
        "response, streamed",
        30,
        "/v1/responses",
        lambda text: {"model": "bench", "input": text, "stream": True},
        holds=b"response.completed",
    ),
    Kind("broken JSON", 30, "/v1/chat/completions", lambda text: b'{"' + text.encode(), 400),
    Kind("wrong field", 30, "/v1/chat/completions", lambda text: {**_talk(text), "temperature": 9}, 400),
    Kind("unknown path", 30, "/v1/nothing", lambda _text: {}, 404),
    Kind("broken PDF", 5, "/v1beta/models/bench:generateContent", _broken_paper, 400),
    Kind("PDF", 5, "/v1beta/models/bench:generateContent", _paper, holds=b'"STOP"'),
    Kind(
        "caller who leaves",
        40,
        "/v1/chat/completions",
        lambda text: {**_talk(text), "stream": True},
        leaves=True,
    ),
)


def order_of(kinds: tuple[Kind, ...]) -> list[Kind]:
    """A thousand requests in an order that mixes them, always the same."""
    order = [kind for kind in kinds for _ in range(kind.share)]
    random.Random(7).shuffle(order)
    return order


@dataclass(slots=True)
class Soak:
    """Requests under way: who is next, and what went wrong."""

    host: str
    port: int
    order: list[Kind]
    sent: int = 0
    limit: int = 0
    """How many are to be sent before the next look."""
    done: int = 0
    faults: list[str] = field(default_factory=list)
    nonce: str = field(default_factory=lambda: f"{time.time_ns():x}")

    def next(self) -> tuple[Kind, bytes] | None:
        """The next request, or None at the limit."""
        if self.sent >= self.limit:
            return None
        kind = self.order[self.sent % len(self.order)]
        self.sent += 1
        return kind, self._request(kind, f"{self.nonce}-{self.sent}")

    def judge(self, kind: Kind, status: int, body: bytes) -> None:
        """Note an answer that is not what it should be."""
        self.done += 1
        if status != kind.status or kind.holds not in body:
            self.faults.append(f"{kind.name}: status {status}: {body[-200:].decode(errors='replace')}")

    def _request(self, kind: Kind, text: str) -> bytes:
        made = kind.body(text)
        payload = made if isinstance(made, bytes) else json.dumps(made).encode()
        head = f"POST {kind.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload


class _Caller(asyncio.Protocol):
    """One caller: asks until there is nothing more to ask, or until it has left an answer behind."""

    def __init__(self, soak: Soak) -> None:
        self._soak = soak
        self.ended = asyncio.Event()
        self._kind: Kind | None = None
        self._pieces: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class
        self._ask(self._transport)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._kind is not None:
            self._soak.faults.append(f"{self._kind.name}: the connection was closed")
        self.ended.set()

    def data_received(self, data: bytes) -> None:
        if self._kind is not None and self._kind.leaves and self._transport is not None:
            self._soak.done += 1
            self._kind = None
            self._transport.abort()
            return
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        kind, self._kind = self._kind, None
        if kind is None or self._transport is None:
            return
        self._soak.judge(kind, self._parser.get_status_code(), b"".join(self._pieces))
        if self._parser.should_keep_alive():
            self._ask(self._transport)
        else:
            self._transport.close()

    def _ask(self, transport: asyncio.Transport) -> None:
        self._pieces.clear()
        found = self._soak.next()
        if found is None:
            transport.close()
            return
        self._kind, request = found
        transport.write(request)


async def _until(soak: Soak, limit: int) -> None:
    """Send requests until so many were sent. Raises `MeasurementError` for wrong answers, and for none."""
    soak.limit = limit
    loop = asyncio.get_running_loop()

    async def call() -> None:
        while soak.sent < soak.limit and len(soak.faults) < _MAX_FAULTS:
            _, caller = await loop.create_connection(partial(_Caller, soak), soak.host, soak.port)
            await caller.ended.wait()

    callers = asyncio.gather(*(call() for _ in range(CALLERS)))
    before = -1
    while True:
        finished, _ = await asyncio.wait([callers], timeout=_HANG_SECONDS)
        if finished:
            break
        if soak.done == before:
            callers.cancel()
            raise MeasurementError(f"no answer within {_HANG_SECONDS} s after {soak.done} of them")
        before = soak.done
    callers.result()
    if soak.faults:
        raise MeasurementError(f"{len(soak.faults)} wrong answers: {json.dumps(soak.faults[:_MAX_FAULTS])}")


def run(*, quick: bool) -> Report:
    """Start everything, measure, and report. Raises `MeasurementError`, also for a single wrong answer."""
    total = QUICK_REQUESTS if quick else REQUESTS
    report = Report("soak", quick)
    report.notes = [
        f"{total:,} requests from {CALLERS} callers, out of a thousand: "
        + ", ".join(f"{kind.share} {kind.name}" for kind in KINDS),
        "limits: " + ", ".join(f"{name} = {value}" for name, value in _LITTLE_ROOM.items()),
    ]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        upstream = stack.enter_context(start_upstream(_UNPINNED, chunks=_CHUNKS))
        for state in ("memory", "disk"):
            with Localaik(_UNPINNED, upstream=upstream, state=state, data_dir=folder, **_LITTLE_ROOM) as server:
                sizes = _soak(report, server, state, total)
            growth = (sizes[-1] / sizes[0] - 1) * 100
            report.check(Bar(f"growth after the first tenth, state in {state}", GROWTH, "%"), growth)
    return report


def _soak(report: Report, server: Localaik, state: str, total: int) -> list[float]:
    """Resident megabytes at each mark; the marks are rows of the report."""
    parts = urlsplit(server.url)
    soak = Soak(parts.hostname or "", parts.port or 80, order_of(KINDS))
    sizes = []
    for mark in MARKS:
        began, before, cpu = time.perf_counter(), soak.done, server.cpu_seconds()
        uvloop.run(_until(soak, int(total * mark)))
        rss, uss = server.megabytes()
        sizes.append(rss)
        report.rows.append(
            {
                "state": state,
                "requests": soak.done,
                "req/s": round((soak.done - before) / (time.perf_counter() - began)),
                "CPU us/req": (server.cpu_seconds() - cpu) / (soak.done - before) * 1e6,
                "RSS MB": rss,
                "unshared MB": uss,
                "open files": server.status.num_fds() if hasattr(server.status, "num_fds") else 0,
                "threads": server.status.num_threads(),
            }
        )
    return sizes


def main() -> int:
    """Run and print; the exit status is 1 where something broke."""
    quick = parse_arguments(__doc__)
    try:
        print(run(quick=quick).text())
    except MeasurementError as error:
        print(f"bench.soak broke: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
