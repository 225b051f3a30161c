"""The loader: kinds by claim and content, limits of one request, errors that name their field."""

import asyncio
import base64
import subprocess
import sys
from collections.abc import AsyncIterator, Callable

import pytest

from localaik.content import Attachment, Image, Text
from localaik.errors import InvalidMedia
from localaik.media.faults import MediaError
from localaik.media.fetch import Fetched, Fetcher
from localaik.media.loader import MediaLoader
from localaik.settings import Settings
from tests.media_samples import PdfPage, make_image, make_pdf

Loaders = Callable[..., MediaLoader]
PNG = make_image("PNG", 8, 6)
WAV = b"RIFF\x24\0\0\0WAVEfmt " + bytes(24)


class Shelf(Fetcher):
    """Files by URL, without a network."""

    def __init__(self, files: dict[str, Fetched | MediaError]) -> None:
        super().__init__(Settings())
        self._files = files
        self.asked: list[str] = []

    async def fetch(self, url: str) -> Fetched:
        self.asked.append(url)
        answer = self._files[url]
        if isinstance(answer, MediaError):
            raise answer
        return answer


@pytest.fixture
async def loaders() -> AsyncIterator[Loaders]:
    """Makes loaders with settings, and closes them."""
    made: list[MediaLoader] = []

    def make(fetcher: Fetcher | None = None, **settings: object) -> MediaLoader:
        made.append(MediaLoader(Settings(**settings), fetcher=fetcher))
        return made[-1]

    yield make
    for loader in made:
        await loader.close()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def attached(data: bytes, mime: str | None = None, **options: object) -> Attachment:
    return Attachment("part", base64=b64(data), mime=mime, **options)


async def one(loader: MediaLoader, attachment: Attachment) -> Text | Image:
    [[part]] = await loader.load([attachment])
    return part


async def refusal(loader: MediaLoader, *attachments: Attachment) -> InvalidMedia:
    with pytest.raises(InvalidMedia) as refused:
        await loader.load(list(attachments))
    return refused.value


async def test_b067_b121_the_callers_own_base64_is_passed_on(loaders: Loaders) -> None:
    attachment = attached(PNG, "image/png")
    part = await one(loaders(), attachment)
    assert part == Image("image/png", b64(PNG))
    assert isinstance(part, Image)
    assert part.data is attachment.base64


@pytest.mark.parametrize("lines", [False, True])
async def test_b022_b121_other_base64_is_passed_on_as_standard(loaders: Loaders, lines: bool) -> None:
    text = base64.urlsafe_b64encode(PNG).decode().rstrip("=")
    text = "\n".join(text[at : at + 60] for at in range(0, len(text), 60)) if lines else text
    assert await one(loaders(), Attachment("part", base64=text, mime="image/png")) == Image("image/png", b64(PNG))


@pytest.mark.parametrize("mime", ["image/jpeg", "IMAGE/X-ANYTHING", None, "application/octet-stream", ""])
async def test_b121_images_are_recognised_by_content(loaders: Loaders, mime: str | None) -> None:
    assert await one(loaders(), attached(PNG, mime)) == Image("image/png", b64(PNG))


async def test_b121_a_webp_becomes_png(loaders: Loaders) -> None:
    part = await one(loaders(), attached(make_image("WEBP"), "image/webp"))
    assert isinstance(part, Image)
    assert (part.mime, base64.b64decode(part.data)[:4]) == ("image/png", b"\x89PNG")


@pytest.mark.parametrize(
    ("data", "mime", "text"),
    [
        (b"\xef\xbb\xbfplain", "text/plain", "plain"),
        (b"\xe9", "text/markdown; charset=latin-1", "é"),
        (b"{}", "application/json", "{}"),
        (b"<a/>", "application/xml", "<a/>"),
        (b"", "text/plain", ""),
    ],
)
async def test_b035_text_files_become_text(loaders: Loaders, data: bytes, mime: str, text: str) -> None:
    assert await one(loaders(), attached(data, mime)) == Text(text)


async def test_a_named_text_file_stands_under_its_name(loaders: Loaders) -> None:
    assert await one(loaders(), attached(b"a,b", "text/csv", name="table.csv")) == Text("table.csv:\na,b")


@pytest.mark.parametrize("mime", ["audio/wav", "Audio/WAV; codecs=1"])
async def test_b036_kinds_that_the_model_cannot_take_are_refused(loaders: Loaders, mime: str) -> None:
    fault = await refusal(loaders(), Attachment("contents[0].parts[2].inlineData", base64="AAAA", mime=mime))
    assert fault.message == "unsupported mime type: audio/wav"
    assert (fault.field, fault.reason) == ("contents[0].parts[2].inlineData", "unsupported_kind")


@pytest.mark.parametrize("mime", [None, "application/octet-stream"])
@pytest.mark.parametrize(
    ("data", "word"), [(WAV, "audio/wav"), (b"plain words", "media type is missing"), (b"", "media type is missing")]
)
async def test_b035_without_a_claim_only_known_bytes_are_taken(
    loaders: Loaders, data: bytes, word: str, mime: str | None
) -> None:
    fault = await refusal(loaders(), attached(data, mime))
    assert fault.reason == "unsupported_kind"
    assert word in fault.message


@pytest.mark.parametrize(
    ("attachment", "reason"),
    [
        (Attachment("part", base64="not base64!", mime="image/png"), "invalid_base64"),
        (Attachment("part", base64="not base64!"), "invalid_base64"),
        (Attachment("part", base64="not base64!", mime="application/pdf"), "invalid_base64"),
        (Attachment("part", base64="not base64!", mime="text/plain"), "invalid_base64"),
        (Attachment("part", base64="", mime="image/png"), "broken_image"),
        (attached(b"words", "image/png"), "broken_image"),
        (attached(b"%PDF-1.4", "image/png"), "broken_image"),
        (attached(b"<svg/>", "image/svg+xml"), "unsupported_kind"),
        (attached(PNG, "application/pdf"), "broken_pdf"),
        (attached(PNG, "text/plain"), "undecodable_text"),
    ],
)
async def test_false_claims_are_refused_naming_the_field(loaders: Loaders, attachment: Attachment, reason: str) -> None:
    fault = await refusal(loaders(), attachment)
    assert (fault.reason, fault.field) == (reason, "part")


@pytest.mark.parametrize("mime", [None, "text/plain", "image/png"])
async def test_a_field_for_images_goes_by_content(loaders: Loaders, mime: str | None) -> None:
    assert await one(loaders(), attached(PNG, mime, images_only=True)) == Image("image/png", b64(PNG))


@pytest.mark.parametrize(
    ("data", "mime", "reason"),
    [
        (b"words", "text/plain", "unsupported_kind"),
        (make_pdf([]), "application/pdf", "unsupported_kind"),
        (make_pdf([]), None, "unsupported_kind"),
        (WAV, "image/png", "unsupported_kind"),
        (b"words", "image/png", "broken_image"),
        (b"words", None, "broken_image"),
    ],
)
async def test_a_field_for_images_refuses_the_rest(
    loaders: Loaders, data: bytes, mime: str | None, reason: str
) -> None:
    assert (await refusal(loaders(), attached(data, mime, images_only=True))).reason == reason


async def test_b125_data_uris_are_read(loaders: Loaders) -> None:
    loader = loaders()
    uris = [f"data:image/png;base64,{b64(PNG)}", "data:,a+b%20c", "data:text/plain;base64;charset=latin-1,6Q=="]
    parts = await loader.load([Attachment("part", uri=uri) for uri in uris])
    assert parts == [[Image("image/png", b64(PNG))], [Text("a+b c")], [Text("é")]]


async def test_b037_the_claim_of_the_part_wins_over_the_uri(loaders: Loaders) -> None:
    loader = loaders()
    uri = f"data:text/plain;base64,{b64(PNG)}"
    assert await one(loader, Attachment("part", uri=uri, mime="image/png")) == Image("image/png", b64(PNG))
    assert (await refusal(loader, Attachment("part", uri=uri))).reason == "undecodable_text"
    silent = Attachment("part", uri="data:text/plain,x", mime="application/octet-stream")
    assert await one(loader, silent) == Text("x")


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "file://host/x",
        "/etc/passwd",
        "../x.png",
        "C:\\x.png",
        "gs://bucket/x.png",
        "s3://bucket/x",
        "ftp://host/x",
        "javascript:alert(1)",
        "image.png",
        "",
        " http://files.test/",
        "data:image/png",
    ],
)
async def test_b037_b122_other_uris_are_refused(loaders: Loaders, uri: str) -> None:
    fault = await refusal(loaders(Shelf({})), Attachment("part", uri=uri))
    assert (fault.reason, fault.field) == ("invalid_url", "part")


async def test_b122_all_local_files_get_one_answer(loaders: Loaders) -> None:
    loader = loaders()
    uris = ["file:///etc/passwd", "/etc/passwd", "/nowhere", "file://host/x"]
    assert len({(await refusal(loader, Attachment("part", uri=uri))).message for uri in uris}) == 1


async def test_b067_b083_urls_are_fetched_by_claim_header_and_content(loaders: Loaders) -> None:
    shelf = Shelf(
        {
            "https://files.test/a": Fetched(PNG, "image/png"),
            "HTTP://files.test/b": Fetched(PNG, None),
            "http://files.test/c": Fetched(b"\xe9", "text/plain; charset=latin-1"),
            "http://files.test/d": Fetched(b"{}", "text/html"),
        }
    )
    attachments = [Attachment("part", uri=url) for url in shelf._files]
    parts = await loaders(shelf).load(attachments)
    assert parts == [[Image("image/png", b64(PNG))]] * 2 + [[Text("é")], [Text("{}")]]
    assert sorted(shelf.asked) == sorted(shelf._files)


async def test_a_failed_fetch_names_its_field(loaders: Loaders) -> None:
    shelf = Shelf({"http://files.test/": MediaError("fetch_failed", "could not fetch")})
    fault = await refusal(loaders(shelf), attached(PNG), Attachment("second", uri="http://files.test/"))
    assert (fault.reason, fault.field) == ("fetch_failed", "second")


async def test_b124_too_many_urls_are_refused_before_any_is_fetched(loaders: Loaders) -> None:
    shelf = Shelf({})
    attachments = [Attachment(f"part {number}", uri="http://files.test/") for number in range(17)]
    inline = Attachment("inline", uri="data:,x")
    fault = await refusal(loaders(shelf), inline, *attachments)
    assert (fault.reason, fault.field) == ("too_many_fetches", "part 16")
    assert all(word in fault.message for word in ("17", "16", "LOCALAIK_FETCH_MAX_PER_REQUEST"))
    assert not shelf.asked


@pytest.mark.parametrize(
    ("mime", "reason", "setting"),
    [
        ("image/png", "image_too_large", "image_max_bytes"),
        ("application/pdf", "pdf_too_large", "pdf_max_bytes"),
        ("text/plain", "text_too_large", "text_file_max_bytes"),
    ],
)
async def test_b124_sizes_are_counted_before_decoding(loaders: Loaders, mime: str, reason: str, setting: str) -> None:
    """What follows the limit is no base64 at all, which nobody finds out."""
    text = "QUJD" * 100 + "!"
    fault = await refusal(loaders(**{setting: 299}), Attachment("part", base64=text, mime=mime))
    assert fault.reason == reason
    assert all(word in fault.message for word in ("300", "299", f"LOCALAIK_{setting.upper()}"))


async def test_b124_sizes_of_fetched_and_percent_encoded_files_are_counted(loaders: Loaders) -> None:
    loader = loaders(Shelf({"http://files.test/": Fetched(b"abcd", "text/plain")}), text_file_max_bytes=3)
    for uri in ("http://files.test/", "data:,%61bcd"):
        assert (await refusal(loader, Attachment("part", uri=uri))).reason == "text_too_large"
    assert await one(loader, attached(b"abc", "text/plain")) == Text("abc")


async def test_b124_limits_of_zero_are_off(loaders: Loaders) -> None:
    loader = loaders(image_max_bytes=0, text_file_max_bytes=0, max_images=0, fetch_max_per_request=0)
    parts = await loader.load([attached(PNG), attached(b"x" * 9_000_000, "text/plain"), Attachment("u", uri="data:,")])
    assert len(parts) == 3


async def test_b124_images_of_a_request_are_counted(loaders: Loaders) -> None:
    attachments = [Attachment(f"part {number}", base64=b64(PNG)) for number in range(4)]
    text = attached(b"no image", "text/plain")
    fault = await refusal(loaders(max_images=3), text, *attachments)
    assert (fault.reason, fault.field) == ("too_many_images", "part 3")
    assert all(word in fault.message for word in ("4", "3", "LOCALAIK_MAX_IMAGES"))
    assert len(await loaders(max_images=4).load([text, *attachments])) == 5


async def test_b124_pdf_pages_count_as_images(loaders: Loaders) -> None:
    document = attached(make_pdf([PdfPage(["x"])] * 3), "application/pdf")
    assert (await refusal(loaders(max_images=3), attached(PNG), document)).reason == "too_many_images"
    parts = await loaders(max_images=3, pdf_mode="text").load([attached(PNG), document])
    assert [len(part) for part in parts] == [1, 3]


async def test_b114_everything_stays_in_its_place(loaders: Loaders) -> None:
    document = attached(make_pdf([PdfPage(["one"]), PdfPage(["two"])]), "application/pdf")
    parts = await loaders().load([attached(b"text", "text/plain"), attached(PNG), document])
    flat = [part for group in parts for part in group]
    assert [(type(part), getattr(part, "document", None)) for part in flat] == [
        (Text, None),
        (Image, False),
        (Image, True),
        (Image, True),
    ]


async def test_b120_low_detail_makes_images_small(loaders: Loaders) -> None:
    part = await one(loaders(), attached(PNG, low_detail=True))
    assert isinstance(part, Image)
    assert base64.b64decode(part.data)[16:24] == (4).to_bytes(4) + (3).to_bytes(4)


async def test_the_first_bad_attachment_is_named(loaders: Loaders) -> None:
    """Whatever ends first."""
    loader = loaders()
    bad = [Attachment(f"part {number}", base64="!", mime="image/png") for number in range(5)]
    for _ in range(5):
        assert (await refusal(loader, attached(PNG), *bad)).field == "part 0"


async def test_no_attachments_give_no_parts(loaders: Loaders) -> None:
    assert await loaders().load([]) == []


async def test_large_files_do_not_stop_the_event_loop(loaders: Loaders) -> None:
    """While 12 MB are decoded and checked, the loop gets its turns."""
    text = b64(b"x" * 12_000_000)
    loader = loaders(image_max_bytes=0)
    task = asyncio.create_task(loader.load([Attachment("part", base64=text, mime="image/png")]))
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    with pytest.raises(InvalidMedia):
        await task
    assert turns > 3


def test_importing_the_loader_leaves_slow_modules_alone() -> None:
    code = (
        "import sys, localaik.media.loader, localaik.media.poppler;"
        "print([name for name in ('PIL', 'pdf2image') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
