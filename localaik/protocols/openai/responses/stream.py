"""A response in the making: a state machine from events to frames, and to the response itself. Pure: no I/O.

Streamed or not, the same machine makes the answer. Frames: `created`, `queued` where it waited, `in_progress`; of each
output item its opening, its deltas, its closing, one item after the other; at the end one that tells how it ended, with
the whole response. A message is closed when the next item or the end comes: only then it is known whether it was the
answer or went before a call.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from localaik.errors import EngineAnswerInvalid, LocalaikError
from localaik.generation.events import (
    Finished,
    GenerationEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallArgumentsDelta,
    ToolCallFinished,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.responses import ids
from localaik.protocols.openai.responses.answering import Answering, Frame
from localaik.protocols.openai.responses.frames import DeltaFrames, EventWriter, sse
from localaik.protocols.openai.responses.objects import Status, error_of, part_logprobs, usage_object, with_output
from localaik.protocols.openai.responses.sealed import seal
from localaik.protocols.openai.responses.writers import (
    CallWriter,
    Ending,
    ItemWriter,
    MessageWriter,
    Phase,
    ReasoningWriter,
    whole_item,
)
from localaik.protocols.openai.stream import DONE

__all__ = ["DONE", "ResponseStream", "sse"]

_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}


class ResponseStream:
    """`begin` it, then `feed` it all events of one generation; `fail` and `cancel` end it early.

    Frame number i of all frames has the sequence number i.
    """

    def __init__(
        self,
        response: Object,
        answering: Answering,
        *,
        new_id: Callable[[str], str] = ids.new_id,
        now: Callable[[], int] = lambda: int(time.time()),
    ) -> None:
        """`response` is made by `response_object`. `new_id` gets a prefix such as `msg`, `now` gives Unix seconds."""
        self._answering = answering
        self._new_id = new_id
        self._now = now
        extra: Object = {"modalities": ["text"]} if answering.egemma else {}
        self._response = {**response, **extra}
        more = {"response_id": response["id"]} if answering.egemma else {}
        self._events = EventWriter(more=more, obfuscate=answering.obfuscate)
        self._item_extra: Object = {"tool_calls": []} if answering.egemma else {}
        self._output: list[Object] = []
        """Finished items."""
        self._open: ItemWriter | None = None
        self._plain: DeltaFrames | None = None
        """Makes the deltas of the open item, where they are nothing but text."""
        self._pending: list[Object] = []
        """Log probabilities of tokens without text, told with the next text."""
        self._answered = False
        """There is a message or a call."""
        self._incomplete: str | None = None
        self._finished = False

    @property
    def finished(self) -> bool:
        """Nothing comes any more."""
        return self._finished

    @property
    def output(self) -> list[Object]:
        """The output items so far; the last one may still grow."""
        return [*self._output, *([] if self._open is None else [self._open.item("in_progress")])]

    @property
    def response(self) -> Object:
        """The response as it stands now."""
        return with_output(self._response, self.output)

    def begin(self, *, queued: bool = False) -> list[Frame]:
        """The first frames; `queued` for a response that waits in the background."""
        status = "queued" if queued else "in_progress"
        self._response["status"] = status
        frames = [self._frame("created")]
        if queued:
            frames.append(self._frame("queued"))
            self._response["status"] = "in_progress"
        frames.append(self._frame("in_progress"))
        return frames

    def add_item(self, item: Object) -> list[Frame]:
        """The frames of an item that is finished, of a kind that does not grow: a `compaction`."""
        frames = self._close("completed", "commentary")
        item = {**item, **self._item_extra}
        frames += whole_item(self._events, len(self._output), item)
        self._output.append(item)
        return frames

    def feed(self, events: Sequence[GenerationEvent]) -> list[Frame]:
        """The frames of these events; behind `UsageReported` comes the last one. Nothing comes after the end."""
        frames: list[Frame] = []
        for event in events:
            plain = self._plain
            if (
                plain is not None
                and plain.kind is type(event)
                and isinstance(event, (TextDelta, ReasoningDelta, ToolCallArgumentsDelta))
                and event.text
            ):
                frames.append(plain.frame(event.text))
            elif not self._finished:
                frames += self._feed_rare(event)
        return frames

    def complete(self, usage: Usage) -> list[Frame]:
        """The end of a generation that went well, of one that was cut short, or of a response without any."""
        frames = self._close("completed", "final_answer")
        self._response["usage"] = usage_object(usage)
        if self._incomplete is not None:
            self._response["incomplete_details"] = {"reason": self._incomplete}
            return frames + self._end("incomplete", "incomplete")
        self._response["completed_at"] = self._now()
        return frames + self._end("completed", "completed")

    def fail(self, error: LocalaikError) -> list[Frame]:
        """The end by a fault: what is open stays incomplete. Nothing where the end was before."""
        if self._finished:
            return []
        frames = self._close("incomplete", "final_answer")
        self._response["error"] = error_of(error)
        return frames + self._end("failed", "failed")

    def replace_end(self, error: LocalaikError) -> list[Frame]:
        """A fault in place of the last frame, which nobody was given; it has the number of that one."""
        self._events.count -= 1
        self._finished = False
        self._response |= {"completed_at": None, "incomplete_details": None, "usage": None}
        return self.fail(error)

    def cancel(self) -> list[Frame]:
        """The end because nobody wants the rest. Nothing where the end was before.

        The API has no event for it: the last frame is the one of incomplete responses, whose `status` says it.
        """
        if self._finished:
            return []
        frames = self._close("incomplete", "final_answer")
        return frames + self._end("incomplete", "cancelled")

    def _feed_rare(self, event: GenerationEvent) -> list[Frame]:
        """Events that come a few times in a response, and deltas that ask for more than a prepared frame."""
        if isinstance(event, TextDelta):
            return self._text(event)
        if isinstance(event, ReasoningDelta):
            return self._thoughts(event.text) if event.text else []
        if isinstance(event, ToolCallStarted):
            return self._call(event)
        if isinstance(event, ToolCallArgumentsDelta):
            return self._open.more(event.text) if isinstance(self._open, CallWriter) and event.text else []
        if isinstance(event, ToolCallFinished):
            return self._close("completed", "final_answer")
        if isinstance(event, Finished):
            return self._finish(event)
        if isinstance(event, UsageReported):
            return self.complete(event.usage)
        return []

    def _text(self, event: TextDelta) -> list[Frame]:
        alternatives = self._answering.logprobs
        if alternatives is not None and event.logprobs:
            self._pending += part_logprobs(event.logprobs, alternatives)
        is_open = isinstance(self._open, MessageWriter)
        if not event.text and not (is_open and self._pending):
            return []
        return self._say(event.text)

    def _say(self, text: str) -> list[Frame]:
        """More of the message, which is opened where it is not."""
        frames: list[Frame] = []
        item = self._open
        if not isinstance(item, MessageWriter):
            frames = self._close("completed", "commentary")
            item = self._message()
            frames += self._start(item)
        logprobs, self._pending = self._pending, []
        if text or logprobs:
            frames += item.say(text, logprobs)
        return frames

    def _thoughts(self, text: str) -> list[Frame]:
        frames: list[Frame] = []
        item = self._open
        if not isinstance(item, ReasoningWriter):
            frames = self._close("completed", "commentary")
            item = self._reasoning()
            frames += self._start(item)
        return frames + item.more(text)

    def _call(self, event: ToolCallStarted) -> list[Frame]:
        frames = self._close("completed", "commentary")
        place = self._answering.namespaced.get(event.name)
        item = CallWriter(
            self._events,
            len(self._output),
            self._new_id("ctc" if event.custom else "fc"),
            self._item_extra,
            call_type="custom_tool_call" if event.custom else "function_call",
            call_id=event.id,
            name=event.name if place is None else place.name,
            namespace=None if place is None else place.namespace,
        )
        self._answered = True
        return frames + self._start(item)

    def _message(self) -> MessageWriter:
        self._answered = True
        return MessageWriter(
            self._events,
            len(self._output),
            self._new_id("msg"),
            self._item_extra,
            phase=None if self._answering.may_call else "final_answer",
            with_logprobs=self._answering.logprobs is not None,
        )

    def _reasoning(self) -> ReasoningWriter:
        return ReasoningWriter(
            self._events,
            len(self._output),
            self._new_id("rs"),
            self._item_extra,
            summary=self._answering.summary,
            egemma=self._answering.egemma,
        )

    def _finish(self, event: Finished) -> list[Frame]:
        """What is open closes now, the response with the counts. An answer without anything is an empty message."""
        if event.reason == "malformed_call":
            return self.fail(EngineAnswerInvalid(event.message or "The model made no valid call."))
        self._incomplete = _INCOMPLETE.get(event.reason)
        if self._incomplete is not None:
            return self._close("incomplete", "final_answer")
        frames = [] if self._answered else self._say("")
        return frames + self._close("completed", "final_answer")

    def _start(self, item: ItemWriter) -> list[Frame]:
        self._open, self._plain = item, item.plain
        return item.open()

    def _close(self, status: Ending, phase: Phase) -> list[Frame]:
        """The last frames of the open item, where there is one; `phase` is that of a message whose phase was open."""
        item = self._open
        if item is None:
            return []
        if isinstance(item, MessageWriter) and item.phase is None:
            item.phase = phase
        elif isinstance(item, ReasoningWriter) and self._answering.encrypted_reasoning:
            item.encrypted = seal(item.text)
        frames = item.close(status)
        self._output.append(item.item(status))
        self._open = self._plain = None
        return frames

    def _frame(self, name: str) -> Frame:
        return self._events.event(f"response.{name}", {"response": self._response})

    def _end(self, name: str, status: Status) -> list[Frame]:
        self._response = with_output(self._response, self._output) | {"status": status}
        self._finished = True
        return [self._frame(name)]
