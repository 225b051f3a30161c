"""Uploads over HTTP: commands, headers, whole files in one request, and every fault. No engine."""

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from yarl import URL

from tests.files_caller import COMMAND, OFFSET, RECEIVED, STATUS, VERSIONS, Caller, serving
from tests.state_samples import names


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(tmp_path) as one:
        yield one


# A whole upload


@pytest.mark.parametrize("version", VERSIONS)
async def test_g041_a_resumable_upload_under_every_version(caller: Caller, version: str) -> None:
    start = await caller.start(
        {"display_name": "my file", "mime_type": "text/plain", "size_bytes": 11},
        version=version,
        **{"X-Goog-Upload-Header-Content-Length": "11", "X-Goog-Upload-File-Name": "note.txt"},
    )
    url = start.headers["X-Goog-Upload-URL"]
    assert (start.status, start.json, start.headers[STATUS]) == (200, {}, "active")
    assert url.startswith(f"{caller.origin}/upload{version}/files?upload_id=")
    assert url.endswith("&upload_protocol=resumable")
    assert start.headers["X-Goog-Upload-Control-URL"] == url
    assert start.headers["X-Goog-Upload-Chunk-Granularity"] == "262144"

    part = await caller.send(url, "upload", b"hello ", 0)
    assert (part.status, part.body, part.headers[STATUS], part.headers[RECEIVED]) == (200, b"", "active", "6")
    end = await caller.send(url, "upload, finalize", b"world", 6)
    file = end.json["file"]
    assert (end.status, end.headers[STATUS]) == (200, "final")
    digest = hashlib.sha256(b"hello world").hexdigest()
    assert file == {
        "name": file["name"],
        "displayName": "my file",
        "mimeType": "text/plain",
        "sizeBytes": "11",
        "createTime": "2027-01-15T08:00:00.000000Z",
        "updateTime": "2027-01-15T08:00:00.000000Z",
        "expirationTime": "2027-01-17T08:00:00.000000Z",
        "sha256Hash": base64.b64encode(digest.encode()).decode(),
        "uri": f"{caller.origin}{version or '/v1beta'}/{file['name']}",
        "state": "ACTIVE",
        "source": "UPLOADED",
    }
    assert len(file["name"].removeprefix("files/")) == 12
    got = await caller.ask("GET", f"{version}/{file['name']}")
    assert got.json == file
    bytes_again = await caller.ask("GET", f"/download{version}/{file['name']}:download?alt=media")
    assert bytes_again.body == b"hello world"


async def test_g041_spellings_and_missing_fields(caller: Caller) -> None:
    file = await caller.upload(b"hello", displayName="d", mimeType="text/x-a;charset=utf-8", sizeBytes="5")
    assert (file["displayName"], file["mimeType"]) == ("d", "text/x-a;charset=utf-8")
    bare = await caller.start()
    done = await caller.send(bare.headers["X-Goog-Upload-URL"], "upload, finalize", b"x", 0)
    assert done.json["file"]["mimeType"] == "application/octet-stream"
    assert "displayName" not in done.json["file"]
    told = await caller.start({}, **{"X-Goog-Upload-Header-Content-Type": "image/png"})
    done = await caller.send(told.headers["X-Goog-Upload-URL"], "finalize")
    assert (done.json["file"]["mimeType"], done.json["file"]["sizeBytes"]) == ("image/png", "0")


async def test_fields_without_effect_are_named(caller: Caller, tmp_path: Path) -> None:
    answer = await caller.start({"state": "ACTIVE", "sha256_hash": "x", "surprise": 1})
    assert answer.headers["x-localaik-ignored"] == "file.surprise, file.sha256Hash, file.state"
    async with serving(tmp_path / "strict", strict_wire=True) as strict:
        assert (await strict.start({"surprise": 1})).fault[:2] == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("name", ["files/mine-1", "mine-1"])
async def test_g045_a_name_of_the_callers(caller: Caller, name: str) -> None:
    assert (await caller.upload(name=name))["name"] == "files/mine-1"
    assert (await caller.start({"name": name})).fault[:2] == (409, "ALREADY_EXISTS")


@pytest.mark.parametrize("name", ["files/a.b", "A", "files/a/b", "../x", "-a", "a" * 41, "files/", "gs://b/o"])
async def test_g045_names_that_are_none(caller: Caller, name: str) -> None:
    answer = await caller.start({"name": name})
    assert answer.fault[:2] == (400, "INVALID_ARGUMENT")
    assert answer.json["error"]["details"][0]["fieldViolations"][0]["field"] == "file.name"


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ({"mimeType": "bad/mime_type"}, "Unsupported MIME type: bad/mime_type"),
        ({"mimeType": "text"}, "Unsupported MIME type: text"),
        ({"mimeType": "text/a\r\nX-Evil: 1"}, "Unsupported MIME type"),
        ({"sizeBytes": 2**31 + 1}, "exceeds the limit"),
        ({"sizeBytes": -1}, "at least 0"),
        ({"sizeBytes": "many"}, "TYPE_INT64"),
        ({"displayName": "d" * 513}, "512"),
        ({"displayName": 1}, "TYPE_STRING"),
    ],
)
async def test_g045_starts_that_are_refused(caller: Caller, file: dict[str, object], words: str) -> None:
    answer = await caller.start(file)
    assert answer.fault[:2] == (400, "INVALID_ARGUMENT")
    assert words in answer.fault[2]


async def test_mime_types_of_batch_input(caller: Caller) -> None:
    file = await caller.upload(mimeType="jsonl")
    assert file["mimeType"] == "jsonl"
    got = await caller.ask("GET", f"/v1/{file['name']}?alt=media")
    assert got.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"X-Goog-Upload-Protocol": "resumable", COMMAND: "upload"}, "begins with start"),
        ({"X-Goog-Upload-Protocol": "carrier-pigeon"}, "Allowed are resumable, multipart and raw"),
        ({}, "X-Goog-Upload-Protocol"),
        (
            {"X-Goog-Upload-Protocol": "resumable", COMMAND: "start", "X-Goog-Upload-Header-Content-Length": "x"},
            "X-Goog-Upload-Header-Content-Length",
        ),
    ],
)
async def test_headers_that_make_no_upload(caller: Caller, headers: dict[str, str], words: str) -> None:
    answer = await caller.ask("POST", "/upload/v1/files", b"", **headers)
    assert answer.fault[:2] == (400, "INVALID_ARGUMENT")
    assert words in answer.fault[2]


async def test_two_sizes_that_differ(caller: Caller) -> None:
    answer = await caller.start({"sizeBytes": "4"}, **{"X-Goog-Upload-Header-Content-Length": "5"})
    assert "is 4, but the upload's headers announce 5" in answer.fault[2]


# Commands to an upload


async def test_g042_query_tells_where_an_upload_stands(caller: Caller) -> None:
    url = await caller.begin()
    seen = []
    for command, body, offset in (("upload", b"abc", 0), ("upload, finalize", b"d", 3)):
        asked = await caller.send(url, "query")
        seen.append((asked.status, asked.body, asked.headers[STATUS], asked.headers[RECEIVED]))
        await caller.send(url, command, body, offset)
    asked = await caller.send(url, "query")
    seen.append((asked.status, asked.body, asked.headers[STATUS], asked.headers[RECEIVED]))
    assert seen == [(200, b"", "active", "0"), (200, b"", "active", "3"), (200, b"", "final", "4")]


async def test_g042_cancel_drops_the_bytes(caller: Caller, tmp_path: Path) -> None:
    url = await caller.begin()
    await caller.send(url, "upload", b"abc", 0)
    cancelled = await caller.send(url, "cancel")
    assert (cancelled.status, cancelled.headers[STATUS]) == (200, "cancelled")
    assert names(tmp_path) == []
    after = await caller.send(url, "upload", b"d", 3)
    assert after.fault == (400, "INVALID_ARGUMENT", "Upload has already been terminated.")
    assert after.headers[STATUS] == "cancelled"
    assert (await caller.send(url, "query")).headers[STATUS] == "cancelled"


@pytest.mark.parametrize("offset", [0, 2, 9])
async def test_g042_wrong_offsets(caller: Caller, offset: int) -> None:
    url = await caller.begin()
    await caller.send(url, "upload", b"abc", 0)
    wrong = await caller.send(url, "upload", b"x", offset)
    assert wrong.fault[:2] == (400, "INVALID_ARGUMENT")
    assert f"offset is {offset}" in wrong.fault[2]
    assert "3 bytes" in wrong.fault[2]
    assert (wrong.headers[STATUS], wrong.headers[RECEIVED]) == ("active", "3")
    assert (await caller.send(url, "upload", b"abc", 0)).headers[RECEIVED] == "3"
    assert (await caller.send(url, "upload, finalize", b"d", 3)).json["file"]["sizeBytes"] == "4"


@pytest.mark.parametrize(
    ("command", "offset", "words"),
    [
        ("upload", None, "X-Goog-Upload-Offset is missing"),
        ("upload", "-1", "X-Goog-Upload-Offset"),
        ("upload", "x", "X-Goog-Upload-Offset"),
        ("upload", "9" * 30, "X-Goog-Upload-Offset"),
        ("dance", 0, "X-Goog-Upload-Command: 'dance'"),
        ("", 0, "X-Goog-Upload-Command"),
        ("upload, cancel", 0, "X-Goog-Upload-Command"),
    ],
)
async def test_g042_commands_that_are_none(caller: Caller, command: str, offset: int | str | None, words: str) -> None:
    url = await caller.begin()
    answer = await caller.send(url, command, b"abc", offset)
    assert answer.fault[:2] == (400, "INVALID_ARGUMENT")
    assert words in answer.fault[2]
    assert answer.headers[STATUS] == "active"


@pytest.mark.parametrize(("body", "words"), [(b"ab", "2 of the declared 3"), (b"abcd", "More than the declared 3")])
async def test_g042_another_size_than_declared(caller: Caller, tmp_path: Path, body: bytes, words: str) -> None:
    url = await caller.begin(sizeBytes=3)
    answer = await caller.send(url, "upload, finalize", body, 0)
    assert answer.fault[:2] == (400, "INVALID_ARGUMENT")
    assert words in answer.fault[2]
    assert answer.headers[STATUS] == "final"
    assert names(tmp_path) == []
    assert (await caller.ask("GET", "/v1/files")).json == {"files": []}


async def test_g042_nothing_follows_the_end(caller: Caller) -> None:
    url = await caller.begin()
    await caller.send(url, "upload, finalize", b"abc", 0)
    for command in ("upload", "upload, finalize", "finalize", "cancel"):
        answer = await caller.send(url, command, b"x", 3)
        assert answer.fault == (400, "INVALID_ARGUMENT", "Upload has already been terminated.")
        assert answer.headers[STATUS] == "final"


@pytest.mark.parametrize(("command", "body", "offset"), [("finalize", b"", None), ("upload, finalize", b"def", 3)])
async def test_g042_two_ends_at_once_give_one_file(
    caller: Caller, command: str, body: bytes, offset: int | None
) -> None:
    url = await caller.begin()
    await caller.send(url, "upload", b"abc", 0)
    answers = await asyncio.gather(*(caller.send(url, command, body, offset) for _ in range(2)))
    assert [answer.headers[STATUS] for answer in answers] == ["final", "final"]
    done, late = sorted(answers, key=lambda answer: answer.status)
    assert late.fault == (400, "INVALID_ARGUMENT", "Upload has already been terminated.")
    (listed,) = (await caller.ask("GET", "/v1/files")).json["files"]
    assert (done.status, listed["name"]) == (200, done.json["file"]["name"])
    assert (await caller.ask("GET", f"/v1/{listed['name']}?alt=media")).body == b"abc" + body


async def test_g042_unknown_and_old_uploads(caller: Caller) -> None:
    url = await caller.begin()
    caller.clock.now += 24 * 3600
    for address in (url, "/upload/v1/files?upload_id=nonsense", "/upload/files?upload_id=..%2f..%2fx"):
        for command in ("upload", "finalize", "query", "cancel"):
            answer = await caller.send(address, command, b"", 0)
            assert answer.fault[:2] == (404, "NOT_FOUND")
            assert answer.headers[STATUS] == "cancelled"


async def test_put_is_as_good_as_post(caller: Caller) -> None:
    url = await caller.begin()
    answer = await caller.ask("PUT", url, b"abc", **{COMMAND: "upload, finalize", OFFSET: "0"})
    assert answer.json["file"]["sizeBytes"] == "3"


async def test_g046_an_upload_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path) as caller:
        url = await caller.begin(name="mine")
        await caller.send(url, "upload", b"abc", 0)
    async with serving(tmp_path) as caller:
        there = f"{caller.origin}{URL(url).raw_path_qs}"
        assert (await caller.send(there, "query")).headers[RECEIVED] == "3"
        await caller.send(there, "upload, finalize", b"def", 3)
        assert (await caller.ask("GET", "/v1/files/mine?alt=media")).body == b"abcdef"


async def test_g042_a_chunk_that_breaks_off_counts_for_nothing(caller: Caller) -> None:
    url = await caller.begin()
    await caller.send(url, "upload", b"abc", 0)
    target = URL(url)
    reader, writer = await asyncio.open_connection(target.host, target.port)
    head = f"POST {target.raw_path_qs} HTTP/1.1\r\nHost: localhost\r\n{COMMAND}: upload\r\n"
    head += f"{OFFSET}: 3\r\nContent-Length: 99\r\n"
    writer.write(f"{head}\r\nxyz".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    del reader
    answer = await caller.send(url, "upload, finalize", b"def", 3)
    assert base64.b64decode(answer.json["file"]["sha256Hash"]).decode() == hashlib.sha256(b"abcdef").hexdigest()


async def test_a_full_store_and_too_large_files(tmp_path: Path) -> None:
    async with serving(tmp_path, max_file_bytes=4, max_stored_bytes=6) as caller:
        url = await caller.begin()
        answer = await caller.send(url, "upload", b"12345", 0)
        assert "exceeds the limit: 4 bytes" in answer.fault[2]
        assert answer.headers[STATUS] == "final"
        await caller.upload(b"1234")
        assert "exceeds the limit: 6 bytes" in (await caller.start({"sizeBytes": 3})).fault[2]


async def test_a_disk_that_fails_is_a_clean_fault(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    url = await caller.begin()
    monkeypatch.setattr("localaik.state.blobs.Part.write", fail)
    answer = await caller.send(url, "upload", b"abc", 0)
    assert answer.fault[:2] == (503, "UNAVAILABLE")
    assert answer.headers[STATUS] == "final"
    monkeypatch.undo()
    assert (await caller.send(url, "upload", b"abc", 0)).headers[RECEIVED] == "3"


# Whole files in one request


def related(*parts: tuple[str, bytes]) -> bytes:
    pieces = [b"--b\r\nContent-Type: " + mime.encode() + b"\r\n\r\n" + data + b"\r\n" for mime, data in parts]
    return b"".join(pieces) + b"--b--\r\n"


DESCRIBED = ("application/json; charset=utf-8", b'{"file": {"display_name": "d"}}')


@pytest.mark.parametrize("way", ["header", "query"])
async def test_g044_multipart(caller: Caller, way: str) -> None:
    data = os.urandom(200_000).replace(b"--b", b"") + b"\r\n-b --b\r\n\r\n"
    body = related(DESCRIBED, ("image/png", data))
    path = "/upload/v1/files" + ("?uploadType=multipart" if way == "query" else "")
    headers = {"Content-Type": "multipart/related; boundary=b"}
    headers |= {"X-Goog-Upload-Protocol": "multipart"} if way == "header" else {}
    answer = await caller.ask("POST", path, body, **headers)
    file = answer.json["file"]
    assert (answer.status, file["displayName"], file["mimeType"]) == (200, "d", "image/png")
    assert (await caller.ask("GET", f"/v1/{file['name']}:download?alt=media")).body == data


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/related; boundary=b", related(DESCRIBED)),
        ("multipart/related; boundary=b", related(DESCRIBED, ("text/plain", b"a"), ("text/plain", b"b"))),
        ("multipart/related; boundary=b", related(("application/json", b"{"), ("text/plain", b"a"))),
        ("multipart/related; boundary=b", b"--b\r\nContent-Type: application/json\r\n\r\n{}"),
        ("multipart/related; boundary=b", b"nothing of the kind"),
        ("multipart/related; boundary=b", b""),
        ("multipart/related", related(DESCRIBED, ("text/plain", b"a"))),
        ("application/json", related(DESCRIBED, ("text/plain", b"a"))),
        (
            "multipart/related; boundary=b",
            related(DESCRIBED, ("text/plain\r\nContent-Transfer-Encoding: base64", b"YQ==")),
        ),
        (
            "multipart/related; boundary=b",
            related(DESCRIBED, ("multipart/mixed; boundary=c", b"--c\r\n\r\na\r\n--c--")),
        ),
    ],
)
async def test_multipart_that_is_none(caller: Caller, tmp_path: Path, content_type: str, body: bytes) -> None:
    answer = await caller.ask("POST", "/upload/v1/files?uploadType=multipart", body, **{"Content-Type": content_type})
    assert answer.fault[:2] == (400, "INVALID_ARGUMENT")
    assert names(tmp_path) == []


@pytest.mark.parametrize("way", [{"X-Goog-Upload-Protocol": "raw"}, {}])
async def test_g044_raw(caller: Caller, way: dict[str, str]) -> None:
    path = "/upload/v1/files" + ("" if way else "?uploadType=media")
    answer = await caller.ask("POST", path, b"%PDF-", **{"Content-Type": "application/pdf", **way})
    file = answer.json["file"]
    assert (file["mimeType"], file["sizeBytes"]) == ("application/pdf", "5")
    assert (await caller.ask("GET", f"/v1/{file['name']}:download?alt=media")).body == b"%PDF-"


async def test_bytes_have_their_own_path(caller: Caller) -> None:
    answer = await caller.ask("POST", "/v1beta/files", {"file": {}})
    assert answer.fault == (400, "INVALID_ARGUMENT", "Send the bytes of a file to /upload/v1beta/files.")


async def test_callers_that_ask_before_they_send_are_told_to_go_on(caller: Caller) -> None:
    target = URL(await caller.begin())
    reader, writer = await asyncio.open_connection(target.host, target.port)
    head = f"POST {target.raw_path_qs} HTTP/1.1\r\nHost: localhost\r\n{COMMAND}: upload\r\n"
    head += f"{OFFSET}: 0\r\nContent-Length: 3\r\n"
    writer.write(f"{head}Expect: 100-continue\r\n\r\n".encode())
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"abc")
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()
