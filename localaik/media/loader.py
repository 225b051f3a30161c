"""Attachments become parts: the one place where all limits of a request meet."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from localaik.content import Attachment, Image, StoredFiles, Text
from localaik.errors import InvalidMedia
from localaik.media.base64 import Base64, encode
from localaik.media.concurrency import all_in_order
from localaik.media.datauri import is_data_uri, parse_data_uri
from localaik.media.faults import MediaError, over_limit
from localaik.media.fetch import Fetcher
from localaik.media.images import prepare_image
from localaik.media.mime import Kind, kind_of, parse_media_type
from localaik.media.pdf import Pdf, PdfReader
from localaik.media.sniff import HEAD_BYTES, sniff
from localaik.media.text import decode_text
from localaik.settings import PdfMode, Settings

__all__ = ["MediaLoader"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a known kind within its size limit. `pdf` is set where it is a PDF of `images` pages."""

    kind: Kind
    content: Base64 | bytes
    charset: str | None = None
    pdf: Pdf | None = None
    images: int = 0


class MediaLoader:
    """Implements `content.AttachmentLoader` within the media settings. One instance serves all requests of a server.

    `stored` is where stored files are found; `fetcher` replaces the default one.
    """

    def __init__(
        self, settings: Settings, *, stored: StoredFiles | None = None, fetcher: Fetcher | None = None
    ) -> None:
        self._settings = settings
        workers = settings.pages_at_once
        self._executor = ThreadPoolExecutor(max(workers, 2), thread_name_prefix="localaik-media")
        self._pdfs = PdfReader(settings, self._executor, workers=workers)
        self._fetcher = fetcher or Fetcher(settings)
        self._stored = stored

    async def load(self, attachments: list[Attachment], *, images: bool = True) -> list[list[Text | Image]]:
        """The parts of each attachment, in the order given.

        An image or text file is one part, a PDF one or two per page; without `images` a PDF is its text. Nothing is
        converted before all attachments are known to be within the limits. Raises `InvalidMedia` naming the field,
        `MissingTool`, `InternalFault` where poppler crashed, and `TimedOut`.
        """
        self._check_fetches(attachments)
        mode: PdfMode = self._settings.pdf_mode if images else "text"
        files = await all_in_order(_naming(attachment, self._open(attachment, mode)) for attachment in attachments)
        self._check_images(attachments, files)
        pairs = zip(attachments, files, strict=True)
        return await all_in_order(_naming(each, self._convert(each, file, mode)) for each, file in pairs)

    async def close(self) -> None:
        """Stop what runs, close connections and threads."""
        await self._pdfs.close()
        await self._fetcher.close()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _check_fetches(self, attachments: list[Attachment]) -> None:
        limit = self._settings.fetch_max_per_request
        fetched = [attachment for attachment in attachments if _is_remote(attachment)]
        if limit and len(fetched) > limit:
            fault = over_limit(
                "too_many_fetches",
                "The request",
                "URLs to fetch",
                actual=len(fetched),
                limit=limit,
                setting="LOCALAIK_FETCH_MAX_PER_REQUEST",
            )
            raise _named(fetched[limit], fault)

    def _check_images(self, attachments: list[Attachment], files: list[_File]) -> None:
        limit = self._settings.max_images
        total = sum(file.images for file in files)
        if not limit or total <= limit:
            return
        fault = over_limit(
            "too_many_images",
            "The request",
            "images (PDF pages included)",
            actual=total,
            limit=limit,
            setting="LOCALAIK_MAX_IMAGES",
        )
        seen = 0
        for attachment, file in zip(attachments, files, strict=True):
            seen += file.images
            if seen > limit:
                raise _named(attachment, fault)

    async def _open(self, attachment: Attachment, mode: PdfMode) -> _File:
        """Fetch what must be fetched, tell the kind, check the size; of a PDF count the pages."""
        content, declared = await self._content(attachment)
        kind, charset = _kind(attachment, content, declared)
        if kind is None:
            await self._in_thread(partial(_bytes_of, content))  # what is no base64 at all is told so
            raise MediaError("unsupported_kind", "The kind of the file can't be told: its media type is missing.")
        self._check_size(kind, content.size if isinstance(content, Base64) else len(content))
        if kind is Kind.PDF:
            pdf = await self._pdfs.open(await self._in_thread(partial(_pdf_bytes, content)))
            return _File(kind, content, pdf=pdf, images=self._pdfs.image_count(pdf, mode))
        return _File(kind, content, charset, images=1 if kind is Kind.IMAGE else 0)

    async def _content(self, attachment: Attachment) -> tuple[Base64 | bytes, str | None]:
        """The file, and the media type that came with it."""
        if attachment.stored is not None:
            return await self._stored_content(attachment, attachment.stored)
        if attachment.uri is None:
            return Base64(attachment.base64 or ""), None
        if is_data_uri(attachment.uri):
            parsed = parse_data_uri(attachment.uri)
            return parsed.content, parsed.mime
        if not _is_remote(attachment):
            raise MediaError("invalid_url", "Only data:, http: and https: URLs can be read.")
        fetched = await self._fetcher.fetch(attachment.uri)
        return fetched.data, fetched.mime

    async def _stored_content(self, attachment: Attachment, file_id: str) -> tuple[bytes, str]:
        """A stored file and its media type. Kind and size are checked before it is read: it may be gigabytes."""
        if self._stored is None:
            raise MediaError("invalid_url", "Stored files can't be read here.")
        async with self._stored.open(file_id) as file:
            kind, _ = _kind(attachment, await file.read(HEAD_BYTES), file.mime)
            if kind is not None:
                self._check_size(kind, file.size)
            return await file.read(HEAD_BYTES if kind is None else None), file.mime

    def _check_size(self, kind: Kind, size: int) -> None:
        settings = self._settings
        limit, reason, setting = {
            Kind.IMAGE: (settings.image_max_bytes, "image_too_large", "LOCALAIK_IMAGE_MAX_BYTES"),
            Kind.PDF: (settings.pdf_max_bytes, "pdf_too_large", "LOCALAIK_PDF_MAX_BYTES"),
            Kind.TEXT: (settings.text_file_max_bytes, "text_too_large", "LOCALAIK_TEXT_FILE_MAX_BYTES"),
        }[kind]
        if limit and size > limit:
            what = f"The {kind.value}" if kind is not Kind.TEXT else "The text file"
            raise over_limit(reason, what, "bytes", actual=size, limit=limit, setting=setting)

    async def _convert(self, attachment: Attachment, file: _File, mode: PdfMode) -> list[Text | Image]:
        if file.pdf is not None:
            return await self._pdfs.read(file.pdf, mode, low_detail=attachment.low_detail)
        if file.kind is Kind.TEXT:
            text = await self._in_thread(partial(_text, file.content, file.charset, attachment.name))
            return [text]
        image = await self._in_thread(partial(_image, file.content, self._settings, attachment.low_detail))
        return [image]

    async def _in_thread(self, work: partial[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


def _is_remote(attachment: Attachment) -> bool:
    return attachment.uri is not None and attachment.uri[:8].lower().startswith(("http://", "https://"))


def _kind(attachment: Attachment, content: Base64 | bytes, declared: str | None) -> tuple[Kind | None, str | None]:
    """What the file is: by the caller's claim, else by what came with it, else by its first bytes; and its charset.

    None where nothing tells. In a field for images the bytes alone decide.
    Raises `MediaError` (`unsupported_kind`, `invalid_base64`).
    """
    claim = parse_media_type(attachment.mime) or parse_media_type(declared)
    if claim is not None and not attachment.images_only:
        return _known_kind(claim.name), claim.charset
    found = sniff(content.head(HEAD_BYTES) if isinstance(content, Base64) else content[:HEAD_BYTES])
    if not attachment.images_only:
        return None if found is None else _known_kind(found), None
    name = found or (claim.name if claim is not None else None)
    if name is not None and kind_of(name) is not Kind.IMAGE:
        raise _unsupported(name, ": only images can stand here")
    return Kind.IMAGE, None


def _known_kind(name: str) -> Kind:
    kind = kind_of(name)
    if kind is None:
        raise _unsupported(name)
    return kind


def _unsupported(name: str, why: str = "") -> MediaError:
    return MediaError("unsupported_kind", f"unsupported mime type: {name[:100]}{why}")


def _bytes_of(content: Base64 | bytes) -> bytes:
    return content.decode()[0] if isinstance(content, Base64) else content


def _pdf_bytes(content: Base64 | bytes) -> bytes:
    data = _bytes_of(content)
    if sniff(data[:HEAD_BYTES]) != "application/pdf":
        raise MediaError("broken_pdf", "The file is not a PDF: it has no PDF header.")
    return data


def _text(content: Base64 | bytes, charset: str | None, name: str | None) -> Text:
    text = decode_text(_bytes_of(content), charset)
    return Text(f"{name}:\n{text}" if name else text)


def _image(content: Base64 | bytes, settings: Settings, low_detail: bool) -> Image:
    data, text = content.decode() if isinstance(content, Base64) else (content, None)
    ready = prepare_image(data, settings, low_detail=low_detail)
    if ready.data is not None:
        return Image(ready.mime, encode(ready.data))
    return Image(ready.mime, encode(data) if text is None else text)


async def _naming(attachment: Attachment, work: Coroutine[None, None, T]) -> T:
    try:
        return await work
    except MediaError as fault:
        raise _named(attachment, fault) from None


def _named(attachment: Attachment, fault: MediaError) -> InvalidMedia:
    return InvalidMedia(fault.message, field=attachment.field, reason=fault.reason)
