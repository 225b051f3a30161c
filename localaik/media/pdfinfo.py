"""How many pages a PDF has, and how large they are, before anything is drawn: pdf2image over poppler's `pdfinfo`."""

import re
import shutil
import tempfile
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

from localaik.errors import InternalFault, TimedOut
from localaik.media.faults import MediaError
from localaik.media.poppler import missing_poppler

__all__ = ["PDF_NAME", "PdfInfo", "make_scratch", "read_info"]

PDF_NAME: Final = "document.pdf"

# `pdfinfo` reads the trailer and the page tree alone, which takes milliseconds for thousands of pages. pdf2image can't
# be cancelled, so this bounds how long a file made to stall it can hold a worker thread.
_LONGEST_SECONDS: Final = 10
_ALL_PAGES: Final = 1_000_000

# Poppler begins its messages with a category (`Error.cc`); anything else on stderr is not about the file.
_FILE_COMPLAINTS: Final = ("Syntax Error", "Syntax Warning", "Command Line Error", "Internal Error", "I/O Error")
_NEEDS_PASSWORD: Final = re.compile(r"Incorrect password|security handler|[Uu]nsupported.*[Ee]ncrypt")
_NO_PAGES: Final = re.compile(r"after the last page \(0\)|Invalid page count 0")
_SIZE: Final = re.compile(r"([\d.e+-]+) x ([\d.e+-]+) pts")


@dataclass(frozen=True, slots=True)
class PdfInfo:
    """What the page tree tells."""

    page_count: int
    longest_sides: tuple[float, ...]
    """The longer side of each page in points (1/72 inch), in page order; shorter than `page_count` over the limit."""


def make_scratch(data: bytes) -> Path:
    """A fresh directory (0700) that holds the file (0600) under `PDF_NAME`. Blocks; the caller removes it.

    Raises `InternalFault` where nothing can be written.
    """
    directory: Path | None = None
    try:
        directory = Path(tempfile.mkdtemp(prefix="localaik-pdf-"))
        path = directory / PDF_NAME
        path.touch(mode=0o600)
        path.write_bytes(data)
    except OSError:
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)
        raise InternalFault("The PDF can't be written to the temporary directory.", reason="no_scratch") from None
    return directory


def read_info(data: bytes, *, max_pages: int, seconds: float) -> PdfInfo:
    """Ask poppler about a PDF. Sizes are read for at most `max_pages` pages (0: all). Blocks.

    Raises `MediaError` (`broken_pdf`, `encrypted_pdf`, `empty_pdf`), `MissingTool`, `InternalFault` and `TimedOut`.
    """
    directory = make_scratch(data)
    try:
        return _ask(
            directory / PDF_NAME, max_pages or _ALL_PAGES, min(ceil(seconds) or _LONGEST_SECONDS, _LONGEST_SECONDS)
        )
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _ask(path: Path, last_page: int, seconds: int) -> PdfInfo:
    # A slow import (Pillow comes with it) that only requests with PDFs need.
    from pdf2image import pdfinfo_from_path  # noqa: PLC0415
    from pdf2image.exceptions import (  # noqa: PLC0415
        PDFInfoNotInstalledError,
        PDFPageCountError,
        PDFPopplerTimeoutError,
    )

    try:
        told = pdfinfo_from_path(str(path), timeout=seconds, first_page=1, last_page=last_page)
    except PDFInfoNotInstalledError:
        raise missing_poppler("pdfinfo") from None
    except PDFPopplerTimeoutError:
        raise TimedOut(
            f"The page count of the PDF was not found within {seconds} seconds (LOCALAIK_PDF_TIMEOUT_SECONDS).",
            reason="pdf_timeout",
        ) from None
    except PDFPageCountError as error:
        raise _refusal(str(error)) from None
    sizes = (_SIZE.search(value) for key, value in told.items() if key.startswith("Page ") and key.endswith(" size"))
    sides = tuple(max(float(size[1]), float(size[2])) for size in sizes if size is not None)
    count: int = told["Pages"]
    if not count:
        raise _empty()
    if len(sides) != min(count, last_page) or not all(sides):
        raise MediaError("broken_pdf", "The PDF is damaged: some of its pages can't be read.")
    return PdfInfo(count, sides)


def _refusal(complaint: str) -> MediaError | InternalFault:
    """What a failed `pdfinfo` means, by its messages. They are not passed on: they hold paths of ours."""
    if _NEEDS_PASSWORD.search(complaint):
        return MediaError("encrypted_pdf", "The PDF is encrypted: it can't be opened without a password.")
    if _NO_PAGES.search(complaint):
        return _empty()
    if any(category in complaint for category in _FILE_COMPLAINTS):
        return MediaError("broken_pdf", "The PDF is damaged, or not a PDF.")
    return InternalFault("The PDF program pdfinfo crashed on this file.", reason="pdf_tool_crashed")


def _empty() -> MediaError:
    return MediaError("empty_pdf", "The PDF has no pages.")
