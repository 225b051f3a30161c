"""Batches of the OpenAI API on a scripted engine: checks, lines, results, ends, and what Gemini sees of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest

from localaik.errors import EngineUnreachable
from localaik.protocols.jsonlines import lines_of
from localaik.protocols.openai.batches_results import UsageSum
from localaik.protocols.openai.batches_types import InvalidLines, items_of
from localaik.state.batch_records import NewItem
from tests.memory_engine import ScriptedInMemory, hello, pipeline
from tests.openai_caller import Answer, Caller, serving
from tests.state_samples import START, pieces

CHAT = "/v1/chat/completions"
GUARD_SECONDS = 60
WAIT_SECONDS = 0.005
ENDED = {"completed", "failed", "cancelled", "expired"}
HI = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}


def line(custom_id: object = "a", body: object = HI, **fields: object) -> dict[str, object]:
    return {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": body, **fields}


def jsonl(*lines: object) -> bytes:
    return b"\n".join(one if isinstance(one, bytes) else orjson.dumps(one) for one in lines)


class Engine:
    """A server whose engine says hello, with its jobs running."""

    def __init__(self, caller: Caller, engine: ScriptedInMemory) -> None:
        self.caller = caller
        self.engine = engine

    async def create(self, *lines: object, **fields: object) -> Answer:
        file = await self.caller.file(jsonl(*lines), "in.jsonl", purpose="batch")
        wanted = {"input_file_id": file["id"], "endpoint": CHAT, "completion_window": "24h", **fields}
        return await self.caller.ask("POST", "/v1/batches", wanted)

    async def get(self, batch_id: str) -> dict[str, Any]:
        return dict((await self.caller.ask("GET", f"/v1/batches/{batch_id}")).json)

    async def ended(self, created: Answer) -> dict[str, Any]:
        """The batch once it has ended; the caller polls, as there is no other way."""
        assert created.status == 200, created.body

        async def has_ended() -> bool:
            return (await self.get(created.json["id"]))["status"] in ENDED

        await until(has_ended)
        return await self.get(created.json["id"])

    async def lines(self, file_id: str) -> list[dict[str, Any]]:
        content = await self.caller.ask("GET", f"/v1/files/{file_id}/content")
        assert (content.status, content.headers["Content-Type"]) == (200, "application/jsonl")
        return [orjson.loads(one) for one in content.body.splitlines()]

    async def blocked(self, created: Answer) -> None:
        """Return when one line is answered, and the engine works on the next, which it will not end."""

        async def works_on() -> bool:
            counts = (await self.get(created.json["id"]))["request_counts"]
            return counts["completed"] == 1 and self.engine.open_streams == 1

        await until(works_on)


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(GUARD_SECONDS):
        for _ in count():
            if await is_so():
                return
            await asyncio.sleep(WAIT_SECONDS)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    made, scripted = pipeline(hello)
    async with serving(tmp_path, made, state="memory") as caller:
        caller.services.jobs.start()
        yield Engine(caller, scripted)


async def test_lines_are_answered_in_their_order(engine: Engine) -> None:
    made = await engine.create(
        line("one"),
        b"  ",
        line("two", {**HI, "temperature": 5}),
        line("three", {**HI, "max_tokens": 9}),
        metadata={"k": "v"},
        output_expires_after={"anchor": "created_at", "seconds": 7200},
    )
    assert made.json["status"] == "validating"
    assert made.json["request_counts"] == {"total": 0, "completed": 0, "failed": 0}
    batch = await engine.ended(made)
    assert batch["request_counts"] == {"total": 3, "completed": 2, "failed": 1}
    good = await engine.lines(batch["output_file_id"])
    assert [one["custom_id"] for one in good] == ["one", "three"]
    for one in good:
        assert one.keys() == {"id", "custom_id", "response", "error"}
        assert (one["id"].startswith("batch_req_"), one["error"]) == (True, None)
        assert (one["response"]["status_code"], one["response"]["request_id"][:4]) == (200, "req_")
        assert one["response"]["body"]["choices"][0]["message"]["content"] == "Hello"
    (bad,) = await engine.lines(batch["error_file_id"])
    assert (bad["custom_id"], bad["error"], bad["response"]["status_code"]) == ("two", None, 400)
    assert bad["response"]["body"]["error"]["param"] == "temperature"
    assert batch["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 14,
    }
    now = int(START)
    assert batch == {
        "id": made.json["id"],
        "object": "batch",
        "endpoint": CHAT,
        "errors": None,
        "input_file_id": made.json["input_file_id"],
        "completion_window": "24h",
        "status": "completed",
        "output_file_id": batch["output_file_id"],
        "error_file_id": batch["error_file_id"],
        "created_at": now,
        "in_progress_at": now,
        "expires_at": now + 24 * 3600,
        "finalizing_at": now,
        "completed_at": now,
        "failed_at": None,
        "expired_at": None,
        "cancelling_at": None,
        "cancelled_at": None,
        "request_counts": batch["request_counts"],
        "metadata": {"k": "v"},
        "usage": batch["usage"],
    }
    batches = await engine.caller.services.store.batches()
    assert [item async for item in batches.items(batch["id"].removeprefix("batch_"))] == []
    file = (await engine.caller.ask("GET", f"/v1/files/{batch['output_file_id']}")).json
    assert (file["purpose"], file["expires_at"] - file["created_at"]) == ("batch_output", 7200)
    assert file["filename"] == f"{batch['id']}_output.jsonl"


async def test_a_line_is_answered_as_alone(engine: Engine) -> None:
    body = {**HI, "n": 2, "logprobs": True}
    alone = (await engine.caller.ask("POST", CHAT, body)).json
    batch = await engine.ended(await engine.create(line(body=body)))
    (one,) = await engine.lines(batch["output_file_id"] or batch["error_file_id"])
    told = one["response"]["body"]
    for volatile in ("id", "created"):
        alone.pop(volatile, None)
        told.pop(volatile, None)
    assert told == alone


@pytest.mark.parametrize(
    ("endpoint", "body", "kind"),
    [
        ("/v1/completions", {"model": "m", "prompt": "Hi"}, "text_completion"),
        ("/v1/responses", {"model": "m", "input": "Hi", "store": False}, "response"),
        ("/v1/moderations", {"input": "LOCALAIK_FLAG:hate"}, None),
    ],
)
async def test_other_endpoints(engine: Engine, endpoint: str, body: object, kind: str | None) -> None:
    batch = await engine.ended(await engine.create(line(body=body, url=endpoint), endpoint=endpoint))
    assert (batch["endpoint"], batch["request_counts"]["completed"]) == (endpoint, 1)
    (one,) = await engine.lines(batch["output_file_id"])
    assert one["response"]["body"].get("object") == kind
    if kind is None:
        assert one["response"]["body"]["results"][0]["categories"]["hate"] is True


async def test_embeddings_without_a_model_for_them_fail_by_line(engine: Engine) -> None:
    endpoint = "/v1/embeddings"
    item = line(body={"model": "m", "input": "x"}, url=endpoint)
    batch = await engine.ended(await engine.create(item, endpoint=endpoint))
    (one,) = await engine.lines(batch["error_file_id"])
    assert (batch["output_file_id"], one["response"]["status_code"]) == (None, 404)
    assert one["response"]["body"]["error"]["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        ([], [("empty_file", None, None)]),
        ([b"", b" \t\r"], [("empty_file", None, None)]),
        (
            [line("a"), b"{", line("a"), line("b", url="/v1/embeddings"), b"[]"],
            [
                ("invalid_json_line", None, 2),
                ("duplicate_custom_id", "custom_id", 3),
                ("invalid_url", "url", 4),
                ("invalid_json_line", None, 5),
            ],
        ),
        ([{"method": "POST"}], [("missing_required_parameter", "custom_id", 1)]),
        ([line(1)], [("invalid_type", "custom_id", 1)]),
        ([line(method="GET")], [("invalid_method", "method", 1)]),
        ([line(body="x")], [("invalid_type", "body", 1)]),
        ([line(body={**HI, "stream": True})], [("invalid_value", "body.stream", 1)]),
    ],
)
async def test_input_at_fault(engine: Engine, lines: list[object], faults: list[object]) -> None:
    batch = await engine.ended(await engine.create(*lines))
    assert (batch["status"], batch["failed_at"]) == ("failed", int(START))
    assert [(one["code"], one["param"], one["line"]) for one in batch["errors"]["data"]] == faults
    assert batch["request_counts"] == {"total": 0, "completed": 0, "failed": 0}
    assert (batch["output_file_id"], batch["error_file_id"], engine.engine.calls) == (None, None, [])


async def test_an_input_that_is_deleted_before_it_is_read(tmp_path: Path) -> None:
    made, scripted = pipeline(hello)
    async with serving(tmp_path, made) as caller:
        engine = Engine(caller, scripted)
        created = await engine.create(line())
        await caller.ask("DELETE", f"/v1/files/{created.json['input_file_id']}")
        caller.services.jobs.start()
        batch = await engine.ended(created)
        assert batch["errors"]["data"][0]["code"] == "invalid_file"


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"endpoint": "/v1/images"}, "invalid_value", "endpoint"),
        ({"completion_window": "1h"}, "invalid_value", "completion_window"),
        ({"input_file_id": "file-aaaaaaaaaaaaaaaaaaaaaaaa"}, "invalid_value", "input_file_id"),
        ({"input_file_id": "../x"}, "invalid_value", "input_file_id"),
        ({"input_file_id": None}, "invalid_type", "input_file_id"),
        ({"metadata": {"k": 1}}, "invalid_type", "metadata.k"),
        (
            {"output_expires_after": {"anchor": "created_at", "seconds": 1}},
            "integer_below_min_value",
            "output_expires_after.seconds",
        ),
    ],
)
async def test_bad_requests(engine: Engine, fields: dict[str, object], code: str, param: str) -> None:
    assert (await engine.create(line(), **fields)).fault[:3] == (400, code, param)


@pytest.mark.parametrize("name", ["batch_" + "a" * 24, "batch_..%2Fx", "x" * 300, "a" * 24])
async def test_unknown_batches(engine: Engine, name: str) -> None:
    message = f"No batch found with id '{name.replace('%2F', '/')[:100]}'."
    assert (await engine.caller.ask("GET", f"/v1/batches/{name}")).fault == (404, None, None, message)
    assert (await engine.caller.ask("POST", f"/v1/batches/{name}/cancel")).fault[0] == 404
    after = await engine.caller.ask("GET", f"/v1/batches?after={name}")
    assert after.fault[:3] == (400, "invalid_value", "after")


async def test_cancel_keeps_what_is_done(engine: Engine) -> None:
    def second_blocks(call: object) -> Any:
        if len(engine.engine.calls) == 2:
            engine.engine.block.clear()
        return hello(call)  # type: ignore[arg-type]

    engine.engine._news = second_blocks
    made = await engine.create(line("done"), line("running"), line("waiting"))
    await engine.blocked(made)
    running = await engine.get(made.json["id"])
    assert (running["status"], running["in_progress_at"]) == ("in_progress", int(START))
    answer = await engine.caller.ask("POST", f"/v1/batches/{made.json['id']}/cancel")
    assert answer.json["status"] in {"cancelling", "cancelled"}
    assert engine.engine.open_streams == 0
    batch = await engine.ended(made)
    assert (batch["status"], batch["cancelling_at"], batch["cancelled_at"]) == ("cancelled", int(START), int(START))
    assert batch["request_counts"] == {"total": 3, "completed": 1, "failed": 2}
    assert [one["custom_id"] for one in await engine.lines(batch["output_file_id"])] == ["done"]
    left = await engine.lines(batch["error_file_id"])
    assert [(one["custom_id"], one["response"], one["error"]["code"]) for one in left] == [
        ("running", None, "batch_cancelled"),
        ("waiting", None, "batch_cancelled"),
    ]
    again = await engine.caller.ask("POST", f"/v1/batches/{made.json['id']}/cancel")
    assert again.fault == (400, None, None, "Cannot cancel a batch with status 'cancelled'.")


async def test_cancel_before_the_input_was_read(tmp_path: Path) -> None:
    made, scripted = pipeline(hello)
    async with serving(tmp_path, made) as caller:
        engine = Engine(caller, scripted)
        created = await engine.create(line())
        answer = await caller.ask("POST", f"/v1/batches/{created.json['id']}/cancel")
        assert answer.json["status"] == "cancelling"
        caller.services.jobs.start()
        batch = await engine.ended(created)
        assert (batch["status"], batch["request_counts"]["total"]) == ("cancelled", 0)
        assert (batch["output_file_id"], batch["error_file_id"], scripted.calls) == (None, None, [])


async def test_a_day_is_all_there_is(tmp_path: Path) -> None:
    made, scripted = pipeline(hello)
    async with serving(tmp_path, made, file_ttl_hours=0) as caller:
        engine = Engine(caller, scripted)
        created = await engine.create(line("late"))
        caller.clock.now += 24 * 3600
        caller.services.jobs.start()
        batch = await engine.ended(created)
        assert (batch["status"], batch["expired_at"]) == ("expired", int(caller.clock.now))
        (one,) = await engine.lines(batch["error_file_id"])
        assert (one["response"], one["error"]["code"], scripted.calls) == (None, "batch_expired", [])


async def test_a_line_that_kills_the_engine_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localaik.jobs.runner._PAUSE_SECONDS", 0.0)

    def dies(_call: object) -> Any:
        raise EngineUnreachable("gone")

    made, scripted = pipeline(dies)
    async with serving(tmp_path, made) as caller:
        caller.services.jobs.start()
        engine = Engine(caller, scripted)
        batch = await engine.ended(await engine.create(line()))
        (one,) = await engine.lines(batch["error_file_id"])
        assert (one["response"]["status_code"], len(scripted.calls)) == (502, 3)


async def test_lists_of_both_apis_show_their_own(engine: Engine) -> None:
    engine.engine.block.clear()
    gemini = {"x_goog_api_key": "k"}
    theirs = await engine.caller.ask(
        "POST",
        "/v1/models/m:batchGenerateContent",
        {"batch": {"inputConfig": {"requests": {"requests": [{"request": {"contents": []}}]}}}},
        **gemini,
    )
    assert theirs.status == 200, theirs.body
    their_id = theirs.json["name"].removeprefix("batches/")
    made = []
    for _ in range(3):
        engine.caller.clock.now += 1
        made.append((await engine.create(line())).json["id"])

    async def ids(query: str) -> tuple[list[str], bool]:
        body = (await engine.caller.ask("GET", f"/v1/batches?{query}")).json
        return [one["id"] for one in body["data"]], body["has_more"]

    assert await ids("") == (made[::-1], False)
    assert await ids("limit=2") == (made[:0:-1], True)
    assert await ids(f"limit=2&after={made[1]}") == ([made[0]], False)
    listed = (await engine.caller.ask("GET", "/v1/batches", **gemini)).json["operations"]
    assert [one["name"] for one in listed] == [f"batches/{their_id}"]
    bare = made[0].removeprefix("batch_")
    assert (await engine.caller.ask("GET", f"/v1/batches/{bare}", **gemini)).status == 404
    assert (await engine.caller.ask("DELETE", f"/v1/batches/{bare}", **gemini)).status == 404
    assert (await engine.caller.ask("POST", f"/v1/batches/{bare}:cancel", **gemini)).status == 404
    assert (await engine.caller.ask("GET", f"/v1/batches/batch_{their_id}")).status == 404
    assert (await engine.get(made[0]))["status"] in {"validating", "in_progress"}


async def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    made, scripted = pipeline(hello)

    def second_blocks(call: object) -> Any:
        if len(scripted.calls) == 2:
            scripted.block.clear()
        return hello(call)  # type: ignore[arg-type]

    scripted._news = second_blocks
    async with serving(tmp_path, made) as caller:
        first = Engine(caller, scripted)
        caller.services.jobs.start()
        created = await first.create(line("one"), line("two"))
        await first.blocked(created)
    made, again = pipeline(hello)
    async with serving(tmp_path, made) as caller:
        second = Engine(caller, again)
        caller.services.jobs.start()
        batch = await second.ended(created)
        assert (batch["status"], len(again.calls)) == ("completed", 1)
        assert [one["custom_id"] for one in await second.lines(batch["output_file_id"])] == ["one", "two"]


async def checked(data: bytes, limit: int = 0) -> list[NewItem]:
    lines = lines_of(pieces(*(data[at : at + 7] for at in range(0, len(data), 7))), limit)
    return [item async for item in items_of(lines, "oai-chat", depth=20)]


async def test_lines_may_be_cut_anywhere_and_have_a_limit() -> None:
    good = orjson.dumps(line("a"))
    assert [item.tag for item in await checked(good + b"\r\n" + orjson.dumps(line("b")) + b"\n\n")] == ["a", "b"]
    with pytest.raises(InvalidLines) as caught:
        await checked(good + b"\n" + b" " * 300 + good, limit=len(good))
    assert caught.value.faults == [
        {"code": "invalid_json_line", "message": "This line is too long.", "param": None, "line": 2}
    ]


async def test_faults_and_lines_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidLines) as caught:
        await checked(b"{\n" * 500)
    assert len(caught.value.faults) == 100
    monkeypatch.setattr("localaik.protocols.openai.batches_types._MOST_LINES", 2)
    with pytest.raises(InvalidLines) as caught:
        await checked(jsonl(line("a"), line("b"), line("c"), line("d")))
    assert [fault["code"] for fault in caught.value.faults] == ["too_many_lines"]


def test_usage_has_many_names() -> None:
    usage = UsageSum()
    for counts in (
        {"prompt_tokens": 1, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 1}},
        {"input_tokens": 10, "output_tokens": 20, "input_tokens_details": {"cached_tokens": 5}},
        {"prompt_tokens": 100, "total_tokens": 100},
        None,
    ):
        usage.add({"response": {"body": {"usage": counts}}})
    usage.add({"response": None})
    assert orjson.loads(usage.told()) == {
        "input_tokens": 111,
        "input_tokens_details": {"cached_tokens": 5},
        "output_tokens": 22,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 133,
    }
