"""The tables as SQLAlchemy Core knows them, in the present version; `migrations` makes them."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, MetaData, String, Table, Text

__all__ = ["CACHED_CONTENTS", "FILES", "METADATA", "UPLOADS"]

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

CACHED_CONTENTS: Final = Table(
    "cached_contents",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("model", Text, nullable=False),
    Column("display_name", Text),
    Column("body", Text, nullable=False),
    Column("tokens", BigInteger),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
)

BATCHES: Final = Table(
    "batches",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("model", Text, nullable=False),
    Column("display_name", Text),
    Column("priority", BigInteger, nullable=False),
    Column("from_file", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("expired", Boolean, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("succeeded", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Column("output_file", String(64)),
    Column("error", Text),
)

BATCH_ITEMS: Final = Table(
    "batch_items",
    METADATA,
    Column("batch_id", String(64), primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("tag", Text),
    Column("request", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("result", Text),
)
