"""What `pdftoppm` wrote becomes page images, and pages without ink are found."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from localaik.media.base64 import encode
from localaik.media.images import load_pillow

__all__ = ["DrawnPage", "cut_apart", "read_pages"]

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


def read_pages(path: Path) -> list[DrawnPage]:
    """The JPEG files that follow each other in the file at `path`. Blocks for about a millisecond per page."""
    return [DrawnPage(encode(jpeg), _is_blank(jpeg)) for jpeg in cut_apart(path.read_bytes())]


def cut_apart(data: bytes) -> Iterator[bytes]:
    """The single JPEG files.

    Markers can't occur in the image data of a JPEG (ITU-T T.81, B.1.1.5), so the end of one file and the start of the
    next are where they seem to be.
    """
    start = 0
    while start < len(data):
        at = data.find(_END_AND_START, start)
        end = at + _END_BYTES if at >= 0 else len(data)
        yield data[start:end]
        start = end


def _is_blank(jpeg: bytes) -> bool:
    image = load_pillow().open(io.BytesIO(jpeg), formats=("JPEG",))
    if len(jpeg) * _PIXELS_PER_BYTE_OF_INK > image.width * image.height:
        return False
    darkest = min(low for low, _high in image.convert("RGB").getextrema())
    return bool(darkest > _PAPER)
