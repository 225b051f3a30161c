"""The fields of the Gemini API that requests to the OpenAI API may carry beside it: what two protocols share."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from localaik.generation.request import GenerationRequest, Thinking
from localaik.protocols.contract import Services

__all__ = ["GoogleFields", "ReadGoogleFields"]


@dataclass(frozen=True, slots=True)
class GoogleFields:
    """What the fields ask for."""

    cached: GenerationRequest | None = None
    """The messages, tools and choice of tools that stand in front of the request's own messages."""
    cached_tokens: int = 0
    """Their size, or 0 where the engine can't tell."""
    thinking: Thinking | None = None
    reasoning_effort: str | None = None
    ignored: tuple[str, ...] = ()
    """Paths in the object, of fields without effect."""


ReadGoogleFields = Callable[[Services, Mapping[str, object], str], Awaitable[GoogleFields]]
"""From the object `google` of a request for a model (without `models/`).

Raises `BadRequest` for values that can't be, `Forbidden` for a cached content that does not exist.
"""
