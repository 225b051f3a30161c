"""Work that nobody waited for, as it is told at its end."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["EndedWork", "tell_nobody"]


@dataclass(frozen=True, slots=True)
class EndedWork:
    """A batch, or a response in the background, that has ended."""

    protocol: str
    kind: Literal["batch", "response"]
    id: str
    status: str
    """How it ended, one of few words: `completed`, `succeeded`, `failed`, ..."""
    seconds: float
    """From its making to its end."""
    model: str = ""
    """As the caller wrote it."""
    tokens_in: int | None = None
    tokens_out: int | None = None
    requests: int | None = None
    """Of a batch: how many it has, and how many of them failed."""
    failed: int | None = None
    fault: str = ""
    """Why it failed, in one word."""


def tell_nobody(_work: EndedWork) -> None:
    """For those who keep no books."""
