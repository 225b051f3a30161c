"""The page for Prometheus: its form, its numbers, and that its size is bounded."""

import re
from collections.abc import Mapping
from typing import Final, get_args

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import RawTestServer, make_mocked_request

from localaik.engine.gate import Gate
from localaik.engine.supervisor import Phase
from localaik.errors import TimedOut
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import ALWAYS_SERVED, Protocol, Route, Services
from localaik.server.app import Face
from localaik.server.metrics import EngineFigures, Metrics, engine_figures, metrics_route
from tests.unit.test_server_app import render, services_of

NAME: Final = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE: Final = re.compile(rf'({NAME})(?:\{{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\}})? (\S+)')
LABEL: Final = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
KINDS: Final = {"counter", "gauge", "histogram"}
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parse(page: bytes) -> Samples:
    """The samples of a page; fails where the page breaks the rules of the text format 0.0.4."""
    text = page.decode()
    assert text.endswith("\n")
    samples: Samples = {}
    family, kind, seen = "", "", set[str]()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert re.fullmatch(NAME, family)
            assert family not in seen, "a family must stand in one place"
            seen.add(family)
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family
            assert kind in KINDS
            assert (kind == "counter") == name.endswith("_total")
            continue
        found = SAMPLE.fullmatch(line)
        assert found is not None, line
        ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        assert found[1] in {family + end for end in ends}
        key = (found[1], frozenset(LABEL.findall(found[2] or "")))
        assert key not in samples, line
        samples[key] = float(found[3])
    return samples


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


def a_call(route: str = "/v1/chat/completions", protocol: str = "openai", method: str = "POST") -> Call:
    call = Call(make_mocked_request(method, "/x"), "req_1", protocol)
    call.route = route
    return call


def test_requests_are_counted_by_route_and_class_of_status() -> None:
    metrics = Metrics()
    for status in (200, 201, 404, 499, 503):
        metrics.record(a_call(), status)
    cut = a_call()
    cut.failure = TimedOut("late")
    metrics.record(cut, 200)
    samples = parse(metrics.render([]))
    where = {"protocol": "openai", "method": "POST", "route": "/v1/chat/completions"}
    told = {name: value(samples, "localaik_requests_total", **where, status=name) for name in ("2xx", "4xx", "5xx")}
    assert told == {"2xx": 3, "4xx": 2, "5xx": 1}
    assert value(samples, "localaik_callers_left_total", **where) == 1
    assert value(samples, "localaik_answers_cut_short_total", **where) == 1
    assert value(samples, "localaik_request_duration_seconds_count", **where) == 6


def test_tokens_and_times_are_added_up() -> None:
    metrics = Metrics()
    for _ in range(2):
        call = a_call("/v1beta/models/{model:rest}:generateContent", "gemini")
        call.prompt_tokens, call.completion_tokens = 7, 5
        call.first_token = call.started + 0.03
        call.slot_use.asked = True
        metrics.record(call, 200)
    samples = parse(metrics.render([]))
    where = {"protocol": "gemini", "method": "POST", "route": "/v1beta/models/{model}:generateContent"}
    assert value(samples, "localaik_prompt_tokens_total", **where) == 14
    assert value(samples, "localaik_completion_tokens_total", **where) == 10
    first = "localaik_time_to_first_token_seconds"
    assert value(samples, f"{first}_bucket", **where, le="0.025") == 0
    assert value(samples, f"{first}_bucket", **where, le="0.05") == 2
    assert value(samples, f"{first}_bucket", **where, le="+Inf") == value(samples, f"{first}_count", **where) == 2
    assert value(samples, f"{first}_sum", **where) == pytest.approx(0.06)
    assert value(samples, "localaik_slot_wait_seconds_count") == 2


def test_buckets_only_grow() -> None:
    metrics = Metrics()
    for seconds in (0.0, 0.0009, 0.3, 500.0):
        call = a_call()
        call.first_token = call.started + seconds
        metrics.record(call, 200)
    lines = metrics.render([]).decode().splitlines()
    counts = [
        int(line.rpartition(" ")[2]) for line in lines if line.startswith("localaik_time_to_first_token_seconds_b")
    ]
    assert counts == sorted(counts)
    assert (counts[0], counts[-2], counts[-1]) == (2, 3, 4)


def test_the_number_of_series_does_not_depend_on_what_callers_send() -> None:
    metrics = Metrics()
    sizes = []
    for number in range(50):
        call = a_call("", "service", method=f"METHOD{number}")
        call.model = f"model-{number}"
        metrics.record(call, 404)
        sizes.append(len(parse(metrics.render([]))))
    assert set(sizes) == {sizes[0]}
    assert b"model-" not in metrics.render([])
    assert b"METHOD" not in metrics.render([])


def test_engines_tell_their_state_and_their_queue() -> None:
    engines = [
        EngineFigures("generation", "xllamacpp", "ready", restarts=2, slots=4, busy=3, waiting=1),
        EngineFigures("embeddings", "", "off", restarts=0, slots=0, busy=0, waiting=0),
    ]
    samples = parse(Metrics().render(engines))
    for name, expected in (
        ("localaik_queue_length", 1),
        ("localaik_slots", 4),
        ("localaik_slots_busy", 3),
        ("localaik_engine_restarts_total", 2),
    ):
        assert value(samples, name, engine="generation") == expected
        assert value(samples, name, engine="embeddings") == 0
    for state in (*get_args(Phase), "off", "remote"):
        assert value(samples, "localaik_engine_state", engine="generation", state=state) == (state == "ready")
        assert value(samples, "localaik_engine_state", engine="embeddings", state=state) == (state == "off")


class FakeEngine:
    def __init__(self, described: Mapping[str, object], gate: Gate | None) -> None:
        self.described = described
        self.gate = gate

    def describe(self) -> Mapping[str, object]:
        return self.described


async def test_a_remote_engine_has_no_state_of_ours() -> None:
    gate = Gate(32, queue_size=0, queue_seconds=0)
    await gate.acquire()
    remote = FakeEngine({"name": "remote", "upstream": "http://h/v1"}, gate)
    off = FakeEngine({"state": "off"}, None)
    told = engine_figures(remote, off)  # type: ignore[arg-type]
    assert told[0] == EngineFigures("generation", "remote", "remote", restarts=0, slots=32, busy=1, waiting=0)
    assert told[1] == EngineFigures("embeddings", "", "off", restarts=0, slots=0, busy=0, waiting=0)


async def test_the_page_is_served_and_does_not_count_itself_as_active() -> None:
    metrics = Metrics()
    gate = Gate(1, queue_size=0, queue_seconds=0)
    engine = FakeEngine({"name": "xllamacpp", "state": "ready", "restarts": 0}, gate)

    async def fine(_call: Call, _services: Services) -> web.Response:
        return json_response({})

    route = metrics_route(metrics, engine, None)  # type: ignore[arg-type]
    protocol = Protocol("service", (Route("GET", "/x/{name}", fine, ALWAYS_SERVED), route), render, lambda _: {})
    server = RawTestServer(Face(services_of(), [protocol], metrics).handle)
    await server.start_server()
    async with ClientSession(server.make_url("/")) as http:
        for path in ("/x/a", "/x/b", "/y"):
            async with http.get(path) as answer:
                await answer.read()
        async with http.get("/metrics") as answer:
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            samples = parse(await answer.read())
    await server.close()
    asked = {"protocol": "service", "method": "GET", "route": "/x/{name}", "status": "2xx"}
    assert value(samples, "localaik_requests_total", **asked) == 2
    unknown = {"protocol": "service", "method": "-", "route": "-", "status": "5xx"}
    assert value(samples, "localaik_requests_total", **unknown) == 1
    assert value(samples, "localaik_requests_active") == 0
    uptime = value(samples, "localaik_uptime_seconds")
    assert uptime is not None
    assert uptime >= 0
