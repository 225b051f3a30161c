"""What the parts of the Responses API tell each other: of a request to its writers, of an event to the wire."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from localaik.jobs.live import Frame

__all__ = ["Answering", "Frame", "Namespaced"]


class Namespaced(NamedTuple):
    """A function that was declared inside a namespace."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Answering:
    """What the writers of an answer need of its request."""

    logprobs: int | None = None
    """Alternatives that each token is told with; None where log probabilities were not asked for."""
    may_call: bool = False
    """The answer may be a call of a tool."""
    summary: bool = False
    """Thoughts are told by the events of summaries; else by those of reasoning text."""
    encrypted_reasoning: bool = False
    """Thoughts are told once more in the sealed form that clients without a store send back."""
    obfuscate: bool = False
    """Pad the deltas of a stream, so that their sizes tell little of what is in them."""
    namespaced: Mapping[str, Namespaced] = field(default_factory=dict)
    """Name under which the model knows a function -> its place in a namespace."""
    egemma: bool = False
    """Add what clients of eGemma read: see the setting `egemma_compat`."""
