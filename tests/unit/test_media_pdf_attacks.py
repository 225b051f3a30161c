"""PDFs made to be much more than they seem, with the poppler that is installed: each ends in a plain refusal."""

import base64
import shutil
import struct
import sys
import zlib
from collections.abc import AsyncIterator, Callable

import pytest

from localaik.content import Attachment
from localaik.errors import InvalidMedia, TimedOut
from localaik.media.loader import MediaLoader
from localaik.settings import Settings

pytestmark = pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="poppler is not installed")

Loaders = Callable[..., MediaLoader]
MIB = 1 << 20


@pytest.fixture
async def loaders() -> AsyncIterator[Loaders]:
    made: list[MediaLoader] = []

    def make(**settings: object) -> MediaLoader:
        made.append(MediaLoader(Settings.model_validate({"pdf_workers": 1, **settings})))
        return made[-1]

    yield make
    for loader in made:
        await loader.close()


def pdf(*objects: bytes) -> bytes:
    """A file of these objects, of which the first is the catalog."""
    body, starts = b"%PDF-1.7\n", []
    for number, each in enumerate(objects, 1):
        starts.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    size = len(objects) + 1
    trailer = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (size, len(body))
    return body + b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, table) + trailer


def stream(entries: bytes, data: bytes) -> bytes:
    return b"<<%b/Length %d>>stream\n%b\nendstream" % (entries, len(data), data)


def tree(kids: bytes, count: int, *more: bytes) -> bytes:
    return pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[%b]/Count %d>>" % (kids, count), *more)


def page(content: bytes, resources: bytes = b"", *more: bytes, box: bytes = b"200 200") -> bytes:
    entries = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %b]/Contents 4 0 R/Resources<<%b>>>>" % (box, resources)
    return tree(b"3 0 R", 1, entries, content, *more)


def packed(byte: bytes, size: int) -> bytes:
    packer = zlib.compressobj(9)
    once = b"".join([*(packer.compress(byte * MIB) for _ in range(size // MIB)), packer.flush()])
    return stream(b"/Filter[/FlateDecode/FlateDecode]", zlib.compress(once, 9))


def form(content: bytes, inner: int) -> bytes:
    entries = b"/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Resources<</XObject<</F %d 0 R>>>>" % inner
    return stream(entries, content)


LEAF = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 10 10]>>"
LINE = stream(b"", b"0 0 m 100 100 l S")
IMAGE = stream(b"", b"q 200 0 0 200 0 0 cm /F Do Q")
JBIG2 = struct.pack(">IBBBIIIIIBH", 0, 48, 0, 1, 19, 100_000, 100_000, 0, 0, 0, 0)

REFUSED = {
    "a page tree that is a circle": tree(b"2 0 R", 5),
    "two billion pages that are one": tree(b"3 0 R", 2_000_000_000, LEAF),
    "a hundred thousand times the same page": tree(b"3 0 R " * 100_000, 100_000, LEAF),
    "51 times the same page": tree(b"3 0 R " * 51, 51, LEAF),
    "no page": tree(b"", 0),
    "no objects": b"%PDF-1.7\nstartxref\n9\n%%EOF",
    "an object that is its own length": pdf(b"<</Length 1 0 R>>stream\nx\nendstream"),
    "a table of two billion objects": pdf().replace(b"/Size 1", b"/Size 2000000000"),
}
SMALL = {
    "a page of a billion points": page(LINE, box=b"1e9 1e9"),
    "a page like a thread": page(LINE, box=b"1000000 0.001"),
    "a form that draws itself twice": page(stream(b"", b"/F Do"), b"/XObject<</F 5 0 R>>", form(b"/F Do /F Do", 5)),
}
ENDLESS = {
    "forms that double 35 times": page(
        stream(b"", b"/F Do"),
        b"/XObject<</F 5 0 R>>",
        *(form(b"/F Do /F Do", number + 1) for number in range(5, 40)),
        form(b"0 0 100 100 re f", 5),
    ),
    "JBIG2 of ten billion pixels": page(
        IMAGE,
        b"/XObject<</F 5 0 R>>",
        stream(
            b"/Type/XObject/Subtype/Image/Width 100000/Height 100000/ColorSpace/DeviceGray/BitsPerComponent 1"
            b"/Filter/JBIG2Decode",
            JBIG2,
        ),
    ),
}


async def drawn(loader: MediaLoader, data: bytes) -> int:
    text = base64.b64encode(data).decode()
    [parts] = await loader.load([Attachment("f", base64=text, mime="application/pdf")])
    return len(parts)


@pytest.mark.parametrize("name", REFUSED)
async def test_b115_b124_a_file_that_is_no_document_is_refused(name: str, loaders: Loaders) -> None:
    with pytest.raises(InvalidMedia):
        await drawn(loaders(), REFUSED[name])


@pytest.mark.parametrize("name", SMALL)
async def test_b121_a_page_of_any_size_is_an_image_of_ours(name: str, loaders: Loaders) -> None:
    assert await drawn(loaders(), SMALL[name]) == 1


@pytest.mark.parametrize("name", ENDLESS)
async def test_b116_a_page_that_takes_for_ever_is_given_up(name: str, loaders: Loaders) -> None:
    with pytest.raises((TimedOut, InvalidMedia)):
        await drawn(loaders(pdf_timeout_seconds=0.5), ENDLESS[name])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can bound the memory of another process")
async def test_b116_a_page_of_gigabytes_is_refused(loaders: Loaders) -> None:
    """Of 1 KB, which unpacks to 64 MiB of brackets, each of them an array to poppler."""
    data = page(packed(b"[", 64 * MIB))
    assert len(data) < 2000
    with pytest.raises(InvalidMedia) as refused:
        await drawn(loaders(pdf_memory_bytes=150 * MIB), data)
    assert refused.value.reason == "pdf_too_complex"
    assert "LOCALAIK_PDF_MEMORY_BYTES" in refused.value.message
