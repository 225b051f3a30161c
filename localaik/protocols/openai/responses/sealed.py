"""Thoughts in the form in which clients carry them from turn to turn: opaque to them, readable here. Pure: no I/O.

Base64 of a mark, a version and the compressed text, whose checksum tells what was damaged. It keeps nothing secret:
the same text stands beside it in the reasoning item. Other services' content does not have the mark.
"""

import zlib
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Final

__all__ = ["seal", "unseal"]

_MARK: Final = b"lkr\x01"
_LEVEL: Final = 1
_LARGEST: Final = 4 << 20


def seal(thoughts: str) -> str:
    """The `encrypted_content` of a reasoning item. Equal thoughts give equal content."""
    return b64encode(_MARK + zlib.compress(thoughts.encode("utf-8", "replace"), _LEVEL)).decode()


def unseal(content: str) -> str | None:
    """The thoughts in `content`; None for what was made by another service, is damaged, or is more than 4 MiB."""
    try:
        data = b64decode(content, validate=True)
    except (Base64Error, ValueError):
        return None
    if not data.startswith(_MARK):
        return None
    reader = zlib.decompressobj()
    try:
        thoughts = reader.decompress(data[len(_MARK) :], _LARGEST)
        return thoughts.decode() if reader.eof else None
    except (zlib.error, UnicodeDecodeError):
        return None
