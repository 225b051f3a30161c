"""From texts to vectors without an engine: prefixes, arithmetic, what is remembered, what is asked in one call."""

import asyncio
import math
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaik.embeddings.cache import Known, VectorCache, cache_key
from localaik.embeddings.embedder import BATCH_BYTES, BATCH_INPUTS, Embedder
from localaik.embeddings.prompts import Task, prefix_family, prefixed, task_of_prompt_name
from localaik.embeddings.request import Embedded, EmbeddingInput, EmbeddingRequest, InputTooLong, TooManyDimensions
from localaik.embeddings.vectors import numbers, shortened, unit, width
from localaik.engine.framing import Frame, Prompt
from localaik.engine.vectors import EmbeddingAnswer
from localaik.errors import BadRequest, EngineAnswerInvalid, NotServed, TimedOut, UnknownModel
from localaik.settings import Settings

WIDTH = 4


def packed(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


class CountingEngine:
    """A token per character; a vector that depends on the input alone. Takes `limit` tokens."""

    def __init__(self, *, is_remote: bool = False, limit: int = 1000, tells_usage: bool = True) -> None:
        self.is_remote = is_remote
        self.limit = limit
        self.tells_usage = tells_usage
        self.calls: list[list[str | list[int]]] = []
        self.models: list[str] = []
        self.blocked = asyncio.Event()
        self.blocked.set()

    async def prepare(self, texts: Sequence[str], *, counted: bool = False) -> list[Prompt]:
        if self.is_remote:
            return [Prompt(text) for text in texts]
        return [Prompt(text[: self.limit], min(len(text), self.limit), len(text)) for text in texts]

    async def prepare_ids(self, lists: Sequence[Sequence[int]]) -> list[Prompt]:
        if self.limit == 0:
            raise NotServed("no token ids here")
        return [Prompt(list(ids), len(ids), len(ids)) for ids in lists]

    async def embed(self, prompts: Sequence[Prompt], model: str) -> EmbeddingAnswer:
        await self.blocked.wait()
        self.calls.append([prompt.input for prompt in prompts])
        self.models.append(model)
        vectors = [packed(1, *_digits(str(prompt.input))) for prompt in prompts]
        total = sum(len(prompt.input) for prompt in prompts) if self.tells_usage else 0
        return EmbeddingAnswer(tuple(vectors), total)


def _digits(text: str) -> list[float]:
    return [float((sum(map(ord, text)) // 7**place) % 7) for place in range(WIDTH - 1)]


def texts(*contents: str | tuple[int, ...], **fields: object) -> EmbeddingRequest:
    items = [EmbeddingInput(content, field=f"[{index}]", **fields) for index, content in enumerate(contents)]  # type: ignore[arg-type]
    return EmbeddingRequest("m", items)


def embedder(engine: CountingEngine | None = None, **settings: object) -> tuple[Embedder, CountingEngine]:
    engine = engine or CountingEngine()
    chosen = {"embedding_prefixes": "none", **settings}
    return Embedder(engine, Settings.model_validate(chosen)), engine


def vectors(embedded: Embedded) -> list[bytes]:
    return [embedding.vector for embedding in embedded.embeddings]


class TestPrompts:
    @pytest.mark.parametrize(
        ("task", "title", "expected"),
        [
            (Task.QUERY, "t", "task: search result | query: x"),
            (Task.DOCUMENT, "", "title: none | text: x"),
            (Task.DOCUMENT, "  ", "title: none | text: x"),
            (Task.DOCUMENT, "A \n title\t", "title: A title | text: x"),
            (Task.CLUSTERING, "", "task: clustering | query: x"),
            (Task.CLASSIFICATION, "", "task: classification | query: x"),
            (Task.CODE, "", "task: code retrieval | query: x"),
            (Task.SUMMARIZATION, "", "task: summarization | query: x"),
            (Task.SIMILARITY, "", "task: sentence similarity | query: x"),
            (Task.QUESTION, "", "task: question answering | query: x"),
            (Task.FACT_CHECK, "", "task: fact checking | query: x"),
        ],
    )
    def test_the_words_of_embedding_gemma(self, task: Task, title: str, expected: str) -> None:
        assert prefixed("x", task, title, "embeddinggemma") == expected
        assert prefixed("x", task, title, "none") == "x"

    def test_nothing_is_never_embedded(self) -> None:
        assert prefixed("", Task.DOCUMENT, "", "embeddinggemma") == "title: none | text: "
        assert prefixed("", Task.QUERY, "", "none") == " "

    @pytest.mark.parametrize(
        ("name", "task"),
        [
            ("query", Task.QUERY),
            ("Retrieval-document", Task.DOCUMENT),
            ("retrieval_query", Task.QUERY),
            ("STS", Task.SIMILARITY),
            ("InstructionRetrieval", Task.CODE),
            ("MultilabelClassification", Task.CLASSIFICATION),
            ("poetry", None),
            ("", None),
        ],
    )
    def test_prompt_names(self, name: str, task: Task | None) -> None:
        assert task_of_prompt_name(name) is task

    @pytest.mark.parametrize(
        ("model", "embedded", "expected"),
        [
            ("tiny", True, "embeddinggemma"),
            ("/models/EmbeddingGemma-300M-Q8_0.gguf", False, "embeddinggemma"),
            ("embedding-gemma", False, "embeddinggemma"),
            ("nomic-embed-text", False, "none"),
        ],
    )
    def test_which_models_get_them(self, model: str, embedded: bool, expected: str) -> None:
        assert prefix_family("auto", model, embedded=embedded) == expected
        assert prefix_family("none", model, embedded=embedded) == "none"
        assert prefix_family("embeddinggemma", model, embedded=embedded) == "embeddinggemma"


class TestVectors:
    @given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40).filter(lambda v: math.hypot(*v) > 1e-3))
    def test_every_part_of_a_vector_has_length_1(self, values: list[float]) -> None:
        whole = unit(packed(*values))
        assert math.hypot(*numbers(whole)) == pytest.approx(1, abs=1e-6)
        assert unit(whole) == whole or math.hypot(*numbers(unit(whole))) == pytest.approx(1, abs=1e-7)

    def test_a_part_points_where_the_whole_does(self) -> None:
        whole = unit(packed(3, 4, 12))
        assert numbers(shortened(whole, 2)) == pytest.approx((0.6, 0.8), abs=1e-7)
        assert numbers(shortened(whole, 1)) == (1,)
        assert shortened(whole, 3) == shortened(whole, None) == whole

    def test_a_vector_of_length_1_keeps_its_bytes(self) -> None:
        vector = packed(0.6, 0.8)
        assert unit(vector) is vector
        assert width(vector) == 2

    @pytest.mark.parametrize("values", [(0, 0), (math.nan, 1), (math.inf, 1)])
    def test_what_has_no_direction_is_refused(self, values: tuple[float, ...]) -> None:
        with pytest.raises(EngineAnswerInvalid) as caught:
            unit(packed(*values))
        assert caught.value.reason == "invalid_embedding"


class TestCache:
    def test_keys_tell_model_kind_and_content_apart(self) -> None:
        keys = [
            cache_key("m", "a"),
            cache_key("n", "a"),
            cache_key("m", "b"),
            cache_key("m", "1,2"),
            cache_key("m", (1, 2)),
            cache_key("m", (12,)),
            cache_key("m", "\ud800"),
        ]
        assert len(set(keys)) == len(keys)
        assert cache_key("m", "a") == keys[0]

    def test_the_least_recently_used_goes_first(self) -> None:
        known = Known(bytes(600), 1, 1)
        cache = VectorCache(3000)  # three entries of 1,000 bytes
        for key in (b"a", b"b", b"c"):
            cache.put(key, known)
        assert cache.get(b"a") is known
        cache.put(b"d", known)
        assert [cache.get(key) is known for key in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
        cache.put(b"d", known)
        assert len(cache) == 3

    def test_no_memory_keeps_nothing(self) -> None:
        cache = VectorCache(0)
        cache.put(b"a", Known(b"1234", 1, 1))
        assert (len(cache), cache.get(b"a")) == (0, None)


class TestFrame:
    FRAME = Frame((2,), (1,), limit=5, vocabulary=100)

    def test_what_stands_around_a_text_is_found(self) -> None:
        assert Frame.found([7], [2, 7, 1], limit=5, vocabulary=100) == self.FRAME
        assert Frame.found([7], [7], limit=5, vocabulary=9) == Frame((), (), 5, 9)
        assert Frame.found([7], [2, 8, 1], limit=5, vocabulary=9) is None

    @pytest.mark.parametrize(
        ("text", "fits"),
        [("a" * 10, True), ("a" * 11, False), (" " * 10, True), ("\u00e9", False), ("", True), ("\ufdfa" * 9, False)],
    )
    def test_short_texts_hold_without_counting(self, text: str, fits: bool) -> None:
        assert Frame((2,), (1,), limit=32, vocabulary=100).surely_holds(text) is fits

    def test_a_text_is_cut_between_head_and_tail(self) -> None:
        assert self.FRAME.prompt([7, 8]) == Prompt([2, 7, 8, 1], 4, 4)
        assert self.FRAME.prompt([7, 8, 9]) == Prompt([2, 7, 8, 9, 1], 5, 5)
        assert self.FRAME.prompt([7, 8, 9, 10]) == Prompt([2, 7, 8, 9, 1], 5, 6)
        assert self.FRAME.prompt([]) == Prompt([2, 1], 2, 2)

    @given(st.integers(0, 2**31 - 1))
    def test_any_id_becomes_a_token_of_the_middle(self, token: int) -> None:
        assert 25 <= self.FRAME.ordinary(token) < 75
        assert self.FRAME.ordinary(token) == self.FRAME.ordinary(token)


class TestEmbedder:
    async def test_vectors_come_in_order_and_have_length_1(self) -> None:
        core, engine = embedder()
        embedded = await core.run(texts("first", "second", "first"))
        first, second, again = vectors(embedded)
        assert first == again != second
        assert engine.calls == [["first", "second"]]
        assert [embedding.tokens for embedding in embedded.embeddings] == [5, 6, 5]
        assert (embedded.tokens, embedded.total_tokens) == (16, 16)
        assert all(math.hypot(*numbers(vector)) == pytest.approx(1, abs=1e-6) for vector in (first, second))

    async def test_what_was_embedded_before_is_not_asked_again(self) -> None:
        core, engine = embedder()
        first = await core.run(texts("a", "b"))
        second = await core.run(texts("b", "c", dimensions=2))
        assert engine.calls == [["a", "b"], ["c"]]
        assert vectors(second)[0] == shortened(vectors(first)[1], 2)
        assert second.tokens == 2

    async def test_without_a_cache_it_is(self) -> None:
        core, engine = embedder(embedding_cache_bytes=0)
        assert vectors(await core.run(texts("a"))) == vectors(await core.run(texts("a")))
        assert engine.calls == [["a"], ["a"]]

    async def test_the_prefix_is_part_of_what_is_remembered(self) -> None:
        core, engine = embedder(embedding_prefixes="embeddinggemma")
        await core.run(texts("a", task=Task.QUERY, title="ignored"))
        await core.run(texts("a", task=Task.DOCUMENT, title="t"))
        await core.run(texts("a", task=Task.QUERY))
        assert engine.calls == [["task: search result | query: a"], ["title: t | text: a"]]

    async def test_many_texts_are_few_calls(self) -> None:
        core, engine = embedder()
        embedded = await core.run(texts(*(f"text {number}" for number in range(2 * BATCH_INPUTS + 1))))
        assert [len(call) for call in engine.calls] == [BATCH_INPUTS, BATCH_INPUTS, 1]
        assert len(embedded.embeddings) == 2 * BATCH_INPUTS + 1

    async def test_much_text_is_spread_over_calls(self) -> None:
        half = BATCH_BYTES // 2
        core, engine = embedder(CountingEngine(limit=10 * BATCH_BYTES))
        await core.run(texts("a" * half, "b" * half, "c", "d" * 3 * half, "e"))
        assert [[text[0] for text in call] for call in engine.calls] == [["a", "b"], ["c"], ["d"], ["e"]]

    async def test_longer_texts_are_cut_and_counted(self) -> None:
        core, engine = embedder(CountingEngine(limit=3))
        embedded = await core.run(texts("abcdef", "ab"))
        assert engine.calls == [["abc", "ab"]]
        assert (embedded.tokens, embedded.total_tokens) == (5, 8)

    async def test_longer_texts_are_refused_where_that_is_set(self) -> None:
        core, engine = embedder(CountingEngine(limit=3), embedding_truncate=False)
        with pytest.raises(InputTooLong) as caught:
            await core.run(texts("ab", "abcdef"))
        assert (caught.value.tokens, caught.value.limit, caught.value.field) == (6, 3, "[1]")
        assert engine.calls == []

    async def test_more_dimensions_than_there_are(self) -> None:
        core, engine = embedder()
        for calls in (1, 1):  # the second time it is known before anything is embedded
            with pytest.raises(TooManyDimensions) as caught:
                await core.run(texts("a", dimensions=WIDTH + 1))
            assert (caught.value.dimensions, caught.value.width, caught.value.field) == (WIDTH + 1, WIDTH, "[0]")
            assert len(engine.calls) == calls

    async def test_token_ids_get_no_prefix_and_are_told_of_once(self, caplog: pytest.LogCaptureFixture) -> None:
        core, engine = embedder(embedding_prefixes="embeddinggemma")
        for ids in ((5, 6), (7,)):
            await core.run(texts(ids))
        await core.run(texts("x", (8,), "y"))
        assert engine.calls[:2] == [[[5, 6]], [[7]]]
        assert engine.calls[2] == ["title: none | text: x", [8], "title: none | text: y"]
        assert [record.message for record in caplog.records if "check_embedding_ctx_length" in record.message]
        assert len(caplog.records) == 1

    async def test_token_ids_are_a_fault_where_the_engine_takes_none(self) -> None:
        core, _ = embedder(CountingEngine(limit=0))
        with pytest.raises(BadRequest) as caught:
            await core.run(texts((5, 6)))
        assert caught.value.field == "[0]"

    async def test_sizes_that_only_the_call_has_are_shared_out(self) -> None:
        core, _ = embedder(CountingEngine(is_remote=True), upstream="http://h")
        embedded = await core.run(texts("a", "bbbbbb", "ccc"))
        assert [embedding.tokens for embedding in embedded.embeddings] == [1, 6, 3]
        again = await core.run(texts("ccc", "a"))
        assert again.tokens == again.total_tokens == 4

    async def test_an_engine_that_counts_nothing(self) -> None:
        core, _ = embedder(CountingEngine(is_remote=True, tells_usage=False), upstream="http://h")
        assert (await core.run(texts("a"))).tokens == 0

    async def test_a_remote_model_is_remembered_by_its_name(self) -> None:
        core, engine = embedder(CountingEngine(is_remote=True), upstream="http://h")
        for model in ("one", "two", "one"):
            await core.run(EmbeddingRequest(model, texts("a").inputs))
        assert engine.models == ["one", "two"]

    async def test_a_remote_embedding_gemma_gets_its_prefixes(self) -> None:
        core, engine = embedder(CountingEngine(is_remote=True), upstream="http://h", embedding_prefixes="auto")
        await core.run(EmbeddingRequest("embeddinggemma:300m", texts("a").inputs))
        await core.run(EmbeddingRequest("text-embedding-3-small", texts("a").inputs))
        assert engine.calls == [["title: none | text: a"], ["a"]]

    async def test_the_time_limit_of_a_request_holds(self) -> None:
        core, engine = embedder(request_timeout_seconds=0.01)
        engine.blocked.clear()
        with pytest.raises(TimedOut):
            await core.run(texts("a"))

    async def test_without_an_engine_and_with_strict_names(self) -> None:
        with pytest.raises(UnknownModel):
            await Embedder(None, Settings(embeddings="off")).run(texts("a"))
        core, _ = embedder(strict_models=True)
        with pytest.raises(UnknownModel):
            await core.run(texts("a"))
        assert (await core.run(EmbeddingRequest("tiny-embedding", texts("a").inputs))).tokens == 1

    async def test_tokens_are_counted_without_a_prefix(self) -> None:
        core, engine = embedder(embedding_prefixes="embeddinggemma")
        assert await core.count_tokens("m", ["abc", "de"]) == 5
        assert engine.calls == []
        remote, _ = embedder(CountingEngine(is_remote=True), upstream="http://h")
        with pytest.raises(NotServed):
            await remote.count_tokens("m", ["abc"])
