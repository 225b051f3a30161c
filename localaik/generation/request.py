"""What is asked of a model, free of any protocol: the input of `generation.run`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from localaik.content import Part

__all__ = [
    "AnyJson",
    "EnumText",
    "GenerationRequest",
    "JsonMatching",
    "Message",
    "OutputFormat",
    "Role",
    "Sampling",
]

Role = Literal["system", "user", "assistant"]


@dataclass(slots=True)
class Message:
    """One turn of the conversation. `decode` joins adjacent text parts the way its protocol says."""

    role: Role
    parts: list[Part]


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


@dataclass(slots=True)
class GenerationRequest:
    """One request for text, as every protocol decodes it."""

    model: str
    """The name that the caller asked for; answers repeat it."""
    messages: list[Message] = field(default_factory=list)
    prompt: str | list[int] | None = None
    """A raw prompt (text, or token ids of the served model) instead of `messages`; no chat template is applied."""
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
    """The form that the answer must have; None is free text."""
    reasoning_effort: str | None = None
    """What the caller said about thinking (`none`, `low`, ...), for models whose template takes it."""
    extra: Mapping[str, object] = field(default_factory=dict)
    """Fields that the protocol does not know; they travel on to the engine unchanged."""
    time_limit: float | None = None
    """Seconds for the whole request, as the caller asked for; the server's own limit holds too."""
