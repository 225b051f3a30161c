"""PDF files, with the poppler that is installed and with one of shell scripts that misbehaves."""

import asyncio
import base64
import io
import logging
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image as PillowImage

from localaik.content import Attachment, Image, Text
from localaik.errors import InternalFault, InvalidMedia, MissingTool, TimedOut
from localaik.media import poppler
from localaik.media.loader import MediaLoader
from localaik.media.poppler import poppler_version
from localaik.settings import Settings
from tests.media_samples import PdfPage, make_image, make_pdf, pages_of_text

needs_poppler = pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="poppler is not installed")
Loaders = Callable[..., MediaLoader]
Calls = Callable[[], list[str]]
PdfTools = Callable[..., Path]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory of all temporary files, which every test leaves empty."""
    directory = tmp_path / "scratch"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    yield directory
    assert list(directory.iterdir()) == []


@pytest.fixture
async def loaders() -> AsyncIterator[Loaders]:
    """Makes loaders with settings, and closes them."""
    made: list[MediaLoader] = []

    def make(**settings: object) -> MediaLoader:
        made.append(MediaLoader(Settings(**settings)))
        return made[-1]

    yield make
    for loader in made:
        await loader.close()


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PdfTools:
    """Puts shell scripts in front of poppler's programs; `calls` counts the runs of each."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")

    def write(**scripts: str) -> Path:
        for name, script in scripts.items():
            program = directory / name
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)
        return directory

    return write


@pytest.fixture
def counted(tools: PdfTools, tmp_path: Path) -> Calls:
    """Poppler's own programs, each run of which is written down."""
    record = tmp_path / "calls"
    record.touch()
    for name in ("pdfinfo", "pdftoppm", "pdftotext"):
        tools(**{name: f'echo {name} >> "{record}"\nexec {shutil.which(name)} "$@"'})
    return lambda: sorted(record.read_text().split())


def pdf(data: bytes, **options: object) -> Attachment:
    text = base64.b64encode(data).decode()
    return Attachment("contents[0].parts[1]", base64=text, mime="application/pdf", **options)


async def read(loader: MediaLoader, data: bytes, **options: object) -> list[Text | Image]:
    [parts] = await loader.load([pdf(data, **options)])
    return parts


async def refusal(loader: MediaLoader, data: bytes) -> InvalidMedia:
    with pytest.raises(InvalidMedia) as refused:
        await read(loader, data)
    assert refused.value.field == "contents[0].parts[1]"
    return refused.value


def picture(part: Text | Image) -> PillowImage.Image:
    assert isinstance(part, Image)
    assert part.mime == "image/jpeg"
    assert part.document
    return PillowImage.open(io.BytesIO(base64.b64decode(part.data, validate=True)))


def ink(image: PillowImage.Image) -> int:
    """Pixels whose channels are all below 128."""
    return sum(image.convert("RGB").split()[0].point([1] * 128 + [0] * 128).tobytes())


@needs_poppler
@pytest.mark.parametrize("workers", [1, 2, 3])
async def test_b114_one_image_per_page_in_order(loaders: Loaders, workers: int) -> None:
    """Page n is n lines long, so that its ink tells which page it is."""
    pages = [PdfPage(["the same words"] * (3 * number)) for number in range(1, 8)]
    parts = await read(loaders(pdf_workers=workers), make_pdf(pages))
    images = [picture(part) for part in parts]
    assert [image.size for image in images] == [(1275, 1650)] * 7
    inks = [ink(image) for image in images]
    assert inks == sorted(inks)
    assert inks[6] > 5 * inks[0] > 0


@needs_poppler
@pytest.mark.parametrize("font", ["Helvetica", "Times-Roman", "Courier", "Helvetica-Bold", "Times-Italic"])
async def test_b118_standard_fonts_leave_ink(loaders: Loaders, font: str) -> None:
    [page] = await read(loaders(), make_pdf([PdfPage(["The quick brown fox"], font=font)]))
    assert ink(picture(page)) > 100


@needs_poppler
async def test_b121_pages_are_scaled_by_their_visible_box(loaders: Loaders) -> None:
    pages = [
        PdfPage(["x"], crop=(0, 392, 612, 792)),
        PdfPage(["x"], rotate=90),
        PdfPage(["x"], width=20_000, height=20_000),
        PdfPage(["x"], width=20_000, height=100),
        PdfPage(["x"], width=72, height=36),
    ]
    parts = await read(loaders(), make_pdf(pages))
    sizes = [picture(part).size for part in parts]
    assert sizes == [(1275, 834), (1650, 1275), (1792, 1792), (1792, 9), (150, 75)]


@needs_poppler
async def test_b120_low_detail_halves_the_pages(loaders: Loaders) -> None:
    pages = [PdfPage(["x"]), PdfPage(["x"], width=2000, height=1000)]
    parts = await read(loaders(), make_pdf(pages), low_detail=True)
    assert [picture(part).size for part in parts] == [(638, 825), (896, 448)]


@needs_poppler
async def test_b115_a_long_pdf_is_refused_before_it_is_drawn(loaders: Loaders, counted: Calls) -> None:
    fault = await refusal(loaders(), make_pdf([PdfPage(["x"])] * 5000))
    assert fault.reason == "pdf_too_many_pages"
    assert all(word in fault.message for word in ("5000", "50", "LOCALAIK_PDF_MAX_PAGES"))
    assert counted() == ["pdfinfo"]


@needs_poppler
async def test_b124_the_page_limit_itself_passes_and_zero_is_off(loaders: Loaders) -> None:
    three = make_pdf([PdfPage(["x"])] * 3)
    assert len(await read(loaders(pdf_max_pages=3), three)) == 3
    assert len(await read(loaders(pdf_max_pages=0), three)) == 3
    assert (await refusal(loaders(pdf_max_pages=2), three)).reason == "pdf_too_many_pages"


@needs_poppler
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (make_pdf(pages_of_text(2), user_password="secret"), "encrypted_pdf"),
        (make_pdf([]), "empty_pdf"),
        (make_pdf(pages_of_text(5))[:3000], "broken_pdf"),
        (b"%PDF-1.4\n%%EOF\n", "broken_pdf"),
        (make_pdf(pages_of_text(3)).replace(b"[3 0 R 6 0 R", b"[3 0 R 99 0 R"), "broken_pdf"),
        (b"hello, this is text\n", "broken_pdf"),
        (make_image("PNG"), "broken_pdf"),
        (b"", "broken_pdf"),
    ],
    ids=["encrypted", "empty", "truncated", "header", "lost page", "text", "png", "nothing"],
)
async def test_b115_bad_files_are_refused_in_plain_words(
    loaders: Loaders, data: bytes, reason: str, scratch: Path
) -> None:
    fault = await refusal(loaders(), data)
    assert fault.reason == reason
    assert "Syntax" not in fault.message
    assert str(scratch) not in fault.message


@needs_poppler
async def test_b115_a_file_that_everybody_may_read_is_drawn(loaders: Loaders) -> None:
    data = make_pdf([PdfPage(["free to read"])], owner_password="secret")
    picture_part, text = await read(loaders(pdf_mode="both"), data)
    assert ink(picture(picture_part)) > 100
    assert text == Text("free to read")


@needs_poppler
async def test_b117_the_second_time_starts_no_program(loaders: Loaders, counted: Calls) -> None:
    loader = loaders(pdf_mode="both", pdf_workers=1)
    data = make_pdf(pages_of_text(3, 2))
    first = await read(loader, data)
    assert counted() == ["pdfinfo", "pdftoppm", "pdftotext"]
    assert await read(loader, data) == first
    assert counted() == ["pdfinfo", "pdftoppm", "pdftotext"]
    await read(loader, data, low_detail=True)
    assert counted() == ["pdfinfo", "pdftoppm", "pdftoppm", "pdftotext"]


@needs_poppler
async def test_b117_equal_files_at_once_are_drawn_once(loaders: Loaders, counted: Calls) -> None:
    loader = loaders(pdf_workers=1)
    data = make_pdf(pages_of_text(2, 2))
    results = await asyncio.gather(*(read(loader, data) for _ in range(4)), loader.load([pdf(data), pdf(data)]))
    assert len(results) == 5
    assert counted() == ["pdfinfo", "pdftoppm"]


@needs_poppler
async def test_b117_what_was_forgotten_is_drawn_again(loaders: Loaders, counted: Calls) -> None:
    loader = loaders(pdf_cache_bytes=0, pdf_workers=1)
    data = make_pdf(pages_of_text(2, 2))
    assert await read(loader, data) == await read(loader, data)
    assert counted() == ["pdfinfo", "pdfinfo", "pdftoppm", "pdftoppm"]


@needs_poppler
async def test_b117_only_the_forgotten_pages_are_drawn_again(loaders: Loaders) -> None:
    data = make_pdf(pages_of_text(4, 2))
    whole = await read(loaders(), data)
    size = sum(len(part.data) for part in whole if isinstance(part, Image))
    small = loaders(pdf_cache_bytes=size // 2)
    assert await read(small, data) == whole
    assert await read(small, data) == whole


@needs_poppler
async def test_b120_text_mode_shows_the_text_layer_alone(loaders: Loaders, counted: Calls) -> None:
    data = make_pdf([PdfPage(["first page", "second line"]), PdfPage(), PdfPage(["third page"])])
    assert await read(loaders(pdf_mode="text"), data) == [Text("first page\nsecond line"), Text("third page")]
    assert "pdftoppm" not in counted()


@needs_poppler
async def test_b120_text_mode_refuses_a_file_without_text(loaders: Loaders) -> None:
    fault = await refusal(loaders(pdf_mode="text"), make_pdf([PdfPage()]))
    assert fault.reason == "empty_pdf"
    assert "LOCALAIK_PDF_MODE" in fault.message


@needs_poppler
async def test_b120_both_shows_each_page_and_its_text(loaders: Loaders) -> None:
    parts = await read(loaders(pdf_mode="both"), make_pdf([PdfPage(["one"]), PdfPage(), PdfPage(["three"])]))
    assert [part.text if isinstance(part, Text) else "image" for part in parts] == [
        "image",
        "one",
        "image",
        "image",
        "three",
    ]


@needs_poppler
async def test_b124_the_text_layer_has_a_limit(loaders: Loaders, tools: PdfTools) -> None:
    """A small file can unpack to more text than there is memory."""
    tools(pdftotext="exec yes")
    async with asyncio.timeout(60):
        fault = await refusal(loaders(pdf_mode="text", text_file_max_bytes=100_000), make_pdf([PdfPage(["one"])]))
    assert fault.reason == "text_too_large"
    assert "LOCALAIK_TEXT_FILE_MAX_BYTES" in fault.message


@needs_poppler
async def test_a_form_feed_inside_a_page_does_not_shift_the_texts(loaders: Loaders, tools: PdfTools) -> None:
    real = shutil.which("pdftotext")
    tools(pdftotext=f'case "$*" in *"-f 1 -l 2"*) printf "a\\fb\\fc\\f";; *) exec {real} "$@";; esac')
    parts = await read(loaders(pdf_mode="text"), make_pdf([PdfPage(["one"]), PdfPage(["two"])]))
    assert parts == [Text("one"), Text("two")]


@needs_poppler
async def test_b119_text_without_ink_is_added_and_told_once(loaders: Loaders, caplog: pytest.LogCaptureFixture) -> None:
    pages = [
        PdfPage(["seen"]),
        PdfPage(["unseen words"], invisible=True),
        PdfPage(),
        PdfPage(["more unseen"], invisible=True),
    ]
    loader = loaders()
    data = make_pdf(pages)
    with caplog.at_level(logging.WARNING, logger="localaik.media"):
        parts = await read(loader, data)
        assert await read(loader, data) == parts
    assert [part.text if isinstance(part, Text) else "image" for part in parts] == [
        "image",
        "image",
        "unseen words",
        "image",
        "image",
        "more unseen",
    ]
    [record] = caplog.records
    assert "font" in record.getMessage()
    assert "unseen" not in record.getMessage()


@needs_poppler
async def test_b119_pale_and_coloured_pages_have_ink(loaders: Loaders, tools: PdfTools) -> None:
    """The renderer is replaced by one that gives a page of a given colour."""
    for colour, has_ink in [((255, 255, 200), True), ((249, 249, 249), True), ((252, 252, 252), False)]:
        buffer = io.BytesIO()
        PillowImage.new("RGB", (600, 800), colour).save(buffer, "JPEG", quality=90)
        directory = tools(pdftoppm='cat "$(dirname "$0")/page.jpg"')
        (directory / "page.jpg").write_bytes(buffer.getvalue())
        parts = await read(loaders(), make_pdf([PdfPage(["words"])]))
        assert (len(parts) == 1) is has_ink


@needs_poppler
async def test_b116_scratch_files_are_private(loaders: Loaders, tools: PdfTools, scratch: Path, tmp_path: Path) -> None:
    modes = tmp_path / "modes"
    tools(pdftoppm=f'stat -c "%a" . document.pdf pages-1 > "{modes}"; exec {shutil.which("pdftoppm")} "$@"')
    await read(loaders(), make_pdf(pages_of_text(1, 1)))
    assert modes.read_text() == "700\n600\n600\n"


@needs_poppler
async def test_missing_pages_are_a_fault_of_the_file(loaders: Loaders, tools: PdfTools) -> None:
    tools(pdftoppm=f'exec {shutil.which("pdftoppm")} -l 2 "$@" -l 2')
    fault = await refusal(loaders(pdf_workers=1), make_pdf(pages_of_text(3, 1)))
    assert (fault.reason, "2 of 3" in fault.message) == ("broken_pdf", True)


@needs_poppler
async def test_a_renderer_that_draws_nothing_is_a_fault_of_the_file(loaders: Loaders, tools: PdfTools) -> None:
    tools(pdftoppm="exit 0")
    assert (await refusal(loaders(), make_pdf(pages_of_text(1, 1)))).reason == "broken_pdf"
    tools(pdftoppm="echo /secret/path >&2; exit 1")
    assert (await refusal(loaders(), make_pdf(pages_of_text(1, 1)))).reason == "broken_pdf"


@needs_poppler
@pytest.mark.parametrize("program", ["pdfinfo", "pdftoppm"])
async def test_b115_a_crash_of_poppler_is_ours(loaders: Loaders, tools: PdfTools, program: str) -> None:
    tools(**{program: "kill -SEGV $$"})
    with pytest.raises(InternalFault) as crashed:
        await read(loaders(), make_pdf(pages_of_text(1, 1)))
    assert not isinstance(crashed.value, MissingTool)
    assert program in crashed.value.message


@needs_poppler
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can bound the memory of another process")
async def test_b116_a_file_that_asks_for_gigabytes_is_refused(loaders: Loaders, tools: PdfTools) -> None:
    """Poppler's C++ ends with SIGABRT where it gets no memory."""
    bounded = 'while [ "$(ulimit -v)" = unlimited ]; do :; done'
    tools(pdftoppm=f"{bounded}; {sys.executable} -c 'bytes(800 << 20)' 2>/dev/null || kill -ABRT $$")
    fault = await refusal(loaders(pdf_memory_bytes=600 << 20), make_pdf(pages_of_text(1)))
    assert fault.reason == "pdf_too_complex"
    assert "LOCALAIK_PDF_MEMORY_BYTES" in fault.message


@needs_poppler
async def test_b115_a_poppler_that_does_not_start_is_missing(loaders: Loaders, tools: PdfTools) -> None:
    tools(pdftoppm="exit 127")
    with pytest.raises(MissingTool):
        await read(loaders(), make_pdf(pages_of_text(1, 1)))


async def test_b115_a_missing_poppler_says_how_to_install_it(
    loaders: Loaders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool) as missing:
        await read(loaders(), make_pdf(pages_of_text(1, 1)))
    assert all(word in missing.value.message for word in ("apt-get install", "brew install", "conda install"))


@needs_poppler
async def test_b115_a_missing_renderer_is_told_likewise(
    loaders: Loaders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pdfinfo").symlink_to(str(shutil.which("pdfinfo")))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool):
        await read(loaders(), make_pdf(pages_of_text(1, 1)))


class Stalled:
    """A renderer that announces its process through a pipe and then stands still."""

    def __init__(self, tools: PdfTools, tmp_path: Path) -> None:
        self._pipe = tmp_path / "pids"
        os.mkfifo(self._pipe)
        tools(pdftoppm=f'echo $$ > "{self._pipe}"; exec sleep 600')

    async def pid(self) -> int:
        return int(await asyncio.to_thread(self._pipe.read_text))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@needs_poppler
async def test_b137_the_renderer_dies_with_its_caller(loaders: Loaders, tools: PdfTools, tmp_path: Path) -> None:
    stalled = Stalled(tools, tmp_path)
    loader = loaders(pdf_workers=1)
    task = asyncio.create_task(read(loader, make_pdf(pages_of_text(2, 1))))
    pid = await stalled.pid()
    assert is_alive(pid)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await loader.close()
    assert not is_alive(pid)


@needs_poppler
async def test_b117_one_of_two_callers_may_leave(loaders: Loaders, tools: PdfTools, tmp_path: Path) -> None:
    stalled = Stalled(tools, tmp_path)
    loader = loaders(pdf_workers=1)
    data = make_pdf(pages_of_text(1, 1))
    tasks = [asyncio.create_task(read(loader, data)) for _ in range(2)]
    pid = await stalled.pid()
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    assert is_alive(pid)
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)
    await loader.close()
    assert not is_alive(pid)


@needs_poppler
async def test_b116_the_time_limit_ends_the_renderer(loaders: Loaders, tools: PdfTools, tmp_path: Path) -> None:
    stalled = Stalled(tools, tmp_path)
    loader = loaders(pdf_workers=1, pdf_timeout_seconds=0.2)
    task = asyncio.create_task(read(loader, make_pdf(pages_of_text(1, 1))))
    pid = await stalled.pid()
    with pytest.raises(TimedOut) as passed:
        await task
    assert "LOCALAIK_PDF_TIMEOUT_SECONDS" in passed.value.message
    assert not is_alive(pid)


@needs_poppler
async def test_b116_a_stalled_page_count_ends_too(loaders: Loaders, tools: PdfTools) -> None:
    tools(pdfinfo="exec sleep 600")
    with pytest.raises(TimedOut) as passed:
        await read(loaders(pdf_timeout_seconds=0.2), make_pdf(pages_of_text(1, 1)))
    assert "LOCALAIK_PDF_TIMEOUT_SECONDS" in passed.value.message


@needs_poppler
async def test_b116_no_more_renderers_run_than_workers(loaders: Loaders, tools: PdfTools, tmp_path: Path) -> None:
    """Each run waits for a sign of the test, which looks how many there are."""
    started, go = tmp_path / "started", tmp_path / "go"
    os.mkfifo(started)
    os.mkfifo(go)
    real = shutil.which("pdftoppm")
    tools(pdftoppm=f'echo run > "{started}"; read sign < "{go}"; exec {real} "$@"')
    loader = loaders(pdf_workers=1)
    tasks = [asyncio.create_task(read(loader, make_pdf(pages_of_text(1, lines)))) for lines in (1, 2, 3)]
    for _ in range(3):
        assert await asyncio.to_thread(started.read_text) == "run\n"
        await asyncio.to_thread(go.write_text, "go\n")
    assert [len(parts) for parts in await asyncio.gather(*tasks)] == [1, 1, 1]


@needs_poppler
def test_the_version_is_told() -> None:
    version = poppler_version()
    assert version is not None
    assert version[0].isdigit()
    assert "." in version


def test_a_missing_version_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poppler, "_version", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert poppler_version() is None
    program = tmp_path / "pdftoppm"
    program.write_text("#!/bin/sh\necho pdftoppm version 24.02.0 >&2\n")
    program.chmod(stat.S_IRWXU)
    assert poppler_version() == "24.02.0"
    program.unlink()
    assert poppler_version() == "24.02.0"
