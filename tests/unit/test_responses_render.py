"""Items as the turns that a model is shown."""

import pytest

from localaik.content import Attachment, Text
from localaik.errors import BadRequest, NotFound
from localaik.generation.request import Message, ToolCall, ToolResult
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.responses.compaction import compact
from localaik.protocols.openai.responses.render import render
from tests.response_bodies import Fault, call, custom_call, custom_result, fault_of, kept, result, said


def turns(*items: object, instructions: str | None = None) -> list[Message]:
    made, _ = kept(list(items))
    places = {str(item["id"]): f"input[{index}]" for index, item in enumerate(made)}
    return render(made, instructions=instructions, places=places)


def refusal(*items: object) -> Fault:
    with pytest.raises(BadRequest) as refused:
        turns(*items)
    return fault_of(refused.value)


def user(text: str = "Hi") -> Object:
    return {"role": "user", "content": text}


def answer(text: str = "Yes", **more: object) -> Object:
    return {"role": "assistant", "content": text, **more}


HI = Message("user", [Text("Hi")])
YES = Message("assistant", [Text("Yes")])
CALL = ToolCall("call_1", "f", "{}")
RESULT = ToolResult("call_1", "f", "4")


def test_messages_and_instructions() -> None:
    system = {"role": "system", "content": "Be brief."}
    developer = {"role": "developer", "content": "Now French."}
    assert turns(system, user(), answer(), developer, user("Go"), instructions="You are Bo.") == [
        Message("system", [Text("You are Bo.")]),
        Message("system", [Text("Be brief.")]),
        HI,
        YES,
        Message("system", [Text("Now French.")]),
        Message("user", [Text("Go")]),
    ]


@pytest.mark.parametrize("instructions", [None, ""])
def test_no_instructions(instructions: str | None) -> None:
    assert turns(user(), instructions=instructions) == [HI]


def test_nothing_is_nothing() -> None:
    assert turns() == []


def test_parts_of_the_user() -> None:
    message = said(
        "user",
        {"type": "input_text", "text": "See"},
        {"type": "input_text", "text": "this:"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"},
        {"type": "input_image", "file_id": "file-1"},
        {"type": "input_file", "file_data": "QQ==", "filename": "a.md"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,QQ", "filename": "b.pdf", "detail": "low"},
        {"type": "input_file", "file_url": "https://a/b.pdf"},
        {"type": "input_file", "file_id": "file-2", "filename": "c.pdf"},
        {"type": "input_text", "text": "Done"},
    )
    path = "input[0].content"
    assert turns(message) == [
        Message(
            "user",
            [
                Text("See\nthis:"),
                Attachment(f"{path}[2].image_url", uri="data:image/png;base64,AA", low_detail=True, images_only=True),
                Attachment(f"{path}[3].file_id", stored="file-1", images_only=True),
                Attachment(f"{path}[4].file_data", base64="QQ==", mime="text/plain", name="a.md"),
                Text("\n"),
                Attachment(f"{path}[5].file_data", uri="data:application/pdf;base64,QQ", name="b.pdf", low_detail=True),
                Text("\n"),
                Attachment(f"{path}[6].file_url", uri="https://a/b.pdf"),
                Text("\n"),
                Attachment(f"{path}[7].file_id", stored="file-2", name="c.pdf"),
                Text("\nDone"),
            ],
        )
    ]


def test_files_of_the_developer_are_shown_by_the_user() -> None:
    message = said("developer", {"type": "input_text", "text": "Read"}, {"type": "input_file", "file_id": "file-1"})
    assert turns(message, user()) == [
        Message("system", [Text("Read\n")]),
        Message("user", [Attachment("input[0].content[1].file_id", stored="file-1")]),
        HI,
    ]


def test_items_that_are_not_of_the_request_are_named_by_their_ids() -> None:
    (item,), _ = kept([said("user", {"type": "input_image", "image_url": "x"}, id="msg_7")])
    (message,) = render([item])
    assert message.parts == [Attachment("msg_7.content[0].image_url", uri="x", images_only=True)]


def test_what_the_assistant_says_and_calls_in_one_go_is_one_turn() -> None:
    reasoning = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]}
    second = call("call_2", "g", '{"a":1}')
    assert turns(user(), reasoning, answer(), call(), second, result(), result("call_2", "5"), answer("So")) == [
        HI,
        Message("assistant", [Text("Yes"), CALL, ToolCall("call_2", "g", '{"a":1}')]),
        Message("user", [RESULT, ToolResult("call_2", "g", "5")]),
        Message("assistant", [Text("So")]),
    ]


def test_two_answers_are_two_turns() -> None:
    assert turns(answer(), answer("No"), call(), answer("Wait"), result()) == [
        YES,
        Message("assistant", [Text("No"), CALL, Text("Wait")]),
        Message("user", [RESULT]),
    ]


def test_an_empty_answer_is_an_empty_turn() -> None:
    assert turns(user(), answer(""), user()) == [HI, Message("assistant", []), HI]
    assert turns(answer(""), call(), result())[0] == Message("assistant", [CALL])


def test_a_refusal_is_what_the_assistant_said() -> None:
    message = said("assistant", {"type": "refusal", "refusal": "No."}, {"type": "output_text", "text": "Sorry."})
    assert turns(message) == [Message("assistant", [Text("No.\nSorry.")])]


def test_results_stand_together_wherever_they_come() -> None:
    two = call("call_2", "g")
    assert turns(call(), two, result("call_2"), user(), result(), user()) == [
        Message("assistant", [CALL, ToolCall("call_2", "g", "{}")]),
        Message("user", [ToolResult("call_2", "g", "4")]),
        HI,
        Message("user", [RESULT]),
        HI,
    ]


def test_custom_tools_and_namespaces() -> None:
    called = call(namespace="crm", name="find", arguments=" ")
    assert turns(called, custom_call(text=" x "), custom_result(output="5"), result()) == [
        Message("assistant", [ToolCall("call_1", "crm.find", "{}"), ToolCall("call_1", "c", " x ", custom=True)]),
        Message("user", [ToolResult("call_1", "c", "5"), ToolResult("call_1", "crm.find", "4")]),
    ]


def test_images_and_files_of_a_result_follow_it() -> None:
    output = [
        {"type": "input_text", "text": "One"},
        {"type": "input_image", "image_url": "data:x"},
        {"type": "input_text", "text": "Two"},
    ]
    image = Attachment("input[1].output[1].image_url", uri="data:x", images_only=True)
    assert turns(call(), result(output=output))[1] == Message("user", [ToolResult("call_1", "f", "One\nTwo", [image])])


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([user(), result("call_9")], "No tool call found for function call output with call_id call_9."),
        ([result(), call()], "No tool call found for function call output with call_id call_1."),
        ([custom_call(), result()], "No tool call found for function call output with call_id call_1."),
        ([call(), custom_result()], "No tool call found for custom tool call output with call_id call_1."),
        ([call(), user()], "No tool output found for function call call_1."),
        ([call("a"), call("b"), result("a")], "No tool output found for function call b."),
        ([custom_call("c")], "No tool output found for custom tool call c."),
    ],
)
def test_calls_and_results_belong_together(items: list[object], message: str) -> None:
    assert refusal(*items) == ("invalid_value", "input", message)


def test_a_call_that_was_cut_off_needs_no_result() -> None:
    cut = call(status="incomplete", arguments='{"a":')
    assert turns(user(), answer(), cut, user()) == [HI, YES, HI]
    assert turns(cut, result()) == [
        Message("assistant", [ToolCall("call_1", "f", '{"a":')]),
        Message("user", [RESULT]),
    ]


def test_a_result_may_be_told_twice() -> None:
    assert turns(call(), result(), result(output="5"))[1] == Message("user", [RESULT, ToolResult("call_1", "f", "5")])


def test_only_the_users_words_and_the_digest_are_left_of_what_was_compacted() -> None:
    before, _ = kept([user(), answer("Secret"), call("call_0"), result("call_0"), call()])
    made = compact(before, max_chars=1000)
    digest, ask = turns(*before, made, result(), user("Go"))[2:4]
    assert (digest.role, [type(part) for part in digest.parts]) == ("system", [Text])
    assert ask == Message("user", [RESULT])
    shown = turns(*before, made, result(), user("Go"))
    assert [message.role for message in shown] == ["user", "assistant", "system", "user", "user"]
    assert shown[1] == Message("assistant", [CALL])


@pytest.mark.parametrize("content", ["", "abc", "gAAAAAB", "AAAA"])
def test_a_foreign_digest_is_refused(content: str) -> None:
    reason, field, _ = refusal(user(), {"type": "compaction", "encrypted_content": content})
    assert (reason, str(field).startswith("input[1]")) == ("invalid_value", True)


def test_a_wish_to_compact_says_nothing() -> None:
    assert turns(user(), {"type": "compaction_trigger"}) == [HI]


def test_a_reference_must_be_replaced_before() -> None:
    with pytest.raises(NotFound, match=r"^Item with id 'msg_9' not found\.$"):
        turns(user(), {"id": "msg_9"})


@pytest.mark.parametrize(
    ("item", "role", "text"),
    [
        (
            {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "rain"}},
            "assistant",
            '[web_search_call {"action":{"type":"search","query":"rain"}}]',
        ),
        ({"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "ok"}]}, "user", None),
        ({"type": "mcp_approval_response", "approve": True}, "user", '[mcp_approval_response {"approve":true}]'),
        ({"type": "additional_tools", "tools": []}, "system", '[additional_tools {"tools":[]}]'),
        ({"type": "image_generation_call", "result": "A" * 9999}, "assistant", "[image_generation_call]"),
        ({"type": "program_output", "result": "x" * 99}, "user", f'[program_output {{"result":"{"x" * 79}…"}}]'),
    ],
)
def test_traces_are_one_short_line(item: Object, role: str, text: str | None) -> None:
    (message,) = turns(item)
    (part,) = message.parts
    assert isinstance(part, Text)
    assert message.role == role
    assert part.text == (text or '[shell_call_output {"output":[{"stdout":"ok"}]}]')


def test_long_and_deep_traces_are_cut() -> None:
    deep: object = "end"
    for _ in range(200):
        deep = [deep]
    (message,) = turns({"type": "mcp_call", "arguments": deep, "output": {f"k{i}": "x" * 500 for i in range(50)}})
    (part,) = message.parts
    assert isinstance(part, Text)
    assert "\n" not in part.text
    assert len(part.text) <= 242
