"""Calls and results in the messages of chat requests, as turns of a conversation."""

import pytest

from localaik.content import Attachment, Text
from localaik.generation.request import (
    Message,
    ToolCall,
    ToolResult,
)
from localaik.protocols.openai.errors import answer_of
from tests.openai_bodies import (
    BOTH,
    USER,
    allowed,
    call,
    calls,
    custom,
    decode,
    function,
    refusal,
    result,
    turns,
)


def test_calls_and_their_results() -> None:
    custom_call = {"id": "call_2", "type": "custom", "custom": {"name": "c", "input": "x = 1"}}
    found = turns(
        calls(call(arguments='{"a":1}'), custom_call, content="Well"),
        result(content="4"),
        result("call_2", "done"),
        {"role": "user", "content": "So?"},
    )
    assert found == [
        Message(
            "assistant", [Text("Well"), ToolCall("call_1", "f", '{"a":1}'), ToolCall("call_2", "c", "x = 1", True)]
        ),
        Message("user", [ToolResult("call_1", "f", "4"), ToolResult("call_2", "c", "done")]),
        Message("user", [Text("So?")]),
    ]


def test_results_stay_in_the_order_in_which_they_come() -> None:
    found = turns(calls(call("a", "f"), call("b", "g")), result("b", "2"), result("a", "1"))
    assert found[1] == Message("user", [ToolResult("b", "g", "2"), ToolResult("a", "f", "1")])


def test_an_id_that_is_used_again_means_its_last_call() -> None:
    found = turns(calls(call("a", "f")), result("a", "1"), calls(call("a", "g")), result("a", "2"))
    assert [part for message in found for part in message.parts if isinstance(part, ToolResult)] == [
        ToolResult("a", "f", "1"),
        ToolResult("a", "g", "2"),
    ]


@pytest.mark.parametrize("content", [None, "", []])
def test_calls_without_text(content: object) -> None:
    message = turns(calls(call(), content=content), result())[0]
    assert message == Message("assistant", [ToolCall("call_1", "f", "{}")])


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [('{"a": 1}', '{"a": 1}'), ("", "{}"), (" \n", "{}"), ("not JSON", "not JSON"), ("[1]", "[1]"), ('{"a":', '{"a":')],
)
def test_what_a_model_wrote_as_arguments_is_kept(arguments: str, kept: str) -> None:
    assert turns(calls(call(arguments=arguments)), result())[0].parts == [ToolCall("call_1", "f", kept)]
    legacy = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": arguments}}
    assert turns(legacy)[0].parts == [ToolCall("function_call_1", "f", kept)]


def test_results_in_parts() -> None:
    url = "data:image/png;base64,QQ=="
    content = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": "b"},
        {"type": "file", "file": {"file_data": "QQ==", "filename": "a.pdf"}},
    ]
    (part,) = turns(calls(call()), result(content=content))[1].parts
    assert part == ToolResult(
        "call_1",
        "f",
        "a\nb",
        [
            Attachment("messages[2].content[1].image_url.url", uri=url, images_only=True),
            Attachment("messages[2].content[3].file.file_data", base64="QQ==", name="a.pdf"),
        ],
    )


def test_a_function_message_answers_the_last_call_of_its_name() -> None:
    def legacy(name: str) -> dict[str, object]:
        return {"role": "assistant", "content": None, "function_call": {"name": name, "arguments": "{}"}}

    def answer(name: str, content: str | None) -> dict[str, object]:
        return {"role": "function", "name": name, "content": content}

    found = turns(legacy("f"), answer("f", "1"), legacy("g"), legacy("f"), answer("f", "2"), answer("g", None))
    assert [message.parts for message in found if message.role == "user"] == [
        [ToolResult("function_call_1", "f", "1")],
        [ToolResult("function_call_3", "f", "2"), ToolResult("function_call_2", "g", "")],
    ]
    error = refusal(messages=[USER, legacy("f"), answer("g", "1")])
    assert error.field == "messages[2].name"


@pytest.mark.parametrize(
    "messages",
    [
        [result()],
        [calls(call("call_2")), result()],
        [result(), calls(call())],
        [{"role": "assistant", "content": "Hi"}, result()],
    ],
)
def test_b069_a_result_answers_a_call(messages: list[object]) -> None:
    answer = answer_of(refusal(messages=[USER, *messages]))
    at = next(i for i, message in enumerate(messages, 1) if isinstance(message, dict) and message["role"] == "tool")
    assert (answer.status, answer.type, answer.param) == (400, "invalid_request_error", f"messages[{at}].tool_call_id")
    assert answer.message == (
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
    )


@pytest.mark.parametrize(
    ("messages", "missing"),
    [
        ([calls(call()), USER], "call_1"),
        ([calls(call())], "call_1"),
        ([calls(call()), {"role": "assistant", "content": "a"}], "call_1"),
        ([calls(call("a"), call("b"), call("c")), result("b"), USER], "a, c"),
        ([calls(call("a"), call("b")), result("b")], "a"),
    ],
)
def test_every_call_has_its_result(messages: list[object], missing: str) -> None:
    answer = answer_of(refusal(messages=[USER, *messages]))
    assert (answer.status, answer.type, answer.param) == (400, "invalid_request_error", "messages[1].tool_calls")
    assert answer.message == (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
        f" The following tool_call_ids did not have response messages: {missing}"
    )


@pytest.mark.parametrize(
    ("message", "reason", "field"),
    [
        ({"role": "tool", "content": "a"}, "missing_required_parameter", "messages[2].tool_call_id"),
        ({"role": "tool", "tool_call_id": "call_1"}, "missing_required_parameter", "messages[2].content"),
        (result(content=None), "invalid_type", "messages[2].content"),
        (result(content=[]), "empty_array", "messages[2].content"),
        (result(content=[{"type": "input_audio"}]), "invalid_value", "messages[2].content[0].type"),
        (result(content=[{"type": "text"}]), "missing_required_parameter", "messages[2].content[0].text"),
        ({"role": "function", "content": "a"}, "missing_required_parameter", "messages[2].name"),
        ({"role": "function", "name": "f"}, "missing_required_parameter", "messages[2].content"),
        (calls({"id": "a"}), "missing_required_parameter", "messages[2].tool_calls[0].type"),
        (calls({"id": "a", "type": "x"}), "invalid_value", "messages[2].tool_calls[0].type"),
        (calls({"type": "function"}), "missing_required_parameter", "messages[2].tool_calls[0].id"),
        (
            calls({"id": "a", "type": "function", "function": {"name": "f", "arguments": {}}}),
            "invalid_type",
            "messages[2].tool_calls[0].function.arguments",
        ),
        (
            calls({"id": "a", "type": "custom", "custom": {"name": "f"}}),
            "missing_required_parameter",
            "messages[2].tool_calls[0].custom.input",
        ),
        (
            {"role": "assistant", "function_call": {"name": "f"}},
            "missing_required_parameter",
            "messages[2].function_call.arguments",
        ),
        (calls(), "invalid_value", "messages.[2].content"),
    ],
)  # fmt: skip
def test_messages_that_are_refused(message: object, reason: str, field: str) -> None:
    error = refusal(messages=[USER, calls(call()), message] if "tool" in str(field) else [USER, USER, message])
    assert (error.reason, error.field) == (reason, field)


def test_unknown_fields_of_calls_and_results_are_named() -> None:
    made = {**call(), "index": 0}
    decoded = decode(messages=[USER, {**calls(made), "function_call": call()["function"]}, {**result(), "x": 1}])
    assert decoded.ignored == ["messages[1].tool_calls[0].index", "messages[1].function_call", "messages[2].x"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (
            {"tools": [custom(format={"type": "grammar", "grammar": {"syntax": "lark", "definition": "", "x": 1}})]},
            "tools[0].custom.format.grammar.x",
        ),
        ({"tools": BOTH, "tool_choice": {**function(), "x": 1}}, "tool_choice.x"),
        ({"tools": BOTH, "tool_choice": {**allowed("auto", function()), "x": 1}}, "tool_choice.x"),
        ({"tools": BOTH, "tool_choice": function(x=1)}, "tool_choice.function.x"),
        (
            {
                "tools": BOTH,
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "auto", "tools": [function()], "x": 1},
                },
            },
            "tool_choice.allowed_tools.x",
        ),
        (
            {"tools": BOTH, "tool_choice": allowed("auto", {**function(), "x": 1})},
            "tool_choice.allowed_tools.tools[0].x",
        ),
        ({"functions": [{"name": "f", "x": 1}]}, "functions[0].x"),
        ({"functions": [{"name": "f"}], "function_call": {"name": "f", "x": 1}}, "function_call.x"),
        (
            {"messages": [USER, {"role": "assistant", "function_call": {"name": "f", "arguments": "", "x": 1}}]},
            "messages[1].function_call.x",
        ),
        (
            {"messages": [USER, calls({**call(), "function": {"name": "f", "arguments": "", "x": 1}}), result()]},
            "messages[1].tool_calls[0].function.x",
        ),
        ({"messages": [USER, calls(call()), {**result(), "name": "f"}]}, "messages[2].name"),
    ],
)
def test_every_unknown_field_is_named_or_refused(body: dict[str, object], path: str) -> None:
    assert decode(**body).ignored == [path]
    error = refusal(strict=True, **body)
    assert (error.reason, error.field) == ("unknown_parameter", path)


def test_calls_of_one_id_need_as_many_results() -> None:
    twice = calls(call("a", "f"), call("a", "f"))
    assert len(turns(twice, result("a"), result("a"))[1].parts) == 2
    assert refusal(messages=[USER, twice, result("a")]).field == "messages[1].tool_calls"
    once_more = turns(calls(call("a")), result("a"), result("a"))
    assert len(once_more[1].parts) == 2
