"""The tools of a request. Functions are not called yet; the service's own tools are accepted and have no effect."""

from collections.abc import Sequence
from typing import Final

from localaik.errors import Forbidden
from localaik.protocols.gemini import types
from localaik.protocols.gemini.reading import Findings

__all__ = ["check_tools"]

_SERVER_TOOLS: Final = (
    ("google_search", "googleSearch"),
    ("google_search_retrieval", "googleSearchRetrieval"),
    ("url_context", "urlContext"),
    ("code_execution", "codeExecution"),
    ("google_maps", "googleMaps"),
)
_UNSUPPORTED: Final = (("computer_use", "computerUse"), ("mcp_servers", "mcpServers"))


def check_tools(
    tools: Sequence[types.Tool], config: types.ToolConfig | None, model: str, findings: Findings
) -> Forbidden | None:
    """Refuse what can't be done, name what has no effect, and return the refusal of a store that does not exist."""
    if not tools and config is None:
        return None
    calling = config.function_calling_config if config is not None else None
    mode = (calling.mode if calling is not None else None) or "AUTO"
    _check_functions(tools, mode, findings)
    if calling is not None:
        _check_calling(calling, mode, tools, findings)
    if config is not None and config.retrieval_config is not None:
        findings.ignore("toolConfig.retrievalConfig")
    _check_server_tools(tools, config, findings)
    for index, tool in enumerate(tools):
        for snake, camel in _UNSUPPORTED:
            if getattr(tool, snake) is not None:
                findings.refuse(f"tools[{index}].{camel}", f"is not supported by models/{model}")
    return _file_search(tools)


def _check_functions(tools: Sequence[types.Tool], mode: str, findings: Findings) -> None:
    for index, tool in enumerate(tools):
        if not tool.function_declarations:
            continue
        field = f"tools[{index}].functionDeclarations"
        if mode == "NONE":
            findings.ignore(field)
        else:
            findings.refuse(field, "function calling is not supported yet")


def _check_calling(
    calling: types.FunctionCallingConfig, mode: str, tools: Sequence[types.Tool], findings: Findings
) -> None:
    path = "toolConfig.functionCallingConfig"
    if calling.allowed_function_names and mode not in {"ANY", "VALIDATED"}:
        findings.refuse(f"{path}.allowedFunctionNames", f"can't be used with mode {mode}")
    if mode == "ANY" and not any(tool.function_declarations for tool in tools):
        findings.refuse(f"{path}.mode", "ANY needs a function declaration")


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
