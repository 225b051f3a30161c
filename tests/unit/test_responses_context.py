"""What the model is shown for a response: everything, a digest of what came before, or as much as there is room for."""

from collections.abc import AsyncIterator
from dataclasses import replace

import orjson
import pytest
import pytest_asyncio

from localaik.engine.capabilities import LLAMA_CPP
from localaik.protocols.openai.responses.context import without_oldest
from localaik.state.store import Store
from tests.memory_engine import hello, saying
from tests.response_bench import MakeBench, benches, shared_store

SMALL = replace(LLAMA_CPP, context_tokens=200)
TURNS = [
    {"role": role, "content": f"{role}{place} " + "x" * 30} for place in range(4) for role in ("user", "assistant")
]
TRIGGER = {"type": "compaction_trigger"}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store() -> AsyncIterator[Store]:
    async with shared_store() as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def bench_of(store: Store) -> AsyncIterator[MakeBench]:
    async with benches(store) as make:
        yield make


async def test_a_trigger_alone_compacts_and_generates_nothing(bench_of: MakeBench) -> None:
    bench = bench_of()
    response = await bench.answer(input=[*TURNS, TRIGGER])
    assert [item["type"] for item in response["output"]] == ["compaction"]
    assert response["status"] == "completed"
    assert response["usage"]["input_tokens"] > 0 == response["usage"]["output_tokens"]
    assert not bench.engine.calls
    await bench.answer(previous_response_id=response["id"], input="And now?")
    shown = bench.shown()
    assert "- assistant: assistant3" in shown
    assert shown.index("user0") < shown.index("user3") < shown.index("And now?")


async def test_a_trigger_before_new_items_compacts_what_is_before(bench_of: MakeBench) -> None:
    bench = bench_of()
    response = await bench.answer(input=[*TURNS, TRIGGER, {"role": "user", "content": "And now?"}, TRIGGER])
    assert [item["type"] for item in response["output"]] == ["compaction", "message"]
    stored = await bench.stored(response["id"])
    assert [orjson.loads(item.body)["type"] for item in stored.input] == ["message"] * 9
    assert "- assistant: assistant3" in bench.shown()


async def test_what_stands_behind_a_trigger_is_not_lost_later(bench_of: MakeBench) -> None:
    bench = bench_of()
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "call_1", "output": "18 degrees"}
    response = await bench.answer(input=[*TURNS, call, TRIGGER, result])
    assert "18 degrees" in bench.shown()
    await bench.answer(previous_response_id=response["id"], input="And now?")
    assert "- result of f: 18 degrees" in bench.shown()


@pytest.mark.parametrize(("threshold", "kinds"), [(1000, ["message"]), (1, ["compaction", "message"])])
async def test_a_threshold_decides_whether_to_compact(bench_of: MakeBench, threshold: int, kinds: list[str]) -> None:
    bench = bench_of()
    management = [{"type": "compaction", "compact_threshold": threshold}]
    response = await bench.answer(input=TURNS, context_management=management)
    assert [item["type"] for item in response["output"]] == kinds


async def test_a_summary_is_written_by_the_model_where_the_setting_says_so(bench_of: MakeBench) -> None:
    bench = bench_of(saying("They spoke of x.", "Yes"), replace(SMALL, context_tokens=1000), compaction="model")
    response = await bench.answer(input=[*TURNS, TRIGGER, {"role": "user", "content": "And now?"}])
    assert [item["type"] for item in response["output"]] == ["compaction", "message"]
    assert len(bench.engine.calls) == 2
    assert "They spoke of x." in bench.shown()


async def test_an_unknown_context_leaves_room_for_a_digest(bench_of: MakeBench) -> None:
    bench = bench_of(hello, replace(LLAMA_CPP, context_tokens=0))
    await bench.answer(input=[*TURNS, TRIGGER, {"role": "user", "content": "And now?"}])
    assert "assistant3 xxx" in bench.shown()


async def test_truncation_takes_as_few_as_needed(bench_of: MakeBench) -> None:
    bench = bench_of(hello, SMALL)
    whole = {"input": TURNS, "instructions": "Be brief.", "max_output_tokens": 16}
    await bench.answer(**whole, truncation="auto")
    shown = bench.shown()
    # 200 tokens less 16 for the answer and 9 of instructions hold 4 turns of 36 to 41 characters, not 5.
    assert "Be brief." in shown
    assert "user2" in shown
    assert "assistant1" not in shown
    stored = [orjson.loads(item.body) for item in (await bench.stored((await bench.answer(**whole))["id"])).input]
    assert len(stored) == len(TURNS)


async def test_truncation_leaves_what_fits(bench_of: MakeBench) -> None:
    bench = bench_of(hello, replace(LLAMA_CPP, context_tokens=1000))
    await bench.answer(input=TURNS, truncation="auto")
    assert "user0" in bench.shown()


async def test_truncation_never_takes_the_last_item(bench_of: MakeBench) -> None:
    bench = bench_of(hello, SMALL)
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "call_1", "output": "x" * 300}
    await bench.answer(input=[TURNS[0], call, result], truncation="auto")
    assert "x" * 300 in bench.shown()  # which the engine refuses, and the caller is told


def item(kind: str, call_id: str = "") -> dict[str, object]:
    return {"type": kind, "call_id": call_id} if call_id else {"type": kind}


@pytest.mark.parametrize(
    ("count", "left"),
    [(0, [0, 1, 2, 3, 4, 5]), (1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (3, [4, 5]), (4, [4, 5]), (5, [5]), (6, [])],
)
async def test_without_the_oldest_no_result_is_alone(count: int, left: list[int]) -> None:
    items = [
        item("message"),
        item("function_call", "a"),
        item("custom_tool_call", "b"),
        item("function_call_output", "a"),
        item("custom_tool_call_output", "b") if count > 2 else item("reasoning"),
        item("message"),
    ]
    if count > 2:
        left = [place for place in left if place != 4]
    assert without_oldest(items, count) == [items[place] for place in left]
