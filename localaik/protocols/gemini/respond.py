"""How answers leave: content types, the two forms of streams, errors, and headers that all answers have."""

import os
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Final

import orjson
from aiohttp import web

from localaik.errors import BadRequest, LocalaikError, Unauthorized
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.gemini.errors import answer_of, error_object
from localaik.protocols.gemini.stream import Framing

__all__ = ["JSON_TYPE", "SSE_TYPE", "headers", "new_response_id", "render_error", "stream_framing", "stream_headers"]

JSON_TYPE: Final = "application/json; charset=UTF-8"
SSE_TYPE: Final = "text/event-stream"
_RESPONSE_ID_BYTES: Final = 16  # 22 characters of base64
_STREAM_ACTION: Final = ":streamGenerateContent"
_ERROR_LAYOUT: Final = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
_HEADERS: Final = {"Vary": "Origin, X-Origin, Referer", "X-Content-Type-Options": "nosniff"}


def stream_framing(call: Call) -> Framing:
    """The form of a stream that the query asks for. Raises `BadRequest` for an unknown one."""
    alt = _alt(call)
    if alt not in {"", "json", "sse"}:
        raise BadRequest(f"Invalid value for alt: {alt[:100]}. Allowed are json and sse.", field="alt")
    return Framing.SSE if alt == "sse" else Framing.ARRAY


def stream_headers(framing: Framing) -> Mapping[str, str]:
    """Headers of a stream beside its content type."""
    caching = {"Cache-Control": "no-cache"} if framing is Framing.SSE else {}
    return {"Content-Disposition": "attachment", **caching}


def new_response_id() -> str:
    """The `responseId` of one answer."""
    return urlsafe_b64encode(os.urandom(_RESPONSE_ID_BYTES)).decode().rstrip("=")


def render_error(error: LocalaikError, call: Call) -> web.Response:
    """An error answer. Streams have the error in the form of the stream: an array of one, or the type of events."""
    answer = answer_of(error)
    extra = {} if answer.retry_after is None else {"Retry-After": str(answer.retry_after)}
    if isinstance(error, Unauthorized) and answer.code == 401:
        extra["WWW-Authenticate"] = error.challenge
    payload: object = error_object(error)
    is_stream = call.request.path.rstrip("/").endswith(_STREAM_ACTION)
    is_sse = is_stream and _alt(call) == "sse"
    if is_stream and not is_sse:
        payload = [payload]
    return json_response(
        orjson.dumps(payload, option=_ERROR_LAYOUT),
        status=answer.code,
        headers=extra,
        content_type=SSE_TYPE if is_sse else JSON_TYPE,
        gzip_for=None if is_stream else call,
    )


def headers(call: Call) -> Mapping[str, str]:
    """Headers of every answer."""
    return {**_HEADERS, "Server-Timing": f"gfet4t7; dur={call.elapsed_ms():.0f}"}


def _alt(call: Call) -> str:
    query = call.request.query
    return query.get("alt") or query.get("$alt") or ""
