"""Chat completions: read, decode, run, keep, encode, write."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

import orjson
from aiohttp import web

from localaik.errors import BadRequest
from localaik.generation.events import GenerationEvent
from localaik.generation.fold import Folding, Generation, fold
from localaik.http.body import read_json
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import Services
from localaik.protocols.figures import watch
from localaik.protocols.openai.answers import check_request, identity_of, stream_answer
from localaik.protocols.openai.decode import Decoded, decode_chat
from localaik.protocols.openai.encode import Identity, Object, encode_chat
from localaik.protocols.openai.reading import read
from localaik.protocols.openai.session_turns import SESSION_HEADER, SessionTurn, session_turn
from localaik.protocols.openai.stream import ChatStream
from localaik.protocols.openai.subset import check_header, check_name, in_subset, is_strict
from localaik.protocols.openai.tools import about_schema
from localaik.protocols.openai.types import ChatRequest
from localaik.state.completion_records import Completion

__all__ = ["answer_chat", "complete_chat", "create_chat_completion"]

Adapt = Callable[[Decoded], Decoded]
Batches = AsyncGenerator[list[GenerationEvent], None]


async def create_chat_completion(call: Call, services: Services) -> web.StreamResponse:
    """POST chat/completions."""
    return await answer_chat(call, services, await read_json(call, services.settings))


async def answer_chat(
    call: Call, services: Services, body: object, *, adapt: Adapt | None = None
) -> web.StreamResponse:
    """The answer to the body of a chat request. `adapt` may change what it was decoded to."""
    check_header(call.request.headers)
    strict = is_strict(services.settings.chat_profile, call.request.headers)
    if strict:
        body = _admitted(services, body)
    request = read(ChatRequest, body)
    session_id = call.request.headers.get(SESSION_HEADER) if services.settings.serves("sessions") else None
    if not session_id:
        return await _answer(call, services, request, body, adapt=adapt, strict=strict)
    assert isinstance(body, dict)  # noqa: S101 - `read` has seen to it
    async with session_turn(services, session_id, request, body) as turn:
        return await _answer(call, services, turn.request, body, adapt=adapt, turn=turn, strict=strict)


async def complete_chat(services: Services, body: object) -> bytes:
    """The completion for a body, for callers that are no connection. `stream` changes nothing.

    Raises `LocalaikError`.
    """
    if is_strict(services.settings.chat_profile, {}):
        body = _admitted(services, body)
    decoded = _decode(services, read(ChatRequest, body))
    check_request(services, decoded.generation)
    try:
        batches, identity = _run(services, decoded, body)
        return encode_chat(await fold(batches), decoded.answering, identity())
    except BadRequest as error:
        raise about_schema(error, decoded.generation.tools, decoded.format_name) from None


def _admitted(services: Services, body: object) -> Object:
    """The body of a request that is held to the strict profile. Raises `BadRequest` and `UnknownModel`."""
    admitted = in_subset(body)
    check_name(admitted["model"], services.registry.is_listed, strict_models=services.settings.strict_models)
    return admitted


async def _answer(
    call: Call,
    services: Services,
    request: ChatRequest,
    body: object,
    *,
    adapt: Adapt | None,
    strict: bool,
    turn: SessionTurn | None = None,
) -> web.StreamResponse:
    decoded = _decode(services, request, turn)
    if strict:
        decoded.answering = replace(decoded.answering, strict=True)
    call.ignored += decoded.ignored
    if adapt is not None:
        decoded = adapt(decoded)
    call.model = decoded.generation.model
    check_request(services, decoded.generation)
    if request.reasoning_effort and not await services.pipeline.heeds_effort(decoded.generation):
        call.ignored.append("reasoning_effort")
    headers = None if turn is None else {SESSION_HEADER: turn.session_id}
    try:
        batches, identity = _run(services, decoded, body, turn)
        batches = watch(call, batches)
        if decoded.stream:
            return await stream_answer(call, services, batches, ChatStream(decoded.answering, identity), headers)
        return json_response(encode_chat(await fold(batches), decoded.answering, identity()), headers=headers)
    except BadRequest as error:
        raise about_schema(error, decoded.generation.tools, decoded.format_name) from None


def _decode(services: Services, request: ChatRequest, turn: SessionTurn | None = None) -> Decoded:
    settings = services.settings
    return decode_chat(
        request,
        default_model=services.registry.listed()[0].id,
        max_messages=settings.max_messages if turn is None else 0,  # the history of a session may be longer
        max_tools=settings.max_tools,
        strict=settings.strict_wire,
        null_calls=settings.egemma_compat,
        paths=None if turn is None else turn.paths,
    )


def _run(
    services: Services, decoded: Decoded, body: object, turn: SessionTurn | None = None
) -> tuple[Batches, Callable[[], Identity]]:
    """The events of the answer, and who it is. What is to be kept is kept before the last events are given out."""
    identity = identity_of(services, "chatcmpl")
    batches: Batches = services.pipeline.run(decoded.generation)
    if decoded.store or turn is not None:

        async def keep(generation: Generation) -> None:
            completion = encode_chat(generation, decoded.answering, identity())
            if turn is not None:
                await turn.keep(services, _said(completion, generation))
            if decoded.store:
                await _store(services, decoded, identity(), completion, body)

        batches = _kept(batches, keep)
    return batches, identity


async def _kept(batches: Batches, keep: Callable[[Generation], Awaitable[None]]) -> Batches:
    """The same batches; `keep` is done with the whole answer before the last one is given out."""
    folding = Folding()
    async with aclosing(batches):
        async for batch in batches:
            folding.feed(batch)
            if folding.is_complete:
                await keep(folding.generation)
            yield batch


async def _store(services: Services, decoded: Decoded, identity: Identity, completion: bytes, body: object) -> None:
    messages = body["messages"] if isinstance(body, dict) else []
    completions = await services.store.completions()
    await completions.save(
        Completion(
            identity.id,
            decoded.answering.model,
            completion.decode(),
            orjson.dumps(messages).decode(),
            dict(decoded.metadata),
        )
    )


def _said(completion: bytes, generation: Generation) -> Object:
    """The first choice as a message of a session: without thoughts, and without a call that the token limit cut.

    Nothing can follow such a call, as nobody has a result for it.
    """
    message: Object = orjson.loads(completion)["choices"][0]["message"]
    calls, made = message.get("tool_calls"), generation.choices[0].calls
    told = calls if isinstance(calls, list) else []
    whole = [call for call, folded in zip(told, made, strict=False) if folded.complete]
    said: Object = {"role": message["role"], "content": message["content"]}
    if whole:
        said["tool_calls"] = whole
    elif "function_call" in message and made[0].complete:
        said["function_call"] = message["function_call"]
    elif said["content"] is None:
        said["content"] = ""
    return said
