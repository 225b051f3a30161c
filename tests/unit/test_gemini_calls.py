"""Calls in answers of the Gemini API: whole answers, and streams as playbooks."""

import base64
import json
from collections.abc import AsyncIterator, Sequence

import orjson
import pytest

from localaik.errors import EngineUnreachable
from localaik.generation.events import (
    Finished,
    GenerationEvent,
    Started,
    TextDelta,
    ToolCallArgumentsDelta,
    ToolCallFinished,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from localaik.generation.fold import Choice, FoldedCall, Generation, fold
from localaik.protocols.gemini.decode import Answering
from localaik.protocols.gemini.encode import encode_generation
from localaik.protocols.gemini.stream import Framing, StreamEncoder

Batches = Sequence[Sequence[GenerationEvent]]
END = UsageReported(Usage(5, 9))


def whole(choice: Choice) -> bytes:
    return encode_generation(Generation([choice], Usage(5, 9)), Answering("m"), "id")


def candidate_of(body: bytes) -> dict[str, object]:
    (one,) = orjson.loads(body)["candidates"]
    return one  # type: ignore[no-any-return]


def complete(name: str = "f", arguments: str = "{}", call_id: str = "1") -> FoldedCall:
    return FoldedCall(call_id, name, arguments, complete=True)


def parts_of(candidate: dict[str, object]) -> list[dict[str, object]]:
    """The parts without their signatures."""
    parts = candidate["content"].get("parts", [])  # type: ignore[attr-defined]
    return [{key: part[key] for key in part if key != "thoughtSignature"} for part in parts]


def play(batches: Batches) -> list[list[dict[str, object]]]:
    """The candidate of each chunk that each batch gives."""
    one = StreamEncoder(Answering("m"), "id", Framing.SSE)
    return [[candidate_of(frame[6:]) for frame in one.feed(batch).split(b"\r\n\r\n") if frame] for batch in batches]


async def _batches(batches: Batches) -> AsyncIterator[Sequence[GenerationEvent]]:
    for batch in batches:
        yield batch


async def check_fold(batches: Batches) -> None:
    """The chunks of the stream together are the parts of the whole answer."""
    chunks = [chunk for batch in play(batches) for chunk in batch]
    parts: list[object] = []
    text = ""
    for part in (part for chunk in chunks for part in chunk["content"].get("parts", [])):  # type: ignore[attr-defined]
        text += part.get("text", "")
        if "functionCall" in part:
            parts.append(part)
    answer = candidate_of(encode_generation(await fold(_batches(batches)), Answering("m"), "id"))
    assert ([{"text": text}] if text else []) + parts == answer["content"].get("parts", [])  # type: ignore[attr-defined]
    for key in ("finishReason", "finishMessage"):
        assert chunks[-1].get(key) == answer.get(key)
    assert not any("finishReason" in chunk for chunk in chunks[:-1])


# Whole answers


def test_b052_text_first_then_one_part_for_each_call() -> None:
    calls = [complete("f", '{"a":1}', "1"), complete("g", '{"b":"x"}', "2")]
    candidate = candidate_of(whole(Choice(0, "Well.", calls=calls, finish_reason="tool_calls")))
    assert parts_of(candidate) == [
        {"text": "Well."},
        {"functionCall": {"id": "1", "name": "f", "args": {"a": 1}}},
        {"functionCall": {"id": "2", "name": "g", "args": {"b": "x"}}},
    ]
    assert (candidate["finishReason"], candidate["finishMessage"]) == ("STOP", "Model generated function call(s).")


@pytest.mark.parametrize("arguments", ['{"a":1.0,"b":1e400,"c":12345678901234567890123}', '{ "a" : 3,"a":3.00 }'])
def test_b052_arguments_stay_as_the_model_wrote_them(arguments: str) -> None:
    body = whole(Choice(0, calls=[complete(arguments=arguments)], finish_reason="tool_calls"))
    assert b'"args":' + arguments.encode() in body


@pytest.mark.parametrize("arguments", ["", " "])
def test_b052_arguments_are_always_an_object(arguments: str) -> None:
    body = whole(Choice(0, calls=[complete(arguments=arguments)], finish_reason="tool_calls"))
    assert b'"args":{}' in body


def test_the_first_call_is_signed_and_equal_calls_have_equal_signatures() -> None:
    def signatures(*calls: FoldedCall) -> list[str | None]:
        candidate = candidate_of(whole(Choice(0, "a", calls=list(calls), finish_reason="tool_calls")))
        return [part.get("thoughtSignature") for part in candidate["content"]["parts"]]  # type: ignore[index]

    none, first, second = signatures(complete(call_id="1"), complete(call_id="2"))
    assert (none, second) == (None, None)
    assert first is not None
    assert len(first) <= 128
    assert len(base64.b64decode(first, validate=True)) == 32
    assert signatures(complete(call_id="9"))[1] == first
    assert signatures(complete("g"))[1] != first
    assert signatures(complete("f", '{"a":1}'))[1] != first


def test_b051_a_malformed_call_has_a_message_and_no_part() -> None:
    candidate = candidate_of(whole(Choice(0, finish_reason="malformed_call", finish_message="no such function")))
    assert candidate["content"] == {"role": "model"}
    assert (candidate["finishReason"], candidate["finishMessage"]) == ("MALFORMED_FUNCTION_CALL", "no such function")


def test_b053_a_cut_call_has_no_part() -> None:
    calls = [complete(), FoldedCall("2", "f", '{"a":')]
    candidate = candidate_of(whole(Choice(0, "Well.", calls=calls, finish_reason="length")))
    assert parts_of(candidate) == [{"text": "Well."}, {"functionCall": {"id": "1", "name": "f", "args": {}}}]
    assert candidate["finishReason"] == "MAX_TOKENS"
    assert "finishMessage" not in candidate


# Streams

CALL: list[GenerationEvent] = [
    ToolCallStarted("1", "f"),
    *(ToolCallArgumentsDelta(text) for text in ('{"ci', 'ty":"P', 'aris"}')),
    ToolCallFinished(),
]
PARIS = {"functionCall": {"id": "1", "name": "f", "args": {"city": "Paris"}}}


async def test_b059_fragments_give_one_part_when_the_call_is_complete() -> None:
    batches = [[Started()], *([event] for event in CALL), [Finished("tool_calls"), END]]
    chunks = play(batches)
    assert [len(batch) for batch in chunks] == [0, 0, 0, 0, 0, 1, 1]
    (called,), (last,) = chunks[-2:]
    assert parts_of(called) == [PARIS]
    assert "finishReason" not in called
    assert (last["finishReason"], last["finishMessage"]) == ("STOP", "Model generated function call(s).")
    await check_fold(batches)


async def test_a_call_leaves_with_the_finish_where_both_are_known() -> None:
    batches = [[Started()], CALL[:3], [*CALL[3:], Finished("tool_calls")], [END]]
    (last,) = play(batches)[-1]
    assert [len(batch) for batch in play(batches)] == [0, 0, 0, 1]
    assert parts_of(last) == [PARIS]
    assert last["finishReason"] == "STOP"
    await check_fold(batches)


async def test_text_leaves_when_a_call_begins() -> None:
    batches = [[TextDelta("a")], [TextDelta("b")], CALL[:1], CALL[1:], [Finished("tool_calls"), END]]
    chunks = play(batches)
    assert [[part for chunk in batch for part in parts_of(chunk)] for batch in chunks] == [
        [{"text": "a"}],
        [],
        [{"text": "b"}],
        [PARIS],
        [{"text": ""}],
    ]
    await check_fold(batches)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_two_calls_in_batches_of_every_size(size: int) -> None:
    second = [ToolCallStarted("2", "g", 1), ToolCallArgumentsDelta("{}", 1), ToolCallFinished(1)]
    events: list[GenerationEvent] = [Started(), TextDelta("a"), TextDelta("b"), *CALL, *second]
    events += [Finished("tool_calls"), END]
    batches = [events[start : start + size] for start in range(0, len(events), size)]
    called = [part for batch in play(batches) for chunk in batch for part in parts_of(chunk) if "functionCall" in part]
    assert called == [PARIS, {"functionCall": {"id": "2", "name": "g", "args": {}}}]
    await check_fold(batches)


@pytest.mark.parametrize("size", [1, 100])
async def test_b053_a_call_that_is_cut_gives_no_part(size: int) -> None:
    events: list[GenerationEvent] = [TextDelta("a"), *CALL[:3], Finished("length"), END]
    batches = [events[start : start + size] for start in range(0, len(events), size)]
    chunks = [chunk for batch in play(batches) for chunk in batch]
    assert not any("functionCall" in part for chunk in chunks for part in parts_of(chunk))
    assert chunks[-1]["finishReason"] == "MAX_TOKENS"
    await check_fold(batches)


async def test_b051_a_malformed_call_ends_the_stream_with_its_message() -> None:
    batches = [[Started()], [Finished("malformed_call", message="wrong")], [END]]
    (last,) = play(batches)[-1]
    assert last["content"] == {"role": "model"}
    assert (last["finishReason"], last["finishMessage"]) == ("MALFORMED_FUNCTION_CALL", "wrong")
    await check_fold(batches)


def test_calls_of_two_candidates_stay_apart() -> None:
    events: list[GenerationEvent] = []
    for index in (0, 1):
        events += [ToolCallStarted(f"{index}", "f", 0, index), ToolCallArgumentsDelta(f'{{"n":{index}', 0, index)]
    for index in (1, 0):
        events += [ToolCallArgumentsDelta("}", 0, index), ToolCallFinished(0, index), Finished("tool_calls", index)]
    one = StreamEncoder(Answering("m", candidates=2), "id", Framing.ARRAY)
    chunks = orjson.loads(b"".join(one.feed([event]) for event in [*events, END]))
    calls = {
        candidate["index"]: part["functionCall"]["args"]
        for chunk in chunks
        for candidate in chunk["candidates"]
        for part in candidate["content"]["parts"]
        if "functionCall" in part
    }
    assert calls == {0: {"n": 0}, 1: {"n": 1}}


def test_g034_line_breaks_of_the_model_do_not_break_frames() -> None:
    one = StreamEncoder(Answering("m"), "id", Framing.SSE)
    arguments = '{\n\t"a":\r\n"x\u2028\\n"}'
    data = one.feed([ToolCallStarted("1", "f"), ToolCallArgumentsDelta(arguments), ToolCallFinished()])
    (line,) = data.decode().splitlines()[:1]
    call = json.loads(line.removeprefix("data: "))["candidates"][0]["content"]["parts"][0]["functionCall"]
    assert call["args"] == {"a": "x\u2028\n"}
    assert data.count(b"\n") == 2


def test_b062_a_complete_call_leaves_before_the_error() -> None:
    one = StreamEncoder(Answering("m"), "id", Framing.ARRAY)
    data = one.feed([*CALL, Finished("tool_calls")]) + one.fail(EngineUnreachable("gone"))
    called, error = orjson.loads(data)
    assert parts_of(called["candidates"][0]) == [PARIS]
    assert "finishReason" not in called["candidates"][0]
    assert next(iter(error)) == "error"
