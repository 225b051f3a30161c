"""What is asked of an engine, by its kind: functions, earlier calls, and the form of the answer."""

from dataclasses import replace
from typing import Literal

import orjson
import pytest

from localaik.engine.bodies import OWNED_FIELDS, chat_body, completion_body, count_body
from localaik.engine.calls import ChatTurn, EngineCall, EngineImage, EngineTool, EngineToolCall
from localaik.engine.capabilities import LLAMA_CPP, LLAMA_CPP_PYTHON, OLLAMA, UNKNOWN, VLLM, Capabilities
from localaik.errors import BadRequest

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = EngineTool("get_weather", "Weather of a city", SCHEMA)
TOLD = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather of a city", "parameters": SCHEMA},
}
ABLE = replace(LLAMA_CPP, native_tools=True)
CALLS = [EngineToolCall("a", "get_weather", '{"city":"Oslo"}'), EngineToolCall("b", "get_weather", "{}")]


def body_of(call: EngineCall, capabilities: Capabilities = ABLE) -> dict[str, object]:
    body: dict[str, object] = orjson.loads(orjson.dumps(chat_body(call, capabilities, model="m", cache_prompt=False)))
    return body


def messages_of(*turns: ChatTurn) -> list[dict[str, object]]:
    messages = body_of(EngineCall("m", turns))["messages"]
    assert isinstance(messages, list)
    return messages


@pytest.mark.parametrize("choice", ["auto", "required"])
@pytest.mark.parametrize("parallel", [True, False])
def test_functions_are_told_in_the_chat_form(choice: Literal["auto", "required"], parallel: bool) -> None:
    call = EngineCall("m", tools=[TOOL], tool_choice=choice, parallel_calls=parallel)
    body = body_of(call)
    assert body["tools"] == [TOLD]
    assert (body["tool_choice"], body["parallel_tool_calls"]) == (choice, parallel)


def test_without_functions_nothing_is_said_of_them() -> None:
    assert not {"tools", "tool_choice", "parallel_tool_calls", "response_format"} & body_of(EngineCall("m")).keys()


@pytest.mark.parametrize("capabilities", [LLAMA_CPP, VLLM, OLLAMA, LLAMA_CPP_PYTHON, UNKNOWN])
def test_functions_for_an_engine_that_takes_none_are_refused(capabilities: Capabilities) -> None:
    with pytest.raises(BadRequest) as fault:
        body_of(EngineCall("m", tools=[TOOL]), capabilities)
    assert fault.value.field == "tools"


@pytest.mark.parametrize("empty", ["", []])
def test_a_turn_of_calls_alone_has_no_content(empty: str | list[str | EngineImage]) -> None:
    assert messages_of(ChatTurn("assistant", empty, CALLS)) == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "a",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
                },
                {"id": "b", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}},
            ],
        }
    ]


def test_text_beside_calls_stays() -> None:
    (message,) = messages_of(ChatTurn("assistant", "I look.", CALLS[:1]))
    assert message["content"] == "I look."


def test_an_empty_turn_without_calls_stays_as_it_is() -> None:
    assert messages_of(ChatTurn("assistant", "")) == [{"role": "assistant", "content": ""}]


def test_a_result_names_its_call() -> None:
    assert messages_of(ChatTurn("tool", "4 C", call_id="a"), ChatTurn("user", "And?")) == [
        {"role": "tool", "content": "4 C", "tool_call_id": "a"},
        {"role": "user", "content": "And?"},
    ]


@pytest.mark.parametrize("capabilities", [VLLM, OLLAMA, replace(UNKNOWN, json_schema=True)])
@pytest.mark.parametrize("schema", [SCHEMA, True])
def test_a_schema_is_the_format_of_the_answer(capabilities: Capabilities, schema: dict[str, object] | bool) -> None:
    body = body_of(EngineCall("m", json_schema=schema), capabilities)
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": True},
    }
    assert "grammar" not in body


def test_llama_cpp_python_takes_a_schema_in_a_form_of_its_own() -> None:
    body = body_of(EngineCall("m", json_schema=SCHEMA), LLAMA_CPP_PYTHON)
    assert body["response_format"] == {"type": "json_object", "schema": SCHEMA}


def test_a_schema_holds_a_raw_prompt_too() -> None:
    body = completion_body(EngineCall("m", prompt="p", json_schema=SCHEMA), VLLM, model="m", cache_prompt=False)
    assert body["response_format"]


@pytest.mark.parametrize(
    ("call", "capabilities"),
    [
        (EngineCall("m", json_schema=SCHEMA), UNKNOWN),
        (EngineCall("m", json_schema=False), LLAMA_CPP),
        (EngineCall("m", grammar='root ::= "a"'), VLLM),
    ],
)
def test_what_can_not_be_held_is_refused(call: EngineCall, capabilities: Capabilities) -> None:
    with pytest.raises(BadRequest, match="can't be held to an output format"):
        body_of(call, capabilities)


@pytest.mark.parametrize("field", ["tools", "tool_choice", "parallel_tool_calls", "response_format", "json_schema"])
def test_more_fields_of_a_caller_never_reach_these(field: str) -> None:
    extra = {field: "theirs", "min_p": 0.1}
    assert field in OWNED_FIELDS
    plain = body_of(EngineCall("m", extra=extra))
    assert (field in plain, plain["min_p"]) == (False, 0.1)
    assert body_of(EngineCall("m", tools=[TOOL], extra=extra)).get(field) != "theirs"
    assert body_of(EngineCall("m", json_schema=SCHEMA, extra=extra), VLLM).get(field) != "theirs"


def test_functions_count_as_part_of_the_prompt() -> None:
    turns = [ChatTurn("user", "Hi"), ChatTurn("assistant", "", CALLS), ChatTurn("tool", "4 C", call_id="a")]
    counted = count_body(EngineCall("m", turns, tools=[TOOL]), "m")
    assert counted["tools"] == [TOLD]
    assert counted["messages"] == body_of(EngineCall("m", turns))["messages"]
    assert "tools" not in count_body(EngineCall("m", turns), "m")


def test_a_gap_to_fill_goes_to_each_engine_in_its_words() -> None:
    call = EngineCall("m", prompt="a", suffix="b")
    body = completion_body(call, LLAMA_CPP, model="m", cache_prompt=False)
    assert (body["input_prefix"], body["input_suffix"], "prompt" in body) == ("a", "b", False)
    body = completion_body(call, UNKNOWN, model="m", cache_prompt=False)
    assert (body["prompt"], body["suffix"]) == ("a", "b")
