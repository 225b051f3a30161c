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
from localaik.generation.stops import StopMatcher

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

    def __init__(self, index: int, stops: Sequence[str]) -> None:
        """`stops` are the stop strings that the engine does not cut itself."""
        self._index = index
        self._matcher = StopMatcher(stops) if stops else None
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
                if self._matcher is None:
                    events.append(TextDelta(item, index))
                else:
                    self._match(item, None, events)
            else:
                self._read_chunk(item, events)
            if self.cut:
                break
        return events

    def end(self) -> list[GenerationEvent]:
        """The last events: text that was held back, and `Finished`."""
        events: list[GenerationEvent] = []
        if self._matcher is not None and not self.cut:
            rest = self._matcher.rest()
            if rest:
                events.append(TextDelta(rest, self._index))
        events.append(Finished("stop" if self.cut else self._finish or "stop", self._index))
        return events

    def _read_chunk(self, chunk: EngineChunk, events: list[GenerationEvent]) -> None:
        if chunk.reasoning:
            self._texts.append(chunk.reasoning)
            self.reasoning_tokens += 1
            events.append(ReasoningDelta(chunk.reasoning, self._index))
        if chunk.text or chunk.logprobs:
            self._texts.append(chunk.text)
            logprobs = [_token(entry) for entry in chunk.logprobs] if chunk.logprobs else None
            if self._matcher is None:
                events.append(TextDelta(chunk.text, self._index, logprobs))
            else:
                self._match(chunk.text, logprobs, events)
        if chunk.finish is not None:
            self._finish = _FINISH_REASONS.get(chunk.finish, "other")
        if chunk.usage is not None:
            self.usage = chunk.usage

    def _match(self, text: str, logprobs: list[TokenLogprob] | None, events: list[GenerationEvent]) -> None:
        if self._matcher is not None:
            passed = self._matcher.feed(text)
            if passed or logprobs:
                events.append(TextDelta(passed, self._index, logprobs))


def _token(entry: LogprobEntry) -> TokenLogprob:
    return TokenLogprob(
        entry.token, entry.logprob, entry.id, entry.bytes, [_token(other) for other in entry.top_logprobs]
    )
