"""What a caller wants embedded, and what comes back, free of any wire format."""

from collections.abc import Sequence
from dataclasses import dataclass

from localaik.embeddings.prompts import Task
from localaik.errors import BadRequest

__all__ = ["Embedded", "Embedding", "EmbeddingInput", "EmbeddingRequest", "InputTooLong", "TooManyDimensions"]


@dataclass(frozen=True, slots=True)
class EmbeddingInput:
    """One text, or one list of token ids."""

    content: str | tuple[int, ...]
    task: Task = Task.DOCUMENT
    """What the vector is for. Token ids get no prefix, whatever it is."""
    title: str = ""
    """The document's title; without effect on other tasks."""
    dimensions: int | None = None
    """Numbers of the vector; None for all that the model gives."""
    field: str = ""
    """The wire path of `content`, for errors."""


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Inputs that are embedded together."""

    model: str
    """The name that the caller asked for."""
    inputs: Sequence[EmbeddingInput]


@dataclass(frozen=True, slots=True)
class Embedding:
    """The vector of one input."""

    vector: bytes
    """Little-endian 32-bit floats (IEEE 754), of length 1 together."""
    tokens: int
    """Size of what was embedded, prefix included."""
    total_tokens: int
    """Its size before it was cut to what the model takes."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of a request, in the order of its inputs."""

    embeddings: Sequence[Embedding]

    @property
    def tokens(self) -> int:
        """Tokens of all inputs, as they were embedded."""
        return sum(embedding.tokens for embedding in self.embeddings)

    @property
    def total_tokens(self) -> int:
        """Tokens of all inputs, before any was cut."""
        return sum(embedding.total_tokens for embedding in self.embeddings)


class TooManyDimensions(BadRequest):
    """More numbers are asked for than the model's vectors have (`width`)."""

    def __init__(self, dimensions: int, width: int, field: str) -> None:
        super().__init__(
            f"The model's vectors have {width} numbers, {dimensions} were asked for.",
            field=field,
            reason="integer_above_max_value",
        )
        self.dimensions = dimensions
        self.width = width


class InputTooLong(BadRequest):
    """An input is longer than the model takes, and is not to be cut. Both sizes in tokens."""

    def __init__(self, tokens: int, limit: int, field: str) -> None:
        super().__init__(
            f"The input has {tokens} tokens, the model takes {limit}.", field=field, reason="context_length_exceeded"
        )
        self.tokens = tokens
        self.limit = limit
