"""Every row of the Gemini API's table of errors by a real cause, on a scripted engine; and by the official SDK."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest
from aiohttp import ClientResponse, ClientSession
from google import genai
from google.genai import errors, types

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.fake_engine import Answer, Plain, Raw, ScriptedEngine, error

StartServer = Callable[[Settings], RunningServer]
Script = Answer | Plain | Raw
MODEL = "gemini-2.5-flash"
JSON = {"Content-Type": "application/json", "x-goog-api-key": "any"}
HELLO = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
MAX_BODY = 100_000


@dataclass(frozen=True, slots=True)
class Row:
    """A cause, and what it must be told as."""

    body: object
    expected: tuple[int, str]
    details: Sequence[str] = ()
    """Types of the details, in order."""
    script: Script | None = None
    """What the engine answers."""
    headers: Mapping[str, str] = field(default_factory=dict)
    model: str = MODEL
    retry_after: bool = False


def named(**fields: object) -> dict[str, object]:
    return {**HELLO, **fields}


def of_file(uri: str) -> dict[str, object]:
    return {"contents": [{"parts": [{"fileData": {"fileUri": uri, "mimeType": "text/plain"}}]}]}


INVALID, DENIED = (400, "INVALID_ARGUMENT"), (403, "PERMISSION_DENIED")
OVERFLOW = error(400, "too long", "exceed_context_size_error", n_prompt_tokens=9000, n_ctx=8192)


def rows() -> dict[str, Row]:
    return {
        "json": Row(b"{", INVALID),
        "content-type": Row(HELLO, INVALID, headers={"Content-Type": "text/plain"}),
        "field": Row({**HELLO, "contents": 1}, INVALID, ["BadRequest"]),
        "range": Row(named(generationConfig={"topK": 0}), INVALID, ["BadRequest"]),
        "enum": Row(named(serviceTier="fast"), INVALID, ["BadRequest"]),
        "base64": Row(
            {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "!"}}]}]}, INVALID, ["BadRequest"]
        ),
        "schema": Row(
            named(generationConfig={"responseSchema": {"type": "STRING", "pattern": "("}}), INVALID, ["BadRequest"]
        ),
        "modality": Row(named(generationConfig={"responseModalities": ["AUDIO"]}), INVALID, ["BadRequest"]),
        "tool": Row(named(tools=[{"computerUse": {}}]), INVALID, ["BadRequest"]),
        "size": Row({"contents": [{"parts": [{"text": "a" * MAX_BODY}]}]}, INVALID),
        "context": Row(HELLO, INVALID, script=OVERFLOW),
        "unknown file": Row(of_file("files/unknown"), DENIED),
        "unknown cache": Row(named(cachedContent="cachedContents/unknown"), DENIED),
        "unknown model": Row(HELLO, (404, "NOT_FOUND"), model="publishers/x"),
        "rate limit": Row(
            HELLO,
            (429, "RESOURCE_EXHAUSTED"),
            ["QuotaFailure", "RetryInfo"],
            error(429, "slow down", headers={"Retry-After": "7"}),
            retry_after=True,
        ),
        "engine gone": Row(HELLO, (502, "UNAVAILABLE"), script=Answer(fault="hang_up_early")),
        "engine mad": Row(HELLO, (502, "INTERNAL"), script=Raw([b"data: not JSON\n\n"])),
        "engine busy": Row(
            HELLO,
            (503, "UNAVAILABLE"),
            ["RetryInfo"],
            error(503, "Loading model", "unavailable_error"),
            retry_after=True,
        ),
        "engine slow": Row(
            HELLO,
            (504, "DEADLINE_EXCEEDED"),
            script=Answer(first_byte=asyncio.Event()),
            headers={"X-Server-Timeout": "0.2"},
        ),
    }


@asynccontextmanager
async def scripted(start_server: StartServer) -> AsyncIterator[tuple[ScriptedEngine, RunningServer]]:
    async with ScriptedEngine() as engine:
        settings = Settings(
            port=0, state="memory", upstream=engine.url, max_body_bytes=MAX_BODY, load_wait_seconds=0, strict_wire=True
        )
        server = await asyncio.to_thread(start_server, settings)
        yield engine, server
        await asyncio.to_thread(server.stop)


async def check(answer: ClientResponse, expected: tuple[int, str], details: Sequence[str]) -> None:
    raw = await answer.read()
    code, status = expected
    assert raw.startswith(b'{\n  "error": {\n    "code": %d,' % code)
    assert raw.endswith(b"}\n")
    told = orjson.loads(raw)["error"]
    assert (answer.status, told["code"], told["status"]) == (code, code, status)
    assert told["message"]
    assert [one["@type"] for one in told.get("details", [])] == [f"type.googleapis.com/google.rpc.{d}" for d in details]


@pytest.mark.parametrize("action", ["generateContent", "streamGenerateContent?alt=sse"])
async def test_g051_every_row_by_a_real_cause(start_server: StartServer, action: str) -> None:
    async with scripted(start_server) as (engine, server), ClientSession(server.url) as http:
        wrong = {}
        for name, row in rows().items():
            if row.script is not None:
                engine.default = row.script
            body = row.body if isinstance(row.body, bytes) else orjson.dumps(row.body)
            before = len(engine.calls)
            path = f"/v1beta/models/{row.model}:{action}"
            async with http.post(path, data=body, headers={**JSON, **row.headers}) as answer:
                try:
                    await check(answer, row.expected, row.details)
                    assert ("Retry-After" in answer.headers) is row.retry_after
                    assert (len(engine.calls) > before) is (row.script is not None)
                except AssertionError:
                    wrong[name] = await answer.text()
        assert wrong == {}


async def test_g051_what_is_not_generation(start_server: StartServer) -> None:
    async with scripted(start_server) as (_, server), ClientSession(server.url, headers=JSON) as http:
        upload = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
        file = {"file": {"name": "files/mine", "mimeType": "text/plain"}}
        async with http.post("/upload/v1beta/files", json=file, headers=upload) as answer:
            url = answer.headers["X-Goog-Upload-URL"]
        end = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
        async with http.post(url, data=b"abc", headers=end) as answer:
            assert answer.status == 200
        rows: list[tuple[str, str, tuple[int, str]]] = [
            ("GET", "/v1beta/nothing", (404, "NOT_FOUND")),
            ("GET", "/v1beta/batches/unknown", (404, "NOT_FOUND")),
            ("GET", "/v1beta/models/m/operations/o", (404, "NOT_FOUND")),
            ("GET", "/v1beta/files/unknown", DENIED),
            ("GET", "/v1beta/files/mine:download?alt=media", (400, "FAILED_PRECONDITION")),
            ("POST", f"/v1beta/models/{MODEL}:predict", (501, "UNIMPLEMENTED")),
        ]
        for method, path, expected in rows:
            async with http.request(method, path, data=b"{}" if method == "POST" else None) as answer:
                await check(answer, expected, [])
        async with http.post("/upload/v1beta/files", json=file, headers=upload) as answer:
            await check(answer, (409, "ALREADY_EXISTS"), [])


async def test_g051_a_fault_of_the_servers_own(start_server: StartServer, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"a file where a folder should be")
    async with ScriptedEngine() as engine:
        settings = Settings(port=0, upstream=engine.url, data_dir=str(tmp_path / "data"))
        server = await asyncio.to_thread(start_server, settings)
        async with ClientSession(server.url, headers=JSON) as http, http.get("/v1beta/files") as answer:
            await check(answer, (500, "INTERNAL"), [])
        await asyncio.to_thread(server.stop)


@pytest.mark.parametrize("streamed", [False, True])
async def test_g051_the_sdk_raises_them_with_code_and_status(start_server: StartServer, streamed: bool) -> None:
    names = ("context", "unknown file", "unknown cache", "unknown model", "rate limit", "engine gone", "engine busy")
    async with scripted(start_server) as (engine, server):
        client = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=server.url))

        def ask(row: Row) -> errors.APIError:
            config = types.GenerateContentConfig()
            contents: object = "Hello"
            assert isinstance(row.body, dict)
            if "cachedContent" in row.body:
                config.cached_content = row.body["cachedContent"]
            elif row.body is not HELLO:
                contents = types.Part.from_uri(file_uri="files/unknown", mime_type="text/plain")
            generate = client.models.generate_content_stream if streamed else client.models.generate_content
            with pytest.raises(errors.ClientError if row.expected[0] < 500 else errors.ServerError) as raised:
                list(generate(model=row.model, contents=contents, config=config))  # type: ignore[operator]
            return raised.value

        for name in names:
            row = rows()[name]
            engine.default = row.script or Answer()
            fault = await asyncio.to_thread(ask, row)
            assert (name, fault.code, fault.status) == (name, *row.expected)
        client.close()
