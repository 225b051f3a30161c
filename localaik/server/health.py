"""`GET /health` (can an answer come?) and `GET /health/live` (does the process serve?)."""

from collections.abc import Callable, Mapping

from aiohttp import web

from localaik.engine.engine import Engine, Health
from localaik.errors import LocalaikError, MethodNotAllowed, NotFound
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import Protocol, Route, Services

__all__ = ["service_protocol"]


def service_protocol(engine: Engine, is_stopping: Callable[[], bool]) -> Protocol:
    """The routes that belong to no wire protocol. `is_stopping` turns true when the server shuts down."""

    async def health(call: Call, services: Services) -> web.Response:
        state = await engine.health()
        if is_stopping():
            state = Health(ok=False, reason="stopping", details=state.details)
        body = {
            "status": "ok" if state.ok else "unhealthy",
            **({} if state.ok else {"reason": state.reason}),
            "model": services.registry.listed()[0].id,
            **state.details,
        }
        return json_response(body, status=200 if state.ok else 503, headers=None if state.ok else {"Retry-After": "1"})

    async def live(_call: Call, _services: Services) -> web.Response:
        return json_response({"status": "ok"})

    routes = (Route("GET", "/health", health, "service"), Route("GET", "/health/live", live, "service"))
    return Protocol("service", routes, _render_error, _headers)


def _render_error(error: LocalaikError, _call: Call) -> web.Response:
    if isinstance(error, MethodNotAllowed):
        return json_response({"error": error.message}, status=405, headers={"Allow": ", ".join(error.allowed)})
    if isinstance(error, NotFound):
        return json_response({"error": "not found", "detail": "Not Found"}, status=404)
    return json_response({"error": error.message}, status=500)


def _headers(_call: Call) -> Mapping[str, str]:
    return {"Cache-Control": "no-store"}
