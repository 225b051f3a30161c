"""Completions of bare prompts: read, decode, run, encode, write."""

from collections.abc import AsyncGenerator

from aiohttp import web

from localaik.errors import BadRequest, NotServed
from localaik.generation.events import GenerationEvent
from localaik.generation.fold import fold
from localaik.generation.request import GenerationRequest
from localaik.http.body import read_json
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import Services
from localaik.protocols.figures import watch
from localaik.protocols.openai.answers import check_request, identity_of, stream_answer
from localaik.protocols.openai.completion_decode import DecodedCompletion, decode_completion
from localaik.protocols.openai.completion_encode import CompletionStream, encode_completion, keep_best
from localaik.protocols.openai.reading import read
from localaik.protocols.openai.several import generate_nothing, generate_several
from localaik.protocols.openai.types import CompletionRequest

__all__ = ["complete_text", "create_completion"]

_Batches = AsyncGenerator[list[GenerationEvent], None]


async def create_completion(call: Call, services: Services) -> web.StreamResponse:
    """POST completions."""
    decoded = _decode(services, await read_json(call, services.settings))
    call.ignored += decoded.ignored
    call.model = decoded.generations[0].model
    check_request(services, decoded.generations[0])
    echoes = await _echoes(services, decoded)
    batches = watch(call, _run(services, decoded.generations))
    if decoded.stream:
        encoder = CompletionStream(decoded.answering, identity_of(services, "cmpl"), echoes=echoes, n=decoded.n)
        return await stream_answer(call, services, batches, encoder)
    return json_response(await _whole(services, decoded, echoes, batches))


async def complete_text(services: Services, body: object) -> bytes:
    """The completion for a body, for callers that are no connection. `stream` changes nothing.

    Raises `LocalaikError`.
    """
    decoded = _decode(services, body)
    check_request(services, decoded.generations[0])
    echoes = await _echoes(services, decoded)
    return await _whole(services, decoded, echoes, _run(services, decoded.generations))


def _decode(services: Services, body: object) -> DecodedCompletion:
    return decode_completion(read(CompletionRequest, body), strict=services.settings.strict_wire)


async def _whole(services: Services, decoded: DecodedCompletion, echoes: list[str], batches: _Batches) -> bytes:
    identity = identity_of(services, "cmpl")
    generation = await fold(batches)
    if decoded.best_of > decoded.n:
        generation = keep_best(generation, decoded.best_of, decoded.n)
    return encode_completion(generation, decoded.answering, identity(), echoes=echoes, n=decoded.n)


def _run(services: Services, requests: list[GenerationRequest]) -> _Batches:
    if requests[0].max_tokens == 0:
        return generate_nothing(services.pipeline, requests)
    if len(requests) == 1:
        return services.pipeline.run(requests[0])
    return generate_several(services.pipeline, requests)


async def _echoes(services: Services, decoded: DecodedCompletion) -> list[str]:
    return [await _echo(services, request.prompt) if decoded.echo else "" for request in decoded.generations]


async def _echo(services: Services, prompt: str | list[int] | None) -> str:
    """The prompt as text."""
    if not isinstance(prompt, list):
        return prompt or ""
    try:
        return await services.pipeline.detokenize(prompt)
    except NotServed as error:
        raise BadRequest(error.message, field="echo", reason="unsupported_value") from None
