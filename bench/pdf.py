"""How fast PDF pages become images, against poppler alone: `python -m bench.pdf [--quick]`.

The same new file of 20 pages of text goes through `MediaLoader` and through as many bare `pdftoppm` at once. Both
have the same resolution and format, and take turns in being first. Then the loader is given the file again.
"""

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvloop

from bench.processes import MeasurementError
from bench.report import Bar, Report, parse_arguments
from localaik.content import Attachment
from localaik.media.loader import MediaLoader
from localaik.settings import Settings
from tests.media_samples import PdfPage, make_pdf, pages_of_text

__all__ = ["main", "page_ranges"]

PAGES: Final = 20
RATIO: Final = 1.2
REPEAT_MS: Final = 10.0
_FORMAT: Final = ("-jpeg", "-jpegopt", "quality=90", "-q")
_MOST_WORKERS: Final = 4


def page_ranges(pages: int, workers: int) -> Iterator[tuple[int, int]]:
    """First and last page of each worker's share: contiguous, as equal as can be, none empty."""
    workers = min(workers, pages)
    for number in range(workers):
        yield pages * number // workers + 1, pages * (number + 1) // workers


def run(*, quick: bool) -> Report:
    """Measure in this process, and report. Raises `MeasurementError`."""
    program = shutil.which("pdftoppm")
    if program is None:
        raise MeasurementError("poppler's pdftoppm is not installed")
    rounds = 1 if quick else 7
    settings = Settings()
    workers = settings.pdf_workers or min(_MOST_WORKERS, os.cpu_count() or 1)
    report = Report("pdf", quick)
    report.notes = [
        f"{PAGES} pages of text, {settings.pdf_dpi} dpi, JPEG; {workers} renderers at once; {rounds} rounds, in turns"
    ]
    loaded, again, bare = uvloop.run(_rounds(program, settings, workers, rounds))
    for case, seconds in (("pdftoppm", bare), ("MediaLoader", loaded), ("MediaLoader again", again)):
        report.rows.append(
            {
                "case": case,
                "pages/s": PAGES / statistics.median(seconds),
                "ms per file": statistics.median(seconds) * 1000,
                "worst ms": max(seconds) * 1000,
            }
        )
    ratio = statistics.median(one / other for one, other in zip(loaded, bare, strict=True))
    report.check(Bar("time of MediaLoader / time of pdftoppm", RATIO, "x"), ratio)
    report.check(Bar("the same file again", REPEAT_MS, "ms"), statistics.median(again) * 1000)
    return report


async def _rounds(
    program: str, settings: Settings, workers: int, rounds: int
) -> tuple[list[float], list[float], list[float]]:
    """Seconds per file: loaded for the first time, loaded again, and by poppler alone."""
    loaded: list[float] = []
    again: list[float] = []
    bare: list[float] = []
    loader = MediaLoader(settings)
    try:
        for number in range(rounds + 1):
            pages = pages_of_text(PAGES)
            pdf = make_pdf([PdfPage([*page.lines, f"Copy {number}."]) for page in pages])
            if number % 2:
                bare.append(await asyncio.to_thread(_draw, program, pdf, settings.pdf_dpi, workers))
            loaded.append(await _load(loader, pdf))
            again.append(await _load(loader, pdf))
            if not number % 2:
                bare.append(await asyncio.to_thread(_draw, program, pdf, settings.pdf_dpi, workers))
    finally:
        await loader.close()
    return loaded[1:], again[1:], bare[1:]  # the first round warms up


async def _load(loader: MediaLoader, pdf: bytes) -> float:
    attachment = Attachment("file", base64=b64encode(pdf).decode(), mime="application/pdf")
    began = time.perf_counter()
    parts = await loader.load([attachment])
    seconds = time.perf_counter() - began
    if len(parts[0]) != PAGES:
        raise MeasurementError(f"{len(parts[0])} parts for {PAGES} pages")
    return seconds


def _draw(program: str, pdf: bytes, dpi: int, workers: int) -> float:
    """Seconds for one poppler per share of the pages, all at once, writing files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in.pdf").write_bytes(pdf)
        began = time.perf_counter()
        running = [
            subprocess.Popen(
                [program, *_FORMAT, "-r", str(dpi), "-f", str(first), "-l", str(last), "in.pdf", "page"],
                cwd=folder,
                start_new_session=True,  # as the loader does: Linux shares its cores out by session
            )
            for first, last in page_ranges(PAGES, workers)
        ]
        statuses = [process.wait() for process in running]
        seconds = time.perf_counter() - began
        if any(statuses) or len(list(folder.glob("page*.jpg"))) != PAGES:
            raise MeasurementError(f"pdftoppm failed: {statuses}")
    return seconds


def main() -> int:
    """Run and print; the exit status is 1 where something broke."""
    quick = parse_arguments(__doc__)
    try:
        print(run(quick=quick).text())
    except MeasurementError as error:
        print(f"bench.pdf broke: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
