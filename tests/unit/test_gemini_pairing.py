"""Calls and results in the history: ids, pairing, order, and what the service refuses."""

import pytest

from localaik.content import Attachment, Text
from localaik.errors import BadRequest
from localaik.generation.request import Message, ToolCall, ToolResult
from localaik.protocols.gemini.decode import decode
from localaik.protocols.gemini.reading import read
from localaik.protocols.gemini.types import GenerateContentRequest

NO_CALL = "Please ensure that function response turn comes immediately after a function call turn."
OTHER_NUMBER = (
    "Please ensure that the number of function response parts is equal to the number of function call parts of the"
    " function call turn."
)


def call(name: str = "f", **rest: object) -> dict[str, object]:
    return {"functionCall": {"name": name, **rest}}


def result(name: str = "f", value: object = 1, **rest: object) -> dict[str, object]:
    return {"functionResponse": {"name": name, "response": {"result": value}, **rest}}


def model(*parts: object) -> dict[str, object]:
    return {"role": "model", "parts": list(parts)}


def user(*parts: object, role: str = "user") -> dict[str, object]:
    return {"role": role, "parts": list(parts)}


def messages(*contents: object) -> list[Message]:
    body: dict[str, object] = {"contents": list(contents)}
    return decode(read(GenerateContentRequest, body, strict=True, ignored=[]), "m").generation.messages


def refusal(*contents: object) -> BadRequest:
    with pytest.raises(BadRequest) as raised:
        messages(*contents)
    return raised.value


def pairs(*contents: object) -> list[tuple[str, str]]:
    """Arguments of each call that has a result, and the result."""
    parts = [part for message in messages(*contents) for part in message.parts]
    calls = {part.id: part.arguments for part in parts if isinstance(part, ToolCall)}
    assert len(calls) == sum(isinstance(part, ToolCall) for part in parts), "an id is used twice"
    return [(calls[part.call_id], part.content) for part in parts if isinstance(part, ToolResult)]


# Calls


@pytest.mark.parametrize("rest", [{}, {"args": None}, {"args": {}}])
def test_b030_a_call_without_arguments_has_an_empty_object(rest: dict[str, object]) -> None:
    (_, turn) = messages(user({"text": "a"}), model(call(**rest)))
    assert turn.parts == [ToolCall("call_0", "f", "{}")]


def test_b018_keys_of_arguments_and_results_stay_as_they_are() -> None:
    value = {"fooBar": 1, "foo_bar": [2.0], "inline_data": {}}
    parts = messages(model(call(args=value)), user({"function_response": {"name": "f", "response": value}}))
    text = '{"fooBar":1,"foo_bar":[2.0],"inline_data":{}}'
    assert [message.parts for message in parts] == [
        [ToolCall("call_0", "f", text)],
        [ToolResult("call_0", "f", text)],
    ]


def test_b031_new_ids_differ_from_all_given_ones() -> None:
    first = model(call(args={"n": 1}), call(args={"n": 2}))
    second = model(call(args={"n": 3}, id="call_0"), call(args={"n": 4}, id="call_2"), call(args={"n": 5}, id="call_0"))
    turns = messages(first, user({"text": "go on"}), second)
    ids = [part.id for turn in turns for part in turn.parts if isinstance(part, ToolCall)]
    assert ids == ["call_1", "call_3", "call_0", "call_2", "call_4"]


def test_b028_signatures_are_accepted_and_must_be_base64() -> None:
    assert messages(model({**call(), "thoughtSignature": "-__-"}))
    assert messages(model({**call(), "thought_signature": "skip_thought_signature_validator"}))
    assert refusal(model({**call(), "thoughtSignature": "a!b"})).field == "contents[0].parts[0].thoughtSignature"


def test_b032_a_user_does_not_call() -> None:
    for role in ("user", "function", ""):
        assert refusal(user(call(), role=role)).field == "contents[0].parts[0].functionCall"


def test_a_model_has_no_results() -> None:
    assert refusal(model(call()), model(result())).field == "contents[1].parts[0].functionResponse"


def test_a_call_needs_a_name() -> None:
    assert refusal(model({"functionCall": {"args": {}}})).field == "contents[0].parts[0].functionCall.name"


def test_b029_a_call_and_text_in_one_part_are_refused() -> None:
    error = refusal(model({**call(), "text": "a"}))
    assert "only one of text and functionCall" in error.message


def test_b032_order_within_a_turn() -> None:
    image = {"inlineData": {"data": "AAAA"}}
    turns = messages(
        model(call(id="1"), {"text": "a"}, call("g", id="2"), {"text": "b"}),
        user({"text": "c"}, result("g", 2), image, result("f", 1), {"text": "d"}),
    )
    assert turns == [
        Message("assistant", [Text("ab"), ToolCall("1", "f", "{}"), ToolCall("2", "g", "{}")]),
        Message(
            "user",
            [
                ToolResult("2", "g", '{"result":2}'),
                ToolResult("1", "f", '{"result":1}'),
                Text("c"),
                Attachment("contents[1].parts[2].inlineData", base64="AAAA"),
                Text("d"),
            ],
        ),
    ]


# Results


def test_b033_a_missing_response_is_an_empty_object() -> None:
    turns = messages(model(call()), user({"functionResponse": {"name": "f"}}, role="function"))
    assert turns[1] == Message("user", [ToolResult("call_0", "f", "{}")])


def test_b033_images_and_files_of_a_result() -> None:
    parts = [{"inline_data": {"mime_type": "image/png", "data": "AQI="}}, {}, {"fileData": {"fileUri": "http://h/x"}}]
    turns = messages(model(call()), user({**result(parts=parts), "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}}))
    path = "contents[1].parts[0].functionResponse.parts"
    (told,) = turns[1].parts
    assert isinstance(told, ToolResult)
    assert told.parts == [
        Attachment(f"{path}[0].inlineData", base64="AQI=", mime="image/png", low_detail=True),
        Attachment(f"{path}[2].fileData", uri="http://h/x", low_detail=True),
    ]


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"inlineData": {}}, ".inlineData.data"),
        ({"fileData": {}}, ".fileData.fileUri"),
        ({"inlineData": {"data": "AA"}, "fileData": {"fileUri": "x"}}, ""),
        ({"text": "a"}, ".text"),
    ],
)
def test_b033_faulty_parts_of_a_result_are_named(part: object, field: str) -> None:
    error = refusal(model(call()), user(result(parts=[part])))
    assert error.field == f"contents[1].parts[0].functionResponse.parts[0]{field}"


def test_b031_results_go_by_id() -> None:
    turn = model(call(id="a", args={"n": 1}), call(id="b", args={"n": 2}))
    assert pairs(turn, user(result("f", 1, id="b"), result("other", 2, id="a"))) == [
        ('{"n":2}', '{"result":1}'),
        ('{"n":1}', '{"result":2}'),
    ]


@pytest.mark.parametrize("ids", [{}, {"id": "a"}])
def test_b031_results_without_id_go_by_name_in_order(ids: dict[str, object]) -> None:
    turn = model(call("f", args={"n": 1}, **ids), call("g", args={"n": 2}), call("f", args={"n": 3}))
    assert pairs(turn, user(result("g", 1), result("f", 2), result("f", 3))) == [
        ('{"n":2}', '{"result":1}'),
        ('{"n":1}', '{"result":2}'),
        ('{"n":3}', '{"result":3}'),
    ]


def test_b031_an_id_of_the_clients_own_goes_by_name_where_the_call_has_none() -> None:
    turn = model(call(args={"n": 1}), call(id="b", args={"n": 2}))
    assert pairs(turn, user(result(id="own"), result(id="b"))) == [
        ('{"n":1}', '{"result":1}'),
        ('{"n":2}', '{"result":1}'),
    ]


def test_b031_the_last_turn_of_calls_is_answered() -> None:
    contents = [model(call(args={"n": 1})), user({"text": "never mind"}), model(call(args={"n": 2})), user(result())]
    assert pairs(*contents) == [('{"n":2}', '{"result":1}')]
    assert pairs(*contents, model(call(args={"n": 3})), user(result("f", 2)))[-1] == ('{"n":3}', '{"result":2}')


def test_equal_ids_in_different_turns_are_different_calls() -> None:
    contents = [model(call(id="x", args={"n": 1})), user(result(id="x"))] * 2
    assert len(pairs(*contents)) == 2


def test_a_turn_may_be_spread_over_contents() -> None:
    contents = [model(call("f")), model(call("g")), user(result("f"), role="tool"), user(result("g"), role="function")]
    assert pairs(*contents) == [("{}", '{"result":1}')] * 2


@pytest.mark.parametrize(
    "contents",
    [
        [user({"text": "a"}), model(call())],
        [model(call()), user({"text": "no result"})],
        [model(call()), user({"text": "no result"}), model({"text": "fine"})],
        [model(call(), call()), user({"text": "no"}), model(call()), user(result())],
    ],
)
def test_calls_may_stay_without_result(contents: list[object]) -> None:
    assert messages(*contents)


@pytest.mark.parametrize(
    "contents",
    [
        [user(result())],
        [user({"text": "a"}), model({"text": "b"}), user(result())],
        [model(call("f")), user(result("g"))],
        [model(call(id="a")), user(result(id="b"))],
        [model(call()), user(result()), model({"text": "b"}), user(result())],
    ],
)
def test_b031_a_result_needs_an_open_call(contents: list[object]) -> None:
    error = refusal(*contents)
    assert error.message == NO_CALL
    assert error.field == f"contents[{len(contents) - 1}].parts[0].functionResponse"


@pytest.mark.parametrize(
    "contents",
    [
        [model(call(), call()), user(result())],
        [model(call()), user({"text": "a"}, result(), result())],
        [model(call()), user(result()), user(result())],
        [model(call("f"), call("g")), user(result("f")), model({"text": "a"}), user(result("g"))],
    ],
)
def test_g027_there_are_as_many_results_as_calls(contents: list[object]) -> None:
    assert refusal(*contents).message.split("\n")[0] == OTHER_NUMBER


def test_a_result_needs_a_name_or_an_id() -> None:
    error = refusal(model(call()), user({"functionResponse": {"response": {}}}))
    assert error.field == "contents[1].parts[0].functionResponse.name"


def test_long_histories_are_paired_in_linear_time() -> None:
    many = 20_000
    turns = messages(model(*[call() for _ in range(many)]), user(*[result() for _ in range(many)]))
    assert [part.call_id for part in turns[1].parts if isinstance(part, ToolResult)] == [
        f"call_{n}" for n in range(many)
    ]
