"""The routes of responses: made, looked at, replayed, cancelled, deleted, counted, shortened."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from time import perf_counter
from typing import Final

import orjson
from aiohttp import web

from localaik.errors import BadRequest, LocalaikError, NotServed
from localaik.http.body import read_json
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.http.stream import stream_events
from localaik.jobs.ended import EndedWork
from localaik.jobs.live import Frame
from localaik.protocols.contract import Handler, Services
from localaik.protocols.openai.encode import Object, json_line
from localaik.protocols.openai.errors import answer_of
from localaik.protocols.openai.lists import list_object, read_list
from localaik.protocols.openai.respond import PING, SSE_HEADERS, SSE_TYPE
from localaik.protocols.openai.responses.chain import objects_of
from localaik.protocols.openai.responses.compaction import compacted
from localaik.protocols.openai.responses.context import compaction_of, count_tokens, gather
from localaik.protocols.openai.responses.decode import (
    check_include,
    fields_without_effect,
    read_compact,
    read_count,
    read_create,
)
from localaik.protocols.openai.responses.ids import new_id
from localaik.protocols.openai.responses.objects import usage_object, with_output
from localaik.protocols.openai.responses.replay import replay
from localaik.protocols.openai.responses.run import ResponseRun
from localaik.protocols.openai.responses.stream import DONE, sse
from localaik.protocols.openai.responses.websocket import connect
from localaik.state.response_records import StoredResponse

__all__ = ["answer_alone", "response_routes"]

_UNFINISHED: Final = ("queued", "in_progress")
_STOPPED: Final = "The server stopped before this response was finished."
_MAX_DIGITS: Final = 18
_END: Final = Frame("", b"")
"""Stands for the end of a stream."""


def response_routes() -> tuple[tuple[str, str, Handler], ...]:
    """Method, path behind the prefix, and handler."""
    return (
        ("POST", "/responses", _create),
        ("GET", "/responses", connect),
        ("POST", "/responses/input_tokens", _count_input),
        ("POST", "/responses/compact", _compact),
        ("GET", "/responses/{response}", _get),
        ("DELETE", "/responses/{response}", _delete),
        ("POST", "/responses/{response}/cancel", _cancel),
        ("GET", "/responses/{response}/input_items", _list_input),
    )


async def answer_alone(services: Services, body: object) -> Object:
    """The response to `body`, for callers that are no connection. Raises `LocalaikError`."""
    # In the background it is anyway; and who stops it must not get half a response for a whole one.
    run = ResponseRun(services, read_create(body).model_copy(update={"background": None}))
    try:
        await run.prepare()
        async for _ in run.frames():
            pass
        return run.response
    finally:
        run.close()


async def _create(call: Call, services: Services) -> web.StreamResponse:
    """POST responses."""
    request = read_create(await read_json(call, services.settings))
    run = ResponseRun(services, request, call=call, tells_faults=bool(request.stream or request.background))
    try:
        await run.prepare()
        if request.background:
            queued = run.response
            begun = perf_counter()
            live = services.live.start(run.id, run.frames())
            live.when_ended(run.close)
            live.when_ended(lambda: services.ended(_ended(run, call, perf_counter() - begun)))
            return await _stream(call, services, live.watch()) if request.stream else json_response(queued)
        if request.stream:
            return await _stream(call, services, run.frames())
        async for _ in run.frames():
            pass
        return json_response(run.response)
    finally:
        if not request.background:
            run.close()


def _ended(run: ResponseRun, call: Call, seconds: float) -> EndedWork:
    """What became of a response in the background that `call` has begun."""
    response = run.response
    fault = type(call.failure).__name__ if call.failure is not None else "stopped"
    return EndedWork(
        "openai",
        "response",
        run.id,
        str(response["status"]),
        seconds,
        model=call.model or "",
        tokens_in=call.prompt_tokens,
        tokens_out=call.completion_tokens,
        fault=fault if response["status"] == "failed" else "",
    )


async def _get(call: Call, services: Services) -> web.StreamResponse:
    """GET responses/{response}; with `stream=true` its events, those to come included."""
    response_id, query = call.params["response"], call.request.query
    check_include([*query.getall("include", []), *query.getall("include[]", [])])
    if query.get("stream") != "true" or call.request.method == "HEAD":
        return json_response(await _response_of(services, response_id))
    start = _whole_number(query, "starting_after") + 1
    live = services.live.get(response_id)
    if live is not None:
        return await _stream(call, services, live.watch(start))
    return await _stream(call, services, _told(replay(await _response_of(services, response_id))[start:]))


async def _delete(call: Call, services: Services) -> web.StreamResponse:
    """DELETE responses/{response}."""
    response_id = call.params["response"]
    live = services.live.get(response_id)
    if live is not None:
        await live.cancel()
        services.live.forget(response_id)
    await (await services.store.responses()).delete(response_id)
    return json_response({"id": response_id, "object": "response", "deleted": True})


async def _cancel(call: Call, services: Services) -> web.StreamResponse:
    """POST responses/{response}/cancel: a finished one stays what it is."""
    response_id = call.params["response"]
    if not (await _response_of(services, response_id))["background"]:
        raise BadRequest("Cannot cancel a synchronous response.", reason="invalid_value")
    live = services.live.get(response_id)
    if live is not None:
        await live.cancel()
    return json_response(await _response_of(services, response_id))


async def _list_input(call: Call, services: Services) -> web.StreamResponse:
    """GET responses/{response}/input_items."""
    wanted = read_list(call.request.query)
    check_include(wanted.include)
    page = await (await services.store.responses()).input_items(
        call.params["response"], limit=wanted.limit, after=wanted.after, newest_first=wanted.newest_first
    )
    return json_response(list_object(objects_of(page.items), has_more=page.has_more))


async def _count_input(call: Call, services: Services) -> web.StreamResponse:
    """POST responses/input_tokens."""
    request = read_count(await read_json(call, services.settings))
    call.model = request.model
    if request.model:
        services.registry.resolve(request.model)
    context = await gather(services, request)
    call.ignored += fields_without_effect(request, strict=services.settings.strict_wire)
    try:
        tokens = await count_tokens(context, request, services)
    except NotServed as error:
        raise BadRequest(error.message, reason="unsupported_value") from None
    return json_response({"object": "response.input_tokens", "input_tokens": tokens})


async def _compact(call: Call, services: Services) -> web.StreamResponse:
    """POST responses/compact: the user's messages, and one item for all the others."""
    request = read_compact(await read_json(call, services.settings))
    call.model = request.model
    services.registry.resolve(request.model)
    context = await gather(services, request)
    call.ignored += fields_without_effect(request, strict=services.settings.strict_wire)
    if request.instructions is not None:
        call.ignored.append("instructions")
    items = [*context.history, *context.new]
    made, usage = await compaction_of(items, request.model, services)
    answer = {
        "id": new_id("resp"),
        "object": "response.compaction",
        "created_at": int(time.time()),
        "output": compacted(items, made),
        "usage": usage_object(usage),
    }
    return json_response(answer)


async def _response_of(services: Services, response_id: str) -> Object:
    """A response as it stands now. Raises `UnknownResponse`."""
    shown = services.live.shown(response_id)
    if shown is not None:
        return shown
    responses = await services.store.responses()
    stored = await responses.get(response_id)
    if stored.status in _UNFINISHED:
        stored = _interrupted(stored)
        await responses.save(stored)
    return with_output(orjson.loads(stored.body), objects_of(stored.output))


def _interrupted(stored: StoredResponse) -> StoredResponse:
    """What became of a response whose server stopped while it worked on it."""
    body: Object = orjson.loads(stored.body)
    body |= {"status": "failed", "error": {"code": "server_error", "message": _STOPPED}}
    return replace(stored, status="failed", body=orjson.dumps(body).decode())


class _SseEncoder:
    """Frames as server-sent events; `[DONE]` follows the last one."""

    def feed(self, events: Sequence[Frame]) -> bytes:
        """The events of a batch; the one of the end stands alone."""
        return DONE if events[0] is _END else sse(events)

    def fail(self, error: LocalaikError) -> bytes:
        """A fault that no response tells."""
        return _error_event(error)


async def _stream(call: Call, services: Services, batches: AsyncGenerator[Sequence[Frame], None]) -> web.StreamResponse:
    return await stream_events(
        call,
        _with_end(batches),
        _SseEncoder(),
        content_type=SSE_TYPE,
        headers=SSE_HEADERS,
        ping=PING,
        ping_seconds=services.settings.sse_ping_seconds,
        write_idle_seconds=services.settings.write_idle_seconds,
    )


async def _with_end(batches: AsyncGenerator[Sequence[Frame], None]) -> AsyncGenerator[Sequence[Frame], None]:
    async with aclosing(batches):
        async for batch in batches:
            if batch:
                yield batch
    yield [_END]


async def _told(frames: list[Frame]) -> AsyncGenerator[list[Frame], None]:
    yield frames


def _error_event(error: LocalaikError) -> bytes:
    told = answer_of(error, prompt_field="input")
    event = {"type": "error", "sequence_number": 0, "code": told.code, "message": told.message, "param": told.param}
    return b"event: error\ndata: " + json_line(event) + b"\n\n"


def _whole_number(query: Mapping[str, str], name: str) -> int:
    """A number of the query; -1 where it is not given. Raises `BadRequest`."""
    text = query.get(name)
    if text is None:
        return -1
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        message = f"Invalid type for '{name}': expected an integer, but got {text[:100]!r} instead."
        raise BadRequest(message, field=name, reason="invalid_type")
    return int(text)
