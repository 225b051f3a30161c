"""Compressed bodies, unpacked in small steps.

aiohttp can unpack bodies by itself. It does so while nothing else runs, and goes on when the request was refused long
ago: half a megabyte of gzip kept a server busy for seconds. Here each step is bounded, other requests have their turn
in between, and what nobody reads is never unpacked.
"""

import asyncio
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import Final

from aiohttp import web

from localaik.errors import BadRequest, WrongContentType

__all__ = ["is_packed", "unpacked"]

_STEP_BYTES: Final = 262_144  # of text: about a millisecond
_GZIP: Final = 16 + zlib.MAX_WBITS
_PLAIN: Final = frozenset({"", "identity"})
_GZIP_NAMES: Final = frozenset({"gzip", "x-gzip"})


def is_packed(request: web.BaseRequest) -> bool:
    """Whether the body has to be unpacked. Raises `WrongContentType` for a coding that is not known.

    gzip and deflate are (RFC 9110, section 8.4.1); not several at once.
    """
    coding = request.headers.get("Content-Encoding")
    if coding is None or coding.strip().lower() in _PLAIN:
        return False
    if coding.strip().lower() not in {*_GZIP_NAMES, "deflate"} or len(request.headers.getall("Content-Encoding")) > 1:
        raise WrongContentType("The Content-Encoding must be gzip, deflate or identity.")
    return True


async def unpacked(request: web.BaseRequest, pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """`pieces` of a body that `is_packed`, unpacked, in pieces of bounded size.

    Raises `BadRequest` where they are damaged, break off, or are followed by something else.
    """
    unpacker = _Unpacker(request.headers["Content-Encoding"].strip().lower() in _GZIP_NAMES)
    try:
        async for piece in pieces:
            for step in unpacker.feed(piece):
                yield step
                await asyncio.sleep(0)
        unpacker.finish()
    except zlib.error:
        raise BadRequest("The request body can't be decoded.", reason="invalid_json") from None


class _Unpacker:
    """gzip, of several members, too (RFC 1952, section 2.2); or deflate, with zlib's frame around it or bare."""

    def __init__(self, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._member = zlib.decompressobj(_GZIP) if is_gzip else None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What `data` unpacks to, in steps. Raises `zlib.error`."""
        while data:
            if self._member is None:
                # The low four bits of zlib's first byte are 8 (RFC 1950); many senders leave the frame out.
                self._member = zlib.decompressobj(zlib.MAX_WBITS if data[0] & 15 == 8 else -zlib.MAX_WBITS)
            if self._member.eof:
                if not self._is_gzip:
                    raise zlib.error("more behind the end")
                self._member = zlib.decompressobj(_GZIP)
            step = self._member.decompress(data, _STEP_BYTES)
            if step:
                yield step
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def finish(self) -> None:
        """There is no more. Raises `zlib.error` where there should be."""
        if self._member is not None and not self._member.eof:
            raise zlib.error("breaks off")
