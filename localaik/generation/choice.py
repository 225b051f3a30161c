"""One choice of a response: from the engine's news to events. A state machine without I/O."""

from collections.abc import Sequence
from typing import Final

from localaik.engine.calls import EngineChunk, EngineNews, EngineUsage, LogprobEntry
from localaik.generation.events import (
    Finished,
    FinishReason,
    GenerationEvent,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
)
from localaik.generation.reasoning import ThoughtSplitter
from localaik.generation.stops import StopMatcher
from localaik.generation.tools.accumulator import CallAccumulator
from localaik.generation.tools.parser import CallParser, ReadCall

__all__ = ["ChoiceReader"]

_FINISH_REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "stop",
    "eos": "stop",
}


class ChoiceReader:
    """`read()` each list of news, `end()` once at the end of the stream."""

    def __init__(
        self,
        index: int,
        stops: Sequence[str],
        parser: CallParser | None = None,
        splitter: ThoughtSplitter | None = None,
    ) -> None:
        """`stops` are the stop strings that the engine does not cut itself, `parser` reads calls out of the text and
        `splitter` thoughts.
        """
        self._index = index
        self._splitter = splitter
        self._matcher = StopMatcher(stops) if stops else None
        self._parser = parser
        self._is_plain = self._matcher is None and parser is None and splitter is None
        self.native_calls = CallAccumulator()
        """Calls that the engine read itself."""
        self._texts: list[str] = []
        self._finish: FinishReason | None = None
        self.reasoning_tokens = 0
        """Pieces of reasoning, which are tokens on all engines that stream them one by one."""
        self.usage: EngineUsage | None = None
        """The engine's counts, once it has told them."""

    @property
    def cut(self) -> bool:
        """A stop string was found here: the rest of the engine's answer is not wanted."""
        return self._matcher is not None and self._matcher.matched is not None

    @property
    def calls(self) -> Sequence[ReadCall]:
        """The calls that were read out of the text, the last one perhaps not to its end."""
        return self._parser.calls if self._parser is not None else ()

    @property
    def was_cut(self) -> bool:
        """The token limit, or something like it, ended the answer before the model did."""
        return not self.cut and (self._finish or "stop") != "stop"

    @property
    def pieces(self) -> int:
        """Deltas so far, of text and reasoning."""
        return len(self._texts)

    def text(self) -> str:
        """All text and reasoning so far, for engines that do not count."""
        return "".join(self._texts)

    def read(self, news: list[EngineNews]) -> list[GenerationEvent]:
        """The events in `news`."""
        events: list[GenerationEvent] = []
        index = self._index
        texts = self._texts
        for item in news:
            if isinstance(item, str):
                texts.append(item)
                if self._is_plain:
                    events.append(TextDelta(item, index))
                else:
                    self._parse(item, None, events)
            else:
                self._read_chunk(item, events)
            if self.cut:
                break
        return events

    def end(self) -> list[GenerationEvent]:
        """The last events: text that was held back, and `Finished`."""
        events: list[GenerationEvent] = []
        if self._splitter is not None and not self.cut:
            self._split(self._splitter.end(), None, events)
        if self._parser is not None and not self.cut:
            self._match_all(self._parser.end(), events)
        if self._matcher is not None and not self.cut:
            rest = self._matcher.rest()
            if rest:
                events.append(TextDelta(rest, self._index))
        reason = "stop" if self.cut else self._finish or "stop"
        if reason == "stop" and self._parser is not None and self._parser.calls:
            reason = "tool_calls"
        events.append(Finished(reason, self._index))
        return events

    def _read_chunk(self, chunk: EngineChunk, events: list[GenerationEvent]) -> None:
        if chunk.reasoning:
            self._texts.append(chunk.reasoning)
            self.reasoning_tokens += 1
            events.append(ReasoningDelta(chunk.reasoning, self._index))
        if chunk.text or chunk.logprobs:
            self._texts.append(chunk.text)
            logprobs = [_token(entry) for entry in chunk.logprobs] if chunk.logprobs else None
            if self._is_plain:
                events.append(TextDelta(chunk.text, self._index, logprobs))
            else:
                self._parse(chunk.text, logprobs, events)
        if chunk.calls:
            self.native_calls.feed(chunk.calls)
        if chunk.finish is not None:
            self._finish = _FINISH_REASONS.get(chunk.finish, "other")
        if chunk.usage is not None:
            self.usage = chunk.usage

    def _parse(self, text: str, logprobs: list[TokenLogprob] | None, events: list[GenerationEvent]) -> None:
        splitter = self._splitter
        if splitter is None:
            self._parse_answer(text, logprobs, events)
            return
        self._split(splitter.feed(text), logprobs, events)
        if splitter.done:
            self._splitter = None
            self._is_plain = self._matcher is None and self._parser is None

    def _split(
        self,
        parts: Sequence[ReasoningDelta | TextDelta],
        logprobs: list[TokenLogprob] | None,
        events: list[GenerationEvent],
    ) -> None:
        for part in parts:
            if isinstance(part, ReasoningDelta):
                self.reasoning_tokens += 1
                events.append(part)
            else:
                self._parse_answer(part.text, logprobs, events)

    def _parse_answer(self, text: str, logprobs: list[TokenLogprob] | None, events: list[GenerationEvent]) -> None:
        if self._parser is not None:
            self._match_all(self._parser.feed(text, logprobs), events)
        elif self._matcher is not None:
            self._match(TextDelta(text, self._index, logprobs), events)
        else:
            events.append(TextDelta(text, self._index, logprobs))

    def _match_all(self, parsed: list[GenerationEvent], events: list[GenerationEvent]) -> None:
        """Stop strings end text; in the arguments of a call they are what the caller asked to be written."""
        if self._matcher is None:
            events += parsed
            return
        for event in parsed:
            if self.cut:
                return
            if isinstance(event, TextDelta):
                self._match(event, events)
            else:
                events.append(event)

    def _match(self, delta: TextDelta, events: list[GenerationEvent]) -> None:
        if self._matcher is not None:
            passed = self._matcher.feed(delta.text)
            if passed or delta.logprobs:
                events.append(TextDelta(passed, self._index, delta.logprobs))


def _token(entry: LogprobEntry) -> TokenLogprob:
    return TokenLogprob(
        entry.token, entry.logprob, entry.id, entry.bytes, [_token(other) for other in entry.top_logprobs]
    )
