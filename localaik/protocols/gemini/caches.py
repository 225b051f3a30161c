"""Cached contents: created, looked at, listed, given another lifetime, deleted, and found for requests."""

from contextlib import suppress
from typing import Final

from aiohttp import web

from localaik.content import Text
from localaik.errors import BadRequest, NotServed
from localaik.generation.request import Message
from localaik.http.body import read_json
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import Handler, Services
from localaik.protocols.gemini.caches_types import (
    CachedContent,
    CachedPrompt,
    Lifetime,
    cache_id_of,
    cache_name_of,
    cache_object,
    expiry_of,
    new_cache,
    prompt_of,
    unsupported_mask,
)
from localaik.protocols.gemini.decode import decode_cached
from localaik.protocols.gemini.listing import page_size, page_token
from localaik.protocols.gemini.models import find_model
from localaik.protocols.gemini.reading import read
from localaik.protocols.gemini.respond import JSON_TYPE
from localaik.protocols.gemini.types import GenerateContentRequest
from localaik.state.faults import UnknownCache

__all__ = ["cache_routes", "cached_prompt"]

_DEFAULT_PAGE: Final = 50
_LARGEST_PAGE: Final = 1000
_DEFAULT_VERSION: Final = "v1beta"
_MODELS: Final = "models/"


def cache_routes(version: str) -> tuple[tuple[str, str, Handler], ...]:
    """Method, whole path and handler of every route under a version such as `/v1`, or under none."""

    async def create(call: Call, services: Services) -> web.StreamResponse:
        return await _create(call, services, version.lstrip("/") or _DEFAULT_VERSION)

    one = f"{version}/cachedContents/{{cache:rest}}"
    return (
        ("POST", f"{version}/cachedContents", create),
        ("GET", f"{version}/cachedContents", _list),
        ("GET", one, _get),
        ("PATCH", one, _change),
        ("DELETE", one, _delete),
    )


async def cached_prompt(services: Services, request: GenerateContentRequest | None) -> CachedPrompt | None:
    """The cached content that a request names.

    None where it names none, and where there is none with its name, which `decode` refuses after all other faults.
    """
    cache_id = cache_name_of(request.cached_content or "") if request is not None else None
    if cache_id is None:
        return None
    with suppress(UnknownCache):
        return prompt_of(*await (await services.store.caches()).body(cache_id))
    return None


async def _create(call: Call, services: Services, version: str) -> web.StreamResponse:
    """POST cachedContents: everything is checked as for a generation, stored files included."""
    settings = services.settings
    body = await read_json(call, settings)
    request = read(CachedContent, body, strict=settings.strict_wire, ignored=call.ignored)
    name = (request.model or "").removeprefix(_MODELS)
    if not name:
        raise BadRequest("* CreateCachedContentRequest.cached_content.model: model is required", field="model")
    find_model(name, services.registry, version=version, method="createCachedContent")
    call.model = name
    prompt, ignored = decode_cached(request.as_request(), name, max_messages=settings.max_messages)
    call.ignored += ignored
    caches = await services.store.caches()
    fields = body if isinstance(body, dict) else {}
    new_cache(request, fields, model=name, tokens=None, now=caches.now())  # its faults come before the work of counting
    tokens = None
    if all(message.role == "system" for message in prompt.messages):
        prompt.messages.append(Message("user", [Text("")]))  # chat templates want a turn
    with suppress(NotServed):
        tokens = (await services.pipeline.count_tokens(prompt)).prompt_tokens
    cache = await caches.add(new_cache(request, fields, model=name, tokens=tokens, now=caches.now()))
    return json_response(cache_object(cache), content_type=JSON_TYPE, gzip_for=call)


async def _get(call: Call, services: Services) -> web.StreamResponse:
    """GET cachedContents/{id}."""
    cache_id = cache_id_of(call.params["cache"])
    cache = await (await services.store.caches()).get(cache_id)
    return json_response(cache_object(cache), content_type=JSON_TYPE, gzip_for=call)


async def _list(call: Call, services: Services) -> web.StreamResponse:
    """GET cachedContents: newest first."""
    query = call.request.query
    size = page_size(query, default=_DEFAULT_PAGE, largest=_LARGEST_PAGE)
    page = await (await services.store.caches()).list(size, page_token(query))
    body: dict[str, object] = {"cachedContents": [cache_object(cache) for cache in page.items]}
    if page.next_token is not None:
        body["nextPageToken"] = page.next_token
    return json_response(body, content_type=JSON_TYPE, gzip_for=call)


async def _change(call: Call, services: Services) -> web.StreamResponse:
    """PATCH cachedContents/{id}: another lifetime."""
    cache_id = cache_id_of(call.params["cache"])
    body = await read_json(call, services.settings)
    # Always strict: what can't be changed must not look as if it had been.
    request = read(Lifetime, body, strict=True, ignored=call.ignored)
    masked = unsupported_mask(call.request.query)
    if masked is not None:
        raise BadRequest(f"Only ttl and expire_time can be changed, not {masked[:100]}.", field="updateMask")
    caches = await services.store.caches()
    await caches.get(cache_id)
    now = caches.now()
    expires = expiry_of(request, now, "UpdateCachedContentRequest.cached_content")
    if expires is None:
        raise BadRequest(
            "* UpdateCachedContentRequest.cached_content: one of ttl and expire_time must be set", field="ttl"
        )
    cache = await caches.prolong(cache_id, expires, now=now)
    return json_response(cache_object(cache), content_type=JSON_TYPE, gzip_for=call)


async def _delete(call: Call, services: Services) -> web.StreamResponse:
    """DELETE cachedContents/{id}."""
    cache_id = cache_id_of(call.params["cache"])
    await (await services.store.caches()).delete(cache_id)
    return json_response({}, content_type=JSON_TYPE, gzip_for=call)
