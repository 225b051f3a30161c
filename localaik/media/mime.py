"""Media types as callers claim them, and what the model can take of them."""

import enum
from dataclasses import dataclass
from typing import Final

__all__ = ["Kind", "MediaType", "kind_of", "parse_media_type"]


class Kind(enum.Enum):
    """What can be shown to the model."""

    IMAGE = "image"
    PDF = "PDF"
    TEXT = "text"


# Types beside text/* whose files are plain text.
_TEXT_APPLICATIONS: Final = frozenset(
    {
        "application/ecmascript",
        "application/graphql",
        "application/javascript",
        "application/json",
        "application/jsonl",
        "application/sql",
        "application/toml",
        "application/typescript",
        "application/x-javascript",
        "application/x-json",
        "application/x-ndjson",
        "application/x-python",
        "application/x-sh",
        "application/x-typescript",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
    }
)
_SAYS_NOTHING: Final = frozenset({"application/octet-stream", "binary/octet-stream", "application/x-unknown", "*/*"})


@dataclass(frozen=True, slots=True)
class MediaType:
    """`name` in lower case without parameters (`text/plain`), and the `charset` parameter or None."""

    name: str
    charset: str | None = None


def parse_media_type(text: str | None) -> MediaType | None:
    """A claimed type, or None where the claim is missing or says nothing (`application/octet-stream`)."""
    if text is None:
        return None
    name, *parameters = text.split(";")
    name = name.strip().lower()
    if not name or name in _SAYS_NOTHING:
        return None
    charset = None
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "charset":
            charset = value.strip().strip("\"'") or None
    return MediaType(name, charset)


def kind_of(name: str) -> Kind | None:
    """What a media type (lower case, no parameters) is to the model; None for what it can't take."""
    if name == "image/svg+xml":
        return None
    if name.startswith("image/"):
        return Kind.IMAGE
    if name in {"application/pdf", "application/x-pdf"}:
        return Kind.PDF
    if name.startswith("text/") or name in _TEXT_APPLICATIONS:
        return Kind.TEXT
    if name.startswith("application/") and name.endswith(("+json", "+xml")):
        return Kind.TEXT
    return None
