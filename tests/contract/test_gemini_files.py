"""Files through the official Python SDK, and as the JavaScript one sends them, against the real server and engine."""

import asyncio
import base64
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from google import genai
from google.genai import errors, types

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.media_samples import PdfPage, make_image, make_pdf

# What the SDK does inside its own asynchronous client is its own affair.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning"),
]

CAPTURES = Path(__file__).parent.parent / "wire" / "gemini_files"
MODEL = "gemini-2.5-flash"
CHUNK = 8 << 20
PLAIN = types.UploadFileConfig(mime_type="text/plain")


def client_of(url: str, version: str | None = None) -> genai.Client:
    options = types.HttpOptions(base_url=url, api_version=version, timeout=120_000)
    return genai.Client(api_key="test-key", http_options=options)


@pytest.fixture(params=[None, "v1beta"], ids=["default-version", "v1beta"])
def client(server: RunningServer, request: pytest.FixtureRequest) -> Iterator[genai.Client]:
    one = client_of(server.url, request.param)
    yield one
    one.close()


@pytest.fixture
def default_client(server: RunningServer) -> Iterator[genai.Client]:
    one = client_of(server.url)
    yield one
    one.close()


def download(client: genai.Client, name: str | None) -> bytes:
    return client.files.download(file=name or "")


def digest(file: types.File) -> str:
    """The SDK decodes the base64 once; the rest is as the service writes it."""
    return base64.b64decode(file.sha256_hash or "").decode()


def test_g041_a_file_from_memory(client: genai.Client, server: RunningServer) -> None:
    config = types.UploadFileConfig(mime_type="text/plain", display_name="my file")
    file = client.files.upload(file=io.BytesIO(b"hello world"), config=config)
    assert file.name is not None
    assert file.uri is not None
    assert file.uri.startswith(server.url)
    assert (file.display_name, file.mime_type, file.size_bytes) == ("my file", "text/plain", 11)
    assert (file.state, file.source) == (types.FileState.ACTIVE, types.FileSource.UPLOADED)
    assert digest(file) == hashlib.sha256(b"hello world").hexdigest()
    assert file.expiration_time is not None
    assert file.create_time is not None
    assert (file.expiration_time - file.create_time).total_seconds() == 48 * 3600
    assert client.files.get(name=file.name) == file
    assert download(client, file.name) == b"hello world"
    client.files.delete(name=file.name)
    with pytest.raises(errors.ClientError, match="do not have permission to access the File") as caught:
        client.files.get(name=file.name)
    assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")


def test_g041_a_file_from_a_path(client: genai.Client, tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_bytes(b"# Notes")
    file = client.files.upload(file=path)
    assert (file.mime_type, file.size_bytes) == ("text/markdown", 7)
    assert download(client, file.name) == b"# Notes"


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 3])
def test_g041_files_of_every_number_of_chunks(default_client: genai.Client, size: int) -> None:
    data = os.urandom(size)
    file = default_client.files.upload(file=io.BytesIO(data), config=PLAIN)
    assert file.size_bytes == size
    assert digest(file) == hashlib.sha256(data).hexdigest()
    assert download(default_client, file.name) == data
    default_client.files.delete(name=file.name or "")


def test_g041_the_asynchronous_client(server: RunningServer) -> None:
    data = os.urandom(CHUNK + 5)

    async def run() -> None:
        async with client_of(server.url).aio as client:
            file = await client.files.upload(file=io.BytesIO(data), config=PLAIN)
            assert await client.files.download(file=file.name or "") == data
            assert (await client.files.get(name=file.name or "")).size_bytes == len(data)
            await client.files.delete(name=file.name or "")

    asyncio.run(run())


def test_g045_a_file_by_its_address(default_client: genai.Client) -> None:
    file = default_client.files.upload(file=io.BytesIO(b"x"), config=PLAIN)
    assert default_client.files.get(name=file.uri or "").name == file.name


def test_g041_the_list_goes_over_all_pages(start_server: Callable[[Settings], RunningServer]) -> None:
    client = client_of(start_server(Settings(port=0, state="memory")).url)
    assert [*client.files.list()] == []
    made = [client.files.upload(file=io.BytesIO(b"x"), config=PLAIN).name for _ in range(5)]
    assert [file.name for file in client.files.list(config={"page_size": 2})] == made[::-1]
    client.close()


def test_files_outlive_the_server(start_server: Callable[[Settings], RunningServer], tmp_path: Path) -> None:
    settings = Settings(port=0, data_dir=str(tmp_path))
    first = start_server(settings)
    client = client_of(first.url)
    named = types.UploadFileConfig(mime_type="text/plain", name="kept")
    client.files.upload(file=io.BytesIO(b"kept bytes"), config=named)
    client.close()
    first.stop()
    client = client_of(start_server(settings).url)
    assert download(client, "files/kept") == b"kept bytes"
    client.close()


def test_plain_generation_writes_nothing(start_server: Callable[[Settings], RunningServer], tmp_path: Path) -> None:
    folder = tmp_path / "data"
    client = client_of(start_server(Settings(port=0, data_dir=str(folder))).url)
    client.models.generate_content(model=MODEL, contents="Hi", config={"max_output_tokens": 1})
    client.close()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("config", "status"),
    [
        ({"mime_type": "bad/mime_type"}, "INVALID_ARGUMENT"),
        ({"mime_type": "text/plain", "name": "No.Good"}, "INVALID_ARGUMENT"),
    ],
)
def test_g045_refused_uploads_raise_at_once(
    default_client: genai.Client, config: types.UploadFileConfigDict, status: str
) -> None:
    with pytest.raises(errors.ClientError) as caught:
        default_client.files.upload(file=io.BytesIO(b"x"), config=config)
    assert (caught.value.code, caught.value.status) == (400, status)


def test_g042_a_fault_is_raised_at_once_and_no_chunk_is_sent_again(
    default_client: genai.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []

    def fail(_part: object, piece: bytes) -> None:
        writes.append(len(piece))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("localaik.state.blobs.Part.write", fail)
    with pytest.raises(errors.ServerError) as caught:
        default_client.files.upload(file=io.BytesIO(b"x" * (CHUNK + 1)), config=PLAIN)
    assert (caught.value.code, caught.value.status) == (503, "UNAVAILABLE")
    assert writes == [1 << 20]


# In generation


def count(client: genai.Client, *parts: object) -> int:
    return client.models.count_tokens(model=MODEL, contents=[*parts]).total_tokens or 0  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("mime", "data"),
    [
        ("text/plain", b"The sky is green today."),
        ("image/png", make_image("PNG", 64, 64)),
        ("application/pdf", make_pdf([PdfPage(["Hello page"])])),
    ],
)
def test_g045_a_stored_file_counts_as_the_same_file_in_the_request(
    client: genai.Client, mime: str, data: bytes
) -> None:
    file = client.files.upload(file=io.BytesIO(data), config=types.UploadFileConfig(mime_type=mime))
    inline = types.Part.from_bytes(data=data, mime_type=mime)
    config = types.GenerateContentConfig(max_output_tokens=8)
    answers = [
        client.models.generate_content(model=MODEL, contents=[shown, "Sum."], config=config) for shown in (file, inline)
    ]
    assert answers[0].text == answers[1].text
    assert answers[0].usage_metadata == answers[1].usage_metadata
    assert count(client, file, "Sum.") == count(client, inline, "Sum.") > count(client, "Sum.")


def generate_with(url: str, uri: str, **fields: object) -> dict[str, Any]:
    async def ask() -> dict[str, Any]:
        part = {"fileData": {"fileUri": uri, **fields}}
        body = {"contents": [{"parts": [part]}], "generationConfig": {"maxOutputTokens": 4}}
        async with (
            aiohttp.ClientSession(url) as session,
            session.post(f"/v1/models/{MODEL}:generateContent", json=body) as answer,
        ):
            found: dict[str, Any] = await answer.json()
            return found

    return asyncio.run(ask())


@pytest.mark.parametrize("form", ["{}", "https://elsewhere.example/v1beta/{}", "http://127.0.0.1:1/{}"])
def test_g045_every_form_of_a_name(default_client: genai.Client, server: RunningServer, form: str) -> None:
    file = default_client.files.upload(file=io.BytesIO(b"A text."), config=PLAIN)
    assert "candidates" in generate_with(server.url, form.format(file.name))


def test_g045_the_type_in_the_request_wins(default_client: genai.Client, server: RunningServer) -> None:
    config = types.UploadFileConfig(mime_type="video/mp4")
    file = default_client.files.upload(file=io.BytesIO(b"A text."), config=config)
    refused = generate_with(server.url, file.name or "")["error"]
    assert (refused["code"], refused["status"]) == (400, "INVALID_ARGUMENT")
    assert "unsupported mime type: video/mp4" in refused["message"]
    assert refused["details"][0]["fieldViolations"][0]["field"] == "contents[0].parts[0].fileData"
    assert "candidates" in generate_with(server.url, file.name or "", mimeType="text/plain")


def test_g045_files_that_do_not_exist(server: RunningServer) -> None:
    refused = generate_with(server.url, "files/nothere")["error"]
    assert (refused["code"], refused["status"]) == (403, "PERMISSION_DENIED")
    assert refused["message"] == "You do not have permission to access the File nothere or it may not exist."


def test_g045_a_stored_file_over_the_limit_is_refused_by_its_size(
    start_server: Callable[[Settings], RunningServer],
) -> None:
    running = start_server(Settings(port=0, state="memory", text_file_max_bytes=100))
    client = client_of(running.url)
    file = client.files.upload(file=io.BytesIO(b"x" * 101), config=PLAIN)
    client.close()
    assert "LOCALAIK_TEXT_FILE_MAX_BYTES" in generate_with(running.url, file.name or "")["error"]["message"]


# As the JavaScript SDK sends it


async def test_g041_the_requests_of_the_javascript_sdk(server: RunningServer) -> None:
    start, send, get, listed, delete = json.loads((CAPTURES / "js_files_upload.json").read_text())
    async with aiohttp.ClientSession() as http:

        async def ask(record: dict[str, Any], url: str, data: bytes | None) -> tuple[aiohttp.ClientResponse, Any]:
            headers = {name: value for name, value in record["headers"].items() if name != "Content-Length"}
            async with http.request(record["method"], url, data=data, headers=headers) as answer:
                assert answer.status == 200, await answer.text()
                return answer, await answer.json()

        begun, _ = await ask(start, server.url + start["raw_path"], json.dumps(start["body"]).encode())
        data = base64.b64decode(send["body_raw"]["base64"])
        done, sent = await ask(send, begun.headers["X-Goog-Upload-URL"], data)
        assert done.headers["X-Goog-Upload-Status"] == "final"
        file = sent["file"]
        assert (file["displayName"], file["mimeType"], file["sizeBytes"]) == ("d", "text/plain", "5")
        _, got = await ask(get, f"{server.url}/v1beta/{file['name']}", None)
        assert got == file
        _, page = await ask(listed, server.url + listed["raw_path"], None)
        assert page["files"][0] == file
        _, gone = await ask(delete, f"{server.url}/v1beta/{file['name']}", b"{}")
        assert gone == {}
