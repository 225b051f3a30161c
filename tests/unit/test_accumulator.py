"""Calls put together from fragments: whatever a server does with identity, cuts, padding and repetition."""

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localaik.engine.calls import CallFragment
from localaik.generation.tools.accumulator import AccumulatedCall, CallAccumulator

PLACEMENTS: Final = ("first", "last", "every", "never")
CUTS: Final = ("whole", "two", "each character")
PADDINGS: Final = ("none", "before", "after", "around")
RESTATEMENTS: Final = ("none", "object", "object alone", "object spaced", "array")
ARGUMENTS: Final = ('{"city":"Oslo \\"}{\\\\","deep":{"deep":[{}, []]},"n":1.50}', "{}", '{"a":{"a":1}}', '{"s":"  "}')

Deltas = list[list[CallFragment]]
"""The `tool_calls` array of each event."""


def accumulate(deltas: Sequence[Sequence[CallFragment]]) -> tuple[list[AccumulatedCall], bool]:
    accumulator = CallAccumulator()
    for fragments in deltas:
        accumulator.feed(list(fragments))
    return accumulator.finish(), accumulator.nameless


def text_deltas(*texts: str) -> Deltas:
    """Fragments of one call's arguments; the first one has the identity."""
    first, *rest = texts
    return [[CallFragment(0, "a", "f", first)], *([CallFragment(arguments=text)] for text in rest)]


def cut(text: str, how: str) -> list[str]:
    if how == "each character":
        return list(text)
    half = len(text) // 2
    return [text] if how == "whole" else [text[:half], text[half:]]


def write(index: int, meant: AccumulatedCall, habits: tuple[str, str, str, str]) -> Deltas:
    """What one call looks like on the wire of a server with these habits."""
    placement, how, padding, restatement = habits
    pieces = cut(meant.arguments, how)
    fragments = [CallFragment(index, arguments=piece) for piece in pieces]
    if padding in {"before", "around"}:
        fragments = [CallFragment(index), CallFragment(index, arguments=" \n"), *fragments]
    if padding in {"after", "around"}:
        fragments += [CallFragment(index, arguments=" \n"), CallFragment(index)]
    whole = CallFragment(index, meant.id, meant.name, meant.arguments)
    if restatement == "object alone" or placement == "never":
        whole = CallFragment(index, arguments=meant.arguments)
    if restatement == "object spaced":
        whole.arguments = f" {json.dumps(json.loads(meant.arguments), indent=2)}\n"
    if restatement.startswith("object"):
        fragments += [whole, whole]
    spots = {"first": fragments[:1], "last": fragments[-1:], "every": fragments, "never": []}[placement]
    for fragment in spots:
        fragment.id, fragment.name = meant.id, meant.name
    deltas = [[fragment] for fragment in fragments]
    if restatement == "array":
        deltas.append([whole])
    return deltas


def check(deltas: Deltas, meant: Sequence[AccumulatedCall], *, named: bool = True) -> None:
    """The one invariant: what was meant comes out, once, in order; without names nothing does, and that is told."""
    calls, nameless = accumulate(deltas)
    assert nameless is not named
    expected = [(call.id, call.name, json.loads(call.arguments)) for call in meant] if named else []
    assert [(call.id, call.name, json.loads(call.arguments)) for call in calls] == expected


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_b106_one_call_however_it_is_written(placement: str) -> None:
    for arguments, how, padding, restatement in itertools.product(ARGUMENTS, CUTS, PADDINGS, RESTATEMENTS):
        meant = AccumulatedCall("call_1", "get_weather", arguments)
        check(write(0, meant, (placement, how, padding, restatement)), [meant], named=placement != "never")


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Deltas, list[AccumulatedCall]]:
    """Up to three calls at any indices, each with habits of its own, their events interleaved; then all once more."""
    indices = draw(st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True))
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=6,
    )
    written: dict[int, Iterator[list[CallFragment]]] = {}
    meant = {}
    for index in indices:
        arguments = json.dumps(draw(st.dictionaries(st.text(max_size=6), values, max_size=3)))
        meant[index] = AccumulatedCall(f"call_{index}", f"f{index}", arguments)
        habits = draw(st.tuples(*map(st.sampled_from, (PLACEMENTS[:3], CUTS, PADDINGS, RESTATEMENTS))))
        written[index] = iter(write(index, meant[index], habits))
    deltas: Deltas = []
    while written:
        index = draw(st.sampled_from(sorted(written)))
        delta = next(written[index], None)
        if delta is None:
            del written[index]
        else:
            deltas.append(delta)
    ordered = sorted(meant)
    if draw(st.booleans()):
        deltas.append([CallFragment(index, "", meant[index].name, meant[index].arguments) for index in ordered])
    return deltas, [meant[index] for index in ordered]


@settings(max_examples=60, deadline=None)
@given(conversations())
def test_b106_interleaved_calls_with_different_habits(conversation: tuple[Deltas, list[AccumulatedCall]]) -> None:
    check(*conversation)


def test_b102_the_first_identity_wins_and_arguments_are_joined() -> None:
    deltas = [
        [CallFragment(0, "", "", '{"a"')],
        [CallFragment(0, "first", "", ":1")],
        [CallFragment(0, "second", "f", ",")],
        [CallFragment(0, "third", "g", '"b":2}')],
    ]
    assert accumulate(deltas) == ([AccumulatedCall("first", "f", '{"a":1,"b":2}')], False)


@pytest.mark.parametrize(
    ("texts", "arguments"),
    [
        (('{"a":', '{"a":', "1}}"), '{"a":{"a":1}}'),
        (('{"a":{"a":1}', "}"), '{"a":{"a":1}}'),
        (('{"a":[', "{}", "{}"[:1], "}", "]}"), '{"a":[{}{}]}'),
        (('{"a":"', "  ", '"}'), '{"a":"  "}'),
        (('{"a":"\\', '"}', '"}'), '{"a":"\\"}"}'),
        (('{"a":"\\', "\\", '"}', '{"a":"\\\\"}'), '{"a":"\\\\"}'),
        (('{"a":"\\', "", '"', '"}'), '{"a":"\\""}'),
    ],
)
def test_b103_a_fragment_like_what_is_unfinished_goes_on(texts: Sequence[str], arguments: str) -> None:
    assert accumulate(text_deltas(*texts)) == ([AccumulatedCall("a", "f", arguments)], False)


@pytest.mark.parametrize(
    "again",
    [
        CallFragment(0, "a", "f", '{"x": 1, "y": 2}'),
        CallFragment(0, "", "f", '{"x":1,"y":2}'),
        CallFragment(0, "a", "", ' {"x":1,"y":2}\n'),
        CallFragment(0, "", "", '{"y":2,"x":1}'),
    ],
)
def test_b103_what_is_complete_may_be_said_again(again: CallFragment) -> None:
    deltas = [*text_deltas('{"x":1,', '"y":2}'), [again], [again]]
    assert accumulate(deltas) == ([AccumulatedCall("a", "f", '{"x":1,"y":2}')], False)


@pytest.mark.parametrize("other", ['{"x":true}', '{"x":1.0}', '{"y":1}', "{", "[1]", "more"])
def test_b103_what_says_something_else_is_not_swallowed(other: str) -> None:
    assert accumulate(text_deltas('{"x":1}', other))[0][0].arguments == '{"x":1}' + other


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_b104_blank_news_make_no_call(blank: str) -> None:
    deltas = [[CallFragment(1, "a", "f", "{}")], [CallFragment(2, blank, blank, blank)], [CallFragment(0)]]
    assert accumulate(deltas) == ([AccumulatedCall("a", "f", "{}")], False)


def test_b104_calls_come_in_the_order_of_their_indices() -> None:
    deltas = [
        [CallFragment(7, "c", "h", "{")],
        [CallFragment(0, "a", "f", '{"x"'), CallFragment(3, "b", "g", "")],
        [CallFragment(7, arguments="}"), CallFragment(0, arguments=":1}")],
    ]
    assert [call.id for call in accumulate(deltas)[0]] == ["a", "b", "c"]


def test_b105_two_calls_at_one_index_are_one_with_the_first_identity() -> None:
    deltas = [[CallFragment(0, "a", "f", '{"x":1}')], [CallFragment(0, "b", "f", '{"x":1}')]]
    assert accumulate(deltas) == ([AccumulatedCall("a", "f", '{"x":1}{"x":1}')], False)


@pytest.mark.parametrize("blank", ["", "  "])
def test_missing_arguments_are_an_empty_object(blank: str) -> None:
    assert accumulate([[CallFragment(0, "a", "f", blank)]]) == ([AccumulatedCall("a", "f", "{}")], False)


@pytest.mark.parametrize("fragment", [CallFragment(1, "b"), CallFragment(1, arguments="{}"), CallFragment(1, "b", " ")])
def test_calls_of_nothing_are_dropped_and_reported(fragment: CallFragment) -> None:
    deltas = [[CallFragment(0, "a", "f")], [fragment]]
    assert accumulate(deltas) == ([AccumulatedCall("a", "f", "{}")], True)


def test_an_answer_without_calls_has_none() -> None:
    assert accumulate([]) == ([], False)


def test_arguments_that_are_nested_too_deeply_are_no_fault() -> None:
    deep = "[" * 200_000 + "]" * 200_000
    calls, _ = accumulate(text_deltas(deep, deep.replace("[", " [", 1)))
    assert len(calls) == 1


def test_long_arguments_in_small_pieces_are_read_once() -> None:
    text = json.dumps({"rows": [{"a": [index], "s": "x"} for index in range(5000)]})
    calls, _ = accumulate(text_deltas(*text))
    assert calls[0].arguments == text
