"""Lists: what their query asks for, and the object that holds a page. Pure: no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.reading import out_of_range, wrong_type, wrong_value

__all__ = ["ListQuery", "Order", "Query", "list_object", "read_list"]

Order = Literal["asc", "desc"]

_ORDERS: Final = ("asc", "desc")
_MAX_DIGITS: Final = 18
_INCLUDE: Final = ("include", "include[]")
"""A list in a query: SDKs write its name with brackets or without."""


class Query(Protocol):
    """A query string, whose names may be repeated."""

    def get(self, name: str, /) -> str | None:
        """The first value of `name`."""

    def getall(self, name: str, default: Sequence[str], /) -> Sequence[str]:
        """All values of `name`, or `default` where there is none."""


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which page of a list is wanted."""

    limit: int
    newest_first: bool
    after: str | None
    """Id of the object before the first one of the page; None for the first page."""
    include: tuple[str, ...]


def read_list(
    query: Query, *, default_order: Order = "desc", default_limit: int = 20, max_limit: int = 100
) -> ListQuery:
    """The page that a query asks for. Raises `BadRequest` naming the parameter."""
    order = query.get("order") or default_order
    if order not in _ORDERS:
        raise wrong_value("order", _ORDERS, order)
    return ListQuery(
        limit=_limit(query.get("limit"), default_limit, max_limit),
        newest_first=order == "desc",
        after=query.get("after") or None,
        include=tuple(value for name in _INCLUDE for value in query.getall(name, ())),
    )


def list_object(data: Sequence[Object], has_more: bool) -> Object:
    """The object of a page; what is in `data` has ids."""
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else "",
        "last_id": data[-1]["id"] if data else "",
        "has_more": has_more,
    }


def _limit(text: str | None, default: int, largest: int) -> int:
    if not text:
        return default
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _MAX_DIGITS):
        raise wrong_type("limit", "an integer", text)
    limit = int(text)
    if limit < 1:
        raise out_of_range("limit", {"ge": 1}, limit)
    if limit > largest:
        raise out_of_range("limit", {"le": largest}, limit)
    return limit
