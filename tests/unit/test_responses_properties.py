"""What holds for the response to every generation, however it is cut into pieces, and however it ends."""

from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import count
from typing import Any

import httpx2
import openai
from hypothesis import given, settings
from hypothesis import strategies as st

from localaik.errors import EngineAnswerInvalid
from localaik.generation.events import GenerationEvent
from localaik.generation.fold import Choice, fold
from localaik.protocols.openai.responses.answering import Answering
from localaik.protocols.openai.responses.replay import replay
from localaik.protocols.openai.responses.stream import DONE, sse
from tests.responses_grammar import check_response, check_stream
from tests.responses_samples import COMPACTION, Object, answerings, events_of, generations, machine


async def one_batch(events: Sequence[GenerationEvent]) -> AsyncIterator[Sequence[GenerationEvent]]:
    yield events


def folded(events: Sequence[GenerationEvent]) -> Choice:
    task = fold(one_batch(events))
    try:
        task.send(None)
    except StopIteration as end:
        choice: Choice = end.value.choices[0]
        return choice
    raise AssertionError


def parts_of(response: Object) -> tuple[str, str, list[tuple[str, str, bool]]]:
    """Thoughts, text, and calls by the model's name, arguments, and whether they are complete."""
    thoughts = "".join(item["content"][0]["text"] for item in response["output"] if item["type"] == "reasoning")
    calls = [
        (
            ".".join(filter(None, [item.get("namespace"), item["name"]])),
            item["arguments"] if item["type"] == "function_call" else item["input"],
            item["status"] == "completed",
        )
        for item in response["output"]
        if "call_id" in item
    ]
    return thoughts, response["output_text"], calls


def in_pieces(events: Sequence[GenerationEvent], sizes: Iterator[int]) -> Iterator[Sequence[GenerationEvent]]:
    start = 0
    while start < len(events):
        size = next(sizes)
        yield events[start : start + size]
        start += size


@settings(max_examples=40)
@given(generations(), answerings, st.lists(st.integers(1, 4), min_size=1), st.booleans())
def test_every_generation_is_a_valid_stream(
    events: list[GenerationEvent], answering: Answering, sizes: list[int], compacted: bool
) -> None:
    stream = machine(answering)
    frames = stream.begin()
    if compacted:
        frames += stream.add_item(COMPACTION)
    for batch in in_pieces(events, (size for _ in count() for size in sizes)):
        frames += stream.feed(batch)
    response = check_stream(events_of(frames), egemma=answering.egemma, obfuscated=answering.obfuscate)
    assert response == stream.response
    choice = folded(events)
    assert parts_of(stream.response) == (
        choice.reasoning,
        choice.text,
        [(call.name, call.arguments, call.complete) for call in choice.calls],
    )

    at_once = machine(answering)
    begun = at_once.begin() + (at_once.add_item(COMPACTION) if compacted else [])
    assert begun + at_once.feed(events) == frames

    again = events_of(replay(stream.response))
    assert check_stream(again, egemma=answering.egemma) == response


@settings(max_examples=40)
@given(generations(), answerings, st.data())
def test_a_stream_may_end_at_any_time(events: list[GenerationEvent], answering: Answering, data: st.DataObject) -> None:
    stream = machine(answering, background=True)
    last = data.draw(st.integers(0, len(events) - 1))
    frames = stream.begin(queued=True) + stream.feed(events[:last])
    check_response(stream.response)
    check_stream(events_of(frames), egemma=answering.egemma, obfuscated=answering.obfuscate, whole=False)
    check_stream(events_of(replay(stream.response)), egemma=answering.egemma, whole=False)
    if data.draw(st.booleans()):
        frames += stream.fail(EngineAnswerInvalid("broken"))
    else:
        frames += stream.cancel()
    response = check_stream(events_of(frames), egemma=answering.egemma, obfuscated=answering.obfuscate)
    assert response == stream.response
    assert response["status"] in {"failed", "cancelled"}
    assert check_stream(events_of(replay(response)), egemma=answering.egemma) == response


@settings(max_examples=15)
@given(generations(), answerings)
def test_the_sdk_reads_a_stream_to_its_response(events: list[GenerationEvent], answering: Answering) -> None:
    stream = machine(answering)
    body = sse(stream.begin() + stream.feed(events)) + DONE
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    )
    with (
        openai.OpenAI(
            api_key="k", base_url="http://127.0.0.1", http_client=httpx2.Client(transport=transport)
        ) as client,
        client.responses.stream(model="m", input="x") as told,
    ):
        last: Any = list(told)[-1]  # the SDK's own class of completed responses has no public name
    assert last.type == f"response.{stream.response['status']}"
    final = last.response.to_dict()
    assert {**final, "output": [without_parsed(item) for item in final["output"]]} == stream.response


def without_parsed(item: Object) -> Object:
    """An item as it came, without what the SDK adds."""
    item = {key: value for key, value in item.items() if key != "parsed_arguments"}
    if item["type"] == "message":
        parts = [{key: value for key, value in part.items() if key != "parsed"} for part in item["content"]]
        item["content"] = parts
    return item
