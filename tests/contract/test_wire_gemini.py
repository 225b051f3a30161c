"""Requests of the official Gemini SDKs, as they were captured on the wire, sent again byte for byte.

`py_*` are from google-genai 3.4.0 for Python, `js_*` from @google/genai 2.32.0. The captures hold parsed bodies; the
SDKs' ways of writing JSON give the bytes back, which the Content-Length of the capture confirms.
"""

import gzip
import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from localaik.settings import Settings
from tests.contract.conftest import RunningServer

CAPTURES = Path(__file__).parent.parent / "wire" / "gemini"
NAMES = sorted(path.stem for path in CAPTURES.glob("*.json"))

GONE = "CachedContent not found (or permission denied)"
# What the content of a request demands where that is no answer: status, and words of the message.
REFUSED: dict[str, list[tuple[int, str]]] = {
    "py_generate_content_full_config": [(400, "CachedContent can not be used with GenerateContent request setting")],
    "py_base_url_prefix": [(404, "Not Found")],
    "py_images": [(403, "You do not have permission to access the File abc or it may not exist.")],
    "py_inline_data_bytes": [(400, "contents[0].parts[0].inlineData")],
    "py_function_response_parts": [(400, "contents[2].parts[0].functionResponse.parts[0].inlineData")],
    "py_caches": [(200, ""), *[(403, GONE)] * 2, (200, ""), *[(403, GONE)] * 2],  # the id here is another one
    "js_caches": [(200, ""), *[(403, GONE)] * 2],
    "js_images": [(400, "contents[0].parts[0].inlineData")],
    "py_batches_inline": [(200, ""), (404, "b1 does not exist"), (200, ""), *[(404, "b1 does not exist")] * 2],
    "py_batches_file": [(403, "You do not have permission to access the File abc")],
    "py_batches_embeddings_file": [(403, "You do not have permission to access the File abc")],
    "py_models_list_paging": [(200, ""), (400, "page token")],
    "js_models_list_paging": [(200, ""), (400, "page token")],
}


def body_bytes(name: str, record: dict[str, Any]) -> bytes | None:
    if record["body"] is None:
        return None
    compact = {"separators": (",", ":"), "ensure_ascii": False} if name.startswith("js_") else {}
    return json.dumps(record["body"], **compact).encode()  # type: ignore[arg-type]


def send(url: str, record: dict[str, Any], body: bytes | None) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=120)
    try:
        connection.putrequest(record["method"], record["raw_path"], skip_accept_encoding=True)
        for name, value in record["headers"].items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        data = answer.read()
        headers = {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()
    return answer.status, headers, gzip.decompress(data) if headers.get("content-encoding") == "gzip" else data


@pytest.fixture(scope="module")
def small_server() -> Iterator[RunningServer]:
    """A server whose answers end soon: captured requests name no limit, and the embedded model knows none."""
    running = RunningServer(Settings(port=0, fetch="any", state="memory", ctx_size=1024)).start()
    yield running
    running.stop()


@pytest.mark.parametrize("name", NAMES)
def test_g004_captured_requests_get_their_answer(small_server: RunningServer, name: str) -> None:
    records = json.loads((CAPTURES / f"{name}.json").read_text())
    expected = REFUSED.get(name, [(200, "")] * len(records))
    assert len(expected) == len(records)
    for record, (status, words) in zip(records, expected, strict=True):
        body = body_bytes(name, record)
        assert body is None or str(len(body)) == record["headers"]["Content-Length"], "not the bytes of the capture"

        got, headers, data = send(small_server.url, record, body)

        assert (got, words.encode() in data) == (status, True), data
        assert headers["x-content-type-options"] == "nosniff"
        if status == 200:
            check_answer(record, headers, data)
        else:
            assert json.loads(data)["error"]["code"] == status


async def test_g020_the_full_request_without_its_conflicts_is_answered(http: aiohttp.ClientSession) -> None:
    (record,) = json.loads((CAPTURES / "py_generate_content_full_config.json").read_text())
    body = record["body"]
    del body["cachedContent"], body["toolConfig"]
    body["tools"] = [tool for tool in body["tools"] if "functionDeclarations" not in tool]
    async with http.post(record["raw_path"], json=body, headers={"x-goog-api-key": "k"}) as answer:
        assert answer.status == 200, await answer.text()
        candidates = (await answer.json())["candidates"]
    assert [one["index"] for one in candidates] == [0, 1]
    assert all(one["safetyRatings"][0]["category"] == "HARM_CATEGORY_HARASSMENT" for one in candidates)
    for name in ("tools.googleSearch", "tools.codeExecution", "tools.urlContext", "labels", "serviceTier", "store"):
        assert name in answer.headers["x-localaik-ignored"]


def check_answer(record: dict[str, Any], headers: dict[str, str], data: bytes) -> None:
    if ":streamGenerateContent" in record["path"]:
        assert headers["content-type"] == "text/event-stream"
        *frames, rest = data.split(b"\r\n\r\n")
        assert rest == b""
        chunks = [json.loads(frame.removeprefix(b"data: ")) for frame in frames]
        assert chunks[-1]["candidates"][0]["finishReason"] in {"STOP", "MAX_TOKENS"}
        return
    assert headers["content-type"] == "application/json; charset=UTF-8"
    assert headers["content-encoding"] == "gzip"
    answer = json.loads(data)
    if "atch" in record["path"] and ":batchEmbedContents" not in record["path"]:
        jobs = answer["operations"] if record["method"] == "GET" else [answer]
        assert all(job["name"] == job["metadata"]["name"] for job in jobs)
        return
    if "/cachedContents" in record["path"]:
        assert answer["name"].startswith("cachedContents/") if record["method"] == "POST" else answer["cachedContents"]
    elif record["method"] == "GET":
        assert "models" in answer or answer["name"] == f"models/{record['path'].rpartition('/')[2]}"
    elif ":countTokens" in record["path"]:
        assert answer["totalTokens"] > 0
    elif ":batchEmbedContents" in record["path"]:
        asked = [request.get("outputDimensionality", 768) for request in record["body"]["requests"]]
        assert [len(embedding["values"]) for embedding in answer["embeddings"]] == asked
    else:
        assert answer["candidates"][0]["finishReason"] in {"STOP", "MAX_TOKENS"}
        assert answer["modelVersion"] == "gemini-2.5-flash"
