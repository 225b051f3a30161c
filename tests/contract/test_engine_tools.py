"""Functions told to the real engine through a chat template that takes them, and the calls that come back."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from jsonschema import Draft202012Validator

from localaik.engine.calls import ChatTurn, EngineCall, EngineChunk, EngineTool, EngineToolCall
from localaik.engine.engine import Engine
from localaik.engine.sources import create_engine
from localaik.generation.tools.accumulator import AccumulatedCall, CallAccumulator
from localaik.settings import Settings

TEMPLATE: Final = Path(__file__).parent.with_name("tool_template.jinja")
TOOLS: Final = (
    EngineTool(
        "get_weather",
        "Weather of a city",
        {
            "type": "object",
            "properties": {"city": {"enum": ["Oslo", "Rome"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    ),
    EngineTool("stop_all", "Ends everything", {"type": "object", "properties": {}, "additionalProperties": False}),
)
CALL_BEGINS: Final = 4
"""The token `<mask>` of the embedded model."""
TURN_ENDS: Final = 6
"""Its token `<end_of_turn>`."""
CALLS_ONCE: Final = {CALL_BEGINS: 50.0, TURN_ENDS: 100.0}
"""The embedded model never learned to call: it is pushed to begin a call, and to end as soon as it may."""
QUESTION: Final = ChatTurn("user", "What is the weather in Oslo?")


class Answer(NamedTuple):
    text: str
    calls: list[AccumulatedCall]
    fragments: int
    finish: str | None
    prompt_tokens: int


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    settings = Settings(chat_template=str(TEMPLATE), ctx_size=2048, parallel=1, threads=1)
    engine, _ = create_engine(settings)
    await engine.start()
    try:
        await engine.ready()
        yield engine
    finally:
        await engine.close()


async def answer(engine: Engine, call: EngineCall) -> Answer:
    accumulator = CallAccumulator()
    text, fragments, finish, prompt_tokens = "", 0, None, 0
    stream = await engine.open(call)
    try:
        while news := await stream.read():
            for item in news:
                piece = item if isinstance(item, EngineChunk) else EngineChunk(item)
                text += piece.text
                finish = piece.finish or finish
                accumulator.feed(piece.calls or [])
                fragments += len(piece.calls or [])
                prompt_tokens = piece.usage.prompt_tokens if piece.usage else prompt_tokens
    finally:
        stream.close()
    return Answer(text, accumulator.finish(), fragments, finish, prompt_tokens)


async def test_the_engine_tells_that_the_template_takes_functions(engine: Engine) -> None:
    caps = engine.capabilities.template_caps
    assert (caps["supports_tools"], caps["supports_tool_calls"]) == (True, True)
    assert engine.capabilities.native_tools
    assert "</tools>" in engine.capabilities.chat_template


def is_declared(made: AccumulatedCall) -> bool:
    declared = {tool.name: tool.parameters for tool in TOOLS}
    Draft202012Validator(declared[made.name]).validate(json.loads(made.arguments))
    return bool(made.id)


def required(seed: int, *, parallel: bool) -> EngineCall:
    return EngineCall(
        "tiny",
        [QUESTION],
        seed=seed,
        max_tokens=200,
        sampling={"temperature": 1},
        logit_bias=CALLS_ONCE,
        tools=TOOLS,
        tool_choice="required",
        parallel_calls=parallel,
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_required_call_is_a_call_of_a_declared_function(engine: Engine, seed: int) -> None:
    result = await answer(engine, required(seed, parallel=False))
    assert (result.text, result.finish) == ("", "tool_calls")
    assert result.fragments > 1
    (made,) = result.calls
    assert is_declared(made)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_more_required_calls_are_calls_of_declared_functions(engine: Engine, seed: int) -> None:
    """Others may follow the first, until the tokens run out in one of them."""
    result = await answer(engine, required(seed, parallel=True))
    assert (result.text, result.finish in ("tool_calls", "length")) == ("", True)
    whole = result.calls if result.finish == "tool_calls" else result.calls[:-1]
    assert whole
    assert all(is_declared(made) for made in whole)


async def test_a_call_that_runs_out_of_tokens_is_broken_off(engine: Engine) -> None:
    endless = {"type": "object", "properties": {"text": {"type": "string", "minLength": 500}}, "required": ["text"]}
    tools = [EngineTool("write", "Writes a text", endless)]
    call = EngineCall("tiny", [QUESTION], max_tokens=60, logit_bias=CALLS_ONCE, tools=tools, tool_choice="required")
    result = await answer(engine, call)
    assert (result.text, result.finish) == ("", "length")
    assert [made.name for made in result.calls] == ["write"]
    with pytest.raises(json.JSONDecodeError):
        json.loads(result.calls[0].arguments)


async def test_without_a_call_there_is_text(engine: Engine) -> None:
    call = EngineCall("tiny", [QUESTION], max_tokens=8, sampling={"temperature": 0}, tools=TOOLS)
    result = await answer(engine, call)
    assert result.text
    assert (result.calls, result.fragments) == ([], 0)


async def test_functions_calls_and_results_are_part_of_the_prompt(engine: Engine) -> None:
    earlier = EngineToolCall("c1", "get_weather", '{"city":"Oslo","days":1}')
    turns = [QUESTION, ChatTurn("assistant", "", [earlier]), ChatTurn("tool", "4 degrees", call_id="c1")]
    plain = await engine.count_tokens(EngineCall("tiny", [QUESTION]))
    told = await engine.count_tokens(EngineCall("tiny", [QUESTION], tools=TOOLS))
    called = EngineCall("tiny", turns, max_tokens=4, tools=TOOLS)
    counted = await engine.count_tokens(called)
    assert plain < told < counted
    result = await answer(engine, called)
    assert result.text
    assert result.prompt_tokens == counted
