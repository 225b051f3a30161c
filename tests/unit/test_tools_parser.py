"""The parser of calls: however the text is cut into pieces, the same text and the same calls come out."""

import json
import random
from collections.abc import Iterable, Sequence
from itertools import count, pairwise

import pytest

from localaik.generation.events import (
    GenerationEvent,
    TextDelta,
    TokenLogprob,
    ToolCallArgumentsDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from localaik.generation.tools.parser import CallParser

WEATHER = '<tool_call>{"name":"weather","arguments":{"city":"Paris","note":"a \\"}</tool_call> \\\\"}}</tool_call>'
CLOCK = '<tool_call>{"name":"clock","arguments":{}}</tool_call>'
SHOUT = '<tool_call>{"name":"shout","input":"h\\u00e9 \\"x\\"\\n\\ud83d\\ude00 \\\\ 中 <tool_call>"}</tool_call>'

ANSWERS = [
    "",
    "Hello.",
    " \n two  words \n ",
    "a < b <tool <tool_cal <<tool_call",
    WEATHER,
    f"\n{WEATHER}",
    f"{WEATHER}\n{CLOCK}",
    f"Let me look.\n\n{WEATHER}\n{SHOUT}\n{CLOCK}",
    f"héllo 中\U0001f600 {SHOUT}",
    '<tool_call>\n{ "name" : "weather" ,\n "arguments" : { "city" : [ "Paris" ] } }\n</tool_call>',
    '<tool_call>{"arguments":{"city":"Paris"},"name":"weather"}</tool_call>',
    '<tool_call>{"name":"clock"}</tool_call>',
    '<tool_call>{"name":"clock","arguments":{"a":1}}',
    '<tool_call>{"name":"clock","arguments":{"a":"cut in the mid',
    '<tool_call>{"name":"clo',
    "<tool_call>no call at all</tool_call>",
    f"{CLOCK}<tool_call>{CLOCK}",
    f"{CLOCK}\nand text after it",
    '<tool_call>{"name":"clock","arguments":7}</tool_call>',
    '<tool_call>{"name":"clock","arguments":"{\\"a\\":1}"}</tool_call>',
    '<tool_call>{"name":"shout","input":{"no":"text"}}</tool_call>',
]


def parse(pieces: Iterable[str], *, text_first: bool = True) -> tuple[str, list[tuple[object, ...]], bool]:
    """The text, the calls as the events tell them, and whether something was broken. Checks the order of events."""
    ids = count()
    parser = CallParser(3, lambda: f"call_{next(ids)}", text_first=text_first)
    events: list[GenerationEvent] = []
    for piece in pieces:
        events += parser.feed(piece)
    events += parser.end()
    text = ""
    calls: list[list[object]] = []
    for event in events:
        assert getattr(event, "index", 3) == 3
        if isinstance(event, TextDelta):
            assert event.text
            text += event.text
        elif isinstance(event, ToolCallStarted):
            assert event.call == len(calls)
            calls.append([event.id, event.name, "", event.custom, False])
        elif isinstance(event, ToolCallArgumentsDelta):
            assert event.text
            assert event.call == len(calls) - 1
            assert not calls[-1][4]
            calls[-1][2] = f"{calls[-1][2]}{event.text}"
        elif isinstance(event, ToolCallFinished):
            assert event.call == len(calls) - 1
            calls[-1][4] = True
    assert [[c.id, c.name, c.arguments, c.custom, c.complete] for c in parser.calls] == calls
    return text, [tuple(call) for call in calls], bool(parser.broken)


def cut(text: str, places: Sequence[int]) -> list[str]:
    edges = [0, *sorted(places), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("text_first", [True, False])
def test_every_split_gives_the_same(answer: str, text_first: bool) -> None:
    whole = parse([answer], text_first=text_first)
    assert parse(list(answer), text_first=text_first) == whole
    for place in range(len(answer) + 1):
        assert parse(cut(answer, [place]), text_first=text_first) == whole, place


def test_ten_thousand_random_splits_give_the_same() -> None:
    chooser = random.Random(7)
    whole = [parse([answer]) for answer in ANSWERS]
    for turn in range(10_000):
        place = turn % len(ANSWERS)
        answer = ANSWERS[place]
        places = [chooser.randint(0, len(answer)) for _ in range(chooser.randint(0, 12))]
        assert parse(cut(answer, places)) == whole[place], (answer, places)


def test_what_is_read() -> None:
    text, calls, broken = parse([f"Let me look.\n\n{WEATHER}\n{SHOUT}\n{CLOCK}"])
    assert text == "Let me look."
    assert not broken
    arguments = [call[2] for call in calls]
    assert [call[1] for call in calls] == ["weather", "shout", "clock"]
    assert json.loads(str(arguments[0])) == {"city": "Paris", "note": 'a "}</tool_call> \\'}
    assert arguments[1:] == ['hé "x"\n\U0001f600 \\ 中 <tool_call>', "{}"]
    assert len({call[0] for call in calls}) == 3


def test_arguments_leave_as_they_come() -> None:
    parser = CallParser(0, lambda: "id")
    assert parser.feed('<tool_call>{"name":"weather","arguments":') == []
    first = parser.feed('{"ci')
    assert first == [ToolCallStarted("id", "weather"), ToolCallArgumentsDelta('{"ci')]
    assert parser.feed('ty":"Pa') == [ToolCallArgumentsDelta('ty":"Pa')]
    assert parser.feed('ris"}') == [ToolCallArgumentsDelta('ris"}'), ToolCallFinished()]
    assert parser.feed("}</tool_call>") == []


def test_text_waits_only_where_a_call_may_start() -> None:
    parser = CallParser(0, lambda: "id")
    assert parser.feed("a") == [TextDelta("a")]
    assert parser.feed(" ") == []
    assert parser.feed("b <") == [TextDelta(" b")]
    assert parser.feed("t") == []
    assert parser.feed("able>") == [TextDelta(" <table>")]
    assert parser.feed("\n") == []
    assert parser.end() == [TextDelta("\n")]


def test_a_cut_call_is_not_complete() -> None:
    _, calls, broken = parse(['<tool_call>{"name":"clock","arguments":{"a":"cut in the mid'])
    assert calls == [("call_0", "clock", '{"a":"cut in the mid', False, False)]
    assert not broken


@pytest.mark.parametrize(
    "answer", ["<tool_call>no call</tool_call>", '<tool_call>{"name":"shout","input":{"no":"text"}}</tool_call>']
)
def test_what_is_no_call_is_told(answer: str) -> None:
    assert parse([answer])[2]


def test_json_of_the_answers_own_form_is_never_a_call() -> None:
    answer = f'{{"a":"{CLOCK.replace(chr(34), chr(39))}"}}'
    assert parse([answer], text_first=False) == (answer, [], False)
    assert parse([f"\n{CLOCK}"], text_first=False)[1] == [("call_0", "clock", "{}", False, True)]


def test_half_of_a_surrogate_pair_is_replaced() -> None:
    _, calls, _ = parse(['<tool_call>{"name":"shout","input":"a\\ud800b"}</tool_call>'])
    assert calls[0][2] == "a\ufffdb"


def test_log_probabilities_go_with_their_text() -> None:
    parser = CallParser(0, lambda: "id")
    tokens = [TokenLogprob(text, -0.5) for text in ("Hi", " ", "you", "\n", "<tool", "_call>", '{"name"')]
    events: list[GenerationEvent] = []
    for token in tokens:
        events += parser.feed(token.token, [token])
    events += parser.feed(':"clock","arguments":{}}</tool_call>', [TokenLogprob("x", -1.0)])
    events += parser.end()
    told = [token.token for event in events if isinstance(event, TextDelta) for token in event.logprobs or []]
    assert told == ["Hi", " ", "you"]
    assert isinstance(events[-1], ToolCallFinished)
