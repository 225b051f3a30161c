"""The tables as SQLAlchemy Core knows them, in the present version; `migrations` makes them."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, MetaData, String, Table

from localaik.state.texts import AnyText

__all__ = ["CACHED_CONTENTS", "FILES", "METADATA", "UPLOADS", "UPLOAD_PARTS"]

METADATA: Final = MetaData()

FILES: Final = Table(
    "files",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("blob", String(64), nullable=False, unique=True),
    Column("mime", AnyText, nullable=False),
    Column("display_name", AnyText),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("generated", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Column("purpose", AnyText),
)

UPLOADS: Final = Table(
    "uploads",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("file_id", String(64)),
    Column("mime", AnyText, nullable=False),
    Column("display_name", AnyText),
    Column("declared", BigInteger),
    Column("generated", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("last_chunk", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("purpose", AnyText),
    Column("lifetime", BigInteger),
)

UPLOAD_PARTS: Final = Table(
    "upload_parts",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("upload_id", String(64), nullable=False),
    Column("size", BigInteger),
    Column("created", BigInteger, nullable=False),
)

CACHED_CONTENTS: Final = Table(
    "cached_contents",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("model", AnyText, nullable=False),
    Column("display_name", AnyText),
    Column("body", AnyText, nullable=False),
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
    Column("model", AnyText, nullable=False),
    Column("display_name", AnyText),
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
    Column("error", AnyText),
    Column("input_file", String(64)),
    Column("error_file", String(64)),
    Column("body", AnyText),
    Column("usage", AnyText),
    Column("begun", BigInteger),
    Column("ending", BigInteger),
    Column("abandoned", BigInteger),
)

BATCH_ITEMS: Final = Table(
    "batch_items",
    METADATA,
    Column("batch_id", String(64), primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("tag", AnyText),
    Column("request", AnyText, nullable=False),
    Column("state", String(16), nullable=False),
    Column("result", AnyText),
)

ITEMS: Final = Table(
    "items",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("id", String(200), nullable=False),
    Column("body", AnyText, nullable=False),
)

RESPONSES: Final = Table(
    "responses",
    METADATA,
    Column("id", String(100), primary_key=True),
    Column("created", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("status", String(32), nullable=False),
    Column("background", Boolean, nullable=False),
    Column("body", AnyText, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("inputs", BigInteger, nullable=False),
    Column("outputs", BigInteger, nullable=False),
    Column("previous_id", String(100)),
    Column("conversation_id", String(100)),
    Column("seen", BigInteger, nullable=False),
    Column("appended", Boolean, nullable=False),
    Column("gone", Boolean, nullable=False),
)
"""`size` is in bytes, with the items. `seen`: it saw the conversation's items at lower places. `appended`: its items
belong to the conversation. `gone`: deleted or expired, and kept for the responses that continue it."""

RESPONSE_ITEMS: Final = Table(
    "response_items",
    METADATA,
    Column("response_id", String(100), primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)
"""The input of a response, from place 0, and its output behind that."""

CONVERSATIONS: Final = Table(
    "conversations",
    METADATA,
    Column("id", String(100), primary_key=True),
    Column("created", BigInteger, nullable=False),
    Column("metadata", AnyText, nullable=False),
    Column("item_count", BigInteger, nullable=False),
    Column("next_place", BigInteger, nullable=False),
    Column("gone", Boolean, nullable=False),
)

CONVERSATION_ITEMS: Final = Table(
    "conversation_items",
    METADATA,
    Column("conversation_id", String(100), primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("removed", BigInteger),
)
"""`removed`: the conversation's next place when the item was deleted. Responses that saw less still see the item."""

COMPLETIONS: Final = Table(
    "chat_completions",
    METADATA,
    Column("id", String(100), primary_key=True),
    Column("model", AnyText, nullable=False),
    Column("body", AnyText, nullable=False),
    Column("messages", AnyText, nullable=False),
    Column("metadata", AnyText, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
)

COMPLETION_METADATA: Final = Table(
    "chat_completion_metadata",
    METADATA,
    Column("completion_id", String(100), primary_key=True),
    Column("name", AnyText, primary_key=True),
    Column("value", AnyText, nullable=False),
)

SESSIONS: Final = Table(
    "sessions",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("model", AnyText),
    Column("message_count", BigInteger, nullable=False),
    Column("token_count", BigInteger, nullable=False),
    Column("max_context", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("accessed", BigInteger, nullable=False),
)

SESSION_MESSAGES: Final = Table(
    "session_messages",
    METADATA,
    Column("session_id", String(64), primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("body", AnyText, nullable=False),
    Column("tokens", BigInteger, nullable=False),
)
"""Places below 0 are what stands in front of the conversation."""

SESSION_SLOTS: Final = Table(
    "session_slots",
    METADATA,
    Column("slot", String(64), primary_key=True),
    Column("session_id", String(64), nullable=False),
)
