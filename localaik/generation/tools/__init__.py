"""Tool calls on models that were never taught them: prompt, grammar and parser."""

import secrets

__all__ = ["new_call_id"]


def new_call_id() -> str:
    """An id for a call, unique for ever."""
    return f"call_{secrets.token_hex(12)}"
