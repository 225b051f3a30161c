"""A PostgreSQL server for tests: one that is named, or a private one in a temporary folder."""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL, make_url

__all__ = ["Cluster", "missing", "running_cluster"]

NAMED: Final = "LOCALAIK_TEST_POSTGRES"
REQUIRED: Final = "LOCALAIK_TEST_REQUIRE_POSTGRES"
_FOLDERS: Final = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
_START_SECONDS: Final = "60"
_FAST: Final = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c listen_addresses="


_EMPTY: Final = """
DO $$ DECLARE names text; BEGIN
    SELECT string_agg(quote_ident(tablename), ', ') INTO names FROM pg_tables
    WHERE schemaname = 'public' AND tablename <> 'schema_version';
    IF names IS NOT NULL THEN EXECUTE 'TRUNCATE ' || names; END IF;
END $$
"""


class Cluster:
    """Databases of one server."""

    def __init__(self, url: URL) -> None:
        """`url` names a database from which others may be made."""
        self._url = url
        self._numbers = count()
        self._shared: URL | None = None

    async def emptied(self) -> URL:
        """A database whose tables are empty, as far as there are any; always the same."""
        if self._shared is None:
            self._shared = await self.make()
        else:
            await self.run(_EMPTY, self._shared)
        return self._shared

    async def make(self) -> URL:
        """A new database."""
        name = f"localaik_test_{os.getpid()}_{next(self._numbers)}"
        await self.run(f'CREATE DATABASE "{name}"')
        return self._url.set(database=name)

    async def drop(self, url: URL) -> None:
        """Remove a database, whoever is connected to it."""
        await self.run(f'DROP DATABASE "{url.database}" WITH (FORCE)')

    async def close(self) -> None:
        """Leave the server as it was."""
        if self._shared is not None:
            await self.drop(self._shared)

    async def run(self, statement: str, url: URL | None = None) -> None:
        """Execute a statement in a database of the server."""
        import asyncpg

        address = url or self._url
        host = address.query.get("host") or address.host
        connection = await asyncpg.connect(
            host=host,
            port=address.port,
            user=address.username,
            password=address.password,
            database=address.database,
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def missing() -> str | None:
    """Why there is no server, or None where there is one."""
    if os.environ.get(NAMED) or _program("initdb") is not None:
        return None
    return f"PostgreSQL is not installed, and {NAMED} names none"


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A server that ends with the context, unless it is a named one."""
    named = os.environ.get(NAMED)
    if named:
        cluster = Cluster(make_url(named).set(drivername="postgresql+asyncpg"))
        yield cluster
        asyncio.run(cluster.close())
        return
    with tempfile.TemporaryDirectory(prefix="localaik-postgres-") as folder:
        data, user = Path(folder, "data"), _unprivileged()
        if user is not None:
            shutil.chown(folder, user)
        _run(
            user, "initdb", "--pgdata", str(data), "--username=localaik", "--auth=trust", "--no-sync", "--encoding=UTF8"
        )
        started = ("--pgdata", str(data), "--log", str(Path(folder, "log")), "--timeout", _START_SECONDS, "--wait")
        _run(user, "pg_ctl", "start", *started, "--options", f"{_FAST} -k {folder}")
        try:
            yield Cluster(URL.create("postgresql+asyncpg", "localaik", database="postgres", query={"host": folder}))
        finally:
            _run(user, "pg_ctl", "stop", "--pgdata", str(data), "--mode=immediate", "--wait")


def _run(user: str | None, program: str, *arguments: str) -> None:
    found = _program(program)
    assert found is not None, f"{program} is not installed"
    done = subprocess.run(
        [found, *arguments],
        user=user,
        group=None if user is None else pwd.getpwnam(user).pw_gid,
        extra_groups=None if user is None else [],
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{program}: {done.stderr}"


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([*map(str, _FOLDERS), os.environ.get("PATH", os.defpath)]))


def _unprivileged() -> str | None:
    """Who runs the server where we are root, as which it refuses to run."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
