"""Responses and conversations as values. Bodies are JSON in the protocol's own words; nothing here looks inside."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Conversation", "ConversationPage", "Item", "ItemPage", "NewResponse", "StoredResponse"]


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a conversation: a message, a call, ..."""

    id: str
    """Any text; other items may have the same one, where callers chose it."""
    body: str


@dataclass(frozen=True, slots=True)
class NewResponse:
    """A response that is about to be stored, finished or not."""

    id: str
    created: int
    """Unix seconds."""
    status: str
    background: bool
    body: str
    """The response without its output."""
    input: Sequence[Item]
    """What was new in the request."""
    output: Sequence[Item]
    previous_id: str | None = None
    """The response that this one continues."""
    conversation_id: str | None = None
    """The conversation that this one continues, and belongs to where it ended well."""


StoredResponse = NewResponse
"""A response is given back as it was stored."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation, without its items."""

    id: str
    created: int
    """Unix seconds."""
    metadata: dict[str, str]
    item_count: int


@dataclass(frozen=True, slots=True)
class ItemPage:
    """A part of a list of items."""

    items: tuple[Item, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """A part of the list of conversations."""

    items: tuple[Conversation, ...]
    has_more: bool
