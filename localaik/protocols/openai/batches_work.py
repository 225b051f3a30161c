"""The background side of batches: checks their input, answers the lines, writes the files of results."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import orjson

from localaik.errors import LocalaikError, Unavailable
from localaik.protocols.batchwork import BatchRules, BatchWork, in_large_pieces
from localaik.protocols.contract import Services
from localaik.protocols.jsonlines import lines_of
from localaik.protocols.openai.batches_results import EXPIRED, UsageSum, answered, refused, result_line
from localaik.protocols.openai.batches_types import (
    ENDPOINTS,
    WINDOW,
    InvalidLines,
    items_of,
    list_of_faults,
)
from localaik.protocols.openai.chat import complete_chat
from localaik.protocols.openai.completions import complete_text
from localaik.protocols.openai.embeddings import embeddings_alone
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.files_types import new_file_id
from localaik.protocols.openai.moderations import moderate
from localaik.protocols.openai.reading import Findings
from localaik.protocols.openai.responses.routes import answer_alone
from localaik.state.batch_records import Batch, BatchItem, BatchState
from localaik.state.faults import EmptyBatch, UnknownFile
from localaik.state.records import MADE_HERE, NewFile

__all__ = ["KINDS", "batch_work"]

_RESULT_TYPE: Final = "application/jsonl"

_Answer = Callable[[Services, object], Awaitable[bytes | Object]]
"""The body of the answer that a request would get alone."""


def batch_work(services: Services) -> BatchWork:
    """The source of background work of this API."""
    return BatchWork(services, _RULES)


async def _answer(services: Services, batch: Batch, item: BatchItem) -> str:
    answer, _ = _ANSWERS[batch.kind]
    return answered(await answer(services, orjson.loads(item.request)))


def _refusal(batch: Batch, error: LocalaikError) -> str:
    _, prompt_field = _ANSWERS[batch.kind]
    return refused(error, prompt_field)


async def _check_or_finish(services: Services, batch: Batch) -> None:
    if batch.state == "unchecked" and not batch.cancelled:
        await _check(services, batch)
    else:
        await _finish(services, batch)


async def _check(services: Services, batch: Batch) -> None:
    """Read the whole input, and give the batch its requests, or its faults. Raises `Unavailable`."""
    settings, batches = services.settings, await services.store.batches(KINDS)
    try:
        async with services.store.open(batch.input_file or "") as reader:
            lines = lines_of(reader.pieces(), settings.max_body_bytes)
            await batches.fill(batch.id, items_of(lines, batch.kind, depth=settings.max_json_depth))
            return
    except Unavailable:
        raise
    except InvalidLines as invalid:
        faults = invalid.faults
    except EmptyBatch:
        faults = [_fault("empty_file", "The input file is empty.")]
    except UnknownFile:
        faults = [_fault("invalid_file", "The input file does not exist any more.")]
    except LocalaikError as error:
        faults = [_fault("server_error", error.message)]
    await batches.finish(batch.id, "failed", error=list_of_faults(*faults))


async def _finish(services: Services, batch: Batch) -> None:
    """End a batch whose requests all have a result, and write its files. Raises `Unavailable`."""
    batches = await services.store.batches(KINDS)
    await batches.begin_end(batch.id)
    batch = await batches.get(batch.id)
    if not batch.active:
        return
    state: BatchState = "cancelled" if batch.cancelled else "expired" if batch.expired else "succeeded"
    files = await services.store.files()
    usage = UsageSum()
    written: dict[str, str] = {}
    try:
        for outcome, count in (("output", batch.succeeded), ("error", batch.failed)):
            if count:
                new = _result_file(batch, outcome)
                lines = _lines(batches.items(batch.id), "done" if outcome == "output" else "failed", usage)
                written[f"{outcome}_file"] = (await files.add(new, in_large_pieces(lines))).id
        ended = await batches.finish(batch.id, state, usage=usage.told(), **written)
    except Unavailable:
        raise
    except LocalaikError as error:
        ended = False
        await batches.finish(batch.id, "failed", error=list_of_faults(_fault("server_error", error.message)))
    if not ended:
        for file_id in written.values():
            await files.delete(file_id)
    await batches.drop_items(batch.id)


def _fault(code: str, message: str) -> Object:
    return {"code": code, "message": message, "param": None, "line": None}


def _result_file(batch: Batch, outcome: str) -> NewFile:
    return NewFile(
        _RESULT_TYPE,
        id=new_file_id(),
        display_name=f"batch_{batch.id}_{outcome}.jsonl",
        generated=True,
        purpose=MADE_HERE,
        lifetime=orjson.loads(batch.body or "{}").get("lifetime"),
    )


async def _lines(items: AsyncIterator[BatchItem], state: str, usage: UsageSum) -> AsyncIterator[bytes]:
    """The lines of all requests in a state; their figures are added to `usage`."""
    async for item in items:
        if item.state == state and item.result is not None:
            kept = orjson.loads(item.result)
            usage.add(kept)
            yield result_line(item, kept)


async def _moderate(services: Services, body: object) -> Object:
    return moderate(body, services.settings.flag_marker, Findings(services.settings.strict_wire))


_ANSWERS: Final[dict[str, tuple[_Answer, str]]] = {
    ENDPOINTS["/v1/chat/completions"]: (complete_chat, "messages"),
    ENDPOINTS["/v1/responses"]: (answer_alone, "input"),
    ENDPOINTS["/v1/embeddings"]: (embeddings_alone, "input"),
    ENDPOINTS["/v1/completions"]: (complete_text, "prompt"),
    ENDPOINTS["/v1/moderations"]: (_moderate, "input"),
}
"""What answers the lines of a kind of batches, and the field of them that holds the prompt."""
KINDS: Final = tuple(_ANSWERS)
"""The kinds of batches that are OpenAI's."""
_RULES: Final = BatchRules("openai", KINDS, WINDOW.total_seconds(), EXPIRED, _answer, _refusal, _check_or_finish)
