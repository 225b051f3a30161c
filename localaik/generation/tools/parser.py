"""From the text of an answer to its events: text, and calls as they are written. A state machine without I/O.

Whatever the pieces in which the text arrives, the texts and calls are the same. Arguments leave as they come; of the
text only what may still become the start of a call, and white space that may stand before one, waits.

An answer that a grammar holds to the form is always read to its end. A model that was only asked for the form may write
something else after the start of a call: that is told in `broken`.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from localaik.generation.events import (
    GenerationEvent,
    TextDelta,
    TokenLogprob,
    ToolCallArgumentsDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from localaik.generation.tools.jsonscan import StringDecoder, ValueScanner
from localaik.generation.tools.prompt import CALL_END, CALL_START

__all__ = ["CallParser", "ReadCall"]

_HEAD: Final = re.compile(r'\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"(arguments|input)"\s*:\s*(?=\S)', re.DOTALL)


@dataclass(slots=True)
class ReadCall:
    """A call as far as it was read."""

    id: str
    name: str
    arguments: str = ""
    """JSON text; the input as it is for a custom tool."""
    custom: bool = False
    complete: bool = False
    """The arguments are whole, as far as brackets and quotes tell."""


class CallParser:
    """`feed()` the text as it arrives, `end()` once at its end."""

    def __init__(self, index: int, new_id: Callable[[], str], *, text_first: bool = True) -> None:
        """`text_first` False: an answer that does not begin with a call is text to its end, whatever it holds."""
        self._index = index
        self._new_id = new_id
        self._step: Callable[[str, list[GenerationEvent]], str] = self._read_text if text_first else self._read_start
        self._held = ""
        self._logprobs: list[TokenLogprob] = []
        self._scanner = ValueScanner()
        self._decoder: StringDecoder | None = None
        self.calls: list[ReadCall] = []
        self.broken = ""
        """What stands where a call should and is none; empty while all is well."""

    def feed(self, text: str, logprobs: list[TokenLogprob] | None = None) -> list[GenerationEvent]:
        """The events that `text` completes."""
        events: list[GenerationEvent] = []
        if logprobs:
            self._logprobs += logprobs
        while text:
            text = self._step(text, events)
        return events

    def end(self) -> list[GenerationEvent]:
        """The text that was held back. What is left of a call is no text: see `calls` and `broken`."""
        events: list[GenerationEvent] = []
        held, self._held = self._held, ""
        if self._step in (self._read_text, self._read_start, self._read_after):
            self._emit(held, events, last=True)
        elif self._step == self._read_head:
            self._read_whole(held, events)
        return events

    def _read_start(self, text: str, events: list[GenerationEvent]) -> str:
        """The first characters decide whether the whole answer is text."""
        text = self._held + text
        self._held = ""
        begin = text.lstrip()
        if begin.startswith(CALL_START):
            self._step = self._read_head
            return begin[len(CALL_START) :]
        if CALL_START.startswith(begin):
            self._held = text
        else:
            self._step = self._pass_text
            self._emit(text, events)
        return ""

    def _pass_text(self, text: str, events: list[GenerationEvent]) -> str:
        self._emit(text, events)
        return ""

    def _read_text(self, text: str, events: list[GenerationEvent]) -> str:
        text = self._held + text
        self._held = ""
        at = text.find(CALL_START)
        if at >= 0:
            self._emit(text[:at].rstrip(), events)
            self._logprobs.clear()
            self._step = self._read_head
            return text[at + len(CALL_START) :]
        passed = _without_beginning(text).rstrip()
        self._held = text[len(passed) :]
        self._emit(passed, events)
        return ""

    def _read_head(self, text: str, events: list[GenerationEvent]) -> str:
        """From the start of a call to the first character of its arguments."""
        text = self._held + text
        self._held = ""
        match = _HEAD.match(text)
        if match is not None and (name := _string(match[1])) is not None:
            self._start(name, custom=match[2] == "input", events=events)
            self._scanner = ValueScanner()
            self._decoder = StringDecoder() if match[2] == "input" else None
            self._step = self._read_arguments
            return text[match.end() :]
        end = text.find(CALL_END)
        if end < 0:
            self._held = text
            return ""
        self._read_whole(text[:end], events)
        self._step = self._read_after
        return text[end + len(CALL_END) :]

    def _read_whole(self, text: str, events: list[GenerationEvent]) -> None:
        """A call in another form than was asked for, if it is one."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            self.broken = self.broken or text or CALL_START
            return
        custom = isinstance(value.get("input"), str)
        self._start(value["name"], custom=custom, events=events)
        given = value.get("arguments", value.get("parameters", {}))
        self._add(value["input"] if custom else json.dumps(given, ensure_ascii=False, separators=(",", ":")), events)
        self._finish(events)

    def _read_arguments(self, text: str, events: list[GenerationEvent]) -> str:
        if self._decoder is None:
            end = self._scanner.scan(text)
            self._add(text[:end], events)
            done = self._scanner.done
        else:
            try:
                piece, end = self._decoder.feed(text)
            except ValueError:
                self.broken = self.broken or text
                self._decoder = None
                return text
            self._add(piece, events)
            done = self._decoder.done
        if not done:
            return ""
        self._finish(events)
        self._step = self._read_tail
        return text[end:]

    def _read_tail(self, text: str, events: list[GenerationEvent]) -> str:
        """From the end of the arguments to the end of the call; a model may forget to write that."""
        text = self._held + text
        self._held = ""
        at = text.find(CALL_END)
        if at >= 0:
            self._step = self._read_after
            return text[at + len(CALL_END) :]
        if CALL_START in text:
            self._step = self._read_after
            return text[text.index(CALL_START) :]
        self._held = text
        return ""

    def _read_after(self, text: str, events: list[GenerationEvent]) -> str:
        """Between calls stands white space; text is not lost, should there be any."""
        text = self._held + text
        self._held = ""
        at = text.find(CALL_START)
        if at >= 0:
            self._emit(text[:at].strip(), events)
            self._logprobs.clear()
            self._step = self._read_head
            return text[at + len(CALL_START) :]
        self._held = text if not text.strip() or _without_beginning(text) != text else ""
        if not self._held:
            self._emit(text, events)
        return ""

    def _start(self, name: str, *, custom: bool, events: list[GenerationEvent]) -> None:
        call = ReadCall(self._new_id(), name, custom=custom)
        events.append(ToolCallStarted(call.id, name, len(self.calls), self._index, custom))
        self.calls.append(call)

    def _add(self, piece: str, events: list[GenerationEvent]) -> None:
        if piece:
            self.calls[-1].arguments += piece
            events.append(ToolCallArgumentsDelta(piece, len(self.calls) - 1, self._index))

    def _finish(self, events: list[GenerationEvent]) -> None:
        self.calls[-1].complete = True
        events.append(ToolCallFinished(len(self.calls) - 1, self._index))

    def _emit(self, text: str, events: list[GenerationEvent], *, last: bool = False) -> None:
        """Pass text on, with the log probabilities of the tokens that it was made of."""
        if not self._logprobs:
            if text and not (last and self.calls and not text.strip()):
                events.append(TextDelta(text, self._index))
            return
        tokens: list[TokenLogprob] = []
        room = len(text)
        while self._logprobs and (room > 0 or last):
            token = self._logprobs.pop(0)
            room -= len(token.token)
            tokens.append(token)
        if (text or tokens) and not (self.calls and not text.strip()):
            events.append(TextDelta(text, self._index, tokens or None))


def _without_beginning(text: str) -> str:
    """The text without what may be the beginning of `CALL_START` at its end."""
    at = text.rfind("<", -len(CALL_START) + 1)
    return text[:at] if at >= 0 and CALL_START.startswith(text[at:]) else text


def _string(text: str) -> str | None:
    try:
        value: str = json.loads(text)
    except ValueError:
        return None
    return value
