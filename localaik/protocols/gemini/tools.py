"""The tools of a request: functions of the caller, and the service's own tools, which are accepted and do nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from localaik.errors import Forbidden
from localaik.generation.request import NO_PARAMETERS, FunctionTool, ToolChoice
from localaik.protocols.gemini import types
from localaik.protocols.gemini.reading import Findings
from localaik.protocols.gemini.schema import to_json_schema

__all__ = ["ReadTools", "read_tools"]

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}", re.ASCII)
_CALLING: Final = "toolConfig.functionCallingConfig"
_SERVER_TOOLS: Final = (
    ("google_search", "googleSearch"),
    ("google_search_retrieval", "googleSearchRetrieval"),
    ("url_context", "urlContext"),
    ("code_execution", "codeExecution"),
    ("google_maps", "googleMaps"),
)
_UNSUPPORTED: Final = (("computer_use", "computerUse"), ("mcp_servers", "mcpServers"))
_DECLARED_WITHOUT_EFFECT: Final = (
    ("response", "response"),
    ("response_json_schema", "responseJsonSchema"),
    ("behavior", "behavior"),
)


@dataclass(frozen=True, slots=True)
class ReadTools:
    """The tools of one request."""

    functions: tuple[FunctionTool, ...] = ()
    """Those of all tool objects, in order."""
    choice: ToolChoice = field(default_factory=ToolChoice)
    forbidden: Forbidden | None = None
    """The refusal of a store that does not exist."""


def read_tools(
    tools: Sequence[types.Tool], config: types.ToolConfig | None, model: str, findings: Findings
) -> ReadTools:
    """The functions and how they may be called. What can't be done is refused, what has no effect is named."""
    if not tools and config is None:
        return ReadTools()
    functions = _functions(tools, findings)
    calling = config.function_calling_config if config is not None else None
    choice = _choice(calling, [function.name for function in functions], findings) if calling else ToolChoice()
    if config is not None and config.retrieval_config is not None:
        findings.ignore("toolConfig.retrievalConfig")
    _check_server_tools(tools, config, findings)
    for index, tool in enumerate(tools):
        for snake, camel in _UNSUPPORTED:
            if getattr(tool, snake) is not None:
                findings.refuse(f"tools[{index}].{camel}", f"is not supported by models/{model}")
    return ReadTools(functions, choice, _file_search(tools))


def _functions(tools: Sequence[types.Tool], findings: Findings) -> tuple[FunctionTool, ...]:
    functions: dict[str, FunctionTool] = {}
    for index, tool in enumerate(tools):
        for place, declaration in enumerate(tool.function_declarations or ()):
            path = f"tools[{index}].functionDeclarations[{place}]"
            name = declaration.name or ""
            if not name:
                findings.refuse(f"{path}.name", "is not specified")
            elif not _NAME.fullmatch(name):
                rule = "must start with a letter or _ and have at most 128 characters of a-z A-Z 0-9 _ . : -"
                findings.refuse(f"{path}.name", rule)
            elif name in functions:
                findings.refuse(f"{path}.name", f"{name} is declared twice")
            function = _function(name, declaration, path, findings)
            functions.setdefault(name, function)
    return tuple(functions.values())


def _function(name: str, declaration: types.FunctionDeclaration, path: str, findings: Findings) -> FunctionTool:
    for snake, camel in _DECLARED_WITHOUT_EFFECT:
        if getattr(declaration, snake) is not None:
            findings.ignore(f"{path}.{camel}")
    place, schema = _parameters(declaration, path, findings)
    return FunctionTool(name, declaration.description or "", schema, findings.path(place))


def _parameters(declaration: types.FunctionDeclaration, path: str, findings: Findings) -> tuple[str, dict[str, object]]:
    """The path of the parameters' schema, and the schema, which is one of objects."""
    place = f"{path}.parameters"
    result = dict(NO_PARAMETERS)
    if declaration.parameters_json_schema is not None:
        if declaration.parameters is not None:
            findings.ignore(place)
        place = f"{path}.parametersJsonSchema"
        given = declaration.parameters_json_schema
        if not isinstance(given, dict):
            findings.refuse(place, "must be a JSON Schema of an object")
            return place, {}
        result = given
    elif declaration.parameters is not None:
        result = to_json_schema(declaration.parameters, place, findings)
    kind = result.get("type", "object")
    # Anything else than these is no type at all, which the compiler of schemas tells better.
    kinds = kind if isinstance(kind, list) else [kind]
    if all(isinstance(one, str) for one in kinds) and "object" not in kinds:
        findings.refuse(f"{place}.type", "must be OBJECT, the type of all arguments together")
    return place, result


def _choice(calling: types.FunctionCallingConfig, declared: Sequence[str], findings: Findings) -> ToolChoice:
    mode = calling.mode if calling.mode not in {None, "MODE_UNSPECIFIED"} else "AUTO"
    allowed = calling.allowed_function_names or []
    if allowed and mode not in {"ANY", "VALIDATED"}:
        findings.refuse(f"{_CALLING}.allowedFunctionNames", f"can't be used with mode {mode}")
        return ToolChoice()
    if mode == "ANY" and not declared:
        findings.refuse(f"{_CALLING}.mode", "ANY needs a function declaration")
        return ToolChoice()
    for index, name in enumerate(allowed):
        if name not in declared:
            findings.refuse(f"{_CALLING}.allowedFunctionNames[{index}]", f"{name} is not a declared function")
    names = tuple(dict.fromkeys(allowed)) or None
    if mode == "NONE":
        return ToolChoice("none")
    return ToolChoice("required" if mode == "ANY" else "auto", names)


def _check_server_tools(tools: Sequence[types.Tool], config: types.ToolConfig | None, findings: Findings) -> None:
    present = [camel for snake, camel in _SERVER_TOOLS if any(getattr(tool, snake) is not None for tool in tools)]
    for camel in present:
        findings.ignore(f"tools.{camel}")
    allowed = config is not None and config.include_server_side_tool_invocations
    if present and not allowed and any(tool.function_declarations for tool in tools):
        findings.refuse("tools", f"{present[0]} and function declarations can't be used together")


def _file_search(tools: Sequence[types.Tool]) -> Forbidden | None:
    for tool in tools:
        if tool.file_search is not None:
            names = tool.file_search.file_search_store_names or [""]
            store = names[0].removeprefix("fileSearchStores/")
            return Forbidden(f"You do not have permission to access the FileSearchStore {store} or it may not exist.")
    return None
