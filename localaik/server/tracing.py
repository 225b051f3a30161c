"""Traces for OpenTelemetry: a span for each request, and one below it for what was generated.

Names and attributes follow OpenTelemetry's semantic conventions for HTTP and for generative AI. Prompts and answers are
never part of a span. Spans are made when a request has ended, so a request costs nothing more where tracing is off.
"""

import re
import time
from threading import Thread
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from localaik import __version__
from localaik.http.call import Call
from localaik.server.access import CLIENT_CLOSED_REQUEST, is_cut_short
from localaik.server.logs import escape

__all__ = ["Tracing"]

_MAX_NAME_CHARS: Final = 100
_CLOSE_SECONDS: Final = 1.0
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OPERATIONS: Final = (
    (re.compile(r":(?:streamG|g)enerateContent$"), "generate_content"),
    (re.compile(r":(?:batchE|e)mbed\w+$|/embed(?:dings)?$"), "embeddings"),
    (re.compile(r"/chat/completions$|/responses$|/sessions/\{\w+\}/\w+$"), "chat"),
    (re.compile(r"/completions$"), "text_completion"),
)

Attributes = dict[str, AttributeValue]


class Tracing:
    """Makes spans of requests and sends them by OTLP over HTTP, or by `exporter`.

    Where to, how often and which of them: the variables of OpenTelemetry itself (`OTEL_EXPORTER_OTLP_ENDPOINT`,
    `OTEL_TRACES_SAMPLER`, `OTEL_SERVICE_NAME`, ...).
    """

    def __init__(self, exporter: SpanExporter | None = None) -> None:
        resource = Resource.create({"service.name": "localaik", "service.version": __version__})
        resource = resource.merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._exporter: SpanExporter = exporter or OTLPSpanExporter()
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer: Tracer = self._provider.get_tracer("localaik", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def record(self, call: Call, raw_path: str, status: int) -> None:
        """Make the spans of a request that has ended. `status` is the one that was sent, or 499 for a lost caller.

        A valid `traceparent` of the caller makes them part of its trace.
        """
        end = time.time_ns()
        start = end - int(call.elapsed_ms() * 1_000_000)
        method = call.request.method if call.request.method in _METHODS else "_OTHER"
        fault = _fault(call, status)
        span = self._tracer.start_span(
            f"{method} {call.route}".rstrip(),
            self._propagator.extract(call.request.headers),
            SpanKind.SERVER,
            _of_request(call, method, raw_path, status) | fault,
            start_time=start,
        )
        is_ours = status >= 500 or is_cut_short(call, status)
        operation = next((name for pattern, name in _OPERATIONS if pattern.search(call.route)), None)
        if operation is not None and call.model is not None and span.is_recording():
            generated = self._tracer.start_span(
                f"{operation} {_text(call.model)}",
                set_span_in_context(span),
                SpanKind.CLIENT,
                _of_generation(call, operation) | fault,
                start_time=start,
            )
            _end(generated, failed=bool(fault), at=end)
        _end(span, failed=is_ours, at=end)

    def close(self) -> None:
        """Send what is left, and end; blocks for two seconds at most, whether there is a collector or not."""
        ending = Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(_CLOSE_SECONDS)
        if ending.is_alive():
            self._exporter.shutdown()  # it would try again for much longer
            ending.join(_CLOSE_SECONDS)


def _of_request(call: Call, method: str, raw_path: str, status: int) -> Attributes:
    """Attributes of the conventions for HTTP servers."""
    attributes: Attributes = {
        "http.request.method": method,
        "url.path": _text(raw_path),
        "url.scheme": "http",
        "localaik.protocol": call.protocol,
        "localaik.request_id": call.request_id,
    }
    if call.route:
        attributes["http.route"] = call.route
    if status != CLIENT_CLOSED_REQUEST:
        attributes["http.response.status_code"] = status
    return attributes


def _of_generation(call: Call, operation: str) -> Attributes:
    """Attributes of the conventions for generative AI; times in seconds."""
    attributes: Attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "localaik",
        "gen_ai.request.model": _text(call.model or ""),
        "localaik.slot_wait": call.slot_use.waiting.seconds,
    }
    if call.prompt_tokens is not None:
        attributes["gen_ai.usage.input_tokens"] = call.prompt_tokens
    if call.completion_tokens is not None:
        attributes["gen_ai.usage.output_tokens"] = call.completion_tokens
    if call.first_token is not None:
        attributes["localaik.time_to_first_token"] = call.first_token - call.started
    return attributes


def _fault(call: Call, status: int) -> Attributes:
    if status == CLIENT_CLOSED_REQUEST:
        return {"error.type": "caller_left"}
    if call.failure is not None:
        return {"error.type": type(call.failure).__name__}
    return {"error.type": str(status)} if status >= 500 else {}


def _end(span: Span, *, failed: bool, at: int) -> None:
    if failed:
        span.set_status(Status(StatusCode.ERROR))
    span.end(at)


def _text(text: str) -> str:
    return escape(text[:_MAX_NAME_CHARS])
