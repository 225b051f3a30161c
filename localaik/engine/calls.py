"""What `generation` asks of an engine and what the engine gives back: the seam between the two.

An engine is anything that decodes: llama.cpp in a child process, or a remote server. What each of them needs on
its own wire is the business of this package; callers see these types only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

__all__ = ["ChatTurn", "EngineCall", "EngineChunk", "EngineImage", "EngineNews", "EngineUsage", "LogprobEntry"]


@dataclass(frozen=True, slots=True)
class EngineImage:
    """An image as a `data:` URL (PNG or JPEG)."""

    url: str


@dataclass(slots=True)
class ChatTurn:
    """One turn. Roles alternate and system text stands in the first turn only (`generation.guard` sees to it)."""

    role: Literal["system", "user", "assistant"]
    content: str | list[str | EngineImage]


@dataclass(slots=True)
class EngineCall:
    """One choice to generate."""

    model: str
    """The name that the caller asked for; remote engines map it."""
    turns: Sequence[ChatTurn] = ()
    prompt: str | list[int] | None = None
    """Raw prompt instead of `turns`."""
    seed: int = 0
    max_tokens: int | None = None
    sampling: Mapping[str, float | int] = field(default_factory=dict)
    """Sampling values by their OpenAI or llama.cpp names; only those that the caller gave."""
    stop: Sequence[str] = ()
    logprobs: int | None = None
    """Number of alternatives per token, or None."""
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    grammar: str | None = None
    """GBNF that the whole answer must match."""
    extra: Mapping[str, object] = field(default_factory=dict)
    """More body fields; they never override those above."""


class LogprobEntry(msgspec.Struct, gc=False):
    """One token with its natural log probability, as llama.cpp and OpenAI write it."""

    token: str
    logprob: float
    id: int | None = None
    bytes: list[int] | None = None
    top_logprobs: "list[LogprobEntry]" = []


class EngineUsage(msgspec.Struct, frozen=True, gc=False):
    """Token counts of one choice."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class EngineChunk(msgspec.Struct, gc=False):
    """One piece of news of a running choice; most carry `text` only."""

    text: str = ""
    reasoning: str = ""
    logprobs: list[LogprobEntry] | None = None
    finish: str | None = None
    """The engine's own word: `stop`, `length`, `content_filter`, ..."""
    usage: EngineUsage | None = None
    prompt_total: int | None = None
    """Length of the prompt in tokens, told before the first token where the engine can."""


EngineNews = str | EngineChunk
"""A bare `str` is more text and nothing else: nearly all news is, and a string is cheaper than a chunk around it."""
