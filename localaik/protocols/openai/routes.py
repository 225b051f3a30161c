"""The routes of the OpenAI API: read, decode, run, encode, write."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import web

from localaik.errors import Forbidden, UnknownModel
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import Handler, Protocol, Route, Services
from localaik.protocols.openai.batches import BATCH_ROUTES
from localaik.protocols.openai.batches_work import batch_work
from localaik.protocols.openai.chat import create_chat_completion
from localaik.protocols.openai.completions import create_completion
from localaik.protocols.openai.embeddings import create_embeddings
from localaik.protocols.openai.encode import model_list, model_object
from localaik.protocols.openai.files import FILE_ROUTES
from localaik.protocols.openai.moderations import create_moderation
from localaik.protocols.openai.respond import headers, render_error
from localaik.protocols.openai.responses.conversations import conversation_routes
from localaik.protocols.openai.responses.routes import response_routes
from localaik.protocols.openai.stored import stored_routes
from localaik.protocols.openai.unserved import unserved_routes
from localaik.protocols.openai.uploads import UPLOAD_ROUTES
from localaik.settings import ChatProfile

if TYPE_CHECKING:
    from localaik.protocols.description import Description, Names

__all__ = ["PROTOCOL", "with_profile"]

_PREFIXES: Final = ("/v1", "/openai/v1", "")
_VERSIONED: Final = frozenset({"models", "files", "batches"})
"""Without a version, these are Gemini's."""
_BUCKETS: Final = {
    "POST /chat/completions": "chat",
    "POST /completions": "chat",
    "POST /embeddings": "embed",
    "POST /batches": "chat",
    "POST /responses": "chat",
    "GET /responses": "chat",
    "POST /responses/compact": "chat",
}
"""What is limited, beside conversations. Who creates a batch makes one call, however many requests it has."""
_COUNT_THEMSELVES: Final = frozenset({"GET /responses"})
_OF_RUNS: Final = frozenset(
    {"GET /responses/{response}", "DELETE /responses/{response}", "POST /responses/{response}/cancel"}
)
"""About responses that may be under way."""


async def list_models(_call: Call, services: Services) -> web.StreamResponse:
    """GET models."""
    return json_response(model_list(services.registry.listed() + services.embedder.models.listed()))


async def get_model(call: Call, services: Services) -> web.StreamResponse:
    """GET models/{model}: every name that generation or embedding accepts."""
    name = call.params["model"]
    embedding = services.embedder.models
    embeds = embedding.is_listed(name) and not services.registry.is_listed(name)
    return json_response(model_object(name, (embedding if embeds else services.registry).resolve(name)))


async def delete_model(call: Call, services: Services) -> web.StreamResponse:
    """DELETE models/{model}: nothing here can be deleted."""
    name = call.params["model"]
    if services.registry.is_listed(name) or services.embedder.models.is_listed(name):
        raise Forbidden(f"The model `{name}` is part of this server and can't be deleted.")
    raise UnknownModel(name)


def _routes() -> tuple[Route, ...]:
    routes: list[Route] = []
    table: tuple[tuple[str, str, Handler, str], ...] = (
        ("POST", "/chat/completions", create_chat_completion, "openai-chat"),
        *((method, path, handler, "openai-chat") for method, path, handler in stored_routes()),
        ("POST", "/completions", create_completion, "openai-completions"),
        ("POST", "/embeddings", create_embeddings, "embeddings"),
        ("GET", "/models", list_models, "models"),
        ("GET", "/models/{model:rest}", get_model, "models"),
        ("DELETE", "/models/{model:rest}", delete_model, "models"),
        ("POST", "/moderations", create_moderation, "openai-extra"),
        *((method, path, handler, "openai-extra") for method, path, handler in FILE_ROUTES),
        *((method, path, handler, "openai-extra") for method, path, handler in BATCH_ROUTES),
        *((method, path, handler, "openai-extra") for method, path, handler in UPLOAD_ROUTES),
        *((method, path, handler, "openai-responses") for method, path, handler in response_routes()),
        *((method, path, handler, "conversations") for method, path, handler in conversation_routes()),
    )
    for prefix in _PREFIXES:
        served = [row for row in table if prefix or row[1].split("/")[1] not in _VERSIONED]
        routes += [
            Route(
                method,
                prefix + path,
                handler,
                surface,
                run="response" if f"{method} {path}" in _OF_RUNS else "",
                bucket=_BUCKETS.get(f"{method} {path}", "conversation" if surface == "conversations" else ""),
                counts_itself=f"{method} {path}" in _COUNT_THEMSELVES,
            )
            for method, path, handler, surface in served
        ]
        routes += unserved_routes(prefix)
    return tuple(routes)


def _describe(names: "Names") -> "Description":
    from localaik.protocols.openai.description import describe  # noqa: PLC0415 - only readers of it need it

    return describe(names)


PROTOCOL: Final = Protocol(
    name="openai",
    routes=_routes(),
    render_error=render_error,
    headers=headers,
    background=batch_work,
    describe=_describe,
)


def with_profile(profile: ChatProfile) -> Protocol:
    """The protocol as a server with this chat profile tells of faults."""
    return replace(PROTOCOL, render_error=partial(render_error, profile=profile))
