"""The Gemini routes over a real socket, on a pipeline that is a script."""

import asyncio
import gzip
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

import orjson
import pytest
from aiohttp import ClientResponse, ClientSession
from aiohttp.test_utils import RawTestServer
from yarl import URL

from localaik.embeddings.embedder import Embedder
from localaik.errors import EngineUnreachable, LocalaikError, TimedOut
from localaik.generation.events import Finished, GenerationEvent, Started, TextDelta, TokenLogprob, Usage, UsageReported
from localaik.generation.request import GenerationRequest
from localaik.models.registry import ModelEntry, Registry
from localaik.protocols.contract import Services
from localaik.protocols.gemini import PROTOCOL
from localaik.server.app import Face as ServerFace
from localaik.settings import Settings
from localaik.state.store import Store

if TYPE_CHECKING:
    from localaik.generation.run import Pipeline

HI = {"contents": [{"parts": [{"text": "Hi"}]}]}
VERSIONS = ["/v1beta", "/v1", "/v1alpha", ""]
ANSWER: Sequence[Sequence[GenerationEvent]] = (
    [Started(0, 5)],
    [TextDelta("Hel")],
    [TextDelta("lo")],
    [Finished("stop")],
    [UsageReported(Usage(5, 2))],
)


class ScriptedPipeline:
    """Gives `script` as batches, raising the errors in it; remembers what it was asked."""

    def __init__(self) -> None:
        self.script: Sequence[Sequence[GenerationEvent] | LocalaikError] = ANSWER
        self.requests: list[GenerationRequest] = []
        self.supports_logprobs = True
        self.counting = asyncio.Event()
        self.counting.set()

    async def run(self, request: GenerationRequest) -> AsyncGenerator[list[GenerationEvent], None]:
        self.requests.append(request)
        for step in self.script:
            if isinstance(step, LocalaikError):
                raise step
            yield list(step)

    async def count_tokens(self, request: GenerationRequest) -> Usage:
        self.requests.append(request)
        await self.counting.wait()
        return Usage(21, 0, image_tokens=16)


class Face:
    """A server with the Gemini protocol alone, and a client of it."""

    def __init__(self, pipeline: ScriptedPipeline, http: ClientSession, url: URL) -> None:
        self.pipeline = pipeline
        self.http = http
        self._url = url

    @asynccontextmanager
    async def post(self, path: str, body: object = HI, **headers: str) -> AsyncIterator[ClientResponse]:
        async with self.request("POST", path, body, **headers) as answer:
            yield answer

    @asynccontextmanager
    async def request(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> AsyncIterator[ClientResponse]:
        data = None if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        url = URL(f"{self._url.origin()}{path}", encoded=True)
        headers = {"Content-Type": "application/json", "x-goog-api-key": "k", **headers}
        async with self.http.request(method, url, data=data, headers=headers) as answer:
            yield answer


@asynccontextmanager
async def serving(settings: Settings, *names: str) -> AsyncIterator[Face]:
    pipeline = ScriptedPipeline()
    entries = [ModelEntry(name, 1, "localaik", 8192, "Answered by tiny.") for name in names or ("tiny",)]
    services = Services(
        settings,
        cast("Pipeline", pipeline),
        Registry(entries, strict=settings.names_are_strict),
        Store(settings),
        Embedder(None, settings.model_copy(update={"embeddings": "off"})),
    )
    server = RawTestServer(ServerFace(services, [PROTOCOL]).handle)
    await server.start_server(auto_decompress=False)  # as the real server
    async with server, ClientSession() as http:
        yield Face(pipeline, http, server.make_url("/"))


@pytest.fixture
async def face() -> AsyncIterator[Face]:
    async with serving(Settings()) as one:
        yield one


async def error_of(answer: ClientResponse) -> dict[str, object]:
    body = orjson.loads(await answer.read())
    return (body[0] if isinstance(body, list) else body)["error"]  # type: ignore[no-any-return]


# Generation


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("place", ["models", "tunedModels"])
async def test_g001_g019_generation_under_every_version(face: Face, version: str, place: str) -> None:
    async with face.post(f"{version}/{place}/gemma3:4b:generateContent") as answer:
        body = await answer.json()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert body["candidates"] == [
        {"content": {"role": "model", "parts": [{"text": "Hello"}]}, "finishReason": "STOP", "index": 0}
    ]
    assert body["modelVersion"] == ("gemma3:4b" if place == "models" else "tunedModels/gemma3:4b")
    assert face.pipeline.requests[0].model == "gemma3:4b"


@pytest.mark.parametrize(
    "path", ["/v1/models/m%3AgenerateContent", "//v1/models/m:generateContent/", "/models/m%3agenerateContent"]
)
async def test_b004_b011_forms_of_the_path(face: Face, path: str) -> None:
    async with face.post(path) as answer:
        assert (answer.status, (await answer.json())["modelVersion"]) == (200, "m")


async def test_b049_every_response_has_an_id_of_its_own(face: Face) -> None:
    ids = []
    for _ in range(3):
        async with face.post("/v1/models/m:generateContent") as answer:
            ids.append((await answer.json())["responseId"])
    assert len(set(ids)) == 3
    assert all(len(one) == 22 and one.replace("-", "").replace("_", "").isalnum() for one in ids)


async def test_g034_streams_are_event_streams_with_sse(face: Face) -> None:
    async with face.post("/v1/models/m:streamGenerateContent?alt=sse", **{"Accept-Encoding": "gzip"}) as answer:
        data = await answer.read()
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert "Content-Encoding" not in answer.headers
    *frames, rest = data.split(b"\r\n\r\n")
    assert rest == b""
    chunks = [orjson.loads(frame.removeprefix(b"data: ")) for frame in frames]
    assert [chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in chunks] == ["Hel", "lo"]
    assert len({chunk["responseId"] for chunk in chunks}) == 1
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize("query", ["", "?alt=json"])
async def test_b058_streams_are_arrays_without_sse(face: Face, query: str) -> None:
    async with face.post(f"/v1beta/models/m:streamGenerateContent{query}") as answer:
        chunks = await answer.json()
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert [chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in chunks] == ["Hel", "lo"]


async def test_unknown_forms_of_streams_are_refused(face: Face) -> None:
    async with face.post("/v1/models/m:streamGenerateContent?alt=proto") as answer:
        assert answer.status == 400
        assert "alt" in str((await error_of(answer))["message"])
    assert face.pipeline.requests == []


@pytest.mark.parametrize("action", ["generateContent", "streamGenerateContent?alt=sse", "streamGenerateContent"])
async def test_b061_faults_before_the_first_event_have_their_status(face: Face, action: str) -> None:
    face.pipeline.script = [EngineUnreachable("The engine is gone.")]
    async with face.post(f"/v1/models/m:{action}") as answer:
        assert answer.status == 502
        assert (await error_of(answer))["status"] == "UNAVAILABLE"


async def test_b062_later_faults_are_the_last_frame(face: Face) -> None:
    face.pipeline.script = [*ANSWER[:2], EngineUnreachable("The engine is gone.")]
    async with face.post("/v1/models/m:streamGenerateContent?alt=sse") as answer:
        data = await answer.read()
    assert answer.status == 200
    last = data.removesuffix(b"\r\n\r\n").split(b"\r\n\r\n")[-1]
    assert last.startswith(b'data: {"error":{"code":502,')
    async with face.post("/v1/models/m:streamGenerateContent") as answer:
        assert (await answer.json())[-1]["error"]["status"] == "UNAVAILABLE"


async def test_b062_later_faults_of_a_whole_answer_have_their_status(face: Face) -> None:
    face.pipeline.script = [*ANSWER[:2], TimedOut("Too slow.")]
    async with face.post("/v1/models/m:generateContent") as answer:
        assert (answer.status, (await error_of(answer))["status"]) == (504, "DEADLINE_EXCEEDED")


@pytest.mark.parametrize(
    ("value", "limit"), [("30", 30.0), ("0.5", 0.5), ("0", None), ("-1", None), ("inf", None), ("soon", None)]
)
async def test_g053_the_callers_own_time_limit_bounds_the_request(face: Face, value: str, limit: float | None) -> None:
    async with face.post("/v1/models/m:generateContent", **{"X-Server-Timeout": value}):
        assert face.pipeline.requests[0].time_limit == limit


async def test_g053_counting_has_a_time_limit_too(face: Face) -> None:
    face.pipeline.counting.clear()
    async with face.post("/v1/models/m:countTokens", **{"X-Server-Timeout": "0.001"}) as answer:
        assert (answer.status, (await error_of(answer))["status"]) == (504, "DEADLINE_EXCEEDED")


async def test_g014_an_engine_without_logprobs(face: Face) -> None:
    body = {**HI, "generationConfig": {"responseLogprobs": True}}
    face.pipeline.script = [[TextDelta("a", 0, [TokenLogprob("a", -1.0)])], *ANSWER[3:]]
    async with face.post("/v1/models/m:generateContent", body) as answer:
        assert (await answer.json())["candidates"][0]["avgLogprobs"] == -1.0
    face.pipeline.supports_logprobs = False
    async with face.post("/v1/models/m:generateContent", body) as answer:
        assert (answer.status, (await error_of(answer))["message"]) == (400, "Logprobs is not enabled for models/m")


# What is ignored


async def test_g007_what_has_no_effect_is_named_in_a_header(face: Face) -> None:
    body = {**HI, "tools": [{"googleSearch": {}}], "someField": 1}
    for action in ("generateContent", "streamGenerateContent?alt=sse"):
        async with face.post(f"/v1/models/m:{action}", body) as answer:
            assert answer.headers["x-localaik-ignored"] == "someField, tools.googleSearch"
    async with face.post("/v1/models/m:generateContent") as answer:
        assert "x-localaik-ignored" not in answer.headers


async def test_g007_strict_wire_refuses_what_is_unknown() -> None:
    async with serving(Settings(strict_wire=True)) as face:
        async with face.post("/v1/models/m:generateContent", {**HI, "x": 1}) as answer:
            error = await error_of(answer)
        assert (answer.status, error["message"]) == (
            400,
            'Invalid JSON payload received. Unknown name "x": Cannot find field.',
        )
        assert error["details"][0]["fieldViolations"][0]["field"] == "x"  # type: ignore[index]
        async with face.post("/v1/models/m:generateContent", {**HI, "tools": [{"googleSearch": {}}]}) as answer:
            assert answer.status == 200


# Bodies


async def test_g008_bodies_may_be_compressed_and_answers_are_on_request(face: Face) -> None:
    packed = gzip.compress(orjson.dumps(HI))
    async with face.post("/v1/models/m:generateContent", packed, **{"Content-Encoding": "gzip"}) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Encoding"] == "gzip"  # aiohttp's client accepts it by itself
    async with face.post("/v1/models/m:generateContent", **{"Accept-Encoding": "identity"}) as answer:
        assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b"", {}, "not valid JSON"),
        (b'{"contents":', {}, "not valid JSON"),
        (b"{} {}", {}, "not valid JSON"),
        (b"[]", {}, "an object"),
        (b'{"CONTENTS": []}', {}, "contents is not specified"),
        (b"{}", {"Content-Type": "text/plain"}, "application/json"),
        (b'{"contents":"' + b"x" * 1000 + b'"}', {}, "Request payload size exceeds the limit: 500 bytes."),
    ],
)
async def test_b013_b014_bad_bodies_are_400_and_reach_no_engine(
    body: bytes, headers: dict[str, str], words: str
) -> None:
    async with serving(Settings(max_body_bytes=500)) as face:
        for action in ("generateContent", "streamGenerateContent?alt=sse", "countTokens"):
            async with face.post(f"/v1/models/m:{action}", body, **headers) as answer:
                error = await error_of(answer)
            if "contents is" in words and action == "countTokens":
                continue
            assert (answer.status, error["status"]) == (400, "INVALID_ARGUMENT")
            assert words in str(error["message"])
        assert face.pipeline.requests == []


# countTokens


@pytest.mark.parametrize("version", VERSIONS)
async def test_b048_count_tokens(face: Face, version: str) -> None:
    expected = {
        "totalTokens": 21,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}, {"modality": "IMAGE", "tokenCount": 16}],
    }
    for body in (HI, {"generateContentRequest": HI}):
        async with face.post(f"{version}/models/m:countTokens", body) as answer:
            assert (answer.status, await answer.json()) == (200, expected)
    assert face.pipeline.requests[0] == face.pipeline.requests[1]


async def test_g038_a_system_instruction_at_the_top_is_refused(face: Face) -> None:
    async with face.post("/v1/models/m:countTokens", {**HI, "systemInstruction": "s"}) as answer:
        assert answer.status == 400
        assert 'Unknown name "systemInstruction"' in str((await error_of(answer))["message"])


# Models


@pytest.mark.parametrize("version", VERSIONS)
async def test_b064_models_are_listed_and_described(version: str) -> None:
    async with serving(Settings(), "tiny", "alias", "org/model") as face:
        async with face.request("GET", f"{version}/models?pageSize=2") as answer:
            page = await answer.json()
        assert [model["name"] for model in page["models"]] == ["models/tiny", "models/alias"]
        async with face.request("GET", f"{version}/models?pageSize=2&pageToken={page['nextPageToken']}") as answer:
            assert [model["name"] for model in (await answer.json())["models"]] == ["models/org/model"]
        for name in ("tiny", "gemini-2.5-flash", "org/model", "org%2Fmodel", "gemma3:4b", "a%3Fb%20c"):
            async with face.request("GET", f"{version}/models/{name}") as answer:
                assert (answer.status, (await answer.json())["name"]) == (200, f"models/{unquote(name)}")


@pytest.mark.parametrize(
    "name", ["publishers/google/models/x", "google/x", "meta/x", "2171259487439028224", "embedding-001"]
)
async def test_g019_names_that_are_no_models_are_404_everywhere(face: Face, name: str) -> None:
    for action in ("generateContent", "streamGenerateContent?alt=sse", "countTokens"):
        async with face.post(f"/v1alpha/models/{name}:{action}") as answer:
            error = await error_of(answer)
        method = action.partition("?")[0]
        assert (answer.status, error["status"]) == (404, "NOT_FOUND")
        assert str(error["message"]).startswith(
            f"models/{name} is not found for API version v1alpha, or is not supported for {method}."
        )
    async with face.request("GET", f"/v1alpha/models/{name}") as answer:
        assert answer.status == 404
    assert face.pipeline.requests == []


async def test_g019_an_empty_name_is_not_found(face: Face) -> None:
    async with face.post("/models/:generateContent") as answer:
        assert (answer.status, (await error_of(answer))["status"]) == (404, "NOT_FOUND")


async def test_g019_tuned_models_are_an_empty_list(face: Face) -> None:
    async with face.request("GET", "/v1beta/tunedModels?filter=x") as answer:
        assert (answer.status, await answer.json()) == (200, {"tunedModels": []})


# The rest of the table


NOT_FOUND_ROWS = [
    *((method, "/models/m") for method in ("PATCH", "DELETE")),
    *((method, "/tunedModels/t") for method in ("GET", "PATCH", "DELETE")),
    ("GET", "/tunedModels/t/permissions"),
    *((method, "/interactions") for method in ("GET", "POST")),
    ("GET", "/interactions/i"),
    ("POST", "/interactions/i/cancel"),
    *(
        ("POST", f"/{name}")
        for name in ("agents", "triggers", "environments", "credentials", "voices", "webhooks", "decisions")
    ),
    ("GET", "/agents/a/b"),
    ("POST", "/models/m:computeTokens"),
    ("POST", "/publishers/google/models/x:generateContent"),
    ("POST", "/projects/p/locations/l"),
    ("GET", "/models/m/operations/o"),
    ("GET", "/tunedModels/t/operations/o"),
    ("GET", "/models/m:generateContent"),
    ("PUT", "/models/m:countTokens"),
    ("POST", "/models"),
]
NOT_IMPLEMENTED_ROWS = [
    *(
        ("POST", f"/models/m:{action}")
        for action in (
            *("predict", "predictLongRunning", "generateText"),
            *(
                "generateMessage",
                "generateAnswer",
                "countTextTokens",
                "countMessageTokens",
                "embedText",
                "batchEmbedText",
            ),
        )
    ),
    ("POST", "/files:register"),
    ("PATCH", "/batches/b:updateGenerateContentBatch"),
    ("PATCH", "/batches/b:updateEmbedContentBatch"),
    ("GET", "/fileSearchStores/s/upload/operations/o"),
    *((method, "/fileSearchStores") for method in ("GET", "POST")),
    ("DELETE", "/fileSearchStores/s?force=True"),
    ("POST", "/fileSearchStores/s:importFile"),
    ("POST", "/auth_tokens"),
    ("POST", "/tunedModels"),
    ("GET", "/corpora"),
    ("POST", "/corpora/c/documents"),
    ("GET", "/generatedFiles"),
]


@pytest.mark.parametrize("version", VERSIONS)
async def test_g002_rows_that_are_not_found(face: Face, version: str) -> None:
    for method, path in NOT_FOUND_ROWS:
        async with face.request(method, version + path, {} if method == "POST" else None) as answer:
            assert (answer.status, method, path) == (404, method, path)
            error = await error_of(answer)
        assert (error["code"], error["status"]) == (404, "NOT_FOUND")
    assert face.pipeline.requests == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_g002_rows_that_are_not_implemented(face: Face, version: str) -> None:
    rows = [(method, version + path) for method, path in NOT_IMPLEMENTED_ROWS]
    rows += [("POST", f"/upload{version}/fileSearchStores/s:uploadToFileSearchStore")]
    if version:
        live = f"/ws/google.ai.generativelanguage.{version[1:]}.GenerativeService.Bidi"
        rows += [
            ("GET", f"{live}{name}") for name in ("GenerateContent", "GenerateContentConstrained", "GenerateMusic")
        ]
    for method, path in rows:
        async with face.request(method, path, {} if method == "POST" else None) as answer:
            assert (answer.status, method, path) == (501, method, path)
            error = await error_of(answer)
        assert (error["code"], error["status"]) == (501, "UNIMPLEMENTED")
        assert error["message"] == f"{method} {path.partition('?')[0]} is not served by localaik."
    assert face.pipeline.requests == []


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v1beta/nothing", "/v1alpha/models/m:dance", "/some/thing:generateContent"]
)
async def test_g002_unknown_paths_begin_with_not_found(face: Face, path: str) -> None:
    async with face.post(path) as answer:
        error = await error_of(answer)
    assert (answer.status, error["status"]) == (404, "NOT_FOUND")
    assert str(error["message"]).startswith("Not Found")


async def test_what_is_not_served_on_purpose_says_so(face: Face) -> None:
    for path in ("/v1beta/interactions", "/v1/agents/a"):
        async with face.post(path) as answer:
            message = str((await error_of(answer))["message"])
        assert message == f"Not Found: POST {path} is not served by localaik."
