"""Responses as playbooks: events of a generation in, frames and the response out."""

from collections.abc import Sequence
from typing import Any

import pytest

from localaik.errors import BadRequest, EngineAnswerInvalid, EngineRefused, InvalidMedia, LocalaikError, Unavailable
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
from localaik.protocols.openai.responses.answering import Answering, Namespaced
from localaik.protocols.openai.responses.objects import error_of
from localaik.protocols.openai.responses.sealed import seal, unseal
from localaik.protocols.openai.responses.stream import DONE, sse
from tests.responses_grammar import check_response, check_stream, events_of_sse
from tests.responses_samples import COMPACTION, SIMPLE, USAGE, Object, call, events_of, machine


def played(events: Sequence[GenerationEvent], **answering: Any) -> tuple[list[Object], Object]:
    """All events of the response, and the response; both are checked."""
    stream = machine(Answering(**answering))
    frames = stream.begin()
    for event in events:
        frames += stream.feed([event])
    told = events_of(frames)
    egemma, obfuscated = answering.get("egemma", False), answering.get("obfuscate", False)
    response = check_stream(told, egemma=egemma, obfuscated=obfuscated)
    assert stream.finished
    assert response == stream.response
    return told, stream.response


def shorter(value: object) -> object:
    """Events with their responses left out."""
    if isinstance(value, list):
        return [shorter(item) for item in value]
    return {key: item for key, item in value.items() if key != "response"} if isinstance(value, dict) else value


# --- examples ---


def test_text_then_a_call() -> None:
    msg, fc = f"msg_{1:032x}", f"fc_{2:032x}"
    part = {"type": "output_text", "text": "Let me look.", "annotations": [], "logprobs": []}
    message = {"id": msg, "type": "message", "role": "assistant"}
    function = {"id": fc, "type": "function_call"}
    named = {"call_id": "call_0", "name": "get_weather"}
    arguments = '{"city":"Rome"}'
    text_at = {"item_id": msg, "output_index": 0, "content_index": 0}
    call_at = {"item_id": fc, "output_index": 1}
    done_message = {**message, "status": "completed", "content": [part], "phase": "commentary"}
    done_call = {**function, "status": "completed", **named, "arguments": arguments}

    told, response = played(
        [
            Started(),
            TextDelta("Let me look."),
            *call("get_weather", arguments),
            Finished("tool_calls"),
            UsageReported(USAGE),
        ],
        may_call=True,
    )

    begun_message: Object = {**message, "status": "in_progress", "content": [], "phase": None}
    begun_call = {**function, "status": "in_progress", **named, "arguments": ""}
    expected: list[tuple[str, Object]] = [
        ("created", {}),
        ("in_progress", {}),
        ("output_item.added", {"output_index": 0, "item": begun_message}),
        ("content_part.added", {**text_at, "part": {**part, "text": ""}}),
        ("output_text.delta", {**text_at, "delta": "Let me look.", "logprobs": []}),
        ("output_text.done", {**text_at, "text": "Let me look.", "logprobs": []}),
        ("content_part.done", {**text_at, "part": part}),
        ("output_item.done", {"output_index": 0, "item": done_message}),
        ("output_item.added", {"output_index": 1, "item": begun_call}),
        ("function_call_arguments.delta", {**call_at, "delta": arguments}),
        ("function_call_arguments.done", {**call_at, "name": "get_weather", "arguments": arguments}),
        ("output_item.done", {"output_index": 1, "item": done_call}),
        ("completed", {}),
    ]
    assert shorter(told) == [
        {"type": f"response.{name}", "sequence_number": number, **fields}
        for number, (name, fields) in enumerate(expected)
    ]
    assert [list(event) for event in told[2:-1]] == [
        ["type", "sequence_number", *fields] for _, fields in expected[2:-1]
    ]
    assert response["output"] == [done_message, done_call]
    assert response["completed_at"] == 11
    assert response["output_text"] == "Let me look."
    assert response["usage"] == {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 12,
    }


def test_a_message_closes_when_it_is_known_what_follows() -> None:
    stream = machine(Answering(may_call=True))
    stream.begin()
    names = [frame.name for frame in stream.feed([Started(), TextDelta("a")])]
    assert names == ["response.output_item.added", "response.content_part.added", "response.output_text.delta"]
    assert stream.feed([TextDelta("")]) == []
    closing = stream.feed([Finished("stop")])
    assert events_of(closing)[-1]["item"]["phase"] == "final_answer"
    assert not stream.finished
    assert [frame.name for frame in stream.feed([UsageReported(USAGE)])] == ["response.completed"]


def test_the_phase_is_told_at_once_where_nothing_can_be_called() -> None:
    told, _ = played(SIMPLE)
    assert told[2]["item"]["phase"] == "final_answer"


def test_an_answer_without_anything_is_an_empty_message() -> None:
    _, response = played([Started(), Finished("stop"), UsageReported(USAGE)], may_call=True)
    assert [item["content"][0]["text"] for item in response["output"]] == [""]
    _, response = played([Started(), ReasoningDelta("hm"), Finished("stop"), UsageReported(USAGE)])
    assert [item["type"] for item in response["output"]] == ["reasoning", "message"]


@pytest.mark.parametrize(
    ("events", "statuses"),
    [
        ([TextDelta("a")], ["incomplete"]),
        ([ReasoningDelta("a")], ["incomplete"]),
        ([ReasoningDelta("a"), TextDelta("b")], ["completed", "incomplete"]),
        (call("f", "{}")[:-1], ["incomplete"]),
        (call("f")[:-1], ["incomplete"]),
        (call("f", "{}"), ["completed"]),
        ([], []),
    ],
)
def test_what_the_limit_cuts_is_incomplete(events: list[GenerationEvent], statuses: list[str]) -> None:
    _, response = played([Started(), *events, Finished("length"), UsageReported(USAGE)], may_call=True)
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [item["status"] for item in response["output"]] == statuses


def test_a_filtered_answer_is_incomplete() -> None:
    _, response = played([Started(), TextDelta("a"), Finished("content_filter"), UsageReported(USAGE)])
    assert response["incomplete_details"] == {"reason": "content_filter"}


def test_a_call_that_was_due_and_did_not_come_fails() -> None:
    told, response = played(
        [Started(), TextDelta("a"), Finished("malformed_call", message="no call"), UsageReported(USAGE)], may_call=True
    )
    assert told[-1]["type"] == "response.failed"
    assert response["error"] == {"code": "server_error", "message": "no call"}
    assert response["output"][0]["status"] == "incomplete"


def test_custom_and_namespaced_calls() -> None:
    namespaced = {"crm.find": Namespaced("crm", "find")}
    told, response = played(
        [
            Started(),
            *call("crm.find", "{", "}"),
            *call("say", "h", "i", number=1, custom=True),
            Finished("tool_calls"),
            UsageReported(USAGE),
        ],
        may_call=True,
        namespaced=namespaced,
    )
    found, said = response["output"]
    assert (found["namespace"], found["name"], found["arguments"]) == ("crm", "find", "{}")
    assert {event["name"] for event in told if "name" in event} == {"find"}
    assert (said["type"], said["name"], said["input"]) == ("custom_tool_call", "say", "hi")


@pytest.mark.parametrize(("summary", "name"), [(True, "reasoning_summary_text"), (False, "reasoning_text")])
def test_thoughts_are_told_once_and_kept_twice(summary: bool, name: str) -> None:
    told, response = played([Started(), ReasoningDelta("h"), ReasoningDelta("m"), *SIMPLE[1:]], summary=summary)
    deltas = [event["type"] for event in told if event.get("delta") in {"h", "m"}]
    assert deltas == [f"response.{name}.delta"] * 2
    thoughts = response["output"][0]
    assert thoughts["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert thoughts["content"] == [{"type": "reasoning_text", "text": "hm"}]
    assert thoughts["encrypted_content"] is None


def test_thoughts_are_sealed_where_it_is_asked_for() -> None:
    _, response = played([Started(), ReasoningDelta("hmé"), *SIMPLE[1:]], encrypted_reasoning=True)
    assert unseal(response["output"][0]["encrypted_content"]) == "hmé"


def test_thoughts_in_the_middle_are_an_item_of_their_own() -> None:
    _, response = played(
        [Started(), TextDelta("a"), ReasoningDelta("b"), TextDelta("c"), Finished("stop"), UsageReported(USAGE)],
        may_call=True,
    )
    assert [(item["type"], item.get("phase")) for item in response["output"]] == [
        ("message", "commentary"),
        ("reasoning", None),
        ("message", "final_answer"),
    ]
    assert response["output_text"] == "ac"


def test_log_probabilities() -> None:
    a = TokenLogprob("a", -0.5, bytes=[97], top=[TokenLogprob("b", float("-inf"))])
    e = TokenLogprob("é", -1.0)
    told, response = played(
        [
            Started(),
            TextDelta("", logprobs=[e]),
            TextDelta("a", logprobs=[a]),
            TextDelta("", logprobs=[e]),
            Finished("stop"),
            UsageReported(USAGE),
        ],
        logprobs=1,
    )
    b = {"token": "b", "logprob": -9999.0}
    told_a = {"token": "a", "logprob": -0.5, "top_logprobs": [b]}
    told_e = {"token": "é", "logprob": -1.0, "top_logprobs": []}
    deltas = [event for event in told if event["type"] == "response.output_text.delta"]
    assert [(event["delta"], event["logprobs"]) for event in deltas] == [("a", [told_e, told_a]), ("", [told_e])]
    kept = response["output"][0]["content"][0]["logprobs"]
    assert [token["bytes"] for token in kept] == [[195, 169], [97], [195, 169]]
    assert kept[1]["top_logprobs"] == [{**b, "bytes": [98]}]


def test_log_probabilities_that_nobody_asked_for_are_left_out() -> None:
    _, response = played([Started(), TextDelta("a", logprobs=[TokenLogprob("a", -0.5)]), *SIMPLE[3:]])
    assert response["output"][0]["content"][0]["logprobs"] == []


def test_padding_hides_the_sizes_of_deltas() -> None:
    told, _ = played(
        [Started(), ReasoningDelta("hm"), TextDelta("Hello"), *call("f", "{}"), Finished("stop"), UsageReported(USAGE)],
        may_call=True,
        obfuscate=True,
    )
    padded = [(len(event["delta"]), len(event["obfuscation"])) for event in told if "delta" in event]
    assert padded == [(2, 14), (5, 11), (2, 14)]


def test_clients_of_egemma_read_more() -> None:
    told, response = played([Started(), ReasoningDelta("hm"), *SIMPLE[1:]], egemma=True)
    extra = next(event for event in told if event["type"] == "response.reasoning_summary.delta")
    assert (extra["delta"], extra["item_id"]) == ("hm", response["output"][0]["id"])
    assert response["modalities"] == ["text"]
    assert [item["tool_calls"] for item in response["output"]] == [[], []]


def test_a_finished_item_goes_first() -> None:
    stream = machine()
    frames = [*stream.begin(), *stream.add_item(COMPACTION), *stream.feed(SIMPLE)]
    response = check_stream(events_of(frames))
    assert response is not None
    assert [item["type"] for item in response["output"]] == ["compaction", "message"]
    assert response["output"][0] == COMPACTION


def test_a_response_without_generation_has_no_message() -> None:
    stream = machine()
    frames = [*stream.begin(), *stream.add_item(COMPACTION), *stream.complete(Usage(3, 0))]
    response = check_stream(events_of(frames))
    assert response is not None
    assert response["status"] == "completed"
    assert response["output"] == [COMPACTION]


def test_a_queued_response_says_so_first() -> None:
    stream = machine(background=True)
    frames = stream.begin(queued=True)
    assert [frame.name for frame in frames] == ["response.created", "response.queued", "response.in_progress"]
    assert stream.response["status"] == "in_progress"
    check_stream(events_of(frames + stream.feed(SIMPLE)))


def test_the_response_as_it_stands() -> None:
    stream = machine()
    stream.begin()
    stream.feed(SIMPLE[:2])
    response = stream.response
    check_response(response)
    assert response["output_text"] == "Hel"
    assert response["output"] == stream.output
    assert stream.output[0]["status"] == "in_progress"
    stream.feed(SIMPLE[2:])
    assert response["output_text"] == "Hel"


def test_nothing_comes_after_the_end() -> None:
    stream = machine()
    stream.begin()
    stream.feed(SIMPLE)
    before = stream.response
    assert [*stream.feed(SIMPLE), *stream.fail(Unavailable("no")), *stream.cancel()] == []
    assert stream.response == before


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EngineAnswerInvalid("x"), "server_error"),
        (Unavailable("x"), "server_error"),
        (EngineRefused("x", status=429), "rate_limit_exceeded"),
        (EngineRefused("x", status=400), "server_error"),
        (BadRequest("x", field="input", reason="invalid_value"), "invalid_prompt"),
        (InvalidMedia("x", field="input[0].content[0].image_url", reason="invalid_base64"), "invalid_base64_image"),
        (InvalidMedia("x", field="input[0].content[0].file_data", reason="pdf_too_many_pages"), "invalid_prompt"),
    ],
)
def test_codes_of_failures(error: LocalaikError, code: str) -> None:
    assert error_of(error) == {"code": code, "message": "x"}


@pytest.mark.parametrize("text", ["", "thoughts", "ü\u2028" * 1000])
def test_sealed_thoughts_open_again(text: str) -> None:
    assert unseal(seal(text)) == text


def test_damaged_and_foreign_thoughts_stay_shut() -> None:
    sealed = seal("thoughts")
    for content in ("", "é", "gAAAAABo", sealed[:-4], sealed.swapcase(), sealed[4:], seal("x" * (4 << 20)) + "!"):
        assert unseal(content) is None
    assert unseal(seal("x" * ((4 << 20) + 1))) is None


def test_server_sent_events() -> None:
    stream = machine()
    frames = stream.begin() + stream.feed([TextDelta("a\u2028b\n\n"), *SIMPLE[3:]])
    body = sse(frames) + DONE
    assert body.startswith(b'event: response.created\ndata: {"type":"response.created","sequence_number":0,')
    assert events_of_sse(body) == events_of(frames)
