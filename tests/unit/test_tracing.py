"""Traces for OpenTelemetry: which spans a request makes, and that they reach a collector."""

import asyncio
import sys
from collections.abc import Mapping

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from localaik.engine.launchers.base import StartError
from localaik.errors import BadRequest, EngineUnreachable
from localaik.http.call import Call
from localaik.protocols.contract import ALWAYS_SERVED, Protocol, Route, Services
from localaik.server import assembly
from localaik.server.app import Face
from localaik.server.tracing import Tracing
from tests.unit.test_access_line import a_call
from tests.unit.test_server_app import render, services_of

CHAT = "/v1/chat/completions"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def spans_of(call: Call, status: int) -> list[ReadableSpan]:
    """The spans of a request, the outer one first."""
    exporter = InMemorySpanExporter()
    tracing = Tracing(exporter)
    tracing.record(call, call.route, status)
    tracing.close()
    return list(reversed(exporter.get_finished_spans()))


def attributes(span: ReadableSpan) -> Mapping[str, object]:
    assert span.attributes is not None
    return span.attributes


def test_a_generation_is_a_span_below_that_of_its_request() -> None:
    call = a_call(headers={"traceparent": PARENT, "Authorization": "Bearer sk-1"})
    call.route = CHAT
    call.model, call.prompt_tokens, call.completion_tokens = "tiny", 3, 4
    call.first_token = call.started + 0.25
    outer, inner = spans_of(call, 200)
    assert (outer.name, outer.kind) == (f"POST {CHAT}", SpanKind.SERVER)
    assert attributes(outer) == {
        "http.request.method": "POST",
        "http.route": CHAT,
        "http.response.status_code": 200,
        "url.path": CHAT,
        "url.scheme": "http",
        "localaik.protocol": "openai",
        "localaik.request_id": "req_1",
    }
    assert outer.parent is not None
    assert f"{outer.parent.trace_id:032x}-{outer.parent.span_id:016x}" == PARENT[3:-3]
    assert (inner.name, inner.kind) == ("chat tiny", SpanKind.CLIENT)
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id
    assert attributes(inner) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "localaik",
        "gen_ai.request.model": "tiny",
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 4,
        "localaik.slot_wait": 0.0,
        "localaik.time_to_first_token": pytest.approx(0.25),
    }
    assert outer.start_time is not None
    assert outer.end_time is not None
    assert outer.start_time <= outer.end_time
    assert outer.status.is_unset
    assert outer.resource.attributes["service.name"] == "localaik"


@pytest.mark.parametrize(
    ("route", "operation"),
    [
        ("/v1beta/models/{model:rest}:generateContent", "generate_content"),
        ("/v1beta/models/{model:rest}:streamGenerateContent", "generate_content"),
        ("/v1beta/models/{model:rest}:batchEmbedContents", "embeddings"),
        ("/v1/embeddings", "embeddings"),
        ("/v1/responses", "chat"),
        ("/v1/completions", "text_completion"),
        ("/v1/models/{model}", None),
        ("/v1beta/models/{model:rest}:countTokens", None),
    ],
)
def test_the_operation_follows_from_the_route(route: str, operation: str | None) -> None:
    call = a_call()
    call.route, call.model = route, "m"
    assert [attributes(span)["gen_ai.operation.name"] for span in spans_of(call, 200)[1:]] == (
        [] if operation is None else [operation]
    )


@pytest.mark.parametrize(
    ("status", "failure", "kind", "failed"),
    [
        (400, BadRequest("secret"), "BadRequest", False),
        (502, EngineUnreachable("secret"), "EngineUnreachable", True),
        (200, EngineUnreachable("secret"), "EngineUnreachable", True),
        (500, KeyError("secret"), "KeyError", True),
        (499, None, "caller_left", False),
    ],
)
def test_faults_are_told_by_kind(status: int, failure: Exception | None, kind: str, failed: bool) -> None:
    call = a_call()
    call.failure = failure
    (span,) = spans_of(call, status)
    assert attributes(span)["error.type"] == kind
    assert attributes(span).get("http.response.status_code") == (None if status == 499 else status)
    assert (not span.status.is_unset) == failed
    assert "secret" not in span.to_json()


def test_text_of_callers_can_be_sent_whatever_it_is() -> None:
    call = a_call(method="BREW")
    call.model = "m\ud800\n" * 100
    call.route = CHAT
    outer, inner = spans_of(call, 200)
    assert outer.name == f"_OTHER {CHAT}"
    assert inner.name.isprintable()
    assert len(inner.name) < 1000


async def test_spans_reach_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[bytes] = []

    async def collect(request: web.BaseRequest) -> web.Response:
        assert request.path == "/v1/traces"
        received.append(await request.read())
        return web.Response()

    collector = RawTestServer(collect)
    await collector.start_server()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", str(collector.make_url("/")).rstrip("/"))
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    tracing = Tracing()

    async def fine(_call: Call, _services: Services) -> web.Response:
        return web.Response()

    protocol = Protocol("test", (Route("GET", "/x", fine, ALWAYS_SERVED),), render, lambda _: {})
    face = Face(services_of(), [protocol], tracing=tracing)
    call = a_call()
    face._log(call, "/x", 200)
    await asyncio.to_thread(tracing.close)
    await collector.close()
    told = ExportTraceServiceRequest.FromString(received[0])
    (resource,) = told.resource_spans
    assert {item.key: item.value.string_value for item in resource.resource.attributes}["service.name"] == "mine"
    assert [span.name for scope in resource.scope_spans for span in scope.spans] == ["POST /x"]


def test_tracing_without_its_packages_ends_the_start_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "localaik.server.tracing", None)
    with pytest.raises(StartError, match=r"localaik\[otel\]"):
        assembly._tracing()
