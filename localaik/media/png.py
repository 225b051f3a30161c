"""Whether a PNG is whole, told without holding its pixels (PNG specification, third edition).

The engine gets PNG files as they are, so what can't be decoded has to be found here. Walking the chunks and unpacking
the pixel data into nothing takes a tenth of the memory of a real decode.
"""

import zlib
from collections.abc import Iterator
from typing import Final

__all__ = ["is_whole_png"]

_SIGNATURE_BYTES: Final = 8
_STEP_BYTES: Final = 1 << 20
_SURPLUS_BYTES: Final = 1 << 16  # some encoders are careless; more of it is made to fill the memory of a decoder
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_ADAM7: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def is_whole_png(data: bytes) -> bool:
    """Whether header, palette and pixels are complete and undamaged, and there is no more than that.

    `data` starts with the signature. Decoders unpack all that is packed as pixels, whatever the header promises.
    """
    chunks = _chunks(data)
    try:
        kind, header = next(chunks)
        if kind != b"IHDR" or len(header) != 13:
            return False
        return _holds_pixels(chunks, header)
    except (ValueError, zlib.error, StopIteration):
        return False


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Kind and content of each chunk up to IEND. Raises `ValueError` where the file ends early or is damaged."""
    view = memoryview(data)
    at = _SIGNATURE_BYTES
    while True:
        size = int.from_bytes(view[at : at + 4])
        end = at + 8 + size
        if len(view) < end + 4:
            raise ValueError("cut off")
        if zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4]):
            raise ValueError("checksum")
        kind = bytes(view[at + 4 : at + 8])
        if kind == b"IEND":
            return
        yield kind, view[at + 8 : end]
        at = end + 4


def _holds_pixels(chunks: Iterator[tuple[bytes, memoryview]], header: memoryview) -> bool:
    depth, colour, _compression, _filter, interlaced = header[8:13]
    if colour not in _CHANNELS or depth not in {1, 2, 4, 8, 16} or interlaced > 1:
        return False
    width, height = int.from_bytes(header[:4]), int.from_bytes(header[4:8])
    missing = _raw_size(width, height, depth * _CHANNELS[colour], interlaced=bool(interlaced))
    has_palette = colour != 3
    unpacker = zlib.decompressobj()
    for kind, content in chunks:
        has_palette = has_palette or kind == b"PLTE"
        if kind == b"IDAT" and not unpacker.eof:
            missing -= _unpacked_size(unpacker, content, missing + _SURPLUS_BYTES)
            if missing <= -_SURPLUS_BYTES:
                return False
    return has_palette and missing <= 0


def _unpacked_size(unpacker: "zlib._Decompress", content: memoryview, wanted: int) -> int:
    """How many bytes `content` unpacks to; stops early once there are `wanted`."""
    size = len(unpacker.decompress(content, _STEP_BYTES))
    while unpacker.unconsumed_tail and size < wanted:
        size += len(unpacker.decompress(unpacker.unconsumed_tail, _STEP_BYTES))
    return size


def _raw_size(width: int, height: int, bits: int, *, interlaced: bool) -> int:
    """Bytes of the unpacked pixels: each row is a filter byte and `width` pixels of `bits` bits."""
    if not interlaced:
        return height * (1 + (width * bits + 7) // 8)
    passes = ((-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in _ADAM7)
    return sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in passes if columns > 0 and rows > 0)
