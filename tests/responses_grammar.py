"""Checks of responses and their streams, made from the published grammar of the events and the table of their fields.

`check_stream` takes the events of one response as decoded JSON, `check_response` a response object. Both raise
`AssertionError` with the place of the fault.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import pydantic
from openai.types.responses import Response, ResponseStreamEvent

__all__ = ["RESPONSE_KEYS", "check_response", "check_stream", "events_of_sse"]

Event = dict[str, Any]

GRAMMAR: Final = """
    stream     := created queued? in_progress item* terminal
    item       := message | refusal | summary | reasoning | function | custom | compaction
    message    := item.added part.added text.delta* annotation.added* text.done part.done item.done
    refusal    := item.added part.added refusal.delta* refusal.done part.done item.done
    summary    := item.added rsp.added rst.delta* rst.done rsp.done item.done
    reasoning  := item.added part.added rt.delta* rt.done part.done item.done
    function   := item.added fca.delta fca.delta* fca.done item.done
    custom     := item.added cti.delta* cti.done item.done
    compaction := item.added item.done
    terminal   := completed | incomplete | failed
"""
ITEM_TYPES: Final = {
    "message": "message",
    "refusal": "message",
    "summary": "reasoning",
    "reasoning": "reasoning",
    "function": "function_call",
    "custom": "custom_tool_call",
    "compaction": "compaction",
}
_AT = {"output_index", "item_id"}
_IN_PART = {*_AT, "content_index"}
_IN_SUMMARY = {*_AT, "summary_index"}
EVENTS: Final[Mapping[str, tuple[str, set[str]]]] = {
    "response.created": ("created", {"response"}),
    "response.queued": ("queued", {"response"}),
    "response.in_progress": ("in_progress", {"response"}),
    "response.completed": ("completed", {"response"}),
    "response.incomplete": ("incomplete", {"response"}),
    "response.failed": ("failed", {"response"}),
    "response.output_item.added": ("item.added", {"output_index", "item"}),
    "response.output_item.done": ("item.done", {"output_index", "item"}),
    "response.content_part.added": ("part.added", {*_IN_PART, "part"}),
    "response.content_part.done": ("part.done", {*_IN_PART, "part"}),
    "response.output_text.delta": ("text.delta", {*_IN_PART, "delta", "logprobs"}),
    "response.output_text.done": ("text.done", {*_IN_PART, "text", "logprobs"}),
    "response.output_text.annotation.added": ("annotation.added", {*_IN_PART, "annotation_index", "annotation"}),
    "response.refusal.delta": ("refusal.delta", {*_IN_PART, "delta"}),
    "response.refusal.done": ("refusal.done", {*_IN_PART, "refusal"}),
    "response.function_call_arguments.delta": ("fca.delta", {*_AT, "delta"}),
    "response.function_call_arguments.done": ("fca.done", {*_AT, "name", "arguments"}),
    "response.custom_tool_call_input.delta": ("cti.delta", {*_AT, "delta"}),
    "response.custom_tool_call_input.done": ("cti.done", {*_AT, "input"}),
    "response.reasoning_summary_part.added": ("rsp.added", {*_IN_SUMMARY, "part"}),
    "response.reasoning_summary_part.done": ("rsp.done", {*_IN_SUMMARY, "part"}),
    "response.reasoning_summary_text.delta": ("rst.delta", {*_IN_SUMMARY, "delta"}),
    "response.reasoning_summary_text.done": ("rst.done", {*_IN_SUMMARY, "text"}),
    "response.reasoning_text.delta": ("rt.delta", {*_IN_PART, "delta"}),
    "response.reasoning_text.done": ("rt.done", {*_IN_PART, "text"}),
}
"""Type of an event -> its name in the grammar, its fields beside type and number."""
DONE_KEYS: Final = ("text", "refusal", "arguments", "input")
RESPONSE_KEYS: Final = [
    "id",
    "object",
    "created_at",
    "completed_at",
    "status",
    "background",
    "error",
    "incomplete_details",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "model",
    "output",
    "parallel_tool_calls",
    "previous_response_id",
    "conversation",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "truncation",
    "usage",
    "user",
    "metadata",
    "output_text",
]
ITEM_KEYS: Final[Mapping[str, set[str]]] = {
    "message": {"id", "type", "role", "status", "content", "phase"},
    "function_call": {"id", "type", "status", "call_id", "name", "arguments"},
    "custom_tool_call": {"id", "type", "status", "call_id", "name", "input"},
    "reasoning": {"id", "type", "status", "summary", "content", "encrypted_content"},
    "compaction": {"id", "type", "encrypted_content"},
}
PREFIXES: Final = {
    "message": "msg_",
    "function_call": "fc_",
    "custom_tool_call": "ctc_",
    "reasoning": "rs_",
    "compaction": "cmp_",
}
CHANGING: Final = {"status", "completed_at", "error", "incomplete_details", "output", "output_text", "usage"}
"""Keys of a response that differ between its first and its last event."""
EGEMMA_DELTA: Final = "response.reasoning_summary.delta"
_SDK_EVENT: Final[pydantic.TypeAdapter[Any]] = pydantic.TypeAdapter(ResponseStreamEvent)


# --- the automaton ---


@dataclass(eq=False)
class State:
    """A state of the automaton: `arrows` by symbol, `free` ones without."""

    arrows: list[tuple[str, "State"]] = field(default_factory=list)
    free: list["State"] = field(default_factory=list)


def _rules() -> dict[str, list[list[str]]]:
    rules = {}
    for line in GRAMMAR.strip().splitlines():
        name, _, body = line.partition(":=")
        rules[name.strip()] = [alternative.split() for alternative in body.split("|")]
    return rules


@cache
def automaton() -> tuple[State, State]:
    """First and last state. Item events are told apart by the type of their item: `item.added message`."""
    rules = _rules()

    def build(rule: str, start: State) -> State:
        end = State()
        for alternative in rules[rule]:
            here = State()
            start.free.append(here)
            for word in alternative:
                symbol, many = re.fullmatch(r"(.+?)([*?]?)", word).groups()  # type: ignore[union-attr]
                before, after = State(), State()
                here.free.append(before)
                if symbol in rules:
                    last = build(symbol, before)
                    last.free.append(after)
                else:
                    is_item = symbol in {"item.added", "item.done"}
                    before.arrows.append((f"{symbol} {ITEM_TYPES[rule]}" if is_item else symbol, after))
                if many:
                    before.free.append(after)
                if many == "*":
                    after.free.append(before)
                here = after
            here.free.append(end)
        return end

    first = State()
    return first, build("stream", first)


def _closure(states: set[State]) -> set[State]:
    waiting, found = list(states), set(states)
    while waiting:
        for state in waiting.pop().free:
            if state not in found:
                found.add(state)
                waiting.append(state)
    return found


def _check_order(symbols: Sequence[str], *, whole: bool) -> None:
    first, last = automaton()
    states = _closure({first})
    for place, symbol in enumerate(symbols):
        expected = sorted({arrow for state in states for arrow, _ in state.arrows})
        states = _closure({after for state in states for arrow, after in state.arrows if arrow == symbol})
        assert states, f"event {place} is {symbol!r}, expected one of {expected}"
    assert last in states or not whole, f"the stream ends after {len(symbols)} events"


# --- streams ---


def events_of_sse(body: bytes | str) -> list[Event]:
    """The events of a body of server-sent events, whose frames and `[DONE]` are checked."""
    text = body if isinstance(body, str) else body.decode()
    *frames, rest = text.split("\n\n")
    assert rest == "", f"the body ends with {rest[-80:]!r}"
    frames = [frame for frame in frames if not frame.startswith(":")]
    assert frames[-1:] == ["data: [DONE]"], "no [DONE] at the end"
    events = []
    for frame in frames[:-1]:
        match = re.fullmatch(r"event: (\S+)\ndata: (.+)", frame)
        assert match is not None, f"no event and data: {frame[:200]!r}"
        event: Event = json.loads(match[2])
        assert event["type"] == match[1]
        events.append(event)
    return events


def check_stream(
    events: Sequence[Event], *, egemma: bool = False, obfuscated: bool = False, whole: bool = True
) -> Event | None:
    """The response of the last event, when all events are in order; `whole=False` allows an end before the end."""
    for number, event in enumerate(events):
        assert event["sequence_number"] == number, f"event {number} has number {event['sequence_number']}"
        assert ("response_id" in event) is egemma, f"event {number}: response_id"
    rid = events[0]["response"]["id"]
    assert all(event.get("response_id", rid) == rid for event in events)
    if egemma:
        events = _without_egemma_deltas(events)
    _check_order([_symbol(event) for event in events], whole=whole)
    for event in events:
        _check_fields(event, obfuscated=obfuscated, egemma=egemma)
    items = _check_items(events, egemma=egemma)
    last = _check_responses([event["response"] for event in events if "response" in event], items, events, whole=whole)
    for event in events:  # last, because it takes longest
        try:
            _SDK_EVENT.validate_python(event, strict=True)
        except pydantic.ValidationError as error:
            raise AssertionError(f"event {event['sequence_number']} ({event['type']}): {error}") from None
    return last


def _without_egemma_deltas(events: Sequence[Event]) -> list[Event]:
    """The official events. Before each delta of thoughts there must be one for eGemma."""
    official = []
    for before, event in zip([None, *events], events, strict=False):
        if event["type"] == EGEMMA_DELTA:
            assert event.keys() - {"obfuscation"} == {"type", "sequence_number", "item_id", "delta", "response_id"}
            continue
        is_delta = event["type"] in {"response.reasoning_text.delta", "response.reasoning_summary_text.delta"}
        was_told = before is not None and before["type"] == EGEMMA_DELTA
        assert is_delta == was_told, f"event {event['sequence_number']}: {EGEMMA_DELTA} goes before deltas of thoughts"
        if before is not None and was_told:
            assert (before["delta"], before["item_id"]) == (event["delta"], event["item_id"])
        official.append(event)
    assert events[-1]["type"] != EGEMMA_DELTA
    return official


def _symbol(event: Event) -> str:
    known = EVENTS.get(event["type"])
    assert known is not None, f"event {event['sequence_number']} has the unknown type {event['type']!r}"
    return f"{known[0]} {event['item']['type']}" if "item" in event else known[0]


def _check_fields(event: Event, *, obfuscated: bool, egemma: bool) -> None:
    place = f"event {event['sequence_number']} ({event['type']})"
    expected = {"type", "sequence_number", *EVENTS[event["type"]][1]}
    if obfuscated and event["type"].endswith(".delta"):
        expected.add("obfuscation")
    if egemma:
        expected.add("response_id")
    assert event.keys() == expected, f"{place}: {sorted(event.keys() ^ expected)} are too many, or missing"
    for key in ("content_index", "summary_index"):
        assert event.get(key, 0) == 0, f"{place}: {key}"


def _check_items(events: Sequence[Event], *, egemma: bool) -> list[Event]:
    """The finished items, in order; the events between their beginning and their end say the same as they do."""
    items: list[Event] = []
    opened: list[Event] = []
    for event in events:
        if "output_index" not in event:
            continue
        opened.append(event)
        assert event["output_index"] == len(items), f"event {event['sequence_number']}: output_index"
        if event["type"] == "response.output_item.done":
            _check_item(opened, egemma=egemma)
            items.append(event["item"])
            opened = []
    ids = [item["id"] for item in items]
    assert len(set(ids)) == len(ids), f"items share an id: {ids}"
    return items


def _check_item(events: Sequence[Event], *, egemma: bool) -> None:
    added, *between, done = events
    begun, item = added["item"], done["item"]
    place = f"item {added['output_index']}"
    check_item(item, egemma=egemma)
    assert begun["id"] == item["id"], f"{place}: the id changes"
    assert all(event["item_id"] == item["id"] for event in between), f"{place}: item_id"
    if item["type"] == "compaction":
        assert begun == item, f"{place} changes"
        return
    grown = {"status", "content", "summary", "arguments", "input", "encrypted_content", "phase"}
    assert begun.keys() == item.keys(), f"{place}: the keys change"
    assert begun["status"] == "in_progress", f"{place}: status as it opens"
    assert {key: begun[key] for key in begun.keys() - grown} == {key: item[key] for key in item.keys() - grown}, place
    for key, empty in {"content": [], "summary": [], "arguments": "", "input": ""}.items():
        assert begun.get(key, empty) == empty, f"{place}: {key} as it opens"
    assert begun.get("encrypted_content") is None, f"{place}: encrypted_content as it opens"
    assert begun.get("phase") in {None, item.get("phase")}, f"{place}: phase as it opens"
    _check_texts(between, item, place)


def _check_texts(between: Sequence[Event], item: Event, place: str) -> None:
    """All deltas together are the finished text, the finished part, and what the item has."""
    deltas = "".join(event["delta"] for event in between if "delta" in event)
    told = [event[key] for event in between for key in DONE_KEYS if key in event]
    parts = [event["part"] for event in between if event["type"].endswith("part.done")]
    empty = [event["part"] for event in between if event["type"].endswith("part.added")]
    texts = {*told, *(_text(part) for part in parts)}
    for part in empty:
        assert not any(part[key] for key in part.keys() - {"type"}), f"{place}: the part as it opens"
        assert part.keys() == parts[0].keys(), f"{place}: the keys of the part change"
        assert part["type"] == parts[0]["type"], f"{place}: the type of the part changes"
    if item["type"] == "message":
        texts.add(_text(item["content"][0]))
        assert parts == item["content"], f"{place}: the finished part is another"
        _check_logprobs(between, parts[0].get("logprobs", []), place)
    elif item["type"] == "reasoning":
        texts |= {item["content"][0]["text"], item["summary"][0]["text"]}
        assert parts[0] in (*item["content"], *item["summary"]), f"{place}: the finished part is another"
    else:
        texts.add(item["arguments"] if item["type"] == "function_call" else item["input"])
        names = {event["name"] for event in between if "name" in event}
        assert names <= {item["name"]}, f"{place}: name"
    assert texts == {deltas}, f"{place}: deltas make {deltas!r}, the finished ones are {texts}"


def _text(part: Event) -> str:
    text: str = part["refusal" if part["type"] == "refusal" else "text"]
    return text


def _check_logprobs(between: Sequence[Event], finished: list[Event], place: str) -> None:
    without_bytes = json.loads(json.dumps(finished), object_hook=lambda token: {**_but(token, "bytes")})
    for kind in ("delta", "done"):
        events = (event for event in between if event["type"] == f"response.output_text.{kind}")
        told = [token for event in events for token in event["logprobs"]]
        assert told == without_bytes, f"{place}: log probabilities of {kind}"


def _but(token: Event, key: str) -> Event:
    return {name: value for name, value in token.items() if name != key}


def _check_responses(
    told: Sequence[Event], items: list[Event], events: Sequence[Event], *, whole: bool
) -> Event | None:
    """The response of each event that has one; the last one is given back."""
    for response in told:
        _check_values(response)
    is_queued = any(event["type"] == "response.queued" for event in events)
    begun = told[: 3 if is_queued else 2]
    statuses = ["queued", "queued", "in_progress"] if is_queued else ["in_progress", "in_progress"]
    assert [response["status"] for response in begun] == statuses[: len(begun)], "status before the end"
    assert all(not response["output"] for response in begun), "output before the end"
    constant = [{key: response[key] for key in response.keys() - CHANGING} for response in told]
    assert all(response == constant[0] for response in constant), "the response changes where it may not"
    if len(told) == len(begun):
        assert not whole
        return None
    last = told[-1]
    kind = events[-1]["type"].removeprefix("response.")
    assert last["status"] == kind or (last["status"], kind) == ("cancelled", "incomplete"), "status at the end"
    assert last["output"] == items, "the output is not that of the events"
    return last


# --- responses ---


def check_response(response: Event) -> None:
    """All keys, right types, and values that agree with one another."""
    _check_values(response)
    try:
        Response.model_validate(response, strict=True)
    except pydantic.ValidationError as error:
        raise AssertionError(str(error)) from None


def _check_values(response: Event) -> None:
    keys = [key for key in response if key != "modalities"]
    assert keys == RESPONSE_KEYS, f"keys: {sorted({*keys} ^ {*RESPONSE_KEYS})} are too many, missing, or out of order"
    status, output = response["status"], response["output"]
    assert re.fullmatch(r"resp_[A-Za-z0-9]{24,}", response["id"]), "id"
    assert response["object"] == "response"
    for key in ("created_at", "completed_at"):
        assert type(response[key]) in {int, type(None)}, f"{key} is no whole number"
    assert (response["completed_at"] is not None) == (status == "completed"), "completed_at"
    assert (response["error"] is not None) == (status == "failed"), "error"
    assert (response["incomplete_details"] is not None) == (status == "incomplete"), "incomplete_details"
    assert (response["usage"] is not None) == (status in {"completed", "incomplete"}), "usage"
    for key, parts in {"error": {"code", "message"}, "incomplete_details": {"reason"}}.items():
        assert response[key] is None or response[key].keys() == parts, key
    if response["usage"] is not None:
        _check_usage(response["usage"])
    running = status in {"queued", "in_progress"}
    for item in output:
        check_item(item, egemma="modalities" in response, running=running)
    cut = [item.get("status") == "incomplete" for item in output]
    assert not any(cut[:-1]), "an item is cut, and others follow"
    assert not any(cut) or status != "completed", "an item is cut"
    _check_phases(output, running=running)
    texts = [part.get("text", "") for item in output if item["type"] == "message" for part in item["content"]]
    assert response["output_text"] == "".join(texts), "output_text"


def check_item(item: Event, *, egemma: bool = False, running: bool = False) -> None:
    """A finished output item; of a response that is `running`, also one that still grows."""
    kind = item["type"]
    place = f"item {item['id']}"
    keys = item.keys() - ({"namespace"} if kind in {"function_call", "custom_tool_call"} else set())
    assert keys == ITEM_KEYS[kind] | ({"tool_calls"} if egemma else set()), f"{place}: keys {sorted(keys)}"
    assert item.get("tool_calls", []) == []
    assert re.fullmatch(PREFIXES[kind] + r"[A-Za-z0-9]{24,}", item["id"]), f"{place}: id"
    if kind == "compaction":
        return
    ends = {"completed", "incomplete", *(["in_progress"] if running else [])}
    assert item["status"] in ends, f"{place}: status {item['status']}"
    if kind == "message":
        assert item["role"] == "assistant", place
        parts = [(part["type"], part.keys() - {"type"}) for part in item["content"]]
        assert parts in (
            [("output_text", {"text", "annotations", "logprobs"})],
            [("refusal", {"refusal"})],
        ), f"{place}: content"
        assert item["phase"] in {"commentary", "final_answer"} or (running and item["phase"] is None), f"{place}: phase"
    elif kind == "reasoning":
        summary, content = item["summary"], item["content"]
        assert [(part["type"], part.keys()) for part in summary] == [("summary_text", {"type", "text"})], place
        assert [(part["type"], part.keys()) for part in content] == [("reasoning_text", {"type", "text"})], place
        assert summary[0]["text"] == content[0]["text"], f"{place}: thoughts"
    elif kind == "function_call" and item["status"] == "completed":
        assert isinstance(json.loads(item["arguments"]), dict), f"{place}: arguments"


def _check_phases(output: Sequence[Event], *, running: bool) -> None:
    """A message before a call is a commentary; the last item, where it is a message, the answer."""
    for place, item in enumerate(output):
        if item["type"] != "message" or (running and item["phase"] is None):
            continue
        calls_follow = any("call_id" in later for later in output[place + 1 :])
        if calls_follow:
            assert item["phase"] == "commentary", f"item {place}: phase before a call"
        elif place == len(output) - 1:
            assert item["phase"] == "final_answer", f"item {place}: phase of the answer"


def _check_usage(usage: Event) -> None:
    assert usage.keys() == {
        "input_tokens",
        "input_tokens_details",
        "output_tokens",
        "output_tokens_details",
        "total_tokens",
    }
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"], "total_tokens"
    assert usage["input_tokens_details"].keys() == {"cached_tokens", "cache_write_tokens"}
    assert 0 <= usage["output_tokens_details"]["reasoning_tokens"] <= usage["output_tokens"], "reasoning_tokens"
