"""`GET /health` (can an answer come?) and `GET /health/live` (does the process serve?)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from aiohttp import web

from localaik.engine.embedding import EmbeddingEngine
from localaik.engine.engine import Engine, Health
from localaik.errors import (
    BadRequest,
    Forbidden,
    LocalaikError,
    MethodNotAllowed,
    NotFound,
    Unauthorized,
    WrongContentType,
)
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import ALWAYS_SERVED, Protocol, Route, Services
from localaik.settings import Settings, limits

__all__ = ["service_protocol"]

_YES: Final = frozenset({"", "1", "true", "yes", "on"})


def service_protocol(
    engine: Engine,
    embedding_engine: EmbeddingEngine | None,
    is_stopping: Callable[[], bool],
    more: Sequence[Route] = (),
    whole: Settings | None = None,
) -> Protocol:
    """The routes that belong to no wire protocol, `more` among them.

    `embedding_engine` is None where embeddings are off; `is_stopping` turns true when the server shuts down. `whole` is
    what the settings of all workers together are, where this is one of several.
    """

    async def health(call: Call, services: Services) -> web.Response:
        state = await engine.health()
        if is_stopping():
            state = Health(ok=False, reason="stopping", details=state.details)
        body = {
            "status": "ok" if state.ok else "unhealthy",
            **({} if state.ok else {"reason": state.reason}),
            "model": services.registry.listed()[0].id,
            **state.details,
            "embeddings": None if embedding_engine is None else _embeddings(embedding_engine, services),
        }
        if call.request.query.get("verbose", "no").lower() in _YES:
            body["limits"] = {**limits(whole or services.settings), "max_concurrent": engine.gate.slots}
        return json_response(body, status=200 if state.ok else 503, headers=None if state.ok else {"Retry-After": "1"})

    async def live(_call: Call, _services: Services) -> web.Response:
        return json_response({"status": "ok"})

    routes = (
        Route("GET", "/health", health, ALWAYS_SERVED, is_open=True),
        Route("GET", "/health/live", live, ALWAYS_SERVED, is_open=True),
        *more,
    )
    return Protocol("service", routes, _render_error, _headers)


def _embeddings(engine: EmbeddingEngine, services: Services) -> dict[str, object]:
    """What embeds. It decides nothing: it starts when it is needed."""
    models = services.embedder.models.listed()
    return {**({"model": models[0].id} if models else {}), "engine": engine.describe()}


def _render_error(error: LocalaikError, _call: Call) -> web.Response:
    if isinstance(error, MethodNotAllowed):
        return json_response({"error": error.message}, status=405, headers={"Allow": ", ".join(error.allowed)})
    if isinstance(error, Unauthorized):
        return json_response({"error": error.message}, status=401, headers={"WWW-Authenticate": error.challenge})
    if isinstance(error, NotFound):
        return json_response({"error": "not found", "detail": "Not Found"}, status=404)
    statuses = ((Forbidden, 403), (BadRequest, 400), (WrongContentType, 415))
    status = next((status for kind, status in statuses if isinstance(error, kind)), 500)
    return json_response({"error": error.message}, status=status)


def _headers(_call: Call) -> Mapping[str, str]:
    return {"Cache-Control": "no-store"}
