"""Routes that the OpenAI API has and localaik has not yet: a plain 404 that says so, never a made-up answer."""

from typing import Final

from aiohttp import web

from localaik.errors import NotServed
from localaik.http.call import Call
from localaik.protocols.contract import Route, Services

__all__ = ["unserved_routes"]

_METHODS: Final = ("GET", "POST", "DELETE")
_EVERYWHERE: Final = ("moderations", "responses", "conversations")
_VERSIONED_ONLY: Final = ("files", "uploads", "batches")
"""Without a version, files and batches are Gemini's."""


def unserved_routes(prefix: str) -> list[Route]:
    """The routes under one prefix."""
    groups = _EVERYWHERE + _VERSIONED_ONLY if prefix else _EVERYWHERE
    paths = [f"{prefix}/{group}{rest}" for group in groups for rest in ("", "/{rest:rest}")]
    paths.append(f"{prefix}/chat/completions/{{rest:rest}}")
    return [Route(method, path, _refuse, "openai-unserved") for path in paths for method in _METHODS]


async def _refuse(call: Call, _services: Services) -> web.StreamResponse:
    where = f"{call.request.method} {call.request.path}"
    raise NotServed(f"Unknown request URL: {where}. localaik does not serve this route yet.", reason="unknown_url")
