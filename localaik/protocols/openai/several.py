"""Several prompts in one request: their answers as one stream of events. No I/O but the pipeline's."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from msgspec import structs

from localaik.errors import BadRequest, NotServed
from localaik.generation.events import Finished, GenerationEvent, Started, Usage, UsageReported
from localaik.generation.request import GenerationRequest

if TYPE_CHECKING:
    from localaik.generation.run import Pipeline

__all__ = ["generate_nothing", "generate_several"]

_CHOICES_AT_ONCE: Final = 64  # well below the engine's queue, so that one caller does not fill it


async def generate_several(
    pipeline: "Pipeline", requests: Sequence[GenerationRequest]
) -> AsyncGenerator[list[GenerationEvent], None]:
    """The events of all requests, which differ in their prompts only.

    Choices are numbered through, those of the first prompt first; one `UsageReported` sums up. The events of different
    prompts interleave. Raises what the pipeline raises; closing the iterator ends all that runs.
    """
    n = requests[0].n
    queue: asyncio.Queue[list[GenerationEvent] | Exception | Usage] = asyncio.Queue(maxsize=2 * _CHOICES_AT_ONCE)
    at_once = asyncio.Semaphore(max(1, _CHOICES_AT_ONCE // n))

    async def pump(place: int, request: GenerationRequest) -> None:
        try:
            async with at_once, aclosing(pipeline.run(request)) as batches:
                async for batch in batches:
                    for entry in _renumber(batch, place * n):
                        await queue.put(entry)
        except Exception as error:  # noqa: BLE001 - handed on to the reader of the queue, which raises it
            await queue.put(error)

    tasks = [asyncio.create_task(pump(place, request)) for place, request in enumerate(requests)]
    try:
        usages: list[Usage] = []
        while len(usages) < len(requests):
            item = await queue.get()
            if isinstance(item, Exception):
                raise item
            if isinstance(item, Usage):
                usages.append(item)
            else:
                yield item
        yield [UsageReported(_sum(usages))]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def generate_nothing(
    pipeline: "Pipeline", requests: Sequence[GenerationRequest]
) -> AsyncGenerator[list[GenerationEvent], None]:
    """The events of answers of no token: prompts are counted and nothing is generated.

    Raises `BadRequest` where the engine can't count.
    """
    try:
        usages = [await pipeline.count_tokens(request) for request in requests]
    except NotServed as error:
        raise BadRequest(error.message, field="max_tokens", reason="unsupported_value") from None
    choices = range(sum(request.n for request in requests))
    yield [event for index in choices for event in (Started(index), Finished("length", index))]
    yield [UsageReported(_sum(usages))]


def _renumber(batch: list[GenerationEvent], first: int) -> list[list[GenerationEvent] | Usage]:
    """The batch with its choices counted from `first`, and the usage at its end, where there is one, on its own."""
    events: list[GenerationEvent] = []
    entries: list[list[GenerationEvent] | Usage] = []
    for event in batch:
        if isinstance(event, UsageReported):
            entries.append(event.usage)
        else:
            events.append(structs.replace(event, index=event.index + first))
    return [events, *entries] if events else entries


def _sum(usages: Sequence[Usage]) -> Usage:
    return Usage(
        prompt_tokens=sum(usage.prompt_tokens for usage in usages),
        completion_tokens=sum(usage.completion_tokens for usage in usages),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in usages),
    )
