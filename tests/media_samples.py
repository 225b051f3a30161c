"""Image, PDF and archive files for tests, made here so that the repository holds no binaries.

PDFs are written by hand after ISO 32000-1: section 7.5 (file structure), 7.6 (encryption, algorithms 1 to 4),
9.4.3 (text showing). They use the standard fonts, which no file embeds.
"""

import binascii
import hashlib
import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image as PillowImage

__all__ = [
    "PdfPage",
    "make_image",
    "make_oriented_jpeg",
    "make_pdf",
    "make_png_header",
    "pages_of_text",
]

_PASSWORD_PAD = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
_FILE_ID = bytes(range(16))
_PERMISSIONS = -44  # everything but printing and copying, as a signed 32-bit number


@dataclass(frozen=True, slots=True)
class PdfPage:
    """One page: its lines of text from the top, its look, and its boxes in points."""

    lines: Sequence[str] = ()
    font: str = "Helvetica"
    size: int = 12
    width: float = 612
    height: float = 792
    rotate: int = 0
    invisible: bool = False
    """True to draw the text in mode 3: it is in the text layer, and leaves no ink."""
    crop: tuple[float, float, float, float] | None = None


def make_pdf(pages: Sequence[PdfPage], *, user_password: str | None = None, owner_password: str | None = None) -> bytes:
    """A PDF file. With a password it is encrypted (RC4, 40 bit); an owner's password alone lets everybody read it."""
    objects: list[bytes] = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids: list[int] = []
    key: bytes | None = None
    encryption = b""
    if user_password is not None or owner_password is not None:
        key, encryption = _encryption(user_password or "", owner_password or user_password or "")
    for page in pages:
        number = len(objects) + 1
        kids.append(number)
        objects.append(_page_object(page, number))
        objects.append(f"<< /Type /Font /Subtype /Type1 /BaseFont /{page.font} >>".encode())
        content = _content(page)
        if key is not None:
            content = _rc4(_object_key(key, number + 2), content)
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    listed = " ".join(f"{kid} 0 R" for kid in kids)
    objects[1] = f"<< /Type /Pages /Kids [{listed}] /Count {len(kids)} >>".encode()
    return _assemble(objects, encryption)


def pages_of_text(count: int, lines_per_page: int = 50) -> list[PdfPage]:
    """Pages as full of text as those of a report; each names its number."""
    sentence = "The quick brown fox jumps over the lazy dog and reads line"
    return [
        PdfPage([f"Page {page}", *(f"{sentence} {line} of page {page}." for line in range(lines_per_page))])
        for page in range(1, count + 1)
    ]


def make_image(kind: str, width: int = 8, height: int = 6, *, mode: str = "RGB") -> bytes:
    """An image file with a gradient. `kind` is Pillow's name: PNG, JPEG, WEBP, GIF, BMP, TIFF, AVIF."""
    image = _gradient(width, height).convert(mode)
    buffer = io.BytesIO()
    if kind == "GIF":
        other = PillowImage.new("RGB", (width, height), "blue")
        image.convert("P").save(buffer, kind, save_all=True, append_images=[other])
    else:
        image.save(buffer, kind)
    return buffer.getvalue()


def make_oriented_jpeg(width: int, height: int, orientation: int) -> bytes:
    """A JPEG whose EXIF block asks the viewer to turn it (EXIF 2.3, tag 0x0112)."""
    image = _gradient(width, height)
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif, quality=95)
    return buffer.getvalue()


def make_png_header(width: int, height: int, body: bytes = b"") -> bytes:
    """A PNG of that size by its header, with `body` (compressed here) where the pixels should be."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = _chunk(b"IHDR", header)
    if body:
        chunks += _chunk(b"IDAT", zlib.compress(body, 9))
    return b"\x89PNG\r\n\x1a\n" + chunks + _chunk(b"IEND", b"")


def _gradient(width: int, height: int) -> PillowImage.Image:
    image = PillowImage.linear_gradient("L").resize((width, height))
    return PillowImage.merge("RGB", (image, image.transpose(PillowImage.Transpose.FLIP_TOP_BOTTOM), image))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", binascii.crc32(kind + data))


def _page_object(page: PdfPage, number: int) -> bytes:
    crop = f"/CropBox [{' '.join(map(str, page.crop))}] " if page.crop else ""
    return (
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {page.width} {page.height}] {crop}/Rotate {page.rotate} "
        f"/Resources << /Font << /F1 {number + 1} 0 R >> >> /Contents {number + 2} 0 R >>"
    ).encode()


def _content(page: PdfPage) -> bytes:
    if not page.lines:
        return b""
    shown = "\n".join(f"({_escape(line)}) Tj T*" for line in page.lines)
    mode = "3 Tr" if page.invisible else "0 Tr"
    top = page.height - 3 * page.size
    leading = page.size * 1.15
    return f"BT /F1 {page.size} Tf {mode} {leading} TL 50 {top} Td\n{shown}\nET".encode("latin-1")


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _assemble(objects: Sequence[bytes], encryption: bytes) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, encryption, start)
    return bytes(out)


def _encryption(user: str, owner: str) -> tuple[bytes, bytes]:
    """The file's key, and the trailer's entries for the standard security handler, revision 2."""
    padded_user, padded_owner = _pad(user), _pad(owner)
    owner_entry = _rc4(hashlib.md5(padded_owner).digest()[:5], padded_user)
    seed = padded_user + owner_entry + struct.pack("<i", _PERMISSIONS) + _FILE_ID
    key = hashlib.md5(seed).digest()[:5]
    user_entry = _rc4(key, _PASSWORD_PAD)
    dictionary = (
        f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{owner_entry.hex()}> /U <{user_entry.hex()}> "
        f"/P {_PERMISSIONS} >> /ID [<{_FILE_ID.hex()}> <{_FILE_ID.hex()}>]"
    )
    return key, dictionary.encode()


def _pad(password: str) -> bytes:
    return (password.encode("latin-1") + _PASSWORD_PAD)[:32]


def _object_key(key: bytes, number: int) -> bytes:
    return hashlib.md5(key + struct.pack("<I", number)[:3] + b"\0\0").digest()[:10]


def _rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out = bytearray()
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
