"""Grammars of answers that may call: what they accept is calls of the allowed tools, or text without any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaik.errors import BadRequest
from localaik.generation.request import (
    AnyJson,
    CustomTool,
    EnumText,
    FunctionTool,
    JsonMatching,
    OutputFormat,
    Tool,
    ToolChoice,
)
from localaik.generation.tools.grammar import MAX_CALLS, answer_grammar
from localaik.generation.tools.parser import CallParser
from tests.gbnf import Grammar

CITY = {"type": "object", "properties": {"city": {"enum": ["Rome", "Paris"]}}, "required": ["city"]}
WEATHER = FunctionTool("get_weather", "The weather", CITY, "tools[0].function.parameters")
CLOCK = FunctionTool("get_time")
SHOUT = CustomTool("shout", pattern="[A-Z]{1,3}")
NOTE = CustomTool("note")

ROME = '<tool_call>{"name":"get_weather","arguments":{"city":"Rome"}}</tool_call>'
TIME = '<tool_call>{"name":"get_time","arguments":{}}</tool_call>'
HEY = '<tool_call>{"name":"shout","input":"HEY"}</tool_call>'
BAD = '<tool_call>{"name":"get_weather","arguments":{"city":"Oslo"}}</tool_call>'


def grammar(*tools: Tool, choice: ToolChoice | None = None, output: OutputFormat | None = None) -> Grammar:
    return Grammar(answer_grammar(tools, choice or ToolChoice(), output).text)


def test_auto_is_text_or_calls() -> None:
    auto = grammar(WEATHER, CLOCK)
    for answer in ("", "Hello <b>.", ROME, f"{ROME}\n{TIME}", f"Look: <\n{TIME}", f"<tool<{TIME}", "<tool_call"):
        assert auto.accepts(answer), answer
    for answer in (
        BAD,
        f"Look: {BAD}",
        "a <tool_call> b",
        f"{ROME}{TIME}",
        f"{ROME} and more",
        ROME[:-1],
        "<tool_call>",
    ):
        assert not auto.accepts(answer), answer


def test_required_is_calls_alone() -> None:
    required = grammar(WEATHER, CLOCK, choice=ToolChoice("required"))
    assert required.accepts(ROME)
    assert required.accepts("\n".join([ROME] * MAX_CALLS))
    for answer in ("", "Hello", f" {ROME}", BAD, "\n".join([ROME] * (MAX_CALLS + 1))):
        assert not required.accepts(answer), answer


def test_one_call_where_calls_are_not_parallel() -> None:
    for mode in ("auto", "required"):
        single = grammar(WEATHER, CLOCK, choice=ToolChoice(mode, parallel=False))  # type: ignore[arg-type]
        assert single.accepts(ROME)
        assert not single.accepts(f"{ROME}\n{TIME}")


def test_custom_tools_take_text() -> None:
    custom = grammar(SHOUT, NOTE, WEATHER, choice=ToolChoice("required"))
    assert custom.accepts(HEY)
    assert custom.accepts('<tool_call>{"name":"note","input":"any \\"text\\" 中"}</tool_call>')
    assert not custom.accepts(HEY.replace("HEY", "hey"))
    assert not custom.accepts(HEY.replace("input", "arguments"))


def test_calls_or_an_answer_of_the_form() -> None:
    either = grammar(WEATHER, output=JsonMatching({"type": "integer", "minimum": 1, "maximum": 3}, "x"))
    assert either.accepts(ROME)
    assert either.accepts("2")
    assert not either.accepts("4")
    assert not either.accepts("Hello")
    assert grammar(WEATHER, output=AnyJson(object_only=True)).accepts('{"a":[1]}')
    words = grammar(WEATHER, output=EnumText(("red\n", 'a"b')))
    assert words.accepts("red\n")
    assert words.accepts('a"b')
    assert words.accepts(ROME)


def test_a_value_that_looks_like_a_call_is_refused() -> None:
    with pytest.raises(BadRequest):
        grammar(WEATHER, output=EnumText(("<tool_call>",)))


def test_without_tools_text_holds_no_start_of_a_call() -> None:
    text = grammar()
    assert text.accepts("a <tool_calls> b </tool_call>")
    assert not text.accepts(f"a {TIME}")


@given(st.lists(st.sampled_from(["<", "tool", "_call", ">", "<tool_call", "a", "\n", "<tool_"]), max_size=8))
def test_text_is_all_that_holds_no_start(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert grammar().accepts(text) is ("<tool_call>" not in text)


def test_names_that_begin_alike_are_told_apart() -> None:
    names = ["a", "ab", "abc", "b", "get_weather", "get_weather_now", "get_time", "A-1"]
    tools = [FunctionTool(name) for name in names]
    required = grammar(*tools, choice=ToolChoice("required"))
    for name in [*names, "get", "abcd", "", "get_weather_"]:
        call = f'<tool_call>{{"name":"{name}","arguments":{{}}}}</tool_call>'
        assert required.accepts(call) is (name in names), name


def test_what_the_grammar_makes_is_what_the_parser_reads() -> None:
    auto = grammar(WEATHER, CLOCK, SHOUT, choice=ToolChoice("required"))
    for seed in range(100):
        answer = auto.sample(seed)
        parser = CallParser(0, lambda: "id")
        parser.feed(answer)
        assert parser.end() == []
        assert not parser.broken
        assert 1 <= len(parser.calls) <= MAX_CALLS
        assert all(call.complete for call in parser.calls)
        assert {call.name for call in parser.calls} <= {"get_weather", "get_time", "shout"}


def test_a_fault_of_a_schema_names_the_tools_field() -> None:
    broken = FunctionTool(
        "f", parameters={"type": "object", "properties": {"a": {"type": "strin"}}}, field="tools[1].x"
    )
    with pytest.raises(BadRequest) as caught:
        grammar(WEATHER, broken)
    assert str(caught.value.field).startswith("tools[1].x.properties.a")
