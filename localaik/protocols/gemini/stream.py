"""Streamed answers: a state machine from events to frames. Pure: no I/O.

Rules that clients depend on:

- Nothing but data frames. Every frame is one line of JSON; what some readers take for the end of a line is escaped.
- The last chunk of a candidate carries its finish reason and, where there is one, its last text. So the newest text is
  held back until it is known whether the end follows. The first text leaves at once, for nobody should wait for it.
- A call leaves whole, once it is complete, behind all text.
- The last chunk of all has the final counts.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Final

import orjson

from localaik.errors import LocalaikError
from localaik.generation.events import (
    Finished,
    FinishReason,
    GenerationEvent,
    ReasoningDelta,
    Started,
    TextDelta,
    TokenLogprob,
    ToolCallArgumentsDelta,
    ToolCallFinished,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from localaik.generation.fold import FoldedCall
from localaik.protocols.gemini.decode import Answering
from localaik.protocols.gemini.encode import (
    LogprobWriter,
    Object,
    cached_count,
    call_part,
    candidate_object,
    is_blocked,
    prompt_details,
    response_object,
    text_parts,
    usage_object,
)
from localaik.protocols.gemini.errors import error_object

__all__ = ["Framing", "StreamEncoder"]

_HEAD: Final = '{"candidates":[{"content":{"role":"model","parts":[{"text":'
_Rare = Started | ReasoningDelta | ToolCallStarted | ToolCallArgumentsDelta | ToolCallFinished | Finished
_LINE_ENDS: Final = {"\u2028": "\\u2028", "\u2029": "\\u2029", "\u0085": "\\u0085"}


class Framing(enum.Enum):
    """The two forms of a streamed body: what stands before the first object, before others, after each, at the end."""

    SSE = ("data: ", "data: ", "\r\n\r\n", "")
    ARRAY = ("[", ",\r\n", "", "]")


@dataclass(slots=True)
class _Candidate:
    """What is known of one candidate."""

    index: int
    writer: LogprobWriter | None
    after_text: str = ""
    """A chunk from the end of its text to the end of its candidates, as JSON."""
    after_thought: str = ""
    held: str = ""
    """Text that has not left yet."""
    held_is_thought: bool = False
    logprobs: list[TokenLogprob] = field(default_factory=list)
    """Those of the tokens that have not left yet."""
    had_news: bool = False
    """The engine generated something, shown or not."""
    sent: bool = False
    sent_answer: bool = False
    """Text of the answer or a call has left."""
    call: ToolCallStarted | None = None
    """The call that is being written."""
    arguments: list[str] = field(default_factory=list)
    """What is known of its arguments."""
    call_parts: list[Object] = field(default_factory=list)
    """Complete calls that have not left yet."""
    calls: int = 0
    """How many calls are complete."""
    finish: FinishReason | None = None
    message: str = ""

    def __post_init__(self) -> None:
        self.after_text = f'}}]}},"index":{self.index}}}]'
        self.after_thought = f',"thought":true{self.after_text}'


class StreamEncoder:
    """`feed()` it all events of one response; it ends the body itself when it sees `UsageReported`."""

    def __init__(self, answering: Answering, response_id: str, framing: Framing) -> None:
        self._answering = answering
        self._response_id = response_id
        self._before, self._between, self._after, self._end = framing.value
        self._candidates: dict[int, _Candidate] = {}
        self._finishing: list[_Candidate] = []
        """Complete candidates, whose last chunk waits: the next event tells whether it has the final counts."""
        self._fresh: list[_Candidate] = []
        """Candidates whose first text is held, until all events at hand have been seen."""
        self._called: list[_Candidate] = []
        """Candidates with calls that have not left yet, until all events at hand have been seen."""
        self._prompt = Usage(0, 0)
        self._text_tokens = 0
        self._thought_tokens = 0
        self._out: list[str] = []
        names = orjson.dumps({"modelVersion": answering.model_version, "responseId": response_id}).decode()
        self._tail = f"}}]}},{_on_one_line(names)[1:]}{self._after}"
        self._count_again()

    def feed(self, events: Sequence[GenerationEvent]) -> bytes:
        """The frames that these events complete."""
        for event in events:
            if isinstance(event, TextDelta):
                if event.text or event.logprobs is not None:
                    self._feed_text(event)
            elif isinstance(event, UsageReported):
                self._complete(event.usage)
            else:
                self._feed_rare(event)
        if self._fresh:
            for candidate in self._fresh:
                if candidate.held and not candidate.sent and candidate.finish is None:
                    self._send_held(candidate)
            self._fresh.clear()
        if self._called:
            self._send_calls()
        return self._take()

    def fail(self, error: LocalaikError) -> bytes:
        """The text and the calls that were held back, then the error as the last object of the body."""
        for candidate in self._candidates.values():
            candidate.finish = None
            if candidate.held:
                self._send_held(candidate)
            if candidate.call_parts:
                self._called.append(candidate)
        self._send_calls()
        self._send(error_object(error))
        self._out.append(self._end)
        return self._take()

    def _feed_text(self, event: TextDelta) -> None:
        if self._finishing or self._called:
            self._settle()
        candidate = self._candidates.get(event.index) or self._add(event.index)
        if event.text:
            if candidate.held:
                self._send_held(candidate)
            elif not candidate.sent:
                self._fresh.append(candidate)
            candidate.held = event.text
            candidate.held_is_thought = False
            candidate.had_news = True
        if event.logprobs and candidate.writer is not None:
            candidate.logprobs += event.logprobs

    def _feed_rare(self, event: _Rare) -> None:
        """Events that come a few times in a response, or only from models that reason or call."""
        candidate = self._candidates.get(event.index) or self._add(event.index)
        if isinstance(event, Finished):
            candidate.finish, candidate.message = event.reason, event.message
            self._finishing.append(candidate)
            return
        if self._finishing:
            self._send_last(self._counts())
        if isinstance(event, ToolCallStarted | ToolCallArgumentsDelta | ToolCallFinished):
            self._feed_call(candidate, event)
            return
        if isinstance(event, Started):
            self._prompt = Usage(
                event.prompt_tokens or 0, 0, image_tokens=event.image_tokens, document_tokens=event.document_tokens
            )
        else:
            self._feed_thought(candidate, event.text)
        self._count_again()

    def _feed_thought(self, candidate: _Candidate, text: str) -> None:
        candidate.had_news = True
        if not self._answering.include_thoughts or not text:
            self._thought_tokens += 1
            return
        if candidate.held:
            self._send_held(candidate)
        elif not candidate.sent:
            self._fresh.append(candidate)
        candidate.held = text
        candidate.held_is_thought = True

    def _feed_call(
        self, candidate: _Candidate, event: ToolCallStarted | ToolCallArgumentsDelta | ToolCallFinished
    ) -> None:
        if isinstance(event, ToolCallStarted):
            if candidate.held:
                self._send_held(candidate)
            candidate.had_news = True
            candidate.call, candidate.arguments = event, []
        elif isinstance(event, ToolCallArgumentsDelta):
            candidate.arguments.append(event.text)
            self._text_tokens += 1
        elif candidate.call is not None:
            call = FoldedCall(candidate.call.id, candidate.call.name, "".join(candidate.arguments), complete=True)
            candidate.call = None
            candidate.call_parts.append(call_part(call, signed=not candidate.calls))
            candidate.calls += 1
            self._called.append(candidate)

    def _settle(self) -> None:
        """Send what waited for the next event, now that it is text."""
        if self._called:
            self._send_calls()
        if self._finishing:
            self._send_last(self._counts())

    def _send_calls(self) -> None:
        """A chunk with the calls of each candidate that goes on; those of others leave with its end."""
        for candidate in self._called:
            if candidate.call_parts and candidate.finish is None:
                candidate.sent = candidate.sent_answer = True
                parts, candidate.call_parts = candidate.call_parts, []
                self._send_candidates([self._object(candidate, parts)], self._counts())
        self._called.clear()

    def _add(self, index: int) -> _Candidate:
        alternatives = self._answering.logprobs
        candidate = _Candidate(index, None if alternatives is None else LogprobWriter(alternatives))
        self._candidates[index] = candidate
        return candidate

    def _send_held(self, candidate: _Candidate) -> None:
        """A chunk with the held text and nothing of the candidate's end."""
        text = candidate.held
        candidate.held = ""
        candidate.sent = True
        if candidate.held_is_thought:
            self._thought_tokens += 1
            self._count_again()
            after = candidate.after_thought
        else:
            self._text_tokens += 1
            candidate.sent_answer = True
            after = candidate.after_text
        if candidate.logprobs or not self._text_tokens:
            parts = text_parts(text, thought=candidate.held_is_thought)
            self._send_candidates([self._object(candidate, parts)], self._counts())
            return
        count = self._text_tokens
        encoded = encode_basestring(text)
        if not encoded.isascii():
            encoded = _on_one_line(encoded)
        self._out.append(
            f"{self._before}{_HEAD}{encoded}{after}{self._to_count}{count}{self._to_total}{self._base + count}"
            f"{self._to_details}{count}{self._tail}"
        )
        self._before = self._between

    def _send_last(self, usage: Usage) -> None:
        """One chunk with the end of all candidates that are complete."""
        for candidate in self._finishing:
            if candidate.held and candidate.held_is_thought:
                self._thought_tokens += 1
            elif candidate.held:
                self._text_tokens += 1
        objects: list[Object] = []
        for candidate in self._finishing:
            parts = text_parts(candidate.held, thought=candidate.held_is_thought) + candidate.call_parts
            candidate.call_parts = []
            if not parts and candidate.sent_answer:
                parts = [{"text": ""}]  # some clients drop a turn that has a chunk without parts
            candidate.held = ""
            objects.append(self._object(candidate, parts))
        self._finishing.clear()
        self._send_candidates(objects, usage)

    def _complete(self, usage: Usage) -> None:
        candidates = self._finishing
        only = candidates[0] if len(self._candidates) == 1 and candidates else None
        if only is not None and is_blocked(only.finish, had_news=only.had_news):
            self._finishing.clear()
            self._send_candidates([], usage)
        else:
            self._send_last(usage)
        self._out.append(self._end)

    def _object(self, candidate: _Candidate, parts: list[Object]) -> Object:
        finish = candidate.finish
        result = candidate_object(
            candidate.index,
            parts,
            finish=finish,
            message=candidate.message,
            safety_categories=self._answering.safety_categories,
        )
        if candidate.writer is not None:
            candidate.writer.add_to(result, candidate.logprobs, last=finish is not None)
            candidate.logprobs = []
        return result

    def _send_candidates(self, candidates: list[Object], usage: Usage) -> None:
        counts = usage_object(usage, self._answering.cached_tokens)
        self._send(response_object(candidates, counts, self._answering.model_version, self._response_id))

    def _send(self, payload: Object) -> None:
        self._out.append(f"{self._before}{_on_one_line(orjson.dumps(payload).decode())}{self._after}")
        self._before = self._between

    def _take(self) -> bytes:
        data = "".join(self._out).encode("utf-8", "replace")
        self._out.clear()
        return data

    def _counts(self) -> Usage:
        """The counts so far; a delta counts as a token."""
        return Usage(
            self._prompt.prompt_tokens,
            self._text_tokens + self._thought_tokens,
            reasoning_tokens=self._thought_tokens,
            image_tokens=self._prompt.image_tokens,
            document_tokens=self._prompt.document_tokens,
        )

    def _count_again(self) -> None:
        """Prepare the counts of ordinary chunks, as `usage_object` writes them, around the number of text tokens."""
        prompt = self._prompt.prompt_tokens
        thoughts = f'"thoughtsTokenCount":{self._thought_tokens},' if self._thought_tokens else ""
        details = orjson.dumps(prompt_details(self._prompt)).decode()
        self._base = prompt + self._thought_tokens
        shared = cached_count(self._prompt, self._answering.cached_tokens)
        cached = "".join(f'"{name}":{count},' for name, count in shared.items())
        self._to_count = f',"usageMetadata":{{"promptTokenCount":{prompt},{cached}"candidatesTokenCount":'
        self._to_total = f',{thoughts}"totalTokenCount":'
        self._to_details = (
            f',"promptTokensDetails":{details},"candidatesTokensDetails":[{{"modality":"TEXT","tokenCount":'
        )


def _on_one_line(text: str) -> str:
    """JSON text without the characters that some readers take for the end of a line."""
    if text.isascii():
        return text
    for char, escape in _LINE_ENDS.items():
        if char in text:
            text = text.replace(char, escape)
    return text
