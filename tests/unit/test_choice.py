"""From the engine's news to events, as a playbook."""

from collections.abc import AsyncIterator, Sequence

import pytest

from localaik.engine.calls import EngineChunk, EngineUsage, LogprobEntry
from localaik.errors import EngineAnswerInvalid
from localaik.generation.choice import ChoiceReader
from localaik.generation.events import (
    Finished,
    GenerationEvent,
    ReasoningDelta,
    Started,
    TextDelta,
    TokenLogprob,
    Usage,
    UsageReported,
)
from localaik.generation.fold import fold


def test_text_reasoning_and_finish_become_events_in_order() -> None:
    reader = ChoiceReader(1, ())
    assert reader.read([EngineChunk(prompt_total=7)]) == []
    assert reader.read([EngineChunk(reasoning="hm"), "a", "b"]) == [
        ReasoningDelta("hm", 1),
        TextDelta("a", 1),
        TextDelta("b", 1),
    ]
    assert reader.read([EngineChunk(finish="length"), EngineChunk(usage=EngineUsage(7, 3))]) == []
    assert reader.end() == [Finished("length", 1)]
    assert (reader.usage, reader.reasoning_tokens, reader.text(), reader.pieces) == (EngineUsage(7, 3), 1, "hmab", 3)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "stop"),
        ("?", "other"),
    ],
)
def test_every_word_of_an_engine_has_a_reason(word: str, reason: str) -> None:
    reader = ChoiceReader(0, ())
    reader.read([EngineChunk(finish=word)])
    (finished,) = reader.end()
    assert isinstance(finished, Finished)
    assert finished.reason == reason


def test_an_end_without_a_word_is_a_stop() -> None:
    assert ChoiceReader(0, ()).end() == [Finished("stop", 0)]


def test_a_stop_string_cuts_here_where_the_engine_does_not() -> None:
    reader = ChoiceReader(0, ["END"])
    assert reader.read(["abc E"]) == [TextDelta("abc ")]
    assert reader.read(["ND", "never seen"]) == []
    assert reader.cut
    assert reader.end() == [Finished("stop", 0)]


def test_text_held_for_a_stop_string_is_given_back_at_the_end() -> None:
    reader = ChoiceReader(0, ["END"])
    assert reader.read(["abc E"]) == [TextDelta("abc ")]
    assert reader.end() == [TextDelta("E"), Finished("stop", 0)]


def test_log_probabilities_travel_with_their_text() -> None:
    reader = ChoiceReader(0, ())
    entry = LogprobEntry("a", -0.5, 7, [97], [LogprobEntry("a", -0.5)])
    assert reader.read([EngineChunk(text="a", logprobs=[entry])]) == [
        TextDelta("a", 0, [TokenLogprob("a", -0.5, 7, [97], [TokenLogprob("a", -0.5)])])
    ]


async def batches(*events: Sequence[GenerationEvent]) -> AsyncIterator[Sequence[GenerationEvent]]:
    for batch in events:
        yield batch


async def test_the_fold_collects_interleaved_choices() -> None:
    usage = Usage(5, 4)
    generation = await fold(
        batches(
            [Started(1), TextDelta("b", 1)],
            [Started(0), ReasoningDelta("r"), TextDelta("a")],
            [TextDelta("B", 1), Finished("length", 1), TextDelta("A"), Finished("stop")],
            [UsageReported(usage)],
        )
    )
    assert [(choice.index, choice.text, choice.reasoning, choice.finish_reason) for choice in generation.choices] == [
        (0, "aA", "r", "stop"),
        (1, "bB", "", "length"),
    ]
    assert generation.usage == usage


async def test_b056_an_answer_without_choices_is_a_fault() -> None:
    with pytest.raises(EngineAnswerInvalid):
        await fold(batches([UsageReported(Usage(1, 0))]))
