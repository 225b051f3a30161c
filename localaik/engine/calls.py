"""What `generation` asks of an engine and what the engine gives back: the seam between the two.

An engine is anything that decodes: llama.cpp in a child process, or a remote server. What each of them needs on
its own wire is the business of this package; callers see these types only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

__all__ = [
    "SEED_MODULUS",
    "CallFragment",
    "ChatTurn",
    "EngineCall",
    "EngineChunk",
    "EngineImage",
    "EngineNews",
    "EngineTool",
    "EngineToolCall",
    "EngineUsage",
    "LogprobEntry",
]


SEED_MODULUS: Final = 4_294_967_295
"""Seeds have 32 bits, and this one means "random" to llama.cpp."""


@dataclass(frozen=True, slots=True)
class EngineImage:
    """An image as a `data:` URL (PNG or JPEG)."""

    url: str


@dataclass(frozen=True, slots=True)
class EngineTool:
    """A function that an engine with a tool template of its own is told of."""

    name: str
    description: str
    parameters: Mapping[str, object]
    """JSON Schema of the arguments."""


@dataclass(frozen=True, slots=True)
class EngineToolCall:
    """A call in an earlier turn, for an engine with a tool template of its own."""

    id: str
    name: str
    arguments: str
    """JSON text of an object."""


@dataclass(slots=True)
class ChatTurn:
    """One turn. Roles alternate and system text stands in the first turn only (`generation.guard` sees to it)."""

    role: Literal["system", "user", "assistant", "tool"]
    """`tool` is for engines with a tool template of their own."""
    content: str | list[str | EngineImage]
    calls: Sequence[EngineToolCall] = ()
    """Calls of an assistant's turn, for engines with a tool template of their own."""
    call_id: str = ""
    """The call that a `tool` turn answers."""


@dataclass(slots=True)
class EngineCall:
    """One choice to generate."""

    model: str
    """The name that the caller asked for; remote engines map it."""
    turns: Sequence[ChatTurn] = ()
    prompt: str | list[int] | None = None
    """Raw prompt instead of `turns`."""
    suffix: str | None = None
    """Text that follows the answer, where the answer fills the gap between it and a `prompt` of text."""
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
    json_schema: Mapping[str, object] | bool | None = None
    """JSON Schema that the whole answer must match, for engines that take no grammar; at most one of the two is set."""
    tools: Sequence[EngineTool] = ()
    """Functions for an engine with a tool template of its own; nothing else constrains the answer then."""
    tool_choice: Literal["auto", "required"] = "auto"
    parallel_calls: bool = True
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


class CallFragment(msgspec.Struct, gc=False):
    """A piece of a call that an engine with a tool template of its own makes; each field may be missing."""

    index: int = 0
    """Which of the answer's calls."""
    id: str = ""
    name: str = ""
    arguments: str = ""


class EngineChunk(msgspec.Struct, gc=False):
    """One piece of news of a running choice; most carry `text` only."""

    text: str = ""
    reasoning: str = ""
    logprobs: list[LogprobEntry] | None = None
    calls: list[CallFragment] | None = None
    finish: str | None = None
    """The engine's own word: `stop`, `length`, `content_filter`, ..."""
    usage: EngineUsage | None = None
    prompt_total: int | None = None
    """Length of the prompt in tokens, told before the first token where the engine can."""


EngineNews = str | EngineChunk
"""A bare `str` is more text and nothing else: nearly all news is, and a string is cheaper than a chunk around it."""
