"""Stores for tests, with a clock that a test moves."""

from collections.abc import AsyncIterator
from pathlib import Path

from localaik.settings import Settings
from localaik.state.store import Store

START = 1_800_000_000.0


class Clock:
    """Seconds since 1970, by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def broken(*parts: bytes) -> AsyncIterator[bytes]:
    """A body that breaks off after these parts."""
    for part in parts:
        yield part
    raise ConnectionResetError


def settings_in(folder: Path, **fields: object) -> Settings:
    return Settings.model_validate({"data_dir": str(folder), **fields})


def store_in(folder: Path, clock: Clock | None = None, **fields: object) -> Store:
    return Store(settings_in(folder, **fields), clock=clock or Clock())


def names(folder: Path) -> list[str]:
    """All blobs and parts on disk, as `folder/name`."""
    return sorted(f"{path.parent.name}/{path.name}" for path in folder.glob("*/*"))
