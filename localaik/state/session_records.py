"""Sessions as values: conversations that are kept under an id and go on with every turn."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["History", "Session", "SessionMessage"]


@dataclass(frozen=True, slots=True)
class Session:
    """A session, without its messages."""

    id: str
    model: str | None
    """The model that it was made for, where its maker named one."""
    message_count: int
    token_count: int
    max_context: int
    """The context window when it was last used, in tokens."""
    created: float
    accessed: float
    """Both in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class SessionMessage:
    """One message."""

    body: dict[str, object]
    """As it stood on the wire."""
    tokens: int


@dataclass(frozen=True, slots=True)
class History:
    """A session and all its messages, oldest first."""

    session: Session
    system: Sequence[SessionMessage]
    """What stands in front of the conversation, and may be replaced."""
    messages: Sequence[SessionMessage]
