"""One HTTP exchange: what a handler is given, and what the access line is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

from aiohttp import web

from localaik.engine.gate import SlotUse
from localaik.http.quota import Quota

__all__ = ["Call"]

_MAX_IGNORED: Final = 20
_MAX_IGNORED_CHARS: Final = 100


def _no_headers(_call: "Call") -> Mapping[str, str]:
    return {}


@dataclass(slots=True)
class Call:
    """A request on its way through a handler.

    Handlers read `request`, `params` and `request_id`, and fill in the figures for the access line as they learn them.
    """

    request: web.BaseRequest
    request_id: str
    protocol: str
    """Owner of the route: `gemini`, `openai`, `service`, or `-`."""
    params: dict[str, str] = field(default_factory=dict)
    """Variable parts of the path, percent-decoded once."""
    started: float = field(default_factory=perf_counter)
    """`time.perf_counter()` at arrival, seconds."""
    caller: str = ""
    """Digest of the key that the caller has shown; empty where no key was asked for."""
    ignored: list[str] = field(default_factory=list)
    """Paths of request fields without effect; sent back as `x-localaik-ignored`."""
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    protocol_headers: Callable[["Call"], Mapping[str, str]] = _no_headers
    """Headers of every answer of this protocol."""
    failure: Exception | None = None
    """What cut a stream short after its status was sent; for the access line."""
    caller_left: bool = False
    """The caller went away, or stopped reading, before the answer was complete."""
    first_token: float | None = None
    """`time.perf_counter()` at the first event of the engine."""
    slot_use: SlotUse = field(default_factory=SlotUse)
    """Time spent in the queue in front of the engine's slots, and on them."""
    route: str = ""
    """The template of the path, as the route has it; empty for a path that is not served."""

    access_headers: Mapping[str, str] = field(default_factory=dict)
    """What every answer tells browsers about who may read it."""
    quota: Quota | None = None
    """How many calls are left; None where they are not limited."""

    def answer_headers(self) -> dict[str, str]:
        """Headers of every answer to this call, streams and errors included; asked for right before they are sent."""
        headers = {"x-request-id": self.request_id, **self.access_headers, **self.protocol_headers(self)}
        if self.ignored:
            headers["x-localaik-ignored"] = ", ".join(dict.fromkeys(map(_header_safe, self.ignored[:_MAX_IGNORED])))
        return headers

    def elapsed_ms(self) -> float:
        """Milliseconds since arrival."""
        return (perf_counter() - self.started) * 1000


def _header_safe(path: str) -> str:
    """A field's path without what a header, or a list in a header, can't hold."""
    short = path if len(path) <= _MAX_IGNORED_CHARS else f"{path[: _MAX_IGNORED_CHARS - 3]}..."
    return "".join(char if char.isascii() and char.isprintable() and char != "," else "?" for char in short)
