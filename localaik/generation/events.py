"""What comes back from a model, free of any protocol: the output of `generation.run`, the input of every encoder.

Order, for each choice `index`: `Started`, then deltas and calls, then `Finished`. Choices may interleave. After the
last `Finished` of all choices comes exactly one `UsageReported`. A stream that ends otherwise has raised a
`LocalaikError`.

A call is `ToolCallStarted`, any number of `ToolCallArgumentsDelta`, and `ToolCallFinished` once it is complete and
valid. Calls of a choice come one after the other and are counted from 0; text comes before them. A call without its
`ToolCallFinished` was cut by the token limit: `Finished` with the reason `length` follows.

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
    "ToolCallArgumentsDelta",
    "ToolCallFinished",
    "ToolCallStarted",
    "Usage",
    "UsageReported",
]

FinishReason = Literal["stop", "length", "content_filter", "tool_calls", "malformed_call", "other"]
"""`tool_calls`: the answer ends with at least one complete call. `malformed_call`: a call was due, and what the model
wrote, more than once, was none."""


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


class ToolCallStarted(msgspec.Struct, gc=False):
    """The model calls a declared tool."""

    id: str
    """Unique."""
    name: str
    call: int = 0
    """Place among the calls of the choice."""
    index: int = 0
    custom: bool = False
    """The arguments are the free text of a custom tool, not JSON."""


class ToolCallArgumentsDelta(msgspec.Struct, gc=False):
    """More of a call's arguments; the texts of all deltas together are `ToolCall.arguments`."""

    text: str
    call: int = 0
    index: int = 0


class ToolCallFinished(msgspec.Struct, gc=False):
    """The call is complete: its arguments are valid under the tool's schema."""

    call: int = 0
    index: int = 0


class Finished(msgspec.Struct, gc=False):
    """The choice is complete. `stop` covers the end of the turn, a stop string and a finished grammar."""

    reason: FinishReason
    index: int = 0
    message: str = ""
    """What was wrong, with `malformed_call`."""


class UsageReported(msgspec.Struct, gc=False):
    """The final counts; the last event of every successful stream."""

    usage: Usage


GenerationEvent = (
    Started
    | TextDelta
    | ReasoningDelta
    | ToolCallStarted
    | ToolCallArgumentsDelta
    | ToolCallFinished
    | Finished
    | UsageReported
)
