"""Images made to be much more than they seem: each is refused, or becomes a small picture, and quickly."""

import struct
import zlib

import pytest

from localaik.media.faults import MediaError
from localaik.media.images import prepare_image
from localaik.media.png import is_whole_png
from localaik.settings import Settings

MIB = 1 << 20


def packed(size: int) -> bytes:
    """That many zeros, a thousandth of it packed."""
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(size // MIB)), packer.flush()])


BOMB = packed(64 * MIB)
PIXELS = zlib.compress(bytes(8 * 25))


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *pixels: bytes, before: bytes = b"", depth: int = 8, colour: int = 2) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    data = b"".join(chunk(b"IDAT", each) for each in pixels)
    return b"\x89PNG\r\n\x1a\n" + header + before + data + chunk(b"IEND", b"")


def gif(width: int, height: int, rest: bytes) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + rest


def frame(width: int, height: int) -> bytes:
    return b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\0"


def tiff(*entries: tuple[int, int, int, int], rest: bytes = b"", following: int = 0) -> bytes:
    fields = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + fields + struct.pack("<I", following) + rest


def grey(width: int, height: int, *more: tuple[int, int, int, int]) -> tuple[tuple[int, int, int, int], ...]:
    return ((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), *more)


def bmp(width: int, height: int, bits: int = 24, rle: int = 0, rest: bytes = b"") -> bytes:
    head = struct.pack(
        "<IHHIIiiHHIIiiII", 70, 0, 0, 54 + len(rest) // 2, 40, width, height, 1, bits, rle, 0, 0, 0, 0, 0
    )
    return b"BM" + head + rest


REFUSED = {
    "PNG of 2^62 pixels": (png(2**31 - 1, 2**31 - 1, PIXELS), "image_too_many_pixels"),
    "PNG of 900 million pixels": (png(30_000, 30_000, PIXELS), "image_too_many_pixels"),
    "PNG of no pixels": (png(0, 0, PIXELS), "broken_image"),
    "PNG with surplus pixels": (png(8, 8, BOMB), "broken_image"),
    "PNG with surplus pixels in pieces": (png(8, 8, BOMB[:100], BOMB[100:]), "broken_image"),
    "PNG of 16 bits with too few pixels": (png(6000, 6000, BOMB, depth=16, colour=6), "broken_image"),
    "PNG with a colour profile of 64 MiB": (png(8, 8, PIXELS, before=chunk(b"iCCP", b"a\0\0" + BOMB)), "broken_image"),
    "PNG with a text of 64 MiB": (png(8, 8, PIXELS, before=chunk(b"zTXt", b"a\0\0" + BOMB)), "broken_image"),
    "PNG with 40 texts of 64 MiB": (png(8, 8, PIXELS, before=chunk(b"zTXt", b"a\0\0" + BOMB) * 40), "broken_image"),
    "PNG with UTF-8 of 64 MiB": (png(8, 8, PIXELS, before=chunk(b"iTXt", b"a\0\1\0\0\0" + BOMB)), "broken_image"),
    "PNG of an unknown colour type": (png(8, 8, PIXELS, colour=5), "broken_image"),
    "PNG with chunks of 4 GiB": (png(8, 8)[:33] + b"\xff\xff\xff\xffIDAT" + PIXELS, "broken_image"),
    "GIF with a screen of 4 billion pixels": (gif(65_535, 65_535, frame(1, 1) + b";"), "image_too_many_pixels"),
    "GIF with a frame beyond its screen": (gif(1, 1, frame(65_535, 65_535) + b";"), "image_too_many_pixels"),
    "GIF with a comment of 4 MiB": (gif(1, 1, b"\x21\xfe" + (b"\xff" + b"a" * 255) * 16_384), "broken_image"),
    "TIFF of 2^62 pixels": (tiff(*grey(2**31, 2**31, (273, 4, 1, 8))), "image_too_many_pixels"),
    "TIFF with 4 billion widths": (tiff((256, 4, 2**32 - 1, 8), (257, 4, 1, 8), (273, 4, 2**30, 8)), "broken_image"),
    "TIFF with 5,000 tags": (tiff(*((number, 4, 1, 8) for number in range(500, 5_500))), "broken_image"),
    "BMP of 2^62 pixels": (bmp(2**31 - 1, -(2**31) + 1), "image_too_many_pixels"),
    "BMP with runs beyond its rows": (bmp(6000, 6000, 8, 1, bytes(1024) + b"\xff\0" * 10_000), "broken_image"),
    "WebP of 2^48 pixels": (
        b"RIFF\x64\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0" + b"\xff" * 6 + bytes(100),
        "broken_image",
    ),
    "JPEG of 4 billion pixels": (
        b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xff\xff\xff\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0\x3f\0" + bytes(100),
        "image_too_many_pixels",
    ),
}
SMALL = {
    "PNG that promises 2^31 frames": png(8, 8, PIXELS, before=chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
    "PNG with a palette of transparencies": png(8, 8, PIXELS, before=chunk(b"tRNS", bytes(100_000))),
    "GIF with 100,000 frames": gif(1, 1, frame(1, 1) * 100_000 + b";"),
    "TIFF whose directories are a circle": tiff(
        *grey(8, 8, (273, 4, 1, 110), (278, 4, 1, 8), (279, 4, 1, 64)), rest=bytes(64), following=8
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_b121_b124_an_image_that_is_a_bomb_is_refused(name: str) -> None:
    data, reason = REFUSED[name]
    with pytest.raises(MediaError) as refused:
        prepare_image(data, Settings(), low_detail=False)
    assert refused.value.reason == reason
    if reason == "image_too_many_pixels":
        assert "LOCALAIK_IMAGE_MAX_PIXELS" in refused.value.message


@pytest.mark.parametrize("name", SMALL)
def test_b121_of_an_image_with_many_frames_the_first_is_read(name: str) -> None:
    ready = prepare_image(SMALL[name], Settings(), low_detail=False)
    assert ready.data is None or len(ready.data) < 1000


def test_some_surplus_behind_the_pixels_passes() -> None:
    """As libpng has it: what is too much is ignored. The engine, too, can unpack that."""
    assert is_whole_png(png(8, 8, zlib.compress(bytes(8 * 25 + 1000))))
    assert is_whole_png(png(8, 8, PIXELS, b"junk", b"more"))
    assert not is_whole_png(png(8, 8, zlib.compress(bytes(8 * 25 + 100_000))))
