"""From rows to values, and the conditions that several queries share."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, or_

from localaik.state.records import StoredFile
from localaik.state.tables import FILES

__all__ = ["file_of", "lives", "microseconds_of", "moment_of"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def lives(now: int) -> ColumnElement[bool]:
    """The condition that a file has not expired at `now` (microseconds since 1970)."""
    return or_(FILES.c.expires.is_(None), FILES.c.expires > now)


def file_of(row: RowMapping | dict[str, Any]) -> StoredFile:
    """The file in a row; its values have the types of the table's columns."""
    expires = row["expires"]
    return StoredFile(
        id=row["id"],
        mime=row["mime"],
        display_name=row["display_name"],
        size=row["size"],
        sha256=row["sha256"],
        generated=row["generated"],
        created=moment_of(row["created"]),
        expires=None if expires is None else moment_of(expires),
        purpose=row["purpose"],
    )


def moment_of(microseconds: int) -> datetime:
    """The time, in UTC, that is so many microseconds after 1970 began."""
    return _EPOCH + timedelta(microseconds=microseconds)


def microseconds_of(moment: datetime) -> int:
    """Microseconds since 1970; `moment` has a time zone."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
