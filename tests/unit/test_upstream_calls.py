"""What goes to an upstream, and what its faults become, over a real socket."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest

from localaik.content import Text
from localaik.engine.engine import Engine
from localaik.engine.sources import create_engine
from localaik.errors import (
    ContextOverflow,
    EngineAnswerInvalid,
    EngineFault,
    EngineRefused,
    EngineUnreachable,
    LocalaikError,
    TimedOut,
    Unavailable,
)
from localaik.generation.events import GenerationEvent, Usage
from localaik.generation.fold import Generation, fold
from localaik.generation.request import GenerationRequest, Message
from localaik.generation.run import Pipeline
from localaik.settings import Settings
from tests.fake_engine import Answer, ScriptedEngine, error, redirect

SECRET = "Bearer sk-very-secret-1"


class NoLoader:
    async def load(self, attachments: list[object]) -> list[list[object]]:
        raise AssertionError("nothing is attached")


@asynccontextmanager
async def pipeline(url: str, **settings: object) -> AsyncIterator[tuple[Pipeline, Engine]]:
    chosen = Settings.model_validate({"upstream": url, **settings})
    engine, _ = create_engine(chosen)
    await engine.start()
    try:
        yield Pipeline(engine, chosen, NoLoader()), engine  # type: ignore[arg-type]
    finally:
        await engine.close()


def ask(model: str = "m", **fields: object) -> GenerationRequest:
    return GenerationRequest(model, [Message("user", [Text("Hi there")])], **fields)  # type: ignore[arg-type]


async def generate(url: str, request: GenerationRequest | None = None, **settings: object) -> Generation:
    async with pipeline(url, **settings) as (pipe, _):
        return await fold(pipe.run(request or ask()))


@pytest.mark.parametrize("llamacpp", [True, False])
async def test_an_answer_is_folded_from_a_stream(llamacpp: bool) -> None:
    async with ScriptedEngine(llamacpp=llamacpp) as engine:
        engine.answer(["Hel", "lo"])
        generation = await generate(engine.url)
        body = engine.calls[0].body
    assert generation.choices[0].text == "Hello"
    assert generation.usage == Usage(7, 2)
    assert (body["stream"], body["stream_options"], body["seed"]) == (True, {"include_usage": True}, 42)
    assert ("cache_prompt" in body) is llamacpp
    assert ("max_tokens" in body) is llamacpp


@pytest.mark.parametrize("llamacpp", [True, False])
async def test_b148_only_headers_that_we_choose_go_upstream(llamacpp: bool) -> None:
    async with ScriptedEngine(llamacpp=llamacpp) as engine:
        await generate(engine.url, upstream_auth_header=f"Authorization: {SECRET}")
        requests = engine.requests
    allowed = {"host", "user-agent", "accept", "content-type", "content-length", "authorization", "connection"}
    for request in requests:
        assert {name.lower() for name in request.headers} <= allowed | {"accept-encoding"}
        assert request.headers["Authorization"] == SECRET
        assert request.headers["User-Agent"] == "localaik"


@pytest.mark.parametrize(
    ("asked", "configured", "sent"),
    [("b", "", "b"), ("unknown", "", "a"), ("b", "c", "c")],
)
async def test_b149_the_upstream_is_asked_for_a_model_that_it_has(asked: str, configured: str, sent: str) -> None:
    async with ScriptedEngine(llamacpp=False, models=("a", "b")) as engine:
        await generate(engine.url, ask(asked), upstream_model=configured)
        assert engine.calls[0].body["model"] == sent


async def test_b150_an_upstream_without_stream_options_is_asked_once_without() -> None:
    async with ScriptedEngine(llamacpp=False) as engine, pipeline(engine.url) as (pipe, _):
        engine.enqueue(error(400, "Unknown parameter: stream_options", "invalid_request_error"))
        engine.enqueue(Answer(tokens=("a", "b"), usage=False))
        first = await fold(pipe.run(ask()))
        engine.enqueue(Answer(tokens=("c",), usage=False))
        await fold(pipe.run(ask()))
        sent = ["stream_options" in call.body for call in engine.calls if call.body.get("stream")]
    assert (first.choices[0].text, first.usage.completion_tokens) == ("ab", 2)
    assert sent == [True, False, False]


async def test_b150_missing_usage_is_counted_with_the_tokenizer() -> None:
    async with ScriptedEngine() as engine:
        engine.enqueue(Answer(tokens=("one two", " three"), usage=False))
        generation = await generate(engine.url)
    assert generation.usage.completion_tokens == 3
    assert generation.usage.prompt_tokens > 0


@pytest.mark.parametrize("shape", ["object", "text", "flat", "detail"])
@pytest.mark.parametrize("status", [400, 404, 429, 500])
async def test_b108_an_upstreams_error_keeps_status_and_message(shape: str, status: int) -> None:
    async with ScriptedEngine(llamacpp=False) as engine:
        engine.enqueue(error(status, "no such thing", shape=shape, headers={"Retry-After": "3"}))  # type: ignore[arg-type]
        with pytest.raises(EngineRefused) as fault:
            await generate(engine.url)
    assert (fault.value.status, fault.value.message, fault.value.retry_after) == (status, "no such thing", 3)


async def test_b144_a_credential_that_the_upstream_repeats_is_hidden() -> None:
    async with ScriptedEngine(llamacpp=False) as engine:
        engine.enqueue(error(400, "You sent sk-very-secret-1, really"))
        with pytest.raises(EngineRefused) as fault:
            await generate(engine.url, upstream_auth_header=f"Authorization: {SECRET}")
    assert "sk-very" not in fault.value.message
    assert "***" in fault.value.message


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (error(401, "bad key"), EngineUnreachable),
        (redirect("http://127.0.0.1:1/"), EngineAnswerInvalid),
        (error(200, "not an error at all"), EngineAnswerInvalid),
        (error(503, "Loading model"), Unavailable),
        (error(400, "too long", "exceed_context_size_error", n_prompt_tokens=9, n_ctx=8), ContextOverflow),
        (Answer(fault="error_frame"), EngineAnswerInvalid),
        (Answer(fault="not_json"), EngineAnswerInvalid),
        (Answer(fault="hang_up"), EngineFault),
        (Answer(fault="hang_up_early"), EngineUnreachable),
        (Answer(finish=None, done=False), EngineAnswerInvalid),
    ],
)
@pytest.mark.parametrize("llamacpp", [True, False])
async def test_b152_faults_of_an_upstream_are_never_a_clean_end(
    script: Answer, kind: type[LocalaikError], llamacpp: bool
) -> None:
    async with ScriptedEngine(llamacpp=llamacpp) as engine:
        engine.default = script
        with pytest.raises(kind):
            await generate(engine.url)


@pytest.mark.parametrize("script", [Answer(done=False), Answer(finish=None)])
async def test_b152_a_finish_reason_or_done_alone_is_a_clean_end(script: Answer) -> None:
    async with ScriptedEngine(llamacpp=False) as engine:
        engine.enqueue(script)
        generation = await generate(engine.url)
    assert (generation.choices[0].text, generation.choices[0].finish_reason) == ("Hello there.", "stop")


async def test_b153_a_silent_upstream_is_given_up() -> None:
    never = asyncio.Event()
    async with ScriptedEngine(llamacpp=False) as engine:
        engine.enqueue(Answer(first_byte=never))
        with pytest.raises(TimedOut):
            await generate(engine.url, upstream_first_byte_timeout_seconds=0.05)
        engine.enqueue(Answer(gates={1: never}))
        with pytest.raises(TimedOut):
            await generate(engine.url, upstream_idle_timeout_seconds=0.05)


async def test_b113_an_unreachable_upstream_is_named_without_its_address() -> None:
    with pytest.raises(EngineUnreachable) as fault:
        await generate("http://user:secret@127.0.0.1:1/v1")
    assert "secret" not in fault.value.message


async def test_b137_the_upstream_learns_of_the_callers_departure() -> None:
    never = asyncio.Event()
    async with ScriptedEngine(llamacpp=False) as engine, pipeline(engine.url) as (pipe, _):
        engine.enqueue(Answer(gates={1: never}))
        batches: AsyncGenerator[list[GenerationEvent], None] = pipe.run(ask())
        await anext(batches)
        await batches.aclose()
        async with asyncio.timeout(10):
            await engine.disconnected.wait()


async def test_b155_connections_are_reused_and_bounded() -> None:
    async with ScriptedEngine(llamacpp=False) as engine, pipeline(engine.url) as (pipe, _):
        engine.default = Answer(tokens=("a",), at_once=True)

        async def caller() -> None:
            for _ in range(10):
                await fold(pipe.run(ask()))

        await asyncio.gather(*(caller() for _ in range(32)))
        assert len(engine.calls) == 320
        assert len(engine.connections) <= 40


async def test_no_more_generations_than_slots_are_sent_at_once() -> None:
    async with ScriptedEngine(slots=2) as engine, pipeline(engine.url) as (pipe, _):
        await asyncio.gather(*(fold(pipe.run(ask())) for _ in range(10)))
        assert engine.peak <= 2


@pytest.mark.parametrize(("status", "reason"), [(200, ""), (503, "http_503"), (500, "http_500")])
@pytest.mark.parametrize("llamacpp", [True, False])
async def test_b127_health_asks_the_upstream(status: int, reason: str, llamacpp: bool) -> None:
    async with ScriptedEngine(llamacpp=llamacpp) as upstream, pipeline(upstream.url) as (_, engine):
        upstream.health_status = status
        health = await engine.health()
    assert (health.ok, health.reason) == (status == 200, reason)


async def test_b127_many_probes_are_one_question() -> None:
    async with ScriptedEngine() as upstream, pipeline(upstream.url) as (_, engine):
        await engine.health()
        before = len(upstream.requests)
        await asyncio.gather(*(engine.health() for _ in range(20)))
        assert len(upstream.requests) == before


@pytest.mark.parametrize("llamacpp", [True, False])
async def test_b156_tokens_are_counted_by_what_the_upstream_offers(llamacpp: bool) -> None:
    async with ScriptedEngine(llamacpp=llamacpp) as engine, pipeline(engine.url) as (pipe, _):
        assert (await pipe.count_tokens(ask())).prompt_tokens > 0
