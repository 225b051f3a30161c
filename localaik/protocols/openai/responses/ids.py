"""Ids of what the Responses API makes."""

import secrets
from typing import Final

__all__ = ["new_id"]

_BYTES: Final = 16


def new_id(prefix: str) -> str:
    """A new id such as `msg_0f…`: `prefix` without its line, and 128 random bits in hexadecimal."""
    return f"{prefix}_{secrets.token_hex(_BYTES)}"
