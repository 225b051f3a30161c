"""Calls from the bytes of the engine's stream: split anywhere, also inside a character, they are the same."""

import random
from collections.abc import Sequence
from itertools import count, pairwise

import orjson

from localaik.engine.wire import StreamReader
from localaik.generation.choice import ChoiceReader
from localaik.generation.events import GenerationEvent, TextDelta, ToolCallArgumentsDelta, ToolCallStarted
from localaik.generation.tools.parser import CallParser

ANSWER = (
    'Schön, 中\U0001f600:\n<tool_call>{"name":"f","arguments":{"city":"Köln \\"中\U0001f600\\" \\u00e9"}}</tool_call>'
)


def stream(pieces: Sequence[str]) -> bytes:
    frames = [{"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]} for piece in pieces]
    frames.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return b"".join(b"data: " + orjson.dumps(frame) + b"\n\n" for frame in frames) + b"data: [DONE]\n\n"


def told(data: bytes, places: Sequence[int]) -> tuple[str, list[tuple[str, str]]]:
    """Text and calls when the bytes arrive in pieces that end at `places`."""
    ids = count()
    wire = StreamReader()
    reader = ChoiceReader(0, (), CallParser(0, lambda: f"call_{next(ids)}"))
    events: list[GenerationEvent] = []
    for start, end in pairwise([0, *places, len(data)]):
        events += reader.read(wire.feed(data[start:end]))
    wire.finish()
    events += reader.end()
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    names = [event.name for event in events if isinstance(event, ToolCallStarted)]
    arguments = "".join(event.text for event in events if isinstance(event, ToolCallArgumentsDelta))
    return text, [(name, arguments) for name in names]


def test_every_byte_may_end_a_piece() -> None:
    data = stream([ANSWER[at : at + 3] for at in range(0, len(ANSWER), 3)])
    expected = ("Schön, 中\U0001f600:", [("f", '{"city":"Köln \\"中\U0001f600\\" \\u00e9"}')])
    assert told(data, []) == expected
    assert told(data, range(1, len(data))) == expected
    for place in range(1, len(data)):
        assert told(data, [place]) == expected, place


def test_any_deltas_in_any_pieces_give_the_same() -> None:
    chooser = random.Random(5)
    expected = told(stream([ANSWER]), [])
    for _ in range(300):
        cuts = sorted(chooser.sample(range(1, len(ANSWER)), 12))
        data = stream([ANSWER[start:end] for start, end in pairwise([0, *cuts, len(ANSWER)])])
        assert told(data, sorted(chooser.sample(range(1, len(data)), 15))) == expected
