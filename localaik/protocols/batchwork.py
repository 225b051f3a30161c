"""Batches in the background, the same for every protocol: what is done next, what is tried again, what is kept."""

import json
import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from localaik.errors import EngineUnreachable, InternalFault, LocalaikError, Unavailable
from localaik.jobs.ended import EndedWork
from localaik.jobs.runner import Unit
from localaik.protocols.contract import Services
from localaik.state.batch_records import Batch, BatchItem, Step
from localaik.state.faults import UnknownBatch

__all__ = ["BatchRules", "BatchWork", "in_large_pieces", "tell_end"]

_MOST_ATTEMPTS: Final = 3  # a request that kills the engine would kill it again and again
_PIECE_BYTES: Final = 1 << 18
_WHOLE: Final = -1  # what concerns the whole job, among the places of its requests
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BatchRules:
    """What batches are to one protocol. Results are in its own words."""

    protocol: str
    kinds: tuple[str, ...]
    """The kinds of jobs that are its own."""
    window_seconds: float
    """The age at which a job is given up."""
    expired: str
    """The result of a request that was not done by then."""
    answer: Callable[[Services, Batch, BatchItem], Awaitable[str]]
    """The result of a request. Raises `LocalaikError`."""
    refusal: Callable[[Batch, LocalaikError], str]
    """The result of a request that failed."""
    whole: Callable[[Services, Batch], Awaitable[None]]
    """Does what is to be done with a job none of whose requests waits: checks it, or ends it."""


class BatchWork:
    """A source of background work (`jobs.runner.Source`): the requests of all batches of a protocol, and their ends."""

    def __init__(self, services: Services, rules: BatchRules) -> None:
        self._services = services
        self._rules = rules
        self._busy: set[tuple[str, int]] = set()
        self._attempts: dict[tuple[str, int], int] = {}

    async def __call__(self) -> Unit | None:
        """The next unit, by priority and age of the batches; None where nothing is to be done."""
        if not self._services.store.may_hold_anything():
            return None
        rules = self._rules
        batches = await self._services.store.batches(rules.kinds)
        step = await batches.next_step(rules.kinds, tuple(self._busy))
        if step is not None and step.item is not None and batches.age(step.batch) >= rules.window_seconds:
            await batches.abandon(step.batch.id, rules.expired, expired=True)
            step = await batches.next_step(rules.kinds, tuple(self._busy))
        if step is None:
            return None
        place = (step.batch.id, _WHOLE if step.item is None else step.item.place)
        self._busy.add(place)
        return Unit(step.batch.id, partial(self._do, step), partial(self._busy.discard, place))

    async def _do(self, step: Step) -> None:
        if step.item is None:
            await self._rules.whole(self._services, step.batch)
            await tell_end(self._services, self._rules.protocol, step.batch.id)
            return
        await self._answer(step.batch, step.item)
        self._attempts.pop((step.batch.id, step.item.place), None)

    async def _answer(self, batch: Batch, item: BatchItem) -> None:
        batches = await self._services.store.batches(self._rules.kinds)
        await batches.begin(batch.id)
        try:
            result, failed = await self._rules.answer(self._services, batch, item), False
        except Unavailable:
            raise
        except EngineUnreachable as error:
            if not self._is_last_attempt(batch, item):
                raise
            result, failed = self._rules.refusal(batch, error), True
        except LocalaikError as error:
            result, failed = self._rules.refusal(batch, error), True
        except Exception as error:
            if not self._is_last_attempt(batch, item):
                raise
            _log.error("a request of a batch failed: %s", type(error).__name__)
            fault = InternalFault("The request failed for a reason of the server's own.")
            result, failed = self._rules.refusal(batch, fault), True
        await batches.settle(batch.id, item.place, result, failed=failed)

    def _is_last_attempt(self, batch: Batch, item: BatchItem) -> bool:
        """Count a failed attempt at a request."""
        place = batch.id, item.place
        self._attempts[place] = self._attempts.get(place, 0) + 1
        return self._attempts[place] >= _MOST_ATTEMPTS


async def tell_end(services: Services, protocol: str, batch_id: str) -> None:
    """Tell `services.ended` of a batch, if it has ended and was not deleted."""
    with suppress(UnknownBatch):
        batch = await (await services.store.batches()).get(batch_id)
        if not batch.active:
            services.ended(_ended(protocol, batch))


def _ended(protocol: str, batch: Batch) -> EndedWork:
    usage = json.loads(batch.usage) if batch.usage else {}
    return EndedWork(
        protocol,
        "batch",
        batch.id,
        batch.state,
        ((batch.ended or batch.updated) - batch.created).total_seconds(),
        model=batch.model,
        tokens_in=usage.get("input_tokens"),
        tokens_out=usage.get("output_tokens"),
        requests=batch.total,
        failed=batch.failed,
    )


async def in_large_pieces(lines: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The same bytes, many lines at once."""
    piece = bytearray()
    async for line in lines:
        piece += line
        if len(piece) >= _PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)
