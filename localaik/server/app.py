"""The one handler of all requests: it routes, calls, turns faults into answers and writes the access line."""

import asyncio
import logging
import os
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from localaik.errors import InternalFault, LocalaikError, MethodNotAllowed, NotFound
from localaik.http.call import Call
from localaik.protocols.contract import Protocol, Route, Services
from localaik.server.access import log_access
from localaik.server.routing import Match, Router, Unrouted

__all__ = ["Face"]

_CLIENT_CLOSED_REQUEST: Final = 499  # nginx's word for it; stands in the access log only
_log = logging.getLogger(__name__)


class Face:
    """Everything between aiohttp and the handlers: `handle` answers every request, whatever happens."""

    def __init__(self, services: Services, protocols: Sequence[Protocol]) -> None:
        """The last protocol answers for what nobody owns. The caller starts and stops what `services` hold."""
        self._services = services
        self._protocols = {protocol.name: protocol for protocol in protocols}
        self._router = Router((protocol.name, route) for protocol in protocols for route in protocol.routes)
        self._default = protocols[-1]
        self._active = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def quiet(self) -> None:
        """Return when no request is being answered."""
        await self._quiet.wait()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        raw_path, _, _ = request.raw_path.partition("?")
        found = self._router.find(request.method, raw_path, request.headers, request.query)
        protocol = self._protocols.get(found.protocol, self._default)
        call = Call(request, _new_id(), protocol.name, protocol_headers=protocol.headers)
        self._active += 1
        self._quiet.clear()
        try:
            response = await self._respond(call, protocol, found, raw_path)
        except asyncio.CancelledError:
            self._log(call, raw_path, _CLIENT_CLOSED_REQUEST)
            raise
        finally:
            self._active -= 1
            if not self._active:
                self._quiet.set()
        if not response.prepared:
            response.headers.update(call.answer_headers())
        self._log(call, raw_path, _CLIENT_CLOSED_REQUEST if call.caller_left else response.status)
        return response

    async def _respond(
        self, call: Call, protocol: Protocol, found: Match[Route] | Unrouted, raw_path: str
    ) -> web.StreamResponse:
        try:
            if isinstance(found, Unrouted):
                raise _refusal(found, call.request.method, raw_path)
            call.params = found.params
            return await found.route.handler(call, self._services)
        except LocalaikError as error:
            call.failure = error
            return protocol.render_error(error, call)
        except ConnectionError:
            raise asyncio.CancelledError from None
        except Exception as error:  # noqa: BLE001 - the last line of defence: a defect of ours is a clean 500
            call.failure = error
            _log.exception("request %s failed", call.request_id)
            return protocol.render_error(InternalFault("The server had an error while processing your request."), call)

    def _log(self, call: Call, raw_path: str, status: int) -> None:
        if self._services.settings.access_log:
            log_access(call, raw_path, status)


def _refusal(found: Unrouted, method: str, raw_path: str) -> LocalaikError:
    if found.allowed:
        return MethodNotAllowed(found.allowed)
    return NotFound(f"Not Found: {method} {raw_path}", reason="unknown_url")


def _new_id() -> str:
    return "req_" + urlsafe_b64encode(os.urandom(18)).decode()
