"""The OpenAI routes over a real socket, on a pipeline that is a script."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import orjson
import pytest
from aiohttp import ClientResponse, ClientSession
from aiohttp.test_utils import RawTestServer
from yarl import URL

from localaik.embeddings.embedder import Embedder
from localaik.errors import BadRequest, ContextOverflow, EngineUnreachable, LocalaikError, NotServed, Unavailable
from localaik.generation.events import Finished, GenerationEvent, Started, TextDelta, TokenLogprob, Usage, UsageReported
from localaik.generation.request import GenerationRequest
from localaik.models.registry import ModelEntry, Registry
from localaik.protocols.contract import Services
from localaik.protocols.openai import PROTOCOL
from localaik.server.app import Face as ServerFace
from localaik.settings import Settings
from localaik.state.store import Store

if TYPE_CHECKING:
    from localaik.generation.run import Pipeline

PREFIXES = ["/v1", "", "/openai/v1"]
HI: dict[str, object] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
ANSWER: Sequence[Sequence[GenerationEvent]] = (
    [Started(0, 5)],
    [TextDelta("Hel")],
    [TextDelta("lo")],
    [Finished("stop")],
    [UsageReported(Usage(5, 2))],
)


class ScriptedPipeline:
    """Gives `script` as batches, raising the errors in it; remembers what it was asked. Prompts echo themselves."""

    def __init__(self) -> None:
        self.script: Sequence[Sequence[GenerationEvent] | LocalaikError] = ANSWER
        self.requests: list[GenerationRequest] = []
        self.open = 0
        self.all_ended = asyncio.Event()
        self.supports_logprobs = True
        self.fingerprint = "before0000"
        self.may_go_on = asyncio.Event()
        """Cleared, it holds everything back that comes after the first batch."""
        self.may_go_on.set()

    async def run(self, request: GenerationRequest) -> AsyncGenerator[list[GenerationEvent], None]:
        self.requests.append(request)
        self.open += 1
        self.fingerprint = "0123456789"
        try:
            for step in self.script if request.prompt is None else self._completion(request):
                if isinstance(step, LocalaikError):
                    raise step
                yield list(step)
                await self.may_go_on.wait()
        finally:
            self.open -= 1
            if not self.open:
                self.all_ended.set()

    def _completion(self, request: GenerationRequest) -> Sequence[Sequence[GenerationEvent] | LocalaikError]:
        if self.script is not ANSWER:
            return self.script
        batches: list[list[GenerationEvent]] = []
        for index in range(request.n):
            tokens = [TokenLogprob("!", -1.0 - index)] if request.logprobs is not None else None
            batches += [[Started(index)], [TextDelta(f"{request.prompt}!{index}", index, tokens)]]
        batches.append([Finished("length", index) for index in range(request.n)])
        return [*batches, [UsageReported(Usage(3, request.n))]]

    async def count_tokens(self, request: GenerationRequest) -> Usage:
        self.requests.append(request)
        if request.prompt == "uncountable":
            raise NotServed("The upstream can't count tokens.")
        return Usage(7, 0)

    async def detokenize(self, ids: list[int]) -> str:
        if 0 in ids:
            raise NotServed("The upstream can't turn token ids into text.")
        return "".join(map(chr, ids))


class Face:
    """A server with the OpenAI protocol alone, and a client of it."""

    def __init__(self, pipeline: ScriptedPipeline, http: ClientSession, url: URL) -> None:
        self.pipeline = pipeline
        self.http = http
        self._url = url

    @asynccontextmanager
    async def request(self, method: str, path: str, body: object = None) -> AsyncIterator[ClientResponse]:
        data = None if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        url = URL(f"{self._url.origin()}{path}", encoded=True)
        async with self.http.request(method, url, data=data, headers={"Content-Type": "application/json"}) as answer:
            yield answer

    async def ask(self, path: str, body: object = HI, *, status: int = 200) -> dict[str, object]:
        async with self.request("POST", path, body) as answer:
            assert answer.status == status, await answer.text()
            result: dict[str, object] = orjson.loads(await answer.read())
            return result

    async def refusal(self, path: str, body: object, status: int = 400) -> tuple[object, object, object]:
        error = (await self.ask(path, body, status=status))["error"]
        assert isinstance(error, dict)
        assert list(error) == ["message", "type", "param", "code"]
        return error["code"], error["param"], error["message"]

    async def frames(self, path: str, body: dict[str, object]) -> list[str]:
        async with self.request("POST", path, {**body, "stream": True}) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            assert answer.headers["Cache-Control"] == "no-cache"
            assert answer.headers["X-Accel-Buffering"] == "no"
            *frames, rest = (await answer.text()).split("\n\n")
            assert rest == ""
            return [frame.removeprefix("data: ") for frame in frames]


@asynccontextmanager
async def serving(settings: Settings, *, strict: bool = False) -> AsyncIterator[Face]:
    pipeline = ScriptedPipeline()
    entries = [ModelEntry(name, 7, "localaik", 8192, "A model.") for name in ("tiny", "org/alias")]
    embedder = Embedder(None, settings.model_copy(update={"embeddings": "off"}))
    registry = Registry(entries, strict=strict)
    services = Services(settings, cast("Pipeline", pipeline), registry, Store(settings), embedder)
    server = RawTestServer(ServerFace(services, [PROTOCOL]).handle)
    await server.start_server()
    async with ClientSession() as http:
        yield Face(pipeline, http, server.make_url("/"))
    await server.close()
    assert pipeline.open == 0


@pytest.fixture
async def face() -> AsyncIterator[Face]:
    async with serving(Settings(access_log=False)) as one:
        yield one


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_b001_every_prefix_answers(face: Face, prefix: str) -> None:
    chat = await face.ask(f"{prefix}/chat/completions")
    assert chat["model"] == "gpt-4o"
    assert chat["choices"][0]["message"]["content"] == "Hello"  # type: ignore[index]
    assert chat["system_fingerprint"] == "fp_0123456789"
    completion = await face.ask(f"{prefix}/completions", {"model": "m", "prompt": "a"})
    assert completion["choices"][0]["text"] == "a!0"  # type: ignore[index]


async def test_ids_and_times(face: Face) -> None:
    first, second = await face.ask("/v1/chat/completions"), await face.ask("/v1/chat/completions")
    for answer in (first, second):
        assert re.fullmatch(r"chatcmpl-[A-Za-z0-9]{24,}", str(answer.pop("id")))
        assert isinstance(answer.pop("created"), int)
    assert first == second
    completion = await face.ask("/v1/completions", {"model": "m", "prompt": "a"})
    assert re.fullmatch(r"cmpl-[A-Za-z0-9]{24,}", str(completion["id"]))


async def test_a_stream(face: Face) -> None:
    *chunks, done = await face.frames("/v1/chat/completions", {**HI, "stream_options": {"include_usage": True}})
    assert done == "[DONE]"
    parsed = [orjson.loads(chunk) for chunk in chunks]
    assert len({(chunk["id"], chunk["created"], chunk["model"], chunk["system_fingerprint"]) for chunk in parsed}) == 1
    assert parsed[0]["system_fingerprint"] == "fp_0123456789"
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in parsed[:-1]) == "Hello"
    assert parsed[-1]["usage"]["total_tokens"] == 7


async def test_stream_options_without_a_stream_have_no_effect(face: Face) -> None:
    answer = await face.ask("/v1/chat/completions", {**HI, "stream_options": {"include_usage": False}})
    assert "usage" in answer


async def test_b079_headers(face: Face) -> None:
    for path, body in (("/v1/chat/completions", HI), ("/v1/chat/completions", {**HI, "stream": True})):
        async with face.request("POST", path, body) as answer:
            assert answer.headers["openai-version"] == "2020-10-01"
            assert answer.headers["openai-organization"] == "localaik"
            assert answer.headers["openai-processing-ms"].isdigit()
            assert answer.headers["x-request-id"].startswith("req_")
            for what in ("requests", "tokens"):
                assert int(answer.headers[f"x-ratelimit-remaining-{what}"]) > 0
    async with face.request("GET", "/v1/models") as answer:
        assert answer.headers["openai-version"] == "2020-10-01"
        assert "x-ratelimit-limit-requests" not in answer.headers


async def test_ignored_fields_are_named_in_a_header(face: Face) -> None:
    body = {**HI, "user": "me", "store": False, "metadata": {"a": "b"}, "cache_prompt": True}
    for stream in (False, True):
        async with face.request("POST", "/v1/chat/completions", {**body, "stream": stream}) as answer:
            assert answer.headers["x-localaik-ignored"] == "user, metadata, cache_prompt"


async def test_long_names_of_ignored_fields_fit_a_header(face: Face) -> None:
    body = {**HI, "logit_bias": {f"{'x' * 10_000}{number}": 1 for number in range(30)}}
    async with face.request("POST", "/v1/chat/completions", body) as answer:
        assert answer.status == 200
        assert len(answer.headers["x-localaik-ignored"]) < 4000


async def test_b079_a_silent_stream_gets_comments() -> None:
    async with serving(Settings(access_log=False, sse_ping_seconds=0.01)) as face:
        face.pipeline.may_go_on.clear()
        async with face.request("POST", "/v1/chat/completions", {**HI, "stream": True}) as answer:
            while await answer.content.readline() != b": keep-alive\n":
                pass
            face.pipeline.may_go_on.set()
            assert (await answer.text()).endswith("data: [DONE]\n\n")


async def test_b137_a_caller_that_leaves_ends_the_generation(face: Face) -> None:
    face.pipeline.may_go_on.clear()
    body = {"model": "m", "prompt": ["a", "b"], "stream": True, "echo": True}
    async with face.request("POST", "/v1/completions", body) as answer:
        await answer.content.readany()
        assert face.pipeline.open == 2
    async with asyncio.timeout(60):  # a guard against hangs
        await face.pipeline.all_ended.wait()


async def test_a_missing_model_is_the_first_one_in_chat_only(face: Face) -> None:
    answer = await face.ask("/v1/chat/completions", {"messages": HI["messages"]})
    assert answer["model"] == "tiny"
    code, param, _ = await face.refusal("/v1/completions", {"prompt": "a"})
    assert (code, param) == ("missing_required_parameter", "model")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "We could not parse the JSON body of your request."),
        (b'{"a":', "We could not parse the JSON body of your request."),
        (b"{} {}", "We could not parse the JSON body of your request."),
        (b"[]", "We could not parse the JSON body of your request."),
    ],
)
async def test_b013_bodies_that_are_no_request(face: Face, body: bytes, message: str) -> None:
    code, param, told = await face.refusal("/v1/chat/completions", body)
    assert (code, param) == (None, None)
    assert str(told).startswith(message)
    assert face.pipeline.requests == []


async def test_b016_faults_of_the_request_never_reach_the_pipeline(face: Face) -> None:
    code, param, _ = await face.refusal("/v1/chat/completions", {**HI, "temperature": 3})
    assert (code, param) == ("decimal_above_max_value", "temperature")
    assert face.pipeline.requests == []


@pytest.mark.parametrize("stream", [False, True])
async def test_faults_before_the_answer_are_plain_errors(face: Face, stream: bool) -> None:
    face.pipeline.script = [ContextOverflow(99, 50)]
    code, param, _ = await face.refusal("/v1/chat/completions", {**HI, "stream": stream})
    assert (code, param) == ("context_length_exceeded", "messages")
    body = {"model": "m", "prompt": "a", "stream": stream}
    code, param, _ = await face.refusal("/v1/completions", body)
    assert (code, param) == ("context_length_exceeded", "prompt")
    face.pipeline.script = [Unavailable("The queue is full.", retry_after=3)]
    async with face.request("POST", "/v1/chat/completions", {**HI, "stream": stream}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "3")


async def test_b078_a_fault_in_the_middle_ends_the_stream(face: Face) -> None:
    face.pipeline.script = [*ANSWER[:2], EngineUnreachable("gone")]
    *chunks, last = await face.frames("/v1/chat/completions", {**HI, "stream_options": {"include_usage": True}})
    assert orjson.loads(last) == {
        "error": {"message": "gone", "type": "server_error", "param": None, "code": "upstream_unreachable"}
    }
    assert len(chunks) == 2
    assert (await face.refusal("/v1/chat/completions", HI, status=502))[0] == "upstream_unreachable"


async def test_an_impossible_schema_is_refused_under_its_name(face: Face) -> None:
    field = "response_format.json_schema.schema.properties.a"
    face.pipeline.script = [BadRequest("'not' is not supported.", field=field, reason="unsupported_schema_keyword")]
    schema = {"type": "json_schema", "json_schema": {"name": "person", "schema": {"type": "object"}}}
    found = await face.refusal("/v1/chat/completions", {**HI, "response_format": schema})
    expected = "Invalid schema for response_format 'person': 'not' is not supported."
    assert found == ("invalid_json_schema", field, expected)


async def test_log_probabilities_need_an_engine_that_tells_them(face: Face) -> None:
    face.pipeline.supports_logprobs = False
    assert (await face.refusal("/v1/chat/completions", {**HI, "logprobs": True}))[:2] == (
        "unsupported_parameter",
        "logprobs",
    )
    await face.ask("/v1/chat/completions", HI)


async def test_completions_of_several_prompts_and_choices(face: Face) -> None:
    body = {"model": "m", "prompt": ["a", "b", "c"], "n": 2, "echo": True}
    answer = await face.ask("/v1/completions", body)
    texts = ["aa!0", "aa!1", "bb!0", "bb!1", "cc!0", "cc!1"]
    assert [(choice["index"], choice["text"]) for choice in answer["choices"]] == list(enumerate(texts))  # type: ignore[attr-defined]
    assert answer["usage"]["prompt_tokens"] == 9  # type: ignore[index]
    assert answer["usage"]["completion_tokens"] == 6  # type: ignore[index]
    *chunks, done = await face.frames("/v1/completions", body)
    assert done == "[DONE]"
    folded = [""] * 6
    for chunk in chunks:
        (choice,) = orjson.loads(chunk)["choices"]
        folded[choice["index"]] += choice["text"]
    assert folded == texts


async def test_many_prompts_are_all_answered(face: Face) -> None:
    body = {"model": "m", "prompt": [str(number) for number in range(300)]}
    choices = (await face.ask("/v1/completions", body))["choices"]
    assert [choice["text"] for choice in choices] == [f"{number}!0" for number in range(300)]  # type: ignore[attr-defined]


async def test_a_fault_of_one_prompt_is_the_fault_of_the_request(face: Face) -> None:
    face.pipeline.script = [*ANSWER[:2], EngineUnreachable("gone")]
    body: dict[str, object] = {"model": "m", "prompt": ["a", "b", "c"]}
    assert (await face.refusal("/v1/completions", body, status=502))[0] == "upstream_unreachable"
    frames = await face.frames("/v1/completions", body)
    assert "upstream_unreachable" in frames[-1]
    assert "[DONE]" not in frames


async def test_token_ids_are_echoed_as_text(face: Face) -> None:
    answer = await face.ask("/v1/completions", {"model": "m", "prompt": [72, 105], "echo": True})
    assert answer["choices"][0]["text"] == "Hi[72, 105]!0"  # type: ignore[index]
    found = await face.refusal("/v1/completions", {"model": "m", "prompt": [0], "echo": True})
    assert found[:2] == ("unsupported_value", "echo")


@pytest.mark.parametrize("stream", [False, True])
async def test_no_tokens_are_generated_where_none_are_asked_for(face: Face, stream: bool) -> None:
    body = {"model": "m", "prompt": ["a", "b"], "echo": True, "max_tokens": 0, "logprobs": 0}
    if stream:
        frames = await face.frames("/v1/completions", body)
        assert [orjson.loads(frame)["choices"][0]["text"] for frame in frames[:-1]] == ["a", "", "b", ""]
        return
    answer = await face.ask("/v1/completions", body)
    choices = [(choice["text"], choice["finish_reason"]) for choice in answer["choices"]]  # type: ignore[attr-defined]
    assert choices == [("a", "length"), ("b", "length")]
    assert answer["usage"]["prompt_tokens"] == 14  # type: ignore[index]
    found = await face.refusal("/v1/completions", {**body, "prompt": "uncountable"})
    assert found[:2] == ("unsupported_value", "max_tokens")


async def test_the_best_of_several(face: Face) -> None:
    answer = await face.ask("/v1/completions", {"model": "m", "prompt": ["a", "b"], "best_of": 3})
    assert [choice["text"] for choice in answer["choices"]] == ["a!0", "b!0"]  # type: ignore[attr-defined]
    assert [choice["logprobs"] for choice in answer["choices"]] == [None, None]  # type: ignore[attr-defined]
    assert answer["usage"]["completion_tokens"] == 6  # type: ignore[index]
    assert face.pipeline.requests[0].n == 3


@pytest.mark.parametrize("prefix", ["/v1", "/openai/v1"])
async def test_b077_models(face: Face, prefix: str) -> None:
    async with face.request("GET", f"{prefix}/models") as answer:
        listed = orjson.loads(await answer.read())
    assert [model["id"] for model in listed["data"]] == ["tiny", "org/alias"]
    for name, path in [("org/alias", "org%2Falias"), ("org/alias", "org/alias"), ("any:4b", "any:4b")]:
        async with face.request("GET", f"{prefix}/models/{path}") as answer:
            assert orjson.loads(await answer.read()) == {
                "id": name,
                "object": "model",
                "created": 7,
                "owned_by": "localaik",
            }


async def test_models_can_not_be_deleted(face: Face) -> None:
    for name, status, code in [("tiny", 403, None), ("other", 404, "model_not_found")]:
        async with face.request("DELETE", f"/v1/models/{name}") as answer:
            assert answer.status == status
            assert orjson.loads(await answer.read())["error"]["code"] == code


async def test_b006_strict_models() -> None:
    async with serving(Settings(access_log=False), strict=True) as face:
        message = "The model `gpt-4o` does not exist or you do not have access to it."
        assert await face.refusal("/v1/chat/completions", HI, 404) == ("model_not_found", "model", message)
        async with face.request("GET", "/v1/models/gpt-4o") as answer:
            assert answer.status == 404
        assert (await face.ask("/v1/chat/completions", {**HI, "model": "org/alias"}))["model"] == "org/alias"


async def test_strict_wire_refuses_unknown_fields() -> None:
    async with serving(Settings(access_log=False, strict_wire=True)) as face:
        found = await face.refusal("/v1/chat/completions", {**HI, "top_k": 1})
        assert found == ("unknown_parameter", "top_k", "Unknown parameter: 'top_k'.")
        assert (await face.refusal("/v1/completions", {"model": "m", "x": 1}))[0] == "unknown_parameter"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/audio/speech"),
        ("POST", "/openai/v1/images/generations"),
        ("DELETE", "/v1/vector_stores/vs_1"),
        ("GET", "/v1/chat/completions/chatcmpl-1/other"),
        ("GET", "/v1/nothing"),
    ],
)
async def test_b007_what_is_not_served_is_an_unknown_url(face: Face, method: str, path: str) -> None:
    async with face.request(method, path, {}) as answer:
        assert answer.status == 404
        error = orjson.loads(await answer.read())["error"]
    assert error["code"] == "unknown_url"
    assert error["message"].startswith(f"Unknown request URL: {method} {path}. ")


@pytest.mark.parametrize(
    ("method", "path", "allowed", "message"),
    [
        ("PUT", "/v1/completions", "POST", "Only POST requests are accepted."),
        ("PUT", "/v1/chat/completions", "GET, HEAD, POST", "Only GET and POST requests are accepted."),
        ("PUT", "/v1/models", "GET, HEAD", "Only GET requests are accepted."),
        ("POST", "/v1/models/tiny", "DELETE, GET, HEAD", "Only DELETE and GET requests are accepted."),
    ],
)
async def test_b009_wrong_methods(face: Face, method: str, path: str, allowed: str, message: str) -> None:
    async with face.request(method, path) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)
        error = orjson.loads(await answer.read())["error"]
    assert (error["code"], error["message"]) == ("method_not_supported", message)
