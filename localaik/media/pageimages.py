"""What `pdftoppm` wrote becomes page images, and pages without ink are found. Blocks; runs in a worker thread."""

import io
from dataclasses import dataclass
from typing import Final

from localaik.media.base64 import encode
from localaik.media.faults import MediaError
from localaik.media.images import load_pillow

__all__ = ["DrawnPage", "split_pages"]

_END_AND_START: Final = b"\xff\xd9\xff\xd8\xff"
_END_BYTES: Final = 2

# An empty JPEG takes 1/64 byte per pixel, a page of text twenty times that. Only what is near to empty is decoded.
_PIXELS_PER_BYTE_OF_INK: Final = 16
_PAPER: Final = 250  # the darkest value of a channel that still counts as paper


@dataclass(frozen=True, slots=True)
class DrawnPage:
    """One page: the JPEG as base64, and whether it is all paper."""

    image: str
    blank: bool


def split_pages(output: bytes, count: int) -> list[DrawnPage]:
    """The `count` JPEG files that follow each other in `output`.

    Markers can't occur in the image data of a JPEG (ITU-T T.81, B.1.1.5), so the end of one and the start of the next
    are where they seem to be. Raises `MediaError` (`broken_pdf`) where pages are missing.
    """
    files = output.split(_END_AND_START)
    if not output or len(files) != count:
        drawn = len(files) if output else 0
        raise MediaError("broken_pdf", f"The PDF is damaged: only {drawn} of {count} pages can be drawn.")
    start, end = _END_AND_START[_END_BYTES:], _END_AND_START[:_END_BYTES]
    last = len(files) - 1
    whole = [(start if at else b"") + file + (end if at < last else b"") for at, file in enumerate(files)]
    return [DrawnPage(encode(file), _is_blank(file)) for file in whole]


def _is_blank(jpeg: bytes) -> bool:
    image = load_pillow().open(io.BytesIO(jpeg), formats=("JPEG",))
    if len(jpeg) * _PIXELS_PER_BYTE_OF_INK > image.width * image.height:
        return False
    darkest = min(low for low, _high in image.convert("RGB").getextrema())
    return bool(darkest > _PAPER)
