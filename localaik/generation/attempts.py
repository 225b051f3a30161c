"""Answers that nothing binds: checked when they are complete, and asked for again, with what was wrong.

The state of one choice over all its attempts. No I/O: the pipeline runs the attempts and feeds their events.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from localaik.engine.calls import SEED_MODULUS, ChatTurn, EngineCall
from localaik.errors import EngineAnswerInvalid
from localaik.generation.choice import ChoiceReader
from localaik.generation.events import (
    Finished,
    GenerationEvent,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallArgumentsDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from localaik.generation.form import Form
from localaik.generation.guard import Neutraliser, append_turn
from localaik.generation.reasoning import ThoughtSplitter
from localaik.generation.request import CustomTool, EnumText, ToolCall
from localaik.generation.tools import new_call_id
from localaik.generation.tools.parser import CallParser
from localaik.generation.tools.prompt import render_call
from localaik.generation.validation import json_of

__all__ = ["Attempts"]

_ATTEMPTS: Final = 3
_MAX_FAULT_TEXT: Final = 2000
"""Characters of a wrong answer that the model is shown again."""


@dataclass(slots=True)
class _Answer:
    """What one attempt gave."""

    text: str = ""
    logprobs: list[TokenLogprob] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    """Those that are valid."""
    found: list[ToolCall] = field(default_factory=list)
    """All, valid or not."""
    finish: Finished = field(default_factory=lambda: Finished("stop"))


class Attempts:
    """While `again`: run `call`, pass its events through `live()`, and `judge()` it at its end."""

    def __init__(self, form: Form, call: EngineCall, neutraliser: Neutraliser, index: int) -> None:
        self.call = call
        """What to ask the engine for."""
        self.again = True
        """Another attempt is to be made."""
        self._form = form
        self._neutraliser = neutraliser
        self._index = index
        self._made = 0
        self._answer = _Answer()
        self._sent_text = False
        self._parser: CallParser | None = None

    def reader(self, stops: Sequence[str], splitter: ThoughtSplitter | None) -> ChoiceReader:
        """A reader for the next attempt."""
        self._answer = _Answer()
        form = self._form
        # A model that nothing binds may write a few words before a call, whatever it was asked for.
        text_first = form.text_first or form.means != "grammar"
        self._parser = CallParser(self._index, new_call_id, text_first=text_first) if form.reads_calls else None
        return ChoiceReader(self._index, stops, self._parser, splitter)

    def live(self, events: list[GenerationEvent]) -> list[GenerationEvent]:
        """Those of the events that leave before the answer is complete: thoughts, and text that is no JSON."""
        answer = self._answer
        text_leaves = not self._made and not self._form.required and self._form.output is None
        leaving: list[GenerationEvent] = []
        for event in events:
            if isinstance(event, ReasoningDelta):
                leaving.append(event)
            elif isinstance(event, TextDelta):
                answer.text += event.text
                if text_leaves:
                    self._sent_text = True
                    leaving.append(event)
                else:
                    answer.logprobs += event.logprobs or []
            elif isinstance(event, Finished):
                answer.finish = event
        return leaving

    def judge(self, reader: ChoiceReader) -> list[GenerationEvent]:
        """The last events of the choice; none where another attempt is to be made.

        Raises `EngineAnswerInvalid` when the last attempt gave no valid answer either. A call that was due and did not
        come is a finish reason of its own.
        """
        self._made += 1
        answer = self._answer
        fault = self._read_calls(reader)
        is_whole = answer.finish.reason in {"stop", "tool_calls"} and not reader.cut
        if fault is None and not answer.calls:
            fault = self._read_text(is_whole=is_whole)
        if fault is not None and not is_whole:  # cut in the middle: the finish reason says so
            fault = None
        if fault is None:
            self.again = False
            return self._events(is_whole=is_whole)
        if self._made < _ATTEMPTS:
            self._correct(fault)
            return []
        self.again = False
        if self._form.tools:
            return [Finished("malformed_call", self._index, fault)]
        raise EngineAnswerInvalid(
            f"The model gave no valid answer in {_ATTEMPTS} attempts. {fault}", reason="invalid_answer"
        )

    def _read_calls(self, reader: ChoiceReader) -> str | None:
        """Collect the calls of the answer; what is wrong with the first one that is not valid."""
        form = self._form
        if not form.tools:
            return None
        broken = ""
        if form.means == "native":
            found = [self._from_native(call.id, call.name, call.arguments) for call in reader.native_calls.finish()]
            broken = "A call needs a name." if reader.native_calls.nameless else ""
        elif form.means == "schema" and form.required:
            found = [call] if (call := self._from_json(self._answer.text)) is not None else []
        elif self._parser is not None:
            found = [ToolCall(c.id, c.name, c.arguments, c.custom) for c in self._parser.calls if c.complete]
            broken = "What follows <tool_call> is no call." if self._parser.broken else ""
        else:
            found = []
        self._answer.found = found
        for call in found if form.choice.parallel else found[:1]:
            fault = form.fault_of_call(call.name, call.arguments, custom=call.custom)
            if fault is not None:
                return fault
            self._answer.calls.append(call)
        if self._answer.calls or not (form.required or broken):
            return None
        return broken or "A call of a function is needed."

    def _read_text(self, *, is_whole: bool) -> str | None:
        """Bring an answer that is no call into its form; what is wrong with it."""
        form = self._form
        answer = self._answer
        if form.required:
            answer.text = ""
            return "A call of a function is needed."
        output = form.output
        if output is None:
            return None
        if isinstance(output, EnumText):
            answer.text = _bare(answer.text)
        elif is_whole:
            answer.text = json_of(answer.text) or answer.text
        else:
            answer.text = _unfenced(answer.text)
        return form.fault_of_text(answer.text)

    def _events(self, *, is_whole: bool) -> list[GenerationEvent]:
        answer = self._answer
        index = self._index
        events: list[GenerationEvent] = []
        if (answer.text or answer.logprobs) and not (self._form.required or (self._sent_text and self._made == 1)):
            between = "\n\n" if self._sent_text else ""
            events.append(TextDelta(between + answer.text, index, answer.logprobs or None))
        for place, call in enumerate(answer.calls):
            events += [
                ToolCallStarted(call.id, call.name, place, index, call.custom),
                ToolCallArgumentsDelta(call.arguments, place, index),
                ToolCallFinished(place, index),
            ]
        called = bool(answer.calls) and is_whole
        events.append(Finished("tool_calls", index) if called else _as_text(answer.finish))
        return events

    def _correct(self, fault: str) -> None:
        """Ask again: the wrong answer, and what was wrong, become two more turns."""
        clean = self._neutraliser.clean
        said = [self._answer.text, *(render_call(call, clean) for call in self._answer.found)]
        if self._parser is not None and self._parser.broken:
            said.append(self._parser.broken)
        text = "\n".join(filter(None, said))[:_MAX_FAULT_TEXT]
        ask = "Call a function again, correctly." if self._form.required else "Answer again, correctly."
        turns = [replace(turn) for turn in self.call.turns]
        append_turn(turns, ChatTurn("assistant", clean(text)))
        append_turn(turns, ChatTurn("user", f"{clean(fault)} {ask}"))
        self.call = replace(self.call, turns=turns, seed=(self.call.seed + 1) % SEED_MODULUS)

    def _from_native(self, call_id: str, name: str, arguments: str) -> ToolCall:
        """A call that the engine read; a custom tool is a function with one parameter there."""
        tool = next((tool for tool in self._form.tools if tool.name == name), None)
        if isinstance(tool, CustomTool) and isinstance(text := _member(arguments, "input"), str):
            return ToolCall(call_id or new_call_id(), name, text, custom=True)
        return ToolCall(call_id or new_call_id(), name, arguments)

    @staticmethod
    def _from_json(text: str) -> ToolCall | None:
        """A call as bare JSON."""
        name = _member(text, "name")
        if not isinstance(name, str):
            return None
        given = _member(text, "input")
        if isinstance(given, str):
            return ToolCall(new_call_id(), name, given, custom=True)
        return ToolCall(new_call_id(), name, _compact(_member(text, "arguments") or {}))


def _as_text(finish: Finished) -> Finished:
    return Finished("stop", finish.index) if finish.reason == "tool_calls" else finish


def _member(text: str, name: str) -> object:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value.get(name) if isinstance(value, dict) else None


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _bare(text: str) -> str:
    """One of some texts, without what models like to put around it."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`":
        return text[1:-1]
    return text


def _unfenced(text: str) -> str:
    """The beginning of a JSON answer, without the beginning of a fence."""
    stripped = text.lstrip()
    if not stripped.startswith("```"):
        return text
    return stripped.lstrip("`").removeprefix("json").lstrip()
