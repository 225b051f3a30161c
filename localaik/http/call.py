"""One HTTP exchange: what a handler is given, and what the access line is made of."""

from dataclasses import dataclass, field
from time import perf_counter

from aiohttp import web

__all__ = ["Call"]


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
    ignored: list[str] = field(default_factory=list)
    """Paths of request fields without effect; sent back as `x-localaik-ignored`."""
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    failure: Exception | None = None
    """What cut a stream short after its status was sent; for the access line."""
    caller_left: bool = False
    """The caller went away, or stopped reading, before the answer was complete."""
    first_token: float | None = None
    """`time.perf_counter()` at the first event of the engine."""

    def elapsed_ms(self) -> float:
        """Milliseconds since arrival."""
        return (perf_counter() - self.started) * 1000
