"""One response, from its request to its last event: what it continues, the generation, and what is kept of it."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

import orjson

from localaik.errors import (
    BadRequest,
    EngineAnswerInvalid,
    InternalFault,
    LocalaikError,
    NotFound,
    Unavailable,
)
from localaik.generation.events import Finished, GenerationEvent, Usage
from localaik.http.call import Call
from localaik.jobs.locks import Held, OccupiedError
from localaik.protocols.contract import Services
from localaik.protocols.figures import watch
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.responses.answering import Frame
from localaik.protocols.openai.responses.chain import CONTINUABLE, ChainMemory, conversation_locked, items_of
from localaik.protocols.openai.responses.context import Context, decoded_in, gather
from localaik.protocols.openai.responses.decode import DecodedResponse
from localaik.protocols.openai.responses.ids import new_id
from localaik.protocols.openai.responses.objects import response_object
from localaik.protocols.openai.responses.stream import ResponseStream
from localaik.protocols.openai.responses.types import CreateResponse
from localaik.protocols.openai.tools import about_schema
from localaik.state.response_records import NewResponse

__all__ = ["ResponseRun"]

_log = logging.getLogger(__name__)


class ResponseRun:
    """A response in the making: `prepare`, then `frames` to their end, and `close` in any case."""

    def __init__(
        self,
        services: Services,
        request: CreateResponse,
        *,
        call: Call | None = None,
        memory: ChainMemory | None = None,
        tells_faults: bool = False,
        generates: bool = True,
    ) -> None:
        """`call` learns the figures of the generation. `memory` knows responses that are not stored.

        `tells_faults`: a fault behind the first event becomes the last event; else it is raised. Without `generates`,
        the response is complete with nothing in it.
        """
        self.id = new_id("resp")
        self._services = services
        self._request = request
        self._call = call
        self._memory = memory
        self._tells_faults = tells_faults
        self._generates = generates
        self._held: Held | None = None
        self._context: Context
        self._decoded: DecodedResponse
        self._machine: ResponseStream
        self._last: list[Frame] = []
        """The frames of the end, once they are made."""

    @property
    def response(self) -> Object:
        """The response as it stands now."""
        return self._machine.response

    async def prepare(self) -> None:
        """Find out what is continued, and check everything that can be checked before the model is asked.

        Raises `BadRequest`, `NotFound` and `AlreadyExists`; then nothing is held any more.
        """
        try:
            await self._prepare()
        except LocalaikError:
            await self._give_free()  # who reads of the fault may go on at once
            raise
        except BaseException:
            self.close()
            raise

    async def _prepare(self) -> None:
        services, request = self._services, self._request
        services.registry.resolve(request.model)
        conversation_id = request.conversation_id
        if conversation_id is not None:
            await self._hold(conversation_id)
        self._context = await gather(services, request, self._memory)
        self._decoded = await decoded_in(self._context, request, services)
        if self._call is not None:
            self._call.model = request.model
            self._call.ignored += self._decoded.ignored
        if self._decoded.generation.logprobs is not None and not services.pipeline.supports_logprobs:
            raise BadRequest(
                "'top_logprobs' is not supported: the model behind this server tells no log probabilities.",
                field="top_logprobs",
                reason="unsupported_parameter",
            )
        made = response_object(
            self.id,
            int(time.time()),
            self._decoded.echo,
            status="queued" if request.background else "in_progress",
            background=bool(request.background),
            conversation=conversation_id,
            previous_response_id=self._decoded.previous_response_id,
            store=self.is_stored,
        )
        self._machine = ResponseStream(made, self._decoded.answering)
        if request.background:
            try:
                await self._keep()
            except asyncio.CancelledError:
                await self._drop()
                raise
        if self.is_stored:
            services.live.show(self.id, lambda: self._machine.response)
            await services.live.settle()  # its id is told next

    @property
    def is_stored(self) -> bool:
        """The caller wants to ask for it again."""
        return self._request.store is not False

    async def frames(self) -> AsyncGenerator[list[Frame], None]:
        """The events of the response; it is kept before the last ones are given out.

        Raises a `LocalaikError` where nothing was given out before, or faults are not told. Closing it early frees the
        engine, and keeps as cancelled what was given out.
        """
        is_told = False
        try:
            async with aclosing(self._told()) as told:
                async for frames in told:
                    is_told = True
                    yield frames
        except GeneratorExit:
            await self._cut(is_told=is_told)
            raise
        except asyncio.CancelledError:
            frames = await self._cut(is_told=is_told)
            if not self._request.background:
                raise
            yield frames  # whoever watches is still there
        except Exception as error:
            if not is_told or not self._tells_faults:
                await self._give_free()
                raise
            machine = self._machine
            fault = self._fault(error)
            # An end that could not be kept was not given out either.
            frames = [*self._last[:-1], *machine.replace_end(fault)] if machine.finished else machine.fail(fault)
            try:
                await self._keep()
            except Exception as second:  # noqa: BLE001 - whoever watches learns of the first fault all the same
                _log.error("response %s can't be stored: %s", self.id, type(second).__name__)
            yield frames
        finally:
            self.close()

    def close(self) -> None:
        """Give free what was held. A second time does nothing."""
        if self._held is not None:
            self._held.give_back()
        self._services.live.hide(self.id)

    async def _hold(self, conversation_id: str) -> None:
        try:
            self._held = await self._services.locks.take(conversation_id)
        except OccupiedError:
            raise conversation_locked() from None

    async def _told(self) -> AsyncGenerator[list[Frame], None]:
        """The events, but for those of faults and of an early end."""
        machine = self._machine
        begun = machine.begin(queued=bool(self._request.background))
        if self._context.compaction is not None:
            begun += machine.add_item(self._context.compaction)
        if self._request.background:
            yield begun
            begun = []
        # The first events wait for the engine's first news: a fault before is an ordinary error.
        async with aclosing(self._batches()) as batches:
            async for batch in batches:
                frames = begun + machine.feed(batch)
                begun = []
                if machine.finished:
                    self._last = frames
                    await self._keep()
                if frames:
                    yield frames
        if not machine.finished:
            frames = self._last = begun + machine.complete(Usage(self._context.tokens or 0, 0))
            await self._keep()
            yield frames

    async def _batches(self) -> AsyncGenerator[list[GenerationEvent], None]:
        """The events of the generation; none where nothing is to be generated."""
        if not self._generates or self._context.only_compacts:
            return
        generation = self._decoded.generation
        batches = self._services.pipeline.run(generation)
        if self._call is not None:
            batches = watch(self._call, batches)
        try:
            async with aclosing(batches):
                async for batch in batches:
                    for event in batch:
                        if isinstance(event, Finished) and event.reason == "malformed_call":
                            raise EngineAnswerInvalid(event.message or "The model made no valid call.")
                    yield batch
        except BadRequest as error:
            raise about_schema(error, generation.tools, self._decoded.format_name) from None

    async def _keep(self) -> None:
        """Store the response as it is now, where it is to be stored; a chain of this connection goes on in any case."""
        is_over = self._machine.finished
        if self._memory is not None and self._machine.response["status"] in CONTINUABLE:
            self._memory.keep(self.id, [*self._context.history, *self._context.new, *self._machine.output])
        if not self.is_stored and self._held is None:
            return
        settling = asyncio.create_task(self._settle(is_over=is_over))
        try:
            await asyncio.shield(settling)
        except asyncio.CancelledError:
            await asyncio.wait([settling])
            if settling.exception() is not None or not (is_over and self._request.background):
                raise
            # It was over before it was cancelled.

    async def _settle(self, *, is_over: bool) -> None:
        if self.is_stored:
            await self._save()
        if is_over:  # who reads the last event may go on at once
            await self._give_free()

    async def _give_free(self) -> None:
        """As `close`; on return all know of it."""
        held = self._held
        self.close()
        if held is not None:
            await held.settle()

    async def _save(self) -> None:
        response = self._machine.response
        output = self._machine.output
        context = self._context
        created, status = response["created_at"], response["status"]
        assert isinstance(created, int)  # noqa: S101 - for the type checker
        await (await self._services.store.responses()).save(
            NewResponse(
                id=self.id,
                created=created,
                status=str(status),
                background=bool(self._request.background),
                body=orjson.dumps({**response, "output": [], "output_text": ""}).decode(),
                input=items_of(context.new),
                output=items_of(output),
                previous_id=self._decoded.previous_response_id,
                conversation_id=self._request.conversation_id,
            ),
            history=context.kept,
        )

    async def _drop(self) -> None:
        """Forget what is kept: the caller has left before learning of it."""
        with suppress(NotFound):
            await (await self._services.store.responses()).delete(self.id)

    async def _cut(self, *, is_told: bool) -> list[Frame]:
        """What was cut off is cancelled by its caller, or failed with the server; the events that tell it.

        Kept is what somebody may have heard of: not an answer in one piece, nor a stream before its first event.
        """
        machine = self._machine
        if machine.finished:
            return []
        frames = (
            machine.fail(Unavailable("The server has stopped.")) if self._services.live.closed else machine.cancel()
        )
        if self._request.background or (is_told and self._tells_faults):
            await self._keep()
        return frames

    def _fault(self, error: Exception) -> LocalaikError:
        if self._call is not None:
            self._call.failure = error
        if isinstance(error, LocalaikError):
            return error
        _log.error("response %s failed", self.id, exc_info=error)
        return InternalFault("The server had an error while processing your request.")
