"""Thoughts that a model writes into its text, between markers: a state machine over text deltas. No I/O.

llama.cpp tells thoughts in a field of its own, and so do most servers. Others pass on what the model wrote: `<think>`
of DeepSeek R1, Qwen and many more, or the channels of OpenAI's Harmony format. Only the beginning of an answer is
looked at: what comes after the thoughts is text, whatever it holds.
"""

from typing import Final

from localaik.generation.events import ReasoningDelta, TextDelta

__all__ = ["ThoughtSplitter"]

_THOUGHTS: Final = (("<think>", "</think>"), ("<|channel|>analysis<|message|>", "<|end|>"))
_SILENT: Final = ("<|start|>assistant", "<|channel|>final<|message|>")
"""What Harmony writes between thoughts and answer."""
_OPENINGS: Final = (*(opening for opening, _ in _THOUGHTS), *_SILENT)
_ENDINGS: Final = ("<|return|>", "<|end|>")


class ThoughtSplitter:
    """`feed()` the text as it arrives, `end()` once at its end."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._held = ""
        self._closing = ""
        self._in_answer = False
        self._is_harmony = False
        self._has_thought = False

    @property
    def done(self) -> bool:
        """All that follows is text; nothing needs to be fed any more."""
        return self._in_answer and not self._is_harmony

    def feed(self, text: str) -> list[ReasoningDelta | TextDelta]:
        """The thoughts and the text that are known to be such."""
        text = self._held + text
        self._held = ""
        events: list[ReasoningDelta | TextDelta] = []
        while text:
            if self._closing:
                text = self._think(text, events)
            elif self._in_answer:
                text = self._answer(text, events)
            else:
                text = self._open(text)
        return events

    def end(self) -> list[ReasoningDelta | TextDelta]:
        """What was held back. Thoughts without an end stay thoughts."""
        held, self._held = self._held, ""
        if self._closing:
            return [ReasoningDelta(held, self._index)] if held else []
        return [TextDelta(held, self._index)] if held and not (self._has_thought and held.isspace()) else []

    def _open(self, text: str) -> str:
        """The next marker before the answer, if one comes."""
        begin = text.lstrip()
        for opening, closing in _THOUGHTS:
            if begin.startswith(opening):
                self._closing = closing
                self._is_harmony = closing == "<|end|>"
                return begin[len(opening) :]
        for marker in _SILENT:
            if begin.startswith(marker):
                self._is_harmony = True
                return begin[len(marker) :]
        if any(opening.startswith(begin) for opening in _OPENINGS):
            self._held = text
            return ""
        self._in_answer = True
        return begin if self._has_thought else text

    def _think(self, text: str, events: list[ReasoningDelta | TextDelta]) -> str:
        at = text.find(self._closing)
        if at < 0:
            passed = text[: len(text) - _beginning(text, (self._closing,))]
            self._held = text[len(passed) :]
        else:
            passed = text[:at]
            rest = text[at + len(self._closing) :]
            self._closing = ""
            self._has_thought = True
        if passed:
            events.append(ReasoningDelta(passed, self._index))
        return "" if at < 0 else rest

    def _answer(self, text: str, events: list[ReasoningDelta | TextDelta]) -> str:
        if self._is_harmony:
            for ending in _ENDINGS:
                text = text.replace(ending, "")
            passed = text[: len(text) - _beginning(text, _ENDINGS)]
            self._held = text[len(passed) :]
            text = passed
        if text:
            events.append(TextDelta(text, self._index))
        return ""


def _beginning(text: str, markers: tuple[str, ...]) -> int:
    """Length of the longest end of `text` that is the beginning of a marker."""
    longest = min(len(text), max(map(len, markers)) - 1)
    for length in range(longest, 0, -1):
        if any(marker.startswith(text[-length:]) for marker in markers):
            return length
    return 0
