"""The tools of a chat request, and whether the model may or must call them. Pure: no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from localaik.errors import BadRequest
from localaik.generation.request import NO_PARAMETERS, CustomTool, FunctionTool, Tool, ToolChoice
from localaik.protocols.openai import types
from localaik.protocols.openai.reading import Findings, read, too_long

__all__ = [
    "STRICT_MAX_TOOLS",
    "Calling",
    "about_schema",
    "check_idle",
    "decode_tools",
    "parameters_of",
    "unknown_name",
]

STRICT_MAX_TOOLS: Final = 128  # the API's own limit
_ANY_OBJECT: Final[Mapping[str, object]] = {"type": "object"}
_SCHEMA_FAULTS: Final = frozenset({"invalid_schema", "unsupported_schema_keyword"})


@dataclass(frozen=True, slots=True)
class Calling:
    """What the model may call."""

    tools: tuple[Tool, ...] = ()
    choice: ToolChoice = field(default_factory=ToolChoice)
    legacy: bool = False
    """The request names `functions`: the answer has a `function_call`."""


def decode_tools(request: types.ChatRequest, findings: Findings, max_tools: int) -> Calling:
    """The tools and the choice among them; `max_tools` 0 is no limit but the API's own. Raises `BadRequest`.

    `functions` and `function_call` say nothing where there are `tools`.
    """
    if findings.strict:
        max_tools = min(max_tools or STRICT_MAX_TOOLS, STRICT_MAX_TOOLS)
    if request.tools:
        for name in ("functions", "function_call"):
            if getattr(request, name) is not None:
                findings.ignore(name)
        _check_count("tools", len(request.tools), max_tools)
        tools = tuple(_tool(tool, f"tools[{index}]", findings) for index, tool in enumerate(request.tools))
        _check_names(tools, request.tools)
        parallel = request.parallel_tool_calls is not False
        return Calling(tools, _tool_choice(request.tool_choice, request.tools, findings, parallel=parallel))
    check_idle("tool_choice", request.tool_choice, "tools")
    if request.functions:
        _check_count("functions", len(request.functions), max_tools)
        functions = tuple(
            _function(one, f"functions[{index}]", findings) for index, one in enumerate(request.functions)
        )
        _check_names(functions, ())
        return Calling(functions, _function_call(request.function_call, functions, findings), legacy=True)
    check_idle("function_call", request.function_call, "functions")
    return Calling()


def about_schema(error: BadRequest, tools: Sequence[Tool], format_name: str | None) -> BadRequest:
    """The same fault, in words that name the tool or the response format whose schema it is about."""
    path = error.field
    if error.reason not in _SCHEMA_FAULTS:
        return error
    for tool in tools:
        if path is None or not f"{path}.".startswith(f"{tool.field}."):
            continue
        if isinstance(tool, FunctionTool):
            message = f"Invalid schema for function '{tool.name}': {error.message}"
            return BadRequest(message, field=path, reason=error.reason)
        message = f"Invalid grammar for custom tool '{tool.name}': {error.message}"
        return BadRequest(message, field=tool.field, reason="invalid_value")
    if format_name is None:
        return error
    message = f"Invalid schema for response_format '{format_name}': {error.message}"
    return BadRequest(message, field=path, reason=error.reason)


def _tool(tool: types.FunctionTool | types.CustomTool, path: str, findings: Findings) -> Tool:
    if tool.model_extra:
        findings.unknown_in(tool, path)
    if isinstance(tool, types.FunctionTool):
        return _function(tool.function, f"{path}.function", findings)
    custom, path = tool.custom, f"{path}.custom"
    if custom.model_extra:
        findings.unknown_in(custom, path)
    description = custom.description or ""
    if custom.format is None:
        return CustomTool(custom.name, description, field=path)
    if custom.format.model_extra:
        findings.unknown_in(custom.format, f"{path}.format")
    if not isinstance(custom.format, types.GrammarFormat):
        return CustomTool(custom.name, description, field=path)
    grammar, path = custom.format.grammar, f"{path}.format.grammar"
    if grammar.model_extra:
        findings.unknown_in(grammar, path)
    path += ".definition"
    if grammar.syntax == "regex":
        return CustomTool(custom.name, description, pattern=grammar.definition, field=path)
    return CustomTool(custom.name, description, syntax=grammar.definition, field=path)


def _function(function: types.LegacyFunction, path: str, findings: Findings) -> FunctionTool:
    if function.model_extra:
        findings.unknown_in(function, path)
    path += ".parameters"
    parameters = parameters_of(function.name, function.parameters, path)
    return FunctionTool(function.name, function.description or "", parameters, path)


def parameters_of(name: str, schema: Mapping[str, object] | None, path: str) -> Mapping[str, object]:
    """The schema at `path` of the arguments of a function; an empty one takes any object."""
    if schema is None:
        return NO_PARAMETERS
    if not schema:
        return _ANY_OBJECT
    kind = schema.get("type")
    if kind != "object":
        message = (
            f"Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"',"
            f" got 'type: \"{str(kind)[:100]}\"'."
        )
        raise BadRequest(message, field=path, reason="invalid_function_parameters")
    return schema


def _check_count(name: str, count: int, limit: int) -> None:
    if limit and count > limit:
        raise too_long(name, limit, count)


def _check_names(tools: Sequence[Tool], declared: Sequence[types.FunctionTool | types.CustomTool]) -> None:
    """Refuse a second tool of one name; `declared` is empty for `functions`."""
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        if tool.name in seen:
            path = f"tools[{index}].{declared[index].type}.name" if declared else f"functions[{index}].name"
            message = f"Invalid value for '{path}': the name '{tool.name}' is used more than once."
            raise BadRequest(message, field=path, reason="invalid_value")
        seen.add(tool.name)


def check_idle(name: str, value: object, declared: str) -> None:
    """Refuse a choice that asks for calls where nothing can be called."""
    if value not in (None, "none", "auto"):
        message = f"Invalid value for '{name}': '{name}' is only allowed when '{declared}' are specified."
        raise BadRequest(message, field=name, reason="invalid_value")


def _tool_choice(
    value: object,
    declared: Sequence[types.FunctionTool | types.CustomTool],
    findings: Findings,
    *,
    parallel: bool,
) -> ToolChoice:
    if value is None:
        return ToolChoice(parallel=parallel)
    body = {"tool_choice": value}
    if not isinstance(value, dict):
        return ToolChoice(read(types.ToolChoiceWord, body).tool_choice, parallel=parallel)
    chosen = read(types.ToolChoiceObject, body).tool_choice
    if not isinstance(chosen, types.AllowedToolsChoice):
        return ToolChoice("required", (_chosen(chosen, "tool_choice", declared, findings),), parallel=False)
    if chosen.model_extra:
        findings.unknown_in(chosen, "tool_choice")
    allowed, path = chosen.allowed_tools, "tool_choice.allowed_tools"
    if allowed.model_extra:
        findings.unknown_in(allowed, path)
    names = [_chosen(tool, f"{path}.tools[{index}]", declared, findings) for index, tool in enumerate(allowed.tools)]
    return ToolChoice(allowed.mode, tuple(dict.fromkeys(names)), parallel=parallel)


def _chosen(
    choice: types.FunctionChoice | types.CustomChoice,
    path: str,
    declared: Sequence[types.FunctionTool | types.CustomTool],
    findings: Findings,
) -> str:
    """The name of a declared tool of the same kind."""
    if choice.model_extra:
        findings.unknown_in(choice, path)
    named = choice.function if isinstance(choice, types.FunctionChoice) else choice.custom
    if named.model_extra:
        findings.unknown_in(named, f"{path}.{choice.type}")
    if isinstance(choice, types.FunctionChoice):
        kind, names = "function", [tool.function.name for tool in declared if isinstance(tool, types.FunctionTool)]
    else:
        kind, names = "custom tool", [tool.custom.name for tool in declared if isinstance(tool, types.CustomTool)]
    if named.name not in names:
        raise unknown_name("tool_choice", kind, named.name, "tools")
    return named.name


def _function_call(value: object, functions: Sequence[Tool], findings: Findings) -> ToolChoice:
    """One call at most: the answer has room for one only."""
    if value is None:
        return ToolChoice(parallel=False)
    body = {"function_call": value}
    if not isinstance(value, dict):
        return ToolChoice(read(types.FunctionCallWord, body).function_call, parallel=False)
    chosen = read(types.FunctionCallObject, body).function_call
    if chosen.model_extra:
        findings.unknown_in(chosen, "function_call")
    if all(function.name != chosen.name for function in functions):
        raise unknown_name("function_call", "function", chosen.name, "functions")
    return ToolChoice("required", (chosen.name,), parallel=False)


def unknown_name(path: str, kind: str, name: str, declared: str) -> BadRequest:
    """The refusal of a choice that names no tool of the request."""
    message = f"Invalid value for '{path}': no {kind} named '{name[:100]}' was specified in the '{declared}' parameter."
    return BadRequest(message, field=path, reason="invalid_value")
