"""The steps from an empty database to the present one, in order. A step that was released is never changed.

The statements keep to what SQLite and PostgreSQL share. Times are microseconds since 1970 in UTC.
"""

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from localaik.errors import InternalFault

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["MIGRATIONS", "migrate"]

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """
        CREATE TABLE files (
            id VARCHAR(64) NOT NULL PRIMARY KEY,
            blob VARCHAR(64) NOT NULL UNIQUE,
            mime TEXT NOT NULL,
            display_name TEXT,
            size BIGINT NOT NULL,
            sha256 VARCHAR(64) NOT NULL,
            generated BOOLEAN NOT NULL,
            created BIGINT NOT NULL,
            expires BIGINT
        )
        """,
        "CREATE INDEX files_created ON files (created, id)",
        "CREATE INDEX files_expires ON files (expires)",
        """
        CREATE TABLE uploads (
            id VARCHAR(64) NOT NULL PRIMARY KEY,
            file_id VARCHAR(64),
            mime TEXT NOT NULL,
            display_name TEXT,
            declared BIGINT,
            generated BOOLEAN NOT NULL,
            state VARCHAR(16) NOT NULL,
            received BIGINT NOT NULL,
            last_chunk BIGINT NOT NULL,
            expires BIGINT NOT NULL
        )
        """,
        "CREATE INDEX uploads_expires ON uploads (expires)",
    ),
    (
        """
        CREATE TABLE cached_contents (
            id VARCHAR(64) NOT NULL PRIMARY KEY,
            model TEXT NOT NULL,
            display_name TEXT,
            body TEXT NOT NULL,
            tokens BIGINT,
            created BIGINT NOT NULL,
            updated BIGINT NOT NULL,
            expires BIGINT NOT NULL
        )
        """,
        "CREATE INDEX cached_contents_created ON cached_contents (created, id)",
        "CREATE INDEX cached_contents_expires ON cached_contents (expires)",
    ),
    (  # batches
        """
        CREATE TABLE batches (
            id VARCHAR(64) NOT NULL PRIMARY KEY,
            kind VARCHAR(16) NOT NULL,
            model TEXT NOT NULL,
            display_name TEXT,
            priority BIGINT NOT NULL,
            from_file BOOLEAN NOT NULL,
            state VARCHAR(16) NOT NULL,
            cancelled BOOLEAN NOT NULL,
            expired BOOLEAN NOT NULL,
            total BIGINT NOT NULL,
            succeeded BIGINT NOT NULL,
            failed BIGINT NOT NULL,
            created BIGINT NOT NULL,
            updated BIGINT NOT NULL,
            ended BIGINT,
            output_file VARCHAR(64),
            error TEXT
        )
        """,
        "CREATE INDEX batches_created ON batches (created, id)",
        "CREATE INDEX batches_state ON batches (state)",
        """
        CREATE TABLE batch_items (
            batch_id VARCHAR(64) NOT NULL,
            place BIGINT NOT NULL,
            tag TEXT,
            request TEXT NOT NULL,
            state VARCHAR(16) NOT NULL,
            result TEXT,
            PRIMARY KEY (batch_id, place)
        )
        """,
        "CREATE INDEX batch_items_state ON batch_items (batch_id, state, place)",
    ),
    (  # what files are for, and uploads in parts that have ids of their own
        "ALTER TABLE files ADD COLUMN purpose TEXT",
        "ALTER TABLE uploads ADD COLUMN purpose TEXT",
        "ALTER TABLE uploads ADD COLUMN lifetime BIGINT",
        """
        CREATE TABLE upload_parts (
            id VARCHAR(64) NOT NULL PRIMARY KEY,
            upload_id VARCHAR(64) NOT NULL,
            size BIGINT,
            created BIGINT NOT NULL
        )
        """,
        "CREATE INDEX upload_parts_upload ON upload_parts (upload_id)",
    ),
    (  # batches that are checked in the background
        "ALTER TABLE batches ADD COLUMN input_file VARCHAR(64)",
        "ALTER TABLE batches ADD COLUMN error_file VARCHAR(64)",
        "ALTER TABLE batches ADD COLUMN body TEXT",
        "ALTER TABLE batches ADD COLUMN usage TEXT",
        "ALTER TABLE batches ADD COLUMN begun BIGINT",
        "ALTER TABLE batches ADD COLUMN ending BIGINT",
        "ALTER TABLE batches ADD COLUMN abandoned BIGINT",
    ),
    (  # responses and conversations
        """
        CREATE TABLE items (
            number BIGINT NOT NULL PRIMARY KEY,
            id VARCHAR(200) NOT NULL,
            body TEXT NOT NULL
        )
        """,
        "CREATE INDEX items_id ON items (id, number)",
        """
        CREATE TABLE responses (
            id VARCHAR(100) NOT NULL PRIMARY KEY,
            created BIGINT NOT NULL,
            stored BIGINT NOT NULL,
            status VARCHAR(32) NOT NULL,
            background BOOLEAN NOT NULL,
            body TEXT NOT NULL,
            size BIGINT NOT NULL,
            inputs BIGINT NOT NULL,
            outputs BIGINT NOT NULL,
            previous_id VARCHAR(100),
            conversation_id VARCHAR(100),
            seen BIGINT NOT NULL,
            appended BOOLEAN NOT NULL,
            gone BOOLEAN NOT NULL
        )
        """,
        "CREATE INDEX responses_stored ON responses (stored, size)",
        "CREATE INDEX responses_status ON responses (status)",
        "CREATE INDEX responses_previous ON responses (previous_id)",
        "CREATE INDEX responses_conversation ON responses (conversation_id, seen)",
        """
        CREATE TABLE response_items (
            response_id VARCHAR(100) NOT NULL,
            place BIGINT NOT NULL,
            number BIGINT NOT NULL,
            PRIMARY KEY (response_id, place)
        )
        """,
        "CREATE INDEX response_items_number ON response_items (number, response_id)",
        """
        CREATE TABLE conversations (
            id VARCHAR(100) NOT NULL PRIMARY KEY,
            created BIGINT NOT NULL,
            metadata TEXT NOT NULL,
            item_count BIGINT NOT NULL,
            next_place BIGINT NOT NULL,
            gone BOOLEAN NOT NULL
        )
        """,
        "CREATE INDEX conversations_created ON conversations (created, id)",
        """
        CREATE TABLE conversation_items (
            conversation_id VARCHAR(100) NOT NULL,
            place BIGINT NOT NULL,
            number BIGINT NOT NULL,
            removed BIGINT,
            PRIMARY KEY (conversation_id, place)
        )
        """,
        "CREATE INDEX conversation_items_number ON conversation_items (number, conversation_id)",
        """
        CREATE INDEX conversation_items_removed ON conversation_items (conversation_id, removed)
        WHERE removed IS NOT NULL
        """,
    ),
    (  # chat completions
        """
        CREATE TABLE chat_completions (
            id VARCHAR(100) NOT NULL PRIMARY KEY,
            model TEXT NOT NULL,
            body TEXT NOT NULL,
            messages TEXT NOT NULL,
            metadata TEXT NOT NULL,
            size BIGINT NOT NULL,
            stored BIGINT NOT NULL
        )
        """,
        "CREATE INDEX chat_completions_stored ON chat_completions (stored, id, size)",
        """
        CREATE TABLE chat_completion_metadata (
            completion_id VARCHAR(100) NOT NULL,
            name TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (completion_id, name)
        )
        """,
        "CREATE INDEX chat_completion_metadata_pair ON chat_completion_metadata (name, value)",
    ),
    (  # sessions
        """
        CREATE TABLE sessions (
            id VARCHAR(64) NOT NULL PRIMARY KEY,
            model TEXT,
            message_count BIGINT NOT NULL,
            token_count BIGINT NOT NULL,
            max_context BIGINT NOT NULL,
            created BIGINT NOT NULL,
            accessed BIGINT NOT NULL
        )
        """,
        """
        CREATE TABLE session_messages (
            session_id VARCHAR(64) NOT NULL,
            place BIGINT NOT NULL,
            body TEXT NOT NULL,
            tokens BIGINT NOT NULL,
            PRIMARY KEY (session_id, place)
        )
        """,
        """
        CREATE TABLE session_slots (
            slot VARCHAR(64) NOT NULL PRIMARY KEY,
            session_id VARCHAR(64) NOT NULL
        )
        """,
    ),
)


async def migrate(connection: "AsyncConnection") -> None:
    """Bring the database to the present version, within the transaction of `connection`.

    Raises `InternalFault` where a newer localaik has written it: its rows could be misread.
    """
    await connection.execute(text("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)"))
    version = (await connection.execute(text("SELECT version FROM schema_version"))).scalar()
    if version is None:
        await connection.execute(text("INSERT INTO schema_version (version) VALUES (0)"))
    done = version or 0
    if done > len(MIGRATIONS):
        raise InternalFault(
            f"The stored data was written by a newer localaik (schema {done}, this one knows {len(MIGRATIONS)})."
        )
    if done < len(MIGRATIONS):
        # Straight to the driver, in the same transaction: a new database takes many, each several times as fast so.
        driver: Any = (await connection.get_raw_connection()).driver_connection  # aiosqlite's or asyncpg's
        for statements in MIGRATIONS[done:]:
            for statement in statements:
                await driver.execute(statement)
        await connection.execute(text("UPDATE schema_version SET version = :version"), {"version": len(MIGRATIONS)})
