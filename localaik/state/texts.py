"""Texts of callers in columns. SQLite takes every text; PostgreSQL has none with a NUL."""

from typing import TYPE_CHECKING

from sqlalchemy import Text
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy import Dialect

__all__ = ["AnyText"]

_NUL = "\0"
_INSTEAD = "\N{REPLACEMENT CHARACTER}"


class AnyText(TypeDecorator[str]):
    """Text in which, for PostgreSQL, a replacement character stands for NUL. JSON has no NUL as it is."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: "Dialect") -> str | None:
        """The text as the database takes it."""
        if value is None or dialect.name != "postgresql" or _NUL not in value:
            return value
        return value.replace(_NUL, _INSTEAD)
