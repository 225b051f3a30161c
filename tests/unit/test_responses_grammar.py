"""The checks of streams and responses find what is wrong with them."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import orjson
import pytest

from localaik.errors import EngineAnswerInvalid
from localaik.generation.events import (
    Finished,
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
from localaik.protocols.openai.responses.answering import Answering, Namespaced
from localaik.protocols.openai.responses.stream import ResponseStream
from tests.responses_grammar import CHANGING, check_response, check_stream
from tests.responses_samples import COMPACTION, machine

Events = list[dict[str, Any]]
Path = tuple[str | int, ...]

EVERYTHING: list[GenerationEvent] = [
    Started(),
    ReasoningDelta("h"),
    ReasoningDelta("m"),
    TextDelta("a", logprobs=[TokenLogprob("a", -1.0, top=[TokenLogprob("b", -2.0)])]),
    TextDelta("b", logprobs=[TokenLogprob("b", -1.5)]),
    ToolCallStarted("call_0", "n.f"),
    ToolCallArgumentsDelta('{"a"'),
    ToolCallArgumentsDelta(":1}"),
    ToolCallFinished(),
    ToolCallStarted("call_1", "say", 1, custom=True),
    ToolCallArgumentsDelta("h", 1),
    ToolCallArgumentsDelta("i", 1),
    ToolCallFinished(1),
    Finished("tool_calls"),
    UsageReported(Usage(5, 7, 2)),
]
TAKES_ANY_VALUE = {"completed_at", "message", "cached_tokens", "cache_write_tokens", "reasoning_tokens"}
"""Keys whose right value nothing else in a stream tells."""


def told(*, summary: bool, ending: Callable[[ResponseStream], Any] | None = None) -> Events:
    """A stream with every kind of item; `ending` ends it early."""
    answering = Answering(
        logprobs=1,
        may_call=True,
        summary=summary,
        encrypted_reasoning=True,
        namespaced={"n.f": Namespaced("n", "f")},
    )
    stream = machine(answering, background=True)
    frames = stream.begin(queued=True) + stream.add_item(COMPACTION)
    frames += stream.feed(EVERYTHING) if ending is None else stream.feed(EVERYTHING[:5]) + ending(stream)
    return [orjson.loads(frame.data) for frame in frames]


STREAMS = {
    "completed": told(summary=True),
    "text of thoughts": told(summary=False),
    "failed": told(summary=True, ending=lambda stream: stream.fail(EngineAnswerInvalid("no"))),
    "cancelled": told(summary=True, ending=lambda stream: stream.cancel()),
    "incomplete": told(summary=True, ending=lambda stream: stream.feed([Finished("length"), EVERYTHING[-1]])),
}


@pytest.fixture(params=STREAMS, name="events")
def _events(request: pytest.FixtureRequest) -> Events:
    return deepcopy(STREAMS[request.param])


def renumbered(events: Events) -> Events:
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def is_refused(events: Events) -> bool:
    try:
        check_stream(events)
    except (AssertionError, LookupError, TypeError, ValueError):
        return True
    return False


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Paths of all values that have no others in them."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield from leaves(value[key], (*path, key))
    if not keys:
        yield path


def altered(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"{value}x"
    return "x" if value is None else [{"type": "x"}] if value == [] else {"x": "y"}


def test_whole_streams_pass(events: Events) -> None:
    response = check_stream(events)
    assert response == events[-1]["response"]
    for end in range(2, len(events)):
        check_stream(events[:end], whole=False)
        assert is_refused(events[:end])


def test_an_event_that_is_missing_is_found(events: Events) -> None:
    for place in range(len(events)):
        assert is_refused(renumbered([*events[:place], *events[place + 1 :]])), events[place]


def test_an_event_that_comes_twice_is_found(events: Events) -> None:
    for place in range(len(events)):
        assert is_refused(renumbered([*events[: place + 1], *events[place:]])), events[place]


def test_events_in_another_order_are_found(events: Events) -> None:
    for place in range(len(events) - 1):
        swapped = [*events[:place], events[place + 1], events[place], *events[place + 2 :]]
        assert is_refused(renumbered(swapped)), events[place]


def test_numbers_have_no_gaps(events: Events) -> None:
    for place in range(len(events)):
        assert is_refused([*events[:place], *({**event, "sequence_number": 99} for event in events[place:])])


def places() -> Iterator[tuple[Events, Path]]:
    """Every value of every type of event once, wherever it is first found in the streams."""
    seen = set()
    for events in STREAMS.values():
        for path in leaves(events):
            kind = events[int(path[0])]["type"]
            if kind in {"response.queued", "response.in_progress"}:
                continue
            is_constant = path[1] == "response" and path[2] not in CHANGING
            key = ("" if is_constant else kind, *path[1:])
            if key not in seen:
                seen.add(key)
                yield events, path


def test_every_value_that_is_another_is_found() -> None:
    for events, path in places():
        if path[-1] not in TAKES_ANY_VALUE:
            value = value_at(events, path)
            changed, parent = opened(events, path)
            parent[path[-1]] = altered(value)
            assert is_refused(changed), f"{path}: {value!r}"


def test_every_key_that_is_missing_is_found() -> None:
    for events, path in places():
        if isinstance(path[-1], str):
            changed, parent = opened(events, path)
            del parent[path[-1]]
            assert is_refused(changed), path


def opened(events: Events, path: Path) -> tuple[Events, Any]:
    """A copy of `events`, of which only what leads to `path` is new, and what has `path` in it."""
    changed = events.copy()
    here: Any = changed
    for key in path[:-1]:
        here[key] = here[key].copy()
        here = here[key]
    return changed, here


def value_at(events: Events, path: Path) -> Any:
    here: Any = events
    for key in path:
        here = here[key]
    return here


@pytest.mark.parametrize(
    "change",
    [
        {"status": "completed", "completed_at": None},
        {"status": "failed"},
        {"usage": None},
        {"output_text": "else"},
        {"id": "chatcmpl-1"},
        {"created_at": 1.5},
        {"incomplete_details": {"reason": "length"}},
        {"error": {"code": "overloaded", "message": "no"}},
        {"extra": 1},
    ],
)
def test_responses_that_contradict_themselves_are_found(change: dict[str, Any]) -> None:
    response = STREAMS["completed"][-1]["response"]
    check_response(response)
    with pytest.raises(AssertionError):
        check_response({**response, **change})
