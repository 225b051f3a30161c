"""The routes of the OpenAI API: read, decode, run, encode, write."""

import os
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

from aiohttp import web

from localaik.errors import BadRequest, Forbidden, NotServed, UnknownModel
from localaik.generation.events import GenerationEvent
from localaik.generation.fold import fold
from localaik.generation.request import GenerationRequest
from localaik.http.body import read_json
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.http.stream import StreamEncoder, stream_events
from localaik.protocols.contract import Handler, Protocol, Route, Services
from localaik.protocols.figures import watch
from localaik.protocols.openai.completion_decode import decode_completion
from localaik.protocols.openai.completion_encode import CompletionStream, encode_completion, keep_best
from localaik.protocols.openai.decode import Decoded, decode_chat
from localaik.protocols.openai.embeddings import create_embeddings
from localaik.protocols.openai.encode import Identity, encode_chat, model_list, model_object
from localaik.protocols.openai.reading import read
from localaik.protocols.openai.respond import PING, SSE_HEADERS, SSE_TYPE, headers, render_error
from localaik.protocols.openai.several import generate_nothing, generate_several
from localaik.protocols.openai.stream import ChatStream
from localaik.protocols.openai.tools import about_schema
from localaik.protocols.openai.types import ChatRequest, CompletionRequest
from localaik.protocols.openai.unserved import unserved_routes

__all__ = ["PROTOCOL", "answer_chat"]

_PREFIXES: Final = ("/v1", "/openai/v1", "")
_ID_BYTES: Final = 16


async def create_chat_completion(call: Call, services: Services) -> web.StreamResponse:
    """POST chat/completions."""
    return await answer_chat(call, services, await read_json(call, services.settings))


async def answer_chat(call: Call, services: Services, body: object) -> web.StreamResponse:
    """The answer to the body of a chat request."""
    settings = services.settings
    decoded = decode_chat(
        read(ChatRequest, body),
        default_model=services.registry.listed()[0].id,
        max_messages=settings.max_messages,
        max_tools=settings.max_tools,
        strict=settings.strict_wire,
    )
    call.ignored += decoded.ignored
    _check(call, services, decoded.generation)
    try:
        return await _answer_chat(call, services, decoded)
    except BadRequest as error:
        raise about_schema(error, decoded.generation.tools, decoded.format_name) from None


async def create_completion(call: Call, services: Services) -> web.StreamResponse:
    """POST completions."""
    settings = services.settings
    decoded = decode_completion(read(CompletionRequest, await read_json(call, settings)), strict=settings.strict_wire)
    call.ignored += decoded.ignored
    requests = decoded.generations
    _check(call, services, requests[0])
    echoes = [await _echo(services, request.prompt) if decoded.echo else "" for request in requests]
    batches = watch(call, _run(services, requests))
    identity = _identity(services, "cmpl")
    if decoded.stream:
        encoder = CompletionStream(decoded.answering, identity, echoes=echoes, n=decoded.n)
        return await _stream(call, services, batches, encoder)
    generation = await fold(batches)
    if decoded.best_of > decoded.n:
        generation = keep_best(generation, decoded.best_of, decoded.n)
    return json_response(encode_completion(generation, decoded.answering, identity(), echoes=echoes, n=decoded.n))


async def list_models(_call: Call, services: Services) -> web.StreamResponse:
    """GET models."""
    return json_response(model_list(services.registry.listed() + services.embedder.models.listed()))


async def get_model(call: Call, services: Services) -> web.StreamResponse:
    """GET models/{model}: every name that generation or embedding accepts."""
    name = call.params["model"]
    embedding = services.embedder.models
    embeds = embedding.is_listed(name) and not services.registry.is_listed(name)
    return json_response(model_object(name, (embedding if embeds else services.registry).resolve(name)))


async def delete_model(call: Call, services: Services) -> web.StreamResponse:
    """DELETE models/{model}: nothing here can be deleted."""
    name = call.params["model"]
    if services.registry.is_listed(name) or services.embedder.models.is_listed(name):
        raise Forbidden(f"The model `{name}` is part of this server and can't be deleted.")
    raise UnknownModel(name)


async def _answer_chat(call: Call, services: Services, decoded: Decoded) -> web.StreamResponse:
    batches = watch(call, services.pipeline.run(decoded.generation))
    identity = _identity(services, "chatcmpl")
    if decoded.stream:
        return await _stream(call, services, batches, ChatStream(decoded.answering, identity))
    return json_response(encode_chat(await fold(batches), decoded.answering, identity()))


async def _stream(
    call: Call,
    services: Services,
    batches: AsyncGenerator[Sequence[GenerationEvent], None],
    encoder: StreamEncoder[GenerationEvent],
) -> web.StreamResponse:
    return await stream_events(
        call,
        batches,
        encoder,
        content_type=SSE_TYPE,
        headers=SSE_HEADERS,
        ping=PING,
        ping_seconds=services.settings.sse_ping_seconds,
        write_idle_seconds=services.settings.write_idle_seconds,
    )


def _check(call: Call, services: Services, request: GenerationRequest) -> None:
    """Refuse a model that is not served, and log probabilities where the engine tells none."""
    call.model = request.model
    services.registry.resolve(request.model)
    if request.logprobs is not None and not services.pipeline.supports_logprobs:
        raise BadRequest(
            "'logprobs' is not supported: the model behind this server tells no log probabilities.",
            field="logprobs",
            reason="unsupported_parameter",
        )


def _run(services: Services, requests: list[GenerationRequest]) -> AsyncGenerator[list[GenerationEvent], None]:
    if requests[0].max_tokens == 0:
        return generate_nothing(services.pipeline, requests)
    if len(requests) == 1:
        return services.pipeline.run(requests[0])
    return generate_several(services.pipeline, requests)


async def _echo(services: Services, prompt: str | list[int] | None) -> str:
    """The prompt as text."""
    if not isinstance(prompt, list):
        return prompt or ""
    try:
        return await services.pipeline.detokenize(prompt)
    except NotServed as error:
        raise BadRequest(error.message, field="echo", reason="unsupported_value") from None


def _identity(services: Services, prefix: str) -> Callable[[], Identity]:
    """Id and time of this answer. The engine's fingerprint is asked for when the answer begins: it is known by then."""
    answer_id = f"{prefix}-{os.urandom(_ID_BYTES).hex()}"
    created = int(time.time())
    return lambda: Identity(answer_id, created, services.pipeline.fingerprint)


def _routes() -> tuple[Route, ...]:
    routes: list[Route] = []
    table: tuple[tuple[str, str, Handler, str], ...] = (
        ("POST", "/chat/completions", create_chat_completion, "openai-chat"),
        ("POST", "/completions", create_completion, "openai-completions"),
        ("POST", "/embeddings", create_embeddings, "embeddings"),
        ("GET", "/models", list_models, "models"),
        ("GET", "/models/{model:rest}", get_model, "models"),
        ("DELETE", "/models/{model:rest}", delete_model, "models"),
    )
    for prefix in _PREFIXES:
        # Without a version, models are Gemini's.
        served = [row for row in table if prefix or row[3] != "models"]
        routes += [Route(method, prefix + path, handler, surface) for method, path, handler, surface in served]
        routes += unserved_routes(prefix)
    return tuple(routes)


PROTOCOL: Final = Protocol(name="openai", routes=_routes(), render_error=render_error, headers=headers)
