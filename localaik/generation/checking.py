"""The check of answers that a grammar binds: whatever leaves as complete was seen to be valid."""

from localaik.errors import EngineAnswerInvalid
from localaik.generation.choice import ChoiceReader
from localaik.generation.events import GenerationEvent, TextDelta, ToolCallFinished
from localaik.generation.form import Form

__all__ = ["AnswerCheck"]


class AnswerCheck:
    """Sees the events of one choice before they leave. Raises `EngineAnswerInvalid` where the grammar did not hold."""

    def __init__(self, form: Form | None, reader: ChoiceReader) -> None:
        self._form = form
        self._reader = reader
        self._texts: list[str] = []

    def seen(self, events: list[GenerationEvent]) -> list[GenerationEvent]:
        """The events, once the calls that they complete are known to be valid."""
        form = self._form
        if form is None:
            return events
        if form.output is not None:
            self._texts += [event.text for event in events if isinstance(event, TextDelta)]
        if form.tools:
            for event in events:
                if isinstance(event, ToolCallFinished):
                    call = self._reader.calls[event.call]
                    _require(form.fault_of_call(call.name, call.arguments, custom=call.custom))
        return events

    def whole(self) -> None:
        """The answer has ended: what is complete must have the form."""
        form = self._form
        if form is None or self._reader.cut or self._reader.was_cut or self._reader.calls:
            return
        _require("A call of a function is missing." if form.required else form.fault_of_text("".join(self._texts)))


def _require(fault: str | None) -> None:
    if fault is not None:
        raise EngineAnswerInvalid(f"The engine broke the grammar that it was given. {fault}", reason="invalid_answer")
