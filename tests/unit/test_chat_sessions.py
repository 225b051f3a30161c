"""Chat in sessions: what the engine sees, what is kept, and when."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import orjson
import pytest

from localaik.errors import EngineUnreachable, InternalFault
from tests.chat_face import CAPABILITIES, ChatFace, Object, Reply, chat_face, message_of, said, user

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


@pytest.fixture
async def face() -> AsyncIterator[ChatFace]:
    async with chat_face() as one:
        yield one


@pytest.mark.parametrize("stream", [False, True])
async def test_w13_the_second_request_holds_the_first_turn(face: ChatFace, stream: bool) -> None:
    session = await face.new_session()
    face.replies += [Reply(("Hi ", "Ada")), Reply(("Ada",))]
    for text in ("My name is Ada.", "What is my name?"):
        await (face.frames if stream else face.chat)(user(text), session=session)
    assert face.prompt() == [("user", "My name is Ada."), ("assistant", "Hi Ada"), ("user", "What is my name?")]
    assert await face.messages(session) == [
        user("My name is Ada."),
        said("assistant", "Hi Ada"),
        user("What is my name?"),
        said("assistant", "Ada"),
    ]


async def test_w13_what_was_said_is_kept_when_the_last_frame_arrives(face: ChatFace) -> None:
    session = await face.new_session()
    body = {"messages": [user("Hi")], "stream": True}
    async with face.request("POST", "/v1/chat/completions", body, {"X-Session-Id": session}) as answer:
        async for line in answer.content:
            if line.startswith(b"data: [DONE]"):
                break
        assert len(await face.messages(session)) == 2


async def test_w13_a_session_survives_a_restart_without_being_loaded(tmp_path: Path) -> None:
    async with chat_face(tmp_path) as face:
        session = await face.new_session()
        await face.chat(user("I am Ada."), session=session)
    async with chat_face(tmp_path) as face:
        assert (await face.ask("GET", "/v1/sessions/current"))["session_id"] == session
        await face.chat(user("Who am I?"), session=session)
        assert face.prompt() == [("user", "I am Ada."), ("assistant", "Hello"), ("user", "Who am I?")]


async def test_w14_sessions_in_turn_and_in_parallel_never_mix(face: ChatFace) -> None:
    a, b = await face.new_session(), await face.new_session()
    await face.ask("POST", f"/v1/sessions/{a}/load")
    for number in range(3):
        await asyncio.gather(face.chat(user(f"a{number}"), session=a), face.chat(user(f"b{number}"), session=b))
    for session, letter in ((a, "a"), (b, "b")):
        told = [message["content"] for message in await face.messages(session) if message["role"] == "user"]
        assert told == [f"{letter}{number}" for number in range(3)]
    assert (await face.ask("GET", "/v1/sessions/current"))["session_id"] == a


async def test_the_sdk_carries_a_session_in_a_header(face: ChatFace) -> None:
    session = await face.new_session()
    async with face.sdk() as sdk:
        for _ in range(2):
            raw = await sdk.chat.completions.with_raw_response.create(
                model="m", messages=[{"role": "user", "content": "Hi"}], extra_headers={"X-Session-Id": session}
            )
            assert raw.headers["X-Session-Id"] == session
    assert len(face.prompt()) == 3


async def test_w15_an_unknown_session_is_refused_before_anything_is_generated(face: ChatFace) -> None:
    for unknown in ("sess_0123456789ab", "../x", "sess_0123456789AB", "s" * 300):
        for stream in (False, True):
            error = await face.chat(user("Hi"), session=unknown, status=404, stream=stream)
            assert error == {
                "message": f"Session not found: {unknown}",
                "type": "invalid_request_error",
                "param": None,
                "code": "session_not_found",
            }
    assert face.engine.calls == []


async def test_without_a_session_nothing_is_opened(face: ChatFace) -> None:
    await face.chat(user("Hi"))
    await face.chat(user("Hi"), store=False)
    await face.frames(user("Hi"))
    assert not face.store.may_hold_anything()


async def test_w16_a_result_finds_its_call_in_the_session(face: ChatFace) -> None:
    session = await face.new_session()
    face.replies.append(Reply((), calls=[("f", '{"a":1}')], finish="tool_calls"))
    completion = await face.chat(user("Call."), session=session, tools=[TOOL])
    (call,) = message_of(completion)["tool_calls"]  # type: ignore[misc]
    await face.chat(said("tool", "42", tool_call_id=call["id"]), session=session)
    assert [role for role, _ in face.prompt()] == ["user", "assistant", "user"]
    assert (await face.messages(session))[1] == {"role": "assistant", "content": None, "tool_calls": [call]}
    error = await face.chat(said("tool", "42", tool_call_id="other"), session=session, status=400)
    assert error["param"] == "messages[0].tool_call_id"


async def test_w16_the_same_system_message_three_times_is_kept_once(face: ChatFace) -> None:
    session = await face.new_session()
    for number in range(3):
        await face.chat(said("developer", "Be brief."), user(f"{number}"), session=session)
    told = await face.messages(session)
    assert [message["role"] for message in told] == ["developer", *["user", "assistant"] * 3]
    assert str(face.prompt()).count("Be brief.") == 1
    await face.chat(said("system", "Be long."), user("3"), session=session)
    told = await face.messages(session)
    assert told[0] == said("system", "Be long.")
    assert len(told) == 9
    assert "Be brief." not in str(face.prompt())
    await face.chat(user("4"), session=session)
    assert "Be long." in str(face.prompt())


async def test_a_later_system_message_stays_where_it_is(face: ChatFace) -> None:
    session = await face.new_session()
    await face.chat(user("a"), said("system", "Now be brief."), user("b"), session=session)
    assert [message["role"] for message in await face.messages(session)] == ["user", "system", "user", "assistant"]


async def test_thoughts_are_not_kept(face: ChatFace) -> None:
    session = await face.new_session()
    face.replies.append(Reply(("Yes",), thoughts=("Hm.",)))
    completion = await face.chat(user("Hi"), session=session)
    assert message_of(completion)["reasoning_content"] == "Hm."
    assert (await face.messages(session))[1] == said("assistant", "Yes")


async def test_of_several_choices_the_first_is_kept(face: ChatFace) -> None:
    session = await face.new_session()
    face.replies += [Reply((text,)) for text in ("A", "B")]
    completion = await face.chat(user("Hi"), session=session, n=2)
    assert await face.messages(session) == [user("Hi"), said("assistant", message_of(completion)["content"])]


@pytest.mark.parametrize("stream", [False, True])
async def test_w12_an_answer_that_the_limit_cut_is_kept(face: ChatFace, stream: bool) -> None:
    session = await face.new_session()
    face.replies.append(Reply(("Once upon",), finish="length"))
    await (face.frames if stream else face.chat)(user("Tell."), session=session, max_tokens=2)
    assert (await face.messages(session))[1] == said("assistant", "Once upon")


async def test_a_call_that_the_limit_cut_is_not_kept(face: ChatFace) -> None:
    session = await face.new_session()
    face.replies.append(Reply((), calls=[("f", '{"a":')], finish="length"))
    completion = await face.chat(user("Call."), session=session, tools=[TOOL], max_tokens=2)
    assert completion["choices"][0]["finish_reason"] == "length"  # type: ignore[index]
    assert (await face.messages(session))[1] == said("assistant", "")
    await face.chat(user("Go on."), session=session)


async def test_w17_nothing_is_kept_of_a_turn_that_failed(face: ChatFace) -> None:
    session = await face.new_session()
    face.replies.append(Reply(fault=EngineUnreachable("gone")))
    assert (await face.chat(user("Hi"), session=session, status=502))["code"] == "upstream_unreachable"
    assert await face.messages(session) == []
    await face.chat(user("Hi"), session=session)
    assert len(await face.messages(session)) == 2


async def test_w17_nothing_is_kept_of_a_turn_whose_caller_left(face: ChatFace) -> None:
    session = await face.new_session()
    face.engine.block.clear()
    body = {"messages": [user("Hi")], "stream": True}
    async with face.request("POST", "/v1/chat/completions", body, {"X-Session-Id": session}) as answer:
        await answer.content.readany()
        answer.close()
    await face.engine.idle.wait()
    face.engine.block.set()
    assert await face.messages(session) == []
    await face.chat(user("Hi"), session=session)  # the session is free again


async def test_w17_turns_of_one_session_wait_for_each_other(face: ChatFace) -> None:
    session = await face.new_session()
    face.engine.block.clear()
    first = asyncio.create_task(face.chat(user("one"), session=session))
    await face.engine.called.wait()
    second = asyncio.create_task(face.chat(user("two"), session=session))
    for _ in range(50):  # the second one gets as far as it can
        await asyncio.sleep(0)
    assert len(face.engine.calls) == 1
    face.engine.block.set()
    await asyncio.gather(first, second)
    assert face.prompt() == [("user", "one"), ("assistant", "Hello"), ("user", "two")]


async def test_w17_a_session_that_stays_busy_is_a_conflict() -> None:
    async with chat_face(session_wait_seconds=0.05) as face:
        session = await face.new_session()
        face.engine.block.clear()
        first = asyncio.create_task(face.chat(user("one"), session=session))
        await face.engine.called.wait()
        error = await face.chat(user("two"), session=session, status=409)
        assert error["code"] == "session_busy"
        face.engine.block.set()
        await first
        assert len(await face.messages(session)) == 2


async def test_messages_are_counted_by_their_texts_calls_and_images(face: ChatFace) -> None:
    session = await face.new_session()
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}}
    await face.chat(user("12345"), session=session)
    stats = await face.ask("GET", f"/v1/sessions/{session}")
    assert stats["token_count"] == (5 + 4) + (5 + 4)
    async with chat_face(capabilities=replace(CAPABILITIES, vision=True)) as other:
        session = await other.new_session()
        await other.chat(user([{"type": "text", "text": "123"}, image]), session=session)
        assert (await other.ask("GET", f"/v1/sessions/{session}"))["token_count"] == (3 + 256 + 4) + 9
    call: Object = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    session = await face.new_session()
    turn = [user("1"), said("assistant", None, tool_calls=[call]), said("tool", "2", tool_call_id="c")]
    await face.chat(*turn, session=session)
    expected = (1 + 4) + (len(orjson.dumps([call])) + 4) + (1 + 4) + 9
    assert (await face.ask("GET", f"/v1/sessions/{session}"))["token_count"] == expected


async def test_without_a_tokenizer_messages_are_estimated() -> None:
    async with chat_face(capabilities=replace(CAPABILITIES, tokenize=False)) as face:
        session = await face.new_session()
        await face.chat(user("x" * 40), session=session)
        assert (await face.ask("GET", f"/v1/sessions/{session}"))["token_count"] == (10 + 4) + (1 + 4)


@pytest.mark.parametrize("limit", [{}, {"max_tokens": 100}, {"max_completion_tokens": 100, "max_tokens": 1}])
async def test_w18_a_session_that_has_outgrown_the_context_is_refused(face: ChatFace, limit: Object) -> None:
    session = await face.new_session()
    await face.chat(user("x" * 400), session=session)
    fits = 1000 - int(limit.get("max_completion_tokens", limit.get("max_tokens", 1))) - 413 - 4  # type: ignore[call-overload]
    error = await face.chat(user("y" * (fits + 1)), session=session, status=400, **limit)
    assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")
    assert len(face.engine.calls) == 1
    await face.chat(user("y" * fits), session=session, **limit)


async def test_w18_the_oldest_turns_are_left_out_of_the_prompt_and_stay_in_the_store() -> None:
    async with chat_face(session_overflow="drop_oldest") as face:
        session = await face.new_session()
        await face.chat(said("system", "Rule."), user("a" * 400), session=session)
        await face.chat(user("b" * 400), session=session)
        await face.chat(user("c" * 400), session=session)
        prompt = str(face.prompt())
        assert "aaa" not in prompt
        assert all(text in prompt for text in ("Rule.", "bbb", "ccc"))
        assert len(await face.messages(session)) == 7
        stats = await face.ask("GET", f"/v1/sessions/{session}")
        assert (stats["tokens_remaining"], stats["context_usage"]) == (0, round(stats["token_count"] / 1000, 4))  # type: ignore[operator]
        error = await face.chat(user("d" * 1000), session=session, status=400)
        assert error["code"] == "context_length_exceeded"


async def test_w18_a_result_is_left_out_with_its_call_only() -> None:
    async with chat_face(session_overflow="drop_oldest") as face:
        session = await face.new_session()
        face.replies.append(Reply((), calls=[("f", "{}")], finish="tool_calls"))
        completion = await face.chat(user("a" * 500), session=session, tools=[TOOL])
        (call,) = message_of(completion)["tool_calls"]  # type: ignore[misc]
        error = await face.chat(said("tool", "b" * 600, tool_call_id=call["id"]), session=session, status=400)
        assert error["code"] == "context_length_exceeded"
        await face.chat(said("tool", "b" * 200, tool_call_id=call["id"]), session=session)
        await face.chat(user("c" * 300), session=session)
        assert face.prompt() == [("user", "c" * 300)]


async def test_faults_name_the_place_in_the_request_and_else_in_the_session(face: ChatFace) -> None:
    session = await face.new_session()
    face.engine.capabilities = replace(CAPABILITIES, vision=False)  # the loader of the tests tells where a file stood
    file = {"type": "file", "file": {"file_data": "QQ==", "filename": "a.txt"}}
    await face.chat(said("system", "s"), user("1"), said("assistant", "2"), user([file]), session=session)
    assert "text of messages[3].content[0].file" in str(face.prompt())
    await face.chat(said("system", "s"), user([file]), session=session)
    assert "text of session.messages[3].content[0].file" in str(face.prompt())
    assert "text of messages[1].content[0].file" in str(face.prompt())
    error = await face.chat(user([{"type": "input_audio"}]), session=session, status=400)
    assert str(error["param"]).startswith("messages[0].content[0]")


async def test_a_session_knows_the_model_it_was_made_for(face: ChatFace) -> None:
    made = await face.ask("POST", "/v1/sessions", {"model": "mine"})
    session = str(made["session_id"])
    assert (await face.chat(user("Hi"), session=session))["model"] == "mine"
    assert (await face.chat(user("Hi"), session=session, model="other"))["model"] == "other"
    assert (await face.chat(user("Hi"), session=await face.new_session()))["model"] == "tiny"


async def test_a_legacy_call_is_kept_as_one(face: ChatFace) -> None:
    session = await face.new_session()
    face.replies.append(Reply((), calls=[("f", "{}")], finish="tool_calls"))
    await face.chat(user("Call."), session=session, functions=[{"name": "f"}])
    assert (await face.messages(session))[1] == {
        "role": "assistant",
        "content": None,
        "function_call": {"name": "f", "arguments": "{}"},
    }
    await face.chat({"role": "function", "name": "f", "content": "42"}, session=session)


@pytest.mark.parametrize("kind", ["sessions", "completions"])
async def test_what_cant_be_kept_does_not_look_complete(
    face: ChatFace, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await face.new_session()
    stores = await getattr(face.store, kind)()

    async def fail(*_: object, **__: object) -> NoReturn:
        raise InternalFault("The disk is full.")

    monkeypatch.setattr(type(stores), "append" if kind == "sessions" else "save", fail)
    more: Object = {"store": True} if kind == "completions" else {}
    headers = {"X-Session-Id": session} if kind == "sessions" else {}
    body = {"messages": [user("Hi")], "stream": True, **more}
    async with face.request("POST", "/v1/chat/completions", body, headers) as answer:
        *_, last, rest = (await answer.text()).split("\n\n")
    assert rest == ""
    assert orjson.loads(last.removeprefix("data: "))["error"]["message"] == "The disk is full."
    async with face.request("POST", "/v1/chat/completions", {**body, "stream": False}, headers) as answer:
        assert answer.status == 500
