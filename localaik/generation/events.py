"""What comes back from a model, free of any protocol: the output of `generation.run`, the input of every encoder.

Order, for each choice `index`: `Started`, then deltas, then `Finished`. Choices may interleave. After the last
`Finished` of all choices comes exactly one `UsageReported`. A stream that ends otherwise has raised a `LocalaikError`.

Events are msgspec structs, because one of them is made for every token and a struct costs a quarter of a dataclass.
"""

from typing import Literal

import msgspec

__all__ = [
    "FinishReason",
    "Finished",
    "GenerationEvent",
    "ReasoningDelta",
    "Started",
    "TextDelta",
    "TokenLogprob",
    "Usage",
    "UsageReported",
]

FinishReason = Literal["stop", "length", "content_filter", "other"]


class TokenLogprob(msgspec.Struct, gc=False):
    """One generated token with its natural log probability, and the most likely alternatives (best first)."""

    token: str
    logprob: float
    id: int | None = None
    bytes: list[int] | None = None
    top: "list[TokenLogprob]" = []


class Usage(msgspec.Struct, frozen=True):
    """Token counts of one request; the completion counts sum all choices, the prompt is counted once."""

    prompt_tokens: int
    completion_tokens: int
    """Everything generated, reasoning included."""
    reasoning_tokens: int = 0
    image_tokens: int = 0
    """The part of the prompt that images take, PDF pages not included."""
    document_tokens: int = 0
    """The part of the prompt that PDF pages take."""


class Started(msgspec.Struct, gc=False):
    """The engine works on this choice. The prompt's counts are known early on llama.cpp only."""

    index: int = 0
    prompt_tokens: int | None = None
    image_tokens: int = 0
    document_tokens: int = 0


class TextDelta(msgspec.Struct, gc=False):
    """More text of the answer. `text` may be empty where only log probabilities arrived."""

    text: str
    index: int = 0
    logprobs: list[TokenLogprob] | None = None


class ReasoningDelta(msgspec.Struct, gc=False):
    """More of the thoughts that precede the answer."""

    text: str
    index: int = 0


class Finished(msgspec.Struct, gc=False):
    """The choice is complete. `stop` covers the end of the turn, a stop string and a finished grammar."""

    reason: FinishReason
    index: int = 0


class UsageReported(msgspec.Struct, gc=False):
    """The final counts; the last event of every successful stream."""

    usage: Usage


GenerationEvent = Started | TextDelta | ReasoningDelta | Finished | UsageReported
