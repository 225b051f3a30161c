"""How answers leave: content types, errors, and headers that all answers have."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from localaik.errors import LocalaikError, NotFound
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.openai.errors import answer_of, error_object

__all__ = ["PING", "SSE_HEADERS", "SSE_TYPE", "headers", "render_error"]

SSE_TYPE: Final = "text/event-stream; charset=utf-8"
SSE_HEADERS: Final = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
PING: Final = b": keep-alive\n\n"
"""A comment, which readers of events skip."""

_MAX_PATH_CHARS: Final = 500
_PROMPT_FIELDS: Final = (
    ("chat/completions", "messages"),
    ("completions", "prompt"),
    ("embeddings", "input"),
    ("responses", "input"),
    ("responses/input_tokens", "input"),
    ("responses/compact", "input"),
)
"""End of a path -> the request's field that holds the prompt; the first that fits."""
_PACED: Final = ("completions", "embeddings", "responses")
_HEADERS: Final = {"openai-version": "2020-10-01", "openai-organization": "localaik"}
_RATE_LIMITS: Final = {
    "x-ratelimit-limit-requests": "10000",
    "x-ratelimit-limit-tokens": "10000000",
    "x-ratelimit-remaining-requests": "9999",
    "x-ratelimit-remaining-tokens": "9999999",
    "x-ratelimit-reset-requests": "6ms",
    "x-ratelimit-reset-tokens": "6ms",
}
"""Clients read these to pace themselves. There is no limiter, so they never have to."""


def render_error(error: LocalaikError, call: Call) -> web.Response:
    """An error answer."""
    path = call.request.path
    if isinstance(error, NotFound) and error.reason == "unknown_url":
        where = f"{call.request.method} {path[:_MAX_PATH_CHARS]}"
        error = NotFound(f"Unknown request URL: {where}. Please check the URL for typos.", reason=error.reason)
    prompt_field = next((name for end, name in _PROMPT_FIELDS if path.rstrip("/").endswith(end)), "messages")
    answer = answer_of(error, prompt_field=prompt_field)
    return json_response(error_object(error, prompt_field=prompt_field), status=answer.status, headers=answer.headers)


def headers(call: Call) -> Mapping[str, str]:
    """Headers of every answer."""
    result = {**_HEADERS, "openai-processing-ms": f"{call.elapsed_ms():.0f}"}
    if call.request.path.rstrip("/").endswith(_PACED):
        result.update(_RATE_LIMITS)
    return result
