"""Tools and choices of chat requests, as what is asked of the model."""

import pytest

from localaik.errors import BadRequest
from localaik.generation.request import (
    NO_PARAMETERS,
    CustomTool,
    FunctionTool,
    ToolChoice,
)
from localaik.protocols.openai.errors import answer_of
from localaik.protocols.openai.tools import about_schema
from tests.openai_bodies import (
    BOTH,
    SCHEMA,
    USER,
    allowed,
    call,
    calls,
    custom,
    decode,
    function,
    grammar,
    refusal,
    result,
)


def test_functions() -> None:
    tools = [function("f", description="Says", parameters=SCHEMA, strict=True), function("g-1", parameters=None)]
    decoded = decode(tools=tools)
    assert decoded.generation.tools == (
        FunctionTool("f", "Says", SCHEMA, "tools[0].function.parameters"),
        FunctionTool("g-1", "", NO_PARAMETERS, "tools[1].function.parameters"),
    )
    assert decoded.generation.tool_choice == ToolChoice("auto", None, parallel=True)
    assert decoded.ignored == []
    assert (decoded.answering.may_call, decoded.answering.legacy_calls) == (True, False)


def test_an_empty_schema_takes_any_object() -> None:
    (tool,) = decode(tools=[function(parameters={})]).generation.tools
    assert isinstance(tool, FunctionTool)
    assert tool.parameters == {"type": "object"}


def test_custom_tools() -> None:
    tools = [
        custom("a", description="Runs"),
        custom("b", format={"type": "text"}),
        custom("c", format=grammar("regex")),
        custom("d", format=grammar("lark", "start: /a/")),
    ]
    assert decode(tools=tools).generation.tools == (
        CustomTool("a", "Runs", field="tools[0].custom"),
        CustomTool("b", field="tools[1].custom"),
        CustomTool("c", pattern="[a-z]+", field="tools[2].custom.format.grammar.definition"),
        CustomTool("d", syntax="start: /a/", field="tools[3].custom.format.grammar.definition"),
    )


@pytest.mark.parametrize(
    ("tool", "reason", "field"),
    [
        ({}, "missing_required_parameter", "tools[0].type"),
        ({"type": "web_search"}, "invalid_value", "tools[0].type"),
        ({"type": "function"}, "missing_required_parameter", "tools[0].function"),
        (5, "invalid_type", "tools[0]"),
        ({"type": "function", "function": {}}, "missing_required_parameter", "tools[0].function.name"),
        (function(7), "invalid_type", "tools[0].function.name"),
        (function("a b"), "invalid_value", "tools[0].function.name"),
        (function(""), "invalid_value", "tools[0].function.name"),
        (function("x" * 65), "invalid_value", "tools[0].function.name"),
        (function("f\n"), "invalid_value", "tools[0].function.name"),
        (function(description=1), "invalid_type", "tools[0].function.description"),
        (function(strict="yes"), "invalid_type", "tools[0].function.strict"),
        (function(parameters=[]), "invalid_type", "tools[0].function.parameters"),
        (function(parameters=True), "invalid_type", "tools[0].function.parameters"),
        ({"type": "custom"}, "missing_required_parameter", "tools[0].custom"),
        (custom("ä"), "invalid_value", "tools[0].custom.name"),
        (custom(format="text"), "invalid_type", "tools[0].custom.format"),
        (custom(format={}), "missing_required_parameter", "tools[0].custom.format.type"),
        (custom(format={"type": "json"}), "invalid_value", "tools[0].custom.format.type"),
        (custom(format={"type": "grammar"}), "missing_required_parameter", "tools[0].custom.format.grammar"),
        (custom(format=grammar("gbnf")), "invalid_value", "tools[0].custom.format.grammar.syntax"),
        (custom(format=grammar("regex", 5)), "invalid_type", "tools[0].custom.format.grammar.definition"),
    ],
)
def test_tools_that_are_refused(tool: object, reason: str, field: str) -> None:
    error = refusal(tools=[tool])
    assert (error.reason, error.field) == (reason, field)


@pytest.mark.parametrize(
    ("schema", "got"),
    [
        ({"type": "array"}, "array"),
        ({"type": "string"}, "string"),
        ({"properties": {}}, "None"),
        ({"type": ["object", "null"]}, "['object', 'null']"),
        ({"anyOf": [SCHEMA]}, "None"),
    ],
)
def test_arguments_are_always_an_object(schema: object, got: str) -> None:
    error = refusal(tools=[function("f"), function("g", parameters=schema)])
    answer = answer_of(error)
    assert (answer.status, answer.code, answer.param) == (
        400,
        "invalid_function_parameters",
        "tools[1].function.parameters",
    )
    assert answer.message == (
        f"Invalid schema for function 'g': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{got}\"'."
    )
    legacy = refusal(functions=[{"name": "g", "parameters": schema}])
    assert (legacy.reason, legacy.field) == ("invalid_function_parameters", "functions[0].parameters")


def test_names_are_unique() -> None:
    for tools, field in (
        ([function("a"), function("b"), function("a")], "tools[2].function.name"),
        ([function("a"), custom("a")], "tools[1].custom.name"),
    ):
        error = refusal(tools=tools)
        assert (error.reason, error.field) == ("invalid_value", field)
    error = refusal(functions=[{"name": "a"}, {"name": "a"}])
    assert (error.reason, error.field) == ("invalid_value", "functions[1].name")


def test_the_most_tools() -> None:
    tools = [function(f"f{index}") for index in range(129)]
    assert len(decode(tools=tools).generation.tools) == 129
    assert len(decode(tools=tools, max_tools=129).generation.tools) == 129
    for name, declared in (("tools", tools), ("functions", [{"name": f"f{index}"} for index in range(129)])):
        for strict, max_tools in ((False, 128), (True, 512), (True, 0)):
            error = refusal(strict=strict, max_tools=max_tools, **{name: declared})
            assert (error.reason, error.field) == ("array_above_max_length", name)
            assert "maximum length 128" in error.message


def test_unknown_fields_of_tools_are_named() -> None:
    tools = [{**function(x=1), "y": 2}, custom(format={**grammar("regex"), "z": 3}, w=4)]
    assert decode(tools=tools).ignored == [
        "tools[0].y",
        "tools[0].function.x",
        "tools[1].custom.w",
        "tools[1].custom.format.z",
    ]
    assert refusal(strict=True, tools=tools).field == "tools[0].y"


@pytest.mark.parametrize(
    ("value", "choice"),
    [
        (None, ToolChoice()),
        ("none", ToolChoice("none")),
        ("auto", ToolChoice("auto")),
        ("required", ToolChoice("required")),
        (function("f"), ToolChoice("required", ("f",), parallel=False)),
        (custom("c"), ToolChoice("required", ("c",), parallel=False)),
        (allowed("auto", function("f")), ToolChoice("auto", ("f",))),
        (allowed("required", custom("c"), function("f"), custom("c")), ToolChoice("required", ("c", "f"))),
    ],
)
def test_b074_choices(value: object, choice: ToolChoice) -> None:
    decoded = decode(tools=BOTH, tool_choice=value)
    assert decoded.generation.tool_choice == choice
    assert len(decoded.generation.tools) == 2
    assert decoded.ignored == []
    assert decoded.answering.may_call == (choice.mode != "none")


@pytest.mark.parametrize("value", [None, "required", allowed("auto", function("f"))])
def test_b074_one_call_at_most(value: object) -> None:
    assert not decode(tools=BOTH, tool_choice=value, parallel_tool_calls=False).generation.tool_choice.parallel
    assert decode(tools=BOTH, tool_choice=value, parallel_tool_calls=True).generation.tool_choice.parallel
    assert decode(tools=BOTH, parallel_tool_calls=False).ignored == []


@pytest.mark.parametrize(
    ("value", "reason", "field"),
    [
        ("any", "invalid_value", "tool_choice"),
        (5, "invalid_type", "tool_choice"),
        ([], "invalid_type", "tool_choice"),
        ({}, "missing_required_parameter", "tool_choice.type"),
        ({"type": "any"}, "invalid_value", "tool_choice.type"),
        ({"type": "function"}, "missing_required_parameter", "tool_choice.function"),
        ({"type": "function", "function": {}}, "missing_required_parameter", "tool_choice.function.name"),
        (function("g"), "invalid_value", "tool_choice"),
        (function("c"), "invalid_value", "tool_choice"),
        (custom("f"), "invalid_value", "tool_choice"),
        (allowed("auto"), "empty_array", "tool_choice.allowed_tools.tools"),
        (allowed("none", function("f")), "invalid_value", "tool_choice.allowed_tools.mode"),
        (allowed("auto", function("g")), "invalid_value", "tool_choice"),
        (allowed("auto", {}), "missing_required_parameter", "tool_choice.allowed_tools.tools[0].type"),
        (allowed("auto", function(5)), "invalid_type", "tool_choice.allowed_tools.tools[0].function.name"),
    ],
)
def test_choices_that_are_refused(value: object, reason: str, field: str) -> None:
    error = refusal(tools=BOTH, tool_choice=value)
    assert (error.reason, error.field) == (reason, field)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [], "tool_choice": function("f")}, "tool_choice"),
        ({"functions": [{"name": "f"}], "tool_choice": "required"}, "tool_choice"),
        ({"function_call": {"name": "f"}}, "function_call"),
        ({"functions": [], "function_call": {"name": "f"}}, "function_call"),
    ],
)
def test_a_choice_without_tools_is_refused(body: dict[str, object], field: str) -> None:
    error = refusal(**body)
    assert (error.reason, error.field) == ("invalid_value", field)
    assert "is only allowed when" in error.message


@pytest.mark.parametrize(
    "body",
    [
        {"tools": []},
        {"tools": None, "tool_choice": "auto"},
        {"tool_choice": "none", "parallel_tool_calls": False},
        {"functions": [], "function_call": "auto"},
        {"messages": [USER, {"role": "assistant", "content": "a", "tool_calls": None, "function_call": None}]},
        {"messages": [USER, {"role": "assistant", "content": "a", "tool_calls": []}]},
    ],
)
def test_no_tools_are_no_fault(body: dict[str, object]) -> None:
    decoded = decode(**body)
    assert decoded.ignored == []
    assert decoded.generation.tools == ()
    assert decoded.generation.tool_choice == ToolChoice()
    assert not decoded.answering.may_call


@pytest.mark.parametrize(
    ("value", "choice"),
    [
        (None, ToolChoice("auto", parallel=False)),
        ("auto", ToolChoice("auto", parallel=False)),
        ("none", ToolChoice("none", parallel=False)),
        ({"name": "g"}, ToolChoice("required", ("g",), parallel=False)),
    ],
)
def test_functions_of_the_time_before_tools(value: object, choice: ToolChoice) -> None:
    functions = [{"name": "f", "description": "Says", "parameters": SCHEMA}, {"name": "g"}]
    decoded = decode(functions=functions, function_call=value)
    assert decoded.generation.tools == (
        FunctionTool("f", "Says", SCHEMA, "functions[0].parameters"),
        FunctionTool("g", "", NO_PARAMETERS, "functions[1].parameters"),
    )
    assert decoded.generation.tool_choice == choice
    assert decoded.answering.legacy_calls == decoded.answering.may_call == (choice.mode != "none")


@pytest.mark.parametrize(
    ("value", "reason", "field"),
    [
        ("required", "invalid_value", "function_call"),
        (5, "invalid_type", "function_call"),
        ({}, "missing_required_parameter", "function_call.name"),
        ({"name": "g"}, "invalid_value", "function_call"),
    ],
)
def test_a_function_call_that_is_refused(value: object, reason: str, field: str) -> None:
    error = refusal(functions=[{"name": "f"}], function_call=value)
    assert (error.reason, error.field) == (reason, field)


def test_tools_win_over_functions() -> None:
    decoded = decode(tools=[function("f")], functions=[{"name": "g"}], function_call={"name": "g"})
    assert [tool.name for tool in decoded.generation.tools] == ["f"]
    assert decoded.generation.tool_choice == ToolChoice()
    assert not decoded.answering.legacy_calls
    assert decoded.ignored == ["functions", "function_call"]


def test_a_grammar_after_calls_is_refused() -> None:
    error = refusal(messages=[USER, calls(call()), result()], grammar='root ::= "a"')
    assert (error.reason, error.field) == ("mutually_exclusive_parameters", "grammar")
    assert error.message == "Mutually exclusive parameters: 'grammar' and 'tool_calls'."


def test_a_grammar_beside_tools_is_refused() -> None:
    error = refusal(tools=[function()], grammar='root ::= "a"')
    assert (error.reason, error.field) == ("mutually_exclusive_parameters", "grammar")
    assert error.message == "Mutually exclusive parameters: 'grammar' and 'tools'."


@pytest.mark.parametrize(
    ("field", "whose", "code"),
    [
        ("tools[1].function.parameters.properties.a", "schema for function 'g'", "invalid_json_schema"),
        ("tools[1].function.parameters", "schema for function 'g'", "invalid_json_schema"),
        ("tools[2].custom.format.grammar.definition.pattern", "grammar for custom tool 'c'", "invalid_value"),
        ("response_format.json_schema.schema", "schema for response_format 's'", "invalid_json_schema"),
    ],
)
def test_faults_of_schemas_name_whose_they_are(field: str, whose: str, code: str) -> None:
    tools = decode(tools=[function("f"), function("g"), custom("c", format=grammar("regex"))]).generation.tools
    error = about_schema(BadRequest("Bad.", field=field, reason="invalid_schema"), tools, "s")
    answer = answer_of(error)
    assert (answer.message, answer.code) == (f"Invalid {whose}: Bad.", code)
    assert answer.param == field.removesuffix(".pattern")


def test_other_faults_stay_as_they_are() -> None:
    other = BadRequest("Long.", field="tools[0].function.parameters", reason="invalid_value")
    nameless = BadRequest("Bad.", field="response_format.json_schema.schema", reason="invalid_schema")
    tools = decode(tools=[function("f")]).generation.tools
    assert about_schema(other, tools, "s") is other
    assert about_schema(nameless, tools, None) is nameless
