"""What would keep things from being stored, found out without storing, making or opening anything."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from localaik.state.store import DATABASE_FILE

if TYPE_CHECKING:
    from localaik.settings import Settings

__all__ = ["StoreProblem", "store_place"]

_LITTLE_BYTES: Final = 100_000_000


class StoreProblem(Exception):
    """Something could not be stored. Says what to mend, and holds no password."""


def store_place(settings: "Settings") -> str:
    """Where things would be stored, in words. Raises `StoreProblem`; a database server is not asked."""
    if settings.state == "memory":
        return "in memory: nothing outlives the server"
    folder = settings.data_path()
    room = _room_in(folder, "LOCALAIK_DATA_DIR")
    if settings.database_url:
        return f"{_database(settings.database_url)}, files in {folder} ({room})"
    file = folder / DATABASE_FILE
    if file.exists() and not os.access(file, os.R_OK | os.W_OK):
        raise StoreProblem(f"{file} can't be written.")
    return f"SQLite in {folder} ({room})"


def _room_in(folder: Path, setting: str) -> str:
    """How much fits into a folder that is there, or can be made."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise StoreProblem(f"{there} is no folder ({setting}).")
    if not os.access(there, os.W_OK | os.X_OK):
        raise StoreProblem(f"{there} can't be written ({setting}).")
    free = shutil.disk_usage(there).free
    if free < _LITTLE_BYTES:
        raise StoreProblem(f"The disk of {there} is nearly full: {free / 1e6:,.0f} MB are free ({setting}).")
    is_new = "" if there == folder else ", not made yet"
    return f"{free / 1e9:,.1f} GB free{is_new}"


def _database(address: str) -> str:
    from sqlalchemy.engine import make_url  # noqa: PLC0415 - slow to import, and the usual place needs none
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from localaik.state.database import with_driver  # noqa: PLC0415

    try:
        url = with_driver(make_url(address))
        url.get_dialect().import_dbapi()
    except (SQLAlchemyError, ValueError):
        raise StoreProblem("LOCALAIK_DATABASE_URL is no URL that SQLAlchemy can read, or of an unknown kind.") from None
    except ModuleNotFoundError as error:
        extra = " Install localaik[postgres]." if url.get_backend_name() == "postgresql" else ""
        raise StoreProblem(f"The database needs the package {error.name}, which is missing.{extra}") from None
    if not url.get_dialect().is_async:
        raise StoreProblem(f"LOCALAIK_DATABASE_URL names the driver {url.drivername}, which is not asynchronous.")
    if url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}:
        _room_in(Path(str(url.database)).parent, "LOCALAIK_DATABASE_URL")
    return url.render_as_string(hide_password=True)
