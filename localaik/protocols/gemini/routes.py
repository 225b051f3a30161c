"""The routes of the Gemini API: read, decode, run, encode, write."""

import asyncio
from math import isfinite
from typing import TYPE_CHECKING, Final

from aiohttp import web

from localaik.errors import BadRequest, NotFound, TimedOut
from localaik.generation.fold import fold
from localaik.http.body import read_json
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.http.stream import stream_events
from localaik.protocols.contract import Handler, Protocol, Route, Services
from localaik.protocols.figures import watch
from localaik.protocols.gemini.batches import batch_routes
from localaik.protocols.gemini.batches_work import batch_work
from localaik.protocols.gemini.caches import cache_routes, cached_prompt
from localaik.protocols.gemini.decode import Decoded, decode, decode_count
from localaik.protocols.gemini.embeddings import batch_embed_contents, count_embedding_tokens, embed_content
from localaik.protocols.gemini.encode import count_object, encode_generation
from localaik.protocols.gemini.files import file_routes
from localaik.protocols.gemini.models import (
    find_embedding_model,
    find_model,
    is_embedding_name,
    list_page,
    model_resource,
)
from localaik.protocols.gemini.reading import read
from localaik.protocols.gemini.respond import (
    JSON_TYPE,
    SSE_TYPE,
    headers,
    new_response_id,
    render_error,
    stream_framing,
    stream_headers,
)
from localaik.protocols.gemini.stream import Framing, StreamEncoder
from localaik.protocols.gemini.types import CountTokensRequest, GenerateContentRequest
from localaik.protocols.gemini.unserved import unserved_routes

if TYPE_CHECKING:
    from localaik.protocols.description import Description, Names

__all__ = ["PROTOCOL"]

_SURFACE: Final = "gemini"
_VERSIONS: Final = ("/v1beta", "/v1", "/v1alpha", "")
_BUCKETS: Final = {
    "generateContent": "chat",
    "streamGenerateContent": "chat",
    "batchGenerateContent": "chat",
    "embedContent": "embed",
    "batchEmbedContents": "embed",
    "asyncBatchEmbedContent": "embed",
}
"""Actions that are limited. Who creates a batch makes one call, however many requests it has."""


async def generate_content(call: Call, services: Services) -> web.StreamResponse:
    """POST models/{model}:generateContent."""
    decoded = await _read_request(call, services, "generateContent")
    generation = await fold(watch(call, services.pipeline.run(decoded.generation)))
    body = encode_generation(generation, decoded.answering, new_response_id())
    return json_response(body, content_type=JSON_TYPE, gzip_for=call)


async def stream_generate_content(call: Call, services: Services) -> web.StreamResponse:
    """POST models/{model}:streamGenerateContent, as events with `alt=sse`, else as a JSON array."""
    framing = stream_framing(call)
    decoded = await _read_request(call, services, "streamGenerateContent")
    return await stream_events(
        call,
        watch(call, services.pipeline.run(decoded.generation)),
        StreamEncoder(decoded.answering, new_response_id(), framing),
        content_type=SSE_TYPE if framing is Framing.SSE else JSON_TYPE,
        headers=stream_headers(framing),
        write_idle_seconds=services.settings.write_idle_seconds,
    )


async def count_tokens(call: Call, services: Services) -> web.StreamResponse:
    """POST models/{model}:countTokens."""
    name = _model_name(call)
    if is_embedding_name(name, services.registry, services.embedder.models):
        return await count_embedding_tokens(call, services)
    find_model(name, services.registry, version=_version(call), method="countTokens")
    settings = services.settings
    body = await read_json(call, settings)
    request = read(CountTokensRequest, body, strict=settings.strict_wire, ignored=call.ignored)
    cached = await cached_prompt(services, request.generate_content_request)
    decoded = decode_count(request, name, max_messages=settings.max_messages, cached=cached)
    call.ignored += decoded.ignored
    limits = [limit for limit in (_time_limit(call), settings.request_timeout_seconds) if limit]
    try:
        async with asyncio.timeout(min(limits, default=None)):
            usage = await services.pipeline.count_tokens(decoded.generation)
    except TimeoutError:
        raise TimedOut("Counting took longer than the request's time limit.", reason="timeout") from None
    call.prompt_tokens = usage.prompt_tokens
    return json_response(count_object(usage, decoded.answering.cached_tokens), content_type=JSON_TYPE, gzip_for=call)


async def list_models(call: Call, services: Services) -> web.StreamResponse:
    """GET models."""
    own_engine = not services.settings.upstream_is_set
    listed = services.registry.listed() + services.embedder.models.listed()
    page = list_page(listed, call.request.query, own_engine=own_engine)
    return json_response(page, content_type=JSON_TYPE, gzip_for=call)


async def get_model(call: Call, services: Services) -> web.StreamResponse:
    """GET models/{model}: every name that generation or embedding accepts."""
    name = _model_name(call)
    embeds = is_embedding_name(name, services.registry, services.embedder.models)
    find, registry = (find_embedding_model, services.embedder.models) if embeds else (find_model, services.registry)
    entry = find(name, registry, version=_version(call), method="getModel")
    resource = model_resource(name, entry, own_engine=not services.settings.upstream_is_set)
    return json_response(resource, content_type=JSON_TYPE, gzip_for=call)


async def list_tuned_models(call: Call, _services: Services) -> web.StreamResponse:
    """GET tunedModels: there are none, and clients want the key."""
    return json_response({"tunedModels": []}, content_type=JSON_TYPE, gzip_for=call)


async def no_tuned_model(call: Call, _services: Services) -> web.StreamResponse:
    """Tuned models answer, but can't be looked at or changed."""
    raise NotFound(f"tunedModels/{call.params['tuned']} does not exist.", reason="model_not_found")


async def _read_request(call: Call, services: Services, method: str) -> Decoded:
    """The request of a generation, checked and translated."""
    name = _model_name(call)
    find_model(name, services.registry, version=_version(call), method=method)
    settings = services.settings
    body = await read_json(call, settings)
    request = read(GenerateContentRequest, body, strict=settings.strict_wire, ignored=call.ignored)
    cached = await cached_prompt(services, request)
    decoded = decode(
        request,
        name,
        model_version=_model_version(call),
        max_messages=settings.max_messages,
        cached=cached,
        strict_signatures=settings.thought_signatures == "strict",
    )
    call.ignored += decoded.ignored
    if decoded.generation.logprobs is not None and not services.pipeline.supports_logprobs:
        raise BadRequest(f"Logprobs is not enabled for models/{name}", field="generationConfig.responseLogprobs")
    decoded.generation.time_limit = _time_limit(call)
    return decoded


def _model_name(call: Call) -> str:
    """The name in the path, without `models/` or `tunedModels/`."""
    call.model = call.params.get("model") or call.params.get("tuned") or ""
    return call.model


def _model_version(call: Call) -> str:
    """The name that an answer repeats."""
    return f"tunedModels/{call.params['tuned']}" if "tuned" in call.params else call.params["model"]


def _version(call: Call) -> str:
    first = call.request.path.lstrip("/").partition("/")[0]
    return first if f"/{first}" in _VERSIONS else _VERSIONS[0][1:]


def _time_limit(call: Call) -> float | None:
    """Seconds that the caller's own clock allows; None where it says nothing that makes sense."""
    try:
        seconds = float(call.request.headers.get("X-Server-Timeout", ""))
    except ValueError:
        return None
    return seconds if isfinite(seconds) and seconds > 0 else None


def _route(method: str, path: str, handler: Handler) -> Route:
    return Route(method, path, handler, _SURFACE, bucket=_BUCKETS.get(path.rpartition(":")[2], ""))


def _routes() -> tuple[Route, ...]:
    generation: tuple[tuple[str, Handler], ...] = (
        ("generateContent", generate_content),
        ("streamGenerateContent", stream_generate_content),
        ("countTokens", count_tokens),
    )
    routes: list[Route] = []
    for version in _VERSIONS:
        table: tuple[tuple[str, str, Handler], ...] = (
            *(("POST", f"/models/{{model:rest}}:{action}", handler) for action, handler in generation),
            *(("POST", f"/tunedModels/{{tuned:rest}}:{action}", handler) for action, handler in generation),
            ("POST", "/models/{model:rest}:embedContent", embed_content),
            ("POST", "/models/{model:rest}:batchEmbedContents", batch_embed_contents),
            ("GET", "/models", list_models),
            ("GET", "/models/{model:rest}", get_model),
            ("GET", "/tunedModels", list_tuned_models),
            *((method, "/tunedModels/{tuned:rest}", no_tuned_model) for method in ("GET", "PATCH", "DELETE")),
        )
        routes += [_route(method, version + path, handler) for method, path, handler in table]
        routes += [Route(method, path, handler, _SURFACE, key) for method, path, handler, key in file_routes(version)]
        routes += [Route(method, path, handler, _SURFACE) for method, path, handler in cache_routes(version)]
        routes += [_route(*row) for row in batch_routes(version)]
        routes += unserved_routes(version)
    return tuple(routes)


def _describe(names: "Names") -> "Description":
    from localaik.protocols.gemini.description import describe  # noqa: PLC0415 - only readers of it need it

    return describe(names)


PROTOCOL: Final = Protocol(
    name="gemini",
    routes=_routes(),
    render_error=render_error,
    headers=headers,
    background=batch_work,
    key_in_query=True,
    describe=_describe,
)
