"""Thoughts between markers: however the text is cut, the same thoughts and the same answer."""

import pytest

from localaik.generation.events import ReasoningDelta, TextDelta
from localaik.generation.reasoning import ThoughtSplitter

CASES = [
    ("Hello.", "", "Hello."),
    ("", "", ""),
    ("<think>\nHm, <b> 1 < 2.\n</think>\n\nHello <think> again.", "\nHm, <b> 1 < 2.\n", "Hello <think> again."),
    ("\n<think>cut in the mid</thi", "cut in the mid</thi", ""),
    ("<think></think>Yes", "", "Yes"),
    ("<think>a</think> \n", "a", ""),
    (" \n", "", " \n"),
    ("<thin", "", "<thin"),
    ("a <think>b</think>", "", "a <think>b</think>"),
    (
        "<|channel|>analysis<|message|>Let me see.<|end|><|start|>assistant<|channel|>final<|message|>Yes<|return|>",
        "Let me see.",
        "Yes",
    ),
    ("<|channel|>final<|message|>Yes <| no", "", "Yes <| no"),
]


@pytest.mark.parametrize(("text", "thoughts", "answer"), CASES)
def test_every_split_gives_the_same(text: str, thoughts: str, answer: str) -> None:
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            splitter = ThoughtSplitter(1)
            pieces = (text[:first], text[first:second], text[second:])
            events = [event for piece in pieces for event in splitter.feed(piece)] + splitter.end()
            assert all(event.text and event.index == 1 for event in events)
            told = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
            said = "".join(event.text for event in events if isinstance(event, TextDelta))
            assert (told, said) == (thoughts, answer), pieces
