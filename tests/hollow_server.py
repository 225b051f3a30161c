"""A server with every route of every protocol and nothing behind them: for tests of what comes before the handlers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from typing import Any, cast

from aiohttp import ClientSession, web
from aiohttp.test_utils import RawTestServer

from localaik.embeddings.embedder import Embedder
from localaik.http.call import Call
from localaik.http.quota import RateLimiter
from localaik.http.respond import json_response
from localaik.models.registry import Registry
from localaik.protocols.contract import Protocol, Services
from localaik.protocols.gemini import PROTOCOL as GEMINI
from localaik.protocols.gemini import read_google_fields
from localaik.protocols.openai import PROTOCOL as OPENAI
from localaik.protocols.openai import beside_gemini, read_transcript
from localaik.protocols.workbench import workbench
from localaik.server.app import Face
from localaik.server.health import service_protocol
from localaik.server.pages import with_pages
from localaik.settings import Settings
from localaik.state.store import Store

__all__ = ["REACHED", "hollow_protocols", "serving"]

REACHED = {"reached": True}
"""The body of every answer that is no refusal."""


async def _reached(_call: Call, _services: Services) -> web.Response:
    return json_response(REACHED)


@cache
def hollow_protocols() -> list[Protocol]:
    """Every protocol of the server, the one for nobody's paths last; no handler does anything."""
    service = with_pages(service_protocol(cast("Any", None), None, lambda: False), lambda: ())
    protocols = [GEMINI, OPENAI, beside_gemini(read_google_fields), workbench(read_transcript), service]
    return [
        replace(protocol, routes=tuple(replace(route, handler=_reached) for route in protocol.routes))
        for protocol in protocols
    ]


@cache
def _face(settings: Settings, rates: RateLimiter | None, protocols: tuple[Protocol, ...] | None) -> Face:
    services = Services(settings, cast("Any", None), Registry([]), Store(settings), Embedder(None, settings))
    return Face(services, protocols or hollow_protocols(), rates=rates)


@asynccontextmanager
async def serving(
    settings: Settings, rates: RateLimiter | None = None, protocols: tuple[Protocol, ...] | None = None
) -> AsyncIterator[ClientSession]:
    """A client of such a server.

    `rates` counts the calls of those routes that the settings limit; `protocols` take the place of the hollow ones.
    """
    server = RawTestServer(_face(settings, rates, protocols).handle)
    await server.start_server(access_log=None)
    try:
        async with ClientSession(server.make_url("/")) as http:
            yield http
    finally:
        await server.close()
