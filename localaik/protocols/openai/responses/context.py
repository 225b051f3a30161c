"""What the model is shown for a response: everything, or as much as there is room for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from localaik.errors import BadRequest, NotServed
from localaik.generation.events import Usage
from localaik.generation.fold import fold
from localaik.protocols.contract import Services
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.responses import compaction
from localaik.protocols.openai.responses.chain import (
    ChainMemory,
    check_continuable,
    history_of,
    objects_of,
    resolved,
)
from localaik.protocols.openai.responses.decode import DecodedResponse, decode_response, new_items
from localaik.protocols.openai.responses.items import TRIGGER
from localaik.protocols.openai.responses.types import CreateResponse
from localaik.state.response_records import Item

__all__ = ["Context", "compaction_of", "count_tokens", "decoded_in", "gather", "without_oldest"]

_ANSWER_TOKENS: Final = 256
"""Room that is left for an answer whose length the caller did not limit."""
_CHARS_PER_TOKEN: Final = 2
"""Fewer than any tokenizer of a language model needs on average."""


@dataclass(slots=True)
class Context:
    """The items that a response begins with, oldest first."""

    history: list[Object]
    """Those of the responses or the conversation that it continues."""
    new: list[Object]
    """Those of the request."""
    kept: Sequence[Item] = ()
    """The history as the store has it, or would."""
    compaction: Object | None = None
    """What stands for the earlier items, made for this response; its first output item."""
    only_compacts: bool = False
    """Nothing is generated: the caller wants the earlier items shortened, and no more."""
    tokens: int | None = None
    """The size of the prompt, where it was counted."""
    shown: list[Object] = field(default_factory=list)
    """What the model is shown."""


async def gather(services: Services, request: CreateResponse, memory: ChainMemory | None = None) -> Context:
    """What a request continues, and what it brings. Raises `BadRequest` and `NotFound`."""
    new = await resolved(services.store, new_items(request, strict=services.settings.strict_wire))
    conversation_id, previous = request.conversation_id, request.previous_response_id
    kept: list[Item] = []
    if conversation_id is not None:
        kept = await (await services.store.conversations()).context(conversation_id)
    elif previous is not None:
        running = services.live.shown(previous)
        if running is not None:
            check_continuable(previous, running["status"])
        try:
            kept = await history_of(services.store, previous, memory)
        except BadRequest:
            if await services.live.elsewhere(previous):
                check_continuable(previous, "in_progress")
            raise
    return Context(objects_of(kept), new, kept)


async def decoded_in(context: Context, request: CreateResponse, services: Services) -> DecodedResponse:
    """The request, translated with its context; this is shortened where the request asks for it.

    Raises `BadRequest`.
    """
    at = next((place for place, item in enumerate(context.new) if item["type"] == TRIGGER), None)
    if at is not None:
        before = [*context.history, *context.new[:at]]
        after = [item for item in context.new[at + 1 :] if item["type"] != TRIGGER]
        context.new = [*context.new[:at], *after]
        # Later responses see this item behind all that is new in this one, which it must stand for, too.
        context.compaction, _ = await compaction_of([*before, *after], request.model, services)
        context.only_compacts = not after
        context.shown = [*before, context.compaction, *after]
    else:
        context.shown = [*context.history, *context.new]
    decoded = _decode(context.shown, request, services)
    threshold = decoded.compact_threshold
    if threshold is not None and context.compaction is None and await _count(decoded, services) > threshold:
        context.compaction, _ = await compaction_of(context.shown, request.model, services)
        context.shown.append(context.compaction)
        decoded = _decode(context.shown, request, services)
    if decoded.truncation == "auto":
        decoded = await _fitted(context, decoded, request, services)
    if context.only_compacts:
        context.tokens = await _count(decoded, services)
    return decoded


async def compaction_of(items: Sequence[Object], model: str, services: Services) -> tuple[Object, Usage]:
    """The item that stands for all of `items` but the user's messages, and what it cost to make."""
    window = services.pipeline.context_tokens or services.settings.ctx_size
    room = window // 4 * _CHARS_PER_TOKEN
    if services.settings.compaction == "digest":
        return compaction.compact(items, max_chars=room), Usage(0, 0)
    asked = compaction.summary_request(
        items, model, max_chars=window // 2 * _CHARS_PER_TOKEN, max_tokens=max(1, window // 8)
    )
    generation = await fold(services.pipeline.run(asked))
    return compaction.compact(items, max_chars=room, summary=generation.choices[0].text), generation.usage


async def count_tokens(context: Context, request: CreateResponse, services: Services) -> int:
    """The size of the prompt that a request would make, in tokens. Raises `BadRequest` and `NotServed`."""
    context.shown = [*context.history, *context.new]
    decoded = _decode(context.shown, request, services)
    if decoded.truncation == "auto":
        decoded = await _fitted(context, decoded, request, services)
    return (await services.pipeline.count_tokens(decoded.generation)).prompt_tokens


def without_oldest(items: Sequence[Object], count: int) -> list[Object]:
    """The items without the first `count`, and without results of calls that are among these."""
    gone = {item["call_id"] for item in items[:count] if "call_id" in item and not _is_result(item)}
    return [item for item in items[count:] if not (_is_result(item) and item.get("call_id") in gone)]


def _is_result(item: Object) -> bool:
    return str(item["type"]).endswith("_output")


def _decode(items: Sequence[Object], request: CreateResponse, services: Services) -> DecodedResponse:
    settings = services.settings
    return decode_response(
        request,
        items,
        max_messages=settings.max_messages,
        max_tools=settings.max_tools,
        strict=settings.strict_wire,
        refuse_server_tools=settings.server_tools == "refuse",
        egemma=settings.egemma_compat,
    )


async def _count(decoded: DecodedResponse, services: Services) -> int:
    """The prompt's size in tokens; 0 where the engine can't tell."""
    try:
        return (await services.pipeline.count_tokens(decoded.generation)).prompt_tokens
    except NotServed:
        return 0


async def _fitted(
    context: Context, decoded: DecodedResponse, request: CreateResponse, services: Services
) -> DecodedResponse:
    """The request without its oldest items, as few as must go for the rest to fit. The last item stays in any case."""
    window = services.pipeline.context_tokens or services.settings.ctx_size
    limit = window - min(request.max_output_tokens or _ANSWER_TOKENS, window // 2)
    if await _count(decoded, services) <= limit:
        return decoded
    items = context.shown
    low, high = 1, len(items) - 1
    while low <= high:
        middle = (low + high) // 2
        rest = without_oldest(items, middle)
        if not rest or rest[-1] is not items[-1]:
            high = middle - 1  # the last item is the result of a call, which must stay too
            continue
        tried = _decode(rest, request, services)
        if await _count(tried, services) <= limit:
            decoded, context.shown, high = tried, rest, middle - 1
        else:
            low = middle + 1
    return decoded
