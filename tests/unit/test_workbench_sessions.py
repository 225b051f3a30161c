"""The routes of sessions: shapes, order, faults in both forms."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import openai
import pytest

from localaik.errors import EngineUnreachable, InternalFault, NotServed, TimedOut, Unavailable
from localaik.protocols.workbench.errors import answer_of
from tests.chat_face import CAPABILITIES, ChatFace, Object, chat_face, said, user

SESSIONS = "/v1/sessions"
COUNT = f"{SESSIONS}/count-tokens"
STATS = [
    "session_id",
    "message_count",
    "token_count",
    "max_context",
    "tokens_remaining",
    "context_usage",
    "created_at",
    "last_accessed",
]


@pytest.fixture
async def face() -> AsyncIterator[ChatFace]:
    async with chat_face() as one:
        yield one


async def refusal(face: ChatFace, method: str, path: str, body: object = None, *, status: int) -> Object:
    """The error object; `detail` says the same."""
    answer = await face.ask(method, path, body, status=status)
    assert list(answer) == ["error", "detail"]
    error = answer["error"]
    assert isinstance(error, dict)
    assert list(error) == ["message", "type", "param", "code"]
    if status == 422:
        assert isinstance(answer["detail"], list)
        for detail in answer["detail"]:
            assert detail.keys() >= {"type", "loc", "msg", "input"}
            assert detail["loc"][0] in {"query", "body", "path"}
    else:
        assert answer["detail"] == error["message"]
    return error


async def test_w15_a_new_session_has_three_keys(face: ChatFace) -> None:
    for body in (None, {}, {"model": "m"}, {"model": None}, b" \n"):
        made = await face.ask("POST", SESSIONS, body)
        assert list(made) == ["session_id", "max_context", "created_at"]
        assert re.fullmatch("sess_[0-9a-f]{12}", str(made["session_id"]))
        assert made["max_context"] == 1000
        assert isinstance(made["created_at"], float)


async def test_w15_the_numbers_of_a_session(face: ChatFace) -> None:
    session = await face.new_session()
    await face.chat(user("x" * 487), session=session)
    stats = await face.ask("GET", f"{SESSIONS}/{session}")
    assert list(stats) == STATS
    assert (stats["session_id"], stats["message_count"], stats["token_count"]) == (session, 2, 500)
    assert (stats["max_context"], stats["tokens_remaining"], stats["context_usage"]) == (1000, 500, 0.5)
    assert isinstance(stats["last_accessed"], float)
    assert stats["created_at"] < stats["last_accessed"]  # type: ignore[operator]
    for path in (f"{SESSIONS}/current", f"{SESSIONS}/{session}"):
        assert await face.ask("GET", path) == stats
    assert (await face.ask("GET", SESSIONS))["sessions"] == [stats]


async def test_w15_messages_are_told_as_they_were_sent(face: ChatFace) -> None:
    session = await face.new_session()
    parts = [{"type": "text", "text": "é"}]
    await face.chat(said("developer", "Be brief."), said("user", parts, name="Ada"), session=session)
    told = await face.ask("GET", f"{SESSIONS}/{session}/messages")
    assert list(told) == ["session_id", "message_count", "token_count", "messages"]
    assert (told["session_id"], told["message_count"]) == (session, 3)
    assert told["messages"] == [
        said("developer", "Be brief."),
        said("user", parts, name="Ada"),
        said("assistant", "Hello"),
    ]


async def test_w15_the_session_that_was_used_last_comes_first(face: ChatFace) -> None:
    a, b, c = [await face.new_session() for _ in range(3)]
    await face.chat(user("Hi"), session=b)
    await face.ask("POST", f"{SESSIONS}/{a}/load")
    await face.ask("GET", f"{SESSIONS}/{c}/messages")
    sessions = (await face.ask("GET", SESSIONS))["sessions"]
    assert [one["session_id"] for one in sessions] == [a, b, c]  # type: ignore[attr-defined]


async def test_w14_reading_a_session_does_not_make_it_current(face: ChatFace) -> None:
    await refusal(face, "GET", f"{SESSIONS}/current", status=404)
    a, b = await face.new_session(), await face.new_session()
    loaded = await face.ask("POST", f"{SESSIONS}/{a}/load")
    assert list(loaded) == STATS
    for path in ("", "/messages"):
        await face.ask("GET", f"{SESSIONS}/{b}{path}")
    await face.chat(user("Hi"), session=b)
    assert (await face.ask("GET", f"{SESSIONS}/current"))["session_id"] == a


async def test_a_deleted_session_is_gone(face: ChatFace) -> None:
    session = await face.new_session()
    assert await face.ask("DELETE", f"{SESSIONS}/{session}") == {"session_id": session, "deleted": True}
    assert (await face.ask("GET", SESSIONS))["sessions"] == []
    error = await refusal(face, "GET", f"{SESSIONS}/current", status=404)
    assert (error["message"], error["code"]) == ("No active session", "session_not_found")
    await face.chat(user("Hi"), session=session, status=404)


@pytest.mark.parametrize("is_open", [False, True])
async def test_w15_unknown_ids_are_not_found(face: ChatFace, is_open: bool) -> None:
    if is_open:
        await face.new_session()
    for unknown in ("sess_0123456789ab", "..%2Fx", "sess_0123456789AB", "x" * 300, "%00", "x%22"):
        shown = unknown.replace("%2F", "/").replace("%00", "\0").replace("%22", '"')
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/load"), ("GET", "/messages")):
            error = await refusal(face, method, f"{SESSIONS}/{unknown}{path}", status=404)
            assert (error["message"], error["code"]) == (f"Session not found: {shown}", "session_not_found")
    assert face.store.may_hold_anything() is is_open


async def test_before_there_are_sessions_the_list_is_empty(face: ChatFace) -> None:
    assert await face.ask("GET", SESSIONS) == {"sessions": []}
    assert not face.store.may_hold_anything()


async def test_w18_without_a_known_context_window_nothing_is_left_or_used() -> None:
    async with chat_face(capabilities=replace(CAPABILITIES, context_tokens=0)) as face:
        session = await face.new_session()
        await face.chat(user("x" * 5000), session=session)
        stats = await face.ask("GET", f"{SESSIONS}/{session}")
        assert (stats["max_context"], stats["tokens_remaining"], stats["context_usage"]) == (0, 0, 0.0)


async def test_the_last_context_window_is_told_while_there_is_no_engine(tmp_path: Path) -> None:
    async with chat_face(tmp_path) as face:
        session = await face.new_session()
    async with chat_face(tmp_path, replace(CAPABILITIES, context_tokens=0)) as face:
        assert (await face.ask("GET", f"{SESSIONS}/{session}"))["max_context"] == 1000


async def test_a_session_can_be_made_while_there_is_no_engine() -> None:
    async with chat_face(capabilities=replace(CAPABILITIES, context_tokens=0)) as face:
        face.engine.ready = _unavailable  # type: ignore[method-assign]
        assert (await face.ask("POST", SESSIONS))["max_context"] == 0


async def _unavailable() -> NoReturn:
    raise Unavailable("The model is still loading.", reason="loading", retry_after=3)


async def test_w03_wrong_parameters_are_unprocessable(face: ChatFace) -> None:
    for body, loc, param in (
        ({"model": 1}, ["body", "model"], "model"),
        ([], ["body"], "body"),
        ("x", ["body"], "body"),
    ):
        answer = await face.ask("POST", SESSIONS, body, status=422)
        error = await refusal(face, "POST", SESSIONS, body, status=422)
        assert answer["detail"][0]["loc"] == loc  # type: ignore[index]
        assert (error["code"], error["param"]) == ("validation_error", param)
        assert param in str(error["message"])


async def test_w02_what_is_no_json_is_a_bad_request(face: ChatFace) -> None:
    for body in (b"{", b"{}{}", b"\xff", b"nul"):
        assert (await refusal(face, "POST", SESSIONS, body, status=400))["code"] == "invalid_json"


async def test_w01_wrong_paths_and_methods(face: ChatFace) -> None:
    told = {404: ("not_found", "Not Found"), 405: ("method_not_allowed", "Method Not Allowed")}
    for method, path, status in (
        ("PUT", "", 405),
        ("GET", "/count-tokens", 405),
        ("DELETE", "/current", 405),
        ("GET", "/sess_0123456789ab/other", 404),
        ("POST", "/sess_0123456789ab/messages/1", 404),
    ):
        error = await refusal(face, method, SESSIONS + path, status=status)
        assert (error["code"], error["message"]) == told[status]
        async with face.request(method, SESSIONS + path) as answer:
            assert ("Allow" in answer.headers) is (status == 405)
            assert answer.content_type == "application/json"


async def test_w02_sdks_show_the_message(face: ChatFace) -> None:
    async with face.sdk() as sdk:
        with pytest.raises(openai.NotFoundError, match="Session not found: x"):
            await sdk.get("/sessions/x", cast_to=object)


async def test_w02_a_defect_of_ours_tells_nothing_of_itself(face: ChatFace, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> NoReturn:
        raise RuntimeError("secret")

    monkeypatch.setattr(face.store, "sessions", broken)
    error = await refusal(face, "POST", SESSIONS, status=500)
    assert error["code"] == "internal_error"
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (EngineUnreachable("gone"), 502, "upstream_unreachable"),
        (Unavailable("loading", retry_after=3), 503, "overloaded"),
        (TimedOut("late", reason="timeout"), 504, "timeout"),
        (TimedOut("late", reason="request_timeout"), 408, "timeout"),
        (NotServed("no"), 404, "not_found"),
        (InternalFault("ours"), 500, "internal_error"),
    ],
)
def test_faults_have_a_status_and_a_code(fault: Exception, status: int, code: str) -> None:
    answer = answer_of(fault)  # type: ignore[arg-type]
    assert (answer.status, answer.body["error"]["code"]) == (status, code)  # type: ignore[index]
    assert answer.headers == ({"Retry-After": "3"} if status == 503 else {})


async def test_head_works_where_get_does(face: ChatFace) -> None:
    async with face.request("HEAD", SESSIONS) as answer:
        assert (answer.status, await answer.read()) == (200, b"")


async def test_w19_texts_are_counted_in_both_forms(face: ChatFace) -> None:
    for text, count in (("Hello world, this is a test.", 28), ("", 0), ("aé😀", 3), ("<start_of_turn>", 15)):
        expected = {"text_length": count, "token_count": count}
        assert await face.ask("POST", COUNT, {"text": text}) == expected
        assert await face.ask("POST", COUNT, {"text": text, "messages": None, "model": "m"}) == expected
        async with face.http.post(face.url.with_path(COUNT), params={"text": text}) as answer:
            assert await answer.json() == expected


async def test_w19_without_a_tokenizer_the_count_is_estimated() -> None:
    async with chat_face(capabilities=replace(CAPABILITIES, tokenize=False)) as face:
        assert await face.ask("POST", COUNT, {"text": "x" * 12}) == {
            "text_length": 12,
            "token_count": 3,
            "estimated": True,
        }
        assert await face.ask("POST", COUNT, {"text": ""}) == {"text_length": 0, "token_count": 0}


async def test_w19_messages_are_counted_as_the_model_sees_them(face: ChatFace) -> None:
    messages = [said("system", "ab"), user([{"type": "text", "text": "cd"}, {"type": "text", "text": "é"}])]
    counted = await face.ask("POST", COUNT, {"messages": messages})
    assert counted["text_length"] == 5
    await face.chat(*messages)
    assert counted["token_count"] == await face.engine.count_tokens(face.engine.calls[0])

    async def gone(_call: object) -> NoReturn:
        raise EngineUnreachable("gone")

    face.engine.count_tokens = gone  # type: ignore[method-assign, assignment]
    estimated = await face.ask("POST", COUNT, {"messages": messages})
    assert estimated == {"text_length": 5, "token_count": 1, "estimated": True}


UNCOUNTABLE: list[tuple[str, object, list[object]]] = [
    ("", None, ["query", "text"]),
    ("", {}, ["query", "text"]),
    ("", {"model": "m"}, ["query", "text"]),
    ("?text=a", {"text": "a"}, ["body"]),
    ("?text=a", {"model": "m"}, ["body"]),
    ("", {"text": "a", "messages": []}, ["body"]),
    ("", {"text": 1}, ["body", "text"]),
    ("", {"messages": []}, ["body", "messages"]),
    ("", {"messages": "x"}, ["body", "messages"]),
    ("", {"messages": [{"role": "user"}]}, ["body", "messages", 0, "content"]),
    ("", {"messages": [{"role": "x", "content": "a"}]}, ["body", "messages", 0, "role"]),
]


async def test_w19_what_cant_be_counted_is_unprocessable(face: ChatFace) -> None:
    for query, body, loc in UNCOUNTABLE:
        await refusal(face, "POST", COUNT + query, body, status=422)
        answer = await face.ask("POST", COUNT + query, body, status=422)
        assert answer["detail"][0]["loc"] == loc  # type: ignore[index]


async def test_many_sessions_are_made_at_once(face: ChatFace) -> None:
    made = await asyncio.gather(*(face.new_session() for _ in range(20)))
    assert len(set(made)) == 20
    assert len((await face.ask("GET", SESSIONS))["sessions"]) == 20  # type: ignore[arg-type]
