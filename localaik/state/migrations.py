"""The steps from an empty database to the present one, in order. A step that was released is never changed.

The statements keep to what SQLite and PostgreSQL share. Times are microseconds since 1970 in UTC.
"""

from typing import TYPE_CHECKING, Final

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
    for statements in MIGRATIONS[done:]:
        for statement in statements:
            await connection.execute(text(statement))
    if done < len(MIGRATIONS):
        await connection.execute(text("UPDATE schema_version SET version = :version"), {"version": len(MIGRATIONS)})
