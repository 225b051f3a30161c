"""Answers with calls, whole and streamed: events in, bytes out."""

from collections.abc import AsyncIterator, Sequence
from functools import partial

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

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
from localaik.generation.fold import fold
from localaik.protocols.openai.decode import Answering
from localaik.protocols.openai.encode import Identity, encode_chat
from localaik.protocols.openai.errors import answer_of
from localaik.protocols.openai.stream import ChatStream

Json = dict[str, object]
IDENTITY = Identity("chatcmpl-1", 9, "0123456789")
TOOLS = Answering("m", may_call=True)
LEGACY = Answering("m", may_call=True, legacy_calls=True)
END = UsageReported(Usage(5, 2))
ROLE = {"role": "assistant", "content": "", "refusal": None}
NULL_ROLE = {"role": "assistant", "content": None, "refusal": None}


async def one_by_one(events: Sequence[GenerationEvent]) -> AsyncIterator[list[GenerationEvent]]:
    for event in events:
        yield [event]


async def whole(events: Sequence[GenerationEvent], answering: Answering = TOOLS) -> list[Json]:
    """The choices of the whole answer."""
    answer = orjson.loads(encode_chat(await fold(one_by_one(events)), answering, IDENTITY))
    choices: list[Json] = answer["choices"]
    return choices


def frames(events: Sequence[GenerationEvent], answering: Answering = TOOLS) -> list[str]:
    encoder = ChatStream(answering, lambda: IDENTITY)
    data = b"".join(encoder.feed([event]) for event in events).decode()
    return [frame.removeprefix("data: ") for frame in data.split("\n\n")[:-1]]


def choices(events: Sequence[GenerationEvent], answering: Answering = TOOLS) -> list[Json]:
    """The choice of every chunk."""
    return [orjson.loads(frame)["choices"][0] for frame in frames(events, answering) if frame != "[DONE]"]


def deltas(events: Sequence[GenerationEvent], answering: Answering = TOOLS) -> list[object]:
    return [choice["delta"] for choice in choices(events, answering)]


def call(
    name: str = "f", *arguments: str, at: int = 0, index: int = 0, custom: bool = False, cut: bool = False
) -> list[GenerationEvent]:
    """The events of one call."""
    events: list[GenerationEvent] = [ToolCallStarted(f"call_{index}{at}", name, at, index, custom)]
    events += [ToolCallArgumentsDelta(text, at, index) for text in arguments]
    return events if cut else [*events, ToolCallFinished(at, index)]


def function(name: str, arguments: str, call_id: str = "call_00") -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


async def test_a_call_without_text() -> None:
    events = [Started(), *call("f", '{"a"', ":1}"), Finished("tool_calls"), END]
    assert await whole(events) == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "refusal": None,
                "annotations": [],
                "tool_calls": [function("f", '{"a":1}')],
            },
            "logprobs": None,
            "finish_reason": "tool_calls",
        }
    ]
    assert deltas(events) == [
        NULL_ROLE,
        {
            "tool_calls": [
                {"index": 0, "id": "call_00", "type": "function", "function": {"name": "f", "arguments": ""}},
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
        {},
    ]
    assert [choice["finish_reason"] for choice in choices(events)] == [None, None, None, None, "tool_calls"]
    assert frames(events)[-1] == "[DONE]"


async def test_text_and_then_two_calls() -> None:
    events = [
        Started(),
        TextDelta("We"),
        TextDelta("ll"),
        *call("f", "{}"),
        *call("g", "{}", at=1),
        Finished("tool_calls"),
        END,
    ]
    (choice,) = await whole(events)
    message = choice["message"]
    assert isinstance(message, dict)
    assert message["content"] == "Well"
    assert message["tool_calls"] == [function("f", "{}"), function("g", "{}", "call_01")]
    told = deltas(events)
    assert told[:3] == [ROLE, {"content": "We"}, {"content": "ll"}]
    assert [delta["tool_calls"][0]["index"] for delta in told[3:-1]] == [0, 0, 1, 1]  # type: ignore[index]


async def test_a_custom_call() -> None:
    events = [Started(), *call("c", "x =", " 1", custom=True), Finished("tool_calls"), END]
    (choice,) = await whole(events)
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "tool_calls": [{"id": "call_00", "type": "custom", "custom": {"name": "c", "input": "x = 1"}}],
    }
    assert deltas(events)[1:-1] == [
        {"tool_calls": [{"index": 0, "id": "call_00", "type": "custom", "custom": {"name": "c", "input": ""}}]},
        {"tool_calls": [{"index": 0, "custom": {"input": "x ="}}]},
        {"tool_calls": [{"index": 0, "custom": {"input": " 1"}}]},
    ]


async def test_a_function_call_of_the_time_before_tools() -> None:
    events = [Started(), *call("f", "{", "}"), Finished("tool_calls"), END]
    (choice,) = await whole(events, LEGACY)
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "function_call": {"name": "f", "arguments": "{}"},
    }
    assert choice["finish_reason"] == "function_call"
    assert deltas(events, LEGACY) == [
        NULL_ROLE,
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{"}},
        {"function_call": {"arguments": "}"}},
        {},
    ]
    assert choices(events, LEGACY)[-1]["finish_reason"] == "function_call"


async def test_b073_a_call_that_the_limit_cut_keeps_its_beginning() -> None:
    events = [Started(), *call("f", '{"a":', '"xy', cut=True), Finished("length"), END]
    (choice,) = await whole(events)
    assert choice["finish_reason"] == "length"
    assert choice["message"]["tool_calls"] == [function("f", '{"a":"xy')]  # type: ignore[index]
    assert choices(events)[-1]["finish_reason"] == "length"


async def test_a_call_that_was_due_and_did_not_come_is_a_fault() -> None:
    events = [Started(), Finished("malformed_call", 0, "The arguments of f are not valid."), END]
    with pytest.raises(EngineAnswerInvalid) as whole_fault:
        await whole(events)
    encoder = ChatStream(TOOLS, lambda: IDENTITY)
    with pytest.raises(EngineAnswerInvalid) as streamed_fault:
        encoder.feed(events)
    for fault in (whole_fault.value, streamed_fault.value):
        assert fault.reason == "tool_call_invalid"
        answer = answer_of(fault)
        assert (answer.status, answer.type, answer.message) == (
            502,
            "server_error",
            "The arguments of f are not valid.",
        )
    data = encoder.fail(streamed_fault.value)
    assert orjson.loads(data.removeprefix(b"data: "))["error"]["message"] == "The arguments of f are not valid."
    assert b"[DONE]" not in data


def test_the_role_waits_for_what_comes_first() -> None:
    encoder = ChatStream(TOOLS, lambda: IDENTITY)
    assert encoder.feed([Started(0), Started(1), TextDelta("", 0)]) == b""
    assert b'"content":null' in encoder.feed(call())
    text = encoder.feed([TextDelta("Hi", 1)])
    assert b'"content":""' in text
    assert b'"content":"Hi"' in text


def test_the_role_does_not_wait_where_nothing_can_be_called() -> None:
    assert b'"content":""' in ChatStream(Answering("m"), lambda: IDENTITY).feed([Started()])


async def test_an_answer_of_nothing_has_an_empty_text() -> None:
    events: list[GenerationEvent] = [Started(), Finished("stop"), END]
    (choice,) = await whole(events)
    assert choice["message"]["content"] == ""  # type: ignore[index]
    assert deltas(events) == [ROLE, {}]


@pytest.mark.parametrize("logprobs", [None, 0])
def test_content_begins_with_text_and_not_with_thoughts(logprobs: int | None) -> None:
    answering = Answering("m", logprobs, may_call=True)
    tokens = [TokenLogprob("", -0.5)]
    events: list[GenerationEvent] = [Started(), ReasoningDelta("Hm"), TextDelta("", 0, tokens)]
    begun = [NULL_ROLE, {"reasoning_content": "Hm"}, *([{}] if logprobs is not None else [])]
    assert deltas([*events, *call(), Finished("tool_calls")], answering)[: len(begun)] == begun
    assert "content" not in str(deltas([*events, *call(), Finished("tool_calls")], answering)[len(begun) :])
    assert deltas([*events, TextDelta("a"), Finished("stop")], answering) == [*begun, {"content": "a"}, {}]
    assert deltas([*events, Finished("stop")], answering) == [*begun, {"content": ""}, {}]


def test_choices_interleave() -> None:
    events: list[GenerationEvent] = [
        Started(1),
        Started(0),
        ToolCallStarted("a", "f", 0, 1),
        ToolCallStarted("b", "c", 0, 0, True),
        ToolCallArgumentsDelta("{}", 0, 1),
        ToolCallArgumentsDelta("x", 0, 0),
        ToolCallFinished(0, 1),
        ToolCallFinished(0, 0),
        Finished("tool_calls", 0),
        Finished("tool_calls", 1),
        END,
    ]
    assert [(choice["index"], choice["delta"]) for choice in choices(events)] == [
        (0, NULL_ROLE),
        (1, NULL_ROLE),
        (1, {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
        (0, {"tool_calls": [{"index": 0, "id": "b", "type": "custom", "custom": {"name": "c", "input": ""}}]}),
        (1, {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
        (0, {"tool_calls": [{"index": 0, "custom": {"input": "x"}}]}),
        (0, {}),
        (1, {}),
    ]


@pytest.mark.parametrize("may_call", [True, False])
def test_choices_begin_in_the_order_of_their_indices(may_call: bool) -> None:
    events: list[GenerationEvent] = [TextDelta("c", 2), TextDelta("a", 0), Finished("stop", 1)]
    found = choices(events, Answering("m", may_call=may_call))
    assert [choice["index"] for choice in found[:3]] == [0, 1, 2]
    lower = NULL_ROLE if may_call else ROLE
    assert [choice["delta"] for choice in found[:3]] == [lower, lower, ROLE]
    rest = [{"content": "c"}, {"content": "a"}, *([{"content": ""}] if may_call else []), {}]
    assert [choice["delta"] for choice in found[3:]] == rest


def test_padding_hides_the_size_of_arguments() -> None:
    answering = Answering("m", obfuscate=True, may_call=True)
    found = frames([Started(), *call("f", "a", "a" * 10)], answering)
    assert len(found[2]) == len(found[3])


@st.composite
def responses(draw: st.DrawFn) -> list[GenerationEvent]:
    """All events of one response of several choices, which interleave."""
    waiting: list[list[GenerationEvent]] = []
    for index in range(draw(st.integers(1, 3))):
        texts = st.one_of(
            st.builds(partial(TextDelta, index=index), text=st.text(max_size=4)),
            st.builds(partial(ReasoningDelta, index=index), text=st.text(max_size=4)),
        )
        events: list[GenerationEvent] = [Started(index), *draw(st.lists(texts, max_size=4))]
        count = draw(st.integers(0, 3))
        is_cut = draw(st.booleans())
        for at in range(count):
            pieces = draw(st.lists(st.text(max_size=4), max_size=3))
            custom = draw(st.booleans())
            events += call(f"f{at}", *pieces, at=at, index=index, custom=custom, cut=is_cut and at == count - 1)
        reason = "length" if is_cut else "tool_calls" if count else "stop"
        waiting.append([*events, Finished(reason, index)])
    merged: list[GenerationEvent] = []
    while waiting:
        merged.append(draw(st.sampled_from(waiting)).pop(0))
        waiting = [rest for rest in waiting if rest]
    return [*merged, END]


def join(message: Json, delta: Json) -> None:
    """Add a delta to a message the way clients do: strings are joined, entries of lists are found by their index."""
    for name, value in delta.items():
        if isinstance(value, list):
            entries = message.setdefault(name, [])
            assert isinstance(entries, list)
            for piece in value:
                if piece["index"] == len(entries):
                    entries.append({})
                join(entries[piece["index"]], {key: part for key, part in piece.items() if key != "index"})
        elif isinstance(value, dict):
            inner = message.setdefault(name, {})
            assert isinstance(inner, dict)
            join(inner, value)
        elif isinstance(value, str) and isinstance(message.get(name), str):
            message[name] = f"{message[name]}{value}"
        else:
            message[name] = value


@given(responses())
async def test_the_fold_of_the_chunks_is_the_whole_answer(events: list[GenerationEvent]) -> None:
    messages: dict[object, Json] = {}
    reasons: dict[object, object] = {}
    for choice in choices(events):
        index = choice["index"]
        delta = choice["delta"]
        assert isinstance(delta, dict)
        assert index not in reasons
        assert ("role" in delta) == (index not in messages)
        join(messages.setdefault(index, {}), delta)
        if choice["finish_reason"] is not None:
            assert delta == {}
            reasons[index] = choice["finish_reason"]
    expected = await whole(events)
    assert [{**messages[choice["index"]], "annotations": []} for choice in expected] == [
        choice["message"] for choice in expected
    ]
    assert [reasons[choice["index"]] for choice in expected] == [choice["finish_reason"] for choice in expected]


async def test_the_clients_own_fold_gives_the_whole_answer() -> None:
    events = [
        Started(1),
        TextDelta("Well", 1),
        Started(0),
        *call("f", '{"a"', ":1}"),
        *call("g", "{}", index=1),
        *call("h", "{}", at=1),
        Finished("tool_calls", 1),
        Finished("tool_calls", 0),
        END,
    ]
    state = ChatCompletionStreamState()
    answering = Answering("m", include_usage=True, may_call=True)
    for frame in frames(events, answering)[:-1]:
        state.handle_chunk(ChatCompletionChunk.model_validate_json(frame))
    folded = state.get_final_completion()
    expected = ChatCompletion.model_validate_json(encode_chat(await fold(one_by_one(events)), answering, IDENTITY))
    for left, right in zip(folded.choices, expected.choices, strict=True):
        assert left.finish_reason == right.finish_reason
        assert left.message.content == right.message.content
        assert [
            tool.model_dump(exclude={"index": True, "function": {"parsed_arguments"}})
            for tool in left.message.tool_calls or []
        ] == [tool.model_dump() for tool in right.message.tool_calls or []]
    assert folded.usage == expected.usage
