"""The requests of batches, one after the other by hand: faults of the engine, age, and what has no effect."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest

from localaik.embeddings.embedder import Embedder
from localaik.errors import EngineUnreachable, Unavailable
from localaik.generation.events import Finished, GenerationEvent, Started, TextDelta, Usage, UsageReported
from localaik.generation.request import GenerationRequest
from localaik.jobs.runner import Unit
from localaik.models.registry import ModelEntry, Registry
from localaik.protocols.batchwork import BatchWork
from localaik.protocols.contract import Services
from localaik.protocols.gemini.batches_encode import EXPIRED
from localaik.protocols.gemini.batches_work import batch_work
from localaik.settings import Settings
from localaik.state.batch_records import Batch, BatchItem, NewBatch, NewItem
from localaik.state.batches import BatchStore
from localaik.state.store import Store
from tests.state_samples import Clock, store_in

if TYPE_CHECKING:
    from localaik.generation.run import Pipeline

HOURS = 3600


class FaultyPipeline:
    """Raises its faults one after the other, then answers with the text that it was asked."""

    supports_logprobs = True

    def __init__(self) -> None:
        self.faults: list[Exception] = []
        self.asked: list[str] = []

    async def run(self, request: GenerationRequest) -> AsyncGenerator[list[GenerationEvent], None]:
        text = cast("Any", request.messages[-1].parts[0]).text
        self.asked.append(text)
        yield [Started(0, 1), TextDelta(text)]
        if self.faults:
            raise self.faults.pop(0)
        yield [Finished("stop"), UsageReported(Usage(1, 1))]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pipeline() -> FaultyPipeline:
    return FaultyPipeline()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    one = store_in(tmp_path, clock)
    yield one
    await one.close()


@pytest.fixture
async def batches(store: Store) -> BatchStore:
    return await store.batches()


@pytest.fixture
def work(store: Store, pipeline: FaultyPipeline) -> BatchWork:
    return work_on(store, pipeline, strict_wire=False)


def work_on(store: Store, pipeline: FaultyPipeline, **fields: object) -> BatchWork:
    settings = Settings.model_validate(fields)
    registry = Registry([ModelEntry("m", 1, "localaik", 8192, "A model.")])
    return batch_work(Services(settings, cast("Pipeline", pipeline), registry, store, Embedder(None, settings)))


def asking(text: str, **more: object) -> str:
    return orjson.dumps({"contents": [{"parts": [{"text": text}]}], **more}).decode()


async def make(batches: BatchStore, *requests: str, from_file: bool = False) -> Batch:
    async def items() -> AsyncIterator[NewItem]:
        for place, request in enumerate(requests):
            yield NewItem(request, f'"{place}"')

    return await batches.create(NewBatch("generate", "m", from_file=from_file), items())


async def run(unit: Unit | None) -> Exception | None:
    """Do a unit as the runner does: what it raised, where it did."""
    assert unit is not None
    assert unit.release is not None
    try:
        await unit.work()
    except Exception as error:  # noqa: BLE001 - what the runner logs
        return error
    finally:
        unit.release()
    return None


async def run_all(work: Callable[[], Awaitable[Unit | None]]) -> int:
    """How many units there were."""
    count = 0
    while (unit := await work()) is not None:
        await run(unit)
        count += 1
    return count


async def told(batches: BatchStore, batch: Batch) -> tuple[str, list[BatchItem]]:
    return (await batches.get(batch.id)).state, [item async for item in batches.items(batch.id)]


def text_of(item: BatchItem) -> str:
    answer = orjson.loads(item.result or "")
    return str(answer["candidates"][0]["content"]["parts"][0]["text"])


async def test_g050_an_engine_that_dies_twice_loses_nothing(
    batches: BatchStore, work: BatchWork, pipeline: FaultyPipeline
) -> None:
    batch = await make(batches, asking("one"), asking("two"))
    pipeline.faults = [EngineUnreachable("died"), EngineUnreachable("died")]
    await run_all(work)
    assert pipeline.asked == ["one", "one", "one", "two"]
    state, items = await told(batches, batch)
    assert (state, [text_of(item) for item in items]) == ("succeeded", ["one", "two"])


@pytest.mark.parametrize(
    ("fault", "code"), [(EngineUnreachable("died"), (14, "UNAVAILABLE")), (ZeroDivisionError(), (13, "INTERNAL"))]
)
async def test_g050_the_third_failed_attempt_is_the_last(
    batches: BatchStore, work: BatchWork, pipeline: FaultyPipeline, fault: Exception, code: tuple[int, str]
) -> None:
    batch = await make(batches, asking("one"), asking("two"))
    pipeline.faults = [fault] * 3
    assert [await run(await work()) for _ in range(2)] == [fault, fault]
    assert (await batches.get(batch.id)).state == "running"
    await run_all(work)
    assert pipeline.asked == ["one", "one", "one", "two"]
    state, (failed, done) = await told(batches, batch)
    assert (state, failed.state, text_of(done)) == ("succeeded", "failed", "two")
    error = orjson.loads(failed.result or "")
    assert (error["code"], error["status"]) == code


async def test_waiting_for_the_engine_is_no_attempt(
    batches: BatchStore, work: BatchWork, pipeline: FaultyPipeline
) -> None:
    batch = await make(batches, asking("one"))
    pipeline.faults = [Unavailable("loading")] * 5 + [EngineUnreachable("died")] * 2
    await run_all(work)
    state, (item,) = await told(batches, batch)
    assert (state, text_of(item)) == ("succeeded", "one")
    assert len(pipeline.asked) == 8


async def test_a_unit_is_not_given_out_twice_before_it_is_released(
    batches: BatchStore, work: BatchWork, pipeline: FaultyPipeline
) -> None:
    await make(batches, asking("one"))
    pipeline.faults = [EngineUnreachable("died")]
    unit = await work()
    assert unit is not None
    assert unit.release is not None
    with pytest.raises(EngineUnreachable):
        await unit.work()
    assert await work() is None
    unit.release()
    assert await work() is not None


@pytest.mark.parametrize("from_file", [False, True])
async def test_g050_what_is_not_done_within_48_hours_expires(
    batches: BatchStore, work: BatchWork, pipeline: FaultyPipeline, clock: Clock, from_file: bool
) -> None:
    batch = await make(batches, asking("one"), asking("two"), asking("three"), from_file=from_file)
    await run(await work())
    clock.now += 48 * HOURS - 1
    await run(await work())
    assert pipeline.asked == ["one", "two"]
    clock.now += 1
    assert await run_all(work) == 1
    assert pipeline.asked == ["one", "two"]
    state, items = await told(batches, batch)
    assert (state, [item.state for item in items]) == ("expired", ["done", "done", "failed"])
    assert items[2].result == EXPIRED
    ended = await batches.get(batch.id)
    assert (ended.succeeded, ended.failed, ended.output_file is not None) == (2, 1, from_file)


async def test_a_batch_that_was_done_in_time_does_not_expire(
    batches: BatchStore, work: BatchWork, clock: Clock
) -> None:
    batch = await make(batches, asking("one"))
    await run(await work())
    clock.now += 48 * HOURS
    await run_all(work)
    assert (await batches.get(batch.id)).state == "succeeded"


async def test_fields_without_effect_are_told_in_the_answer(batches: BatchStore, work: BatchWork) -> None:
    batch = await make(batches, asking("one", labels={"a": "b"}, notAField=1), asking("two"))
    await run_all(work)
    _, (one, two) = await told(batches, batch)
    assert orjson.loads(one.result or "")["localaikIgnored"] == ["notAField", "labels"]
    assert text_of(one) == "one"
    assert "localaikIgnored" not in orjson.loads(two.result or "")


async def test_unknown_fields_fail_under_strict_wire(store: Store, pipeline: FaultyPipeline) -> None:
    batches = await store.batches()
    batch = await make(batches, asking("one", notAField=1))
    await run_all(work_on(store, pipeline, strict_wire=True))
    _, (item,) = await told(batches, batch)
    assert (item.state, orjson.loads(item.result or "")["code"]) == ("failed", 3)
    assert "notAField" in (item.result or "")
