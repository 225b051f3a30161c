"""One response from its request to its last event, on an engine and a store in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson
import pytest
import pytest_asyncio

from localaik.engine.calls import EngineCall, EngineNews
from localaik.engine.capabilities import LLAMA_CPP
from localaik.errors import AlreadyExists, BadRequest, EngineUnreachable, LocalaikError, NotFound
from localaik.protocols.openai.responses.chain import ChainMemory
from localaik.protocols.openai.responses.decode import read_create
from localaik.protocols.openai.responses.routes import answer_alone
from localaik.protocols.openai.responses.run import ResponseRun
from localaik.state.response_records import NewResponse
from localaik.state.store import Store
from tests.memory_engine import hello, saying
from tests.response_bench import MakeBench, benches, breaking, halting, response_of, shared_store, until
from tests.responses_grammar import check_response

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store() -> AsyncIterator[Store]:
    async with shared_store() as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def bench_of(store: Store) -> AsyncIterator[MakeBench]:
    async with benches(store) as make:
        yield make


async def test_what_is_told_is_what_is_stored(bench_of: MakeBench) -> None:
    bench = bench_of()
    response = await bench.answer()
    assert (response["status"], response["output_text"]) == ("completed", "Hello")
    stored = await bench.stored(response["id"])
    assert [orjson.loads(item.body) for item in stored.output] == response["output"]
    assert orjson.loads(stored.body) == response | {"output": [], "output_text": ""}


async def test_a_fault_before_the_first_event_is_raised_and_nothing_is_stored(bench_of: MakeBench) -> None:
    bench = bench_of(breaking())
    conversation = await bench.conversation()
    run = bench.run(conversation=conversation)
    await run.prepare()
    with pytest.raises(EngineUnreachable):
        await anext(run.frames())
    assert not await bench.is_stored(run.id)
    assert await bench.texts_of(conversation) == []
    assert bench.nothing_is_held(conversation)
    assert bench.services.live.shown(run.id) is None


async def test_a_later_fault_ends_the_stream_and_is_stored_with_the_output_so_far(bench_of: MakeBench) -> None:
    bench = bench_of(breaking(["Hel"], ["lo"]))
    conversation = await bench.conversation()
    response = await bench.answer(conversation=conversation)
    assert response["status"] == "failed"
    assert response["error"] == {"code": "server_error", "message": "The engine is gone."}
    assert [item["status"] for item in response["output"]] == ["incomplete"]
    assert response["output_text"] == "Hello"
    stored = await bench.stored(response["id"])
    assert (stored.status, len(stored.output)) == ("failed", 1)
    assert await bench.texts_of(conversation) == []
    assert bench.nothing_is_held(conversation)


async def test_a_defect_of_ours_tells_nothing_of_itself(bench_of: MakeBench, caplog: pytest.LogCaptureFixture) -> None:
    bench = bench_of(breaking(["Hel"], error=RuntimeError("secret")))
    response = await bench.answer()
    assert response["error"]["code"] == "server_error"
    assert "secret" not in response["error"]["message"]
    assert "failed" in caplog.text


async def test_a_fault_of_an_answer_in_one_piece_is_raised(bench_of: MakeBench) -> None:
    bench = bench_of(breaking(["Hel"]))
    run = ResponseRun(bench.services, read_create({"model": "m", "input": "Hi"}))
    await run.prepare()
    with pytest.raises(EngineUnreachable):
        [frames async for frames in run.frames()]
    assert not await bench.is_stored(run.id)
    assert bench.nothing_is_held()


async def test_a_caller_who_leaves_cancels(bench_of: MakeBench) -> None:
    bench = bench_of(halting)
    conversation = await bench.conversation()
    run = bench.run(conversation=conversation)
    await run.prepare()
    bench.engine.block.clear()
    async with aclosing(run.frames()) as frames:
        await anext(frames)
        assert bench.services.live.shown(run.id) == run.response
    assert (await bench.stored(run.id)).status == "cancelled"
    check_response(run.response)
    assert await bench.texts_of(conversation) == []
    assert bench.nothing_is_held(conversation)


async def test_what_nobody_has_heard_of_is_not_kept(bench_of: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = bench_of(halting)
    bench.engine.block.clear()
    whole = ResponseRun(bench.services, read_create({"model": "m", "input": "Hi"}))
    await whole.prepare()
    async with aclosing(whole.frames()) as frames:
        await anext(frames)
    assert not await bench.is_stored(whole.id)

    responses = await bench.store.responses()
    saving, go_on = asyncio.Event(), asyncio.Event()
    save = responses.save

    async def slow(new: NewResponse, **options: Any) -> None:
        await save(new, **options)
        saving.set()
        await go_on.wait()

    monkeypatch.setattr(responses, "save", slow)
    queued = bench.run(background=True)
    preparing = asyncio.create_task(queued.prepare())
    await saving.wait()
    preparing.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await preparing
    assert not await bench.is_stored(queued.id)
    assert bench.nothing_is_held()


async def test_a_handler_that_is_cancelled_cancels(bench_of: MakeBench) -> None:
    bench = bench_of(halting)
    run = bench.run()
    await run.prepare()
    bench.engine.block.clear()
    frames = run.frames()
    await anext(frames)
    waiting = asyncio.create_task(anext(frames))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await bench.stored(run.id)).status == "cancelled"
    assert bench.nothing_is_held()


async def test_work_in_the_background_is_cancelled_and_says_so(bench_of: MakeBench) -> None:
    bench = bench_of(halting)
    conversation = await bench.conversation()
    run = bench.run(background=True, conversation=conversation)
    await run.prepare()
    assert (await bench.stored(run.id)).status == "queued"
    bench.engine.block.clear()
    live = bench.services.live.start(run.id, run.frames())
    watched = live.watch()
    frames = await until(watched, "response.output_text.delta")
    await asyncio.gather(live.cancel(), live.cancel())  # two callers at once
    frames += [frame async for batch in watched for frame in batch]
    assert response_of(frames)["status"] == "cancelled"
    stored = await bench.stored(run.id)
    assert (stored.status, len(stored.output)) == ("cancelled", 1)
    assert bench.nothing_is_held(conversation)


async def test_work_in_the_background_fails_with_the_server(bench_of: MakeBench) -> None:
    bench = bench_of(halting)
    run = bench.run(background=True)
    await run.prepare()
    bench.engine.block.clear()
    watched = bench.services.live.start(run.id, run.frames()).watch()
    frames = await until(watched, "response.output_text.delta")
    await bench.services.live.close()
    frames += [frame async for batch in watched for frame in batch]
    response = response_of(frames)
    assert (response["status"], response["error"]["code"]) == ("failed", "server_error")
    assert (await bench.stored(run.id)).status == "failed"


@pytest.mark.parametrize("background", [True, False])
async def test_who_comes_too_late_cancels_nothing(
    bench_of: MakeBench, monkeypatch: pytest.MonkeyPatch, background: bool
) -> None:
    bench = bench_of()
    responses = await bench.store.responses()
    saving, go_on = asyncio.Event(), asyncio.Event()
    save = responses.save

    async def slow(new: NewResponse, **options: Any) -> None:
        if new.status == "completed":
            saving.set()
            await go_on.wait()
        await save(new, **options)

    monkeypatch.setattr(responses, "save", slow)
    run = bench.run(background=background)
    await run.prepare()
    live = bench.services.live.start(run.id, run.frames())
    await saving.wait()
    cancelling = asyncio.create_task(live.cancel())
    await asyncio.sleep(0)
    go_on.set()
    await cancelling
    assert (await bench.stored(run.id)).status == "completed"
    told = [frame async for batch in live.watch() for frame in batch]
    assert (told[-1].name == "response.completed") is background
    assert bench.nothing_is_held()


async def test_a_store_that_fails_is_an_error_and_holds_nothing(
    bench_of: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = bench_of()
    conversation = await bench.conversation()

    async def full(_new: NewResponse, **_options: Any) -> None:
        raise OSError("no space")

    monkeypatch.setattr(await bench.store.responses(), "save", full)
    run = bench.run(conversation=conversation)
    await run.prepare()
    told = [frame async for frames in run.frames() for frame in frames]
    assert [frame.name for frame in told].count("response.completed") == 0
    assert told[-1].name == "response.failed"
    assert [orjson.loads(frame.data)["sequence_number"] for frame in told] == list(range(len(told)))
    response = orjson.loads(told[-1].data)["response"]
    assert (response["status"], response["completed_at"], response["usage"]) == ("failed", None, None)
    assert bench.nothing_is_held(conversation)
    run = bench.run(conversation=conversation, background=True)
    with pytest.raises(OSError, match="no space"):
        await run.prepare()
    assert bench.nothing_is_held(conversation)


async def test_what_runs_is_not_continued(bench_of: MakeBench) -> None:
    bench = bench_of()
    for background in (True, False):
        run = bench.run(background=background)
        await run.prepare()
        with pytest.raises(BadRequest, match="can't be continued") as refused:
            await bench.run(previous_response_id=run.id).prepare()
        assert (refused.value.field, refused.value.reason) == ("previous_response_id", "invalid_value")
        run.close()


async def test_what_stops_a_batch_makes_no_response(bench_of: MakeBench) -> None:
    opened = asyncio.Event()

    def opening(call: EngineCall) -> list[list[EngineNews]]:
        opened.set()
        return halting(call)

    bench = bench_of(opening)
    bench.engine.block.clear()
    for body in ({}, {"background": True}):
        opened.clear()
        answering = asyncio.create_task(answer_alone(bench.services, {"model": "m", "input": "Hi", **body}))
        await opened.wait()
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering
        assert bench.nothing_is_held()


# Conversations


async def test_a_conversation_is_locked_while_a_response_runs_in_it(bench_of: MakeBench) -> None:
    bench = bench_of()
    conversation = await bench.conversation("My name is Ada.")
    run = bench.run(conversation={"id": conversation})
    await run.prepare()
    bodies: list[dict[str, Any]] = [{"conversation": conversation}, {"previous_response_id": conversation}]
    for body in bodies:
        second = bench.run(**body)
        with pytest.raises(AlreadyExists) as refused:
            await second.prepare()
        assert refused.value.reason == "conversation_locked"
        assert not bench.nothing_is_held(conversation)
    frames = run.frames()
    await until(frames, "response.completed")
    # Who has read the last event may go on at once.
    assert (await bench.answer(conversation=conversation))["status"] == "completed"
    await frames.aclose()
    assert await bench.texts_of(conversation) == ["My name is Ada.", "Hi", "Hello", "Hi", "Hello"]


REFUSED: list[dict[str, Any]] = [
    {"input": [{"type": "nonsense"}]},
    {"input": [{"type": "item_reference", "id": "msg_nothing"}]},
    {"tools": [{"type": "function", "name": "a b"}]},
    {"input": [{"type": "function_call_output", "call_id": "call_1", "output": "x"}]},
    {"input": [{"type": "compaction", "encrypted_content": "x"}]},
]


async def test_a_refused_request_gives_the_conversation_back(bench_of: MakeBench) -> None:
    bench = bench_of()
    conversation = await bench.conversation()
    for body in REFUSED:
        for background in (True, False):
            run = bench.run(conversation=conversation, background=background, **body)
            with pytest.raises(LocalaikError):
                await run.prepare()
            assert bench.nothing_is_held(conversation)
            assert not await bench.is_stored(run.id)


async def test_an_unknown_conversation_is_not_held(bench_of: MakeBench) -> None:
    bench = bench_of()
    with pytest.raises(NotFound):
        await bench.run(conversation="conv_nothing", background=True).prepare()
    assert bench.nothing_is_held("conv_nothing")


# Chains


async def test_without_store_nothing_is_opened(bench_of: MakeBench) -> None:
    bench = bench_of(fresh=True)
    response = await bench.answer(store=False)
    assert response["store"] is False
    assert not bench.store.may_hold_anything()
    assert bench.services.live.shown(response["id"]) is None


async def test_a_connection_remembers_what_ended_well(bench_of: MakeBench) -> None:
    bench = bench_of(saying("One", "Two"), fresh=True)
    memory = ChainMemory()
    first = await bench.answer(memory=memory, store=False, input="My name is Ada.")
    second = await bench.answer(memory=memory, store=False, previous_response_id=first["id"])
    assert second["previous_response_id"] == first["id"]
    assert "My name is Ada." in bench.shown()
    assert "One" in bench.shown()
    assert not bench.store.may_hold_anything()
    third = await bench.answer(memory=memory, previous_response_id=second["id"])
    context = await (await bench.store.responses()).context(third["id"])
    assert len(context) == 6


async def test_a_connection_forgets_what_failed(bench_of: MakeBench) -> None:
    bench = bench_of(breaking(["Hel"]))
    memory = ChainMemory()
    first = await bench.answer(memory=memory, store=False)
    assert first["status"] == "failed"
    assert memory.recall(first["id"]) is None


async def test_only_what_ended_well_is_continued(bench_of: MakeBench) -> None:
    bench = bench_of()
    responses = await bench.store.responses()
    for status in ("queued", "in_progress", "failed", "cancelled"):
        await responses.save(NewResponse("resp_1", 1, status, True, "{}", [], []))
        with pytest.raises(BadRequest) as refused:
            await bench.run(previous_response_id="resp_1").prepare()
        assert (refused.value.field, refused.value.reason) == ("previous_response_id", "invalid_value")
        assert status in refused.value.message
    for response_id in ("resp_nothing", "../x", "r" * 300, "resp_\0", "", "resp_a/b", "%2e%2e%2f"):
        with pytest.raises(BadRequest) as refused:
            await bench.run(previous_response_id=response_id).prepare()
        assert (refused.value.field, refused.value.reason) == ("previous_response_id", "previous_response_not_found")


async def test_odd_ids_do_not_reach_the_database(bench_of: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = bench_of()
    responses, conversations = await bench.store.responses(), await bench.store.conversations()

    async def reached(_work: object) -> None:
        raise AssertionError("the database was asked")

    for name in ("read", "write"):
        monkeypatch.setattr(responses._shelf.database, name, reached)
    for odd in ("../x", "resp_" + "a" * 300, "resp_\0", "", "resp_a/b", "resp_'--", "\ud83d\ude00"):
        for use in (responses.get, responses.context, responses.delete, conversations.get, conversations.delete):
            with pytest.raises(NotFound):
                await use(odd)
        with pytest.raises(NotFound):
            await responses.input_items(odd, limit=1)
        with pytest.raises(NotFound):
            await conversations.item(odd, "msg_1")


async def test_without_generation_the_response_is_empty_and_can_be_continued(bench_of: MakeBench) -> None:
    bench = bench_of()
    memory = ChainMemory()
    response = await bench.answer(memory=memory, generates=False, store=False, input="My name is Ada.")
    assert (response["status"], response["output"]) == ("completed", [])
    assert not bench.engine.calls
    await bench.answer(memory=memory, store=False, previous_response_id=response["id"])
    assert "My name is Ada." in bench.shown()


async def test_log_probabilities_that_an_engine_has_not_are_refused(bench_of: MakeBench) -> None:
    bench = bench_of(hello, replace(LLAMA_CPP, logprobs=False))
    with pytest.raises(BadRequest) as refused:
        await bench.run(top_logprobs=2).prepare()
    assert (refused.value.field, refused.value.reason) == ("top_logprobs", "unsupported_parameter")


async def test_a_server_that_stops_refuses_to_store(bench_of: MakeBench) -> None:
    bench = bench_of(fresh=True)
    await bench.store.close()
    run = bench.run()
    await run.prepare()
    told = [frame async for frames in run.frames() for frame in frames]
    assert told[-1].name == "response.failed"
    assert b"The server is stopping." in told[-1].data
    assert bench.nothing_is_held()
