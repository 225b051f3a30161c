"""Request bodies: read within limits, taken for JSON only when they say so, parsed strictly."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import orjson
from aiohttp import ClientPayloadError, StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from localaik.errors import BadRequest, RequestTooLarge, TimedOut, WrongContentType
from localaik.http.call import Call
from localaik.http.coding import is_packed, unpacked
from localaik.settings import Settings

__all__ = ["read_json"]

_UTF8_NAMES = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_BOM = b"\xef\xbb\xbf"


async def read_json(call: Call, settings: Settings) -> object:
    """The body as one JSON value: dict, list, str, int, float, bool or None.

    Raises `WrongContentType` where the body is not declared as JSON, `RequestTooLarge` over the size limit, `TimedOut`
    where the caller stops sending, and `BadRequest` (reason `invalid_json`) for everything that is not exactly one
    JSON value in UTF-8 within the depth limit.
    """
    check_content_type(call.request)
    return parse_json(await read_body(call.request, settings), settings.max_json_depth)


def check_content_type(request: web.BaseRequest) -> None:
    """Refuse a body that is not declared as JSON in UTF-8.

    A plain HTML form can send any text under `text/plain`, but nothing as JSON without a preflight. So the check keeps
    web pages from driving the server; a caller that sends no type and no `Origin` is no web page.
    """
    declared = request.headers.get("Content-Type")
    if declared is None:
        if "Origin" not in request.headers:
            return
        raise WrongContentType("The Content-Type header is missing; send application/json.")
    if declared == "application/json":
        return
    kind = request.content_type
    is_json = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    if not is_json or (request.charset or "utf-8").lower() not in _UTF8_NAMES:
        raise WrongContentType("The body must be JSON in UTF-8; send Content-Type: application/json.")


async def read_body(request: web.BaseRequest, settings: Settings) -> bytes:
    """The whole body, decompressed, at most `max_body_bytes` long; each piece within `body_idle_seconds`."""
    limit = settings.max_body_bytes
    if limit and (request.content_length or 0) > limit:
        raise RequestTooLarge(limit)
    content = request.content
    packed = is_packed(request)
    if content.is_eof() and content.exception() is None and not packed:
        whole = content.read_nowait()  # a small body usually comes along with its head: nothing to wait for
        if limit and len(whole) > limit:
            raise RequestTooLarge(limit)
        return whole
    pieces: list[bytes] = []
    size = 0
    read = _pieces(content, settings)
    async for piece in unpacked(request, read) if packed else read:
        size += len(piece)
        if limit and size > limit:
            raise RequestTooLarge(limit)
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _pieces(content: StreamReader, settings: Settings) -> AsyncIterator[bytes]:
    try:
        while True:
            async with asyncio.timeout(settings.body_idle_seconds or None):
                piece = await content.readany()
            if not piece:
                return
            yield piece
    except TimeoutError:
        raise TimedOut("The request body did not arrive in time.", reason="request_timeout") from None
    except (ClientPayloadError, HttpProcessingError, web.RequestPayloadError) as error:
        raise BadRequest("The request body can't be decoded.", reason="invalid_json") from error


def parse_json(body: bytes, max_depth: int) -> object:
    """One JSON value in UTF-8, a byte order mark allowed, nested at most `max_depth` deep (0: any)."""
    try:
        value = orjson.loads(body.removeprefix(_BOM))
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The request body is not valid JSON: {error.msg}.", reason="invalid_json") from None
    # Depth needs that many brackets, and counting bytes is far cheaper than walking the value.
    if max_depth and body.count(b"[") + body.count(b"{") > max_depth and _is_deeper(value, max_depth):
        raise BadRequest(
            f"The request body is nested more than {max_depth} levels deep (LOCALAIK_MAX_JSON_DEPTH).",
            reason="invalid_json",
        )
    return value


def _is_deeper(value: object, max_depth: int) -> bool:
    level: list[object] = [value]
    for _ in range(max_depth):
        level = [child for item in level for child in _children(item)]
    return any(isinstance(item, dict | list) for item in level)


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
