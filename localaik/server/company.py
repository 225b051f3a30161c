"""What a server has in common with its neighbours, the other workers. One that is alone has all to itself."""

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from localaik.engine.sources import Host, ThisProcess
from localaik.http.quota import RateLimiter
from localaik.jobs.live import Directory
from localaik.jobs.locks import NamedLocks
from localaik.jobs.runner import Runner
from localaik.settings import Settings

__all__ = ["Company"]


@dataclass(frozen=True, slots=True)
class Company:
    """The parts of a server that may reach beyond it."""

    host: Host = field(default_factory=ThisProcess)
    """Who has the engines."""
    locks: NamedLocks = field(default_factory=NamedLocks)
    directory: Directory = field(default_factory=Directory)
    """Who else has runs."""
    jobs: Runner | None = None
    """Who does the background work; None: this server."""
    rates: RateLimiter | None = None
    """Who counts calls; None: this server."""
    collect: Callable[[], Awaitable[list[bytes]]] | None = None
    """What all workers have counted for `/metrics`; None: there is this one only."""
    settings: Settings | None = None
    """What the whole server has; None: what this process has."""
    neighbours: socket.socket | None = None
    """A listening socket for requests that neighbours relay."""
