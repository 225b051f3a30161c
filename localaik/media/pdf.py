"""PDF files become page images and page texts, through poppler, once per file.

Pages are drawn by several `pdftoppm` at once, each on a range of its own, and as JPEG: encoding PNG costs poppler
twenty times as much as drawing the page, and at this quality small print stays as legible.
"""

import asyncio
import hashlib
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final, TypeVar

from localaik.content import Image, Text
from localaik.errors import TimedOut
from localaik.media.concurrency import SingleFlight, all_in_order
from localaik.media.faults import MediaError, over_limit
from localaik.media.lru import LruCache
from localaik.media.pageimages import DrawnPage, read_pages
from localaik.media.pdfinfo import PDF_NAME, PdfInfo, make_scratch, read_info
from localaik.media.pdfplan import PageRange, Scale, plan_ranges
from localaik.media.poppler import run_tool
from localaik.settings import PdfMode, Settings

__all__ = ["Pdf", "PdfReader"]

_JPEG_OPTIONS: Final = ("-jpeg", "-jpegopt", "quality=90")
_INFO_BYTES_PER_PAGE: Final = 32

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pdf:
    """A file that poppler can open and that is within the limits."""

    data: bytes
    digest: bytes
    """SHA-256: its name in the cache."""
    info: PdfInfo


@dataclass(frozen=True, slots=True)
class _Page:
    """A drawn page: the JPEG as base64; and its text, where it has text of which no ink is to be seen."""

    image: str
    unseen_text: str | None = None


class PdfReader:
    """Reads PDFs within the `pdf_*` settings. `executor` runs what blocks for a short time."""

    def __init__(self, settings: Settings, executor: Executor, *, workers: int) -> None:
        self._settings = settings
        self._executor = executor
        self._workers = workers
        self._turns = asyncio.Semaphore(workers)
        self._scale = Scale(settings.pdf_dpi, settings.pdf_max_side_px)
        self._cache: LruCache[PdfInfo | _Page | str] = LruCache(settings.pdf_cache_bytes)
        self._infos: SingleFlight[PdfInfo] = SingleFlight()
        self._drawings: SingleFlight[list[_Page]] = SingleFlight()
        self._texts: SingleFlight[list[str]] = SingleFlight()

    async def open(self, data: bytes) -> Pdf:
        """Count the pages, before anything is drawn.

        Raises `MediaError` (`broken_pdf`, `encrypted_pdf`, `empty_pdf`, `pdf_too_many_pages`), `MissingTool`,
        `InternalFault` where poppler crashed, and `TimedOut`.
        """
        digest = await self._in_thread(partial(_digest, data))
        info = self._cache.get(digest)
        if not isinstance(info, PdfInfo):
            info = await self._infos.run(digest, partial(self._ask_info, data, digest))
        limit = self._settings.pdf_max_pages
        if limit and info.page_count > limit:
            raise over_limit(
                "pdf_too_many_pages",
                "The PDF",
                "pages",
                actual=info.page_count,
                limit=limit,
                setting="LOCALAIK_PDF_MAX_PAGES",
            )
        return Pdf(data, digest, info)

    def image_count(self, pdf: Pdf, mode: PdfMode) -> int:
        """How many images `read` makes of the file."""
        return 0 if mode == "text" else pdf.info.page_count

    async def read(self, pdf: Pdf, mode: PdfMode, *, low_detail: bool) -> list[Text | Image]:
        """The pages in order, each as image, as text, or as both. Raises as `open` does."""
        if mode == "text":
            texts = await self._all_texts(pdf)
            if not any(texts):
                raise MediaError("empty_pdf", "The PDF holds no text, and only text is shown (LOCALAIK_PDF_MODE).")
            return [Text(text) for text in texts if text]
        pages = await self._all_pages(pdf, self._scale.halved() if low_detail else self._scale)
        texts = await self._all_texts(pdf) if mode == "both" else [page.unseen_text or "" for page in pages]
        parts: list[Text | Image] = []
        for page, text in zip(pages, texts, strict=True):
            parts.append(Image("image/jpeg", page.image, document=True))
            if text:
                parts.append(Text(text))
        return parts

    async def close(self) -> None:
        """Stop everything that runs."""
        await asyncio.gather(self._infos.close(), self._drawings.close(), self._texts.close())

    async def _ask_info(self, data: bytes, digest: bytes) -> PdfInfo:
        settings = self._settings
        info = await self._in_thread(
            partial(read_info, data, max_pages=settings.pdf_max_pages, seconds=settings.pdf_timeout_seconds)
        )
        self._cache.put(digest, info, _INFO_BYTES_PER_PAGE * (1 + len(info.longest_sides)))
        return info

    async def _all_pages(self, pdf: Pdf, scale: Scale) -> list[_Page]:
        known = self._known_pages(pdf, scale)
        if len(known) == pdf.info.page_count:
            return list(known.values())
        return await self._drawings.run((pdf.digest, scale), partial(self._draw, pdf, scale))

    def _known_pages(self, pdf: Pdf, scale: Scale) -> dict[int, _Page]:
        found = ((number, self._cache.get((pdf.digest, scale, number))) for number in _numbers(pdf))
        return {number: page for number, page in found if isinstance(page, _Page)}

    async def _draw(self, pdf: Pdf, scale: Scale) -> list[_Page]:
        """Draw the pages that the cache does not hold, and return all."""
        pages = self._known_pages(pdf, scale)
        missing = [number for number in _numbers(pdf) if number not in pages]
        ranges = plan_ranges(missing, pdf.info.longest_sides, scale, self._workers)
        async with self._scratch(pdf) as directory:
            clock = _Clock(self._settings.pdf_timeout_seconds)
            drawn = await all_in_order(self._draw_range(directory, part, clock) for part in ranges)
            fresh = dict(zip(missing, (page for pages_of_one in drawn for page in pages_of_one), strict=True))
            unseen = await self._unseen_texts(
                directory, [number for number, page in fresh.items() if page.blank], clock
            )
        for number, page in fresh.items():
            pages[number] = made = _Page(page.image, unseen.get(number))
            cost = len(made.image) + len(made.unseen_text or "")
            self._cache.put((pdf.digest, scale, number), made, cost)
        if unseen:
            _log.warning(
                "%d of the %d pages of a PDF have text, but no ink: the fonts they need are missing on this machine "
                "(Debian, Ubuntu: apt-get install fonts-liberation). Their text goes to the model as text.",
                len(unseen),
                pdf.info.page_count,
            )
        return [pages[number] for number in _numbers(pdf)]

    async def _draw_range(self, directory: Path, part: PageRange, clock: "_Clock") -> list[DrawnPage]:
        arguments = [*part.option, "-cropbox", "-q", *_JPEG_OPTIONS, *_range_options(part.first, part.last), PDF_NAME]
        path = directory / f"pages-{part.first}"
        output = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            await self._run("pdftoppm", arguments, directory, clock, output)
        finally:
            os.close(output)
        pages = await self._in_thread(partial(read_pages, path))
        if len(pages) != len(part.pages):
            expected = len(part.pages)
            raise MediaError("broken_pdf", f"The PDF is damaged: only {len(pages)} of {expected} pages can be drawn.")
        return pages

    async def _unseen_texts(self, directory: Path, blank: Sequence[int], clock: "_Clock") -> dict[int, str]:
        """The text layer of pages without ink, as far as they have one."""
        if not blank:
            return {}
        texts = await self._extract(directory, min(blank), max(blank), clock)
        return {number: texts[number - min(blank)] for number in blank if texts[number - min(blank)]}

    async def _all_texts(self, pdf: Pdf) -> list[str]:
        known = [self._cache.get((pdf.digest, number)) for number in _numbers(pdf)]
        texts = [text for text in known if isinstance(text, str)]
        if len(texts) == pdf.info.page_count:
            return texts
        return await self._texts.run(pdf.digest, partial(self._read_texts, pdf))

    async def _read_texts(self, pdf: Pdf) -> list[str]:
        async with self._scratch(pdf) as directory:
            texts = await self._extract(directory, 1, pdf.info.page_count, _Clock(self._settings.pdf_timeout_seconds))
        for number, text in enumerate(texts, 1):
            self._cache.put((pdf.digest, number), text, len(text) + _INFO_BYTES_PER_PAGE)
        return texts

    async def _extract(self, directory: Path, first: int, last: int, clock: "_Clock") -> list[str]:
        """The text layers of pages `first` to `last`. Poppler ends each page with a form feed."""
        arguments = ["-q", "-enc", "UTF-8", *_range_options(first, last), PDF_NAME, "-"]
        limit = self._settings.text_file_max_bytes
        read = bytearray()

        def feed(piece: bytes) -> None:
            read.extend(piece)
            if limit and len(read) > limit:
                actual, setting = f"{len(read)} or more", "LOCALAIK_TEXT_FILE_MAX_BYTES"
                what = "The text of the PDF"
                raise over_limit("text_too_large", what, "bytes", actual=actual, limit=limit, setting=setting)

        await self._run("pdftotext", arguments, directory, clock, feed)
        texts = [text.strip("\n") for text in read.decode("utf-8", "replace").split("\f")[:-1]]
        if first == last:
            return ["\n".join(texts)]
        if len(texts) == last - first + 1:
            return texts
        singles = [await self._extract(directory, page, page, clock) for page in range(first, last + 1)]
        return [text for [text] in singles]  # some page has a form feed of its own

    async def _run(
        self,
        program: str,
        arguments: Sequence[str],
        directory: Path,
        clock: "_Clock",
        output: int | Callable[[bytes], None],
    ) -> None:
        async with self._turns:
            try:
                async with asyncio.timeout(clock.remaining()):
                    limit = self._settings.pdf_memory_bytes
                    await run_tool(program, arguments, directory, output, memory_bytes=limit)
            except TimeoutError:
                raise TimedOut(
                    f"The PDF took longer than {self._settings.pdf_timeout_seconds:g} seconds "
                    "(LOCALAIK_PDF_TIMEOUT_SECONDS).",
                    reason="pdf_timeout",
                ) from None

    async def _in_thread(self, work: partial[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    @asynccontextmanager
    async def _scratch(self, pdf: Pdf) -> AsyncIterator[Path]:
        """The file on disk, removed at the end whatever happens."""
        writing = asyncio.get_running_loop().run_in_executor(self._executor, make_scratch, pdf.data)
        try:
            await asyncio.wait([writing])
            yield writing.result()
        finally:
            await asyncio.wait([writing])  # the thread goes on although we were cancelled
            if writing.exception() is None:
                shutil.rmtree(writing.result(), ignore_errors=True)


class _Clock:
    """The time limit of one document. It starts with its first program, so that waiting for others costs nothing."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._started: float | None = None

    def remaining(self) -> float | None:
        """Seconds left, or None where there is no limit."""
        if not self._seconds:
            return None
        if self._started is None:
            self._started = monotonic()
        return max(self._seconds - (monotonic() - self._started), 0)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _numbers(pdf: Pdf) -> range:
    return range(1, pdf.info.page_count + 1)


def _range_options(first: int, last: int) -> tuple[str, ...]:
    return "-f", str(first), "-l", str(last)
