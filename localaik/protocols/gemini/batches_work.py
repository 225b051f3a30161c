"""The background side of batches: gives out what is to be done next, does it, keeps the result."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final

import orjson

from localaik.errors import BadRequest, EngineUnreachable, LocalaikError, Unavailable
from localaik.generation.fold import fold
from localaik.jobs.runner import Unit
from localaik.protocols.contract import Services
from localaik.protocols.gemini.batches_encode import EXPIRED, line_error, result_line
from localaik.protocols.gemini.caches import cached_prompt
from localaik.protocols.gemini.decode import decode
from localaik.protocols.gemini.embeddings import embed_one
from localaik.protocols.gemini.encode import encode_generation
from localaik.protocols.gemini.reading import read
from localaik.protocols.gemini.respond import new_response_id
from localaik.protocols.gemini.types import GenerateContentRequest
from localaik.state.batch_records import Batch, BatchItem, BatchState, Step
from localaik.state.records import NewFile

__all__ = ["BatchWork"]

_EXPIRY_SECONDS: Final = 48 * 3600
_MOST_ATTEMPTS: Final = 3  # a request that kills the engine would kill it again and again
_RESULT_TYPE: Final = "application/jsonl"
_PIECE_BYTES: Final = 1 << 18
_END: Final = -1  # the place of a job's end among the places of its requests

_Answer = Callable[[Services, str, object], Awaitable[bytes]]


class BatchWork:
    """A source of background work (`jobs.runner.Source`): the requests of all batches, and the end of each batch."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._busy: set[tuple[str, int]] = set()
        self._attempts: dict[tuple[str, int], int] = {}

    async def __call__(self) -> Unit | None:
        """The next unit, by priority and age of the batches; None where nothing is to be done."""
        if not self._services.store.may_hold_anything():
            return None
        batches = await self._services.store.batches()
        step = await batches.next_step(tuple(_ANSWERS), tuple(self._busy))
        if step is not None and step.item is not None and batches.age(step.batch) >= _EXPIRY_SECONDS:
            await batches.abandon(step.batch.id, EXPIRED, expired=True)
            step = await batches.next_step(tuple(_ANSWERS), tuple(self._busy))
        if step is None:
            return None
        place = (step.batch.id, _END if step.item is None else step.item.place)
        self._busy.add(place)
        return Unit(step.batch.id, partial(self._do, step, place))

    async def _do(self, step: Step, place: tuple[str, int]) -> None:
        try:
            if step.item is None:
                await finish(self._services, step.batch)
                return
            self._attempts[place] = self._attempts.get(place, 0) + 1
            await self._answer(step.batch, step.item, last=self._attempts[place] >= _MOST_ATTEMPTS)
            del self._attempts[place]
        except asyncio.CancelledError:
            self._attempts.pop(place, None)
            raise
        finally:
            self._busy.discard(place)

    async def _answer(self, batch: Batch, item: BatchItem, *, last: bool) -> None:
        batches = await self._services.store.batches()
        await batches.begin(batch.id)
        try:
            result = (await _ANSWERS[batch.kind](self._services, batch.model, orjson.loads(item.request))).decode()
            failed = False
        except Unavailable:
            raise
        except LocalaikError as error:
            if isinstance(error, EngineUnreachable) and not last:
                raise
            result, failed = line_error(error), True
        await batches.settle(batch.id, item.place, result, failed=failed)


async def finish(services: Services, batch: Batch) -> None:
    """End a batch whose requests all have a result, and write its file of results. Raises `Unavailable`."""
    batches = await services.store.batches()
    batch = await batches.get(batch.id)
    if not batch.active:
        return
    state: BatchState = "cancelled" if batch.cancelled else "expired" if batch.expired else "succeeded"
    if not batch.from_file:
        await batches.finish(batch.id, state)
        return
    files = await services.store.files()
    new = NewFile(_RESULT_TYPE, display_name=f"Results of batches/{batch.id}", generated=True)
    try:
        file = await files.add(new, _lines(batches.items(batch.id)))
    except Unavailable:
        raise
    except LocalaikError as error:
        await batches.finish(batch.id, "failed", error=line_error(error))
        return
    if not await batches.finish(batch.id, state, output_file=file.id):
        await files.delete(file.id)


async def _lines(items: AsyncIterator[BatchItem]) -> AsyncIterator[bytes]:
    piece = bytearray()
    async for item in items:
        piece += result_line(item)
        if len(piece) >= _PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


async def _generate(services: Services, model: str, body: object) -> bytes:
    """The body of the answer that the request would get alone."""
    settings = services.settings
    request = read(GenerateContentRequest, body, strict=settings.strict_wire, ignored=[])
    cached = await cached_prompt(services, request)
    strict = settings.thought_signatures == "strict"
    decoded = decode(request, model, max_messages=settings.max_messages, cached=cached, strict_signatures=strict)
    if decoded.generation.logprobs is not None and not services.pipeline.supports_logprobs:
        raise BadRequest(f"Logprobs is not enabled for models/{model}", field="generationConfig.responseLogprobs")
    generation = await fold(services.pipeline.run(decoded.generation))
    return encode_generation(generation, decoded.answering, new_response_id())


_ANSWERS: Final[dict[str, _Answer]] = {"generate": _generate, "embed": embed_one}
