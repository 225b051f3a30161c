"""The kind of a file by its first bytes (the signatures are those of the formats' own specifications)."""

from typing import Final

__all__ = ["HEAD_BYTES", "IMAGE_FORMATS", "sniff"]

HEAD_BYTES: Final = 1100
"""As many first bytes as `sniff` looks at: a PDF's header may stand anywhere in the first 1024."""

IMAGE_FORMATS: Final = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
    "image/avif": "AVIF",
}
"""The images that can be read, by media type, with Pillow's name of the format."""

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
)
_BMP_HEADER_SIZES: Final = frozenset({12, 40, 52, 56, 64, 108, 124})
_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS: Final = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"hevc": "image/heic",
    b"mif1": "image/heif",
    b"msf1": "image/heif",
    b"M4A ": "audio/mp4",
    b"qt  ": "video/quicktime",
}
# What a ZIP's first member tells of the office format: both families fix it.
_ZIP_MEMBERS: Final = (
    (b"mimetypeapplication/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
    (b"mimetypeapplication/vnd.oasis.opendocument.", "application/vnd.oasis.opendocument"),
    (b"[Content_Types].xml", "application/vnd.openxmlformats-officedocument"),
)


def sniff(head: bytes) -> str | None:
    """The media type of a file that starts with `head`, or None where no signature matches (plain text has none)."""
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return _by_member(head) if name == "application/zip" else name
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "image/bmp"
    if _is_mpeg_audio(head):
        return "audio/mpeg"
    return "application/pdf" if b"%PDF-" in head[:1024] else None


def _by_brand(head: bytes) -> str:
    """ISO base media files: the major brand first, then the compatible ones (ISO/IEC 14496-12, 4.3)."""
    size = min(int.from_bytes(head[:4]), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))]
    known = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    if known and known[0] == "image/heif" and "image/avif" in known:
        return "image/avif"  # `mif1` names the container alone
    return known[0] if known else "video/mp4"


def _by_member(head: bytes) -> str:
    return next((name for member, name in _ZIP_MEMBERS if member in head[:200]), "application/zip")


def _is_mpeg_audio(head: bytes) -> bool:
    """A frame header of MPEG audio: eleven bits of sync, then a version, layer (II or III) and bit rate that exist."""
    if len(head) < 3 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4
    return version != 1 and layer in {1, 2} and rate not in {0, 15}
