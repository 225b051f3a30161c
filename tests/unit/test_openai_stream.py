"""Streamed chat completions as playbooks: events in, bytes out."""

from collections.abc import AsyncIterator, Sequence
from functools import partial

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaik.errors import EngineUnreachable
from localaik.generation.events import (
    Finished,
    FinishReason,
    GenerationEvent,
    ReasoningDelta,
    Started,
    TextDelta,
    TokenLogprob,
    Usage,
    UsageReported,
)
from localaik.generation.fold import fold
from localaik.protocols.openai.decode import Answering
from localaik.protocols.openai.encode import Identity, encode_chat
from localaik.protocols.openai.stream import ChatStream

Frame = dict[str, object]
IDENTITY = Identity("chatcmpl-1", 9, "0123456789")
HEAD = (
    '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":9,"model":"m","service_tier":"default",'
    '"system_fingerprint":"fp_0123456789","choices":['
)
SIMPLE: list[GenerationEvent] = [
    Started(0, 5),
    TextDelta("Hel"),
    TextDelta("lo"),
    Finished("stop"),
    UsageReported(Usage(5, 2)),
]


def stream(answering: Answering) -> ChatStream:
    return ChatStream(answering, lambda: IDENTITY)


def play(events: Sequence[GenerationEvent], **answering: object) -> list[str]:
    """The frames of all events, fed one by one, without `data: ` and the blank line."""
    encoder = stream(Answering("m", **answering))  # type: ignore[arg-type]
    return split(b"".join(encoder.feed([event]) for event in events))


def split(data: bytes) -> list[str]:
    *frames, rest = data.split(b"\n\n")
    assert rest == b""
    for frame in frames:
        assert frame.startswith(b"data: ")
        assert len(frame.decode().splitlines()) == 1
    return [frame.decode()[6:] for frame in frames]


def test_b071_the_order_of_a_stream() -> None:
    assert play(SIMPLE) == [
        HEAD
        + '{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]}',
        HEAD + '{"index":0,"delta":{"content":"Hel"},"logprobs":null,"finish_reason":null}]}',
        HEAD + '{"index":0,"delta":{"content":"lo"},"logprobs":null,"finish_reason":null}]}',
        HEAD + '{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}',
        "[DONE]",
    ]


def test_b072_usage_is_one_chunk_without_choices_and_null_in_all_others() -> None:
    *chunks, usage, done = play(SIMPLE, include_usage=True)
    assert len(chunks) == 4
    assert all(chunk.endswith('],"usage":null}') for chunk in chunks)
    assert usage == (
        HEAD + '],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,'
        '"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},'
        '"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,'
        '"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}'
    )
    assert done == "[DONE]"


def test_how_events_are_batched_makes_no_difference() -> None:
    singly = "".join(f"data: {frame}\n\n" for frame in play(SIMPLE))
    assert stream(Answering("m")).feed(SIMPLE).decode() == singly
    assert stream(Answering("m")).feed([]) == b""


def test_the_engine_is_asked_for_its_fingerprint_only_when_it_has_begun() -> None:
    asked: list[int] = []

    def identity() -> Identity:
        asked.append(1)
        return IDENTITY

    encoder = ChatStream(Answering("m"), identity)
    assert asked == []
    encoder.feed(SIMPLE)
    assert asked == [1]


def test_a_delta_without_a_start_still_has_its_role_first() -> None:
    assert '"role":"assistant"' in play([TextDelta("a")])[0]


def test_choices_have_their_own_role_and_end() -> None:
    events: list[GenerationEvent] = [
        Started(0),
        Started(1),
        TextDelta("b", 1),
        TextDelta("a", 0),
        Finished("length", 1),
        Finished("stop", 0),
        UsageReported(Usage(1, 2)),
    ]
    choices = [orjson.loads(frame)["choices"][0] for frame in play(events)[:-1]]
    assert [(choice["index"], choice["delta"], choice["finish_reason"]) for choice in choices] == [
        (0, {"role": "assistant", "content": "", "refusal": None}, None),
        (1, {"role": "assistant", "content": "", "refusal": None}, None),
        (1, {"content": "b"}, None),
        (0, {"content": "a"}, None),
        (1, {}, "length"),
        (0, {}, "stop"),
    ]


def test_b075_reasoning_is_a_delta_of_its_own() -> None:
    frames = play([Started(), ReasoningDelta("Hm"), ReasoningDelta(""), TextDelta("a")])
    assert [orjson.loads(frame)["choices"][0]["delta"] for frame in frames[1:]] == [
        {"reasoning_content": "Hm"},
        {"content": "a"},
    ]


TOKEN = TokenLogprob("é", -0.5, 7, [195, 169], [TokenLogprob("é", -0.5, 7, [195, 169]), TokenLogprob("e", -1.5)])


@pytest.mark.parametrize("alternatives", [0, 1, 2])
def test_log_probabilities_stand_beside_their_text(alternatives: int) -> None:
    frame = play([Started(), TextDelta("é", 0, [TOKEN])], logprobs=alternatives)[1]
    top = [{"token": "é", "logprob": -0.5, "bytes": [195, 169]}, {"token": "e", "logprob": -1.5, "bytes": None}]
    assert orjson.loads(frame)["choices"][0]["logprobs"] == {
        "content": [{"token": "é", "logprob": -0.5, "bytes": [195, 169], "top_logprobs": top[:alternatives]}],
        "refusal": None,
    }


def test_log_probabilities_of_no_text_yet_and_impossible_ones() -> None:
    token = TokenLogprob("", float("-inf"))
    frames = play([Started(), TextDelta("", 0, [token]), TextDelta(""), TextDelta("", 0, None)], logprobs=0)
    assert len(frames) == 2
    choice = orjson.loads(frames[1])["choices"][0]
    assert choice["delta"] == {"content": ""}
    assert choice["logprobs"]["content"][0]["logprob"] == -9999.0


def test_log_probabilities_that_nobody_asked_for_are_left_out() -> None:
    assert orjson.loads(play([TextDelta("é", 0, [TOKEN])])[1])["choices"][0]["logprobs"] is None


@pytest.mark.parametrize("text", ["a\u2028b", "\u2029", "\u0085x", "é\u2028"])
def test_what_some_readers_take_for_the_end_of_a_line_is_escaped(text: str) -> None:
    frames = play([Started(), TextDelta(text), ReasoningDelta(text)])
    assert all(len(frame.splitlines()) == 1 for frame in frames)
    assert orjson.loads(frames[1])["choices"][0]["delta"] == {"content": text}


def test_padding_is_there_only_when_asked_for() -> None:
    events: list[GenerationEvent] = [
        Started(),
        TextDelta("a"),
        TextDelta("a" * 10),
        Finished("stop"),
        UsageReported(Usage(1, 1)),
    ]
    *chunks, usage, _ = play(events, obfuscate=True, include_usage=True)
    assert len({len(chunk) for chunk in chunks[1:3]}) == 1
    assert all("obfuscation" in orjson.loads(chunk) for chunk in chunks)
    assert orjson.loads(usage)["usage"]["total_tokens"] == 2
    assert all("obfuscation" not in frame for frame in play(events))


def test_b078_a_fault_is_the_last_frame_and_no_clean_end() -> None:
    encoder = stream(Answering("m", include_usage=True))
    encoder.feed([Started(), TextDelta("a")])
    (frame,) = split(encoder.fail(EngineUnreachable("The engine is unreachable: it\u2028died.")))
    assert orjson.loads(frame) == {
        "error": {
            "message": "The engine is unreachable: it\u2028died.",
            "type": "server_error",
            "param": None,
            "code": "upstream_unreachable",
        }
    }


REASONS: list[FinishReason] = ["stop", "length", "content_filter", "other"]
TOKENS = st.builds(
    TokenLogprob,
    token=st.text(max_size=3),
    logprob=st.floats(max_value=0, allow_nan=False),
    top=st.lists(st.builds(TokenLogprob, token=st.text(max_size=2), logprob=st.floats(-9, 0)), max_size=3),
)


@st.composite
def responses(draw: st.DrawFn) -> list[list[GenerationEvent]]:
    """All events of one response, in batches; the choices interleave."""
    waiting: list[list[GenerationEvent]] = []
    for index in range(draw(st.integers(1, 3))):
        deltas = st.one_of(
            st.builds(partial(TextDelta, index=index), text=st.text(max_size=5)),
            st.builds(partial(TextDelta, index=index), text=st.text(max_size=5), logprobs=st.lists(TOKENS, max_size=2)),
            st.builds(partial(ReasoningDelta, index=index), text=st.text(max_size=5)),
        )
        finished = Finished(draw(st.sampled_from(REASONS)), index)
        waiting.append([Started(index), *draw(st.lists(deltas, max_size=5)), finished])
    events: list[GenerationEvent] = []
    while waiting:
        choice = draw(st.sampled_from(waiting))
        events.append(choice.pop(0))
        waiting = [rest for rest in waiting if rest]
    events.append(UsageReported(Usage(draw(st.integers(0, 9)), draw(st.integers(0, 9)))))
    batches: list[list[GenerationEvent]] = []
    while events:
        size = draw(st.integers(1, len(events)))
        batches.append(events[:size])
        events = events[size:]
    return batches


class Automaton:
    """Accepts the chunks of a stream in the only order that is allowed, and folds them."""

    def __init__(self) -> None:
        self.messages: dict[int, dict[str, object]] = {}
        self.usage: object = None
        self.state = "choices"

    def read(self, frame: str, *, include_usage: bool, logprobs: bool) -> None:
        if frame == "[DONE]":
            assert self.state == ("usage" if include_usage else "choices")
            self.state = "done"
            return
        assert self.state == "choices"
        chunk = orjson.loads(frame)
        assert ("usage" in chunk) == include_usage
        if not chunk["choices"]:
            self.usage = chunk["usage"]
            self.state = "usage"
            return
        assert chunk.get("usage") is None
        (choice,) = chunk["choices"]
        assert set(choice) == {"index", "delta", "logprobs", "finish_reason"}
        self.read_choice(choice, logprobs=logprobs)

    def read_choice(self, choice: dict[str, object], *, logprobs: bool) -> None:
        delta = choice["delta"]
        index = choice["index"]
        assert isinstance(delta, dict)
        assert isinstance(index, int)
        message = self.messages.get(index)
        if message is None:
            assert delta == {"role": "assistant", "content": "", "refusal": None}
            tokens: object = {"content": [], "refusal": None} if logprobs else None
            self.messages[index] = {"content": "", "logprobs": tokens, "finish_reason": None}
            return
        assert message["finish_reason"] is None
        if choice["finish_reason"] is not None:
            assert delta == {}
            message["finish_reason"] = choice["finish_reason"]
            return
        ((name, text),) = delta.items()
        message[name] = str(message.get(name, "")) + text
        if choice["logprobs"] is not None:
            message["logprobs"]["content"] += choice["logprobs"]["content"]  # type: ignore[index]


async def as_stream(batches: list[list[GenerationEvent]]) -> AsyncIterator[list[GenerationEvent]]:
    for batch in batches:
        yield batch


@given(responses(), st.booleans(), st.sampled_from([None, 0, 2]))
async def test_the_fold_of_the_chunks_is_the_whole_answer(
    batches: list[list[GenerationEvent]], include_usage: bool, logprobs: int | None
) -> None:
    answering = Answering("m", logprobs, include_usage)
    encoder = stream(answering)
    automaton = Automaton()
    for frame in split(b"".join(encoder.feed(batch) for batch in batches)):
        automaton.read(frame, include_usage=include_usage, logprobs=logprobs is not None)
    assert automaton.state == "done"
    whole = orjson.loads(encode_chat(await fold(as_stream(batches)), answering, IDENTITY))
    assert [automaton.messages[index] for index in sorted(automaton.messages)] == [
        {
            "content": choice["message"]["content"],
            **{name: text for name, text in choice["message"].items() if name == "reasoning_content"},
            "logprobs": choice["logprobs"],
            "finish_reason": choice["finish_reason"],
        }
        for choice in whole["choices"]
    ]
    assert not include_usage or automaton.usage == whole["usage"]
