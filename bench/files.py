"""How fast files come and go, and what memory it takes: `python -m bench.files [--quick]`.

Files of 1 MB are uploaded as the SDKs do it (start, then one chunk with the end) and downloaded again, several at
once; each must come back byte for byte. Then one large file is uploaded in the SDKs' chunks of 8 MiB while the
server's memory is watched.
"""

import asyncio
import hashlib
import os
import sys
import tempfile
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import aiohttp
import orjson
import uvloop

from bench.processes import Localaik, MeasurementError
from bench.report import Bar, Report, parse_arguments, percentile

__all__ = ["main"]

FILES: Final = 1000
FILE_BYTES: Final = 1_000_000
LARGE_BYTES: Final = 200_000_000
EXTRA_MEGABYTES: Final = 30.0
_AT_ONCE: Final = 4
_CHUNK_BYTES: Final = 8 << 20
_WATCH_SECONDS: Final = 0.02


class _Client:
    """Speaks the upload protocol to one server."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def upload(self, size: int, chunks: Iterator[bytes]) -> tuple[str, str]:
        """Upload chunks of `size` bytes in all; gives the file's name and its SHA-256 in hexadecimal."""
        headers = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
        about = {"file": {"mime_type": "application/octet-stream", "size_bytes": size}}
        async with self._http.post("/upload/v1beta/files", json=about, headers=headers) as answer:
            url = answer.headers["X-Goog-Upload-URL"]
        offset = 0
        for chunk in chunks:
            is_last = offset + len(chunk) >= size
            headers = {
                "X-Goog-Upload-Command": "upload, finalize" if is_last else "upload",
                "X-Goog-Upload-Offset": str(offset),
            }
            async with self._http.post(url, data=chunk, headers=headers) as answer:
                body = await answer.read()
                if answer.status != 200:
                    raise MeasurementError(f"status {answer.status}: {body[:300]!r}")
            offset += len(chunk)
        file = orjson.loads(body)["file"]
        return file["name"], b64decode(file["sha256Hash"]).decode()

    async def download(self, name: str) -> bytes:
        """The bytes of a file."""
        async with self._http.get(f"/v1beta/{name}:download?alt=media") as answer:
            return await answer.read()


def run(*, quick: bool) -> Report:
    """Start servers, and report. Raises `MeasurementError`, also where a file comes back changed."""
    report = Report("files", quick)
    files = 50 if quick else FILES
    large = LARGE_BYTES // 10 if quick else LARGE_BYTES
    report.notes = [
        f"{files} files of {FILE_BYTES / 1e6:g} MB, {_AT_ONCE} at once; one of {large / 1e6:g} MB in chunks of 8 MiB",
        "client and server share the cores; disk is the temporary folder; memory is the server's, resident",
    ]
    for state in ("disk", "memory"):
        with (
            tempfile.TemporaryDirectory() as folder,
            Localaik(access_log="off", state=state, data_dir=folder) as server,
        ):
            uvloop.run(_measure(report, server, state, files, large))
    return report


async def _measure(report: Report, server: Localaik, state: str, files: int, large: int) -> None:
    async with aiohttp.ClientSession(server.url) as http:
        client = _Client(http)
        idle, _ = server.megabytes()
        await _round_trip(client, os.urandom(FILE_BYTES))
        opened, _ = server.megabytes()
        with _peak(server) as peak:
            began = time.perf_counter()
            await _large(client, large)
            seconds = [time.perf_counter() - began]
        report.rows.append(_row(state, f"{large / 1e6:g} MB in chunks", large / seconds[0] / 1e6, seconds))
        seconds = await _many(client, files)
        rate = files * FILE_BYTES * _AT_ONCE / sum(seconds) / 1e6
        report.rows.append(_row(state, f"{files} files there and back", rate, seconds))
        end, _ = server.megabytes()
    report.notes.append(
        f"{state}: {idle:.0f} MB idle, {opened:.0f} MB after a first file of 1 MB, {peak[0]:.0f} MB at the peak of the"
        f" large one, {end:.0f} MB after {files} files; all came back as they were"
    )
    report.check(Bar(f"extra memory of the large upload ({state})", EXTRA_MEGABYTES, "MB"), peak[0] - opened)


async def _many(client: _Client, files: int) -> list[float]:
    """Seconds of each round trip."""
    seconds: list[float] = []
    left = iter(range(files))

    async def work() -> None:
        for _ in left:
            data = os.urandom(FILE_BYTES)
            began = time.perf_counter()
            await _round_trip(client, data)
            seconds.append(time.perf_counter() - began)

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    return seconds


async def _round_trip(client: _Client, data: bytes) -> None:
    name, _ = await client.upload(len(data), iter([data]))
    if await client.download(name) != data:
        raise MeasurementError(f"{name} came back changed")


async def _large(client: _Client, size: int) -> None:
    digest = hashlib.sha256()

    def chunks() -> Iterator[bytes]:
        for start in range(0, size, _CHUNK_BYTES):
            chunk = os.urandom(min(_CHUNK_BYTES, size - start))
            digest.update(chunk)
            yield chunk

    name, told = await client.upload(size, chunks())
    if told != digest.hexdigest():
        raise MeasurementError(f"{name} has another digest than what was sent")


@contextmanager
def _peak(server: Localaik) -> Iterator[list[float]]:
    """Watches the server's resident memory; the list holds the largest figure, in megabytes."""
    peak = [server.megabytes()[0]]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_WATCH_SECONDS):
            peak[0] = max(peak[0], server.status.memory_info().rss / 1e6)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def _row(state: str, case: str, rate: float, seconds: list[float]) -> dict[str, object]:
    ordered = sorted(seconds)
    return {
        "state": state,
        "case": case,
        "MB/s": rate,
        "p50 ms": percentile(ordered, 0.5) * 1000,
        "p99 ms": percentile(ordered, 0.99) * 1000,
    }


def main() -> int:
    """Measure, print, and return the exit status."""
    try:
        print(run(quick=parse_arguments(__doc__)).text())
    except MeasurementError as error:
        print(f"bench.files: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
