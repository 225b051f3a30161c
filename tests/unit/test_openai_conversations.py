"""The routes of conversations on a server without an engine: what settings change, and what opens no database."""

from pathlib import Path

import pytest

from tests.openai_caller import serving

MESSAGE = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize("prefix", ["/v1", "/openai/v1", ""])
async def test_what_is_not_there_opens_no_database(tmp_path: Path, prefix: str) -> None:
    async with serving(tmp_path / "data") as caller:
        listed = await caller.ask("GET", f"{prefix}/conversations")
        assert listed.json == {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False}
        assert (await caller.ask("GET", f"{prefix}/conversations?after=x")).fault[1:3] == ("invalid_value", "after")
        for method, path, body in (
            ("GET", "", None),
            ("DELETE", "", None),
            ("POST", "", {"metadata": {}}),
            ("GET", "/items", None),
            ("POST", "/items", {"items": [MESSAGE]}),
            ("GET", "/items/msg_x", None),
            ("DELETE", "/items/msg_x", None),
        ):
            answer = await caller.ask(method, f"{prefix}/conversations/conv_x{path}", body)
            assert answer.fault == (404, None, None, "Conversation with id 'conv_x' not found."), (method, path)
        assert not caller.folder.exists()


async def test_clients_of_egemma_get_their_defaults(tmp_path: Path) -> None:
    async with serving(tmp_path, egemma_compat=True) as caller:
        items = [{**MESSAGE, "id": f"msg_{number}"} for number in range(20)]
        talk = (await caller.ask("POST", "/v1/conversations", {"items": items})).json["id"]
        await caller.ask("POST", f"/v1/conversations/{talk}/items", {"items": [{**MESSAGE, "id": "msg_20"}]})
        page = (await caller.ask("GET", f"/v1/conversations/{talk}/items")).json
        assert [item["id"] for item in page["data"]] == [f"msg_{number}" for number in range(21)]
        page = (await caller.ask("GET", f"/v1/conversations/{talk}/items?order=desc&limit=1")).json
        assert [item["id"] for item in page["data"]] == ["msg_20"]


async def test_unknown_fields_are_told_or_refused(tmp_path: Path) -> None:
    body = {"mood": 1, "items": [{**MESSAGE, "tone": 2}]}
    async with serving(tmp_path) as caller:
        answer = await caller.ask("POST", "/v1/conversations", body)
        assert answer.status == 200
        assert answer.headers["x-localaik-ignored"] == "mood, items[0].tone"
        talk = answer.json["id"]
        answer = await caller.ask("POST", f"/v1/conversations/{talk}", {"metadata": None, "mood": 1})
        assert answer.json["metadata"] == {}
        assert answer.headers["x-localaik-ignored"] == "mood"
    async with serving(tmp_path, strict_wire=True) as caller:
        assert (await caller.ask("POST", "/v1/conversations", body)).fault[1:3] == ("unknown_parameter", "mood")


async def test_conversations_are_listed_in_both_orders(tmp_path: Path) -> None:
    async with serving(tmp_path) as caller:
        made = []
        for _ in range(3):
            made.append((await caller.ask("POST", "/v1/conversations", {})).json["id"])
            caller.clock.now += 1
        for order, expected in (("asc", made), ("desc", made[::-1])):
            found: list[str] = []
            while len(found) < 3:
                after = f"&after={found[-1]}" if found else ""
                page = (await caller.ask("GET", f"/v1/conversations?limit=1&order={order}{after}")).json
                found.append(page["last_id"])
                assert page["has_more"] is (len(found) < 3)
            assert found == expected
