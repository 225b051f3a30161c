"""Kinds of files: by their claims, by their bytes, and text by its charset."""

import struct

import pytest

from localaik.media.faults import MediaError
from localaik.media.mime import Kind, MediaType, kind_of, parse_media_type
from localaik.media.sniff import IMAGE_FORMATS, sniff
from localaik.media.text import decode_text
from tests.media_samples import make_image, make_pdf, pages_of_text


@pytest.mark.parametrize(("mime", "kind"), list(IMAGE_FORMATS.items()))
def test_b121_images_are_known_by_their_bytes(mime: str, kind: str) -> None:
    assert sniff(make_image(kind)[:1100]) == mime


def _ftyp(*brands: bytes) -> bytes:
    body = b"ftyp" + brands[0] + bytes(4) + b"".join(brands[1:])
    return struct.pack(">I", len(body) + 4) + body


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
        (b"RIFF\x24\0\0\0AVI LIST", "video/x-msvideo"),
        (b"OggS\0\2", "audio/ogg"),
        (b"fLaC\0", "audio/flac"),
        (b"ID3\4\0", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "audio/mpeg"),
        (_ftyp(b"isom", b"mp41"), "video/mp4"),
        (_ftyp(b"M4A "), "audio/mp4"),
        (_ftyp(b"heic", b"mif1"), "image/heic"),
        (_ftyp(b"mif1", b"avif"), "image/avif"),
        (b"\x1aE\xdf\xa3", "video/webm"),
        (b"PK\3\4" + bytes(26) + b"[Content_Types].xml", "application/vnd.openxmlformats-officedocument"),
        (
            b"PK\3\4" + bytes(26) + b"mimetypeapplication/vnd.oasis.opendocument.text",
            "application/vnd.oasis.opendocument.text",
        ),
        (b"PK\3\4" + bytes(26) + b"a.txt", "application/zip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
        (b"\n junk first\n%PDF-1.7", "application/pdf"),
        (b"BM is how this sentence starts", None),
        ("\ufeffhello".encode("utf-16-le"), None),
        (b"RIFFraff", None),
        (b"plain words", None),
        (b"", None),
    ],
)
def test_b036_other_kinds_are_known_by_their_bytes(head: bytes, mime: str | None) -> None:
    assert sniff(head) == mime


def test_a_pdf_is_known_by_its_bytes() -> None:
    assert sniff(make_pdf(pages_of_text(1))[:1100]) == "application/pdf"


@pytest.mark.parametrize(
    ("claim", "parsed"),
    [
        (None, None),
        ("", None),
        ("application/octet-stream", None),
        ("Application/Octet-Stream; x=y", None),
        ("IMAGE/PNG", MediaType("image/png")),
        (' text/Plain ; Charset="ISO-8859-1"', MediaType("text/plain", "ISO-8859-1")),
        ("text/plain;format=flowed;charset=utf-16", MediaType("text/plain", "utf-16")),
        ("text/plain;charset=", MediaType("text/plain")),
    ],
)
def test_b035_claims_are_read_in_any_case_without_parameters(claim: str | None, parsed: MediaType | None) -> None:
    assert parse_media_type(claim) == parsed


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("image/png", Kind.IMAGE),
        ("image/heic", Kind.IMAGE),
        ("image/svg+xml", None),
        ("application/pdf", Kind.PDF),
        ("text/markdown", Kind.TEXT),
        ("application/json", Kind.TEXT),
        ("application/xml", Kind.TEXT),
        ("application/geo+json", Kind.TEXT),
        ("audio/wav", None),
        ("video/mp4", None),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", None),
        ("application/zip", None),
        ("nonsense", None),
    ],
)
def test_b035_b036_kinds_by_media_type(name: str, kind: Kind | None) -> None:
    assert kind_of(name) is kind


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        ("häé".encode(), None),
        ("häé".encode("utf-8-sig"), None),
        ("häé".encode("latin-1"), "ISO-8859-1"),
        ("häé".encode("utf-16"), "utf-16"),
        ("\ufeffhäé".encode("utf-16-le"), "utf-16le"),
    ],
)
def test_b035_text_is_decoded_by_its_charset_without_byte_order_mark(data: bytes, charset: str | None) -> None:
    assert decode_text(data, charset) == "häé"


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        (b"\xff", None),
        (b"\xe9", "utf-8"),
        (b"a", "klingon"),
        (b"61", "hex"),
        (b"a", "a\0b"),
        (b"a", "unicode-escape"),
        (b"a", "x" * 999),
    ],
)
def test_b035_undecodable_text_is_refused(data: bytes, charset: str | None) -> None:
    with pytest.raises(MediaError) as refused:
        decode_text(data, charset)
    assert refused.value.reason == "undecodable_text"
    assert len(refused.value.message) < 120
