"""Items: from what callers write to what is kept, told again, and accepted again."""

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.conversations import ConversationItem
from pydantic import TypeAdapter

from localaik.errors import BadRequest
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.responses.items import BUILT_IN_KINDS, references
from tests.response_bodies import (
    Fault,
    call,
    custom_call,
    custom_result,
    fault_of,
    kept,
    result,
    said,
)

HI = {"type": "input_text", "text": "Hi"}
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}
FILE = {"type": "input_file", "file_data": "QQ==", "filename": "a.txt"}


def one(item: object, path: str = "input") -> Object:
    (item,), _ = kept([item], path)
    return item


def refusal(item: object, path: str = "input", *, strict: bool = False) -> Fault:
    with pytest.raises(BadRequest) as refused:
        kept([item], path, strict=strict)
    return fault_of(refused.value)


def test_a_string_is_a_message_of_the_user() -> None:
    (item,), ignored = kept("Hi")
    assert re.fullmatch("msg_[0-9a-f]{32}", str(item.pop("id")))
    assert item == {"type": "message", "role": "user", "content": [HI], "status": "completed"}
    assert ignored == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"role": "user", "content": "Hi"}, {"type": "message", "content": [HI]}),
        ({"type": None, "role": "user", "content": "Hi"}, {"type": "message", "content": [HI]}),
        ({"role": "system", "content": "Hi"}, {"role": "system", "content": [HI]}),
        (said("developer", {"type": "text", "text": "Hi"}), {"role": "developer", "content": [HI]}),
        (
            {"role": "assistant", "content": "Hi"},
            {"content": [{"type": "output_text", "text": "Hi", "annotations": []}], "status": "completed"},
        ),
        (
            said("assistant", {"type": "text", "text": "Hi"}, {"type": "refusal", "refusal": "No"}),
            {
                "content": [
                    {"type": "output_text", "text": "Hi", "annotations": []},
                    {"type": "refusal", "refusal": "No"},
                ]
            },
        ),
        (
            said("user", {"type": "input_image", "file_id": "file-1"}),
            {"content": [{"type": "input_image", "file_id": "file-1", "detail": "auto"}]},
        ),
        (said("user", HI, IMAGE, FILE, phase=None), {"content": [HI, IMAGE, FILE], "phase": None}),
        ({"role": "assistant", "content": []}, {"content": []}),
        (said("assistant", id="msg_1", status="incomplete"), {"id": "msg_1", "status": "incomplete"}),
        (result(output={"a": [1, None]}), {"output": '{"a":[1,null]}'}),
        (result(output=None), {"output": "null"}),
        (result(output=[]), {"output": "[]"}),
        (result(output=[1, 2]), {"output": "[1,2]"}),
        (result(output=[{"type": "image", "data": "AA"}]), {"output": '[{"type":"image","data":"AA"}]'}),
        (result(output=[{"type": "text", "text": "Hi"}, IMAGE]), {"output": [HI, IMAGE]}),
        (custom_result(output=3.5), {"output": "3.5"}),
        ({"type": "reasoning"}, {"summary": [], "status": "completed"}),
        ({"id": "msg_9"}, {"type": "item_reference", "id": "msg_9"}),
        ({"id": "msg_9", "type": None}, {"type": "item_reference", "id": "msg_9"}),
    ],
)
def test_what_may_be_left_out_is_filled_in(given: Object, expected: Object) -> None:
    item = one(given)
    assert {key: item[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("given", "prefix"),
    [
        ({"role": "user", "content": "Hi"}, "msg"),
        (call(), "fc"),
        (result(), "fco"),
        (custom_call(), "ctc"),
        (custom_result(), "ctco"),
        ({"type": "reasoning", "summary": []}, "rs"),
        ({"type": "compaction", "encrypted_content": "x"}, "cmp"),
        ({"type": "web_search_call"}, "item"),
        ({"type": "compaction_trigger"}, "item"),
    ],
)
@pytest.mark.parametrize("absent", [{}, {"id": None}, {"id": ""}])
def test_items_without_an_id_get_one(given: Object, prefix: str, absent: Object) -> None:
    assert re.fullmatch(f"{prefix}_[0-9a-f]{{32}}", str(one({**given, **absent})["id"]))
    assert one({**given, "id": "mine"})["id"] == "mine"


def test_ids_are_kept_also_twice() -> None:
    items, _ = kept([{"role": "user", "content": "a", "id": "x"}, {"role": "user", "content": "b", "id": "x"}])
    assert [item["id"] for item in items] == ["x", "x"]


@pytest.mark.parametrize("kind", sorted(BUILT_IN_KINDS))
def test_traces_of_built_in_tools_stay_as_they_are(kind: str) -> None:
    given = {"id": "x_1", "type": kind, "status": "failed", "action": {"a": [1, {"b": None}]}, "other": "é"}
    assert one(given) == given


def test_an_absent_status_is_completed_where_the_kind_has_one() -> None:
    assert one({"type": "shell_call", "call_id": "c"})["status"] == "completed"
    assert one({"type": "mcp_call", "status": None})["status"] == "completed"
    assert "status" not in one({"type": "mcp_list_tools"})
    assert "status" not in one({"type": "compaction", "encrypted_content": "x"})


def test_references_are_told() -> None:
    items, _ = kept([{"id": "msg_1"}, {"role": "user", "content": "Hi"}, {"type": "item_reference", "id": "rs_2"}])
    assert references(items) == ["msg_1", "rs_2"]


def test_unknown_fields_are_kept_and_named() -> None:
    items, ignored = kept([said("user", {**HI, "extra": 1}, colour="red", shade=None), call(caller={"type": "direct"})])
    assert ignored == ["input[0].colour", "input[0].content[0].extra"]
    assert items[0]["colour"] == "red"
    assert refusal(said("user", HI, colour="red"), strict=True) == (
        "unknown_parameter",
        "input[0].colour",
        "Unknown parameter: 'input[0].colour'.",
    )


def test_of_two_sources_the_second_is_without_effect() -> None:
    image = {"type": "input_image", "image_url": "data:x", "file_id": "file-1"}
    file = {"type": "input_file", "file_data": "x", "file_url": "y", "file_id": "z"}
    _, ignored = kept([said("user", image, file)])
    assert ignored == ["input[0].content[0].file_id", "input[0].content[1].file_url", "input[0].content[1].file_id"]


FAULTS: list[tuple[object, str, str, str]] = [
    (5, "invalid_type", "input[0]", "Invalid type for 'input[0]': expected an object, but got an integer instead."),
    ({"content": "Hi"}, "missing_required_parameter", "input[0].type", "Missing required parameter: 'input[0].type'."),
    (
        {"type": "message", "content": "Hi"},
        "missing_required_parameter",
        "input[0].role",
        "Missing required parameter: 'input[0].role'.",
    ),
    (
        {"role": "tool", "content": "Hi"},
        "invalid_value",
        "input[0].role",
        "Invalid value: 'tool'. Supported values are: 'assistant', 'developer', 'system', and 'user'.",
    ),
    (
        {"role": "user"},
        "missing_required_parameter",
        "input[0].content",
        "Missing required parameter: 'input[0].content'.",
    ),
    (
        {"role": "user", "content": None},
        "invalid_type",
        "input[0].content",
        "Invalid type for 'input[0].content': expected one of a string or an array of objects, but got null instead.",
    ),
    (
        said("user"),
        "empty_array",
        "input[0].content",
        (
            "Invalid 'input[0].content': empty array. Expected an array with minimum length 1, but got an empty array"
            " instead."
        ),
    ),
    (
        said("user", {"type": "output_text", "text": "x"}),
        "invalid_value",
        "input[0].content[0].type",
        (
            "Invalid value: 'output_text'. Supported values are: 'input_text', 'input_image', 'input_file', and"
            " 'input_audio'."
        ),
    ),
    (
        said("assistant", {"type": "input_text", "text": "x"}),
        "invalid_value",
        "input[0].content[0].type",
        "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.",
    ),
    (
        said("user", HI, {"type": "input_image", "image_url": {"url": "x"}}),
        "invalid_type",
        "input[0].content[1].image_url",
        "Invalid type for 'input[0].content[1].image_url': expected a string, but got an object instead.",
    ),
    (
        said("user", HI, {"type": "input_image"}),
        "missing_required_parameter",
        "input[0].content[1].image_url",
        "Missing required parameter: 'input[0].content[1].image_url'.",
    ),
    (
        said("user", {"type": "input_file", "filename": "a"}),
        "missing_required_parameter",
        "input[0].content[0].file_data",
        "Missing required parameter: 'input[0].content[0].file_data'.",
    ),
    (
        said("user", {"type": "input_audio", "input_audio": {}}),
        "unsupported_value",
        "input[0].content[0].type",
        "Invalid value: 'input_audio'. The model behind this server takes no audio ('input[0].content[0]').",
    ),
    (
        said("user", HI, status="done"),
        "invalid_value",
        "input[0].status",
        "Invalid value: 'done'. Supported values are: 'in_progress', 'completed', and 'incomplete'.",
    ),
    (
        {"type": "function_call", "name": "f", "arguments": "{}"},
        "missing_required_parameter",
        "input[0].call_id",
        "Missing required parameter: 'input[0].call_id'.",
    ),
    (
        {"type": "function_call_output", "call_id": "c"},
        "missing_required_parameter",
        "input[0].output",
        "Missing required parameter: 'input[0].output'.",
    ),
    (
        result(output=[HI, {"type": "input_text"}]),
        "missing_required_parameter",
        "input[0].output[1].text",
        "Missing required parameter: 'input[0].output[1].text'.",
    ),
    (
        {"type": "custom_tool_call", "call_id": "c", "name": "f"},
        "missing_required_parameter",
        "input[0].input",
        "Missing required parameter: 'input[0].input'.",
    ),
    (
        {"type": "reasoning", "summary": ["x"]},
        "invalid_type",
        "input[0].summary[0]",
        "Invalid type for 'input[0].summary[0]': expected an object, but got a string instead.",
    ),
    (
        {"type": "compaction"},
        "missing_required_parameter",
        "input[0].encrypted_content",
        "Missing required parameter: 'input[0].encrypted_content'.",
    ),
    (
        {"type": "item_reference"},
        "missing_required_parameter",
        "input[0].id",
        "Missing required parameter: 'input[0].id'.",
    ),
    (
        said("user", HI, id="x" * 201),
        "string_above_max_length",
        "input[0].id",
        (
            "Invalid 'input[0].id': string too long. Expected a string with maximum length 200, but got a string with"
            " length 201 instead."
        ),
    ),
]


@pytest.mark.parametrize(("item", "reason", "field", "message"), FAULTS)
def test_faults_name_their_place(item: object, reason: str, field: str, message: str) -> None:
    assert refusal(item) == (reason, field, message)


@pytest.mark.parametrize("kind", ["foo", "configuration_update", "Message"])
def test_an_unknown_kind_is_refused(kind: str) -> None:
    reason, field, message = refusal({"type": kind}, "items")
    assert (reason, field) == ("invalid_value", "items[0].type")
    assert message.startswith(f"Invalid value: '{kind}'. Supported values are: 'additional_tools', 'apply_patch_call',")


@pytest.mark.parametrize("item_id", ["a\nb", "a\x00b", "\x7f"])
def test_ids_hold_no_control_characters(item_id: str) -> None:
    assert refusal(said("user", HI, id=item_id))[:2] == ("invalid_value", "input[0].id")


@pytest.mark.parametrize(("value", "got"), [(5, "an integer"), ({}, "an object"), (None, "null")])
def test_a_field_that_holds_no_items(value: object, got: str) -> None:
    with pytest.raises(BadRequest) as refused:
        kept(value, "items")
    message = f"Invalid type for 'items': expected one of a string or an array of objects, but got {got} instead."
    assert fault_of(refused.value) == ("invalid_type", "items", message)


SDK_ITEMS: list[Object] = [
    said("user", HI, IMAGE, FILE),
    said("assistant", {"type": "output_text", "text": "Hi", "logprobs": None}, phase=None),
    call(id="fc_1", status=None, namespace=None, caller=None),
    result(output=[HI, {"type": "input_image", "image_url": "https://a/b.png"}]),
    custom_call(),
    custom_result(),
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": None},
    {"type": "compaction", "encrypted_content": "x"},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
    {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}, "environment": None},
    {"type": "mcp_list_tools", "id": "m_1", "server_label": "s", "tools": []},
    {"type": "image_generation_call", "id": "ig_1", "result": None, "status": "completed"},
]


@pytest.mark.parametrize("given", SDK_ITEMS, ids=lambda item: str(item.get("type", item.get("role"))))
def test_items_fit_the_official_client(given: Object) -> None:
    """What the client makes of an item, with everything that it fills in, comes in again."""
    item = one(given)
    kinds = {kind.model_fields["type"].annotation: kind for kind in get_args(get_args(ConversationItem)[0])}
    (model,) = (kind for type_, kind in kinds.items() if item["type"] in get_args(type_))
    read = TypeAdapter(model).validate_python(item)
    sent = read.model_dump(mode="json", by_alias=True)
    again, ignored = kept([sent], strict=True)
    assert (again[0]["id"], ignored) == (item["id"], [])
    assert [kept([item], strict=True)[0][0]] == [item]


texts = st.text(max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
in_parts = st.lists(
    st.builds(lambda text: {"type": "text", "text": text}, texts)
    | st.builds(lambda text: {"type": "input_text", "text": text}, texts)
    | st.sampled_from([IMAGE, FILE, {"type": "input_image", "file_id": "file-1"}]),
    min_size=1,
    max_size=3,
)
out_parts = st.lists(
    st.builds(lambda kind, text: {"type": kind, "text": text}, st.sampled_from(["text", "output_text"]), texts)
    | st.builds(lambda text: {"type": "refusal", "refusal": text}, texts),
    max_size=3,
)
wire_items = st.one_of(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "system", "developer"]),
        texts | in_parts,
    ),
    st.builds(lambda content: {"type": "message", "role": "assistant", "content": content}, texts | out_parts),
    st.builds(lambda output: result(output=output), json_values | in_parts),
    st.builds(lambda output: custom_result(output=output), json_values | in_parts),
    st.builds(lambda text: call(arguments=text, namespace="n"), texts),
    st.builds(lambda text: custom_call(text=text), texts),
    st.builds(lambda text: {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}, texts),
    st.builds(lambda kind, value: {"type": kind, "x": value}, st.sampled_from(sorted(BUILT_IN_KINDS)), json_values),
    st.sampled_from([{"id": "msg_1"}, {"type": "compaction_trigger"}, {"type": "compaction", "encrypted_content": ""}]),
)


@given(texts | st.lists(wire_items, max_size=4))
def test_what_is_kept_is_accepted_again_and_stays_the_same(value: object) -> None:
    items, _ = kept(value)
    assert kept(items, "items", strict=True) == (items, [])
    assert all(item["id"] and isinstance(item["type"], str) for item in items)
