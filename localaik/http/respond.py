"""Whole answers: JSON bodies, compressed for callers that accept it."""

import gzip
from collections.abc import Mapping

import orjson
from aiohttp import web

from localaik.http.call import Call

__all__ = ["json_response"]

_GZIP_LEVEL = 1  # the cheapest level already takes most of what JSON has to give


def json_response(
    payload: object,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    content_type: str = "application/json",
    gzip_for: Call | None = None,
) -> web.Response:
    """An answer with a JSON body.

    `payload` is sent as it is when it is `bytes`, else written by orjson. With `gzip_for`, the body is compressed when
    that call's caller accepts gzip. `content_type` may carry parameters.
    """
    body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    all_headers = {"Content-Type": content_type}
    if headers:
        all_headers.update(headers)
    if gzip_for is not None and "gzip" in gzip_for.request.headers.get("Accept-Encoding", ""):
        body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        all_headers["Content-Encoding"] = "gzip"
    return web.Response(body=body, status=status, headers=all_headers)
