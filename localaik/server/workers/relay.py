"""Hands a request on to the worker that has what it asks for, and its answer back."""

import asyncio
from collections.abc import Mapping
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector, web
from yarl import URL

from localaik.errors import Unavailable
from localaik.http.call import Call

__all__ = ["relay"]

_KEPT: Final = ("Accept", "Accept-Encoding")
_OF_THE_CONNECTION: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "date", "server"})


async def relay(call: Call, address: str, *, write_idle_seconds: float) -> web.StreamResponse:
    """The answer of the neighbour whose socket is at `address`. Bodies are left out: these requests need none.

    Ends where the caller reads nothing for `write_idle_seconds`, 0 is no limit. Raises `Unavailable` where the
    neighbour is gone.
    """
    request = call.request
    headers = {name: request.headers[name] for name in _KEPT if name in request.headers}
    url = URL("http://localhost" + request.raw_path, encoded=True)
    response: web.StreamResponse | None = None
    async with ClientSession(
        connector=UnixConnector(address), timeout=ClientTimeout(total=None), auto_decompress=False
    ) as session:
        try:
            async with session.request(request.method, url, headers=headers) as answer:
                response = web.StreamResponse(status=answer.status, headers=_headers(answer.headers, call))
                await response.prepare(request)
                async for piece in answer.content.iter_any():
                    async with asyncio.timeout(write_idle_seconds or None):
                        await response.write(piece)
                await response.write_eof()
        except TimeoutError:  # the caller has stopped reading, so nothing more would be sent
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError from None
        except ClientError as error:
            if response is None:
                raise Unavailable("What has the answer is gone. Try again.", reason="loading") from None
            if isinstance(error, ConnectionError) or request.transport is None:
                raise ConnectionResetError from None  # the caller has left
            request.transport.abort()  # half an answer must not look like a whole one
    return response


def _headers(told: Mapping[str, str], call: Call) -> dict[str, str]:
    """The neighbour's headers, and ours, which know who asks."""
    theirs = {name: value for name, value in told.items() if name.lower() not in _OF_THE_CONNECTION}
    return {**theirs, **call.answer_headers()}
