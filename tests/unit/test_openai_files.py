"""Files of the OpenAI API over a real socket: what is kept, told and refused, and what Gemini sees of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from aiohttp import FormData, StreamReader, web
from aiohttp.base_protocol import BaseProtocol

from localaik.errors import BadRequest
from localaik.http.transfer import body_parts, part_pieces
from localaik.protocols.openai.files_types import mime_of, new_file, read_form
from localaik.protocols.openai.reading import Findings
from localaik.settings import Settings
from localaik.state.records import NewFile
from tests.openai_caller import Caller, form, serving
from tests.state_samples import START, names, pieces

GEMINI = {"x_goog_api_key": "k"}


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(tmp_path) as one:
        yield one


async def test_a_file_and_its_bytes(caller: Caller) -> None:
    answer = await caller.upload(b"\0\xffhello", "Über Uns.pdf", purpose="assistants")
    made = answer.json
    assert (answer.status, len(made.pop("id"))) == (200, len("file-") + 24)
    assert made == {
        "object": "file",
        "bytes": 7,
        "created_at": int(START),
        "expires_at": int(START) + 48 * 3600,
        "filename": "Über Uns.pdf",
        "purpose": "assistants",
        "status": "processed",
        "status_details": None,
    }
    file_id = answer.json["id"]
    assert (await caller.ask("GET", f"/v1/files/{file_id}")).json == answer.json
    content = await caller.ask("GET", f"/v1/files/{file_id}/content")
    assert (content.body, content.headers["Content-Type"]) == (b"\0\xffhello", "application/pdf")
    assert content.headers["Content-Disposition"] == "attachment"


@pytest.mark.parametrize("behind", [False, True])
async def test_fields_stand_before_or_behind_the_bytes(caller: Caller, behind: bool) -> None:
    fields = {"purpose": "batch", "expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    body = FormData(default_to_multipart=True)
    if behind:
        body.add_field("file", b"{}", filename="in.jsonl")
    for name, value in fields.items():
        body.add_field(name, value)
    if not behind:
        body.add_field("file", b"{}", filename="in.jsonl")
    made = (await caller.ask("POST", "/v1/files", body)).json
    assert (made["purpose"], made["expires_at"] - made["created_at"]) == ("batch", 3600)
    caller.clock.now += 3601
    assert (await caller.ask("GET", f"/v1/files/{made['id']}")).status == 404


@pytest.mark.parametrize(
    ("fields", "code", "param", "message"),
    [
        ({}, "missing_required_parameter", "purpose", "Missing required parameter: 'purpose'."),
        ({"purpose": "x"}, "invalid_value", "purpose", "Invalid value: 'x'. Supported values are: 'assistants', "),
        (
            {"purpose": "vision", "expires_after__seconds": "3600"},
            "missing_required_parameter",
            "expires_after.anchor",
            "Missing",
        ),
        (
            {"purpose": "vision", "expires_after__seconds": "3599", "expires_after__anchor": "created_at"},
            "integer_below_min_value",
            "expires_after.seconds",
            "Invalid 'expires_after.seconds': integer below minimum value. Expected a value >= 3600, but got 3599",
        ),
        (
            {"purpose": "vision", "expires_after__seconds": "2592001", "expires_after__anchor": "created_at"},
            "integer_above_max_value",
            "expires_after.seconds",
            "Invalid",
        ),
        (
            {"purpose": "vision", "expires_after__seconds": "soon", "expires_after__anchor": "created_at"},
            "invalid_type",
            "expires_after.seconds",
            "Invalid type for 'expires_after.seconds': expected an integer, but got a string",
        ),
        ({"purpose": "vision", "expires_after": "1"}, "invalid_type", "expires_after", "Invalid type"),
    ],
)
async def test_bad_fields_leave_nothing(
    caller: Caller, fields: dict[str, str], code: str, param: str, message: str
) -> None:
    answer = await caller.upload(**fields)
    assert answer.fault[:3] == (400, code, param)
    assert answer.fault[3].startswith(message)
    assert names(caller.folder) == []
    assert (await caller.ask("GET", "/v1/files")).json["data"] == []


async def test_forms_at_fault(caller: Caller, tmp_path: Path) -> None:
    fields_only = FormData(default_to_multipart=True)
    fields_only.add_field("purpose", "batch")
    assert (await caller.ask("POST", "/v1/files", fields_only)).fault[:3] == (400, "missing_required_parameter", "file")
    twice = form(b"a", purpose="batch")
    twice.add_field("file", b"b", filename="b")
    assert (await caller.ask("POST", "/v1/files", twice)).fault[:3] == (400, "invalid_value", "file")
    many = FormData(default_to_multipart=True)
    for _ in range(40):
        many.add_field("x", "y")
    assert "more than 32 fields" in (await caller.ask("POST", "/v1/files", many)).fault[3]
    large = FormData(default_to_multipart=True)
    large.add_field("x", "y" * 70_000)
    assert "more than 65536 bytes" in (await caller.ask("POST", "/v1/files", large)).fault[3]
    assert (await caller.ask("POST", "/v1/files", {"purpose": "batch"})).fault[0] == 400
    assert names(tmp_path) == []


async def test_a_body_that_breaks_off_leaves_nothing(caller: Caller, tmp_path: Path) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhello'
    answer = await caller.ask("POST", "/v1/files", head, Content_Type="multipart/form-data; boundary=b")
    assert answer.fault[0] == 400
    assert names(tmp_path) == []


async def test_unknown_fields_are_told_or_refused(caller: Caller, tmp_path: Path) -> None:
    answer = await caller.upload(purpose="vision", more="1")
    assert (answer.status, answer.headers["x-localaik-ignored"]) == (200, "more")
    async with serving(tmp_path / "strict", strict_wire=True) as strict:
        refused = await strict.upload(purpose="vision", more="1")
        assert refused.fault[:3] == (400, "unknown_parameter", "more")


async def test_limits(tmp_path: Path) -> None:
    async with serving(tmp_path, max_file_bytes=10, max_stored_bytes=15) as caller:
        answer = await caller.upload(b"x" * 11, purpose="vision")
        assert (answer.fault[0], "exceeds the limit: 10 bytes" in answer.fault[3]) == (400, True)
        await caller.file(b"x" * 10)
        answer = await caller.upload(b"x" * 6, purpose="vision")
        assert (answer.fault[0], "exceeds the limit: 15 bytes" in answer.fault[3]) == (400, True)
        assert len(names(tmp_path)) == 1


async def test_unknown_ids_are_told_and_never_paths(caller: Caller) -> None:
    await caller.file()
    for name in ("file-aaaaaaaaaaaaaaaaaaaaaaaa", "..%2F..%2Fstate.sqlite3", "FILE", "%00", "a" * 300):
        shown = {"..%2F..%2Fstate.sqlite3": "../../state.sqlite3", "%00": "\0"}.get(name, name)[:100]
        for way in ("", "/content"):
            answer = await caller.ask("GET", f"/v1/files/{name}{way}")
            assert answer.fault == (404, None, None, f"No such File object: {shown}")


async def test_delete(caller: Caller, tmp_path: Path) -> None:
    file_id = (await caller.file())["id"]
    answer = await caller.ask("DELETE", f"/v1/files/{file_id}")
    assert answer.json == {"id": file_id, "object": "file", "deleted": True}
    assert (await caller.ask("DELETE", f"/v1/files/{file_id}")).fault[0] == 404
    assert names(tmp_path) == []


async def test_lists(caller: Caller) -> None:
    assert (await caller.ask("GET", "/v1/files")).json == {
        "object": "list",
        "data": [],
        "first_id": "",
        "last_id": "",
        "has_more": False,
    }
    made = []
    for purpose in ("vision", "batch", "vision", "evals"):
        caller.clock.now += 1
        made.append((await caller.file(purpose=purpose))["id"])

    async def ids(query: str) -> tuple[list[str], bool]:
        body = (await caller.ask("GET", f"/v1/files?{query}")).json
        return [file["id"] for file in body["data"]], body["has_more"]

    assert await ids("") == (made[::-1], False)
    assert await ids("order=asc") == (made, False)
    assert await ids("limit=3") == (made[:0:-1], True)
    assert await ids(f"limit=10000&after={made[1]}") == ([made[0]], False)
    assert await ids(f"limit=2&order=asc&after={made[0]}") == (made[1:3], True)
    assert await ids("purpose=vision&limit=1") == ([made[2]], True)
    assert await ids("purpose=assistants") == ([], False)
    for query, code, param in (
        ("limit=0", "integer_below_min_value", "limit"),
        ("limit=10001", "integer_above_max_value", "limit"),
        ("order=up", "invalid_value", "order"),
        ("after=file-x", "invalid_value", "after"),
        ("after=%2e%2e/x", "invalid_value", "after"),
    ):
        assert (await caller.ask("GET", f"/v1/files?{query}")).fault[:3] == (400, code, param)


async def test_both_apis_see_all_files(caller: Caller) -> None:
    ours = await caller.file(b"abc", "ours.txt", purpose="vision")
    theirs = await caller.ask(
        "POST", "/upload/v1/files?uploadType=media", b"hello", Content_Type="text/plain", **GEMINI
    )
    their_id = theirs.json["file"]["name"].removeprefix("files/")
    store = await caller.services.store.files()
    result = await store.add(NewFile("application/jsonl", generated=True), pieces(b"{}"))
    seen = {file["id"]: file for file in (await caller.ask("GET", "/v1/files")).json["data"]}
    assert seen[their_id]["purpose"] == "user_data"
    assert (seen[their_id]["filename"], seen[their_id]["bytes"]) == (their_id, 5)
    assert (seen[result.id]["purpose"], seen[ours["id"]]) == ("batch_output", ours)
    only = (await caller.ask("GET", "/v1/files?purpose=user_data")).json["data"]
    assert [file["id"] for file in only] == [their_id]
    listed = (await caller.ask("GET", "/v1/files", **GEMINI)).json["files"]
    assert {file["name"] for file in listed} == {f"files/{name}" for name in seen}
    one = (await caller.ask("GET", f"/v1/files/{ours['id']}", **GEMINI)).json
    assert (one["displayName"], one["mimeType"], one["sizeBytes"]) == ("ours.txt", "text/plain", "3")
    assert (await caller.ask("GET", f"/v1/files/{their_id}/content")).body == b"hello"
    assert (await caller.ask("GET", "/files")).json.keys() == {"files"}
    assert (await caller.ask("DELETE", f"/v1/files/{ours['id']}", **GEMINI)).json == {}
    assert (await caller.ask("GET", f"/v1/files/{ours['id']}")).status == 404


@pytest.mark.parametrize(
    ("claim", "name", "mime"),
    [
        ("image/png", "a.txt", "image/png"),
        ("", "a.txt", "text/plain"),
        ("application/octet-stream", "A.PDF", "application/pdf"),
        ("Application/Octet-Stream", "a.md", "text/markdown"),
        ("text/plain\r\nX: y", "a", "application/octet-stream"),
        ("nonsense", "lines.jsonl", "application/jsonl"),
    ],
)
def test_media_types(claim: str, name: str, mime: str) -> None:
    assert mime_of(claim, name) == mime


@pytest.mark.parametrize(
    ("name", "kept"), [("a.txt", "a.txt"), ("../../etc/passwd", "passwd"), ("C:\\x\\y.pdf", "y.pdf"), ("", None)]
)
def test_names_keep_no_folder(name: str, kept: str | None) -> None:
    assert new_file(name, "").display_name == kept


def test_long_names_are_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        new_file("x" * 513, "")
    assert (caught.value.field, caught.value.reason) == ("filename", "string_above_max_length")


def test_a_field_in_brackets_is_an_object() -> None:
    with pytest.raises(BadRequest) as caught:
        read_form({"purpose[x]": "y"}, Findings(strict=False))
    assert (caught.value.field, caught.value.reason) == ("purpose", "invalid_type")


async def test_a_form_split_at_every_byte() -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\n\r\n--\r\n-b--x\r\n\r\n--b--\r\n"
    )
    for at in range(len(body) + 1):
        protocol = BaseProtocol(asyncio.get_running_loop())
        protocol.connection_made(asyncio.Transport())
        stream = StreamReader(protocol, 2**16)
        stream.feed_data(body[:at])
        reading = asyncio.create_task(parts_of(stream))
        await asyncio.sleep(0)
        stream.feed_data(body[at:])
        stream.feed_eof()
        assert await reading == [("purpose", b"batch"), ("file", b"\r\n--\r\n-b--x\r\n")], at


async def parts_of(stream: StreamReader) -> list[tuple[str | None, bytes]]:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    request = cast("web.BaseRequest", SimpleNamespace(headers=headers, content_type="multipart/x", content=stream))
    return [
        (part.name, b"".join([piece async for piece in part_pieces(part, Settings())]))
        async for part in body_parts(request, Settings())
    ]
