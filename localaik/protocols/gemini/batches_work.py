"""The background side of batches: answers their requests, and writes the results."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import orjson

from localaik.errors import BadRequest, LocalaikError, Unavailable
from localaik.generation.fold import fold
from localaik.protocols.batchwork import BatchRules, BatchWork, in_large_pieces
from localaik.protocols.contract import Services
from localaik.protocols.gemini.batches_encode import EXPIRED, line_error, result_line
from localaik.protocols.gemini.caches import cached_prompt
from localaik.protocols.gemini.decode import decode
from localaik.protocols.gemini.embeddings import embed_one
from localaik.protocols.gemini.encode import encode_generation
from localaik.protocols.gemini.reading import read
from localaik.protocols.gemini.respond import new_response_id
from localaik.protocols.gemini.types import GenerateContentRequest
from localaik.state.batch_records import Batch, BatchItem, BatchState
from localaik.state.records import NewFile

__all__ = ["KINDS", "batch_work", "finish"]

_EXPIRY_SECONDS: Final = 48 * 3600
_RESULT_TYPE: Final = "application/jsonl"
_IGNORED: Final = "localaikIgnored"

_Answer = Callable[[Services, str, object, list[str]], Awaitable[bytes]]
"""The body of the answer to a request for a model. The paths of fields without effect are added to the list."""


def batch_work(services: Services) -> BatchWork:
    """The source of background work of this API."""
    return BatchWork(services, _RULES)


async def finish(services: Services, batch: Batch) -> None:
    """End a batch whose requests all have a result, and write its file of results. Raises `Unavailable`."""
    batches = await services.store.batches(KINDS)
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
        file = await files.add(new, in_large_pieces(_lines(batches.items(batch.id))))
    except Unavailable:
        raise
    except LocalaikError as error:
        await batches.finish(batch.id, "failed", error=line_error(error))
        return
    if not await batches.finish(batch.id, state, output_file=file.id):
        await files.delete(file.id)


async def _lines(items: AsyncIterator[BatchItem]) -> AsyncIterator[bytes]:
    async for item in items:
        yield result_line(item)


async def _answer(services: Services, batch: Batch, item: BatchItem) -> str:
    ignored: list[str] = []
    answer = await _ANSWERS[batch.kind](services, batch.model, orjson.loads(item.request), ignored)
    return _with_ignored(answer, ignored)


def _refusal(_batch: Batch, error: LocalaikError) -> str:
    return line_error(error)


def _with_ignored(answer: bytes, ignored: list[str]) -> str:
    """An answer that tells what a request of its own would be told in a header."""
    if not ignored:
        return answer.decode()
    return orjson.dumps({**orjson.loads(answer), _IGNORED: list(dict.fromkeys(ignored))}).decode()


async def _generate(services: Services, model: str, body: object, ignored: list[str]) -> bytes:
    """The body of the answer that the request would get alone."""
    settings = services.settings
    request = read(GenerateContentRequest, body, strict=settings.strict_wire, ignored=ignored)
    cached = await cached_prompt(services, request)
    strict = settings.thought_signatures == "strict"
    decoded = decode(request, model, max_messages=settings.max_messages, cached=cached, strict_signatures=strict)
    ignored += decoded.ignored
    if decoded.generation.logprobs is not None and not services.pipeline.supports_logprobs:
        raise BadRequest(f"Logprobs is not enabled for models/{model}", field="generationConfig.responseLogprobs")
    generation = await fold(services.pipeline.run(decoded.generation))
    return encode_generation(generation, decoded.answering, new_response_id())


_ANSWERS: Final[dict[str, _Answer]] = {"generate": _generate, "embed": embed_one}
KINDS: Final = tuple(_ANSWERS)
"""The kinds of batches that are Gemini's."""
_RULES: Final = BatchRules("gemini", KINDS, _EXPIRY_SECONDS, EXPIRED, _answer, _refusal, finish)
