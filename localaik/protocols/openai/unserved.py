"""Routes that the OpenAI API has and localaik has not: a 404 that says why, never a made-up answer."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from localaik.errors import NotServed
from localaik.http.call import Call
from localaik.protocols.contract import Route, Services

__all__ = ["unserved_routes"]

_METHODS: Final = ("GET", "POST", "DELETE")
_MAX_PATH_CHARS: Final = 500
_ADMIN: Final = "there are no organizations, projects and users here"
_REPLACED: Final = "use responses or chat completions"
_REASONS: Final[Mapping[str, str]] = {
    "assistants": _REPLACED,
    "audio": "the model behind this server neither hears nor speaks",
    "chatkit": "there are no hosted workflows here",
    "containers": "no code is run here",
    "evals": "answers are not graded here",
    "fine_tuning": "models are not trained here",
    "images": "the model behind this server makes no images",
    "organization": _ADMIN,
    "projects": _ADMIN,
    "realtime": "the model behind this server neither hears nor speaks",
    "skills": "no code is run here",
    "threads": _REPLACED,
    "vector_stores": "files are not searched here; embeddings are served",
    "videos": "the model behind this server makes no videos",
}
"""First part of a path behind the version -> why nothing under it is served."""


def unserved_routes(prefix: str) -> list[Route]:
    """The routes under one prefix."""
    paths = [f"{prefix}/{group}{rest}" for group in _REASONS for rest in ("", "/{rest:rest}")]
    return [Route(method, path, _refuse, "openai-extra") for path in paths for method in _METHODS]


async def _refuse(call: Call, _services: Services) -> web.StreamResponse:
    path = call.request.path
    why = next(_REASONS[part] for part in path.split("/") if part in _REASONS)
    where = f"{call.request.method} {path[:_MAX_PATH_CHARS]}"
    raise NotServed(f"Unknown request URL: {where}. localaik does not serve it: {why}.", reason="unknown_url")
