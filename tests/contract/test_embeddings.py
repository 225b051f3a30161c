"""Embeddings of the embedded model through the official SDKs: one core behind both protocols."""

import asyncio
import math
import os
from collections.abc import Callable, Iterator, Sequence

import aiohttp
import openai
import orjson
import pytest
from google import genai
from google.genai import errors, types

from localaik.engine.embedding import EmbeddingEngine
from localaik.settings import Settings
from tests.contract.conftest import RunningServer

StartServer = Callable[[Settings], RunningServer]

MODEL = "gemini-embedding-001"
CATS = "The cat sat on the mat"
MORE_CATS = "A black cat on a mat"
STOCKS = "Stock prices fell on Monday"
WIDTH = 768
LIMIT = 2048
HANG_SECONDS = 60


@pytest.fixture
def gemini(server: RunningServer) -> Iterator[genai.Client]:
    options = types.HttpOptions(base_url=server.url, api_version="v1beta")
    with genai.Client(api_key="k", http_options=options) as client:
        yield client


@pytest.fixture
def chat(server: RunningServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0) as client:
        yield client


def engine_of(server: RunningServer) -> EmbeddingEngine:
    engine = server.server.embedding_engine
    assert engine is not None
    return engine


def similarity(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def embed(client: genai.Client, contents: object, **config: object) -> list[list[float]]:
    answer = client.models.embed_content(
        model=MODEL,
        contents=contents,  # type: ignore[arg-type]
        config=types.EmbedContentConfig(**config),  # type: ignore[arg-type]
    )
    assert answer.embeddings is not None
    return [embedding.values or [] for embedding in answer.embeddings]


class TestGemini:
    def test_a_single_text(self, gemini: genai.Client) -> None:
        (vector,) = embed(gemini, CATS)
        assert len(vector) == WIDTH
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-6)

    def test_a_list_keeps_its_order_and_tells_what_is_alike(self, gemini: genai.Client) -> None:
        cats, more_cats, stocks = embed(gemini, [CATS, MORE_CATS, STOCKS], task_type="SEMANTIC_SIMILARITY")
        assert similarity(cats, more_cats) > similarity(cats, stocks) + 0.2
        assert embed(gemini, [STOCKS, CATS], task_type="SEMANTIC_SIMILARITY") == [stocks, cats]

    def test_a_config_in_full(self, gemini: genai.Client) -> None:
        config = {"task_type": "RETRIEVAL_DOCUMENT", "title": "Pets", "output_dimensionality": 10}
        (vector,) = embed(gemini, CATS, **config)
        assert len(vector) == 10
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-6)
        assert embed(gemini, CATS, **{**config, "title": " Pets\n"}) == [vector]
        assert embed(gemini, CATS, **{**config, "title": "Furniture"}) != [vector]
        assert embed(gemini, CATS, **{**config, "task_type": "RETRIEVAL_QUERY"}) != [vector]

    def test_a_list_for_gemini_embedding_2_is_one_content(self, gemini: genai.Client) -> None:
        both = gemini.models.embed_content(model="gemini-embedding-2", contents=["a", "b"]).embeddings
        assert both is not None
        assert [both[0].values] == embed(gemini, "a\nb")
        assert len(both) == 1

    @pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
    async def test_async(self, gemini: genai.Client) -> None:
        try:
            answer = await gemini.aio.models.embed_content(model=MODEL, contents=CATS)
        finally:
            await gemini.aio.aclose()
        assert answer.embeddings is not None
        assert [answer.embeddings[0].values] == embed(gemini, CATS)

    @pytest.mark.parametrize(
        ("contents", "config", "told"),
        [
            (CATS, {"output_dimensionality": 769}, "requests[0].outputDimensionality: must be between 1 and 768"),
            (CATS, {"output_dimensionality": 0}, "output_dimensionality: must be at least 1, got 0"),
            (CATS, {"task_type": "POETRY"}, "task_type: must be one of TASK_TYPE_UNSPECIFIED, RETRIEVAL_QUERY"),
            ("", {}, "contains an empty Part"),
            ([CATS] * 2049, {}, "at most 2048 requests"),
            (types.Part.from_bytes(data=b"x", mime_type="image/png"), {}, "takes text only"),
        ],
    )
    def test_refusals(self, gemini: genai.Client, contents: object, config: dict[str, object], told: str) -> None:
        with pytest.raises(errors.ClientError) as caught:
            embed(gemini, contents, **config)
        assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
        assert told in (caught.value.message or "")

    async def test_embed_content_as_rest_callers_send_it(self, http: aiohttp.ClientSession) -> None:
        body = {"content": {"parts": [{"text": CATS}]}}
        async with http.post(f"/v1beta/models/{MODEL}:embedContent", json=body) as answer:
            told = orjson.loads(await answer.read())
        assert answer.status == 200
        assert len(told["embedding"]["values"]) == WIDTH
        count = told["usageMetadata"]["promptTokenCount"]
        assert told["usageMetadata"] == {
            "promptTokenCount": count,
            "totalTokenCount": count,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": count}],
        }
        assert count > 8
        async with http.post(f"/v1beta/models/{MODEL}:batchEmbedContents", json={"requests": [body] * 2}) as answer:
            batch = orjson.loads(await answer.read())
        assert [embedding["values"] for embedding in batch["embeddings"]] == [told["embedding"]["values"]] * 2
        assert batch["usageMetadata"]["promptTokenCount"] == 2 * count

    async def test_another_model_in_an_item_is_refused(self, http: aiohttp.ClientSession) -> None:
        item = {"model": "models/other", "content": {"parts": [{"text": "a"}]}}
        async with http.post(f"/v1beta/models/{MODEL}:batchEmbedContents", json={"requests": [item]}) as answer:
            error = orjson.loads(await answer.read())["error"]
        assert (answer.status, error["status"]) == (400, "INVALID_ARGUMENT")
        assert error["details"][0]["fieldViolations"][0]["field"] == "requests[0].model"

    async def test_the_model_is_listed_and_counts_its_own_tokens(
        self, gemini: genai.Client, http: aiohttp.ClientSession
    ) -> None:
        listed = {model.name: model.supported_actions for model in gemini.models.list()}
        assert listed["models/tiny-embedding"] == ["embedContent", "batchEmbedContents", "countTokens"]
        assert gemini.models.get(model="gemini-embedding-001").supported_actions == listed["models/tiny-embedding"]
        assert gemini.models.count_tokens(model="tiny-embedding", contents="a").total_tokens == 3
        async with http.post(f"/v1beta/models/{MODEL}:generateContent", json={}) as answer:
            assert answer.status == 404


class TestOpenAI:
    def test_a_single_text(self, chat: openai.OpenAI) -> None:
        answer = chat.embeddings.create(model="text-embedding-3-small", input=CATS)
        (item,) = answer.data
        assert (answer.model, answer.object, item.object, item.index) == (
            "text-embedding-3-small",
            "list",
            "embedding",
            0,
        )
        assert len(item.embedding) == WIDTH
        assert math.hypot(*item.embedding) == pytest.approx(1, abs=1e-6)
        assert answer.usage.prompt_tokens == answer.usage.total_tokens > 8

    def test_a_list_keeps_its_order(self, chat: openai.OpenAI) -> None:
        texts = [CATS, MORE_CATS, STOCKS]
        answer = chat.embeddings.create(model="m", input=texts)
        assert [item.index for item in answer.data] == [0, 1, 2]
        cats, more_cats, stocks = (item.embedding for item in answer.data)
        assert similarity(cats, more_cats) > similarity(cats, stocks) + 0.2
        again = chat.embeddings.create(model="m", input=texts[::-1])
        assert [item.embedding for item in again.data] == [stocks, more_cats, cats]
        assert again.usage == answer.usage

    def test_base64_and_numbers_say_the_same(self, chat: openai.OpenAI) -> None:
        packed = chat.embeddings.create(model="m", input=CATS)  # what the SDK asks for by itself
        plain = chat.embeddings.create(model="m", input=CATS, encoding_format="float")
        assert packed.data[0].embedding == plain.data[0].embedding

    def test_dimensions(self, chat: openai.OpenAI) -> None:
        whole = chat.embeddings.create(model="m", input=CATS).data[0].embedding
        for dimensions in (1, 128, 767, WIDTH):
            vector = chat.embeddings.create(model="m", input=CATS, dimensions=dimensions).data[0].embedding
            norm = math.hypot(*whole[:dimensions])
            assert vector == pytest.approx([number / norm for number in whole[:dimensions]], abs=1e-6)
            assert math.hypot(*vector) == pytest.approx(1, abs=1e-6)

    async def test_async(self, server: RunningServer, chat: openai.OpenAI) -> None:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="k") as client:
            answer = await client.embeddings.create(model="m", input=[CATS])
        assert answer.data == chat.embeddings.create(model="m", input=CATS).data

    def test_an_empty_text_has_a_vector(self, chat: openai.OpenAI) -> None:
        vectors = [item.embedding for item in chat.embeddings.create(model="m", input=["", "a"]).data]
        assert math.hypot(*vectors[0]) == pytest.approx(1, abs=1e-6)
        assert vectors[0] != vectors[1]

    def test_token_ids_of_another_tokenizer(self, chat: openai.OpenAI) -> None:
        one, same, near, other = (
            item.embedding
            for item in chat.embeddings.create(
                model="m",
                input=[[791, 8415, 7731], [791, 8415, 7731], [791, 8415, 3000], [100_000, 99_000, 98_765]],
            ).data
        )
        assert one == same
        assert similarity(one, near) > similarity(one, other)
        assert chat.embeddings.create(model="m", input=[791, 8415, 7731]).data[0].embedding == one

    @pytest.mark.parametrize(
        ("fields", "code", "param"),
        [
            ({"input": []}, "empty_array", "input"),
            ({"input": {"a": 1}}, "invalid_type", "input"),
            ({"input": "a", "dimensions": 769}, "integer_above_max_value", "dimensions"),
            ({"input": "a", "dimensions": 0}, "integer_below_min_value", "dimensions"),
            ({"input": "a", "encoding_format": "int8"}, "invalid_value", "encoding_format"),
            ({"input": ["a"] * 2049}, "array_above_max_length", "input"),
            ({"input": "a", "prompt_name": "poetry"}, "invalid_value", "prompt_name"),
            ({}, "missing_required_parameter", "input"),
        ],
    )
    async def test_refusals(
        self, http: aiohttp.ClientSession, fields: dict[str, object], code: str, param: str
    ) -> None:
        async with http.post("/v1/embeddings", json={"model": "m", **fields}) as answer:
            error = (await answer.json())["error"]
        assert (answer.status, error["type"], error["code"], error["param"]) == (
            400,
            "invalid_request_error",
            code,
            param,
        )

    def test_the_model_is_listed(self, chat: openai.OpenAI) -> None:
        assert [model.id for model in chat.models.list()] == ["tiny", "tiny-embedding"]
        assert chat.models.retrieve("tiny-embedding").id == "tiny-embedding"


def test_all_protocols_give_one_text_one_vector(gemini: genai.Client, chat: openai.OpenAI) -> None:
    vectors = embed(gemini, [CATS], task_type="RETRIEVAL_QUERY")
    assert [
        item.embedding
        for item in chat.embeddings.create(model="m", input=CATS, extra_body={"prompt_name": "query"}).data
    ] == vectors


async def test_equal_inputs_give_equal_bytes_whatever_surrounds_them(start_server: StartServer) -> None:
    first, second = (start_server(Settings(port=0, embedding_cache_bytes=0)) for _ in range(2))
    others = [f"something else, number {number}" for number in range(9)]
    async with aiohttp.ClientSession() as http:

        async def vectors(server: RunningServer, texts: list[str]) -> list[str]:
            body = {"model": "m", "input": texts, "encoding_format": "base64"}
            async with http.post(f"{server.url}/v1/embeddings", json=body) as answer:
                return [item["embedding"] for item in (await answer.json())["data"]]

        alone = await vectors(first, [CATS])
        among = await vectors(first, [*others, CATS, *others, CATS])
        elsewhere = await vectors(second, [CATS])
    assert {alone[0], among[9], among[-1], elsewhere[0]} == {alone[0]}


async def test_256_texts_are_few_calls_and_known_ones_none(start_server: StartServer) -> None:
    server = start_server(Settings(port=0))
    texts = [f"Text number {number} is about {number % 7} things." for number in range(256)]
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0) as client:
        answer = await client.embeddings.create(model="m", input=texts)
        assert len({tuple(item.embedding) for item in answer.data}) == 256
        assert 1 <= engine_of(server).calls <= 4
        calls = engine_of(server).calls
        again = await client.embeddings.create(model="m", input=texts[:100])
        assert [item.embedding for item in again.data] == [item.embedding for item in answer.data[:100]]
        assert engine_of(server).calls == calls


async def test_longer_texts_are_cut_and_told(http: aiohttp.ClientSession) -> None:
    text = "many words " * LIMIT
    async with http.post("/v1/embeddings", json={"model": "m", "input": [text, "short"]}) as answer:
        told = await answer.json()
    used, _, total = answer.headers["X-Input-Truncated"].partition("/")
    assert told["usage"]["prompt_tokens"] == int(used)
    assert LIMIT < int(used) < LIMIT + 50 < int(total)
    body = {"content": {"parts": [{"text": text}]}}
    async with http.post(f"/v1beta/models/{MODEL}:embedContent", json=body) as answer:
        values = orjson.loads(await answer.read())["embedding"]["values"]
    assert answer.headers["X-Input-Truncated"].startswith(f"{LIMIT}/")
    assert values == told["data"][0]["embedding"]


async def test_longer_texts_are_refused_where_they_are_not_cut(start_server: StartServer) -> None:
    server = start_server(Settings(port=0, embedding_truncate=False))
    text = "many words " * LIMIT
    async with aiohttp.ClientSession(server.url) as http:
        async with http.post("/v1/embeddings", json={"model": "m", "input": ["short", text]}) as answer:
            error = (await answer.json())["error"]
        assert (answer.status, error["code"], error["param"]) == (400, "context_length_exceeded", "input[1]")
        assert error["message"].startswith(f"This model's maximum context length is {LIMIT} tokens, however you")
        items = [{"content": {"parts": [{"text": part}]}} for part in ("short", text)]
        async with http.post(f"/v1beta/models/{MODEL}:batchEmbedContents", json={"requests": items}) as answer:
            error = orjson.loads(await answer.read())["error"]
        assert answer.status == 400
        assert error["details"][0]["fieldViolations"][0]["field"] == "requests[1].content"


async def test_the_engine_comes_with_the_first_request_and_goes_with_the_server(start_server: StartServer) -> None:
    server = start_server(Settings(port=0))
    assert engine_of(server).describe() == {"state": "off"}
    body = {"model": "m", "input": "a"}
    async with aiohttp.ClientSession(server.url) as http, http.post("/v1/embeddings", json=body) as answer:
        assert answer.status == 200
    pid = engine_of(server).describe()["pid"]
    assert isinstance(pid, int)
    os.kill(pid, 0)
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_killed_engine_is_followed_by_another(start_server: StartServer) -> None:
    server = start_server(Settings(port=0, embeddings="start", embedding_cache_bytes=0))
    async with aiohttp.ClientSession(server.url) as http:

        async def vector() -> str:
            async with http.post("/v1/embeddings", json={"model": "m", "input": "a"}) as answer:
                assert answer.status == 200, await answer.text()
                return str((await answer.json())["data"])

        before = await vector()
        pid = engine_of(server).describe()["pid"]
        assert isinstance(pid, int)
        os.kill(pid, 9)
        assert await vector() == before
        assert engine_of(server).describe()["pid"] != pid


async def test_embeddings_can_be_off(start_server: StartServer) -> None:
    server = start_server(Settings(port=0, embeddings="off"))
    assert server.server.embedding_engine is None
    async with aiohttp.ClientSession(server.url) as http:
        async with http.post("/v1/embeddings", json={"model": "m", "input": "a"}) as answer:
            error = (await answer.json())["error"]
        assert (answer.status, error["code"], error["param"]) == (404, "model_not_found", "model")
        async with http.post("/v1beta/models/m:embedContent", json={"content": {"parts": [{"text": "a"}]}}) as answer:
            assert (answer.status, orjson.loads(await answer.read())["error"]["status"]) == (404, "NOT_FOUND")
        async with http.get("/v1/models") as answer:
            assert [model["id"] for model in (await answer.json())["data"]] == ["tiny"]


async def test_strict_names_take_only_the_model_that_embeds(start_server: StartServer) -> None:
    server = start_server(Settings(port=0, strict_models=True))
    async with aiohttp.ClientSession(server.url) as http:
        for name, status in (("tiny-embedding", 200), ("tiny", 404), ("text-embedding-3-small", 404)):
            async with http.post("/v1/embeddings", json={"model": name, "input": "a"}) as answer:
                assert answer.status == status
            body = {"content": {"parts": [{"text": "a"}]}}
            async with http.post(f"/v1beta/models/{name}:embedContent", json=body) as answer:
                assert answer.status == status


async def test_the_strict_wire_refuses_token_ids_and_large_batches(start_server: StartServer) -> None:
    server = start_server(Settings(port=0, strict_wire=True))
    async with aiohttp.ClientSession(server.url) as http:
        async with http.post("/v1/embeddings", json={"model": "m", "input": [[5], [6]]}) as answer:
            error = (await answer.json())["error"]
        assert (answer.status, error["param"]) == (400, "input[0]")
        assert "check_embedding_ctx_length=False" in error["message"]
        item = {"content": {"parts": [{"text": "a"}]}}
        for count, status in ((100, 200), (101, 400)):
            async with http.post(
                f"/v1beta/models/{MODEL}:batchEmbedContents", json={"requests": [item] * count}
            ) as answer:
                assert answer.status == status


async def test_an_idle_engine_ends_and_comes_back(start_server: StartServer) -> None:
    server = start_server(Settings(port=0, embedding_idle_seconds=0.01, embedding_cache_bytes=0))
    engine = engine_of(server)
    async with aiohttp.ClientSession(server.url) as http:

        async def vector() -> str:
            async with http.post("/v1/embeddings", json={"model": "m", "input": "a"}) as answer:
                assert answer.status == 200, await answer.text()
                return str((await answer.json())["data"])

        first = await vector()
        async with asyncio.timeout(HANG_SECONDS):
            while engine.describe() != {"state": "off"}:  # noqa: ASYNC110 - nothing of ours is told of its end
                await asyncio.sleep(0.01)
        assert await vector() == first
