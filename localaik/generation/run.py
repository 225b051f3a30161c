"""The one pipeline: every protocol, streamed or not, asks for text here and nowhere else."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

from localaik.content import AttachmentLoader, Image
from localaik.engine.calls import SEED_MODULUS, ChatTurn, EngineCall, EngineChunk, EngineNews
from localaik.engine.capabilities import Capabilities
from localaik.engine.engine import Engine
from localaik.errors import BadRequest, LocalaikError, NotServed, TimedOut
from localaik.generation.attachments import load_attachments, shown_parts
from localaik.generation.attempts import Attempts
from localaik.generation.checking import AnswerCheck
from localaik.generation.choice import ChoiceReader
from localaik.generation.events import (
    Finished,
    GenerationEvent,
    ReasoningDelta,
    Started,
    TextDelta,
    Usage,
    UsageReported,
)
from localaik.generation.form import Form, form_of
from localaik.generation.guard import Neutraliser, to_turns
from localaik.generation.reasoning import ThoughtSplitter
from localaik.generation.request import GenerationRequest, Sampling
from localaik.generation.thinking import (
    Thoughts,
    answering_call,
    heeds_effort,
    pass_tokens,
    template_options,
    thinking_call,
)
from localaik.generation.tools import new_call_id
from localaik.generation.tools.parser import CallParser
from localaik.generation.tools.prompt import MARKERS
from localaik.settings import Settings

__all__ = ["Pipeline", "TextSizes"]

_CHARS_PER_TOKEN: Final = 4  # about what tokenizers reach on English


@dataclass(frozen=True, slots=True)
class TextSizes:
    """What texts cost."""

    tokens: list[int]
    """Of each text, in their order."""
    estimated: bool = False
    """No tokenizer could be asked."""


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A request in the engine's terms, and what is needed to tell what its media cost."""

    call: EngineCall
    neutraliser: Neutraliser
    form: Form | None = None
    """What the answer must be; None for free text."""
    stops: tuple[str, ...] = ()
    """Stop strings that the engine does not cut at."""
    thinking_tokens: int = 0
    """The model thinks in a pass of its own first, for so many tokens at most."""
    images: int = 0
    """All images, PDF pages included."""
    pages: int = 0
    text_tokens: int | None = None
    """The prompt's size without the images; None where there are none, or the engine can't tell."""

    def media_tokens(self, total: int) -> tuple[int, int]:
        """Of a prompt of `total` tokens, those that images and those that PDF pages take; all images cost alike."""
        if self.text_tokens is None:
            return 0, 0
        media = max(total - self.text_tokens, 0)
        documents = media * self.pages // self.images
        return media - documents, documents


class Pipeline:
    """From a `GenerationRequest` to its events, on one engine."""

    def __init__(self, engine: Engine, settings: Settings, loader: AttachmentLoader) -> None:
        self._engine = engine
        self._settings = settings
        self._loader = loader
        self._fingerprint = ""
        self._fingerprinted: Capabilities | None = None
        self._neutralisers = (Neutraliser(), Neutraliser(more=MARKERS))
        self._neutraliser_key: tuple[str, str] = ("", "")

    @property
    def fingerprint(self) -> str:
        """Ten hexadecimal digits that change with the engine's build, the model and the settings of the engine."""
        capabilities = self._engine.capabilities
        if capabilities is not self._fingerprinted:
            settings = self._settings
            parts = (capabilities.build, capabilities.model_id, settings.model, settings.ctx_size, settings.seed)
            self._fingerprint = hashlib.sha256(repr(parts).encode()).hexdigest()[:10]
            self._fingerprinted = capabilities
        return self._fingerprint

    @property
    def supports_logprobs(self) -> bool:
        """Log probabilities may be asked for."""
        return self._engine.capabilities.logprobs

    @property
    def context_tokens(self) -> int:
        """The context window of one request, in tokens; 0 where the engine has not told it."""
        return self._engine.capabilities.context_tokens

    def run(self, request: GenerationRequest) -> AsyncGenerator[list[GenerationEvent], None]:
        """The events of one request, in the order that `events` describes; each batch is what one read brought.

        The iterator raises `BadRequest` and its kinds, `Unavailable`, `TimedOut`, and `EngineFault`, before or between
        batches. Closing it frees the engine at once.
        """
        batches = self._run(request)
        limits = [limit for limit in (request.time_limit, self._settings.request_timeout_seconds) if limit]
        return _within(min(limits), batches) if limits else batches

    async def count_tokens(self, request: GenerationRequest) -> Usage:
        """The prompt's size as `run` would send it; the completion's counts are 0."""
        await self._engine.ready()
        prompt = await self._prepare(request)
        total = await self._engine.count_tokens(prompt.call)
        images, documents = prompt.media_tokens(total)
        return Usage(total, 0, image_tokens=images, document_tokens=documents)

    async def ready(self) -> None:
        """Return when the engine can be asked. Raises `Unavailable` when the wait is over."""
        await self._engine.ready()

    async def sizes(self, texts: Sequence[str]) -> TextSizes:
        """The tokens of each text by itself; estimated where the engine's tokenizer is out of reach."""
        if not any(texts):
            return TextSizes([0] * len(texts))
        try:
            await self._engine.ready()
            return TextSizes(await self._engine.count_texts(texts))
        except LocalaikError:
            return TextSizes([len(text) // _CHARS_PER_TOKEN for text in texts], estimated=True)

    async def heeds_effort(self, request: GenerationRequest) -> bool:
        """True where the model's template is told what the request says about thinking, or there is nothing to tell.

        Raises as `ready`.
        """
        await self._engine.ready()
        return heeds_effort(request, self._engine.capabilities)

    async def detokenize(self, ids: list[int]) -> str:
        """The text of token ids of the served model. Raises `BadRequest` where the engine can't tell."""
        await self._engine.ready()
        return await self._engine.detokenize(ids)

    async def _run(self, request: GenerationRequest) -> AsyncGenerator[list[GenerationEvent], None]:
        await self._engine.ready()
        prompt = await self._prepare(request)
        totals: list[Usage] = []
        batches = self._choice(prompt, 0, totals) if request.n == 1 else self._several(prompt, request.n, totals)
        async with aclosing(batches):
            async for batch in batches:
                if totals and request.n == 1:  # the last batch: the counts go out with it
                    batch.append(UsageReported(_sum(totals, prompt)))
                yield batch
        if request.n > 1:  # all counts may be known while batches of other choices still wait to be read
            yield [UsageReported(_sum(totals, prompt))]

    async def _choice(
        self, prompt: _Prompt, index: int, totals: list[Usage]
    ) -> AsyncGenerator[list[GenerationEvent], None]:
        """The events of one choice; its counts are in `totals` before its last batch."""
        if index:
            prompt = replace(prompt, call=replace(prompt.call, seed=(prompt.call.seed + index) % SEED_MODULUS))
        act = self._think_and_answer if prompt.thinking_tokens else self._answer
        async with aclosing(act(prompt, index, totals)) as batches:
            async for batch in batches:
                yield batch

    async def _think_and_answer(
        self, prompt: _Prompt, index: int, totals: list[Usage]
    ) -> AsyncGenerator[list[GenerationEvent], None]:
        """As `_choice`, behind a pass in which the model thinks."""
        thoughts = Thoughts()
        asked = thinking_call(prompt.call, prompt.thinking_tokens)
        reader = ChoiceReader(index, prompt.stops[:0])
        with closing(await self._engine.open(asked)) as stream:
            news = await stream.read()  # a fault up to here is an ordinary error: nothing has left yet
            prompt_tokens = await self._prompt_tokens(prompt)
            yield [Started(index, prompt_tokens or None, *prompt.media_tokens(prompt_tokens))]
            while news:
                events = reader.read(news)
                if any(isinstance(event, ReasoningDelta) for event in events):
                    break  # it reasons by itself, although its template doesn't show that
                told = [event.text for event in events if isinstance(event, TextDelta) and event.text]
                thoughts.text += "".join(told)
                if told:
                    yield [ReasoningDelta(text, index) for text in told]
                news = await stream.read()
        if not news:
            thoughts.tokens = (await self._usage(asked, reader)).completion_tokens
        spent = Usage(prompt_tokens, thoughts.tokens, reasoning_tokens=thoughts.tokens)
        call = answering_call(prompt.call, thoughts)
        if call.max_tokens is not None and call.max_tokens < 1:
            totals.append(spent)
            yield [Finished("length", index)]
            return
        mine: list[Usage] = []
        async with aclosing(self._answer(replace(prompt, call=call), index, mine)) as batches:
            async for batch in batches:
                if mine:
                    answered = mine.pop()
                    completion = answered.completion_tokens + spent.completion_tokens
                    reasoning = answered.reasoning_tokens + spent.reasoning_tokens
                    counted = prompt_tokens or answered.prompt_tokens
                    totals.append(Usage(counted, completion, reasoning_tokens=reasoning))
                rest: list[GenerationEvent] = [event for event in batch if not isinstance(event, Started)]
                if rest:
                    yield rest

    async def _prompt_tokens(self, prompt: _Prompt) -> int:
        """The prompt's size without thoughts, as `count_tokens` tells it; 0 where the engine can't tell."""
        try:
            return await self._engine.count_tokens(prompt.call)
        except NotServed:
            return 0

    async def _answer(
        self, prompt: _Prompt, index: int, totals: list[Usage]
    ) -> AsyncGenerator[list[GenerationEvent], None]:
        """As `_choice`, without a pass for thoughts."""
        form = prompt.form
        batches = (
            self._attempts(prompt, form, index, totals)
            if form is not None and not form.exact
            else self._stream(prompt, index, totals)
        )
        async with aclosing(batches):
            async for batch in batches:
                yield batch

    async def _stream(
        self, prompt: _Prompt, index: int, totals: list[Usage]
    ) -> AsyncGenerator[list[GenerationEvent], None]:
        """As `_choice`, for free text and for what a grammar holds."""
        call = prompt.call
        form = prompt.form
        parser = None
        if form is not None and form.reads_calls:
            parser = CallParser(index, new_call_id, text_first=form.text_first)
        reader = ChoiceReader(index, prompt.stops, parser, self._splitter(prompt, index))
        check = AnswerCheck(form, reader)
        with closing(await self._engine.open(call)) as stream:
            news = await stream.read()
            yield [_started(index, news, prompt), *check.seen(reader.read(news))]
            while not reader.cut and (news := await stream.read()):
                events = reader.read(news)
                if events:
                    yield check.seen(events)
        totals.append(await self._usage(call, reader))
        events = check.seen(reader.end())
        check.whole()
        yield events

    async def _attempts(
        self, prompt: _Prompt, form: Form, index: int, totals: list[Usage]
    ) -> AsyncGenerator[list[GenerationEvent], None]:
        """The events of one choice that is checked at its end, and asked for again where it is wrong."""
        attempts = Attempts(form, prompt.call, prompt.neutraliser, index)
        started = False
        while attempts.again:
            reader = attempts.reader(prompt.stops, self._splitter(prompt, index))
            with closing(await self._engine.open(attempts.call)) as stream:
                while not reader.cut and (news := await stream.read()):
                    events = attempts.live(reader.read(news))
                    if not started:
                        started = True
                        events.insert(0, _started(index, news, prompt))
                    if events:
                        yield events
            usage = await self._usage(attempts.call, reader)
            rest = attempts.live(reader.end())
            if rest:  # on its own: what follows may be an error to the caller, and this is not
                yield rest
            events = attempts.judge(reader)
            if not attempts.again:
                totals.append(usage)
            if events:
                yield events

    def _splitter(self, prompt: _Prompt, index: int) -> ThoughtSplitter | None:
        """For engines that may pass thoughts on as text; llama.cpp itself tells them apart."""
        told_apart = self._engine.capabilities.kind == "llamacpp" or prompt.call.prompt is not None
        return None if told_apart else ThoughtSplitter(index)

    async def _usage(self, call: EngineCall, reader: ChoiceReader) -> Usage:
        usage = reader.usage or await self._engine.estimate_usage(call, reader.text(), reader.pieces)
        return Usage(usage.prompt_tokens, usage.completion_tokens, reasoning_tokens=reader.reasoning_tokens)

    async def _several(
        self, prompt: _Prompt, n: int, totals: list[Usage]
    ) -> AsyncGenerator[list[GenerationEvent], None]:
        """The events of n choices as they come; the engine's gate decides how many run at once."""
        queue: asyncio.Queue[list[GenerationEvent] | BaseException | None] = asyncio.Queue(maxsize=2 * n)

        async def pump(index: int) -> None:
            try:
                async with aclosing(self._choice(prompt, index, totals)) as batches:
                    async for batch in batches:
                        await queue.put(batch)
            except Exception as error:  # noqa: BLE001 - handed on to the reader of the queue, which raises it
                await queue.put(error)
            else:
                await queue.put(None)

        tasks = [asyncio.create_task(pump(index)) for index in range(n)]
        try:
            running = n
            while running:
                item = await queue.get()
                if isinstance(item, BaseException):
                    raise item
                if item is None:
                    running -= 1
                else:
                    yield item
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _prepare(self, request: GenerationRequest) -> _Prompt:
        """Attachments loaded, text guarded, ranges reduced, grammar compiled: the call, but for its seed's choice."""
        capabilities = self._engine.capabilities
        form = form_of(request, capabilities)
        call = EngineCall(
            model=request.model,
            prompt=request.prompt,
            suffix=request.suffix,
            seed=(self._settings.seed if request.seed is None else request.seed) % SEED_MODULUS,
            max_tokens=request.max_tokens,
            sampling=_sampling(request.sampling),
            logprobs=request.logprobs,
            logit_bias=request.logit_bias,
            extra=_extra(request, capabilities),
        )
        stops = tuple(stop for stop in request.stop if stop)
        if form is None and capabilities.stop_strings:
            call.stop, stops = stops, ()
        neutraliser = self._current_neutraliser(with_calls=form is not None)
        instructions = ""
        if form is not None:
            _bind(call, form)
            instructions = form.instructions(neutraliser, capabilities.context_tokens)
        thinking = pass_tokens(request, capabilities) if self._settings.thinking_pass else 0
        prompt = _Prompt(call, neutraliser, form, stops, thinking)
        if request.prompt is not None:
            return prompt
        messages = await load_attachments(request.messages, self._loader, images=capabilities.vision)
        native = form is not None and form.means == "native"
        call.turns = to_turns(messages, neutraliser, instructions=instructions, native=native)
        images = [part for message in messages for part in shown_parts(message.parts) if isinstance(part, Image)]
        if not images:
            return prompt
        if not capabilities.vision:
            raise BadRequest("The model behind this server takes no images.", reason="unsupported_kind")
        pages = sum(image.document for image in images)
        return replace(prompt, images=len(images), pages=pages, text_tokens=await self._count_text(call))

    async def _count_text(self, call: EngineCall) -> int | None:
        """The size of the same prompt without its images. The whole one's the engine tells when it answers."""
        try:
            return await self._engine.count_tokens(replace(call, turns=[_without_images(turn) for turn in call.turns]))
        except NotServed:
            return None

    def _current_neutraliser(self, *, with_calls: bool) -> Neutraliser:
        """The neutraliser for the engine as it is now; a restart changes the media marker.

        `with_calls`: the markers of calls mean something in this conversation. Elsewhere they are text like any other.
        """
        capabilities = self._engine.capabilities
        key = (capabilities.chat_template, capabilities.media_marker or "")
        if key != self._neutraliser_key:
            self._neutralisers = (Neutraliser(key[0], [key[1]]), Neutraliser(key[0], [key[1], *MARKERS]))
            self._neutraliser_key = key
        return self._neutralisers[with_calls]


async def _within(
    seconds: float, batches: AsyncGenerator[list[GenerationEvent], None]
) -> AsyncGenerator[list[GenerationEvent], None]:
    """The same batches, cut off by `TimedOut` when the whole takes longer than `seconds`."""
    deadline = monotonic() + seconds
    async with aclosing(batches):
        while True:
            try:
                async with asyncio.timeout(deadline - monotonic()):
                    batch = await anext(batches)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise TimedOut(f"The request took longer than {seconds:g} seconds.", reason="timeout") from None
            yield batch


def _sampling(sampling: Sampling) -> dict[str, float | int]:
    given = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
    }
    return {name: value for name, value in given.items() if value is not None}


def _started(index: int, news: list[EngineNews], prompt: _Prompt) -> Started:
    first = news[0] if news else None
    total = first.prompt_total if isinstance(first, EngineChunk) else None
    images, documents = prompt.media_tokens(total or 0)
    return Started(index, total, images, documents)


def _sum(totals: list[Usage], prompt: _Prompt) -> Usage:
    """The usage of all choices; they share one prompt."""
    prompt_tokens = max(usage.prompt_tokens for usage in totals)
    images, documents = prompt.media_tokens(prompt_tokens)
    return Usage(
        prompt_tokens=prompt_tokens,
        completion_tokens=sum(usage.completion_tokens for usage in totals),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in totals),
        image_tokens=images,
        document_tokens=documents,
    )


def _extra(request: GenerationRequest, capabilities: Capabilities) -> Mapping[str, object]:
    """The fields that travel on, and what the model's template is told of thinking."""
    options = template_options(request, capabilities)
    if not options:
        return request.extra
    given = request.extra.get("chat_template_kwargs")
    return {**request.extra, "chat_template_kwargs": {**options, **(given if isinstance(given, dict) else {})}}


def _bind(call: EngineCall, form: Form) -> None:
    """Hold the engine to the form, by the means that it has."""
    if form.means == "grammar":
        call.grammar = form.grammar
    elif form.means == "schema":
        call.json_schema = form.json_schema()
    elif form.means == "native":
        call.tools = form.engine_tools()
        call.tool_choice = "required" if form.required else "auto"
        call.parallel_calls = form.choice.parallel
        call.logprobs = None  # llama.cpp refuses them beside tools


def _without_images(turn: ChatTurn) -> ChatTurn:
    if isinstance(turn.content, str):
        return turn
    return replace(turn, content=[piece for piece in turn.content if isinstance(piece, str)])
