"""Conversations and their items, by OpenAI's own SDK and over plain HTTP."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import openai
import pytest
from openai import AsyncOpenAI

from tests.contract.conftest import RunningServer

MESSAGES = [
    {"type": "message", "role": "user", "content": "One"},
    {"type": "message", "role": "assistant", "content": "Two"},
    {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "3"},
]


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as one:
        yield one


async def test_a_conversation_from_begin_to_end(client: AsyncOpenAI) -> None:
    made = await client.conversations.create(metadata={"topic": "demo"}, items=MESSAGES[:1])
    assert (made.object, made.metadata) == ("conversation", {"topic": "demo"})
    assert made.id.startswith("conv_")
    assert await client.conversations.retrieve(made.id) == made
    changed = await client.conversations.update(made.id, metadata={"topic": "other"})
    assert (changed.id, changed.metadata, changed.created_at) == (made.id, {"topic": "other"}, made.created_at)
    gone = await client.conversations.delete(made.id)
    assert (gone.id, gone.object, gone.deleted) == (made.id, "conversation.deleted", True)
    with pytest.raises(openai.NotFoundError, match=f"Conversation with id '{made.id}' not found") as caught:
        await client.conversations.retrieve(made.id)
    assert caught.value.code is None


async def test_items_are_told_completed_and_taken_again(client: AsyncOpenAI) -> None:
    talk = (await client.conversations.create()).id
    added = await client.conversations.items.create(talk, items=MESSAGES)
    assert [item.type for item in added.data] == [each["type"] for each in MESSAGES]
    assert added.first_id == added.data[0].id
    assert added.has_more is False
    told = [item async for item in client.conversations.items.list(talk, order="asc")]
    assert told == added.data
    first, second = (item.to_dict() for item in told[:2])
    assert first["content"] == [{"type": "input_text", "text": "One"}]
    assert second["content"] == [{"type": "output_text", "text": "Two", "annotations": []}]
    assert {item.to_dict()["status"] for item in told} == {"completed"}
    again = await client.conversations.create(items=[item.to_dict() for item in told])
    repeated = [item.to_dict() async for item in client.conversations.items.list(again.id, order="asc")]
    assert repeated == [item.to_dict() for item in told]


async def test_items_are_paged_newest_first_by_default(client: AsyncOpenAI) -> None:
    items = [{"role": "user", "content": str(number), "id": f"mine_{number}"} for number in range(20)]
    talk = (await client.conversations.create(items=items)).id
    await client.conversations.items.create(talk, items=[{"role": "user", "content": "20", "id": "mine_20"}])
    page = await client.conversations.items.list(talk)
    assert [item.id for item in page.data] == [f"mine_{number}" for number in range(20, 0, -1)]
    assert page.has_more
    everything = [item.id async for item in client.conversations.items.list(talk, limit=2)]
    assert everything == [f"mine_{number}" for number in range(20, -1, -1)]
    assert len((await client.conversations.items.list(talk, limit=1000)).data) == 21


async def test_one_item_is_told_and_deleted(client: AsyncOpenAI) -> None:
    talk = (await client.conversations.create(items=[{"role": "user", "content": "a", "id": "with/slash"}])).id
    assert (await client.conversations.items.retrieve("with/slash", conversation_id=talk)).id == "with/slash"
    left = await client.conversations.items.delete("with/slash", conversation_id=talk)
    assert (left.id, left.object) == (talk, "conversation")
    for ask in (client.conversations.items.retrieve, client.conversations.items.delete):
        with pytest.raises(openai.NotFoundError, match="Item with id 'with/slash' not found"):
            await ask("with/slash", conversation_id=talk)
    empty = await client.conversations.items.list(talk)
    assert (empty.data, empty.first_id, empty.last_id, empty.has_more) == ([], "", "", False)


async def test_an_item_is_taken_by_its_id(client: AsyncOpenAI) -> None:
    source = await client.conversations.create(items=[{"role": "user", "content": "said", "id": "msg_said_before"}])
    talk = await client.conversations.create(items=[{"type": "item_reference", "id": "msg_said_before"}])
    (item,) = (await client.conversations.items.list(talk.id)).data
    assert item.to_dict()["content"] == [{"type": "input_text", "text": "said"}]
    await client.conversations.delete(source.id)
    with pytest.raises(openai.NotFoundError, match="Item with id 'msg_unknown' not found"):
        await client.conversations.create(items=[{"type": "item_reference", "id": "msg_unknown"}])


async def test_conversations_are_listed(http: aiohttp.ClientSession, client: AsyncOpenAI) -> None:
    made = [(await client.conversations.create(metadata={"n": str(n)}, items=MESSAGES[:n])).id for n in (1, 2, 3)]
    async with http.get("/v1/conversations?limit=2") as answer:
        page = await answer.json()
    assert [one["id"] for one in page["data"]] == made[:0:-1]
    assert list(page["data"][0]) == ["id", "object", "created_at", "metadata", "item_count", "items"]
    assert [(one["item_count"], one["items"]) for one in page["data"]] == [(3, []), (2, [])]
    assert (page["first_id"], page["last_id"], page["has_more"]) == (made[2], made[1], True)
    async with http.get("/openai/v1/conversations", params={"after": made[1], "limit": 1}) as answer:
        assert [one["id"] for one in (await answer.json())["data"]] == made[:1]


FAULTS = [
    ("POST", "", {"items": MESSAGES * 6}, 400, "array_above_max_length", "items"),
    ("POST", "", {"items": "text"}, 400, "invalid_type", "items"),
    ("POST", "", {"items": [{"type": "poem"}]}, 400, "invalid_value", "items[0].type"),
    ("POST", "", {"items": [{"type": "compaction_trigger"}]}, 400, "invalid_value", "items[0].type"),
    ("POST", "", {"metadata": {"a": "x" * 513}}, 400, "string_above_max_length", "metadata.a"),
    ("POST", "", {"metadata": {"a": 1}}, 400, "invalid_type", "metadata.a"),
    ("POST", "", {"metadata": {str(n): "" for n in range(17)}}, 400, "object_above_max_properties", "metadata"),
    ("POST", "/ID", {}, 400, "missing_required_parameter", "metadata"),
    ("POST", "/ID/items", {"items": []}, 400, "invalid_value", "items"),
    ("POST", "/ID/items", {}, 400, "invalid_value", "items"),
    ("GET", "/ID/items?limit=1001", None, 400, "integer_above_max_value", "limit"),
    ("GET", "/ID/items?limit=0", None, 400, "integer_below_min_value", "limit"),
    ("GET", "/ID/items?limit=many", None, 400, "invalid_type", "limit"),
    ("GET", "/ID/items?order=up", None, 400, "invalid_value", "order"),
    ("GET", "/ID/items?after=msg_x", None, 400, "invalid_value", "after"),
    ("GET", "/ID/items?include[]=poems", None, 400, "invalid_value", "include[0]"),
    ("GET", "?limit=101", None, 400, "integer_above_max_value", "limit"),
    ("GET", "?after=conv_x", None, 400, "invalid_value", "after"),
    ("GET", "/conv_x", None, 404, None, None),
    ("POST", "/conv_x", {"metadata": None}, 404, None, None),
    ("DELETE", "/x%00", None, 404, None, None),
    ("GET", "/conv_x/items", None, 404, None, None),
    ("GET", "/conv_x/items/msg_x", None, 404, None, None),
    ("POST", "/conv_x/items", {"items": MESSAGES[:1]}, 404, None, None),
    ("DELETE", "/conv_x/items/msg_x", None, 404, None, None),
    ("PUT", "/ID", {}, 405, "method_not_supported", None),
]


async def test_faults_name_what_is_wrong(http: aiohttp.ClientSession, client: AsyncOpenAI) -> None:
    talk = (await client.conversations.create()).id

    async def ask(method: str, path: str, body: object) -> tuple[object, ...]:
        async with http.request(method, f"/v1/conversations{path.replace('ID', talk)}", json=body) as answer:
            error = (await answer.json())["error"]
            return answer.status, error["code"], error["param"]

    told = await asyncio.gather(*(ask(method, path, body) for method, path, body, *_ in FAULTS))
    for (method, path, _, *expected), found in zip(FAULTS, told, strict=True):
        assert list(found) == expected, (method, path)


async def test_a_conversation_needs_no_body(http: aiohttp.ClientSession) -> None:
    async with http.post("/v1/conversations") as answer:
        assert answer.status == 200
        assert (await answer.json())["metadata"] == {}


async def test_items_stay_while_a_response_works_with_them(server: RunningServer, client: AsyncOpenAI) -> None:
    talk = (await client.conversations.create(items=[{"role": "user", "content": "a", "id": "msg_mine"}])).id
    held = server.run(server.server._company.locks.take(talk))
    with pytest.raises(openai.ConflictError) as caught:
        await client.conversations.items.create(talk, items=MESSAGES[:1])
    assert caught.value.code == "conversation_locked"
    with pytest.raises(openai.ConflictError):
        await client.conversations.items.delete("msg_mine", conversation_id=talk)
    held.give_back()
    await client.conversations.items.delete("msg_mine", conversation_id=talk)
