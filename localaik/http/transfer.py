"""Bytes that are too many for memory: bodies read in pieces, answers written in pieces, parts of files."""

import asyncio
import re
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from typing import Final

from aiohttp import BodyPartReader, ClientPayloadError, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from localaik.errors import BadRequest, LocalaikError, TimedOut, WrongContentType
from localaik.http.call import Call
from localaik.http.coding import is_packed, unpacked
from localaik.settings import Settings

__all__ = ["UNSATISFIABLE", "ByteRange", "body_parts", "body_pieces", "part_pieces", "requested_range", "send_pieces"]

ByteRange = tuple[int, int]
"""First byte, and the one after the last."""
UNSATISFIABLE: Final = (-1, -1)
"""A range that lies outside of the content."""

_RANGE: Final = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})", re.IGNORECASE | re.ASCII)
_PART_PIECE_BYTES: Final = 65_536
_PLAIN_ENCODINGS: Final = frozenset({"binary", "8bit", "7bit"})
_BROKEN: Final = (ClientPayloadError, HttpProcessingError, web.RequestPayloadError)


async def body_pieces(request: web.BaseRequest, settings: Settings) -> AsyncIterator[bytes]:
    """The body in pieces as they arrive, decompressed; of any length in all.

    Raises `TimedOut` where the caller stops sending, `BadRequest` where the body breaks off or can't be decoded, and
    `WrongContentType` for an unknown `Content-Encoding`.
    """
    packed = is_packed(request)
    await _welcome(request)
    read = _raw_pieces(request, settings)
    async for piece in unpacked(request, read) if packed else read:
        yield piece


async def _raw_pieces(request: web.BaseRequest, settings: Settings) -> AsyncIterator[bytes]:
    try:
        while True:
            async with asyncio.timeout(settings.body_idle_seconds or None):
                piece = await request.content.readany()
            if not piece:
                return
            yield piece
    except TimeoutError:
        raise TimedOut("The request body did not arrive in time.", reason="request_timeout") from None
    except _BROKEN as error:
        raise _broken() from error


async def body_parts(request: web.BaseRequest, settings: Settings) -> AsyncIterator[BodyPartReader]:
    """The parts of a multipart body (RFC 2046, section 5.1), one after the other; read each before the next.

    Raises as `body_pieces`, and `BadRequest` for what is no flat multipart body.
    """
    if is_packed(request):
        raise WrongContentType("A multipart body must be sent as it is, without a Content-Encoding.")
    await _welcome(request)
    if not request.content_type.startswith("multipart/") or "boundary=" not in request.headers["Content-Type"]:
        raise BadRequest("The body must be multipart, and its Content-Type must name the boundary.")
    try:
        reader = MultipartReader(request.headers, request.content)
        while True:
            async with asyncio.timeout(settings.body_idle_seconds or None):
                part = await reader.next()
            if part is None:
                return
            if not isinstance(part, BodyPartReader):
                raise BadRequest("The parts of the multipart body may not be multipart themselves.")
            if not all(map(_is_utf8, part.headers.values())):
                raise BadRequest("The headers of the parts of the multipart body must be UTF-8.")
            if part.headers.get("Content-Transfer-Encoding", "binary").lower() not in _PLAIN_ENCODINGS:
                raise BadRequest("The parts of the multipart body must be sent as they are, not encoded.")
            yield part
    except TimeoutError:
        raise TimedOut("The request body did not arrive in time.", reason="request_timeout") from None
    except (*_BROKEN, ValueError) as error:
        raise _broken() from error


async def part_pieces(part: BodyPartReader, settings: Settings) -> AsyncIterator[bytes]:
    """One part in pieces. Raises as `body_pieces`."""
    try:
        while True:
            async with asyncio.timeout(settings.body_idle_seconds or None):
                piece = await part.read_chunk(_PART_PIECE_BYTES)
            if not piece:
                return
            yield bytes(piece)
    except TimeoutError:
        raise TimedOut("The request body did not arrive in time.", reason="request_timeout") from None
    except (*_BROKEN, ValueError) as error:
        raise _broken() from error


def requested_range(header: str | None, size: int) -> ByteRange | None:
    """What a `Range` header asks for of `size` bytes (RFC 9110, section 14.2): a range, `UNSATISFIABLE`, or all (None).

    All is also the answer to what is no range of bytes, and to several at once, as the RFC allows.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = int(match[2])
        return (max(size - length, 0), size) if length and size else UNSATISFIABLE
    first = int(match[1])
    last = int(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    return (first, min(last, size - 1) + 1) if first < size else UNSATISFIABLE


async def send_pieces(
    call: Call,
    pieces: AsyncIterable[bytes],
    *,
    size: int,
    status: int,
    headers: Mapping[str, str],
    write_idle_seconds: float,
) -> web.StreamResponse:
    """Write an answer of `size` bytes that come in pieces, and return it; to HEAD its headers alone.

    A caller who leaves, or reads nothing for `write_idle_seconds`, ends it; a fault of `pieces` cuts the connection.
    """
    response = web.StreamResponse(status=status, headers={**headers, **call.answer_headers()})
    response.content_length = size
    await response.prepare(call.request)
    if call.request.method == "HEAD":
        return response
    try:
        async for piece in pieces:
            async with asyncio.timeout(write_idle_seconds or None):
                await response.write(piece)
        await response.write_eof()
    except (ConnectionError, TimeoutError):
        call.caller_left = True
    except LocalaikError as error:
        # The status is sent: only a cut connection can still tell that the answer is not whole.
        call.failure = error
        if call.request.transport is not None:
            call.request.transport.abort()
    return response


async def _welcome(request: web.BaseRequest) -> None:
    """Tell a caller who asks first (`Expect: 100-continue`) to go on."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _is_utf8(header: str) -> bool:
    """Python keeps bytes that are not as halves of surrogate pairs, which nothing can write again (PEP 383)."""
    try:
        header.encode()
    except UnicodeEncodeError:
        return False
    return True


def _broken() -> BadRequest:
    return BadRequest("The request body breaks off or can't be decoded.", reason="broken_body")
