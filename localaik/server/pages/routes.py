"""The routes of the pages: files of the package, and one document. Nothing of a request is written into them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import web

from localaik import __version__
from localaik.errors import NotFound
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import ALWAYS_SERVED, Protocol, Route, Services
from localaik.server.pages.files import ASSETS, PageFile, etag_of, page_file

if TYPE_CHECKING:
    from localaik.protocols.description import Description, Names

__all__ = ["with_pages"]

_SURFACE: Final = "docs"
_JSON: Final = "application/json"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-cache",  # kept, but asked for again: the next version of the server has other pages
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept, Accept-Encoding, Origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def with_pages(owner: Protocol, protocols: Callable[[], Sequence[Protocol]]) -> Protocol:
    """`owner` with the start page, the pages of the API and the document.

    `protocols` tells those of the server, this one included, once they are all there. The document is made when it is
    first asked for, and kept.
    """
    made: list[PageFile] = []

    async def document(call: Call, services: Services) -> web.Response:
        """GET /openapi.json."""
        if not made:
            made.append(await asyncio.to_thread(_document, protocols(), services))
        return _send(call, made[0])

    table = (("/", _start), ("/docs", _docs), ("/docs/{asset}", _asset), ("/openapi.json", document))
    routes = tuple(Route("GET", path, handler, _SURFACE, is_open=True) for path, handler in table)
    return replace(owner, routes=(*owner.routes, *routes), describe=_describe)


async def _start(call: Call, services: Services) -> web.Response:
    """GET /: a page, or the same for machines where the caller wants no page."""
    accept = call.request.headers.get("Accept", "*/*").lower()
    if _JSON not in accept or "text/html" in accept:
        return _send(call, page_file("start.html"))
    links = {"docs": "/docs", "openapi": "/openapi.json", "health": "/health", "openai": "/v1", "gemini": "/v1beta"}
    body = {
        "name": "localaik",
        "version": __version__,
        "model": services.registry.listed()[0].id,
        "asks_for_key": bool(services.settings.api_key),
        "links": links,
    }
    call.protocol_headers = _headers
    return json_response(body)


async def _docs(call: Call, _services: Services) -> web.Response:
    """GET /docs."""
    return _send(call, page_file("docs.html"))


async def _asset(call: Call, _services: Services) -> web.Response:
    """GET /docs/{asset}."""
    name = call.params["asset"]
    if name not in ASSETS:
        raise NotFound(f"Not Found: {call.request.path[:500]}", reason="unknown_url")
    return _send(call, page_file(name))


def _describe(names: "Names") -> "Description":
    from localaik.server.pages.service import describe_service  # noqa: PLC0415 - only readers of it need it

    return describe_service(names)


def _document(protocols: Sequence[Protocol], services: Services) -> PageFile:
    # Most servers are never asked for it, and pydantic's generator of schemas is slow to import.
    from localaik.protocols.description import Names  # noqa: PLC0415
    from localaik.server.pages.document import api_document, told_routes  # noqa: PLC0415

    settings = services.settings
    embedding = services.embedder.models.listed()
    model = services.registry.listed()[0].id
    told = told_routes(
        protocols,
        Names(model, embedding[0].id if embedding else model),
        lambda route: route.surface == ALWAYS_SERVED or settings.serves(route.surface),
    )
    body = orjson.dumps(api_document(told, has_keys=bool(settings.api_key)))
    return PageFile(body, _JSON, etag_of(body))


def _send(call: Call, file: PageFile) -> web.Response:
    """The file, unless the caller has it (RFC 9110, section 13.1.2)."""
    call.protocol_headers = _headers
    known = call.request.headers.get("If-None-Match", "")
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    headers = {"ETag": file.etag}
    if "*" in tags or file.etag.removeprefix("W/") in tags:
        return web.Response(status=304, headers=headers)
    return json_response(file.body, content_type=file.content_type, headers=headers, gzip_for=call)


def _headers(_call: Call) -> Mapping[str, str]:
    return _HEADERS
