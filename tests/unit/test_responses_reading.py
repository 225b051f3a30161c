"""Requests about responses that are refused, and those that count and compact."""

import pytest

from localaik.errors import BadRequest, NotFound
from localaik.generation.request import ToolChoice
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.responses.decode import (
    check_include,
    decode_response,
    new_items,
    read_compact,
    read_count,
    read_create,
)
from tests.response_bodies import Fault, decode, fault_of, function

SCHEMA: Object = {"type": "object", "properties": {"a": {"type": "integer"}}}
FORM: Object = {"type": "json_schema", "name": "out", "schema": SCHEMA}


def read_fault(body: object) -> Fault:
    with pytest.raises(BadRequest) as refused:
        read_create(body)
    return fault_of(refused.value)


INCLUDES = (
    "'code_interpreter_call.outputs', 'computer_call_output.output.image_url', 'file_search_call.results',"
    " 'message.input_image.image_url', 'message.output_text.logprobs', 'reasoning.encrypted_content',"
    " 'web_search_call.action.sources', and 'web_search_call.results'"
)
EFFORTS = "'none', 'minimal', 'low', 'medium', 'high', 'xhigh', and 'max'"
FAULTS: list[tuple[object, str, str | None, str]] = [
    ([], "invalid_json", None, "The body must be a JSON object."),
    ({"input": "Hi"}, "missing_required_parameter", "model", "Missing required parameter: 'model'."),
    ({"model": "m"}, "missing_required_parameter", "input", "Missing required parameter: 'input'."),
    ({"model": "m", "input": None}, "missing_required_parameter", "input", "Missing required parameter: 'input'."),
    ({"model": 5}, "invalid_type", "model", "Invalid type for 'model': expected a string, but got an integer instead."),
    (
        {"model": "m", "input": "Hi", "previous_response_id": "resp_1", "conversation": "conv_1"},
        "mutually_exclusive_parameters",
        "previous_response_id",
        "Mutually exclusive parameters: 'previous_response_id' and 'conversation'.",
    ),
    (
        {"model": "m", "input": "Hi", "conversation": 5},
        "invalid_type",
        "conversation",
        "Invalid type for 'conversation': expected one of a string or an object, but got an integer instead.",
    ),
    (
        {"model": "m", "input": "Hi", "conversation": {}},
        "missing_required_parameter",
        "conversation.id",
        "Missing required parameter: 'conversation.id'.",
    ),
    (
        {"model": "m", "input": "Hi", "background": True, "store": False},
        "invalid_value",
        "background",
        "Invalid value for 'background': it is only allowed when 'store' is not false.",
    ),
    (
        {"model": "m", "input": "Hi", "max_output_tokens": 15},
        "integer_below_min_value",
        "max_output_tokens",
        "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 15 instead.",
    ),
    (
        {"model": "m", "input": "Hi", "temperature": 2.5},
        "decimal_above_max_value",
        "temperature",
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 2.5 instead.",
    ),
    (
        {"model": "m", "input": "Hi", "top_logprobs": 21},
        "integer_above_max_value",
        "top_logprobs",
        "Invalid 'top_logprobs': integer above maximum value. Expected a value <= 20, but got 21 instead.",
    ),
    (
        {"model": "m", "input": "Hi", "store": "yes"},
        "invalid_type",
        "store",
        "Invalid type for 'store': expected a boolean, but got a string instead.",
    ),
    (
        {"model": "m", "input": "Hi", "truncation": "middle"},
        "invalid_value",
        "truncation",
        "Invalid value: 'middle'. Supported values are: 'auto' and 'disabled'.",
    ),
    (
        {"model": "m", "input": "Hi", "include": ["reasoning.encrypted_content", "all"]},
        "invalid_value",
        "include[1]",
        f"Invalid value: 'all'. Supported values are: {INCLUDES}.",
    ),
    (
        {"model": "m", "input": "Hi", "reasoning": {"effort": "most"}},
        "invalid_value",
        "reasoning.effort",
        f"Invalid value: 'most'. Supported values are: {EFFORTS}.",
    ),
    (
        {"model": "m", "input": "Hi", "reasoning": {"effort": "low"}, "reasoning_effort": "high"},
        "invalid_value",
        "reasoning_effort",
        "Invalid value for 'reasoning_effort': 'high' differs from 'reasoning.effort', which is 'low'.",
    ),
    (
        {"model": "m", "input": "Hi", "text": {"format": {"type": "json_schema", "name": "out"}}},
        "missing_required_parameter",
        "text.format.schema",
        "Missing required parameter: 'text.format.schema'.",
    ),
    (
        {"model": "m", "input": "Hi", "text": {"format": {"type": "json_schema", "json_schema": FORM}}},
        "missing_required_parameter",
        "text.format.name",
        "Missing required parameter: 'text.format.name'.",
    ),
    (
        {"model": "m", "input": "Hi", "text": {"format": {**FORM, "schema": []}}},
        "invalid_type",
        "text.format.schema",
        "Invalid type for 'text.format.schema': expected an object, but got an array instead.",
    ),
    (
        {"model": "m", "input": "Hi", "text": {"format": {"type": "xml"}}},
        "invalid_value",
        "text.format.type",
        "Invalid value: 'xml'. Supported values are: 'text', 'json_object', and 'json_schema'.",
    ),
    (
        {"model": "m", "input": "Hi", "text": {"verbosity": "loud"}},
        "invalid_value",
        "text.verbosity",
        "Invalid value: 'loud'. Supported values are: 'low', 'medium', and 'high'.",
    ),
    (
        {"model": "m", "input": "Hi", "metadata": {"a": "x" * 513}},
        "string_above_max_length",
        "metadata.a",
        (
            "Invalid 'metadata.a': string too long. Expected a string with maximum length 512, but got a string with"
            " length 513 instead."
        ),
    ),
    (
        {"model": "m", "input": "Hi", "context_management": [{"compact_threshold": 5}]},
        "missing_required_parameter",
        "context_management[0].type",
        "Missing required parameter: 'context_management[0].type'.",
    ),
    (
        {"model": "m", "input": "Hi", "prompt": {}},
        "missing_required_parameter",
        "prompt.id",
        "Missing required parameter: 'prompt.id'.",
    ),
]


@pytest.mark.parametrize(("body", "reason", "field", "message"), FAULTS)
def test_faults_name_their_place(body: object, reason: str, field: str | None, message: str) -> None:
    assert read_fault(body) == (reason, field, message)


def test_a_stored_prompt_is_never_found() -> None:
    with pytest.raises(NotFound, match=r"^Prompt with id 'p_1' not found\.$"):
        read_create({"model": "m", "prompt": {"id": "p_1"}})
    body = {"model": "m", "prompt": {"id": "p_1"}}
    for more in ({"input": "Hi"}, {"instructions": "Go"}, {"previous_response_id": "resp_1"}, {"conversation": "c"}):
        assert read_create({**body, **more}).prompt is not None


def test_the_words_of_include() -> None:
    check_include([])
    check_include(["message.output_text.logprobs", "web_search_call.results"])
    with pytest.raises(BadRequest) as refused:
        check_include(["message.output_text.logprobs", "all"])
    assert fault_of(refused.value) == (
        "invalid_value",
        "include[1]",
        f"Invalid value: 'all'. Supported values are: {INCLUDES}.",
    )


def counted(body: Object, *, strict: bool = False) -> list[str]:
    """Fields without effect."""
    request = read_count(body)
    items = new_items(request, strict=strict)
    return decode_response(request, items, max_messages=0, max_tools=0, strict=strict).ignored


def test_requests_to_count() -> None:
    body: Object = {"input": "Hi", "instructions": "Go", "tools": [function()], "tool_choice": "required"}
    request = read_count(body)
    decoded = decode_response(request, new_items(request, strict=True), max_messages=0, max_tools=0, strict=True)
    same = decode(**body)
    assert decoded.generation.messages == same.generation.messages
    assert (decoded.generation.tools, decoded.generation.tool_choice) == (same.generation.tools, ToolChoice("required"))
    assert read_count({"model": "x"}).model == "x"
    assert counted({"input": "Hi", "text": {"format": FORM}, "truncation": "auto"}, strict=True) == []
    assert counted({"input": "Hi", "temperature": 1, "foo": 2, "stream": None}) == ["foo", "temperature"]
    with pytest.raises(BadRequest, match=r"^Unknown parameter: 'temperature'\.$"):
        counted({"input": "Hi", "temperature": 1}, strict=True)
    with pytest.raises(BadRequest, match="Mutually exclusive"):
        read_count({"previous_response_id": "resp_1", "conversation": "conv_1"})
    with pytest.raises(BadRequest, match="'reasoning_effort'"):
        read_count({"reasoning_effort": "low", "reasoning": {"effort": "high"}})
    with pytest.raises(BadRequest, match="must be a JSON object"):
        read_count([])


def test_requests_to_compact() -> None:
    request = read_compact({"model": "m", "input": "Hi", "instructions": "Go"})
    assert (request.model, len(new_items(request, strict=True))) == ("m", 1)
    assert read_compact({"model": "m", "previous_response_id": "resp_1"}).previous_response_id == "resp_1"
    for body, field in (({"model": "m"}, "input"), ({"input": "Hi"}, "model")):
        with pytest.raises(BadRequest) as refused:
            read_compact(body)
        assert fault_of(refused.value) == (
            "missing_required_parameter",
            field,
            f"Missing required parameter: '{field}'.",
        )
