"""Generations to make responses of, and the machine that makes them, with ids and times that are the same each time."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import orjson
from hypothesis import strategies as st

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
from localaik.protocols.openai.responses.answering import Answering, Frame, Namespaced
from localaik.protocols.openai.responses.objects import response_object
from localaik.protocols.openai.responses.stream import ResponseStream

__all__ = [
    "COMPACTION",
    "ECHO",
    "SIMPLE",
    "USAGE",
    "Object",
    "answerings",
    "call",
    "events_of",
    "generations",
    "machine",
]

Object = dict[str, Any]
ECHO: Mapping[str, object] = {
    "instructions": None,
    "max_output_tokens": 64,
    "max_tool_calls": None,
    "model": "m",
    "parallel_tool_calls": False,
    "prompt": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "truncation": "disabled",
    "user": None,
    "metadata": {},
}
USAGE = Usage(5, 7, 2)
COMPACTION: Object = {"id": f"cmp_{'0' * 32}", "type": "compaction", "encrypted_content": "eA=="}
SIMPLE: list[GenerationEvent] = [
    Started(0, 5),
    TextDelta("Hel"),
    TextDelta("lo"),
    Finished("stop"),
    UsageReported(USAGE),
]


def call(name: str, *pieces: str, number: int = 0, custom: bool = False) -> list[GenerationEvent]:
    return [
        ToolCallStarted(f"call_{number}", name, number, custom=custom),
        *(ToolCallArgumentsDelta(piece, number) for piece in pieces),
        ToolCallFinished(number),
    ]


def machine(answering: Answering | None = None, *, background: bool = False) -> ResponseStream:
    """Ids and times are the same each time."""
    answering = answering or Answering()
    numbers = count(1)
    summary = "auto" if answering.summary else None
    response = response_object(
        f"resp_{0:032x}",
        9,
        {**ECHO, "reasoning": {"effort": None, "summary": summary}},
        status="queued" if background else "in_progress",
        background=background,
        conversation=None,
        previous_response_id=None,
        store=True,
    )
    return ResponseStream(response, answering, new_id=lambda prefix: f"{prefix}_{next(numbers):032x}", now=lambda: 11)


def events_of(frames: Sequence[Frame]) -> list[Object]:
    for name, data in frames:
        assert len(data.decode().splitlines()) == 1
        assert orjson.loads(data)["type"] == name
    return [orjson.loads(frame.data) for frame in frames]


texts = st.lists(st.text(max_size=6), max_size=4)
ended: st.SearchStrategy[FinishReason] = st.sampled_from(["stop", "length", "content_filter", "other"])


@st.composite
def generations(draw: st.DrawFn) -> list[GenerationEvent]:
    """Events in the order in which generations tell them."""
    events: list[GenerationEvent] = [Started()]
    events += [ReasoningDelta(text) for text in draw(texts)]
    for text in draw(texts):
        logprobs = draw(
            st.none() | st.lists(st.builds(TokenLogprob, st.text(max_size=2), st.floats(-9, 0)), max_size=2)
        )
        events.append(TextDelta(text, logprobs=logprobs))
    calls = draw(st.lists(st.tuples(st.sampled_from(["f", "n.f"]), st.booleans()), max_size=3))
    for number, (name, custom) in enumerate(calls):
        pieces = draw(texts) if custom else ['{"a":', *(str(orjson.dumps("é" * 3), "utf-8"), ""), "}"]
        events += call(name, *pieces, number=number, custom=custom)
    reason: FinishReason = draw(ended)
    if calls and reason == "length" and draw(st.booleans()):
        events.pop()
    return [*events, Finished("tool_calls" if calls and reason == "stop" else reason), UsageReported(USAGE)]


answerings = st.builds(
    Answering,
    logprobs=st.sampled_from([None, 0, 1]),
    may_call=st.just(True),
    summary=st.booleans(),
    encrypted_reasoning=st.booleans(),
    obfuscate=st.booleans(),
    namespaced=st.just({"n.f": Namespaced("n", "f")}),
    egemma=st.booleans(),
)
