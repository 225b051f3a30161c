"""The engine that embeds: what is read from it, when it lives, and what a remote server is asked."""

import asyncio
import base64
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from localaik.engine.capabilities import LLAMA_CPP_PYTHON, Capabilities
from localaik.engine.embedding import EmbeddingEngine, create_embedding_engine
from localaik.engine.framing import Prompt
from localaik.engine.launchers.base import EngineSpec, StartError
from localaik.engine.vectors import EmbeddingAnswer, read_embeddings, read_token_lists
from localaik.errors import EngineAnswerInvalid, EngineRefused, EngineUnreachable, NotServed, Unavailable
from localaik.settings import Settings

HANG_SECONDS = 20


def packed(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def entry(embedding: object, index: int = 0) -> dict[str, object]:
    return {"object": "embedding", "index": index, "embedding": embedding}


class TestReading:
    def test_numbers_and_base64_are_the_same(self) -> None:
        plain = read_embeddings({"data": [entry([0.5, -2, 3.0])], "usage": {"prompt_tokens": 7}}, 1)
        coded = read_embeddings({"data": [entry(base64.b64encode(packed(0.5, -2, 3)).decode())]}, 1)
        assert plain == EmbeddingAnswer((packed(0.5, -2, 3),), 7)
        assert coded == EmbeddingAnswer((packed(0.5, -2, 3),), 0)

    def test_the_index_tells_the_order(self) -> None:
        answer = read_embeddings({"data": [entry([2], 1), entry([1], 0)]}, 2)
        assert answer.vectors == (packed(1), packed(2))
        assert read_embeddings({"data": [{"embedding": [1]}, {"embedding": [2]}]}, 2).vectors == answer.vectors

    @pytest.mark.parametrize(
        "data",
        [
            None,
            [],
            [5],
            [entry([1])],
            [entry([1]), entry([1])],
            [entry([1], 0), entry([1, 2], 1)],
            [entry([1], 0), entry([], 1)],
            [entry([1], 0), entry(["1"], 1)],
            [entry([1], 0), entry([True], 1)],
            [entry([1], 0), entry([1e39], 1)],
            [entry([1], 0), entry("AAA", 1)],
            [entry([1], 0), entry("AAAA", 1)],
            [entry([1], 0), entry("", 1)],
            [entry([1], 0), entry(None, 1)],
            [entry([1], 0), entry([1], 1), entry([1], 2)],
        ],
    )
    def test_junk_is_refused(self, data: object) -> None:
        with pytest.raises(EngineAnswerInvalid):
            read_embeddings({"data": data}, 2)

    def test_token_lists(self) -> None:
        assert read_token_lists({"tokens": [5, 6, -1, -1, 7, -1]}, -1, 3) == [[5, 6], [], [7]]

    @pytest.mark.parametrize("tokens", [None, [], [5], [-1], [-1, -1, 5], [-1, -1, -1], ["5", -1, -1]])
    def test_other_token_lists_are_refused(self, tokens: object) -> None:
        with pytest.raises(EngineAnswerInvalid):
            read_token_lists({"tokens": tokens}, -1, 2)


class FakeEngine:
    """A token per character, 2 before and 1 after each text."""

    def __init__(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self.started = 0
        self.closed = asyncio.Event()
        self.blocked = asyncio.Event()
        self.blocked.set()
        self.asked = asyncio.Event()
        self.questions: list[object] = []

    async def start(self) -> None:
        self.started += 1

    async def close(self) -> None:
        self.closed.set()

    async def ready(self) -> None:
        return

    def describe(self) -> dict[str, object]:
        return {"state": "ready"}

    async def tokenize(self, text: str) -> list[int]:
        return [2, *map(ord, text), 1]

    async def tokenize_many(self, texts: Sequence[str]) -> list[list[int]]:
        self.questions.append(list(texts))
        return [list(map(ord, text)) for text in texts]

    async def embed(self, inputs: Sequence[object], model: str) -> EmbeddingAnswer:
        self.asked.set()
        await self.blocked.wait()
        self.questions.append((model, list(inputs)))
        return EmbeddingAnswer(tuple(packed(1) for _ in inputs), len(inputs))


class Scene:
    """An `EmbeddingEngine` and the engines that it made."""

    def __init__(self, *, capabilities: Capabilities | None = None, failing: bool = False, **settings: object) -> None:
        told = {"context_tokens": 8, "trained_tokens": 6, "vocabulary": 400}
        self.capabilities = capabilities or Capabilities(kind="llamacpp", **told)  # type: ignore[arg-type]
        self.failing = failing
        self.engines: list[FakeEngine] = []
        self.lost: list[asyncio.Future[int]] = []
        self.engine = EmbeddingEngine(
            self._make,  # type: ignore[arg-type]
            Settings.model_validate({"embedding_idle_seconds": 0, **settings}),
            is_remote=False,
        )

    def _make(self) -> tuple[FakeEngine, asyncio.Future[int]]:
        if self.failing:
            raise StartError("The file /secret/model.gguf does not exist.")
        self.engines.append(FakeEngine(self.capabilities))
        self.lost.append(asyncio.get_running_loop().create_future())
        return self.engines[-1], self.lost[-1]

    async def ask(self) -> EmbeddingAnswer:
        return await self.engine.embed([Prompt("a")], "m")


class TestLife:
    async def test_the_first_request_starts_it_and_others_share_it(self) -> None:
        scene = Scene()
        assert scene.engine.describe() == {"state": "off"}
        await asyncio.gather(*(scene.ask() for _ in range(5)))
        assert (len(scene.engines), scene.engines[0].started, scene.engine.calls) == (1, 1, 5)
        assert scene.engine.describe() == {"state": "ready"}

    async def test_it_can_be_started_before(self) -> None:
        scene = Scene()
        await scene.engine.start()
        await scene.ask()
        assert (len(scene.engines), scene.engines[0].started) == (1, 1)

    async def test_an_idle_engine_ends_and_the_next_request_starts_another(self) -> None:
        scene = Scene(embedding_idle_seconds=0.001)
        await scene.ask()
        async with asyncio.timeout(HANG_SECONDS):
            await scene.engines[0].closed.wait()
        assert scene.engine.describe() == {"state": "off"}
        await scene.ask()
        assert len(scene.engines) == 2
        await scene.engine.close()
        assert scene.engines[1].closed.is_set()

    async def test_a_busy_engine_is_not_idle(self) -> None:
        scene = Scene(embedding_idle_seconds=0.001)
        await scene.engine.start()
        engine = scene.engines[0]
        engine.blocked.clear()
        long = asyncio.create_task(scene.ask())
        await engine.asked.wait()
        await scene.engine.prepare(["a"])  # ends while the other one still runs
        assert scene.engine._timer is None
        assert not engine.closed.is_set()
        engine.blocked.set()
        await long
        async with asyncio.timeout(HANG_SECONDS):
            await engine.closed.wait()

    async def test_after_close_it_does_not_come_back(self) -> None:
        scene = Scene()
        await scene.ask()
        await scene.engine.close()
        assert scene.engines[0].closed.is_set()
        with pytest.raises(Unavailable):
            await scene.ask()
        assert len(scene.engines) == 1
        await scene.engine.close()

    async def test_one_that_was_given_up_is_replaced(self) -> None:
        scene = Scene()
        await scene.ask()
        scene.lost[0].set_result(1)
        await scene.ask()
        assert [engine.closed.is_set() for engine in scene.engines] == [True, False]

    async def test_one_that_can_not_be_started_is_a_fault_without_paths(self, caplog: pytest.LogCaptureFixture) -> None:
        scene = Scene(failing=True)
        with pytest.raises(EngineUnreachable) as caught:
            await scene.ask()
        assert "/secret" not in caught.value.message
        assert "/secret/model.gguf" in caplog.text
        with pytest.raises(StartError):
            await scene.engine.start()


class TestPrompts:
    async def test_texts_are_cut_to_what_the_model_was_trained_with(self) -> None:
        scene = Scene()
        short, exact, long = await scene.engine.prepare(["ab", "abcd", "abcdef"])
        assert (short.input, short.tokens, short.total) == ([2, 97, 98, 1], 4, 4)
        assert (exact.tokens, exact.total) == (6, 6)
        assert (long.input, long.tokens, long.total) == ([2, 97, 98, 99, 100, 1], 6, 8)
        assert scene.engines[0].questions == [["a"], ["ab", "abcd", "abcdef"]]
        await scene.engine.prepare(["x", "y"])
        assert scene.engines[0].questions[2:] == [["x", "y"]]  # what stands around a text is known by now

    async def test_a_short_text_alone_is_not_counted(self) -> None:
        engine = Scene().engine
        assert await engine.prepare(["x"]) == [Prompt("x")]
        assert (await engine.prepare(["x"], counted=True))[0].total == 3
        assert (await engine.prepare(["xyzxyz"]))[0].total == 8

    async def test_token_ids_become_ordinary_tokens_of_the_model(self) -> None:
        (one, same, other) = await Scene().engine.prepare_ids([[5, 100_000], [5, 100_000], [6, 5]])
        assert one == same != other
        assert isinstance(one.input, list)
        assert isinstance(other.input, list)
        assert one.input[1] == other.input[2]
        assert all(100 <= token < 300 for token in one.input[1:-1])

    async def test_an_engine_that_tells_no_tokens_gets_texts(self) -> None:
        engine = Scene(capabilities=LLAMA_CPP_PYTHON).engine
        assert await engine.prepare(["ab"]) == [Prompt("ab")]
        with pytest.raises(NotServed):
            await engine.prepare_ids([[1]])


class TestSettings:
    async def test_the_embedded_model_is_the_default(self) -> None:
        spec = EngineSpec.for_embeddings(Settings())
        assert (spec.model.name, spec.alias, spec.embeddings) == ("tiny-embedding.gguf", "tiny-embedding", True)
        assert (spec.slots, spec.warmup) == (1, False)
        assert spec.ctx_total == spec.batch_size == spec.ubatch_size == 2048

    async def test_off_is_none(self) -> None:
        assert create_embedding_engine(Settings(embeddings="off")) is None

    async def test_a_missing_file_stops_the_start(self) -> None:
        with pytest.raises(StartError, match="LOCALAIK_EMBEDDING_MODEL"):
            create_embedding_engine(Settings(embedding_model="/nowhere/model.gguf"))

    async def test_a_bad_url_stops_the_start(self) -> None:
        with pytest.raises(StartError, match="LOCALAIK_EMBEDDING_UPSTREAM"):
            create_embedding_engine(Settings(embedding_upstream="ftp://user:secret@h"))

    async def test_a_bad_header_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        create_embedding_engine(Settings(embedding_upstream="http://h", embedding_upstream_auth_header="secret"))
        assert "LOCALAIK_EMBEDDING_UPSTREAM_AUTH_HEADER is not sent" in caplog.text
        assert "secret" not in caplog.text


class Remote:
    """A server with a list of models that embeds each text as its length."""

    def __init__(self, *models: str) -> None:
        self.models = models
        self.status = 200
        self.asked: list[tuple[str | None, dict[str, object]]] = []

    async def handle(self, request: web.BaseRequest) -> web.Response:
        if request.path == "/v1/models":
            return web.json_response({"object": "list", "data": [{"id": model} for model in self.models]})
        if request.path != "/v1/embeddings":
            return web.json_response({"error": "none"}, status=404)
        body = orjson.loads(await request.read())
        self.asked.append((request.headers.get("Authorization"), body))
        if self.status != 200:
            return web.json_response({"error": {"message": "no embeddings here"}}, status=self.status)
        data = [entry([float(len(text)), 1.0], index) for index, text in enumerate(body["input"])]
        return web.json_response({"data": data, "usage": {"prompt_tokens": 3}})


@asynccontextmanager
async def remote(server: Remote, **settings: object) -> AsyncIterator[EmbeddingEngine]:
    async with RawTestServer(server.handle) as running:
        url = str(running.make_url("/v1"))
        chosen = {name: url if value == "URL" else value for name, value in settings.items()}
        engine = create_embedding_engine(Settings.model_validate(chosen))
        assert engine is not None
        try:
            yield engine
        finally:
            await engine.close()


class TestRemote:
    @pytest.mark.parametrize(
        ("models", "setting", "asked", "expected"),
        [
            (("chat", "nomic-embed-text"), "tiny", "m", "nomic-embed-text"),
            (("chat", "nomic-embed-text", "m"), "tiny", "m", "m"),
            (("chat", "nomic-embed-text"), "mine", "nomic-embed-text", "mine"),
            (("chat",), "tiny", "m", "chat"),
            ((), "tiny", "m", "m"),
        ],
    )
    async def test_which_model_is_asked_for(
        self, models: tuple[str, ...], setting: str, asked: str, expected: str
    ) -> None:
        server = Remote(*models)
        async with remote(server, upstream="URL", embedding_model=setting, upstream_model="other") as engine:
            answer = await engine.embed(await engine.prepare(["a", "bcd"]), asked)
        assert answer == EmbeddingAnswer((packed(1, 1), packed(3, 1)), 3)
        ((_, body),) = server.asked
        assert body == {"model": expected, "input": ["a", "bcd"], "encoding_format": "float"}

    async def test_another_server_gets_its_own_credential(self) -> None:
        server = Remote("embed")
        async with remote(
            server,
            upstream="http://127.0.0.1:1/v1",
            upstream_auth_header="Authorization: Bearer chat-secret",
            embedding_upstream="URL",
            embedding_upstream_auth_header="Authorization: Bearer vector-secret",
        ) as engine:
            await engine.embed(await engine.prepare(["a"]), "m")
        assert [credential for credential, _ in server.asked] == ["Bearer vector-secret"]

    async def test_the_upstreams_credential_goes_to_no_other_server(self) -> None:
        server = Remote("embed")
        settings = {"upstream_auth_header": "Authorization: Bearer chat-secret", "embedding_upstream": "URL"}
        async with remote(server, upstream="http://127.0.0.1:1/v1", **settings) as engine:
            await engine.embed(await engine.prepare(["a"]), "m")
        assert [credential for credential, _ in server.asked] == [None]

    async def test_token_ids_go_on_as_they_are(self) -> None:
        server = Remote("embed")
        async with remote(server, upstream="URL") as engine:
            await engine.embed(await engine.prepare_ids([[9, 8]]), "m")
        assert server.asked[0][1]["input"] == [[9, 8]]

    @pytest.mark.parametrize("status", [400, 404, 501])
    async def test_a_refusal_is_told_with_its_status(self, status: int) -> None:
        server = Remote("embed")
        server.status = status
        async with remote(server, upstream="URL") as engine:
            with pytest.raises(EngineRefused) as caught:
                await engine.embed([Prompt("a")], "m")
        assert (caught.value.status, caught.value.message) == (status, "no embeddings here")

    async def test_a_server_that_is_gone(self) -> None:
        engine = create_embedding_engine(Settings(upstream="http://127.0.0.1:1/v1"))
        assert engine is not None
        with pytest.raises(EngineUnreachable):
            await engine.embed([Prompt("a")], "m")
        await engine.close()
