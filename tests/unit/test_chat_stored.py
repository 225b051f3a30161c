"""Chat completions that are stored: written when asked for, told again, listed, tagged, deleted."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from openai import NotFoundError

from localaik.errors import EngineUnreachable
from tests.chat_face import CAPABILITIES, ChatFace, Object, Reply, chat_face, message_of, said, user

LIST = "/v1/chat/completions"


@pytest.fixture
async def face() -> AsyncIterator[ChatFace]:
    async with chat_face() as one:
        yield one


async def listed(face: ChatFace, query: str = "") -> Object:
    return await face.ask("GET", LIST + query)


def ids(page: Object) -> list[object]:
    assert isinstance(page["data"], list)
    return [one["id"] for one in page["data"]]


async def store(face: ChatFace, count: int, **more: object) -> list[object]:
    return [(await face.chat(user(f"{number}"), store=True, **more))["id"] for number in range(count)]


async def test_a_stored_completion_is_told_again_with_its_metadata(face: ChatFace) -> None:
    completion = await face.chat(user("Hi"), store=True, metadata={"run": "7"}, n=2, model="m")
    stored = await face.ask("GET", f"{LIST}/{completion['id']}")
    assert stored == {**completion, "metadata": {"run": "7"}}
    assert (await listed(face))["data"] == [stored]


async def test_a_streamed_completion_is_stored_before_the_stream_ends(face: ChatFace) -> None:
    face.replies.append(Reply(("Hel", "lo"), thoughts=("Hm.",)))
    body = {"messages": [user("Hi")], "stream": True, "store": True}
    async with face.request("POST", LIST, body) as answer:
        async for line in answer.content:
            if line.startswith(b"data: [DONE]"):
                break
        (stored,) = (await listed(face))["data"]  # type: ignore[misc]
    assert stored["object"] == "chat.completion"
    assert stored["usage"]["completion_tokens"] == 2
    message = message_of(stored)
    assert (message["content"], message["reasoning_content"]) == ("Hello", "Hm.")


async def test_a_completion_that_fails_is_not_stored(face: ChatFace) -> None:
    face.replies.append(Reply(fault=EngineUnreachable("gone")))
    await face.chat(user("Hi"), store=True, status=502)
    assert not face.store.may_hold_anything()


async def test_what_is_not_to_be_stored_does_not_even_open_the_store(face: ChatFace) -> None:
    options: list[Object] = [{}, {"store": False}, {"store": None}, {"store": False, "metadata": {"a": "b"}}]
    for more in options:
        await face.chat(user("Hi"), **more)
        await face.frames(user("Hi"), **more)
    assert not face.store.may_hold_anything()
    assert await listed(face) == {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False}
    assert not face.store.may_hold_anything()


async def test_pages_go_on_behind_a_cursor(face: ChatFace) -> None:
    made = await store(face, 3)
    page = await listed(face, "?limit=2")
    assert (ids(page), page["first_id"], page["last_id"], page["has_more"]) == (made[:2], made[0], made[1], True)
    assert ids(await listed(face, f"?limit=2&after={made[1]}")) == made[2:]
    assert ids(await listed(face, "?order=desc&limit=1")) == made[2:]


async def test_lists_are_filtered_by_model_and_metadata(face: ChatFace) -> None:
    (a,) = await store(face, 1, model="a", metadata={"k": "1", "l": "x y"})
    (b,) = await store(face, 1, model="b", metadata={"k": "1"})
    assert ids(await listed(face, "?model=a")) == [a]
    assert ids(await listed(face, "?metadata[k]=1")) == [a, b]
    assert ids(await listed(face, "?metadata%5Bk%5D=1&metadata%5Bl%5D=x%20y")) == [a]
    assert ids(await listed(face, "?model=a&metadata[k]=2")) == []


@pytest.mark.parametrize("is_open", [False, True])
async def test_wrong_parameters_are_named(face: ChatFace, is_open: bool) -> None:
    if is_open:
        await face.store.completions()
    for query, code, param in (
        ("?limit=0", "integer_below_min_value", "limit"),
        ("?limit=101", "integer_above_max_value", "limit"),
        ("?limit=x", "invalid_type", "limit"),
        ("?order=up", "invalid_value", "order"),
        ("?after=chatcmpl-1", "invalid_value", "after"),
        ("?metadata=x", "invalid_type", "metadata"),
    ):
        error = (await face.ask("GET", LIST + query, status=400))["error"]
        assert (error["code"], error["param"]) == (code, param)  # type: ignore[index]


async def test_metadata_are_replaced(face: ChatFace) -> None:
    (made,) = await store(face, 1, metadata={"a": "1", "b": "2"})
    changed = await face.ask("POST", f"{LIST}/{made}", {"metadata": {"c": "3"}})
    assert (changed["id"], changed["object"], changed["metadata"]) == (made, "chat.completion", {"c": "3"})
    assert await face.ask("GET", f"{LIST}/{made}") == changed
    assert ids(await listed(face, "?metadata[a]=1")) == []
    assert (await face.ask("POST", f"{LIST}/{made}", {"metadata": None}))["metadata"] == {}


async def test_metadata_are_required_and_limited(face: ChatFace) -> None:
    (made,) = await store(face, 1)
    for body, code, param in (
        ({}, "missing_required_parameter", "metadata"),
        ({"metadata": 1}, "invalid_type", "metadata"),
        ({"metadata": {"a": 1}}, "invalid_type", "metadata.a"),
        ({"metadata": {str(n): "" for n in range(17)}}, "object_above_max_properties", "metadata"),
    ):
        error = (await face.ask("POST", f"{LIST}/{made}", body, status=400))["error"]
        assert (error["code"], error["param"]) == (code, param)  # type: ignore[index]


@pytest.mark.parametrize("is_open", [False, True])
async def test_an_unknown_completion_is_not_found(face: ChatFace, is_open: bool) -> None:
    if is_open:
        await face.store.completions()
    requests = (("GET", "", None), ("POST", "", {"metadata": {}}), ("DELETE", "", None), ("GET", "/messages", None))
    for unknown in ("chatcmpl-1", "x", "..%2Fx", "chatcmpl-" + "1" * 300):
        message = f"Chat completion with id '{unknown.replace('%2F', '/')[:100]}' not found."
        for method, path, body in requests:
            error = (await face.ask(method, f"{LIST}/{unknown}{path}", body, status=404))["error"]
            assert error == {"message": message, "type": "invalid_request_error", "param": None, "code": None}


async def test_the_messages_are_told_with_their_parts(face: ChatFace) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}}
    file = {"type": "file", "file": {"file_data": "QQ==", "filename": "a.txt"}}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    text = {"type": "text", "text": "look"}
    completion = await face.chat(
        said("system", "s"),
        said("user", "u", name="Ada"),
        said("assistant", None, tool_calls=[call]),
        said("tool", "42", tool_call_id="c"),
        user([text, file]),
        said("assistant", [{"type": "refusal", "refusal": "no"}]),
        user("and?"),
        store=True,
    )
    page = await face.ask("GET", f"{LIST}/{completion['id']}/messages?limit=100")
    told = page["data"]
    assert isinstance(told, list)
    assert [message["id"] for message in told] == [f"{completion['id']}-{number}" for number in range(7)]
    empty = {"name": None, "content_parts": None, "refusal": None}
    assert told[0] == {"id": told[0]["id"], "role": "system", "content": "s", **empty}
    assert told[1]["name"] == "Ada"
    assert (told[2]["content"], told[2]["tool_calls"]) == (None, [call])
    assert (told[3]["content"], told[3]["tool_call_id"]) == ("42", "c")
    assert (told[4]["content"], told[4]["content_parts"]) == (None, [text, {"type": "text", "text": "[file: a.txt]"}])
    assert told[5]["content_parts"] == [{"type": "text", "text": "no"}]
    async with chat_face() as other:
        other.engine.capabilities = replace(CAPABILITIES, vision=True)
        completion = await other.chat(user([text, image]), store=True)
        (message,) = (await other.ask("GET", f"{LIST}/{completion['id']}/messages"))["data"]  # type: ignore[misc]
        assert message["content_parts"] == [text, image]


async def test_messages_are_paged_in_both_orders(face: ChatFace) -> None:
    completion = await face.chat(user("0"), said("assistant", "1"), user("2"), store=True)
    path = f"{LIST}/{completion['id']}/messages"
    page = await face.ask("GET", f"{path}?limit=2")
    assert (ids(page), page["has_more"]) == ([f"{completion['id']}-0", f"{completion['id']}-1"], True)
    assert ids(await face.ask("GET", f"{path}?after={page['last_id']}")) == [f"{completion['id']}-2"]
    newest = await face.ask("GET", f"{path}?order=desc&after={completion['id']}-2&limit=1")
    assert (ids(newest), newest["has_more"]) == ([f"{completion['id']}-1"], True)
    await face.ask("GET", f"{path}?after=other", status=400)


async def test_the_sdk_lists_tells_tags_and_deletes(face: ChatFace) -> None:
    made = await store(face, 3, metadata={"k": "1"}, model="m")
    async with face.sdk() as sdk:
        completions = sdk.chat.completions
        assert [one.id async for one in completions.list(limit=2, model="m", metadata={"k": "1"})] == made
        stored = await completions.retrieve(str(made[0]))
        assert (stored.id, stored.choices[0].message.content) == (made[0], "Hello")
        changed = await completions.update(stored.id, metadata={"k": "2"})
        assert changed.id == stored.id
        assert [one.id async for one in completions.list(metadata={"k": "2"})] == made[:1]
        (message,) = [one async for one in completions.messages.list(stored.id)]
        assert (message.id, message.role, message.content) == (f"{stored.id}-0", "user", "0")
        deleted = await completions.delete(stored.id)
        assert (deleted.id, deleted.object, deleted.deleted) == (stored.id, "chat.completion.deleted", True)
        with pytest.raises(NotFoundError):
            await completions.retrieve(stored.id)


async def test_the_messages_of_a_session_are_stored_as_they_were_sent(face: ChatFace) -> None:
    session = await face.new_session()
    for number in range(2):
        completion = await face.chat(user(f"{number}"), session=session, store=True)
    page = await face.ask("GET", f"{LIST}/{completion['id']}/messages")
    assert [message["content"] for message in page["data"]] == ["1"]  # type: ignore[attr-defined]
