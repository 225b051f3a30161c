"""The OpenAI API as Google serves it beside Gemini (`/v1beta/openai/`): other names of models, and errors of its own.

Source: "OpenAI compatibility" in the documentation of the Gemini API.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import web

from localaik.errors import BadRequest, LocalaikError, NotFound, Unauthorized
from localaik.http.body import read_json
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import Handler, Protocol, Route, Services
from localaik.protocols.google_fields import GoogleFields, ReadGoogleFields
from localaik.protocols.openai.chat import answer_chat
from localaik.protocols.openai.decode import Decoded
from localaik.protocols.openai.embeddings import answer_embeddings
from localaik.protocols.openai.encode import model_object
from localaik.protocols.openai.errors import answer_of
from localaik.protocols.openai.subset import is_strict

if TYPE_CHECKING:
    from localaik.protocols.description import Description, Names

__all__ = ["beside_gemini"]

_PREFIXES: Final = ("/v1beta/openai", "/v1/openai", "/v1alpha/openai")
_MODELS: Final = "models/"
_BUCKETS: Final = {"/chat/completions": "chat", "/embeddings": "embed"}
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


def _chat(read_fields: ReadGoogleFields) -> Handler:
    async def create_chat_completion(call: Call, services: Services) -> web.StreamResponse:
        """POST chat/completions."""
        body = await read_json(call, services.settings)
        if not isinstance(body, dict):
            return await answer_chat(call, services, body)
        body = _with_plain_model(body)
        strict = is_strict(services.settings.chat_profile, call.request.headers)
        own = None if strict else _own_fields(body)
        if own is None:
            return await answer_chat(call, services, body)
        model = body.get("model")
        asked = await read_fields(services, own, model if isinstance(model, str) else services.registry.listed()[0].id)
        call.ignored += [f"google.{path}" for path in asked.ignored]
        return await answer_chat(call, services, body, adapt=partial(_with_fields, asked, has_tools=_has_tools(body)))

    return create_chat_completion


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


def _own_fields(body: dict[str, object]) -> dict[str, object] | None:
    """Google's own fields, taken out of the body. Raises `BadRequest` where they can't be what was meant."""
    wrapped = body.pop("extra_body", None)
    own = body.pop("google", None)
    if own is None and isinstance(wrapped, dict):
        own = wrapped.get("google")
    if own is None:
        return None
    if not isinstance(own, dict):
        raise BadRequest("Invalid value for 'google': expected an object.", field="google", reason="invalid_type")
    if own.get("thinking_config") is not None and body.get("reasoning_effort") is not None:
        raise BadRequest(
            "Only one of reasoning_effort and thinking_config can be set.",
            field="reasoning_effort",
            reason="mutually_exclusive_parameters",
        )
    return own


def _has_tools(body: Mapping[str, object]) -> bool:
    return any(body.get(name) is not None for name in ("tools", "tool_choice", "functions", "function_call"))


def _with_fields(asked: GoogleFields, decoded: Decoded, *, has_tools: bool) -> Decoded:
    """A decoded request with what Google's own fields add to it. Raises `BadRequest` where both say something."""
    generation = decoded.generation
    if asked.thinking is not None:
        generation = replace(generation, thinking=asked.thinking, reasoning_effort=asked.reasoning_effort)
    answering = decoded.answering
    cached = asked.cached
    if cached is not None:
        if has_tools or any(message.role == "system" for message in generation.messages):
            raise BadRequest(
                "CachedContent can not be used with GenerateContent request setting system_instruction, tools or"
                " tool_config.",
                field="google.cached_content",
                reason="mutually_exclusive_parameters",
            )
        generation = replace(
            generation,
            messages=[*cached.messages, *generation.messages],
            tools=cached.tools,
            tool_choice=cached.tool_choice,
        )
        may_call = bool(cached.tools) and cached.tool_choice.mode != "none"
        answering = replace(answering, may_call=may_call, cached_tokens=asked.cached_tokens)
    return replace(decoded, generation=generation, answering=answering)


def _render_error(error: LocalaikError, _call: Call) -> web.Response:
    """A list with one error in Gemini's form."""
    answer = answer_of(error)
    code = _AS.get(answer.status, answer.status)
    if isinstance(error, Unauthorized):
        code = {"key": 400, "bearer": 401}.get(error.shown, 403)
    status = _STATUSES.get(code, "INVALID_ARGUMENT" if code < 500 else "INTERNAL")
    body = [{"error": {"code": code, "message": answer.message, "status": status}}]
    headers = {} if isinstance(error, Unauthorized) and code != 401 else answer.headers
    return json_response(body, status=code, headers=headers)


def _headers(_call: Call) -> Mapping[str, str]:
    return {"Vary": "Origin, X-Origin, Referer", "X-Content-Type-Options": "nosniff"}


def _routes(read_fields: ReadGoogleFields) -> tuple[Route, ...]:
    table: tuple[tuple[str, str, Handler, str], ...] = (
        ("POST", "/chat/completions", _chat(read_fields), "openai-chat"),
        ("POST", "/embeddings", _create_embeddings, "embeddings"),
        ("GET", "/models", _list_models, "models"),
        ("GET", "/models/{model:rest}", _get_model, "models"),
        *((method, "/{rest:rest}", _refuse, "openai-extra") for method in ("GET", "POST", "PUT", "PATCH", "DELETE")),
    )
    return tuple(
        Route(method, prefix + path, handler, surface, bucket=_BUCKETS.get(path, ""))
        for prefix in _PREFIXES
        for method, path, handler, surface in table
    )


def _describe(names: "Names") -> "Description":
    from localaik.protocols.openai.description import describe_beside_gemini  # noqa: PLC0415 - only readers of it need it

    return describe_beside_gemini(names)


def beside_gemini(read_fields: ReadGoogleFields) -> Protocol:
    """The protocol. `read_fields` reads the fields that are Gemini's own."""
    return Protocol(
        "gemini-openai", _routes(read_fields), _render_error, _headers, key_in_query=True, describe=_describe
    )
