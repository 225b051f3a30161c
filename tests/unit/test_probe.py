import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from localaik.engine.capabilities import LLAMA_CPP, LLAMA_CPP_PYTHON, OLLAMA, UNKNOWN, VLLM, Capabilities
from localaik.engine.probe import Answers, apply_settings, probe, read_answers
from localaik.engine.upstream import Upstream
from localaik.errors import EngineUnreachable
from localaik.settings import Settings

META = {"n_ctx": 4096, "n_ctx_train": 131072, "n_vocab": 1536}
LLAMA_MODELS = {
    "models": [{"name": "tiny"}],
    "object": "list",
    "data": [{"id": "tiny", "object": "model", "owned_by": "llamacpp", "meta": META}],
}
LLAMA_PROPS = {
    "default_generation_settings": {"n_ctx": 8192, "params": {}},
    "total_slots": 4,
    "modalities": {"vision": True, "video": True, "audio": False},
    "media_marker": "<__media_x__>",
    "chat_template": "{{ messages }}",
    "chat_template_caps": {"supports_tools": False, "supports_system_role": True, "odd": "value"},
    "build_info": "b1-0c1e570",
}
VLLM_MODELS = {"data": [{"id": "google/gemma-3-4b-it", "owned_by": "vllm", "max_model_len": 32768}]}
OLLAMA_MODELS = {"data": [{"id": "gemma3:4b", "owned_by": "library"}, {"id": "llama3", "owned_by": "library"}]}


class TestReadAnswers:
    def test_llama_cpp(self) -> None:
        assert read_answers(Answers(LLAMA_MODELS, LLAMA_PROPS), Settings(), LLAMA_CPP) == replace(
            LLAMA_CPP,
            model_id="tiny",
            model_ids=("tiny",),
            context_tokens=8192,
            trained_tokens=131072,
            vocabulary=1536,
            slots=4,
            vision=True,
            audio=False,
            template_caps={"supports_tools": False, "supports_system_role": True},
            chat_template="{{ messages }}",
            media_marker="<__media_x__>",
            build="b1-0c1e570",
        )

    def test_a_remote_llama_cpp_is_recognised(self) -> None:
        assert read_answers(Answers(LLAMA_MODELS, LLAMA_PROPS), Settings()).kind == "llamacpp"

    def test_a_remote_llama_cpp_without_props_is_recognised_by_its_owner(self) -> None:
        capabilities = read_answers(Answers(LLAMA_MODELS), Settings())
        assert (capabilities.kind, capabilities.context_tokens, capabilities.slots) == ("llamacpp", 4096, 0)
        assert not capabilities.vision

    def test_vllm(self) -> None:
        answers = Answers(VLLM_MODELS, None, {"version": "0.11.0"})
        capabilities = read_answers(answers, Settings())
        assert capabilities == replace(
            VLLM,
            model_id="google/gemma-3-4b-it",
            model_ids=("google/gemma-3-4b-it",),
            context_tokens=32768,
            build="vllm 0.11.0",
        )

    def test_ollama(self) -> None:
        answers = Answers(OLLAMA_MODELS, ollama_version={"version": "0.12.0"})
        capabilities = read_answers(answers, Settings(ctx_size=2048))
        assert capabilities == replace(
            OLLAMA,
            model_id="gemma3:4b",
            model_ids=("gemma3:4b", "llama3"),
            context_tokens=2048,
            build="ollama 0.12.0",
        )

    def test_llama_cpp_python_far_away(self) -> None:
        models = {"data": [{"id": "/m.gguf", "object": "model", "owned_by": "me", "permissions": []}]}
        assert read_answers(Answers(models), Settings()).kind == "llama_cpp_python"

    def test_anything_else_is_unknown_and_trusted_with_little(self) -> None:
        capabilities = read_answers(Answers({"data": [{"id": "gpt"}]}), Settings(ctx_size=1000))
        assert capabilities == replace(UNKNOWN, model_id="gpt", model_ids=("gpt",), context_tokens=1000)
        assert not capabilities.grammar
        assert not capabilities.vision
        assert capabilities.slots == 0

    def test_b149_the_setting_names_the_model_and_its_context_counts(self) -> None:
        models = {"data": [{"id": "a", "max_model_len": 1}, {"id": "b", "max_model_len": 2}]}
        capabilities = read_answers(Answers(models), Settings(upstream="http://h", upstream_model="b"))
        assert (capabilities.model_id, capabilities.context_tokens) == ("b", 2)

    def test_b149_a_model_that_is_not_listed_is_asked_for_all_the_same(self) -> None:
        capabilities = read_answers(Answers(VLLM_MODELS), Settings(upstream="http://h", upstream_model="other"))
        assert capabilities.model_id == "other"

    def test_what_the_launcher_declared_stays(self) -> None:
        declared = replace(LLAMA_CPP_PYTHON, model_id="m", context_tokens=512)
        assert read_answers(Answers(LLAMA_MODELS, LLAMA_PROPS), Settings(), declared) == replace(
            declared,
            model_id="tiny",
            model_ids=("tiny",),
            context_tokens=4096,
            trained_tokens=131072,
            vocabulary=1536,
        )
        assert read_answers(Answers(), Settings(), declared) == declared

    @pytest.mark.parametrize("junk", [None, [], "text", 3, {"data": None}, {"data": [1, {"id": ""}, {"id": 5}, {}]}])
    def test_junk_is_nothing(self, junk: object) -> None:
        answers = Answers(junk, junk, junk, junk)
        assert read_answers(answers, Settings(ctx_size=300)) == replace(UNKNOWN, context_tokens=300)

    @pytest.mark.parametrize("junk", [None, -1, 0, True, "8192", 1.5, 2**40, [], {}])
    def test_junk_in_fields_is_nothing(self, junk: object) -> None:
        models = {
            "data": [{"id": "a", "owned_by": "llamacpp", "meta": dict.fromkeys(META, junk), "max_model_len": junk}]
        }
        props = {
            "default_generation_settings": {"n_ctx": junk},
            "total_slots": junk,
            "modalities": {"vision": junk if junk is not True else 1},
            "media_marker": [junk],
            "chat_template": [junk],
            "chat_template_caps": [junk],
            "build_info": [junk],
        }
        capabilities = read_answers(Answers(models, props), Settings(ctx_size=300))
        assert capabilities == replace(LLAMA_CPP, model_id="a", model_ids=("a",), context_tokens=300)

    @pytest.mark.parametrize(
        ("caps", "native"),
        [
            ({"supports_tools": True, "supports_tool_calls": True}, True),
            ({"supports_tools": True, "supports_tool_calls": False}, False),
            ({"supports_tools": True}, False),
            ({"supports_tool_calls": True}, False),
            ({"supports_tools": 1, "supports_tool_calls": "yes"}, False),
        ],
    )
    def test_functions_need_a_template_that_tells_of_them_and_of_their_calls(
        self, caps: dict[str, object], native: bool
    ) -> None:
        answers = Answers(LLAMA_MODELS, {**LLAMA_PROPS, "chat_template_caps": caps})
        assert read_answers(answers, Settings()).native_tools is native


class TestSettings:
    @pytest.mark.parametrize(
        ("chosen", "grammar", "json_schema"),
        [
            ("auto", True, True),
            ("grammar", True, False),
            ("json_schema", False, True),
            ("none", False, False),
        ],
    )
    def test_a_remote_server_is_held_to_what_the_setting_says(
        self, chosen: str, grammar: bool, json_schema: bool
    ) -> None:
        settings = Settings.model_validate({"upstream_constraint": chosen})
        able = apply_settings(LLAMA_CPP_PYTHON, settings, remote=True)
        assert (able.grammar, able.json_schema) == (grammar, json_schema)
        assert apply_settings(LLAMA_CPP_PYTHON, settings, remote=False) == LLAMA_CPP_PYTHON

    @pytest.mark.parametrize(
        ("chosen", "remote", "told", "native"),
        [
            ("auto", True, True, True),
            ("auto", True, False, False),
            ("native", True, False, True),
            ("native", False, False, False),  # llama.cpp would drop the functions without a word
            ("native", False, True, True),
            ("prompt", True, True, False),
            ("prompt", False, True, False),
        ],
    )
    def test_how_functions_are_told(self, chosen: str, remote: bool, told: bool, native: bool) -> None:
        settings = Settings.model_validate({"tool_calls": chosen})
        able = apply_settings(replace(LLAMA_CPP, native_tools=told), settings, remote=remote)
        assert able.native_tools is native


class Upside:
    """A server that answers what a test wants, and notes what it was asked."""

    def __init__(self, routes: dict[str, Callable[[web.Request], web.StreamResponse]]) -> None:
        self.routes = routes
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.asked.append(f"{request.method} {request.path_qs}")
        self.headers.append(dict(request.headers))
        route = self.routes.get(request.path)
        return web.Response(status=404, text="<html>no</html>") if route is None else route(request)

    async def probe(
        self, *, query: str = "", auth: str = "", declared: Capabilities = UNKNOWN, settings: Settings | None = None
    ) -> Capabilities:
        upstream = Upstream.parse(f"{self.url}/v1{query}", auth)
        return await probe(upstream.base, upstream.root, upstream.headers, settings or Settings(), declared)


@asynccontextmanager
async def serving(**routes: Callable[[web.Request], web.StreamResponse]) -> AsyncIterator[Upside]:
    upside = Upside({"/" + name.replace("__", "/"): answer for name, answer in routes.items()})
    runner = web.ServerRunner(web.Server(upside.answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        upside.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield upside
    finally:
        await runner.cleanup()


def gives(value: object, status: int = 200) -> Callable[[web.Request], web.StreamResponse]:
    return lambda _request: web.json_response(value, status=status)


async def test_an_own_engine_is_asked_two_questions() -> None:
    async with serving(v1__models=gives(LLAMA_MODELS), props=gives(LLAMA_PROPS)) as server:
        capabilities = await server.probe(declared=LLAMA_CPP)
        assert sorted(server.asked) == ["GET /props", "GET /v1/models"]
        assert capabilities.slots == 4
        assert capabilities.count_tokens


async def test_a_remote_llama_cpp_is_asked_whether_it_counts() -> None:
    count = {"v1__chat__completions__input_tokens": gives({"input_tokens": 4})}
    async with serving(v1__models=gives(LLAMA_MODELS), props=gives(LLAMA_PROPS), **count) as server:
        assert (await server.probe()).count_tokens
        assert len(server.asked) == 5


async def test_an_old_llama_cpp_does_not_count() -> None:
    async with serving(v1__models=gives(LLAMA_MODELS), props=gives(LLAMA_PROPS)) as server:
        capabilities = await server.probe()
        assert not capabilities.count_tokens
        assert capabilities.apply_template


@pytest.mark.parametrize(
    ("able", "vision", "tools"),
    [
        (["completion", "vision"], True, False),
        (["completion", "tools"], False, True),
        (["completion"], False, False),
        (None, False, False),
        ("vision, tools", False, False),
    ],
)
async def test_ollama_tells_its_modalities_and_functions(able: object, vision: bool, tools: bool) -> None:
    async with serving(
        v1__models=gives(OLLAMA_MODELS),
        api__version=gives({"version": "0.12.0"}),
        api__show=gives({"capabilities": able}),
    ) as server:
        capabilities = await server.probe()
        assert (capabilities.kind, capabilities.vision, capabilities.native_tools) == ("ollama", vision, tools)


async def test_the_settings_have_the_last_word_on_what_was_told() -> None:
    settings = Settings(tool_calls="prompt", upstream_constraint="none")
    async with serving(
        v1__models=gives(OLLAMA_MODELS),
        api__version=gives({"version": "0.12.0"}),
        api__show=gives({"capabilities": ["tools"]}),
    ) as server:
        capabilities = await server.probe(settings=settings)
        assert (capabilities.json_schema, capabilities.native_tools) == (False, False)


@pytest.mark.parametrize(("status", "vision"), [(200, True), (400, False), (500, False)])
async def test_vllm_tokenizes_images_where_it_takes_them(status: int, vision: bool) -> None:
    async with serving(v1__models=gives(VLLM_MODELS), tokenize=gives({"count": 300}, status)) as server:
        capabilities = await server.probe()
        assert (capabilities.kind, capabilities.vision) == ("vllm", vision)


async def test_nothing_is_generated() -> None:
    async with serving(v1__models=gives(VLLM_MODELS), tokenize=gives({})) as server:
        await server.probe()
        assert len(server.asked) <= 5
        assert not [asked for asked in server.asked if asked.split("?")[0].endswith("/completions")]


async def test_html_and_missing_routes_are_tolerated() -> None:
    def html(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>login</html>", content_type="text/html")

    async with serving(v1__models=html, props=html, version=html) as server:
        assert await server.probe() == replace(UNKNOWN, context_tokens=8192)


async def test_b147_redirects_are_not_followed() -> None:
    def away(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with serving(v1__models=away, elsewhere=gives(VLLM_MODELS)) as server:
        assert (await server.probe(auth="X-Key: secret")).kind == "unknown"
        assert not [asked for asked in server.asked if "elsewhere" in asked]


async def test_b145_b146_query_and_credential_go_along_on_every_call() -> None:
    count = {"v1__chat__completions__input_tokens": gives({})}
    async with serving(v1__models=gives(LLAMA_MODELS), props=gives(LLAMA_PROPS), **count) as server:
        await server.probe(query="?a=b", auth="X-Key: secret")
        assert all(asked.endswith("?a=b") for asked in server.asked)
        assert [headers.get("X-Key") for headers in server.headers] == ["secret"] * 5


async def test_b148_only_our_own_headers_are_sent() -> None:
    async with serving() as server:
        await server.probe()
        names = {name.lower() for headers in server.headers for name in headers}
        assert names <= {"host", "accept", "accept-encoding", "user-agent", "connection"}


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    def huge(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"[" * 17_000_000)

    async with serving(v1__models=huge) as server:
        assert (await server.probe()).model_ids == ()


async def test_a_server_that_can_not_be_reached_is_a_fault(unused_tcp_port: int) -> None:
    upstream = Upstream.parse(f"http://user:secret@127.0.0.1:{unused_tcp_port}/v1")
    with pytest.raises(EngineUnreachable) as caught:
        await probe(upstream.base, upstream.root, upstream.headers, Settings())
    assert "secret" not in caught.value.message


async def test_a_server_that_hangs_up_is_a_fault() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        upstream = Upstream.parse(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
        with pytest.raises(EngineUnreachable):
            await probe(upstream.base, upstream.root, upstream.headers, Settings())
