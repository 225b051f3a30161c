"""Puts the files of a model into an image: from a URL or from a folder, and only with the right SHA-256.

`python fetch_model.py FOLDER DESTINATION`, with what to fetch in the environment: `MODEL_URL` and `MODEL_SHA256` for
`DESTINATION/model.gguf`, `MMPROJ_URL` and `MMPROJ_SHA256` for `DESTINATION/mmproj.gguf`. What does not begin with
`http://` or `https://` is the name of a file in FOLDER. An empty name leaves the file out.
"""

import hashlib
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

__all__ = ["FetchError", "fetch", "main"]

_FILES: Final = {"MODEL": "model.gguf", "MMPROJ": "mmproj.gguf"}
_PIECE_BYTES: Final = 1 << 20
_SILENCE_SECONDS: Final = 60
_ATTEMPTS: Final = 3
_SHA256_DIGITS: Final = 64


class FetchError(Exception):
    """The files are not to be had, or are not the ones that were asked for. Says why in one line."""


def main(folder: str, destination: str, environ: Mapping[str, str]) -> int:
    """Fetch what `environ` names, and say so; the exit status."""
    try:
        wanted = {kind: environ.get(f"{kind}_URL", "").strip() for kind in _FILES}
        if wanted["MMPROJ"] and not wanted["MODEL"]:
            raise FetchError("MMPROJ_URL is set and MODEL_URL is not: a projector is of no use without its model.")
        for kind, name in _FILES.items():
            if wanted[kind]:
                path = Path(destination, name)
                sha256 = _digest(environ.get(f"{kind}_SHA256", ""), f"{kind}_SHA256")
                fetch(wanted[kind], sha256, path, Path(folder))
                print(f"{path}: {path.stat().st_size:,} bytes, sha256 {sha256}")
    except FetchError as error:
        print(f"The build can't go on: {error}", file=sys.stderr)
        return 1
    return 0


def _digest(text: str, variable: str) -> str:
    digest = text.strip().lower()
    if len(digest) != _SHA256_DIGITS or set(digest) - set("0123456789abcdef"):
        raise FetchError(f"{variable} must be the file's SHA-256, {_SHA256_DIGITS} hexadecimal digits.")
    return digest


def fetch(source: str, sha256: str, path: Path, folder: Path) -> None:
    """Write `source`, a URL or a file's name in `folder`, to `path`. Raises `FetchError`, and leaves no file then."""
    try:
        actual = _download(source, path) if source.startswith(("http://", "https://")) else _copy(source, path, folder)
        if actual != sha256:
            raise FetchError(f"the SHA-256 of {source} is {actual} and should be {sha256}.")
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise FetchError(f"{source} is no GGUF file.")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    path.chmod(0o444)


def _download(url: str, path: Path) -> str:
    failures = []
    for _ in range(_ATTEMPTS):
        try:
            with urllib.request.urlopen(url, timeout=_SILENCE_SECONDS) as response:
                return _write(response, path, int(response.headers.get("Content-Length") or 0))
        except (OSError, FetchError) as error:
            failures.append(str(error))
            if isinstance(error, urllib.error.HTTPError) and error.code < 500:  # it will be the same the next time
                break
    raise FetchError(f"{url} can't be fetched: {failures[-1]}")


def _copy(name: str, path: Path, folder: Path) -> str:
    source = (folder / name).resolve()
    if not source.is_relative_to(folder.resolve()):
        raise FetchError(f"{name} is neither a URL nor a file in the build context `models`.")
    try:
        with source.open("rb") as file:
            return _write(file, path, source.stat().st_size)
    except OSError as error:
        raise FetchError(f"{name} can't be read from the build context `models`: {error.strerror}.") from None


def _write(source: IO[bytes], path: Path, size: int) -> str:
    """Copy everything, `size` bytes where that is not 0; the SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        while piece := source.read(_PIECE_BYTES):
            digest.update(piece)
            file.write(piece)
        written = file.tell()
    if size and written != size:
        raise FetchError(f"it ended after {written:,} of {size:,} bytes.")
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], os.environ))
