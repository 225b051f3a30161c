"""Which names are models here, and how models are described and listed."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Final

from localaik.errors import BadRequest, NotFound, UnknownModel
from localaik.models.registry import ModelEntry, Registry
from localaik.protocols.gemini.listing import page_size, page_token

__all__ = ["find_embedding_model", "find_model", "is_embedding_name", "list_page", "model_resource"]

_DEFAULT_PAGE: Final = 50
_LARGEST_PAGE: Final = 1000
_METHODS: Final = ("generateContent", "streamGenerateContent", "countTokens", "createCachedContent")
_EMBEDDING_METHODS: Final = ("embedContent", "batchEmbedContents", "countTokens")
_ENGINE_DEFAULTS: Final = {"temperature": 0.8, "topP": 0.95, "topK": 40}  # llama.cpp's, common/common.h


def find_model(name: str, registry: Registry, *, version: str, method: str) -> ModelEntry:
    """The entry that answers for `name`.

    Raises `NotFound` for what can't be a chat model here: paths of other APIs, bare numbers (models trained elsewhere),
    embedding models, and with strict names everything that is not listed.
    """
    if not registry.is_listed(name) and (_is_elsewhere(name) or "embedding" in name.lower()):
        raise _no_model(name, version, method)
    try:
        return registry.resolve(name)
    except UnknownModel:
        raise _no_model(name, version, method) from None


def find_embedding_model(name: str, registry: Registry, *, version: str, method: str) -> ModelEntry:
    """The entry of the model that embeds under `name`. Raises `NotFound` as `find_model` does."""
    if not registry.is_listed(name) and _is_elsewhere(name):
        raise _no_model(name, version, method)
    try:
        return registry.resolve(name)
    except UnknownModel:
        raise _no_model(name, version, method) from None


def is_embedding_name(name: str, chat: Registry, embedding: Registry) -> bool:
    """True where routes that take models of both kinds take `name` for one that embeds."""
    if chat.is_listed(name) or not embedding.listed():
        return False
    return embedding.is_listed(name) or "embedding" in name.lower()


def model_resource(name: str, entry: ModelEntry, *, own_engine: bool) -> dict[str, object]:
    """The description of `entry` under `name`. A remote engine's sampling defaults are not known."""
    resource: dict[str, object] = {
        "name": f"models/{name}",
        "baseModelId": name,
        "version": "001",
        "displayName": name,
        "description": entry.description,
        "inputTokenLimit": entry.context_tokens,
        "outputTokenLimit": 1 if entry.embeds else entry.context_tokens,
        "supportedGenerationMethods": list(_EMBEDDING_METHODS if entry.embeds else _METHODS),
    }
    if entry.embeds:
        return resource
    return {
        **resource,
        **(_ENGINE_DEFAULTS if own_engine else {}),
        "maxTemperature": 2.0,
        "thinking": False,
    }


def list_page(entries: Sequence[ModelEntry], query: Mapping[str, str], *, own_engine: bool) -> dict[str, object]:
    """One page of the list. Raises `BadRequest` for a bad page size or a token that was not issued here."""
    start = _start(page_token(query), len(entries))
    end = start + page_size(query, default=_DEFAULT_PAGE, largest=_LARGEST_PAGE)
    page: dict[str, object] = {
        "models": [model_resource(entry.id, entry, own_engine=own_engine) for entry in entries[start:end]]
    }
    if end < len(entries):
        page["nextPageToken"] = _token(end)
    return page


def _is_elsewhere(name: str) -> bool:
    """True for paths of other APIs, and for bare numbers."""
    return not name or "/" in name or name.isdecimal()


def _token(start: int) -> str:
    return urlsafe_b64encode(f"models:{start}".encode()).decode().rstrip("=")


def _start(token: str, count: int) -> int:
    if not token:
        return 0
    for start in range(1, count):
        if _token(start) == token:
            return start
    raise BadRequest("The page token is invalid.", field="pageToken")


def _no_model(name: str, version: str, method: str) -> NotFound:
    return NotFound(
        f"models/{name} is not found for API version {version}, or is not supported for {method}. Call ListModels to"
        " see the list of available models and their supported methods.",
        reason="model_not_found",
    )
