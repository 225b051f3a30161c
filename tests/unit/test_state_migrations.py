"""What an earlier version stored is still there after an update."""

import sqlite3
from pathlib import Path

from localaik.state.blobs import Blobs
from localaik.state.migrations import MIGRATIONS
from localaik.state.store import DATABASE_FILE
from tests.state_samples import START, store_in

BEFORE_PURPOSES = 3


async def test_files_and_batches_of_before_are_kept(tmp_path: Path) -> None:
    Blobs(tmp_path)
    (tmp_path / "files" / "b1").write_bytes(b"abc")
    now = int(START) * 1_000_000
    with sqlite3.connect(tmp_path / DATABASE_FILE) as database:
        for statements in MIGRATIONS[:BEFORE_PURPOSES]:
            for statement in statements:
                database.execute(statement)
        database.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
        database.execute("INSERT INTO schema_version VALUES (?)", (BEFORE_PURPOSES,))
        file = ("abc", "b1", "text/plain", None, 3, "0", False, now, None)
        database.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", file)
        batch = ("b", "generate", "m", None, 0, False, "pending", False, False, 0, 0, 0, now, now, None, None, None)
        database.execute(f"INSERT INTO batches VALUES ({', '.join('?' * len(batch))})", batch)
    database.close()
    store = store_in(tmp_path)
    files = await store.files()
    found, has_more = await files.page(9, purpose="user_data")
    assert ([file.id for file in found], found[0].purpose, has_more) == (["abc"], None, False)
    async with files.open("abc") as reader:
        assert await reader.read() == b"abc"
    kept = await (await store.batches(["generate"])).get("b")
    assert (kept.state, kept.input_file, kept.begun) == ("pending", None, None)
    await store.close()
