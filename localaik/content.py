"""The parts that a message is made of, shared by all protocols, `media` and `generation`.

`decode` writes `Text` and `Attachment`; `media` replaces each attachment by `Text` and `Image` parts;
the engine sees `Text` and `Image` only.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Attachment", "AttachmentLoader", "Image", "Part", "StoredBytes", "StoredFiles", "Text"]


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text, as the caller wrote it."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A PNG or JPEG that is ready for the engine."""

    mime: str
    """`image/png` or `image/jpeg`."""
    data: str
    """The file as base64 (standard alphabet, padded, no line breaks)."""
    document: bool = False
    """True for a page of a PDF, which usage counts as document, not as image."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as the caller sent it: not decoded, not fetched, not checked.

    Exactly one of `base64`, `uri` and `stored` is set.
    """

    field: str
    """Path of the field in the wire names, for errors: `contents[0].parts[1].inlineData`."""
    base64: str | None = None
    """The bytes in any variant of base64 (standard or URL-safe, padded or not, with line breaks)."""
    uri: str | None = None
    """A `data:`, `http:` or `https:` URL, or what else the caller put there."""
    stored: str | None = None
    """The id of a file that was uploaded before."""
    mime: str | None = None
    """The claimed media type, parameters included, or None."""
    name: str | None = None
    """The file's name, or None."""
    low_detail: bool = False
    """True to halve the side of images and pages."""
    images_only: bool = False
    """True where the protocol's field takes nothing but an image (OpenAI's `image_url`)."""


Part = Text | Image | Attachment


class AttachmentLoader(Protocol):
    """What turns attachments into parts; `media` implements it."""

    async def load(self, attachments: list[Attachment], *, images: bool = True) -> list[list[Text | Image]]:
        """The parts of each attachment, in the order given; without `images`, documents are given as text.

        All attachments of one request go in one call, because the limits hold per request as well as per item.
        Raises `InvalidMedia` (naming the attachment's field), `MissingTool`, `TimedOut`.
        """
        ...


class StoredBytes(Protocol):
    """A stored file that is open for reading."""

    @property
    def mime(self) -> str:
        """The media type it was stored with."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    async def read(self, most: int | None = None) -> bytes:
        """The bytes from the beginning, `most` at most."""
        ...


class StoredFiles(Protocol):
    """Where attachments find stored files; `state` implements it."""

    def open(self, file_id: str) -> AbstractAsyncContextManager[StoredBytes]:
        """A stored file. Entering raises `NotFound` where there is none with that id."""
        ...
