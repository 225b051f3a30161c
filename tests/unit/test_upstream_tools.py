"""Calls on the wire of servers with a tool template of their own, and what each kind of server can be held to."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import orjson
import pytest

from localaik.engine.calls import CallFragment, ChatTurn, EngineCall, EngineChunk, EngineNews, EngineTool
from localaik.engine.engine import Engine
from localaik.engine.sources import create_engine
from localaik.engine.wire import StreamReader
from localaik.errors import EngineAnswerInvalid
from localaik.generation.tools.accumulator import AccumulatedCall, CallAccumulator
from localaik.settings import Settings
from tests.fake_engine import Answer, Kind, ScriptedEngine

TOOL = EngineTool("f", "", {"type": "object"})


def event(delta: Mapping[str, object], finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + orjson.dumps({"choices": [choice], **more}) + b"\n\n"


def fragments_of(*calls: Mapping[str, object]) -> list[CallFragment] | None:
    (news,) = StreamReader().feed(event({"tool_calls": list(calls)}))
    assert isinstance(news, EngineChunk)
    return news.calls


@pytest.mark.parametrize(
    ("call", "fragment"),
    [
        (
            {"index": 2, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}},
            CallFragment(2, "a", "f", "{"),
        ),
        ({"index": 1, "function": {"arguments": "}"}}, CallFragment(1, "", "", "}")),
        ({"function": {"name": "f"}}, CallFragment(0, "", "f", "")),
        (
            {"index": None, "id": None, "type": None, "function": {"name": None, "arguments": None}},
            CallFragment(),
        ),
        ({"index": 3, "function": None}, CallFragment(3)),
        ({"id": "a"}, CallFragment(0, "a")),
        ({}, CallFragment()),
        ({"function": {"arguments": 'a "quoted"\n\\ ü'}}, CallFragment(arguments='a "quoted"\n\\ ü')),
        ({"function": {"arguments": {"a": [1, {"ü": "x y"}]}}}, CallFragment(arguments='{"a":[1,{"ü":"x y"}]}')),
        ({"function": {"arguments": {}}}, CallFragment(arguments="{}")),
    ],
)
def test_b102_a_piece_of_a_call_may_leave_out_anything(call: Mapping[str, object], fragment: CallFragment) -> None:
    assert fragments_of(call) == [fragment]


def test_arguments_given_as_an_object_keep_every_digit() -> None:
    raw = b'{ "n" : 1.50, "big": 123456789012345678901234567890 , "s": " a\\u0020b " }'
    frame = b'data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":' + raw + b"}}]}}]}\n\n"
    (news,) = StreamReader().feed(frame)
    assert isinstance(news, EngineChunk)
    assert news.calls is not None
    assert news.calls[0].arguments == '{"n":1.50,"big":123456789012345678901234567890,"s":" a\\u0020b "}'


def test_an_event_may_hold_text_calls_finish_and_usage_together() -> None:
    delta = {
        "content": "Look: ",
        "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}, {"index": 1}],
    }
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    (news,) = StreamReader().feed(event(delta, "tool_calls", usage=usage))
    assert isinstance(news, EngineChunk)
    assert (news.text, news.finish) == ("Look: ", "tool_calls")
    assert news.calls == [CallFragment(0, "a", "f", "{}"), CallFragment(1)]
    assert news.usage is not None


@pytest.mark.parametrize("calls", [None, []])
def test_text_without_calls_is_text(calls: object) -> None:
    news = StreamReader().feed(event({"content": "a", "tool_calls": calls}) + event({"content": "b"}))
    assert "".join(item if isinstance(item, str) else item.text for item in news) == "ab"
    assert all(isinstance(item, str) or item.calls is None for item in news)


def test_calls_read_the_same_at_every_split() -> None:
    call = {"index": 0, "id": "ä", "function": {"name": "f", "arguments": {"a": "\n\ndata: {"}}}
    stream = event({"tool_calls": [call]}) + event({}, "tool_calls") + b"data: [DONE]\n\n"
    for text in (stream, stream.replace(b"\n\n", b"\r\n\r\n")):
        for at in range(len(text) + 1):
            reader = StreamReader()
            news = reader.feed(text[:at]) + reader.feed(text[at:])
            calls = [one for item in news if isinstance(item, EngineChunk) for one in item.calls or []]
            assert calls == [CallFragment(0, "ä", "f", '{"a":"\\n\\ndata: {"}')], at
            assert reader.done


@pytest.mark.parametrize("calls", [{}, "text", [1], [{"index": "0"}], [{"function": "f"}]])
def test_b151_calls_that_can_not_be_read_are_a_fault(calls: object) -> None:
    with pytest.raises(EngineAnswerInvalid):
        StreamReader().feed(event({"tool_calls": calls}))


@asynccontextmanager
async def connected(upstream: ScriptedEngine, **settings: object) -> AsyncIterator[Engine]:
    engine, _ = create_engine(Settings.model_validate({"upstream": upstream.url, **settings}))
    await engine.start()
    try:
        await engine.ready()
        yield engine
    finally:
        await engine.close()


async def news_of(engine: Engine, call: EngineCall) -> list[EngineNews]:
    stream = await engine.open(call)
    collected: list[EngineNews] = []
    try:
        while news := await stream.read():
            collected += news
    finally:
        stream.close()
    return collected


def calls_in(news: Sequence[EngineNews]) -> list[AccumulatedCall]:
    accumulator = CallAccumulator()
    for item in news:
        if isinstance(item, EngineChunk) and item.calls:
            accumulator.feed(item.calls)
    return accumulator.finish()


def text_in(news: Sequence[EngineNews]) -> str:
    return "".join(item if isinstance(item, str) else item.text for item in news)


async def test_b105_calls_with_text_between_them_come_over_the_wire() -> None:
    part: Mapping[str, object] = {"function": {"arguments": ":1}"}}
    events: list[str | list[Mapping[str, object]]] = [
        [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x"'}}],
        " and more",
        [part],
        [{"index": 1, "id": "b", "function": {"name": "g", "arguments": {"y": 2}}}],
    ]
    async with ScriptedEngine(native_tools=True) as upstream, connected(upstream) as engine:
        upstream.enqueue(Answer(tokens=["Text"], call_events=events, finish="tool_calls"))
        news = await news_of(engine, EngineCall("m", [ChatTurn("user", "Hi")], tools=[TOOL], tool_choice="required"))
        body = upstream.calls[0].body
    assert text_in(news) == "Text and more"
    assert calls_in(news) == [AccumulatedCall("a", "f", '{"x":1}'), AccumulatedCall("b", "g", '{"y":2}')]
    assert (body["tool_choice"], body["parallel_tool_calls"]) == ("required", True)


async def test_simple_calls_come_over_the_wire() -> None:
    async with ScriptedEngine(native_tools=True) as upstream, connected(upstream) as engine:
        upstream.enqueue(Answer(tokens=(), tool_calls=[("f", '{"x":1}'), ("g", "{}")], finish="tool_calls"))
        news = await news_of(engine, EngineCall("m", [ChatTurn("user", "Hi")], tools=[TOOL]))
    assert [(call.name, call.arguments) for call in calls_in(news)] == [("f", '{"x":1}'), ("g", "{}")]


@pytest.mark.parametrize(
    ("kind", "template", "known", "held"),
    [
        ("llamacpp", False, "llamacpp", {"grammar"}),
        ("llamacpp", True, "llamacpp", {"grammar", "native_tools"}),
        ("vllm", True, "vllm", {"json_schema"}),
        ("ollama", False, "ollama", {"json_schema"}),
        ("ollama", True, "ollama", {"json_schema", "native_tools"}),
        ("plain", True, "unknown", set()),
    ],
)
async def test_what_each_kind_of_server_can_be_held_to(kind: Kind, template: bool, known: str, held: set[str]) -> None:
    async with ScriptedEngine(kind=kind, native_tools=template) as upstream, connected(upstream) as engine:
        able = engine.capabilities
    assert able.kind == known
    assert {name for name in ("grammar", "json_schema", "native_tools") if getattr(able, name)} == held


@pytest.mark.parametrize("kind", ["llamacpp", "vllm", "ollama", "plain"])
async def test_b156_functions_are_counted_with_the_prompt(kind: Kind) -> None:
    async with ScriptedEngine(kind=kind) as upstream, connected(upstream, tool_calls="native") as engine:
        tokens = await engine.count_tokens(EngineCall("m", [ChatTurn("user", "one two")], tools=[TOOL]))
        asked = upstream.requests[-1]
    assert tokens > 0
    assert [tool["function"]["name"] for tool in asked.body["tools"]] == ["f"]  # type: ignore[attr-defined]


async def test_the_person_may_know_more_of_a_server_than_it_tells() -> None:
    schema = {"type": "object"}
    chosen = {"upstream_constraint": "json_schema", "tool_calls": "native"}
    async with ScriptedEngine(kind="plain") as upstream, connected(upstream, **chosen) as engine:
        await news_of(engine, EngineCall("m", [ChatTurn("user", "Hi")], json_schema=schema))
        await news_of(engine, EngineCall("m", [ChatTurn("user", "Hi")], tools=[TOOL]))
        formatted, told = (call.body for call in upstream.calls)
    assert formatted["response_format"]["json_schema"]["schema"] == schema  # type: ignore[index]
    assert "tools" in told
