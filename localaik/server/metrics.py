"""What `GET /metrics` tells: figures of all requests since the start, in the text format of Prometheus, version 0.0.4.

Written by hand: counting must cost next to nothing, and the usual library would take longer to import than all the rest
of a small server. Labels come from routes, protocols and states alone, never from what a caller has sent, so the number
of series is bounded. https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from operator import add
from typing import Final, NamedTuple

import msgspec
from aiohttp import web

from localaik import __version__
from localaik.engine.embedding import EmbeddingEngine
from localaik.engine.engine import Engine
from localaik.engine.gate import Gate
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.jobs.ended import EndedWork
from localaik.protocols.contract import ALWAYS_SERVED, Route, Services
from localaik.server.access import CLIENT_CLOSED_REQUEST, is_cut_short

__all__ = ["Counted", "EngineFigures", "Metrics", "engine_figures", "metrics_route"]

_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_BOUNDS: Final = (*map(str, _SECONDS), "+Inf")
_CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
_UNROUTED: Final = "-"
_STATES: Final = ("off", "starting", "ready", "restarting", "failed", "stopping", "stopped", "remote")

Labels = tuple[tuple[str, str], ...]


class EngineFigures(NamedTuple):
    """How an engine stands."""

    role: str
    """`generation` or `embeddings`."""
    name: str
    """`xllamacpp`, `llama-server`, `llama-cpp-python`, `remote`; empty while it is off."""
    state: str
    """One of the supervisor's phases; `off` while it is not needed; `remote` for somebody else's server."""
    restarts: int
    slots: int
    busy: int
    waiting: int

    def with_more(self, other: "EngineFigures") -> "EngineFigures":
        """The same engine, with the requests of another process, which may have known it for longer."""
        newer = other if self.state == "off" else self
        return newer._replace(
            restarts=max(self.restarts, other.restarts),
            slots=max(self.slots, other.slots),
            busy=self.busy + other.busy,
            waiting=self.waiting + other.waiting,
        )


class _Histogram(msgspec.Struct):
    """Observations in seconds: how many up to each bound, and their sum."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(_SECONDS) + 1))
    sum: float = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(_SECONDS, seconds)] += 1
        self.sum += seconds

    def add(self, other: "_Histogram") -> None:
        """Count what another one has observed, too."""
        self.counts = list(map(add, self.counts, other.counts))
        self.sum += other.sum

    def lines(self, name: str, labels: Labels = ()) -> Iterator[str]:
        """All its samples."""
        before = "".join([f"{part}," for part in _parts(labels)])
        total = 0
        for bound, count in zip(_BOUNDS, self.counts, strict=True):
            total += count
            yield f'{name}_bucket{{{before}le="{bound}"}} {total}'
        yield _sample(f"{name}_sum", labels, self.sum)
        yield _sample(f"{name}_count", labels, total)


class _Figures(msgspec.Struct):
    """Of one route."""

    statuses: list[int] = msgspec.field(default_factory=lambda: [0] * len(_CLASSES))
    seconds: _Histogram = msgspec.field(default_factory=_Histogram)
    first_token: _Histogram | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cut: int = 0
    left: int = 0

    def add(self, other: "_Figures") -> None:
        """Count what another one has counted, too."""
        self.statuses = list(map(add, self.statuses, other.statuses))
        self.seconds.add(other.seconds)
        if other.first_token is not None:
            self.first_token = self.first_token or _Histogram()
            self.first_token.add(other.first_token)
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        self.cut += other.cut
        self.left += other.left


class Counted(msgspec.Struct):
    """What one process has counted."""

    routes: list[tuple[tuple[str, str, str], _Figures]]
    slot_wait: _Histogram
    active: int
    engines: list[EngineFigures]
    background: list[tuple[tuple[str, str, str], int]]
    started: float
    """Unix time."""
    started_monotonic: float
    """Of a clock that all processes of a machine share."""


class Metrics:
    """Counts requests as they end."""

    def __init__(self) -> None:
        self.active: Callable[[], int] = int
        """Tells how many requests are being answered; set by whoever answers them."""
        self._routes: dict[tuple[str, str, str], _Figures] = {}
        self._slot_wait = _Histogram()
        self._background: dict[tuple[str, str, str], int] = {}
        self._started = time.time()
        self._started_monotonic = time.monotonic()

    def record(self, call: Call, status: int) -> None:
        """Count a request that has ended. `status` is the one that was sent, or 499 for a caller who has left."""
        # An unknown method reaches no route, so all three have few values.
        key = (call.protocol, call.request.method if call.route else _UNROUTED, call.route or _UNROUTED)
        figures = self._routes.get(key)
        if figures is None:
            figures = self._routes[key] = _Figures()
        figures.statuses[status // 100 - 1] += 1
        figures.seconds.observe(call.elapsed_ms() / 1000)
        if call.first_token is not None:
            if figures.first_token is None:
                figures.first_token = _Histogram()
            figures.first_token.observe(call.first_token - call.started)
        figures.prompt_tokens += call.prompt_tokens or 0
        figures.completion_tokens += call.completion_tokens or 0
        if call.slot_use.asked:
            self._slot_wait.observe(call.slot_use.waiting.seconds)
        if status == CLIENT_CLOSED_REQUEST:
            figures.left += 1
        elif is_cut_short(call, status):
            figures.cut += 1

    def record_work(self, work: EndedWork) -> None:
        """Count work in the background that has ended."""
        key = (work.protocol, work.kind, work.status)
        self._background[key] = self._background.get(key, 0) + 1

    def dump(self, engines: Sequence[EngineFigures]) -> bytes:
        """All figures of this process, for another one that tells those of several."""
        return msgspec.msgpack.encode(
            Counted(
                list(self._routes.items()),
                self._slot_wait,
                self.active(),
                list(engines),
                list(self._background.items()),
                self._started,
                self._started_monotonic,
            )
        )

    @staticmethod
    def of_all(dumps: Sequence[bytes]) -> tuple["Metrics", list[EngineFigures]]:
        """The sum of what several processes have dumped, and how their engines stand."""
        total = Metrics()
        active = 0
        engines: dict[str, EngineFigures] = {}
        for counted in map(_read, dumps):
            for key, figures in counted.routes:
                total._routes.setdefault(key, _Figures()).add(figures)
            total._slot_wait.add(counted.slot_wait)
            total._started = min(total._started, counted.started)
            total._started_monotonic = min(total._started_monotonic, counted.started_monotonic)
            active += counted.active
            for work, count in counted.background:
                total._background[work] = total._background.get(work, 0) + count
            for one in counted.engines:
                known = engines.get(one.role)
                engines[one.role] = one if known is None else known.with_more(one)
        total.active = lambda: active
        return total, list(engines.values())

    @staticmethod
    def of_ended(dumps: Sequence[bytes]) -> bytes:
        """As `dump`: what processes had counted that have ended, so that no sum ever gets smaller."""
        total, _ = Metrics.of_all(dumps)
        total.active = int
        return total.dump([])

    def render(self, engines: Sequence[EngineFigures]) -> bytes:
        """The whole page. It is asked for by a request, which is not counted as active."""
        families = (*self._of_requests(), *self._of_engines(engines), *self._of_process())
        return "".join(f"{line}\n" for family in families for line in family).encode()

    def _of_requests(self) -> Iterator[list[str]]:
        routes = [(_labels(key), figures) for key, figures in sorted(self._routes.items())]
        yield _family(
            "localaik_requests_total",
            "counter",
            "Requests that have ended, by the class of their status; 4xx includes callers who left.",
            (
                _sample("localaik_requests_total", (*labels, ("status", name)), count)
                for labels, figures in routes
                for name, count in zip(_CLASSES, figures.statuses, strict=True)
                if count
            ),
        )
        for name, what, help_text in _SUMS:
            counts = [(labels, int(getattr(figures, what))) for labels, figures in routes]
            yield _family(
                name, "counter", help_text, (_sample(name, labels, count) for labels, count in counts if count)
            )
        name = "localaik_request_duration_seconds"
        every = (line for labels, figures in routes for line in figures.seconds.lines(name, labels))
        yield _family(name, "histogram", "Time from a request's arrival to the end of its answer.", every)
        name = "localaik_time_to_first_token_seconds"
        every = (line for labels, one in routes if one.first_token for line in one.first_token.lines(name, labels))
        yield _family(name, "histogram", "Time from a request's arrival to the engine's first token.", every)
        name = "localaik_slot_wait_seconds"
        help_text = "Time that requests stood in the queue for a slot of an engine."
        yield _family(name, "histogram", help_text, self._slot_wait.lines(name))
        yield _gauge("localaik_requests_active", "Requests that are being answered.", {(): max(self.active() - 1, 0)})
        name = "localaik_background_ended_total"
        counts_of_work = (
            _sample(name, tuple(zip(("protocol", "work", "status"), key, strict=True)), count)
            for key, count in sorted(self._background.items())
        )
        yield _family(name, "counter", "Batches, and responses in the background, that have ended.", counts_of_work)

    @staticmethod
    def _of_engines(engines: Sequence[EngineFigures]) -> Iterator[list[str]]:
        named = [((("engine", one.role),), one) for one in engines]
        yield _gauge(
            "localaik_queue_length", "Requests that wait for a slot.", {who: one.waiting for who, one in named}
        )
        yield _gauge("localaik_slots", "Slots of the engine.", {who: one.slots for who, one in named})
        yield _gauge("localaik_slots_busy", "Slots in use.", {who: one.busy for who, one in named})
        states: dict[Labels, float] = {
            (*who, ("state", state)): int(one.state == state) for who, one in named for state in _STATES
        }
        yield _gauge("localaik_engine_state", "1 for the state that the engine is in, 0 for all others.", states)
        name = "localaik_engine_restarts_total"
        counts = (_sample(name, who, one.restarts) for who, one in named)
        yield _family(name, "counter", "Restarts of an engine that ended by itself.", counts)
        kinds: dict[Labels, float] = {
            (*who, ("kind", one.name), ("version", __version__)): 1 for who, one in named if one.name
        }
        yield _gauge("localaik_engine_info", "What runs the model, and the version of localaik.", kinds)

    def _of_process(self) -> Iterator[list[str]]:
        uptime = time.monotonic() - self._started_monotonic
        yield _gauge("localaik_uptime_seconds", "Time since the start of the server.", {(): round(uptime, 3)})
        yield _gauge("process_start_time_seconds", "Start of the server, Unix time.", {(): round(self._started, 3)})


_read: Final = msgspec.msgpack.Decoder(Counted).decode

_SUMS: Final = (
    (
        "localaik_prompt_tokens_total",
        "prompt_tokens",
        "Tokens of prompts, images and cached ones included, as answers report them.",
    ),
    (
        "localaik_completion_tokens_total",
        "completion_tokens",
        "Tokens of answers, thoughts included, as answers report them.",
    ),
    ("localaik_answers_cut_short_total", "cut", "Answers that a fault ended after they had begun."),
    ("localaik_callers_left_total", "left", "Requests whose caller left before the answer was complete."),
)


def engine_figures(engine: Engine, embedding_engine: EmbeddingEngine | None) -> list[EngineFigures]:
    """How the engines stand now. `embedding_engine` is None where embeddings are off."""
    told = [_engine("generation", engine.describe(), engine.gate)]
    if embedding_engine is not None:
        told.append(_engine("embeddings", embedding_engine.describe(), embedding_engine.gate))
    return told


def metrics_route(
    metrics: Metrics,
    engine: Engine,
    embedding_engine: EmbeddingEngine | None,
    collect: Callable[[], Awaitable[list[bytes]]] | None = None,
) -> Route:
    """The route that tells `metrics`. Nothing that it asks waits for an engine.

    `collect` gets the dumps of all processes of the server, this one's among them, where there are several.
    """

    async def tell(call: Call, _services: Services) -> web.Response:
        if collect is None:
            page = metrics.render(engine_figures(engine, embedding_engine))
        else:
            total, engines = Metrics.of_all(await collect())
            page = total.render(engines)
        return json_response(page, content_type=_CONTENT_TYPE, gzip_for=call)

    return Route("GET", "/metrics", tell, ALWAYS_SERVED)


def _engine(role: str, described: Mapping[str, object], gate: Gate | None) -> EngineFigures:
    restarts = described.get("restarts", 0)
    return EngineFigures(
        role,
        str(described.get("name", "")),
        str(described.get("state", "remote")),
        restarts if isinstance(restarts, int) else 0,
        *((gate.slots, gate.busy, gate.waiting) if gate is not None else (0, 0, 0)),
    )


def _labels(key: tuple[str, str, str]) -> Labels:
    protocol, method, route = key
    return (("protocol", protocol), ("method", method), ("route", route.replace(":rest}", "}")))


def _family(name: str, kind: str, help_text: str, samples: Iterable[str]) -> list[str]:
    return [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}", *samples]


def _gauge(name: str, help_text: str, values: Mapping[Labels, float]) -> list[str]:
    return _family(name, "gauge", help_text, (_sample(name, labels, value) for labels, value in values.items()))


def _sample(name: str, labels: Labels, value: float) -> str:
    return f"{name}{{{','.join(_parts(labels))}}} {value}" if labels else f"{name} {value}"


def _parts(labels: Labels) -> list[str]:
    return [f'{label}="{_escaped(text)}"' for label, text in labels]


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
