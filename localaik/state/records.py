"""What the store keeps, as values: files, uploads, pages of a list. Free of any wire format and of SQL."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, Literal, TypeVar

__all__ = [
    "MADE_HERE",
    "UPLOADED",
    "NewCache",
    "NewFile",
    "Page",
    "StoredCache",
    "StoredFile",
    "UploadState",
    "UploadStatus",
]

T = TypeVar("T")

MADE_HERE: Final = "batch_output"
UPLOADED: Final = "user_data"
"""What files are for where nobody said it: those that the server made, and all others."""

UploadState = Literal["active", "final", "cancelled"]
"""`active` takes bytes, `final` became a file, `cancelled` is over without one."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that is about to be stored."""

    mime: str
    """Media type, as it is to be told again; not checked here."""
    id: str | None = None
    """The id that the caller wants, or None for a generated one."""
    display_name: str | None = None
    size: int | None = None
    """Bytes that will come, or None where that is not known yet."""
    generated: bool = False
    """True for what the server made, such as the result of a batch."""
    purpose: str | None = None
    """What the caller wants it for, in a word of its own."""
    lifetime: int | None = None
    """Seconds from its creation after which it is deleted, or None for the setting."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A complete file. Times are in UTC."""

    id: str
    mime: str
    display_name: str | None
    size: int
    """Bytes."""
    sha256: str
    """Lower-case hexadecimal."""
    generated: bool
    created: datetime
    expires: datetime | None
    """None where files are kept for good."""
    purpose: str | None = None
    """What its caller said that it is for."""


@dataclass(frozen=True, slots=True)
class UploadStatus:
    """Where an upload stands."""

    state: UploadState
    received: int
    """Bytes that are kept, of whole chunks only."""
    declared: int | None
    """Bytes that were promised at the start, or None."""


@dataclass(frozen=True, slots=True)
class NewCache:
    """A cached content that is about to be stored."""

    model: str
    body: str
    """The content in the words of the protocol that keeps it."""
    created: datetime
    expires: datetime
    """Both with a time zone, by the store's clock."""
    display_name: str | None = None
    tokens: int | None = None
    """The size of the content as a prompt, or None where the engine can't tell."""


@dataclass(frozen=True, slots=True)
class StoredCache:
    """A cached content, without what it holds. Times are in UTC."""

    id: str
    model: str
    display_name: str | None
    tokens: int | None
    created: datetime
    updated: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list, and the token of the next one (None on the last)."""

    items: tuple[T, ...]
    next_token: str | None
