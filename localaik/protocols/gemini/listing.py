"""Sizes of list pages, as the query asks for them. Pure: no I/O."""

from collections.abc import Mapping

from localaik.errors import BadRequest

__all__ = ["page_size", "page_token"]


def page_size(query: Mapping[str, str], *, default: int, largest: int) -> int:
    """How many items a page has: `default` for 0 and where nothing is said, never more than `largest`.

    Raises `BadRequest` for a negative size and for what is no number.
    """
    text = query.get("pageSize") or query.get("page_size") or "0"
    if not (text.isascii() and text.isdecimal()):
        raise BadRequest(f"Invalid value for page_size: {text[:100]}. It must be a number from 0.", field="pageSize")
    return min(int(text[:20]), largest) or default


def page_token(query: Mapping[str, str]) -> str:
    """The token of the page, or an empty text for the first one."""
    return query.get("pageToken") or query.get("page_token") or ""
