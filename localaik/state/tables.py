"""The tables as SQLAlchemy Core knows them, in the present version; `migrations` makes them."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, MetaData, String, Table, Text

__all__ = ["FILES", "METADATA", "UPLOADS"]

METADATA: Final = MetaData()

FILES: Final = Table(
    "files",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("blob", String(64), nullable=False, unique=True),
    Column("mime", Text, nullable=False),
    Column("display_name", Text),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("generated", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
)

UPLOADS: Final = Table(
    "uploads",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("file_id", String(64)),
    Column("mime", Text, nullable=False),
    Column("display_name", Text),
    Column("declared", BigInteger),
    Column("generated", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("last_chunk", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
)
