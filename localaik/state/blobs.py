"""The bytes of files: a folder of complete blobs and one of parts that still grow. Everything here blocks: use threads.

Names are made here or by `ids`, never by a caller, so no name leads out of the folders.
"""

import hashlib
import os
import sys
from collections.abc import Collection
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["PIECE_BYTES", "Blobs", "Part"]

PIECE_BYTES: Final = 1 << 20
"""Most bytes that are held in memory, written or read at once."""


class Blobs:
    """Two folders below `folder`: `files` holds whole blobs, `uploads` the parts that become some.

    With `durable`, what is published survives a loss of power; a killed process alone loses nothing either way.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self._durable = durable
        self._whole = folder / "files"
        self._parts = folder / "uploads"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for one in (self._whole, self._parts):
            one.mkdir(mode=0o700, exist_ok=True)

    def open_part(self, blob: str, received: int, digest: "_Hash | None" = None) -> "Part":
        """The part `blob` with its first `received` bytes; what lies beyond them, of a chunk that broke off, is cut.

        `digest` is that of these bytes, where it is known; else they are read again. Raises `FileNotFoundError` where
        fewer bytes are there, which a loss of power can do.
        """
        self._take_back(blob)
        path = self._parts / blob
        file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600), "r+")
        try:
            if os.fstat(file.fileno()).st_size < received:
                raise FileNotFoundError(blob)
            file.truncate(received)
            if digest is None:
                digest = _digest_of(file)
            file.seek(received)
        except BaseException:
            file.close()
            raise
        return Part(file, digest)

    def cut(self, blob: str, received: int) -> None:
        """Give back the room that a part takes beyond its first `received` bytes."""
        with suppress(FileNotFoundError):
            os.truncate(self._parts / blob, received)

    def publish(self, blob: str, received: int, digest: "_Hash | None" = None) -> str:
        """Make a part a whole blob, in one step, and give its SHA-256 in hexadecimal. Arguments as for `open_part`."""
        part = self.open_part(blob, received, digest)
        try:
            if self._durable:
                part.sync()
        finally:
            part.close()
        (self._parts / blob).replace(self._whole / blob)
        if self._durable:
            _sync_folder(self._whole)
        return part.digest.hexdigest()

    def open_piece(self, blob: str) -> FileIO:
        """A part for reading, as it is now. Raises `FileNotFoundError`."""
        return FileIO(self._parts / blob)

    def open_whole(self, blob: str) -> FileIO:
        """A whole blob for reading. Raises `FileNotFoundError`."""
        return FileIO(self._whole / blob)

    def remove(self, blobs: Collection[str]) -> None:
        """Delete blobs and parts of these names, as far as they exist."""
        for blob in blobs:
            for folder in (self._whole, self._parts):
                # Windows does not delete what is being read; the next start does.
                with suppress(FileNotFoundError, PermissionError):
                    (folder / blob).unlink()

    def names(self) -> set[str]:
        """The names of all blobs and parts."""
        return {path.name for folder in (self._whole, self._parts) for path in folder.iterdir()}

    def _take_back(self, blob: str) -> None:
        """Undo `publish` where the process died before the row was written."""
        if not (self._parts / blob).exists():
            with suppress(FileNotFoundError):
                (self._whole / blob).replace(self._parts / blob)


class Part:
    """A part that is open for appending; close it."""

    def __init__(self, file: FileIO, digest: "_Hash") -> None:
        self._file = file
        self.digest = digest
        """SHA-256 of all bytes so far."""

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        """Append."""
        view = memoryview(piece)
        while view:
            view = view[self._file.write(view) :]
        self.digest.update(piece)

    def sync(self) -> None:
        """Return when the bytes are on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _digest_of(file: FileIO) -> "_Hash":
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(PIECE_BYTES):
        digest.update(piece)
    return digest


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
