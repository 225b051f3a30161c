"""From the wire to the neutral request: functions, and how they may be called."""

import pytest

from localaik.errors import BadRequest
from localaik.generation.request import NO_PARAMETERS, FunctionTool, JsonMatching, ToolChoice
from localaik.protocols.gemini.decode import Decoded, decode, decode_count
from localaik.protocols.gemini.reading import read
from localaik.protocols.gemini.types import CountTokensRequest, GenerateContentRequest

CONTENTS = [{"role": "user", "parts": [{"text": "Hi"}]}]
OBJECT = {"type": "OBJECT", "properties": {"b": {"type": "STRING"}, "a": {"type": "INTEGER"}}, "required": ["b"]}
NEUTRAL = {
    "type": "object",
    "properties": {"b": {"type": "string"}, "a": {"type": "integer"}},
    "required": ["b"],
}


def decoded(*declarations: object, **calling: object) -> Decoded:
    body = {"contents": CONTENTS, "tools": [{"functionDeclarations": list(declarations)}]}
    if calling:
        body["toolConfig"] = {"functionCallingConfig": calling}  # type: ignore[assignment]
    return decode_body(body)


def decode_body(body: dict[str, object]) -> Decoded:
    return decode(read(GenerateContentRequest, body, strict=True, ignored=[]), "m")


def refusal(*declarations: object, **calling: object) -> BadRequest:
    with pytest.raises(BadRequest) as raised:
        decoded(*declarations, **calling)
    return raised.value


def function(name: str = "f", **rest: object) -> dict[str, object]:
    return {"name": name, **rest}


# Declarations


def test_b042_parameters_become_a_neutral_schema() -> None:
    (tool,) = decoded(function(description="d", parameters=OBJECT)).generation.tools
    assert tool == FunctionTool("f", "d", NEUTRAL, "tools[0].functionDeclarations[0].parameters")
    assert list(tool.parameters["properties"]) == ["b", "a"]  # type: ignore[union-attr, call-overload]


def test_b044_json_schema_is_taken_as_it_is_and_wins() -> None:
    schema = {"type": "object", "properties": {"type_name": {"$ref": "#/$defs/X"}}, "$defs": {"X": {"const": 1}}}
    result = decoded(function(parametersJsonSchema=schema, parameters=OBJECT))
    (tool,) = result.generation.tools
    assert tool == FunctionTool("f", "", schema, "tools[0].functionDeclarations[0].parametersJsonSchema")
    assert result.ignored == ["tools[0].functionDeclarations[0].parameters"]


def test_b017_declarations_may_be_in_snake_case() -> None:
    body = {
        "contents": CONTENTS,
        "tools": {"function_declarations": {"name": "f", "parameters_json_schema": {"type": ["null", "object"]}}},
        "tool_config": {"function_calling_config": {"mode": "any", "allowed_function_names": ["f"]}},
    }
    generation = decode_body(body).generation
    assert [tool.name for tool in generation.tools] == ["f"]
    assert generation.tool_choice == ToolChoice("required", ("f",))


def test_b044_functions_of_all_tools_are_merged_in_order() -> None:
    names = ["f", "_", "A-b.c:d9"]
    tools = [{"functionDeclarations": [function(names[0]), function(names[1])]}, {}, {"functionDeclarations": []}]
    tools.append({"functionDeclarations": function(names[2], parameters=OBJECT)})  # type: ignore[dict-item]
    generation = decode_body({"contents": CONTENTS, "tools": tools}).generation
    assert [tool.name for tool in generation.tools] == names
    assert generation.tools[2].field == "tools[3].functionDeclarations[0].parameters"


@pytest.mark.parametrize("rest", [{}, {"parameters": None}, {"parametersJsonSchema": None}])
def test_b044_no_parameters_mean_an_empty_object(rest: dict[str, object]) -> None:
    (tool,) = decoded(function(**rest)).generation.tools
    assert tool.parameters == NO_PARAMETERS  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "schema", [{}, {"properties": {"a": {"type": "STRING"}}}, {"anyOf": [OBJECT]}, {"type": "OBJECT", "nullable": True}]
)
def test_parameters_whose_type_may_be_object_are_accepted(schema: dict[str, object]) -> None:
    assert len(decoded(function(parameters=schema)).generation.tools) == 1


def test_what_has_no_effect_is_named() -> None:
    result = decoded(function(response=OBJECT, responseJsonSchema={}, behavior="NON_BLOCKING"), mode="NONE")
    path = "tools[0].functionDeclarations[0]"
    assert result.ignored == [f"{path}.response", f"{path}.responseJsonSchema", f"{path}.behavior"]


@pytest.mark.parametrize(
    ("declarations", "field", "words"),
    [
        ([{}], "[0].name", "is not specified"),
        ([function("f"), function("9f")], "[1].name", "must start with a letter"),
        ([function("f g")], "[0].name", "must start with a letter"),
        ([function("f" * 129)], "[0].name", "at most 128"),
        ([function("f"), function("g"), function("f")], "[2].name", "f is declared twice"),
        ([function(parameters={"type": "STRING"})], "[0].parameters.type", "must be OBJECT"),
        ([function(parametersJsonSchema={"type": ["array"]})], "[0].parametersJsonSchema.type", "must be OBJECT"),
        ([function(parametersJsonSchema=[])], "[0].parametersJsonSchema", "must be a JSON Schema of an object"),
        (
            [function(parameters={**OBJECT, "propertyOrdering": ["x"]})],
            "[0].parameters.propertyOrdering",
            "do not exist: x",
        ),
        (
            [function(parameters={**OBJECT, "properties": {"a": {"type": "SORT"}}})],
            "[0].parameters.properties.a.type",
            "must be one of",
        ),
        ([function(behavior="LATER")], "[0].behavior", "must be one of"),
    ],
)
def test_b044_faulty_declarations_are_named(declarations: list[object], field: str, words: str) -> None:
    error = refusal(*declarations)
    assert error.field == f"tools[0].functionDeclarations{field}"
    assert words in error.message
    assert len(error.faults) == 1


def test_two_declarations_in_different_tools_share_no_name() -> None:
    one = {"functionDeclarations": [function()]}
    with pytest.raises(BadRequest) as raised:
        decode_body({"contents": CONTENTS, "tools": [one, one]})
    assert raised.value.field == "tools[1].functionDeclarations[0].name"


# Function calling config


@pytest.mark.parametrize(
    ("calling", "choice"),
    [
        ({}, ToolChoice()),
        ({"mode": None}, ToolChoice("auto")),
        ({"mode": "MODE_UNSPECIFIED"}, ToolChoice("auto")),
        ({"mode": 1, "allowedFunctionNames": []}, ToolChoice("auto")),
        ({"mode": "NONE"}, ToolChoice("none")),
        ({"mode": "ANY"}, ToolChoice("required")),
        ({"mode": "ANY", "allowedFunctionNames": ["g", "f", "g"]}, ToolChoice("required", ("g", "f"))),
        ({"mode": "VALIDATED"}, ToolChoice("auto")),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["g"]}, ToolChoice("auto", ("g",))),
    ],
)
def test_b045_modes(calling: dict[str, object], choice: ToolChoice) -> None:
    generation = decoded(function("f"), function("g"), **calling).generation
    assert generation.tool_choice == choice
    assert [tool.name for tool in generation.tools] == ["f", "g"]


@pytest.mark.parametrize(
    ("calling", "field"),
    [
        ({"mode": "ANY", "allowedFunctionNames": ["f", "h"]}, "allowedFunctionNames[1]"),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["h"]}, "allowedFunctionNames[0]"),
        ({"mode": "AUTO", "allowedFunctionNames": ["f"]}, "allowedFunctionNames"),
        ({"mode": "NONE", "allowedFunctionNames": ["f"]}, "allowedFunctionNames"),
        ({"mode": "SOMETIMES"}, "mode"),
    ],
)
def test_b045_configs_that_contradict(calling: dict[str, object], field: str) -> None:
    assert refusal(function(), **calling).field == f"toolConfig.functionCallingConfig.{field}"


def test_b045_any_needs_a_function() -> None:
    assert refusal(mode="ANY").field == "toolConfig.functionCallingConfig.mode"


def test_a_schema_for_answers_goes_together_with_functions() -> None:
    generation = decode_body(
        {
            "contents": CONTENTS,
            "tools": [{"functionDeclarations": [function()]}],
            "generationConfig": {"responseSchema": {"type": "STRING"}},
        }
    ).generation
    assert generation.output == JsonMatching({"type": "string"}, "generationConfig.responseSchema")
    assert [tool.name for tool in generation.tools] == ["f"]


def test_b048_counting_sees_the_functions() -> None:
    body: dict[str, object] = {
        "generateContentRequest": {
            "contents": CONTENTS,
            "tools": [{"functionDeclarations": [function(parameters=OBJECT)]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        }
    }
    generation = decode_count(read(CountTokensRequest, body, strict=True, ignored=[]), "m").generation
    field = "generateContentRequest.tools[0].functionDeclarations[0].parameters"
    assert generation.tools == (FunctionTool("f", "", NEUTRAL, field),)
    assert generation.tool_choice == ToolChoice("required")
