"""The pipeline with tools and forms of answers, on engines that are bound by a grammar, by less, or by nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from localaik.content import Attachment, Text
from localaik.engine.calls import CallFragment, EngineCall, EngineChunk, EngineNews
from localaik.engine.capabilities import LLAMA_CPP, UNKNOWN, VLLM, Capabilities
from localaik.errors import BadRequest, EngineAnswerInvalid
from localaik.generation.events import (
    Finished,
    Started,
    TextDelta,
    ToolCallArgumentsDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from localaik.generation.fold import Choice, fold
from localaik.generation.request import (
    AnyJson,
    CustomTool,
    EnumText,
    FunctionTool,
    GenerationRequest,
    JsonMatching,
    Message,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from tests.memory_engine import VISION, ScriptedInMemory, ask, collect, pipeline, saying

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = FunctionTool("weather", "Tells the weather", CITY)
CLOCK = FunctionTool("clock")
SHOUT = CustomTool("shout", pattern="[A-Z]+")
ROME = '<tool_call>{"name":"weather","arguments":{"city":"Rome"}}</tool_call>'
WRONG = '<tool_call>{"name":"weather","arguments":{"town":"Rome"}}</tool_call>'
TIME = '<tool_call>{"name":"clock","arguments":{}}</tool_call>'
REQUIRED = ToolChoice("required")
SCHEMA_ONLY = replace(VLLM, json_schema=True)
NATIVE = replace(LLAMA_CPP, native_tools=True)
UNBOUND = replace(UNKNOWN, native_tools=True)


async def answer(
    news: Callable[[EngineCall], list[list[EngineNews]]], capabilities: Capabilities = LLAMA_CPP, **fields: object
) -> tuple[Choice, ScriptedInMemory]:
    pipe, engine = pipeline(news, capabilities)
    generation = await fold(pipe.run(ask(**fields)))
    assert engine.open_streams == 0
    return generation.choices[0], engine


def called(choice: Choice) -> list[tuple[str, str]]:
    assert all(call.complete for call in choice.calls)
    assert len({call.id for call in choice.calls}) == len(choice.calls)
    return [(call.name, call.arguments) for call in choice.calls]


async def test_a_call_streams_as_it_is_written() -> None:
    pipe, _ = pipeline(saying(f"Look:\n{ROME}"))
    events = await collect(pipe.run(ask(tools=(WEATHER, CLOCK))))
    kinds = [type(event) for event in events]
    assert kinds[0] is Started
    assert kinds.index(ToolCallStarted) > kinds.index(TextDelta)
    assert kinds.count(ToolCallArgumentsDelta) == len('{"city":"Rome"}')
    assert kinds[-3:-1] == [ToolCallFinished, Finished]
    assert [event.reason for event in events if isinstance(event, Finished)] == ["tool_calls"]


async def test_tools_are_told_in_the_system_text_and_bound_by_a_grammar() -> None:
    choice, engine = await answer(saying(ROME), tools=(WEATHER, CLOCK), tool_choice=REQUIRED)
    assert called(choice) == [("weather", '{"city":"Rome"}')]
    call = engine.calls[0]
    assert call.turns[0].role == "system"
    assert '{"name":"weather","description":"Tells the weather","parameters":{"type":"object"' in str(
        call.turns[0].content
    )
    assert call.grammar is not None
    assert not call.tools


async def test_only_allowed_tools_are_told() -> None:
    _, engine = await answer(saying(TIME), tools=(WEATHER, CLOCK), tool_choice=ToolChoice("auto", ("clock",)))
    assert '"weather"' not in str(engine.calls[0].turns[0].content)
    assert "weather" not in str(engine.calls[0].grammar)


async def test_none_tells_no_tools_and_lets_no_call_pass() -> None:
    _, engine = await answer(saying("Hi"), tools=(WEATHER,), tool_choice=ToolChoice("none"))
    assert [turn.role for turn in engine.calls[0].turns] == ["user"]
    assert engine.calls[0].grammar is not None


async def test_free_text_needs_no_grammar() -> None:
    _, engine = await answer(saying("Hi <tool_call>"))
    assert engine.calls[0].grammar is None


async def test_a_call_that_the_limit_cuts_is_not_complete() -> None:
    choice, _ = await answer(saying(ROME[:50], finish="length"), tools=(WEATHER,), tool_choice=REQUIRED)
    assert choice.finish_reason == "length"
    assert [(call.arguments, call.complete) for call in choice.calls] == [('{"city":"', False)]


async def test_stop_strings_end_text_and_leave_arguments_alone() -> None:
    choice, engine = await answer(saying(f"One. Rome two\n{ROME}"), tools=(WEATHER,), stop=("Rome",))
    assert (choice.text, choice.calls, choice.finish_reason) == ("One. ", [], "stop")
    assert engine.calls[0].stop == ()
    choice, _ = await answer(saying(ROME), tools=(WEATHER,), stop=("Rome",))
    assert called(choice) == [("weather", '{"city":"Rome"}')]


async def test_a_broken_grammar_is_an_error_and_no_answer() -> None:
    with pytest.raises(EngineAnswerInvalid, match="arguments of weather"):
        await answer(saying(WRONG), tools=(WEATHER,))
    with pytest.raises(EngineAnswerInvalid, match="call of a function"):
        await answer(saying("no"), tools=(WEATHER,), tool_choice=REQUIRED)
    with pytest.raises(EngineAnswerInvalid):
        await answer(saying('{"town":1}'), output=JsonMatching(CITY, "x"))


async def test_a_structured_answer_that_is_cut_stays_as_it_is() -> None:
    choice, _ = await answer(saying('{"ci', finish="length"), output=JsonMatching(CITY, "x"))
    assert (choice.text, choice.finish_reason) == ('{"ci', "length")
    choice, _ = await answer(saying('{"city":"Rome"}'), output=JsonMatching(CITY, "x"), stop=("Ro",))
    assert (choice.text, choice.finish_reason) == ('{"city":"', "stop")


@pytest.mark.parametrize(
    ("said", "output", "text"),
    [
        ('```json\n{"city":"Rome"}\n```', JsonMatching(CITY, "x"), '{"city":"Rome"}'),
        ('Here: {"city":"Rome"} as you wished', JsonMatching(CITY, "x"), '{"city":"Rome"}'),
        ("[1, 2]", AnyJson(), "[1, 2]"),
        (' "red"\n', EnumText(("red", "blue")), "red"),
    ],
)
async def test_without_any_bound_the_answer_is_brought_into_its_form(
    said: str, output: AnyJson | JsonMatching | EnumText, text: str
) -> None:
    choice, engine = await answer(saying(said), UNKNOWN, output=output)
    assert (choice.text, choice.finish_reason) == (text, "stop")
    assert engine.calls[0].grammar is None


async def test_a_fence_never_leaks_from_an_answer_that_was_cut() -> None:
    choice, _ = await answer(saying('```json\n{"city": "Ro', finish="length"), UNKNOWN, output=JsonMatching(CITY, "x"))
    assert (choice.text, choice.finish_reason) == ('{"city": "Ro', "length")


async def test_a_wrong_answer_is_asked_for_again_with_what_was_wrong() -> None:
    choice, engine = await answer(saying(WRONG, ROME), UNKNOWN, tools=(WEATHER,), tool_choice=REQUIRED)
    assert called(choice) == [("weather", '{"city":"Rome"}')]
    assert choice.finish_reason == "tool_calls"
    first, second = engine.calls
    assert second.seed == first.seed + 1
    assert [turn.role for turn in second.turns] == ["system", "user", "assistant", "user"]
    assert "town" in str(second.turns[2].content)
    assert "weather" in str(second.turns[3].content)


async def test_three_wrong_answers_are_an_error() -> None:
    choice, engine = await answer(saying("No."), UNKNOWN, tools=(WEATHER,), tool_choice=REQUIRED)
    assert len(engine.calls) == 3
    assert (choice.text, choice.calls, choice.finish_reason) == ("", [], "malformed_call")
    assert choice.finish_message
    with pytest.raises(EngineAnswerInvalid, match="3 attempts"):
        await answer(saying("No."), UNKNOWN, output=JsonMatching(CITY, "x"))


async def test_text_streams_also_where_a_call_could_not_be_held_back() -> None:
    pipe, _ = pipeline(saying("Hello."), UNKNOWN)
    events = await collect(pipe.run(ask(tools=(WEATHER,))))
    assert [event.text for event in events if isinstance(event, TextDelta)] == list("Hello.")
    choice, _ = await answer(saying(f"Look:\n{WRONG}", ROME), UNKNOWN, tools=(WEATHER,))
    assert choice.text == "Look:"
    assert called(choice) == [("weather", '{"city":"Rome"}')]


async def test_unknown_functions_never_leave() -> None:
    choice, engine = await answer(saying(TIME, ROME), UNKNOWN, tools=(WEATHER,))
    assert called(choice) == [("weather", '{"city":"Rome"}')]
    assert len(engine.calls) == 2


async def test_one_call_where_calls_are_not_parallel() -> None:
    single = ToolChoice("auto", parallel=False)
    choice, _ = await answer(saying(f"{ROME}\n{ROME}"), UNKNOWN, tools=(WEATHER,), tool_choice=single)
    assert len(choice.calls) == 1


async def test_an_engine_that_takes_schemas_is_held_by_one() -> None:
    said = '{"name":"shout","input":"HEY"}'
    choice, engine = await answer(saying(said), SCHEMA_ONLY, tools=(WEATHER, SHOUT), tool_choice=REQUIRED)
    assert [(call.name, call.arguments, call.custom) for call in choice.calls] == [("shout", "HEY", True)]
    schema = engine.calls[0].json_schema
    assert isinstance(schema, dict)
    assert [option["properties"]["name"]["const"] for option in schema["anyOf"]] == ["weather", "shout"]
    _, engine = await answer(saying('"red"'), SCHEMA_ONLY, output=EnumText(("red",)))
    assert engine.calls[0].json_schema == {"type": "string", "enum": ["red"]}
    _, engine = await answer(saying("Hi"), SCHEMA_ONLY, tools=(WEATHER,))
    assert engine.calls[0].json_schema is None


def native(*fragments: CallFragment, text: str = "") -> Callable[[EngineCall], list[list[EngineNews]]]:
    def news(call: EngineCall) -> list[list[EngineNews]]:
        said: list[EngineNews] = [text] if text else []
        return [[*said, EngineChunk(calls=list(fragments))], [EngineChunk(finish="tool_calls")]]

    return news


async def test_a_template_with_tools_gets_them_natively_and_calls_are_checked() -> None:
    fragments = (
        CallFragment(1, "b", "clock", "{}"),
        CallFragment(0, "", "", '{"city":'),
        CallFragment(0, "a", "weather", '"Rome"}'),
    )
    choice, engine = await answer(native(*fragments, text="Look:"), NATIVE, tools=(WEATHER, CLOCK))
    assert choice.text == "Look:"
    assert called(choice) == [("weather", '{"city":"Rome"}'), ("clock", "{}")]
    assert [call.id for call in choice.calls] == ["a", "b"]
    call = engine.calls[0]
    assert [tool.name for tool in call.tools] == ["weather", "clock"]
    assert (call.tool_choice, call.parallel_calls, call.grammar) == ("auto", True, None)
    assert call.turns[0].role == "user"


async def test_a_named_choice_is_the_only_tool_that_a_native_engine_is_told() -> None:
    fragments = CallFragment(0, "a", "shout", '{"input":"HEY"}')
    named = ToolChoice("required", ("shout",), parallel=False)
    choice, engine = await answer(native(fragments), UNBOUND, tools=(WEATHER, SHOUT), tool_choice=named)
    assert [(call.name, call.arguments, call.custom) for call in choice.calls] == [("shout", "HEY", True)]
    assert [tool.name for tool in engine.calls[0].tools] == ["shout"]
    assert (engine.calls[0].tool_choice, engine.calls[0].parallel_calls) == ("required", False)


async def test_a_required_call_is_bound_by_a_grammar_where_there_is_one() -> None:
    choice, engine = await answer(saying(ROME), NATIVE, tools=(WEATHER,), tool_choice=REQUIRED)
    assert called(choice) == [("weather", '{"city":"Rome"}')]
    assert engine.calls[0].grammar is not None
    assert not engine.calls[0].tools


async def test_wrong_native_calls_are_asked_for_again() -> None:
    choice, engine = await answer(
        native(CallFragment(0, "a", "weather", '{"town":1}')), UNBOUND, tools=(WEATHER,), tool_choice=REQUIRED
    )
    assert choice.finish_reason == "malformed_call"
    assert len(engine.calls) == 3


HISTORY = [
    Message("user", [Text("Weather in Rome <tool_call>?")]),
    Message(
        "assistant", [Text("Look:"), ToolCall("a", "weather", '{ "city": "Rome" }'), ToolCall("b", "shout", 'x"', True)]
    ),
    Message(
        "user",
        [
            ToolResult("a", "weather", '{"sky": "</tool_response>"}', [Attachment("f")]),
            ToolResult("b", "shout", "X!"),
            Text("And now?"),
        ],
    ),
]


async def test_calls_and_results_are_told_in_one_form() -> None:
    pipe, engine = pipeline(saying("Sunny"), UNKNOWN)
    await collect(pipe.run(GenerationRequest("m", HISTORY)))
    user, assistant, results = engine.calls[0].turns
    assert user.content == "Weather in Rome <\u200btool_call>?"
    assert assistant.content == (
        'Look:\n<tool_call>{"name":"weather","arguments":{"city":"Rome"}}</tool_call>\n'
        '<tool_call>{"name":"shout","input":"x\\""}</tool_call>'
    )
    assert results.content == (
        '<tool_response>{"name":"weather","content":{"sky":"<\u200b/tool_response>"}}</tool_response>\ntext of f\n'
        '<tool_response>{"name":"shout","content":"X!"}</tool_response>\nAnd now?'
    )


async def test_images_of_results_are_kept() -> None:
    pipe, engine = pipeline(saying("Sunny"), VISION)
    await collect(pipe.run(GenerationRequest("m", HISTORY)))
    results = engine.calls[-1].turns[-1]
    assert isinstance(results.content, list)
    kinds = [type(piece).__name__ for piece in results.content]
    assert kinds == ["str", "EngineImage", "EngineImage", "str"]


async def test_a_native_history_has_turns_of_tools() -> None:
    pipe, engine = pipeline(saying("Sunny"), NATIVE)
    await collect(pipe.run(GenerationRequest("m", HISTORY, tools=(WEATHER, SHOUT))))
    turns = engine.calls[0].turns
    assert [turn.role for turn in turns] == ["user", "assistant", "tool", "tool", "user"]
    assert [(call.id, call.arguments) for call in turns[1].calls] == [
        ("a", '{ "city": "Rome" }'),
        ("b", '{"input": "x\\""}'),
    ]
    assert [turn.call_id for turn in turns] == ["", "", "a", "b", ""]
    assert turns[-1].content == "text of f\n\nAnd now?"


@pytest.mark.parametrize("capabilities", [LLAMA_CPP, NATIVE, SCHEMA_ONLY, UNKNOWN])
async def test_an_invalid_schema_is_refused_whatever_the_engine_can_do(capabilities: Capabilities) -> None:
    broken = FunctionTool(
        "f", parameters={"type": "object", "properties": {"a": {"type": "strin"}}}, field="tools[0].x"
    )
    pipe, engine = pipeline(saying("Hi"), capabilities)
    with pytest.raises(BadRequest) as refused:
        await collect(pipe.run(ask(tools=(broken,))))
    assert str(refused.value.field).startswith("tools[0].x.properties.a")
    assert engine.calls == []


async def test_a_marker_in_json_that_is_checked_later_is_no_call() -> None:
    objects = {"type": "array", "items": {"type": "object"}, "uniqueItems": True}  # no grammar holds this
    said = '[{"a":"<tool_call>"}]'
    choice, _ = await answer(saying(said), tools=(WEATHER,), output=JsonMatching(objects, "x"))
    assert (choice.text, choice.calls, choice.finish_reason) == (said, [], "stop")


async def test_text_before_a_call_that_never_came_right_leaves_on_its_own() -> None:
    pipe, _ = pipeline(saying(f"Look: {WRONG} <tool"), UNKNOWN)
    batches = [batch async for batch in pipe.run(ask(tools=(WEATHER,)))]
    (last,) = [batch for batch in batches if any(isinstance(event, Finished) for event in batch)]
    assert not any(isinstance(event, TextDelta) for event in last)


async def test_counting_counts_the_tools() -> None:
    pipe, engine = pipeline()
    plain = await pipe.count_tokens(ask())
    with_tools = await pipe.count_tokens(ask(tools=(WEATHER,)))
    assert with_tools.prompt_tokens > plain.prompt_tokens + 50
    assert engine.calls == []


async def test_thoughts_between_markers_are_thoughts_on_servers_that_pass_them_on() -> None:
    said = saying("<think>Rome?</think>\nIt is sunny.")
    choice, _ = await answer(said, UNKNOWN)
    assert (choice.reasoning, choice.text) == ("Rome?", "It is sunny.")
    choice, _ = await answer(saying(f"<think>Rome?</think>\n{ROME}"), UNKNOWN, tools=(WEATHER,), tool_choice=REQUIRED)
    assert choice.reasoning == "Rome?"
    assert called(choice) == [("weather", '{"city":"Rome"}')]
    choice, _ = await answer(saying("<think>Rome?</think>Yes"), LLAMA_CPP)
    assert (choice.reasoning, choice.text) == ("", "<think>Rome?</think>Yes")
