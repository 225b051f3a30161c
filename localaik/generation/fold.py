"""The fold of a stream of events: a non-streamed answer is exactly this, so both forms agree by construction."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from localaik.errors import EngineAnswerInvalid
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

__all__ = ["Choice", "FoldedCall", "Folding", "Generation", "fold"]


@dataclass(slots=True)
class FoldedCall:
    """One call of an answer."""

    id: str
    name: str
    arguments: str = ""
    """JSON text of an object; the input as it is for a custom tool."""
    custom: bool = False
    complete: bool = False
    """False for a call that the token limit cut: its arguments are a beginning only."""


@dataclass(slots=True)
class Choice:
    """One complete answer."""

    index: int
    text: str = ""
    reasoning: str = ""
    calls: list[FoldedCall] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish_reason: FinishReason = "other"
    finish_message: str = ""
    """What was wrong, with the reason `malformed_call`."""


_OfChoice = (
    Started | TextDelta | ReasoningDelta | ToolCallStarted | ToolCallArgumentsDelta | ToolCallFinished | Finished
)


@dataclass(slots=True)
class Generation:
    """A complete response: its choices in order of `index`, and what it cost."""

    choices: list[Choice]
    usage: Usage


class Folding:
    """A fold that grows: `feed()` all events, then take the `generation`."""

    def __init__(self) -> None:
        self._choices: dict[int, Choice] = {}
        self._usage: Usage | None = None

    @property
    def is_complete(self) -> bool:
        """All events were fed."""
        return self._usage is not None

    @property
    def generation(self) -> Generation:
        """What the events add up to. Raises `EngineAnswerInvalid` where they are no whole response."""
        if self._usage is None or not self._choices:
            raise EngineAnswerInvalid("The engine's answer has no choices.", reason="upstream_invalid_response")
        return Generation([self._choices[index] for index in sorted(self._choices)], self._usage)

    def feed(self, events: Sequence[GenerationEvent]) -> None:
        """Add events, in their order."""
        choices = self._choices
        for event in events:
            if isinstance(event, UsageReported):
                self._usage = event.usage
                continue
            choice = choices.get(event.index)
            if choice is None:
                choice = choices[event.index] = Choice(event.index)
            _add(choice, event)


async def fold(batches: AsyncIterator[Sequence[GenerationEvent]]) -> Generation:
    """Collect all events of one request. Raises what the stream raises."""
    folding = Folding()
    async for batch in batches:
        folding.feed(batch)
    return folding.generation


def _add(choice: Choice, event: _OfChoice) -> None:
    # Appending to a string that nobody else holds is cheap in CPython, also for long answers.
    if isinstance(event, TextDelta):
        choice.text += event.text
        if event.logprobs:
            choice.logprobs += event.logprobs
    elif isinstance(event, ReasoningDelta):
        choice.reasoning += event.text
    elif isinstance(event, ToolCallStarted):
        choice.calls.append(FoldedCall(event.id, event.name, custom=event.custom))
    elif isinstance(event, ToolCallArgumentsDelta):
        choice.calls[event.call].arguments += event.text
    elif isinstance(event, ToolCallFinished):
        choice.calls[event.call].complete = True
    elif isinstance(event, Finished):
        choice.finish_reason = event.reason
        choice.finish_message = event.message
