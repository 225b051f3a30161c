"""Tools and choices of a response, as what is asked of the model and as the response repeats them."""

import pytest

from localaik.errors import BadRequest
from localaik.generation.request import NO_PARAMETERS, CustomTool, FunctionTool, ToolChoice
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.errors import answer_of
from localaik.protocols.openai.responses.answering import Namespaced
from localaik.protocols.openai.tools import about_schema
from tests.response_bodies import custom, decode, function, namespace, refusal

SCHEMA: Object = {"type": "object", "properties": {"city": {"type": "string"}}}
BOTH = [function(), custom()]


def grammar(syntax: object, definition: object = "[a-z]+") -> Object:
    return {"type": "grammar", "syntax": syntax, "definition": definition}


def allowed(mode: object, *tools: object) -> Object:
    return {"type": "allowed_tools", "mode": mode, "tools": list(tools)}


def test_functions() -> None:
    tools = [
        function(description="Says", parameters=SCHEMA, strict=False),
        function("g-1", parameters=None),
        function("h", parameters={}),
    ]
    decoded = decode(tools=tools)
    assert decoded.generation.tools == (
        FunctionTool("f", "Says", SCHEMA, "tools[0].parameters"),
        FunctionTool("g-1", "", NO_PARAMETERS, "tools[1].parameters"),
        FunctionTool("h", "", {"type": "object"}, "tools[2].parameters"),
    )
    assert decoded.generation.tool_choice == ToolChoice("auto", None, parallel=True)
    assert (decoded.ignored, decoded.answering.may_call) == ([], True)


def test_custom_tools() -> None:
    tools = [
        custom("a", description="Runs"),
        custom("b", format={"type": "text"}),
        custom("c", format=grammar("regex")),
        custom("d", format=grammar("lark", "start: /a/")),
    ]
    assert decode(tools=tools).generation.tools == (
        CustomTool("a", "Runs", field="tools[0]"),
        CustomTool("b", field="tools[1].format"),
        CustomTool("c", pattern="[a-z]+", field="tools[2].format.definition"),
        CustomTool("d", syntax="start: /a/", field="tools[3].format.definition"),
    )


def test_tools_in_a_namespace() -> None:
    decoded = decode(tools=[namespace("crm", function("find", description="Finds"), custom("ask")), function("find")])
    assert decoded.generation.tools == (
        FunctionTool("crm.find", "Customers: Finds", NO_PARAMETERS, "tools[0].tools[0].parameters"),
        CustomTool("crm.ask", "Customers", field="tools[0].tools[1]"),
        FunctionTool("find", "", NO_PARAMETERS, "tools[1].parameters"),
    )
    assert decoded.answering.namespaced == {
        "crm.find": Namespaced("crm", "find"),
        "crm.ask": Namespaced("crm", "ask"),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "apply_patch",
        "code_interpreter",
        "computer",
        "computer_use_preview",
        "file_search",
        "image_generation",
        "local_shell",
        "mcp",
        "programmatic_tool_calling",
        "shell",
        "tool_search",
        "web_search",
        "web_search_2031_01_01",
        "web_search_preview_2025_03_11",
    ],
)
def test_built_in_tools_are_repeated_and_never_called(kind: str) -> None:
    tool = {"type": kind, "anything": [1]}
    decoded = decode(tools=[function(), tool])
    assert [each.name for each in decoded.generation.tools] == ["f"]
    assert decoded.ignored == ["tools[1]"]
    tools = decoded.echo["tools"]
    assert isinstance(tools, list)
    assert tools[1] == tool
    with pytest.raises(BadRequest) as refused:
        decode(tools=[tool], refuse_server_tools=True)
    assert (refused.value.reason, refused.value.field) == ("unsupported_value", "tools[0].type")
    forced = refusal(tools=[function(), tool], tool_choice={"type": kind})
    message = f"Invalid value: '{kind}'. This server runs no tools of its own: give it functions or custom tools."
    assert forced == ("unsupported_value", "tool_choice", message)


def test_only_built_in_tools_leave_nothing_to_call() -> None:
    decoded = decode(tools=[{"type": "web_search"}], tool_choice="auto")
    assert (decoded.generation.tools, decoded.answering.may_call) == ((), False)
    assert refusal(tools=[{"type": "web_search"}], tool_choice="required")[:2] == ("unsupported_value", "tool_choice")


def test_tools_as_the_response_repeats_them() -> None:
    form = grammar("regex")
    tools = [
        function(),
        {"strict": False, "parameters": SCHEMA, "description": "D", "name": "g", "type": "function", "x": 1},
        custom(format=form),
        namespace("crm", function("find", strict=None)),
    ]
    echo = decode(tools=tools).echo["tools"]
    bare: Object = {"type": "function", "name": "f", "description": None, "parameters": None, "strict": True}
    assert echo == [
        bare,
        {"type": "function", "name": "g", "description": "D", "parameters": SCHEMA, "strict": False, "x": 1},
        custom(format=form),
        namespace("crm", {**bare, "name": "find"}),
    ]
    assert isinstance(echo, list)
    assert list(echo[1]) == ["type", "name", "description", "parameters", "strict", "x"]


def test_what_has_no_effect_is_named() -> None:
    tools = [
        function(defer_loading=True, output_schema={}, **{"async": True}, colour=1),
        custom(allowed_callers=["direct"], defer_loading=False),
        {**namespace("n", function("g", shade=1)), "icon": "x"},
    ]
    assert decode(tools=tools).ignored == [
        "tools[0].colour",
        "tools[0].defer_loading",
        "tools[0].async",
        "tools[0].output_schema",
        "tools[1].allowed_callers",
        "tools[2].icon",
        "tools[2].tools[0].shade",
    ]
    assert refusal(tools=[function(colour=1)], strict=True)[:2] == ("unknown_parameter", "tools[0].colour")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, ToolChoice("auto")),
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        (function(), ToolChoice("required", ("f",), parallel=False)),
        (custom(), ToolChoice("required", ("c",), parallel=False)),
        (function("n.g"), ToolChoice("required", ("n.g",), parallel=False)),
        (function("g", namespace="n"), ToolChoice("required", ("n.g",), parallel=False)),
        (function("g"), ToolChoice("required", ("n.g",), parallel=False)),
        (allowed("auto", function(), custom(), function()), ToolChoice("auto", ("f", "c"))),
        (allowed("required", function("g")), ToolChoice("required", ("n.g",))),
        (allowed("auto", {"type": "namespace", "name": "n"}), ToolChoice("auto", ("n.g", "n.h"))),
        (allowed("auto", {"type": "mcp", "server_label": "s"}), ToolChoice("auto", ())),
    ],
)
def test_choices(choice: object, expected: ToolChoice) -> None:
    tools = [*BOTH, namespace("n", function("g"), function("h"))]
    decoded = decode(tools=tools, tool_choice=choice)
    assert decoded.generation.tool_choice == expected
    assert decoded.answering.may_call is (choice != "none")
    assert decoded.echo["tool_choice"] == ("auto" if choice is None else choice)


def test_one_call_at_most() -> None:
    decoded = decode(tools=BOTH, parallel_tool_calls=False)
    assert decoded.generation.tool_choice == ToolChoice("auto", parallel=False)
    assert decoded.echo["parallel_tool_calls"] is False


@pytest.mark.parametrize("choice", [None, "none", "auto"])
@pytest.mark.parametrize("tools", [None, []])
def test_no_tools(choice: object, tools: object) -> None:
    decoded = decode(tools=tools, tool_choice=choice)
    assert (decoded.generation.tools, decoded.answering.may_call, decoded.echo["tools"]) == ((), False, [])


WORDS = "'none', 'auto', or 'required'"
FAULTS: list[tuple[Object, str, str, str]] = [
    (
        {"tools": {}},
        "invalid_type",
        "tools",
        "Invalid type for 'tools': expected an array, but got an object instead.",
    ),
    (
        {"tools": [function(), "f"]},
        "invalid_type",
        "tools[1]",
        "Invalid type for 'tools[1]': expected an object, but got a string instead.",
    ),
    (
        {"tools": [{"name": "f"}]},
        "missing_required_parameter",
        "tools[0].type",
        "Missing required parameter: 'tools[0].type'.",
    ),
    (
        {"tools": [{"type": "function"}]},
        "missing_required_parameter",
        "tools[0].name",
        "Missing required parameter: 'tools[0].name'.",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        "missing_required_parameter",
        "tools[0].name",
        "Missing required parameter: 'tools[0].name'.",
    ),
    (
        {"tools": [function("a b")]},
        "invalid_value",
        "tools[0].name",
        (
            "Invalid 'tools[0].name': string does not match pattern. Expected a string that matches the pattern"
            " '^[a-zA-Z0-9_-]{1,64}$'."
        ),
    ),
    (
        {"tools": [function(parameters=[])]},
        "invalid_type",
        "tools[0].parameters",
        "Invalid type for 'tools[0].parameters': expected an object, but got an array instead.",
    ),
    (
        {"tools": [function(parameters={"type": "string"})]},
        "invalid_function_parameters",
        "tools[0].parameters",
        (
            "Invalid schema for function 'f': schema must be a JSON Schema of 'type: \"object\"', got 'type:"
            ' "string"\'.'
        ),
    ),
    (
        {"tools": [custom(format={"type": "grammar", "definition": "x", "syntax": "ebnf"})]},
        "invalid_value",
        "tools[0].format.syntax",
        "Invalid value: 'ebnf'. Supported values are: 'lark' and 'regex'.",
    ),
    (
        {"tools": [custom(format={"type": "json"})]},
        "invalid_value",
        "tools[0].format.type",
        "Invalid value: 'json'. Supported values are: 'text' and 'grammar'.",
    ),
    (
        {"tools": [namespace("n")]},
        "empty_array",
        "tools[0].tools",
        (
            "Invalid 'tools[0].tools': empty array. Expected an array with minimum length 1, but got an empty array"
            " instead."
        ),
    ),
    (
        {"tools": [namespace("n", function("a"), {"type": "mcp"})]},
        "invalid_value",
        "tools[0].tools[1].type",
        "Invalid value: 'mcp'. Supported values are: 'function' and 'custom'.",
    ),
    (
        {"tools": [namespace("n", function("a"), function("a b"))]},
        "invalid_value",
        "tools[0].tools[1].name",
        (
            "Invalid 'tools[0].tools[1].name': string does not match pattern. Expected a string that matches the"
            " pattern '^[a-zA-Z0-9_-]{1,64}$'."
        ),
    ),
    (
        {"tools": [function(), custom("f")]},
        "invalid_value",
        "tools[1].name",
        "Invalid value for 'tools[1].name': the name 'f' is used more than once.",
    ),
    (
        {"tools": [namespace("n", function("a"), function("a"))]},
        "invalid_value",
        "tools[0].tools[1].name",
        "Invalid value for 'tools[0].tools[1].name': the name 'n.a' is used more than once.",
    ),
    (
        {"tool_choice": "required"},
        "invalid_value",
        "tool_choice",
        "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
    ),
    (
        {"tools": BOTH, "tool_choice": "any"},
        "invalid_value",
        "tool_choice",
        "Invalid value: 'any'. Supported values are: 'none', 'auto', and 'required'.",
    ),
    (
        {"tools": BOTH, "tool_choice": 5},
        "invalid_type",
        "tool_choice",
        f"Invalid type for 'tool_choice': expected one of {WORDS}, but got an integer instead.",
    ),
    (
        {"tools": BOTH, "tool_choice": {"name": "f"}},
        "missing_required_parameter",
        "tool_choice.type",
        "Missing required parameter: 'tool_choice.type'.",
    ),
    (
        {"tools": BOTH, "tool_choice": {"type": "function"}},
        "missing_required_parameter",
        "tool_choice.name",
        "Missing required parameter: 'tool_choice.name'.",
    ),
    (
        {"tools": BOTH, "tool_choice": function("c")},
        "invalid_value",
        "tool_choice",
        "Invalid value for 'tool_choice': no function named 'c' was specified in the 'tools' parameter.",
    ),
    (
        {"tools": BOTH, "tool_choice": custom("f")},
        "invalid_value",
        "tool_choice",
        "Invalid value for 'tool_choice': no custom tool named 'f' was specified in the 'tools' parameter.",
    ),
    (
        {"tools": [namespace("a", function("g")), namespace("b", function("g"))], "tool_choice": function("g")},
        "invalid_value",
        "tool_choice",
        "Invalid value for 'tool_choice': no function named 'g' was specified in the 'tools' parameter.",
    ),
    (
        {"tools": BOTH, "tool_choice": allowed("auto")},
        "empty_array",
        "tool_choice.tools",
        (
            "Invalid 'tool_choice.tools': empty array. Expected an array with minimum length 1, but got an empty array"
            " instead."
        ),
    ),
    (
        {"tools": BOTH, "tool_choice": allowed("all", function())},
        "invalid_value",
        "tool_choice.mode",
        "Invalid value: 'all'. Supported values are: 'auto' and 'required'.",
    ),
    (
        {"tools": BOTH, "tool_choice": allowed("auto", {"type": "namespace", "name": "n"})},
        "invalid_value",
        "tool_choice",
        "Invalid value for 'tool_choice': no namespace named 'n' was specified in the 'tools' parameter.",
    ),
    (
        {"tools": BOTH, "tool_choice": allowed("auto", {"type": "namespace"})},
        "missing_required_parameter",
        "tool_choice.tools[0].name",
        "Missing required parameter: 'tool_choice.tools[0].name'.",
    ),
    (
        {"tools": BOTH, "tool_choice": allowed("required", {"type": "web_search"})},
        "unsupported_value",
        "tool_choice",
        "Invalid value: 'required'. This server runs no tools of its own, and there is no other one to call.",
    ),
]


@pytest.mark.parametrize(("body", "reason", "field", "message"), FAULTS)
def test_faults_name_their_place(body: Object, reason: str, field: str, message: str) -> None:
    assert refusal(**body) == (reason, field, message)


def test_an_unknown_kind_is_refused() -> None:
    reason, field, message = refusal(tools=[{"type": "retrieval"}])
    assert (reason, field) == ("invalid_value", "tools[0].type")
    assert message.startswith("Invalid value: 'retrieval'. Supported values are: 'apply_patch', 'code_interpreter',")
    assert refusal(tools=BOTH, tool_choice={"type": "namespace"})[:2] == ("invalid_value", "tool_choice.type")


@pytest.mark.parametrize(("limit", "strict", "most"), [(2, False, 2), (0, True, 128), (512, True, 128)])
def test_the_number_of_tools(limit: int, strict: bool, most: int) -> None:
    tools = [function(f"f{index}") for index in range(most + 1)]
    assert len(decode(tools=tools[:-1], max_tools=limit, strict=strict).generation.tools) == most
    reason, field, message = refusal(tools=tools, max_tools=limit, strict=strict)
    assert (reason, field) == ("array_above_max_length", "tools")
    assert message.endswith(f"maximum length {most}, but got an array with length {most + 1} instead.")


def test_faults_of_schemas_name_the_function() -> None:
    decoded = decode(
        tools=[namespace("n", function("g"))],
        text={"format": {"type": "json_schema", "name": "out", "schema": {}}},
    )
    inside = BadRequest("Bad.", field="tools[0].tools[0].parameters.properties.a", reason="invalid_schema")
    told = about_schema(inside, decoded.generation.tools, decoded.format_name)
    assert (told.message, told.field) == ("Invalid schema for function 'n.g': Bad.", inside.field)
    assert answer_of(told).code == "invalid_json_schema"
    other = about_schema(
        BadRequest("Bad.", field="text.format.schema", reason="invalid_schema"),
        decoded.generation.tools,
        decoded.format_name,
    )
    assert other.message == "Invalid schema for response_format 'out': Bad."
