"""The one handler of all requests: it routes, calls, turns faults into answers and writes the access line."""

import asyncio
import logging
import os
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiohttp import web

from localaik.engine.gate import watch_slots
from localaik.errors import Forbidden, InternalFault, LocalaikError, MethodNotAllowed, NotFound, Unavailable
from localaik.http.call import Call
from localaik.http.quota import RateLimiter
from localaik.protocols.contract import ALWAYS_SERVED, Protocol, Route, Services
from localaik.server.access import CLIENT_CLOSED_REQUEST, log_access
from localaik.server.credentials import Credentials
from localaik.server.hosts import Hosts
from localaik.server.metrics import Metrics
from localaik.server.origins import Origins
from localaik.server.rates import RateCheck
from localaik.server.routing import Match, Router, Unrouted
from localaik.settings import Settings, is_loopback, read_hosts, read_keys

if TYPE_CHECKING:
    from localaik.server.tracing import Tracing

__all__ = ["Face"]

_log = logging.getLogger(__name__)


class Face:
    """Everything between aiohttp and the handlers: `handle` answers every request, whatever happens."""

    def __init__(
        self,
        services: Services,
        protocols: Sequence[Protocol],
        metrics: Metrics | None = None,
        tracing: "Tracing | None" = None,
        rates: RateLimiter | None = None,
    ) -> None:
        """The last protocol answers for what nobody owns. The caller starts and stops what `services` hold.

        `metrics` and `tracing` are told of every request. Without `rates`, callers may call as often as they like.
        """
        self._services = services
        self._metrics = metrics
        self._tracing = tracing
        if metrics is not None:
            metrics.active = lambda: self._active - self._relayed
        self._protocols = {protocol.name: protocol for protocol in protocols}
        self._router = Router(
            ((protocol.name, route) for protocol in protocols for route in protocol.routes),
            lambda route: route.surface == ALWAYS_SERVED or services.settings.serves(route.surface),
        )
        self._default = protocols[-1]
        settings = services.settings
        keys = read_keys(settings.api_key)
        self._credentials = Credentials(keys) if keys else None
        self._origins = Origins(settings.cors)
        # Who asks for a key needs no other proof that a caller is no page of somebody else's.
        is_private = not keys and is_loopback(settings.host)
        self._hosts = Hosts(read_hosts(settings.allowed_hosts)) if is_private else None
        self._rates = RateCheck(settings, rates) if rates is not None else None
        self._stopping = False
        self._active = 0
        self._relayed = 0  # of the active ones: those that a neighbour counts
        self._quiet = asyncio.Event()
        self._quiet.set()

    def stop(self) -> None:
        """Refuse requests from now on, but for those that ask how the server is; those that run go on."""
        self._stopping = True

    async def quiet(self) -> None:
        """Return when no request is being answered."""
        await self._quiet.wait()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        return await self._handle(request, is_relayed=False)

    async def handle_relayed(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request that a neighbour has checked and will log, because what it asks for is here."""
        return await self._handle(request, is_relayed=True)

    async def _handle(self, request: web.BaseRequest, *, is_relayed: bool) -> web.StreamResponse:
        raw_path, _, _ = request.raw_path.partition("?")
        found = self._router.find(request.method, raw_path, request.headers, request.query)
        protocol = self._protocols.get(found.protocol, self._default)
        call = Call(
            request,
            _new_id(),
            protocol.name,
            protocol_headers=protocol.headers,
            access_headers=self._origins.headers(request.headers.get("Origin")),
        )
        watch_slots(call.slot_use)
        self._active += 1
        self._relayed += is_relayed
        self._quiet.clear()
        try:
            response = await self._respond(call, protocol, found, raw_path, is_relayed=is_relayed)
            if not response.prepared:
                response.headers.update(call.answer_headers())
                if self._stopping:
                    response.force_close()
        except BaseException as error:
            call.failure = error if isinstance(error, Exception) else call.failure
            if not is_relayed:
                self._log(call, raw_path, CLIENT_CLOSED_REQUEST if isinstance(error, asyncio.CancelledError) else 500)
            raise
        finally:
            self._active -= 1
            self._relayed -= is_relayed
            if not self._active:
                self._quiet.set()
        if not is_relayed:
            self._log(call, raw_path, CLIENT_CLOSED_REQUEST if call.caller_left else response.status)
        return response

    def refuse(self, request: web.BaseRequest, raw_path: str, error: LocalaikError) -> web.Response:
        """The answer to what is no sound request, as the owner of `raw_path` tells errors; it has no access line."""
        found = self._router.find("GET", raw_path, request.headers, {})
        protocol = self._protocols.get(found.protocol, self._default)
        own, access = protocol.headers, self._origins.headers(None)
        call = Call(request, _new_id(), protocol.name, protocol_headers=own, access_headers=access)
        response = protocol.render_error(error, call)
        response.headers.update(call.answer_headers())
        return response

    async def _respond(
        self, call: Call, protocol: Protocol, found: Match[Route] | Unrouted, raw_path: str, *, is_relayed: bool
    ) -> web.StreamResponse:
        try:
            if isinstance(found, Unrouted):
                return self._answer_unrouted(call, found, raw_path)
            call.route = found.route.path
            call.params = found.params
            if not is_relayed:
                await self._admit(call, protocol, found.route)
                neighbour = found.route.run and await self._services.live.elsewhere(found.params[found.route.run])
                if neighbour:
                    return await _relay(call, neighbour, self._services.settings)
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

    async def _admit(self, call: Call, protocol: Protocol, route: Route) -> None:
        """Raise where the caller must not come in. The body is not looked at."""
        if self._stopping and protocol is not self._default:
            raise Unavailable("The server is stopping.", reason="stopping")
        self._check_place(call.request)
        if self._credentials is not None:
            call.caller = _check_key(self._credentials, call.request, protocol, route)
        if self._rates is not None:
            await self._rates.admit(call, route)

    def _answer_unrouted(self, call: Call, found: Unrouted, raw_path: str) -> web.Response:
        """The answer to what browsers ask before they let a page call; else a refusal is raised."""
        request = call.request
        methods = self._router.methods(raw_path) if request.method == "OPTIONS" else ()
        if not methods:
            raise _refusal(found, request.method, raw_path)
        self._check_place(request)
        allow = {"Allow": ", ".join(sorted({*methods, "OPTIONS"}))}
        is_preflight = "Origin" in request.headers and "Access-Control-Request-Method" in request.headers
        granted = self._origins.preflight(request.headers, methods) if is_preflight else {}
        return web.Response(status=204, headers={**allow, **granted})

    def _check_place(self, request: web.BaseRequest) -> None:
        """Raise `Forbidden` where a web page asks that may not, or that calls this server by a name of its own."""
        host = request.headers.get("Host")
        if self._hosts is not None and host is not None and not self._hosts.admits(host):
            raise Forbidden(
                "The Host header names no address of this machine. LOCALAIK_ALLOWED_HOSTS allows more names.",
                reason="forbidden",
            )
        if self._origins.refuses(request.headers.get("Origin"), host or ""):
            raise Forbidden(
                "Web pages of this origin may not call this server. LOCALAIK_CORS_ORIGIN allows origins.",
                reason="forbidden",
            )

    def _log(self, call: Call, raw_path: str, status: int) -> None:
        if self._metrics is not None:
            self._metrics.record(call, status)
        if self._tracing is not None:
            self._tracing.record(call, raw_path, status)
        if self._services.settings.access_log:
            log_access(call, raw_path, status)


def _refusal(found: Unrouted, method: str, raw_path: str) -> LocalaikError:
    if found.allowed:
        return MethodNotAllowed(found.allowed)
    return NotFound(f"Not Found: {method} {raw_path}", reason="unknown_url")


def _check_key(credentials: Credentials, request: web.BaseRequest, protocol: Protocol, route: Route) -> str:
    """Who calls, by the digest of the key; "" where none is needed. The body is not looked at.

    Raises `Unauthorized` where the route needs a key and the caller has none.
    """
    if route.is_open or (route.key_parameter and request.query.get(route.key_parameter)):
        return ""
    return credentials.check(request.headers, request.query.get("key") if protocol.key_in_query else None)


async def _relay(call: Call, neighbour: str, settings: Settings) -> web.StreamResponse:
    from localaik.server.workers.relay import relay  # noqa: PLC0415 - one process has no neighbours

    return await relay(call, neighbour, write_idle_seconds=settings.write_idle_seconds)


def _new_id() -> str:
    return "req_" + urlsafe_b64encode(os.urandom(18)).decode()
