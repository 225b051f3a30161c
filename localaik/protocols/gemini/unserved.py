"""Routes of the service that localaik does not have: told apart from unknown paths, and never reaching the engine.

Some clients retry every 5xx for half a minute. The routes that only those clients use are answered with 404.
"""

from typing import Final

from aiohttp import web

from localaik.errors import NotFound, NotServed
from localaik.http.call import Call
from localaik.protocols.contract import Handler, Route, Services

__all__ = ["unserved_routes"]

_SURFACE: Final = "gemini"
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_LIVE_SERVICE: Final = "google.ai.generativelanguage"

# Method(s) and path below the version; `*` is every method.
_NOT_IMPLEMENTED: Final = (
    *(
        ("POST", f"/models/{{model:rest}}:{action}")
        for action in (
            "predict",
            "predictLongRunning",
            "generateText",
            "generateMessage",
            "generateAnswer",
            "countTextTokens",
            "countMessageTokens",
            "embedText",
            "batchEmbedText",
        )
    ),
    ("POST", "/tunedModels"),
    ("POST", "/files:register"),
    ("PATCH", "/batches/{batch}:updateGenerateContentBatch"),
    ("PATCH", "/batches/{batch}:updateEmbedContentBatch"),
    ("*", "/fileSearchStores"),
    ("*", "/fileSearchStores/{store:rest}"),
    ("POST", "/auth_tokens"),
    ("*", "/corpora"),
    ("*", "/corpora/{corpus:rest}"),
    ("GET", "/generatedFiles"),
)
_NOT_FOUND: Final = (
    ("POST", "/models/{model:rest}:computeTokens"),
    *(
        ("*", f"/{name}{suffix}")
        for name in (
            "interactions",
            "agents",
            "triggers",
            "environments",
            "credentials",
            "voices",
            "webhooks",
            "decisions",
            "publishers",
            "projects",
        )
        for suffix in ("", "/{rest:rest}")
    ),
)


def unserved_routes(version: str) -> list[Route]:
    """The routes under one version prefix, such as `/v1beta`, or the empty one."""
    live = f"/ws/{_LIVE_SERVICE}.{version[1:] or 'v1beta'}.GenerativeService"
    transfers = (
        ("POST PUT", f"/upload{version}/fileSearchStores/{{store:rest}}"),
        *(("GET", f"{live}.{name}") for name in ("BidiGenerateContent", "BidiGenerateContentConstrained")),
        ("GET", f"{live}.BidiGenerateMusic"),
    )
    table: list[tuple[str, str, Handler]] = [
        *((methods, path, _refuse) for methods, path in transfers if version or not path.startswith("/ws/")),
        *((methods, version + path, _refuse) for methods, path in _NOT_IMPLEMENTED),
        *((methods, version + path, _deny) for methods, path in _NOT_FOUND),
    ]
    return [
        Route(method, path, handler, _SURFACE)
        for methods, path, handler in table
        for method in (_METHODS if methods == "*" else methods.split())
    ]


async def _refuse(call: Call, _services: Services) -> web.StreamResponse:
    raise NotServed(f"{call.request.method} {call.request.path} is not served by localaik.")


async def _deny(call: Call, _services: Services) -> web.StreamResponse:
    raise NotFound(f"Not Found: {call.request.method} {call.request.path} is not served by localaik.")
