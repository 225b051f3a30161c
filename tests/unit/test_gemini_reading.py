"""Requests of the Gemini API as JSON: names, numbers, enums, null, unknown fields, and the words of faults."""

import copy
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localaik.errors import BadRequest
from localaik.protocols.gemini.decode import decode
from localaik.protocols.gemini.reading import read
from localaik.protocols.gemini.types import CountTokensRequest, GenerateContentRequest

CONTENTS = [{"parts": [{"text": "Hi"}]}]
USER_DATA = {"properties", "labels", "args", "response", "default", "example", "responseJsonSchema", "partMetadata"}


def read_config(config: dict[str, object]) -> object:
    return read(GenerateContentRequest, {"generationConfig": config}, strict=True, ignored=[]).generation_config


def refusal(body: object, *, strict: bool = False) -> BadRequest:
    with pytest.raises(BadRequest) as raised:
        read(GenerateContentRequest, body, strict=strict, ignored=[])
    return raised.value


# B17, B18: spellings

FULL_BODY: dict[str, object] = {
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "a", "thoughtSignature": "c2ln"},
                {"inlineData": {"mimeType": "image/png", "data": "aGk=", "displayName": "n"}},
                {
                    "fileData": {"fileUri": "https://h/x.png", "mimeType": "image/png"},
                    "videoMetadata": {"startOffset": "1s"},
                },
                {"executableCode": {"language": "PYTHON", "code": "1"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
                {"toolCall": {"toolType": "FILE_SEARCH", "args": {"someKey": {"inner_key": 1, "innerKey": 2}}}},
                {"toolResponse": {"toolType": "FILE_SEARCH", "response": {"some_key": 1, "someKey": 2}}},
                {"text": "b", "partMetadata": {"aB": 1, "a_b": 2}},
                {"text": "c", "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}},
            ],
        }
    ],
    "systemInstruction": {"role": "user", "parts": [{"text": "s"}]},
    "generationConfig": {
        "topP": 0.5,
        "topK": 4,
        "candidateCount": 2,
        "maxOutputTokens": 9,
        "stopSequences": ["x"],
        "presencePenalty": 0,
        "frequencyPenalty": 1,
        "responseLogprobs": True,
        "logprobs": 2,
        "responseMimeType": "application/json",
        "responseModalities": ["TEXT"],
        "responseSchema": {
            "type": "OBJECT",
            "propertyOrdering": ["snake_key", "camelKey"],
            "minProperties": "1",
            "properties": {
                "camelKey": {"type": "STRING", "minLength": 1, "default": {"minLength": 1, "min_length": 2}},
                "snake_key": {
                    "anyOf": [{"type": "NULL"}, {"type": "ARRAY", "minItems": 1, "items": {"type": "NUMBER"}}]
                },
            },
            "additionalProperties": {"type": "STRING", "maxLength": 2},
        },
        "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 0},
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
    },
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "toolConfig": {"functionCallingConfig": {"mode": "NONE"}},
    "tools": [{"googleSearch": {}}, {"functionDeclarations": [{"name": "f"}]}],
    "labels": {"a_b": "1", "aB": "2"},
    "serviceTier": "standard",
}
FULL_BODY["toolConfig"]["includeServerSideToolInvocations"] = True  # type: ignore[index]


def snake(name: str) -> str:
    return re.sub("([A-Z])", lambda match: "_" + match[1].lower(), name)


def respell(value: object, choose: object) -> object:
    """The value with each of the API's own names in the spelling that `choose()` picks."""
    if isinstance(value, list):
        return [respell(item, choose) for item in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for name, inner in value.items():
        respelt = snake(name) if choose() else name  # type: ignore[operator]
        if name == "properties":
            result[respelt] = {key: respell(schema, choose) for key, schema in inner.items()}
        else:
            result[respelt] = inner if name in USER_DATA else respell(inner, choose)
    return result


@settings(deadline=None)
@given(st.data())
def test_g005_any_mixture_of_spellings_decodes_to_the_same_request(data: st.DataObject) -> None:
    respelt = respell(copy.deepcopy(FULL_BODY), lambda: data.draw(st.booleans()))

    decoded = decode(read(GenerateContentRequest, respelt, strict=True, ignored=[]), "m")

    expected = decode(read(GenerateContentRequest, copy.deepcopy(FULL_BODY), strict=True, ignored=[]), "m")
    assert decoded == expected


def test_g005_keys_of_the_caller_survive() -> None:
    request = read(GenerateContentRequest, copy.deepcopy(FULL_BODY), strict=True, ignored=[])

    parts = request.contents[0].parts  # type: ignore[index]
    schema = request.generation_config.response_schema  # type: ignore[union-attr]
    assert parts[5].tool_call.args == {"someKey": {"inner_key": 1, "innerKey": 2}}  # type: ignore[index, union-attr]
    assert request.labels == {"a_b": "1", "aB": "2"}
    assert list(schema.properties) == ["camelKey", "snake_key"]  # type: ignore[union-attr, arg-type]
    assert schema.properties["camelKey"].default == {"minLength": 1, "min_length": 2}  # type: ignore[union-attr, index]


def test_b017_both_spellings_of_one_field_are_refused() -> None:
    error = refusal({"generationConfig": {"topK": 1, "top_k": 1}})
    assert error.field == "generationConfig.topK"
    assert "given twice" in error.message


def test_b020_a_null_spelling_does_not_count() -> None:
    for config in ({"topK": None, "top_k": 3}, {"topK": 3, "top_k": None}):
        assert read_config(config).top_k == 3  # type: ignore[attr-defined]
    assert read_config({"topK": None, "top_k": None}).top_k is None  # type: ignore[attr-defined]


# B20: numbers


@pytest.mark.parametrize("value", [5, "5", 5.0, "5.0", "5e0", "50e-1"])
def test_b020_integers_in_every_form(value: object) -> None:
    assert read_config({"topK": value}).top_k == 5  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [0.5, "0.5", "5e-1"])
def test_b020_floats_in_every_form(value: object) -> None:
    assert read_config({"topP": value}).top_p == 0.5  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "value", [5.5, "5.5", "abc", "NaN", "", " 5", "1_0", True, [5], {}, 2**31, "1e999", "9" * 5000]
)
def test_b020_what_is_no_int32_is_refused_by_name(value: object) -> None:
    error = refusal({"generationConfig": {"seed": value}})
    assert error.field == "generationConfig.seed"
    assert error.message.startswith("Invalid value at 'generation_config.seed' (TYPE_INT32), ")


def test_b020_the_message_shows_the_value() -> None:
    assert refusal({"generationConfig": {"topK": "abc"}}).message == (
        "Invalid value at 'generation_config.top_k' (TYPE_INT32), \"abc\""
    )


@pytest.mark.parametrize("value", ["NaN", "Infinity", True, "x", 10**400])
def test_b020_what_is_no_number_is_refused_by_name(value: object) -> None:
    assert refusal({"generationConfig": {"temperature": value}}).field == "generationConfig.temperature"


def test_b020_null_is_absence_everywhere() -> None:
    body = {"systemInstruction": None, "generationConfig": {"topK": None, "responseSchema": None}, "tools": None}
    request = read(GenerateContentRequest, {**body, "contents": CONTENTS}, strict=True, ignored=[])
    assert request.generation_config.top_k is None  # type: ignore[union-attr]
    assert request.tools is None


# G11: ranges, zeros


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("temperature", -0.1, 2.1),
        ("topP", -0.1, 1.1),
        ("topK", 0, None),
        ("presencePenalty", -2.1, 2.1),
        ("frequencyPenalty", -2.1, 2.1),
        ("candidateCount", 0, 9),
        ("maxOutputTokens", 0, None),
        ("logprobs", -1, 21),
    ],
)
def test_g011_both_ends_of_every_range(field: str, low: float, high: float | None) -> None:
    for value in (low, high):
        if value is not None:
            error = refusal({"generationConfig": {field: value}})
            assert error.field == f"generationConfig.{field}"
            assert error.message.startswith(f"* GenerateContentRequest.generation_config.{snake(field)}: must be ")


@pytest.mark.parametrize("field", ["temperature", "topP", "presencePenalty", "frequencyPenalty", "seed", "logprobs"])
def test_g011_zero_is_a_value(field: str) -> None:
    assert getattr(read_config({field: 0}), snake(field)) == 0


@pytest.mark.parametrize("budget", [-2, 32769])
def test_thinking_budget_has_a_range(budget: int) -> None:
    assert refusal({"generationConfig": {"thinkingConfig": {"thinkingBudget": budget}}}).field == (
        "generationConfig.thinkingConfig.thinkingBudget"
    )


# B21: enums


@pytest.mark.parametrize("value", ["BLOCK_NONE", "block_none", "Block_None", 4, "4"])
def test_b021_enums_by_name_in_any_case_and_by_number(value: object) -> None:
    request = read(GenerateContentRequest, {"safetySettings": [{"threshold": value}]}, strict=True, ignored=[])
    assert request.safety_settings[0].threshold == "BLOCK_NONE"  # type: ignore[index]


@pytest.mark.parametrize("value", ["BLOCK", 99, [], None])
def test_b021_unknown_names_are_refused_with_the_known_ones(value: object) -> None:
    error = refusal({"generationConfig": {"responseModalities": [value]}})
    assert error.field == "generationConfig.responseModalities[0]"
    assert "TEXT, IMAGE, AUDIO, VIDEO" in error.message


# B23: one object as a list; bare system text


def test_b023_an_object_stands_for_a_list_of_one() -> None:
    request = read(GenerateContentRequest, {"contents": {"parts": {"text": "Hi"}}}, strict=True, ignored=[])
    assert request.contents[0].parts[0].text == "Hi"  # type: ignore[index]


def test_b025_a_system_instruction_may_be_a_string() -> None:
    request = read(GenerateContentRequest, {"system_instruction": "Be brief."}, strict=True, ignored=[])
    assert request.system_instruction.parts[0].text == "Be brief."  # type: ignore[union-attr, index]


# B19: unknown fields


def test_g007_unknown_fields_are_named_and_dropped() -> None:
    ignored: list[str] = []
    body = {"contents": {"parts": {"text": "a", "Text": "b"}}, "zz": 1, "generation_config": {"routingConfig": {}}}
    request = read(GenerateContentRequest, body, strict=False, ignored=ignored)
    assert sorted(ignored) == ["contents[0].parts[0].Text", "generationConfig.routingConfig", "zz"]
    assert request.contents[0].parts[0].text == "a"  # type: ignore[index]


def test_g007_strict_wire_refuses_them_one_line_each() -> None:
    error = refusal({"contents": [{"parts": [{"x": 1}]}], "y": 2}, strict=True)
    assert error.message == (
        "Invalid JSON payload received. Unknown name \"x\" at 'contents[0].parts[0]': Cannot find field.\n"
        'Invalid JSON payload received. Unknown name "y": Cannot find field.'
    )
    assert [fault.field for fault in error.faults] == ["contents[0].parts[0].x", "y"]


def test_unknown_fields_inside_schemas_are_named_with_the_callers_keys() -> None:
    ignored: list[str] = []
    schema = {"properties": {"a_b": {"foo_bar": 1}, "items": {"additional_properties": {"oneOf": []}}}}
    read(GenerateContentRequest, {"generationConfig": {"response_schema": schema}}, strict=False, ignored=ignored)
    assert ignored == [
        "generationConfig.responseSchema.properties.a_b.foo_bar",
        "generationConfig.responseSchema.properties.items.additionalProperties.oneOf",
    ]


@pytest.mark.parametrize("field", ["systemInstruction", "system_instruction", "tools", "generationConfig"])
def test_count_tokens_never_ignores_what_would_change_the_count(field: str) -> None:
    with pytest.raises(BadRequest, match="Unknown name"):
        read(CountTokensRequest, {"contents": CONTENTS, field: {}}, strict=False, ignored=[])


# Faults


def test_all_faults_are_told_at_once_and_twenty_at_most() -> None:
    error = refusal({"generationConfig": {"topK": "x", "topP": 7}, "contents": [5], "store": "yes"})
    assert [fault.field for fault in error.faults] == [
        "contents[0]",
        "generationConfig.topP",
        "generationConfig.topK",
        "store",
    ]
    assert len(refusal({"contents": [1] * 50}).faults) == 20


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "Invalid value (an object), []"),
        ("x", 'Invalid value (an object), "x"'),
        ({"contents": {"parts": {"text": 5}}}, "Invalid value at 'contents[0].parts[0].text' (TYPE_STRING), 5"),
        ({"labels": {"someKey": 1}}, "Invalid value at 'labels.someKey' (TYPE_STRING), 1"),
        ({"store": "x" * 500}, f"Invalid value at 'store' (TYPE_BOOL), \"{'x' * 99}..."),
        ({"contents": 2**70}, f"Invalid value at 'contents' (a list), {2**70}"),
        ({"contents": [{"parts": [{"thoughtSignature": "?"}]}]}, '(TYPE_BYTES), "?"'),
    ],
)
def test_wrong_types_are_told_by_path_and_value(body: object, message: str) -> None:
    assert message in refusal(body).message
