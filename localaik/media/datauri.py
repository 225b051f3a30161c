"""`data:` URIs (RFC 2397), read as leniently as browsers do."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, unquote_to_bytes

from localaik.media.base64 import Base64
from localaik.media.faults import MediaError

__all__ = ["DataUri", "is_data_uri", "parse_data_uri"]

_DEFAULT_TYPE: Final = "text/plain"
_BAD_ESCAPE: Final = re.compile("%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class DataUri:
    """The media type with its parameters, and the content: still base64, or bytes."""

    mime: str
    content: Base64 | bytes


def is_data_uri(uri: str) -> bool:
    """Whether the scheme is `data:`, in any case."""
    return uri[:5].lower() == "data:"


def parse_data_uri(uri: str) -> DataUri:
    """Take a `data:` URI apart.

    `base64` may stand anywhere among the parameters; without it the content is percent-encoded, and `+` is a plus.
    Raises `MediaError` (`invalid_url`). The base64 itself is not checked here.
    """
    comma = uri.find(",")
    if comma < 0:
        raise MediaError("invalid_url", "The data URI has no comma before its content.")
    kind, *parameters = (word.strip() for word in unquote(uri[5:comma]).split(";"))
    is_base64 = any(word.lower() == "base64" for word in parameters)
    kept = [word for word in parameters if word.lower() != "base64"]
    mime = ";".join([kind or _DEFAULT_TYPE, *kept])
    content = uri[comma + 1 :]
    if "%" in content and _BAD_ESCAPE.search(content):
        raise MediaError("invalid_url", "The data URI holds a percent sign without two hexadecimal digits.")
    if is_base64:
        return DataUri(mime, Base64(unquote(content) if "%" in content else content))
    return DataUri(mime, unquote_to_bytes(content))
