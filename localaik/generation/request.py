"""What is asked of a model, free of any protocol: the input of `generation.run`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from localaik.content import Part

__all__ = [
    "NO_PARAMETERS",
    "AnyJson",
    "CustomTool",
    "EnumText",
    "FunctionTool",
    "GenerationRequest",
    "JsonMatching",
    "Message",
    "MessagePart",
    "OutputFormat",
    "Role",
    "Sampling",
    "Thinking",
    "Tool",
    "ToolCall",
    "ToolChoice",
    "ToolResult",
]

Role = Literal["system", "user", "assistant"]

NO_PARAMETERS: Final[Mapping[str, object]] = {"type": "object", "properties": {}, "additionalProperties": False}
"""The schema of a function without parameters: an empty object."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model made: in an earlier turn of a conversation, or in an answer."""

    id: str
    name: str
    arguments: str
    """JSON text of an object; the input as it is for a custom tool."""
    custom: bool = False


@dataclass(slots=True)
class ToolResult:
    """What a call gave, told in a user turn."""

    call_id: str
    name: str
    content: str
    """Text; JSON stays JSON in the prompt, anything else is told as a string."""
    parts: list[Part] = field(default_factory=list)
    """Images and files of the result; the model sees them right after it."""


MessagePart = Part | ToolCall | ToolResult


@dataclass(slots=True)
class Message:
    """One turn of the conversation. `decode` joins adjacent text parts the way its protocol says."""

    role: Role
    parts: Sequence[MessagePart]
    """Calls stand in turns of the assistant, results in turns of the user."""


@dataclass(frozen=True, slots=True)
class FunctionTool:
    """A function that the model may call with arguments."""

    name: str
    description: str = ""
    parameters: Mapping[str, object] = field(default_factory=lambda: NO_PARAMETERS)
    """A neutral JSON Schema (draft 2020-12) of the arguments, which are always an object."""
    field: str = "tools"
    """The path of `parameters` on the wire, for errors."""


@dataclass(frozen=True, slots=True)
class CustomTool:
    """A tool that the model may call with free text."""

    name: str
    description: str = ""
    pattern: str | None = None
    """A regular expression that the whole input matches."""
    syntax: str = ""
    """A grammar that the input should follow, as text for the model."""
    field: str = "tools"
    """The path of `pattern` on the wire, for errors."""


Tool = FunctionTool | CustomTool


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether the model calls, what, and how often."""

    mode: Literal["none", "auto", "required"] = "auto"
    """No call; text or calls; at least one call and no text."""
    names: tuple[str, ...] | None = None
    """Only these tools may be called; None is all of the request."""
    parallel: bool = True
    """More than one call in an answer is allowed."""


@dataclass(slots=True)
class Sampling:
    """Sampling values that the caller gave; None leaves the value to the engine."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


@dataclass(frozen=True, slots=True)
class AnyJson:
    """The answer is one JSON value; with `object_only`, one JSON object."""

    object_only: bool = False


@dataclass(frozen=True, slots=True)
class JsonMatching:
    """The answer is one JSON value that is valid under `schema`, a neutral JSON Schema (draft 2020-12).

    Properties are generated in the order in which `schema` lists them. `field` is the schema's path on the wire, for
    errors.
    """

    schema: Mapping[str, object] | bool
    field: str


@dataclass(frozen=True, slots=True)
class EnumText:
    """The answer is exactly one of `values`, without quotes."""

    values: tuple[str, ...]


OutputFormat = AnyJson | JsonMatching | EnumText


@dataclass(frozen=True, slots=True)
class Thinking:
    """Thoughts before the answer."""

    include: bool = False
    """The caller wants to see them."""
    budget: int | None = None
    """At most this many tokens; 0 is none, None leaves it to the model."""


@dataclass(slots=True)
class GenerationRequest:
    """One request for text, as every protocol decodes it."""

    model: str
    """The name that the caller asked for; answers repeat it."""
    messages: list[Message] = field(default_factory=list)
    prompt: str | list[int] | None = None
    """A raw prompt (text, or token ids of the served model) instead of `messages`; no chat template is applied."""
    suffix: str | None = None
    """Text behind the gap that the answer fills, which begins behind a `prompt` of text."""
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int | None = None
    """At most this many tokens in each choice; None is the rest of the context."""
    stop: tuple[str, ...] = ()
    seed: int | None = None
    """None is the server's fixed seed. Choice i uses seed + i."""
    n: int = 1
    logprobs: int | None = None
    """None: no log probabilities. 0 to 20: those of the chosen tokens and of this many alternatives."""
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    """Token id of the served model -> -100 (ban) to 100."""
    output: OutputFormat | None = None
    """The form that the answer must have, where it is text; None is free text."""
    tools: tuple[Tool, ...] = ()
    """What the model may call. Names are unique."""
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    reasoning_effort: str | None = None
    """What the caller said about thinking (`none`, `low`, ...), for models whose template takes it."""
    thinking: Thinking | None = None
    """What the caller said about thoughts; None says nothing."""
    extra: Mapping[str, object] = field(default_factory=dict)
    """Fields that the protocol does not know; they travel on to the engine unchanged."""
    time_limit: float | None = None
    """Seconds for the whole request, as the caller asked for; the server's own limit holds too."""
