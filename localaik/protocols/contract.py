"""What a protocol is to the server: a name, routes, an error shape. A new one is a new folder with a `PROTOCOL`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aiohttp import web

from localaik.errors import LocalaikError
from localaik.http.call import Call
from localaik.jobs.ended import EndedWork, tell_nobody
from localaik.jobs.live import LiveRuns
from localaik.jobs.locks import NamedLocks
from localaik.jobs.runner import Runner, Source

if TYPE_CHECKING:
    from localaik.embeddings.embedder import Embedder
    from localaik.generation.run import Pipeline
    from localaik.models.registry import Registry
    from localaik.protocols.description import Description, Names
    from localaik.settings import Settings
    from localaik.state.store import Store

__all__ = ["ALWAYS_SERVED", "Handler", "Protocol", "Route", "Services"]


ALWAYS_SERVED: Final = "service"
"""The surface of routes that can't be switched off."""


@dataclass(frozen=True, slots=True)
class Services:
    """What handlers work with; made once at start."""

    settings: "Settings"
    pipeline: "Pipeline"
    registry: "Registry"
    store: "Store"
    embedder: "Embedder"
    jobs: Runner = field(default_factory=Runner)
    live: LiveRuns = field(default_factory=LiveRuns)
    locks: NamedLocks = field(default_factory=NamedLocks)
    ended: Callable[[EndedWork], None] = tell_nobody
    """Told of work in the background at its end."""


Handler = Callable[[Call, Services], Awaitable[web.StreamResponse]]
"""Answers one request. Raises `LocalaikError` for everything that goes wrong before the answer has begun."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method and path.

    `path` is a template of literal text and `{name}` (one segment) or `{name:rest}` (everything up to the next
    literal text, slashes included). `surface` names the switchable group that the route belongs to. `key_parameter`
    names a query parameter that nobody can guess, and that stands for a key where it is given.
    """

    method: str
    path: str
    handler: Handler
    surface: str
    key_parameter: str | None = None
    is_open: bool = False
    """Answers callers without a key, too."""
    bucket: str = ""
    """The group of routes whose calls count together where they are limited; none for what costs nothing."""
    run: str = ""
    """The variable part of the path that names something which another worker may have in its hands; or nothing."""
    counts_itself: bool = False
    """The handler takes from the call's quota: one request is not one call."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """One wire protocol."""

    name: str
    routes: tuple[Route, ...]
    render_error: Callable[[LocalaikError, Call], web.Response]
    """An error as this protocol writes it, with its status."""
    headers: Callable[[Call], Mapping[str, str]]
    """Headers that every answer of this protocol carries, errors and streams included."""
    background: Callable[[Services], Source] | None = None
    """Makes the source of what this protocol does without anybody waiting."""
    key_in_query: bool = False
    """Callers may send their key as the query parameter `key`."""
    describe: "Callable[[Names], Description] | None" = None
    """Tells what its routes take and answer, for readers. Slow, so nobody asks before there is a reader."""
