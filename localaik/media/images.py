"""Images become what the engine reads: PNG and JPEG within the limits as they are, everything else as PNG.

Everything here blocks and runs in a worker thread. Pillow is imported at the first image.
"""

import functools
import io
import struct
import warnings
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Final

from localaik.media.faults import MediaError, over_limit
from localaik.media.png import is_whole_png
from localaik.media.sniff import IMAGE_FORMATS, sniff
from localaik.settings import Settings

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

__all__ = ["ReadyImage", "load_pillow", "prepare_image"]

_PASSED: Final = frozenset({"image/png", "image/jpeg"})
_ORIENTATION_TAG: Final = 0x0112  # EXIF 2.3, table 4
_PNG_EFFORT: Final = 1  # the file goes to the next process once; more effort takes four times as long for 15 %
_DAMAGED_EXIF: Final = (OSError, ValueError, KeyError, IndexError, TypeError, SyntaxError, EOFError, struct.error)


@dataclass(frozen=True, slots=True)
class ReadyImage:
    """`mime` is PNG or JPEG; `data` is None where the caller's own file can be passed on."""

    mime: str
    data: bytes | None


@functools.cache
def load_pillow() -> ModuleType:
    """`PIL.Image`, set up for a server: sizes are checked here before anything is decoded, and nothing is printed."""
    from PIL import Image  # noqa: PLC0415  a slow import that only requests with images need

    Image.MAX_IMAGE_PIXELS = None
    warnings.filterwarnings("ignore", module=r"PIL\.")
    return Image


def prepare_image(data: bytes, settings: Settings, *, low_detail: bool) -> ReadyImage:
    """Check an image, and turn, convert or scale it where the engine needs that.

    Raises `MediaError` (`broken_image`, `unsupported_kind`, `image_too_many_pixels`).
    """
    mime = sniff(data)
    if mime is None or mime not in IMAGE_FORMATS:
        raise _not_an_image(mime)
    try:
        image = load_pillow().open(io.BytesIO(data), formats=(IMAGE_FORMATS[mime],))
        _check_pixels(image.size, settings)
        side = _target_side(image.size, settings.image_max_side_px, low_detail=low_detail)
        if mime in _PASSED and side is None and _orientation(image) == 1:
            return _checked(mime, data, image)
        return ReadyImage("image/png", _converted(image, side))
    except (MediaError, MemoryError):
        raise
    except Exception:  # noqa: BLE001  for damaged files Pillow raises nearly any class, and never a documented one
        raise MediaError("broken_image", f"The image is damaged: it can't be decoded as {mime}.") from None


def _not_an_image(mime: str | None) -> MediaError:
    if mime is None:
        return MediaError("broken_image", "The data is not an image, or not of a known format.")
    if mime.startswith("image/"):
        readable = ", ".join(name.removeprefix("image/") for name in IMAGE_FORMATS)
        return MediaError("unsupported_kind", f"unsupported mime type: {mime} (images may be {readable})")
    return MediaError("broken_image", f"The data is not an image, it looks like {mime}.")


def _check_pixels(size: tuple[int, int], settings: Settings) -> None:
    width, height = size
    limit = settings.image_max_pixels
    if limit and width * height > limit:
        raise over_limit(
            "image_too_many_pixels",
            "The image",
            "pixels",
            actual=f"{width} x {height} = {width * height}",
            limit=limit,
            setting="LOCALAIK_IMAGE_MAX_PIXELS",
        )


def _target_side(size: tuple[int, int], limit: int, *, low_detail: bool) -> int | None:
    """The longest side that the image should have, in pixels, or None where it may stay as it is."""
    longest = max(size)
    wanted = min(longest, limit)
    if low_detail:
        wanted = max(wanted // 2, 1)
    return wanted if wanted < longest else None


def _orientation(image: "PillowImage") -> int:
    """1 to 8 by the EXIF block, 1 where there is none or a damaged one."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # Pillow would decode the whole file to look behind the pixels
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except _DAMAGED_EXIF:
        return 1
    return value if value in range(2, 9) else 1


def _checked(mime: str, data: bytes, image: "PillowImage") -> ReadyImage:
    """The caller's own file, once it is known to be whole."""
    if mime == "image/png":
        if not is_whole_png(data):
            raise MediaError("broken_image", "The image is damaged: the PNG is cut off or its data is corrupt.")
    else:
        # At an eighth of the size the JPEG decoder reads all the data and skips most of the arithmetic.
        image.draft("L", (max(image.width // 8, 1), max(image.height // 8, 1)))
        image.load()
    return ReadyImage(mime, None)


def _converted(image: "PillowImage", side: int | None) -> bytes:
    from PIL import ImageOps  # noqa: PLC0415  with the rest of Pillow

    if side is not None and image.format == "JPEG":
        image.draft(image.mode, _scaled(image.size, side))
    image.load()
    turned = ImageOps.exif_transpose(image) if _orientation(image) != 1 else image
    flat = _flattened(turned)
    if side is not None:
        flat = flat.resize(_scaled(flat.size, side), load_pillow().Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    flat.save(buffer, "PNG", compress_level=_PNG_EFFORT)
    return buffer.getvalue()


def _scaled(size: tuple[int, int], side: int) -> tuple[int, int]:
    """The size with the same aspect whose longest side is `side`."""
    longest = max(size)
    width, height = (max(round(length * side / longest), 1) for length in size)
    return width, height


def _flattened(image: "PillowImage") -> "PillowImage":
    """Grey or RGB on white. The engine drops the alpha channel, which would show what is meant to be unseen."""
    if image.mode in {"1", "L"} and "transparency" not in image.info:
        return image.convert("L")
    if image.mode.startswith("I") or image.mode == "F":
        return _to_eight_bits(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        paper: PillowImage = load_pillow().new("RGBA", layer.size, "white")
        paper.alpha_composite(layer)
        return paper.convert("RGB")
    return image.convert("RGB")


def _to_eight_bits(image: "PillowImage") -> "PillowImage":
    """Grey of 16 or 32 bits as 8 bits; where the values pass 16 bits or are fractions, the range is stretched."""
    low, high = image.getextrema()
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        raise TypeError(image.mode)
    if image.mode.startswith("I;16") or (image.mode == "I" and low >= 0 and high <= 0xFFFF):
        low, high = 0, 0xFFFF
    scale = 255 / ((high - low) or 1)
    return image.convert("F").point(lambda value: value * scale - low * scale).convert("L")
