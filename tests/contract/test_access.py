"""Keys, origins and surfaces with the real engine: what the official SDKs make of them."""

import io
import logging
from collections.abc import Iterator

import aiohttp
import openai
import pytest
from google import genai
from google.genai import errors, types

from localaik.settings import Settings
from tests.contract.conftest import RunningServer

KEY = "canary-5b7e"
PAGE = "https://page.example"
MODEL = "gemini-2.5-flash"


@pytest.fixture(scope="module")
def guarded() -> Iterator[RunningServer]:
    """A server that asks for a key, and knows one page."""
    running = RunningServer(Settings(port=0, state="memory", api_key=f"other,{KEY}", cors_origin=PAGE)).start()
    yield running
    running.stop()


def gemini(server: RunningServer, key: str) -> genai.Client:
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=server.url, timeout=120_000))


def openai_at(server: RunningServer, key: str, path: str = "/v1") -> openai.OpenAI:
    return openai.OpenAI(api_key=key, base_url=server.url + path, max_retries=0)


SHORT = types.GenerateContentConfig(max_output_tokens=4)


@pytest.mark.parametrize("key", [KEY, "other"])
def test_sdks_work_with_each_key(guarded: RunningServer, key: str) -> None:
    with gemini(guarded, key) as client:
        assert client.models.generate_content(model=MODEL, contents="Hi", config=SHORT).text
        assert list(client.models.list())
    for path in ("/v1", "/v1beta/openai"):
        with openai_at(guarded, key, path) as one:
            assert one.models.list().data
            answer = one.chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": "Hi"}], max_tokens=4
            )
            assert answer.choices[0].message.content


def test_g52_sdks_raise_their_own_errors_for_a_wrong_key(guarded: RunningServer) -> None:
    with gemini(guarded, "wrong") as client:
        with pytest.raises(errors.ClientError, match="API key not valid") as refused:
            client.models.generate_content(model=MODEL, contents="Hi")
        assert (refused.value.code, refused.value.status) == (400, "INVALID_ARGUMENT")
        assert refused.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"
        with pytest.raises(errors.ClientError, match="API key not valid"):
            list(client.models.generate_content_stream(model=MODEL, contents="Hi"))
    for path in ("/v1", "/v1beta/openai"):
        with openai_at(guarded, "wrong", path) as one, pytest.raises(openai.AuthenticationError):
            one.models.list()
    with openai_at(guarded, "wrong") as one:
        with pytest.raises(openai.AuthenticationError) as wrong:
            one.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}], stream=True)
        assert wrong.value.code == "invalid_api_key"


def test_g43_a_file_is_uploaded_with_a_key_at_its_start_alone(guarded: RunningServer) -> None:
    config = types.UploadFileConfig(mime_type="text/plain")
    with gemini(guarded, KEY) as client:
        stored = client.files.upload(file=io.BytesIO(b"hello"), config=config)
        assert stored.size_bytes == 5
    with gemini(guarded, "wrong") as client, pytest.raises(errors.ClientError, match="API key not valid"):
        client.files.upload(file=io.BytesIO(b"hello"), config=config)


async def test_g43_a_guessed_upload_is_not_found(guarded: RunningServer) -> None:
    headers = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
    async with aiohttp.ClientSession(guarded.url) as http:
        for guess in ("0" * 32, "upload_1", "%00", "'"):
            path = f"/upload/v1beta/files?upload_id={guess}"
            async with http.post(path, headers=headers, data=b"x") as answer:
                assert answer.status == 404


async def test_a_websocket_without_a_key_is_not_opened(guarded: RunningServer) -> None:
    async with aiohttp.ClientSession(guarded.url) as http:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect("/v1/responses", headers=headers)
            assert refused.value.status == 401
            assert refused.value.headers is not None
            assert refused.value.headers["WWW-Authenticate"] == 'Bearer realm="localaik"'
        for origin in ({}, {"Origin": PAGE}):
            async with http.ws_connect("/v1/responses", headers={"x-api-key": KEY, **origin}) as socket:
                assert not socket.closed
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await http.ws_connect("/v1/responses", headers={"x-api-key": KEY, "Origin": "https://a.b"})


async def test_streams_and_files_are_for_the_page_too(guarded: RunningServer) -> None:
    headers = {"Origin": PAGE, "x-api-key": KEY}
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2, "stream": True}
    async with aiohttp.ClientSession(guarded.url, headers=headers) as http:
        async with http.post("/v1/chat/completions", json=body) as answer:
            assert answer.content_type == "text/event-stream"
            assert answer.headers["Access-Control-Allow-Origin"] == PAGE
            assert answer.headers["Vary"] == "Origin"
            assert (await answer.text()).endswith("data: [DONE]\n\n")
        async with http.post("/v1beta/models/m:streamGenerateContent?alt=sse", json={"contents": []}) as answer:
            assert answer.status == 400
            assert answer.headers["Access-Control-Allow-Origin"] == PAGE
            assert answer.headers["Vary"] == "Origin, X-Origin, Referer"
        async with http.post("/v1/chat/completions", json=body, headers={"Origin": "https://a.b"}) as answer:
            assert answer.status == 403


async def test_no_key_is_logged_or_told(guarded: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    texts = []
    async with aiohttp.ClientSession(guarded.url) as http:
        for path in ("/health", "/v1beta/models", "/v1beta/models/x:none", "/v1/models", "/upload/v1beta/files"):
            for shown in (KEY, f"{KEY}-wrong"):
                headers = {"Authorization": f"Bearer {shown}", "x-goog-api-key": shown}
                async with http.get(f"{path}?key={shown}", headers=headers) as answer:
                    texts += [await answer.text(), str(answer.headers)]
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("localaik")]
    assert len(lines) >= len(texts) // 2 - 2
    assert KEY not in caplog.text
    assert KEY not in "".join(texts)


async def test_each_key_has_its_own_current_session(guarded: RunningServer) -> None:
    async with aiohttp.ClientSession(guarded.url) as http:
        bearer, header = {"Authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}
        async with http.post("/v1/sessions", headers=bearer) as answer:
            made = (await answer.json())["session_id"]
        async with http.get("/v1/sessions/current", headers=header) as answer:
            assert (await answer.json())["session_id"] == made
        async with http.get("/v1/sessions/current", headers={"x-api-key": "other"}) as answer:
            assert answer.status == 404
