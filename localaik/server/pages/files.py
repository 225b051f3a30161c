"""The files of the pages, as they lie in the package."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Final

from localaik.assets import page_asset

__all__ = ["ASSETS", "PageFile", "etag_of", "page_file"]

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_TAG_CHARS: Final = 32

ASSETS: Final = (
    *("pages.css", "start.css", "docs.css", "icon.svg"),
    *("elements.js", "start.js", "docs.js", "console.js", "schema.js"),
)
"""What the pages load."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file to be sent."""

    body: bytes
    content_type: str
    etag: str


@cache
def page_file(name: str) -> PageFile:
    """The file called `name`, which must be one of the package's."""
    body = page_asset(name).read_bytes()
    return PageFile(body, _TYPES[name.rpartition(".")[2]], etag_of(body))


def etag_of(body: bytes) -> str:
    """A weak one, as the body may be sent compressed (RFC 9110, section 8.8.1)."""
    return f'W/"{sha256(body).hexdigest()[:_TAG_CHARS]}"'
