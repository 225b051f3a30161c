"""Ids of stored things: made, checked, and never a path."""

import re
import secrets
from typing import Final

from localaik.state.faults import InvalidId

__all__ = ["check_id", "new_blob_id", "new_id"]

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_LENGTH: Final = 12
_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_UPLOAD_BYTES: Final = 16


def new_id(prefix: str = "", length: int = _LENGTH) -> str:
    """`prefix`, and `length` of `[a-z0-9]`, each of about 5 random bits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_blob_id() -> str:
    """128 random bits in hexadecimal: the id of an upload, a credential by itself, and the name of its bytes."""
    return secrets.token_hex(_UPLOAD_BYTES)


def check_id(value: str) -> str:
    """`value`, which may be an id. Raises `InvalidId`."""
    if not _ID.fullmatch(value):
        raise InvalidId(value)
    return value
