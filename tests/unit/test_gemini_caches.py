"""Cached contents over HTTP: every route, every way to say when they expire, and their use. No engine."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import RawTestServer

from localaik.embeddings.embedder import Embedder
from localaik.errors import BadRequest, NotServed
from localaik.generation.events import Finished, GenerationEvent, Started, TextDelta, Usage, UsageReported
from localaik.generation.request import GenerationRequest
from localaik.models.registry import ModelEntry, Registry
from localaik.protocols.contract import Services
from localaik.protocols.gemini import PROTOCOL
from localaik.protocols.gemini.caches_types import Lifetime, expiry_of
from localaik.server.app import Face
from localaik.state.faults import UnknownFile
from localaik.state.store import Store
from tests.files_caller import VERSIONS, Answer, Caller
from tests.state_samples import START, Clock, settings_in

if TYPE_CHECKING:
    from localaik.generation.run import Pipeline

GONE = (403, "PERMISSION_DENIED", "CachedContent not found (or permission denied)")
NOW = datetime.fromtimestamp(START, UTC)
FUNCTION = {"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT", "properties": {}}}]}
CALLING = {"functionCallingConfig": {"mode": "ANY"}}


def turn(text: str, role: str = "user") -> dict[str, object]:
    return {"role": role, "parts": [{"text": text}]}


PARTS: dict[str, object] = {
    "contents": [turn("one"), turn("two", "model")],
    "systemInstruction": turn("sys"),
    "tools": [FUNCTION],
    "toolConfig": CALLING,
}
WHOLE = {"model": "models/m", **PARTS}


class CountingPipeline:
    """Answers everything in the same way, takes 21 tokens for any prompt, and remembers what it was asked."""

    supports_logprobs = True

    def __init__(self) -> None:
        self.requests: list[GenerationRequest] = []
        self.fault: Exception | None = None

    async def run(self, request: GenerationRequest) -> AsyncGenerator[list[GenerationEvent], None]:
        self.requests.append(request)
        yield [Started(0, 40), TextDelta("a"), TextDelta("b")]
        yield [Finished("stop"), UsageReported(Usage(40, 2))]

    async def count_tokens(self, request: GenerationRequest) -> Usage:
        self.requests.append(request)
        if self.fault is not None:
            raise self.fault
        return Usage(21, 0)


class CacheCaller(Caller):
    """A client of a server whose pipeline is a script."""

    pipeline: CountingPipeline

    async def create(self, **body: object) -> dict[str, Any]:
        answer = await self.ask("POST", "/v1/cachedContents", {**WHOLE, **body})
        assert answer.status == 200, answer.body
        return cast("dict[str, Any]", answer.json)

    async def generate(self, body: dict[str, object], action: str = "generateContent", model: str = "m") -> Answer:
        return await self.ask("POST", f"/v1/models/{model}:{action}", body)


@asynccontextmanager
async def serving(folder: Path, clock: Clock, **fields: object) -> AsyncIterator[CacheCaller]:
    settings = settings_in(folder, **fields)
    store = Store(settings, clock=clock)
    pipeline = CountingPipeline()
    registry = Registry([ModelEntry("m", 1, "localaik", 8192, "A model.")])
    services = Services(settings, cast("Pipeline", pipeline), registry, store, Embedder(None, settings))
    async with RawTestServer(Face(services, [PROTOCOL]).handle) as server, ClientSession() as http:
        caller = CacheCaller(http, server.make_url("/"), clock)
        caller.pipeline = pipeline
        yield caller
    await store.close()


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[CacheCaller]:
    async with serving(tmp_path, Clock()) as one:
        yield one


# The resource


@pytest.mark.parametrize("version", VERSIONS)
async def test_g048_created_found_listed_changed_deleted(caller: CacheCaller, version: str) -> None:
    answer = await caller.ask("POST", f"{version}/cachedContents", {**WHOLE, "displayName": "n", "ttl": "60s"})
    cache = answer.json
    path = f"{version}/{cache['name']}"
    assert cache == {
        "name": cache["name"],
        "model": "models/m",
        "displayName": "n",
        "createTime": "2027-01-15T08:00:00.000000Z",
        "updateTime": "2027-01-15T08:00:00.000000Z",
        "expireTime": "2027-01-15T08:01:00.000000Z",
        "usageMetadata": {"totalTokenCount": 21},
    }
    assert (await caller.ask("GET", path)).json == cache
    assert (await caller.ask("GET", f"{version}/cachedContents")).json == {"cachedContents": [cache]}
    caller.clock.now += 1
    changed = cache | {"updateTime": "2027-01-15T08:00:01.000000Z", "expireTime": "2027-01-15T10:00:01.500000Z"}
    assert (await caller.ask("PATCH", path, {"ttl": "7200.5s"})).json == changed
    changed |= {"expireTime": "2030-01-01T00:00:00.000000Z"}
    moment = {"expire_time": "2030-01-01T01:00:00+01:00"}
    assert (await caller.ask("PATCH", f"{path}?updateMask=expireTime", moment)).json == changed
    assert (await caller.ask("DELETE", path, {})).json == {}
    assert (await caller.ask("DELETE", path)).fault == GONE
    assert (await caller.ask("GET", f"{version}/cachedContents")).json == {"cachedContents": []}


async def test_g048_the_default_lifetime_is_an_hour(caller: CacheCaller) -> None:
    assert (await caller.create())["expireTime"] == "2027-01-15T09:00:00.000000Z"


async def test_g048_models_with_and_without_their_prefix(caller: CacheCaller) -> None:
    assert (await caller.create(model="m"))["model"] == "models/m"
    model = await caller.ask("GET", "/v1/models/m")
    assert "createCachedContent" in model.json["supportedGenerationMethods"]


@pytest.mark.parametrize("model", ["publishers/google/models/m", "models/publishers/x", "123"])
async def test_g048_models_that_can_not_be_come_first(caller: CacheCaller, model: str) -> None:
    answer = await caller.ask("POST", "/v1/cachedContents", {"model": model})
    assert answer.fault[:2] == (404, "NOT_FOUND")
    assert answer.fault[2].endswith("is not supported for createCachedContent. Call ListModels to see the list of"
                                    " available models and their supported methods.")  # fmt: skip


REFUSED: list[tuple[dict[str, object], str]] = [
    ({"model": ""}, "model"),
    ({"model": None}, "model"),
    (dict.fromkeys(PARTS), "contents"),
    ({"contents": [], "systemInstruction": None, "tools": None}, "contents"),
    ({"ttl": "1s", "expireTime": "2030-01-01T00:00:00Z"}, "ttl"),
    ({"ttl": "0s"}, "ttl"),
    ({"ttl": "-5s"}, "ttl"),
    ({"ttl": "5"}, "ttl"),
    ({"ttl": "999999999999s"}, "ttl"),
    ({"expireTime": "2027-01-15T08:00:00Z"}, "expireTime"),
    ({"expireTime": "2030-01-01"}, "expireTime"),
    ({"expireTime": "2030-13-01T00:00:00Z"}, "expireTime"),
    ({"displayName": "x" * 129}, "displayName"),
    ({"generationConfig": {"temperature": 0}}, "generationConfig"),
    ({"contents": [turn("x", "nobody")]}, "contents[0].role"),
    ({"systemInstruction": {"parts": [{"inlineData": {"data": "", "mimeType": "a/b"}}]}}, None),  # type: ignore[list-item]
    ({"tools": [FUNCTION, FUNCTION]}, "tools[1].functionDeclarations[0].name"),
    ({"tools": None}, "toolConfig.functionCallingConfig.mode"),
]


async def test_g048_what_can_not_be_cached(caller: CacheCaller) -> None:
    for change, field in REFUSED:
        answer = await caller.ask("POST", "/v1/cachedContents", {**WHOLE, **change})
        assert answer.fault[:2] == (400, "INVALID_ARGUMENT"), change
        fields = [one["field"] for one in answer.json["error"]["details"][0]["fieldViolations"]]
        assert fields[0] == field if field else fields[0].startswith("systemInstruction.parts[0]")
    assert caller.pipeline.requests == []
    assert (await caller.ask("GET", "/v1/cachedContents")).json == {"cachedContents": []}


@pytest.mark.parametrize(("fault", "code"), [(UnknownFile("f"), 403), (BadRequest("gs"), 400)])
async def test_g048_files_must_be_there(caller: CacheCaller, fault: Exception, code: int) -> None:
    caller.pipeline.fault = fault
    assert (await caller.ask("POST", "/v1/cachedContents", WHOLE)).status == code
    assert (await caller.ask("GET", "/v1/cachedContents")).json == {"cachedContents": []}


async def test_g048_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, Clock(), max_stored_bytes=100) as caller:
        small = {"model": "m", "contents": [turn("a")]}
        assert (await caller.ask("POST", "/v1/cachedContents", small)).status == 200
        answer = await caller.ask("POST", "/v1/cachedContents", {**small, "contents": [turn("a" * 90)]})
        assert answer.fault[:2] == (400, "INVALID_ARGUMENT")
        assert "exceeds the limit: 100 bytes" in answer.fault[2]
        assert len((await caller.ask("GET", "/v1/cachedContents")).json["cachedContents"]) == 1


@pytest.mark.parametrize("field", ["systemInstruction", "tools", "contents"])
async def test_g048_one_part_is_enough(caller: CacheCaller, field: str) -> None:
    await caller.create(**{**dict.fromkeys(PARTS), field: PARTS[field]})
    (counted,) = caller.pipeline.requests
    assert counted.messages[-1].role == ("user" if field != "contents" else "assistant")
    assert len(counted.tools) == (field == "tools")


async def test_an_engine_that_can_not_count(caller: CacheCaller) -> None:
    caller.pipeline.fault = NotServed("no")
    cache = await caller.create()
    assert "usageMetadata" not in cache
    body = (await caller.generate({"contents": [turn("q")], "cachedContent": cache["name"]})).json
    assert "cachedContentTokenCount" not in body["usageMetadata"]


BAD_CHANGES = [
    ("", {}),
    ("", {"displayName": "x"}),
    ("", {"ttl": "5s", "model": "models/m"}),
    ("", {"ttl": "5s", "expireTime": "2030-01-01T00:00:00Z"}),
    ("", {"ttl": "0s"}),
    ("", {"expireTime": "2020-01-01T00:00:00Z"}),
    ("?updateMask=ttl,displayName", {"ttl": "5s"}),
]


@pytest.mark.parametrize(("query", "body"), BAD_CHANGES)
async def test_g048_nothing_but_the_lifetime_can_be_changed(
    caller: CacheCaller, query: str, body: dict[str, object]
) -> None:
    cache = await caller.create()
    answer = await caller.ask("PATCH", f"/v1/{cache['name']}{query}", body)
    assert answer.fault[:2] == (400, "INVALID_ARGUMENT")
    assert (await caller.ask("GET", f"/v1/{cache['name']}")).json == cache


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("name", "code"), [("c1", 403), ("A-b", 403), ("batchPredictionJobs/1", 400), ("projects/p/locations/l", 400)]
)
async def test_g048_names(caller: CacheCaller, method: str, name: str, code: int) -> None:
    answer = await caller.ask(method, f"/v1/cachedContents/{name}", {"ttl": "5s"} if method == "PATCH" else None)
    assert answer.fault[:2] == ((403, "PERMISSION_DENIED") if code == 403 else (400, "INVALID_ARGUMENT"))


async def test_g048_pages(caller: CacheCaller) -> None:
    made: list[dict[str, Any]] = []
    for _ in range(3):
        caller.clock.now += 1
        made.insert(0, await caller.create())
    first = (await caller.ask("GET", "/v1/cachedContents?pageSize=2")).json
    assert first["cachedContents"] == made[:2]
    second = (await caller.ask("GET", f"/v1/cachedContents?pageSize=2&pageToken={first['nextPageToken']}")).json
    assert second == {"cachedContents": made[2:]}
    for query in ("pageSize=-1", "pageSize=x", "pageToken=nonsense"):
        assert (await caller.ask("GET", f"/v1/cachedContents?{query}")).fault[:2] == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("0.000001s", 0.000001), ("3.5s", 3.5), ("0.1234567s", 0.123456), ("100000000s", 100_000_000)],
)
def test_g048_durations(text: str, seconds: float) -> None:
    assert expiry_of(Lifetime(ttl=text), NOW, "R") == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "s", "1", "1m", "1e3s", " 1s", "1.s", "1.1234567891s", "1s1s", "٣s"])
def test_g048_durations_that_are_none(text: str) -> None:
    with pytest.raises(BadRequest, match="must be a duration"):
        expiry_of(Lifetime(ttl=text), NOW, "R")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2030-01-01T00:00:00Z", datetime(2030, 1, 1, tzinfo=UTC)),
        ("2030-01-01t00:00:00.5z", datetime(2030, 1, 1, microsecond=500_000, tzinfo=UTC)),
        ("2030-01-01T00:00:00.123456789+05:30", datetime(2029, 12, 31, 18, 30, microsecond=123_456, tzinfo=UTC)),
        ("9999-12-31T23:59:59-01:00", None),
        ("2030-01-01T24:00:00Z", None),
        ("2030-01-01T00:00:00", None),
        ("2030-02-30T00:00:00Z", None),
    ],
)
def test_g048_times(text: str, moment: datetime | None) -> None:
    if moment is None:
        with pytest.raises(BadRequest, match="must be a time"):
            expiry_of(Lifetime(expire_time=text), NOW, "R")
    else:
        assert expiry_of(Lifetime(expire_time=text), NOW, "R") == moment


# Use


@pytest.mark.parametrize("field", [None, *PARTS])
async def test_g048_the_prompt_is_that_of_the_uncached_request(caller: CacheCaller, field: str | None) -> None:
    held = {key: None if key == field or (field == "tools" and key == "toolConfig") else PARTS[key] for key in PARTS}
    cache = await caller.create(**held)
    own: dict[str, object] = {"generationConfig": {"seed": 7}}
    question = [turn("three")]
    cached = await caller.generate({**own, "contents": question, "cachedContent": cache["name"]})
    contents = [*cast("list[object]", held["contents"] or []), *question]
    plain = await caller.generate({**own, **held, "contents": contents})
    assert caller.pipeline.requests[-2] == caller.pipeline.requests[-1]
    usage = cached.json["usageMetadata"]
    assert (usage["promptTokenCount"], usage["cachedContentTokenCount"]) == (40, 21)
    del usage["cachedContentTokenCount"]
    assert usage == plain.json["usageMetadata"]
    assert cached.json["candidates"] == plain.json["candidates"]


async def test_g048_streams_tell_the_share_in_every_chunk(caller: CacheCaller) -> None:
    cache = await caller.create()
    answer = await caller.generate(
        {"contents": [turn("q")], "cachedContent": cache["name"]}, "streamGenerateContent?alt=sse"
    )
    chunks = [orjson.loads(line[6:]) for line in answer.body.split(b"\r\n\r\n") if line]
    assert len(chunks) >= 2
    assert [chunk["usageMetadata"]["cachedContentTokenCount"] for chunk in chunks] == [21] * len(chunks)


async def test_g048_the_count_of_a_request_includes_what_is_cached(caller: CacheCaller) -> None:
    cache = await caller.create()
    request = {"contents": [turn("q")], "cachedContent": cache["name"]}
    await caller.generate(request)
    answer = await caller.generate({"generateContentRequest": request}, "countTokens")
    assert (answer.json["totalTokens"], answer.json["cachedContentTokenCount"]) == (21, 21)
    generated, counted = caller.pipeline.requests[-2:]
    assert (counted.messages, len(counted.tools)) == (generated.messages, 1)


@pytest.mark.parametrize("field", ["systemInstruction", "tools", "toolConfig"])
@pytest.mark.parametrize("action", ["generateContent", "streamGenerateContent"])
async def test_g048_what_is_cached_can_not_be_given_again(caller: CacheCaller, field: str, action: str) -> None:
    cache = await caller.create()
    body = {"contents": [turn("q")], "cachedContent": cache["name"], field: PARTS[field]}
    answer = await caller.generate(body, action)
    assert answer.status == 400
    assert b"CachedContent can not be used with GenerateContent request setting system_instruction" in answer.body


async def test_g048_another_model(caller: CacheCaller) -> None:
    cache = await caller.create()
    answer = await caller.generate({"contents": [turn("q")], "cachedContent": cache["name"]}, model="other")
    assert answer.fault[:2] == (400, "INVALID_ARGUMENT")
    assert "models/other" in answer.fault[2]
    assert "models/m" in answer.fault[2]


async def test_g048_the_request_needs_contents_of_its_own(caller: CacheCaller) -> None:
    cache = await caller.create()
    assert "contents is not specified" in (await caller.generate({"cachedContent": cache["name"]})).fault[2]


async def test_g048_faults_name_the_contents_of_the_request(caller: CacheCaller) -> None:
    cache = await caller.create()
    answer = await caller.generate({"contents": [turn("q"), turn("x", "nobody")], "cachedContent": cache["name"]})
    assert answer.json["error"]["details"][0]["fieldViolations"][0]["field"] == "contents[1].role"


@pytest.mark.parametrize("name", ["cachedContents/c1", "cachedContents/A_b"])
async def test_g048_unknown_in_use(caller: CacheCaller, name: str) -> None:
    assert (await caller.generate({"contents": [turn("q")], "cachedContent": name})).fault == GONE


@pytest.mark.parametrize("name", ["c1", "batchPredictionJobs/1", "projects/p/cachedContents/c", "cachedContents/a/b"])
async def test_g048_names_of_another_form_in_use(caller: CacheCaller, name: str) -> None:
    answer = await caller.generate({"contents": [turn("q")], "cachedContent": name})
    assert answer.fault[:2] == (400, "INVALID_ARGUMENT")


async def test_g048_expiry_is_checked_when_used(caller: CacheCaller) -> None:
    cache = await caller.create(ttl="60s")
    request: dict[str, object] = {"contents": [turn("q")], "cachedContent": cache["name"]}
    caller.clock.now += 59.5
    assert (await caller.generate(request)).status == 200
    caller.clock.now += 0.5
    assert (await caller.generate(request)).fault == GONE
    for method, body in (("GET", None), ("PATCH", {"ttl": "60s"}), ("DELETE", None)):
        assert (await caller.ask(method, f"/v1/{cache['name']}", body)).fault == GONE


async def test_g048_a_restart_keeps_it(tmp_path: Path) -> None:
    clock = Clock()
    async with serving(tmp_path, clock) as caller:
        cache = await caller.create()
        await caller.generate({"contents": [turn("q")], "cachedContent": cache["name"]})
        before = caller.pipeline.requests[-1]
    async with serving(tmp_path, clock) as caller:
        assert (await caller.ask("GET", f"/v1/{cache['name']}")).json == cache
        await caller.generate({"contents": [turn("q")], "cachedContent": cache["name"]})
        assert caller.pipeline.requests == [before]
