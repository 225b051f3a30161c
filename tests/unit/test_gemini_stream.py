"""Streams of the Gemini API as playbooks: events in, bytes out."""

import json
from collections.abc import AsyncIterator, Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaik.errors import EngineUnreachable, Unavailable
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
from localaik.protocols.gemini.decode import Answering
from localaik.protocols.gemini.encode import encode_generation
from localaik.protocols.gemini.stream import Framing, StreamEncoder

Batches = Sequence[Sequence[GenerationEvent]]


def encoder(framing: Framing = Framing.SSE, **answering: object) -> StreamEncoder:
    return StreamEncoder(Answering("m", **answering), "id", framing)  # type: ignore[arg-type]


def frames(data: bytes) -> list[dict[str, object]]:
    """The objects of an SSE body; fails where anything but data frames is in it."""
    *whole, rest = data.split(b"\r\n\r\n")
    assert rest == b""
    for frame in whole:
        assert frame.startswith(b"data: ")
        assert len(frame.decode().splitlines()) == 1
    return [orjson.loads(frame[6:]) for frame in whole]


def play(batches: Batches, **answering: object) -> list[list[dict[str, object]]]:
    """The chunks that each batch gives."""
    one = encoder(**answering)
    return [frames(one.feed(batch)) for batch in batches]


def text_of(chunk: dict[str, object]) -> str:
    return "".join(part["text"] for part in chunk["candidates"][0]["content"].get("parts", []))  # type: ignore[index]


def finish_of(chunk: dict[str, object]) -> str | None:
    return chunk["candidates"][0].get("finishReason")  # type: ignore[index]


SIMPLE: Batches = [
    [Started(0, 5)],
    [TextDelta("Hel")],
    [TextDelta("lo")],
    [TextDelta("!")],
    [Finished("stop")],
    [UsageReported(Usage(5, 4))],
]


# Bytes


def test_b057_frames_byte_for_byte() -> None:
    one = encoder()
    assert [one.feed(batch) for batch in SIMPLE] == [
        b"",
        (
            b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Hel"}]},"index":0}],'
            b'"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1,"totalTokenCount":6,'
            b'"promptTokensDetails":[{"modality":"TEXT","tokenCount":5}],'
            b'"candidatesTokensDetails":[{"modality":"TEXT","tokenCount":1}]},"modelVersion":"m","responseId":"id"}\r\n\r\n'
        ),
        b"",
        (
            b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"lo"}]},"index":0}],'
            b'"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"totalTokenCount":7,'
            b'"promptTokensDetails":[{"modality":"TEXT","tokenCount":5}],'
            b'"candidatesTokensDetails":[{"modality":"TEXT","tokenCount":2}]},"modelVersion":"m","responseId":"id"}\r\n\r\n'
        ),
        b"",
        (
            b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"!"}]},"finishReason":"STOP",'
            b'"index":0}],'
            b'"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":4,"totalTokenCount":9,'
            b'"promptTokensDetails":[{"modality":"TEXT","tokenCount":5}],'
            b'"candidatesTokensDetails":[{"modality":"TEXT","tokenCount":4}]},"modelVersion":"m","responseId":"id"}\r\n\r\n'
        ),
    ]


def test_b058_the_array_form_is_one_json_array() -> None:
    one = encoder(Framing.ARRAY)
    pieces = [one.feed(batch) for batch in SIMPLE]
    assert pieces[1].startswith(b'[{"candidates"')
    assert pieces[3].startswith(b',\r\n{"candidates"')
    assert pieces[5].endswith(b'"responseId":"id"}]')
    assert orjson.loads(b"".join(pieces)) == [chunk for batch in play(SIMPLE) for chunk in batch]


@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\u0085"])
@pytest.mark.parametrize("logprobs", [None, [TokenLogprob("x\u2028", -1.0)]])
def test_g034_what_readers_take_for_a_line_end_is_escaped(char: str, logprobs: list[TokenLogprob] | None) -> None:
    one = StreamEncoder(Answering(f"m{char}", logprobs=0), "id", Framing.SSE)
    data = one.feed(
        [TextDelta(f"a{char}b\u00e9", 0, logprobs), TextDelta("c"), Finished("stop"), UsageReported(Usage(1, 2))]
    )
    assert f"a\\u{ord(char):04x}b\u00e9".encode() in data
    assert [text_of(chunk) for chunk in frames(data)] == [f"a{char}b\u00e9", "c"]
    assert char not in data.decode()


@given(st.text(), st.text(min_size=1))
def test_any_text_survives_as_one_line(model: str, text: str) -> None:
    one = StreamEncoder(Answering(model.encode("utf-8", "replace").decode()), "id", Framing.SSE)
    clean = text.encode("utf-8", "replace").decode()
    (chunk,) = frames(one.feed([TextDelta(clean)]))
    assert text_of(chunk) == clean


def test_half_a_surrogate_pair_does_not_break_the_stream() -> None:
    (chunk,) = frames(encoder().feed([TextDelta("a\ud83d")]))
    assert text_of(chunk) == "a?"


# Which text leaves when


def test_g035_the_first_text_leaves_at_once_and_the_newest_is_held() -> None:
    assert [[text_of(chunk) for chunk in batch] for batch in play(SIMPLE)] == [[], ["Hel"], [], ["lo"], [], ["!"]]


def test_g035_the_last_chunk_has_text_reason_and_final_counts() -> None:
    (last,) = play(SIMPLE)[-1]
    assert (text_of(last), finish_of(last), last["usageMetadata"]["totalTokenCount"]) == ("!", "STOP", 9)  # type: ignore[index]


def test_deltas_that_arrive_together_stay_apart() -> None:
    (chunks,) = play([[TextDelta("a"), TextDelta("b"), TextDelta("c"), Finished("stop"), UsageReported(Usage(1, 3))]])
    assert [(text_of(chunk), finish_of(chunk)) for chunk in chunks] == [("a", None), ("b", None), ("c", "STOP")]


def test_an_answer_of_one_delta_is_one_chunk_if_its_end_comes_with_it() -> None:
    together = play([[TextDelta("a"), Finished("length")], [UsageReported(Usage(1, 1))]])
    assert [[(text_of(chunk), finish_of(chunk)) for chunk in batch] for batch in together] == [
        [],
        [("a", "MAX_TOKENS")],
    ]


def test_a_chunk_without_news_still_has_a_part_for_clients_that_check() -> None:
    apart = play([[TextDelta("a")], [Finished("stop")], [UsageReported(Usage(1, 1))]])
    (last,) = apart[-1]
    assert last["candidates"][0]["content"] == {"role": "model", "parts": [{"text": ""}]}  # type: ignore[index]


def test_b060_empty_deltas_are_skipped() -> None:
    assert [
        len(batch) for batch in play([[Started()], [TextDelta("")], [TextDelta("a"), TextDelta("")], [TextDelta("")]])
    ] == [
        0,
        0,
        1,
        0,
    ]


def test_b053_an_empty_answer_has_no_parts() -> None:
    chunks = play([[Started(0, 3)], [Finished("stop")], [UsageReported(Usage(3, 0))]])
    assert chunks[-1][0]["candidates"] == [{"content": {"role": "model"}, "finishReason": "STOP", "index": 0}]


def test_the_prompt_counts_are_zero_until_they_are_known() -> None:
    (chunk,) = play([[Started(), TextDelta("a")]])[0]
    assert chunk["usageMetadata"] == {
        "promptTokenCount": 0,
        "candidatesTokenCount": 1,
        "totalTokenCount": 1,
        "promptTokensDetails": [],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 1}],
    }


def test_media_are_counted_in_every_chunk() -> None:
    (chunk,) = play([[Started(0, 30, 16, 8), TextDelta("a")]])[0]
    assert chunk["usageMetadata"]["promptTokensDetails"] == [  # type: ignore[index]
        {"modality": "TEXT", "tokenCount": 6},
        {"modality": "IMAGE", "tokenCount": 16},
        {"modality": "DOCUMENT", "tokenCount": 8},
    ]


# Thoughts


THINKING: Batches = [
    [Started(0, 5)],
    [ReasoningDelta("I ")],
    [ReasoningDelta("think")],
    [TextDelta("so")],
    [Finished("stop"), UsageReported(Usage(5, 3, reasoning_tokens=2))],
]


def test_b054_thoughts_stream_as_thought_parts() -> None:
    chunks = [chunk for batch in play(THINKING, include_thoughts=True) for chunk in batch]
    assert [chunk["candidates"][0]["content"]["parts"] for chunk in chunks] == [  # type: ignore[index]
        [{"text": "I ", "thought": True}],
        [{"text": "think", "thought": True}],
        [{"text": "so"}],
    ]
    assert [chunk["usageMetadata"].get("thoughtsTokenCount") for chunk in chunks] == [1, 2, 2]  # type: ignore[attr-defined]
    assert [chunk["usageMetadata"]["totalTokenCount"] for chunk in chunks] == [6, 7, 8]  # type: ignore[index]


def test_b054_hidden_thoughts_are_only_counted() -> None:
    chunks = [chunk for batch in play([*THINKING[:-1], [TextDelta("!")], THINKING[-1]]) for chunk in batch]
    assert [text_of(chunk) for chunk in chunks] == ["so", "!"]
    assert chunks[0]["usageMetadata"]["thoughtsTokenCount"] == 2  # type: ignore[index]


def test_b053_a_limit_inside_hidden_thoughts_leaves_no_parts() -> None:
    chunks = play([[ReasoningDelta("I")], [Finished("length"), UsageReported(Usage(1, 1, reasoning_tokens=1))]])
    assert chunks[-1][0]["candidates"][0]["content"] == {"role": "model"}  # type: ignore[index]


# Several candidates


def test_g012_candidates_interleave_and_each_ends_once() -> None:
    chunks = [
        chunk
        for batch in play(
            [
                [Started(0, 5), Started(1, 5)],
                [TextDelta("a", 0)],
                [TextDelta("x", 1)],
                [TextDelta("b", 0)],
                [Finished("stop", 0)],
                [TextDelta("y", 1)],
                [Finished("length", 1)],
                [UsageReported(Usage(5, 4))],
            ],
            candidates=2,
        )
        for chunk in batch
    ]
    seen = [(chunk["candidates"][0]["index"], text_of(chunk), finish_of(chunk)) for chunk in chunks]  # type: ignore[index]
    assert seen == [(0, "a", None), (1, "x", None), (0, "b", "STOP"), (1, "y", "MAX_TOKENS")]
    assert chunks[-1]["usageMetadata"]["candidatesTokenCount"] == 4  # type: ignore[index]


def test_candidates_that_end_together_share_the_last_chunk() -> None:
    (chunks,) = play(
        [[TextDelta("a", 0), TextDelta("b", 1), Finished("stop", 0), Finished("stop", 1), UsageReported(Usage(1, 2))]]
    )
    assert [[one["index"] for one in chunk["candidates"]] for chunk in chunks] == [[0, 1]]  # type: ignore[index, union-attr, attr-defined]


# Filters, ratings, logprobs


def test_a_blocked_prompt_has_feedback_instead_of_candidates() -> None:
    chunks = play([[Started(0, 5)], [Finished("content_filter")], [UsageReported(Usage(5, 0))]])
    assert chunks[-1][0]["promptFeedback"] == {"blockReason": "SAFETY"}
    assert "candidates" not in chunks[-1][0]


def test_a_filter_after_text_keeps_the_text() -> None:
    chunks = play([[TextDelta("a")], [TextDelta("b")], [Finished("content_filter")], [UsageReported(Usage(5, 2))]])
    assert (text_of(chunks[-1][0]), finish_of(chunks[-1][0])) == ("b", "SAFETY")


def test_g018_ratings_stand_in_the_last_chunk_only() -> None:
    chunks = [chunk for batch in play(SIMPLE, safety_categories=("C",)) for chunk in batch]
    assert [chunk["candidates"][0].get("safetyRatings") for chunk in chunks] == [  # type: ignore[index]
        None,
        None,
        [{"category": "C", "probability": "NEGLIGIBLE"}],
    ]


def test_g014_each_chunk_lists_its_own_tokens_and_the_last_the_sums() -> None:
    batches = [
        [TextDelta("a", 0, [TokenLogprob("a", -1.0, 7)])],
        [TextDelta("", 0, [TokenLogprob("", -3.0)])],
        [TextDelta("b", 0, [TokenLogprob("b", -2.0)])],
        [Finished("stop"), UsageReported(Usage(1, 3))],
    ]
    first, last = (chunk["candidates"][0] for batch in play(batches, logprobs=0) for chunk in batch)  # type: ignore[index]
    assert first["logprobsResult"] == {"chosenCandidates": [{"token": "a", "tokenId": 7, "logProbability": -1.0}]}
    assert [entry["logProbability"] for entry in last["logprobsResult"]["chosenCandidates"]] == [-3.0, -2.0]
    assert (last["logprobsResult"]["logProbabilitySum"], last["avgLogprobs"]) == (-6.0, -2.0)
    assert "avgLogprobs" not in first


# Faults


FAULT = EngineUnreachable("The engine is gone.")


def test_b062_a_fault_flushes_the_text_and_ends_the_stream_with_the_error() -> None:
    one = encoder()
    for batch in SIMPLE[:3]:
        one.feed(batch)
    text, error = frames(one.fail(FAULT))
    assert (text_of(text), finish_of(text)) == ("lo", None)
    assert error == {"error": {"code": 502, "message": "The engine is gone.", "status": "UNAVAILABLE"}}


def test_b062_no_finish_reason_leaves_before_an_error() -> None:
    one = encoder()
    one.feed([TextDelta("a"), TextDelta("b"), Finished("stop")])
    *texts, error = frames(one.fail(FAULT))
    assert [(text_of(chunk), finish_of(chunk)) for chunk in texts] == [("b", None)]
    assert list(error) == ["error"]


@pytest.mark.parametrize("fed", [0, 1, 2, 3, 4, 5])
def test_g037_the_array_is_valid_json_wherever_it_fails(fed: int) -> None:
    one = encoder(Framing.ARRAY)
    data = b"".join(one.feed(batch) for batch in SIMPLE[:fed]) + one.fail(Unavailable("Stopping.", retry_after=3))
    *chunks, last = orjson.loads(data)
    assert all("candidates" in chunk for chunk in chunks)
    assert last["error"]["code"] == 503
    assert last["error"]["details"] == [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3s"}]


# The fold


@st.composite
def responses(draw: st.DrawFn) -> tuple[list[list[GenerationEvent]], dict[str, object]]:
    """A legal response of one to three choices, cut into batches, and how it is to be answered."""
    choices = draw(st.integers(1, 3))
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
    queues: list[list[GenerationEvent]] = []
    for index in range(choices):
        queue: list[GenerationEvent] = [Started(index, 5)]
        queue += [ReasoningDelta(text, index) for text in draw(st.lists(texts.filter(bool), max_size=3))]
        for text in draw(st.lists(texts, max_size=5)):
            logprobs = [TokenLogprob(text, draw(st.sampled_from([-0.5, -1.0, 0.0])))] if draw(st.booleans()) else None
            queue.append(TextDelta(text, index, logprobs))
        reason = draw(st.sampled_from(["stop", "length", "content_filter", "other", "tool_calls", "malformed_call"]))
        calls = draw(st.integers(1, 3)) if reason == "tool_calls" else draw(st.integers(0, 2)) * (reason == "length")
        for call in range(calls):
            queue.append(ToolCallStarted(f"call_{index}_{call}", "f", call, index))
            queue += [
                ToolCallArgumentsDelta(piece, call, index) for piece in ('{"a":', f"{draw(st.floats(0, 1))}", "}")
            ]
            if reason == "tool_calls" or call < calls - 1:
                queue.append(ToolCallFinished(call, index))
        queue.append(Finished(reason, index, "wrong" if reason == "malformed_call" else ""))
        queues.append(queue)
    events: list[GenerationEvent] = []
    while any(queues):
        events.append(draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
    thoughts = sum(isinstance(event, ReasoningDelta) for event in events)
    tokens = sum(isinstance(event, TextDelta | ToolCallArgumentsDelta) for event in events)
    events.append(UsageReported(Usage(5, tokens + thoughts, reasoning_tokens=thoughts)))
    batches: list[list[GenerationEvent]] = [[]]
    for event in events:
        if draw(st.booleans()):
            batches.append([])
        batches[-1].append(event)
    answering = {
        "candidates": choices,
        "include_thoughts": draw(st.booleans()),
        "logprobs": draw(st.sampled_from([None, 0, 1])),
        "safety_categories": draw(st.sampled_from([(), ("HARM_CATEGORY_HARASSMENT",)])),
    }
    return [batch for batch in batches if batch], answering


def fold_chunks(chunks: list[dict[str, object]]) -> dict[str, object]:
    """What a client puts together from a stream, in the shape of a whole answer."""
    whole: dict[str, object] = {}
    candidates: dict[int, dict[str, object]] = {}
    for chunk in chunks:
        for news in chunk.get("candidates", []):  # type: ignore[attr-defined]
            one = candidates.setdefault(news["index"], {"parts": [], "chosen": [], "top": []})
            assert "finishReason" not in one, "news after the end"
            for part in news["content"].get("parts", []):
                if "functionCall" in part:
                    one["parts"].append(part)  # type: ignore[attr-defined]
                    continue
                if not part["text"] and one["parts"]:
                    continue
                same_kind = one["parts"] and one["parts"][-1].get("thought") == part.get("thought")  # type: ignore[index]
                if same_kind:
                    one["parts"][-1]["text"] += part["text"]  # type: ignore[index]
                elif part["text"]:
                    one["parts"].append(dict(part))  # type: ignore[attr-defined]
            logprobs = news.get("logprobsResult", {})
            one["chosen"] += logprobs.get("chosenCandidates", [])  # type: ignore[operator]
            one["top"] += logprobs.get("topCandidates", [])  # type: ignore[operator]
            one |= {
                key: news[key]
                for key in ("finishReason", "finishMessage", "safetyRatings", "avgLogprobs")
                if key in news
            }
            one["sum"] = logprobs.get("logProbabilitySum")
        whole |= {key: value for key, value in chunk.items() if key != "candidates"}
    whole["candidates"] = [candidates[index] for index in sorted(candidates)]
    return whole


async def _batches(batches: Batches) -> AsyncIterator[Sequence[GenerationEvent]]:
    for batch in batches:
        yield batch


@given(responses())
async def test_g036_a_stream_folds_to_the_whole_answer(
    given_response: tuple[list[list[GenerationEvent]], dict[str, object]],
) -> None:
    batches, answering = given_response
    one = encoder(**answering)
    array = encoder(Framing.ARRAY, **answering)
    chunks = frames(b"".join(one.feed(batch) for batch in batches))

    whole = json.loads(encode_generation(await fold(_batches(batches)), Answering("m", **answering), "id"))  # type: ignore[arg-type]

    assert fold_chunks(chunks) == fold_chunks([whole])
    assert orjson.loads(b"".join(array.feed(batch) for batch in batches)) == chunks
