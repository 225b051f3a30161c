"""The events of one output item each: it opens, grows by deltas, and closes. Pure: no I/O.

What a writer tells with its deltas, its closing events and its finished item comes from the same list of texts.
"""

from collections.abc import Sequence
from typing import Final, Literal

from localaik.generation.events import ReasoningDelta, TextDelta, ToolCallArgumentsDelta
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.responses.answering import Frame
from localaik.protocols.openai.responses.frames import DeltaFrames, EventWriter
from localaik.protocols.openai.responses.objects import told_logprobs

__all__ = ["CallWriter", "Ending", "ItemWriter", "MessageWriter", "Phase", "ReasoningWriter", "whole_item"]

Ending = Literal["in_progress", "completed", "incomplete"]
Phase = Literal["commentary", "final_answer"]

_ADDED: Final = "response.output_item.added"
_DONE: Final = "response.output_item.done"
_PART_ADDED: Final = "response.content_part.added"
_PART_DONE: Final = "response.content_part.done"
_CALLS: Final = {
    "function_call": ("response.function_call_arguments", "arguments"),
    "custom_tool_call": ("response.custom_tool_call_input", "input"),
}


class ItemWriter:
    """What all items have in common. Subclasses make the item and the events around and between its own two."""

    def __init__(self, events: EventWriter, output_index: int, item_id: str, extra: Object) -> None:
        """`output_index` is the place in the output; `extra` holds further keys of the item."""
        self._events = events
        self._index = output_index
        self._id = item_id
        self._extra = extra
        self._texts: list[str] = []
        self.plain: DeltaFrames | None = None
        """Makes the deltas, where they are nothing but text; else they are made by `more`."""

    @property
    def text(self) -> str:
        """Everything that came so far."""
        return "".join(self._texts)

    def open(self) -> list[Frame]:
        """The events before the first delta."""
        added = {"output_index": self._index, "item": {**self._begun(), **self._extra}}
        return [self._events.event(_ADDED, added), *self._opening()]

    def more(self, text: str) -> list[Frame]:
        """A delta."""
        self._texts.append(text)
        return self._delta(text)

    def close(self, status: Ending) -> list[Frame]:
        """The events behind the last delta."""
        frames = self._closing()
        frames.append(self._events.event(_DONE, {"output_index": self._index, "item": self.item(status)}))
        return frames

    def item(self, status: Ending) -> Object:
        """The item with everything that came so far."""
        return {**self._whole(status), **self._extra}

    def _begun(self) -> Object:
        """The item as it opens."""
        raise NotImplementedError

    def _whole(self, status: Ending) -> Object:
        raise NotImplementedError

    def _opening(self) -> list[Frame]:
        """What follows the item's own event."""
        return []

    def _delta(self, text: str) -> list[Frame]:
        raise NotImplementedError

    def _closing(self) -> list[Frame]:
        """What goes before the item's own event."""
        raise NotImplementedError

    def _place(self, part_key: str | None = None) -> Object:
        place: Object = {"item_id": self._id, "output_index": self._index}
        return place if part_key is None else {**place, part_key: 0}

    def _prepare(self, kind: type, name: str, place: Object, after: Object) -> None:
        if not self._events.obfuscate:
            self.plain = DeltaFrames(self._events, name, place, after, kind=kind, texts=self._texts)


class MessageWriter(ItemWriter):
    """A message with one part."""

    def __init__(
        self,
        events: EventWriter,
        output_index: int,
        item_id: str,
        extra: Object,
        *,
        phase: Phase | None,
        with_logprobs: bool,
    ) -> None:
        """`phase` is null while it is not known yet; it may be set before the message is closed."""
        super().__init__(events, output_index, item_id, extra)
        self.phase = phase
        self._logprobs: list[Object] = []
        if not with_logprobs:
            self._prepare(TextDelta, "response.output_text.delta", self._place("content_index"), {"logprobs": []})

    def say(self, text: str, logprobs: Sequence[Object]) -> list[Frame]:
        """A delta with the log probabilities of its tokens, as the finished part holds them."""
        self._texts.append(text)
        self._logprobs += logprobs
        fields = {**self._place("content_index"), "delta": text, "logprobs": told_logprobs(logprobs)}
        return [self._events.delta("response.output_text.delta", fields, text)]

    def _begun(self) -> Object:
        return self._object("in_progress", [])

    def _whole(self, status: Ending) -> Object:
        return self._object(status, [_output_text(self.text, list(self._logprobs))])

    def _opening(self) -> list[Frame]:
        return [self._events.event(_PART_ADDED, {**self._place("content_index"), "part": _output_text("", [])})]

    def _delta(self, text: str) -> list[Frame]:
        fields = {**self._place("content_index"), "delta": text, "logprobs": []}
        return [self._events.delta("response.output_text.delta", fields, text)]

    def _closing(self) -> list[Frame]:
        place, text, logprobs = self._place("content_index"), self.text, self._logprobs
        told = {**place, "text": text, "logprobs": told_logprobs(logprobs)}
        return [
            self._events.event("response.output_text.done", told),
            self._events.event(_PART_DONE, {**place, "part": _output_text(text, logprobs)}),
        ]

    def _object(self, status: Ending, content: list[Object]) -> Object:
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
            "phase": self.phase,
        }


class ReasoningWriter(ItemWriter):
    """Thoughts: told once by the events, in both places of the finished item."""

    def __init__(
        self, events: EventWriter, output_index: int, item_id: str, extra: Object, *, summary: bool, egemma: bool
    ) -> None:
        """`summary` selects the events; with `egemma` each delta comes once more, as clients of eGemma read it."""
        super().__init__(events, output_index, item_id, extra)
        self.encrypted: str | None = None
        """Set before the item is closed, where it is to be told."""
        self._egemma = egemma
        key = "summary_index" if summary else "content_index"
        self._at = self._place(key)
        self._part = "summary_text" if summary else "reasoning_text"
        self._name = "response.reasoning_summary_text" if summary else "response.reasoning_text"
        added, done = "response.reasoning_summary_part.added", "response.reasoning_summary_part.done"
        self._part_names = (added, done) if summary else (_PART_ADDED, _PART_DONE)
        if not egemma:
            self._prepare(ReasoningDelta, f"{self._name}.delta", self._at, {})

    def _begun(self) -> Object:
        return self._object("in_progress", [], [])

    def _whole(self, status: Ending) -> Object:
        text = self.text
        return self._object(
            status, [{"type": "summary_text", "text": text}], [{"type": "reasoning_text", "text": text}]
        )

    def _opening(self) -> list[Frame]:
        return [self._events.event(self._part_names[0], {**self._at, "part": {"type": self._part, "text": ""}})]

    def _delta(self, text: str) -> list[Frame]:
        frames: list[Frame] = []
        if self._egemma:
            fields = {"item_id": self._id, "delta": text}
            frames.append(self._events.delta("response.reasoning_summary.delta", fields, text))
        frames.append(self._events.delta(f"{self._name}.delta", {**self._at, "delta": text}, text))
        return frames

    def _closing(self) -> list[Frame]:
        text = self.text
        return [
            self._events.event(f"{self._name}.done", {**self._at, "text": text}),
            self._events.event(self._part_names[1], {**self._at, "part": {"type": self._part, "text": text}}),
        ]

    def _object(self, status: Ending, summary: list[Object], content: list[Object]) -> Object:
        return {
            "id": self._id,
            "type": "reasoning",
            "status": status,
            "summary": summary,
            "content": content,
            "encrypted_content": self.encrypted,
        }


class CallWriter(ItemWriter):
    """A call of a function or of a custom tool."""

    def __init__(
        self,
        events: EventWriter,
        output_index: int,
        item_id: str,
        extra: Object,
        *,
        call_type: Literal["function_call", "custom_tool_call"],
        call_id: str,
        name: str,
        namespace: str | None,
    ) -> None:
        super().__init__(events, output_index, item_id, extra)
        self._type = call_type
        self._event, self._key = _CALLS[call_type]
        self._call_id = call_id
        self._name = name
        self._namespace: Object = {} if namespace is None else {"namespace": namespace}
        self._prepare(ToolCallArgumentsDelta, f"{self._event}.delta", self._place(), {})

    def _begun(self) -> Object:
        return self._object("in_progress", "")

    def _whole(self, status: Ending) -> Object:
        return self._object(status, self.text)

    def _delta(self, text: str) -> list[Frame]:
        return [self._events.delta(f"{self._event}.delta", {**self._place(), "delta": text}, text)]

    def _closing(self) -> list[Frame]:
        is_function = self._type == "function_call"
        # Readers count on a delta before the end of a function's arguments, also where there was no time for one.
        frames = self.more("") if is_function and not self._texts else []
        named: Object = {"name": self._name} if is_function else {}
        frames.append(self._events.event(f"{self._event}.done", {**self._place(), **named, self._key: self.text}))
        return frames

    def _object(self, status: Ending, text: str) -> Object:
        return {
            "id": self._id,
            "type": self._type,
            "status": status,
            "call_id": self._call_id,
            "name": self._name,
            self._key: text,
            **self._namespace,
        }


def whole_item(events: EventWriter, output_index: int, item: Object) -> list[Frame]:
    """The two events of an item that does not grow, such as one of type `compaction`."""
    fields = {"output_index": output_index, "item": item}
    return [events.event(_ADDED, fields), events.event(_DONE, fields)]


def _output_text(text: str, logprobs: list[Object]) -> Object:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}
