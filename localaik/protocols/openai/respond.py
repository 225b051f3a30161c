"""How answers leave: content types, errors, and headers that all answers have."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from localaik.errors import LocalaikError, NotFound
from localaik.http.call import Call
from localaik.http.quota import quota_headers
from localaik.http.respond import json_response
from localaik.protocols.openai.errors import answer_of, error_object
from localaik.protocols.openai.subset import is_strict
from localaik.settings import ChatProfile

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
"""Clients read these to pace themselves. Where nothing is limited, they never have to."""


def render_error(error: LocalaikError, call: Call, *, profile: ChatProfile = "passthrough") -> web.Response:
    """An error answer. `profile` is the server's chat profile."""
    path = call.request.path
    if isinstance(error, NotFound) and error.reason == "unknown_url":
        where = f"{call.request.method} {path[:_MAX_PATH_CHARS]}"
        error = NotFound(f"Unknown request URL: {where}. Please check the URL for typos.", reason=error.reason)
    prompt_field = next((name for end, name in _PROMPT_FIELDS if path.rstrip("/").endswith(end)), "messages")
    strict = is_strict(profile, call.request.headers) and (_creates_chat(call) or isinstance(error, NotFound))
    answer = answer_of(error, prompt_field=prompt_field, strict=strict)
    told = error_object(error, prompt_field=prompt_field, strict=strict)
    return json_response(told, status=answer.status, headers=answer.headers)


def _creates_chat(call: Call) -> bool:
    return call.request.method == "POST" and call.request.path.rstrip("/").endswith("chat/completions")


def headers(call: Call) -> Mapping[str, str]:
    """Headers of every answer."""
    result = {**_HEADERS, "openai-processing-ms": f"{call.elapsed_ms():.0f}"}
    is_counted_later = call.quota is not None and call.quota.verdict is None
    if not is_counted_later and call.request.path.rstrip("/").endswith(_PACED):
        result.update(_RATE_LIMITS)
    if call.quota is not None:
        result.update(quota_headers(call.quota))
    return result
