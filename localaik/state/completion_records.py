"""Stored chat completions as values. Bodies are JSON in the protocol's own words; nothing here looks inside."""

from dataclasses import dataclass

__all__ = ["Completion", "CompletionPage"]


@dataclass(frozen=True, slots=True)
class Completion:
    """A chat completion, and the messages that it answers."""

    id: str
    model: str
    """The name that the caller asked for."""
    body: str
    """The completion without its metadata."""
    messages: str
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class CompletionPage:
    """A part of the list of completions."""

    items: tuple[Completion, ...]
    has_more: bool
