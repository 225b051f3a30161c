"""The OpenAI API as Google serves it beside Gemini (`/v1beta/openai/`): other names of models, and errors of its own.

Source: "OpenAI compatibility" in the documentation of the Gemini API.
"""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from localaik.errors import BadRequest, Forbidden, LocalaikError, NotFound
from localaik.http.body import read_json
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import Handler, Protocol, Route, Services
from localaik.protocols.openai.embeddings import answer_embeddings
from localaik.protocols.openai.encode import model_object
from localaik.protocols.openai.errors import answer_of
from localaik.protocols.openai.routes import answer_chat

__all__ = ["GOOGLE"]

_PREFIXES: Final = ("/v1beta/openai", "/v1/openai", "/v1alpha/openai")
_MODELS: Final = "models/"
_STATUSES: Final[Mapping[int, str]] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_AS: Final[Mapping[int, int]] = {405: 404, 408: 504, 413: 400, 415: 400, 422: 400, 501: 404}
"""Statuses that this API has not, and the ones that it gives instead."""


async def _create_chat_completion(call: Call, services: Services) -> web.StreamResponse:
    """POST chat/completions."""
    body = await read_json(call, services.settings)
    if isinstance(body, dict):
        body = _with_plain_model(body)
        _read_own_fields(body, call)
    return await answer_chat(call, services, body)


async def _create_embeddings(call: Call, services: Services) -> web.StreamResponse:
    """POST embeddings."""
    body = await read_json(call, services.settings)
    return await answer_embeddings(call, services, _with_plain_model(body) if isinstance(body, dict) else body)


async def _list_models(_call: Call, services: Services) -> web.StreamResponse:
    """GET models."""
    entries = services.registry.listed() + services.embedder.models.listed()
    data = [model_object(f"{_MODELS}{entry.id}", entry) for entry in entries]
    return json_response({"object": "list", "data": data})


async def _get_model(call: Call, services: Services) -> web.StreamResponse:
    """GET models/{model}."""
    name = call.params["model"].removeprefix(_MODELS)
    embedding = services.embedder.models
    embeds = embedding.is_listed(name) and not services.registry.is_listed(name)
    entry = (embedding if embeds else services.registry).resolve(name)
    return json_response(model_object(f"{_MODELS}{name}", entry))


async def _refuse(call: Call, _services: Services) -> web.StreamResponse:
    """Whatever else there is: 404, as clients of this API ask again for every status above 499."""
    raise NotFound(f"{call.request.method} {call.request.path[:500]} is not served here.", reason="unknown_url")


def _with_plain_model(body: dict[str, object]) -> dict[str, object]:
    """The body with the model's bare name."""
    model = body.get("model")
    return {**body, "model": model.removeprefix(_MODELS)} if isinstance(model, str) else body


def _read_own_fields(body: dict[str, object], call: Call) -> None:
    """Take Google's own fields out of the body. Raises `BadRequest` and `Forbidden` for what they can't ask for."""
    wrapped = body.pop("extra_body", None)
    own = body.pop("google", None)
    if own is None and isinstance(wrapped, dict):
        own = wrapped.get("google")
    if own is None:
        return
    if not isinstance(own, dict):
        raise BadRequest("Invalid value for 'google': expected an object.", field="google", reason="invalid_type")
    if own.get("cached_content") is not None:
        raise Forbidden("CachedContent not found (or permission denied)")
    if own.get("thinking_config") is not None and body.get("reasoning_effort") is not None:
        raise BadRequest(
            "Only one of reasoning_effort and thinking_config can be set.",
            field="reasoning_effort",
            reason="mutually_exclusive_parameters",
        )
    call.ignored += [f"google.{name}" for name, value in own.items() if value is not None]


def _render_error(error: LocalaikError, _call: Call) -> web.Response:
    """A list with one error in Gemini's form."""
    answer = answer_of(error)
    code = _AS.get(answer.status, answer.status)
    status = _STATUSES.get(code, "INVALID_ARGUMENT" if code < 500 else "INTERNAL")
    body = [{"error": {"code": code, "message": answer.message, "status": status}}]
    return json_response(body, status=code, headers=answer.headers)


def _headers(_call: Call) -> Mapping[str, str]:
    return {"Vary": "Origin, X-Origin, Referer", "X-Content-Type-Options": "nosniff"}


def _routes() -> tuple[Route, ...]:
    table: tuple[tuple[str, str, Handler, str], ...] = (
        ("POST", "/chat/completions", _create_chat_completion, "openai-chat"),
        ("POST", "/embeddings", _create_embeddings, "embeddings"),
        ("GET", "/models", _list_models, "models"),
        ("GET", "/models/{model:rest}", _get_model, "models"),
        *((method, "/{rest:rest}", _refuse, "openai-unserved") for method in ("GET", "POST", "PUT", "PATCH", "DELETE")),
    )
    return tuple(
        Route(method, prefix + path, handler, surface)
        for prefix in _PREFIXES
        for method, path, handler, surface in table
    )


GOOGLE: Final = Protocol(name="gemini-openai", routes=_routes(), render_error=_render_error, headers=_headers)
