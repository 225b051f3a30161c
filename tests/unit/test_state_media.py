"""Stored files as attachments: what the media loader makes of them, and what it never reads."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from localaik.content import Attachment, Image, StoredBytes, Text
from localaik.errors import InvalidMedia, NotFound
from localaik.media.loader import MediaLoader
from localaik.media.sniff import HEAD_BYTES
from localaik.settings import Settings
from localaik.state.faults import UnknownFile
from localaik.state.records import NewFile
from localaik.state.store import Store
from tests.media_samples import make_image
from tests.state_samples import pieces, store_in

HUGE = 3 << 30


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    one = store_in(tmp_path)
    yield one
    await one.close()


async def shown(store: Store, data: bytes, stored_as: str, claim: str | None = None) -> list[Text | Image]:
    file = await (await store.files()).add(NewFile(stored_as), pieces(data))
    loader = MediaLoader(Settings(), stored=store)
    try:
        return (await loader.load([Attachment("f", stored=file.id, mime=claim)]))[0]
    finally:
        await loader.close()


@pytest.mark.parametrize(
    ("stored_as", "claim"),
    [("text/plain", None), ("video/mp4", "text/plain"), ("text/plain", "application/octet-stream")],
)
async def test_the_type_in_the_request_wins_over_the_stored_one(
    store: Store, stored_as: str, claim: str | None
) -> None:
    assert await shown(store, b"words", stored_as, claim) == [Text("words")]


async def test_bytes_tell_the_kind_where_no_type_does(store: Store) -> None:
    (image,) = await shown(store, make_image("PNG"), "application/octet-stream")
    assert isinstance(image, Image)
    with pytest.raises(InvalidMedia, match="media type is missing") as caught:
        await shown(store, b"\x00\x01", "application/octet-stream")
    assert caught.value.field == "f"


async def test_unknown_files_are_told_as_such(store: Store) -> None:
    loader = MediaLoader(Settings(), stored=store)
    with pytest.raises(UnknownFile):
        await loader.load([Attachment("f", stored="nothere")])
    await loader.close()


class Huge:
    """A file of 3 GiB that fails the test when it is read."""

    def __init__(self, mime: str) -> None:
        self.mime = mime
        self.size = HUGE

    async def read(self, most: int | None = None) -> bytes:
        assert most is not None
        assert most <= HEAD_BYTES
        return b"\x89PNG\r\n\x1a\n"


class HugeFiles:
    def __init__(self, mime: str) -> None:
        self._mime = mime

    def open(self, file_id: str) -> AbstractAsyncContextManager[StoredBytes]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[StoredBytes]:
            if file_id != "huge":
                raise NotFound("no such file")
            yield Huge(self._mime)

        return opened()


@pytest.mark.parametrize(
    ("mime", "words"),
    [
        ("text/plain", "LOCALAIK_TEXT_FILE_MAX_BYTES"),
        ("application/pdf", "LOCALAIK_PDF_MAX_BYTES"),
        ("image/png", "LOCALAIK_IMAGE_MAX_BYTES"),
        ("application/octet-stream", "LOCALAIK_IMAGE_MAX_BYTES"),
        ("video/mp4", "unsupported mime type: video/mp4"),
    ],
)
async def test_what_cannot_be_shown_is_never_read(mime: str, words: str) -> None:
    loader = MediaLoader(Settings(), stored=HugeFiles(mime))
    with pytest.raises(InvalidMedia, match=words) as caught:
        await loader.load([Attachment("f", stored="huge")])
    assert caught.value.field == "f"
    await loader.close()


async def test_a_loader_without_a_store_says_so() -> None:
    loader = MediaLoader(Settings())
    with pytest.raises(InvalidMedia, match="Stored files can't be read here"):
        await loader.load([Attachment("f", stored="abc")])
    await loader.close()
