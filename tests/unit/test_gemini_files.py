"""Files over HTTP: get, list, delete, download, and every form of their names and paths. No engine."""

import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import ClientError
from hypothesis import given, settings
from hypothesis import strategies as some

from localaik.errors import BadRequest
from localaik.http.transfer import UNSATISFIABLE, requested_range
from localaik.protocols.gemini.files_types import CreateFileRequest, file_id_of, new_file
from localaik.protocols.gemini.reading import read
from localaik.settings import Settings
from localaik.state.ids import check_id
from tests.files_caller import GONE, VERSIONS, Caller, serving
from tests.state_samples import START


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(tmp_path) as one:
        yield one


# Get, list, delete, download


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("path", ["/v1/files/abc", "/v1beta/files/http://127.0.0.1:18923/v1/files/abc", "/files/abc"])
async def test_g045_unknown_files(caller: Caller, method: str, path: str) -> None:
    answer = await caller.ask(method, path)
    assert answer.fault == (403, "PERMISSION_DENIED", GONE.format("abc"))


async def test_g045_names_that_are_none_are_told_apart(caller: Caller) -> None:
    for name in ("A", "a.b", "..%2f..%2fetc", "a%00", "-a", "a/b", "http://h/v1/files/A", "%C3%A9"):
        for path in (name, f"{name}:download?alt=media"):
            answer = await caller.ask("GET", f"/v1/files/{path}")
            assert answer.fault[:2] == (400, "INVALID_ARGUMENT"), path


async def test_g045_an_address_in_place_of_an_id(caller: Caller) -> None:
    file = await caller.upload()
    assert (await caller.ask("GET", f"/v1/files/{file['uri']}")).json == file
    assert (await caller.ask("DELETE", f"/v1/files/{file['uri']}", {})).json == {}
    assert (await caller.ask("GET", f"/v1/{file['name']}")).status == 403


async def test_g045_deleted_twice_and_expired(caller: Caller) -> None:
    file = await caller.upload(name="mine")
    assert (await caller.ask("DELETE", "/v1/files/mine", {})).status == 200
    assert (await caller.ask("DELETE", "/v1/files/mine", {})).fault[:2] == (403, "PERMISSION_DENIED")
    file = await caller.upload(name="mine")
    caller.clock.now = START + 48 * 3600
    assert (await caller.ask("GET", f"/v1/{file['name']}")).fault[2] == GONE.format("mine")
    assert (await caller.ask("GET", "/v1/files")).json == {"files": []}


async def test_g041_pages(caller: Caller) -> None:
    made = []
    for number in range(12):
        caller.clock.now += 1
        made.append((await caller.upload(b"x" * number))["name"])
    made.reverse()
    first = (await caller.ask("GET", "/v1/files")).json
    assert [file["name"] for file in first["files"]] == made[:10]
    second = (await caller.ask("GET", f"/v1/files?pageToken={first['nextPageToken']}")).json
    assert [file["name"] for file in second["files"]] == made[10:]
    assert "nextPageToken" not in second
    whole = (await caller.ask("GET", "/v1/files?page_size=1000")).json
    assert [file["name"] for file in whole["files"]] == made
    for query in ("pageSize=-1", "pageSize=x", "pageToken=nonsense", "pageSize=1.5"):
        assert (await caller.ask("GET", f"/v1/files?{query}")).fault[:2] == (400, "INVALID_ARGUMENT")


DOWNLOADS = [
    "{v}/files/mine:download?alt=media",
    "/download{v}/files/mine:download?alt=media",
    "{v}/files/mine?alt=media",
]


async def test_g044_downloads_under_every_path(caller: Caller) -> None:
    await caller.upload(b"hello", name="mine", mimeType="text/html")
    forms = [*DOWNLOADS, "/download{v}/files/mine?alt=media", "{v}/files/mine%3Adownload?alt=media"]
    for path in [form.format(v=version) for form in forms for version in VERSIONS]:
        answer = await caller.ask("GET", path)
        assert (answer.status, answer.body) == (200, b"hello"), path
        assert answer.headers["Content-Type"] == "text/html"
        assert answer.headers["Content-Length"] == "5"
        assert answer.headers["Content-Disposition"] == "attachment"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


RANGES = [
    ("bytes=0-4", 206, b"01234", "bytes 0-4/10"),
    ("bytes=7-", 206, b"789", "bytes 7-9/10"),
    ("bytes=-2", 206, b"89", "bytes 8-9/10"),
    ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
    ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
    ("BYTES = 3-3", 206, b"3", "bytes 3-3/10"),
    ("bytes=0-1,4-5", 200, b"0123456789", None),
    ("bytes=5-1", 200, b"0123456789", None),
    ("bytes=-", 200, b"0123456789", None),
    ("lines=0-1", 200, b"0123456789", None),
    ("bytes=10-", 416, None, "bytes */10"),
    ("bytes=-0", 416, None, "bytes */10"),
]


async def test_g044_ranges(caller: Caller) -> None:
    await caller.upload(b"0123456789", name="mine")
    for wanted, status, body, told in RANGES:
        answer = await caller.ask("GET", DOWNLOADS[0].format(v="/v1"), Range=wanted)
        assert (answer.status, answer.headers.get("Content-Range")) == (status, told), wanted
        if body is None:
            assert answer.fault[1] == "OUT_OF_RANGE"
        else:
            assert (answer.body, answer.headers["Content-Length"]) == (body, str(len(body)))


async def test_ranges_of_another_content_are_not_mixed(caller: Caller) -> None:
    await caller.upload(b"0123456789", name="mine")
    path = DOWNLOADS[0].format(v="/v1")
    tag = (await caller.ask("GET", path)).headers["ETag"]
    assert (await caller.ask("GET", path, Range="bytes=1-2", If_Range=tag)).body == b"12"
    assert (await caller.ask("GET", path, Range="bytes=1-2", If_Range='"other"')).body == b"0123456789"


async def test_head_gives_the_headers_alone(caller: Caller) -> None:
    await caller.upload(b"0123456789", name="mine")
    answer = await caller.ask("HEAD", DOWNLOADS[0].format(v="/v1"))
    assert (answer.status, answer.headers["Content-Length"], answer.body) == (200, "10", b"")
    assert (await caller.ask("GET", DOWNLOADS[0].format(v="/v1"))).body == b"0123456789"


async def test_a_damaged_file_never_looks_whole(caller: Caller, tmp_path: Path) -> None:
    await caller.upload(b"0123456789", name="mine")
    (blob,) = (tmp_path / "files").iterdir()
    os.truncate(blob, 4)
    with pytest.raises(ClientError):
        await caller.ask("GET", DOWNLOADS[0].format(v="/v1"))
    blob.unlink()
    assert (await caller.ask("GET", DOWNLOADS[0].format(v="/v1"))).fault[2] == GONE.format("mine")


async def test_strict_wire_gives_no_uploaded_file_back(tmp_path: Path) -> None:
    async with serving(tmp_path, strict_wire=True) as caller:
        await caller.upload(name="mine")
        answer = await caller.ask("GET", DOWNLOADS[0].format(v="/v1"))
        assert answer.fault[:2] == (400, "FAILED_PRECONDITION")


def test_the_default_settings_keep_files_for_48_hours() -> None:
    settings = Settings()
    limits = (settings.file_ttl_hours, settings.max_file_bytes, settings.max_stored_bytes)
    assert limits == (48, 2 * 2**30, 20 * 2**30)


# Whatever is sent


@settings(deadline=None)
@given(some.text(max_size=30) | some.from_regex(r"bytes=[0-9]{0,4}-[0-9]{0,4}"), some.integers(0, 2000))
def test_ranges_lie_within_the_file(header: str, size: int) -> None:
    found = requested_range(header, size)
    assert found in {None, UNSATISFIABLE} or 0 <= found[0] < found[1] <= size  # type: ignore[index]


VALUES = some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=9)
FIELDS = some.sampled_from(["name", "displayName", "display_name", "mimeType", "sizeBytes", "size_bytes", "state", "x"])


@settings(deadline=None)
@given(some.dictionaries(FIELDS, VALUES | some.lists(VALUES, max_size=2)), some.none() | some.integers(0, 2**62))
def test_every_description_is_a_file_or_a_bad_request(file: dict[str, object], size: int | None) -> None:
    with suppress(BadRequest):
        request = read(CreateFileRequest, {"file": file}, strict=False, ignored=[])
        new = new_file(request, mime="", size=size, ignored=[])
        assert new.id is None or check_id(new.id)
        assert new.size is None or new.size >= 0
        assert new.mime.isprintable()


@settings(deadline=None)
@given(some.text(max_size=50))
def test_every_name_is_an_id_or_a_bad_request(name: str) -> None:
    with suppress(BadRequest):
        assert check_id(file_id_of(name))
