"""The tools of a response, and whether the model may or must call them. Pure: no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from localaik.errors import BadRequest
from localaik.generation.request import CustomTool, FunctionTool, Tool, ToolChoice
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.reading import Findings, missing, read, too_long, wrong_type, wrong_value
from localaik.protocols.openai.responses import types
from localaik.protocols.openai.responses.answering import Namespaced
from localaik.protocols.openai.responses.render import qualified
from localaik.protocols.openai.tools import STRICT_MAX_TOOLS, check_idle, parameters_of, unknown_name

__all__ = ["Calling", "decode_tools"]

_BUILT_IN: Final = frozenset(
    {
        "apply_patch",
        "code_interpreter",
        "computer",
        "computer_use",
        "computer_use_preview",
        "file_search",
        "image_generation",
        "local_shell",
        "mcp",
        "programmatic_tool_calling",
        "shell",
        "tool_search",
        "web_search",
        "web_search_preview",
    }
)
"""Tools that the real service runs by itself."""
_DATED: Final = ("computer_", "web_search_")
"""Such tools of which there are versions with a date."""
_OWN: Final = ("custom", "function", "namespace")
_KINDS: Final = sorted(_BUILT_IN | set(_OWN))
_CHOICES: Final = sorted(_BUILT_IN | {"allowed_tools", "custom", "function"})
_WITHOUT_EFFECT: Final = ("allowed_callers", "defer_loading", "is_async", "output_schema")
_WIRE_NAMES: Final[Mapping[str, str]] = {"is_async": "async"}


@dataclass(frozen=True, slots=True)
class Calling:
    """What the model may call."""

    tools: tuple[Tool, ...] = ()
    choice: ToolChoice = field(default_factory=ToolChoice)
    namespaced: Mapping[str, Namespaced] = field(default_factory=dict)
    """Name under which the model knows a tool -> its place in a namespace."""
    echo: list[Object] = field(default_factory=list)
    """The tools as the response repeats them."""


class _Declared(NamedTuple):
    """A tool that the model is offered, and where its name stands."""

    tool: Tool
    path: str


def decode_tools(
    request: types.CreateResponse, findings: Findings, *, max_tools: int, refuse_server_tools: bool
) -> Calling:
    """The tools and the choice among them; `max_tools` 0 is no limit but the API's own.

    A tool that the real service runs by itself is never called; `refuse_server_tools` refuses it. Raises `BadRequest`.
    """
    tools = request.tools or []
    if not tools:
        check_idle("tool_choice", request.tool_choice, "tools")
        return Calling()
    namespaced: dict[str, Namespaced] = {}
    declared: list[_Declared] = []
    echo: list[Object] = []
    for index, tool in enumerate(tools):
        path = f"tools[{index}]"
        kind = _kind(tool, path, _KINDS)
        if kind == "namespace":
            declared += _namespace(read(types.NamespaceTool, tool, path), path, namespaced, findings)
        elif kind in _OWN:
            declared.append(_own(_read_tool(tool, path), path, findings))
        elif refuse_server_tools:
            raise _not_run(kind, f"{path}.type")
        else:
            findings.ignore(path)
        echo.append(_told(tool))
    if findings.strict:
        max_tools = min(max_tools or STRICT_MAX_TOOLS, STRICT_MAX_TOOLS)
    if max_tools and len(declared) > max_tools:
        raise too_long("tools", max_tools, len(declared))
    _check_names(declared)
    offered = tuple(each.tool for each in declared)
    choice = _choice(request, offered, namespaced, findings)
    return Calling(offered, choice, namespaced, echo)


def _kind(tool: Mapping[str, object], path: str, kinds: Sequence[str]) -> str:
    kind = tool.get("type")
    if kind is None:
        raise missing(f"{path}.type")
    if not isinstance(kind, str) or not (kind in kinds or kind.startswith(_DATED)):
        raise wrong_value(f"{path}.type", kinds, kind)
    return kind


def _read_tool(tool: Mapping[str, object], path: str) -> types.FunctionTool | types.CustomTool:
    if tool["type"] == "function":
        return read(types.FunctionTool, tool, path)
    return read(types.CustomTool, tool, path)


def _namespace(
    space: types.NamespaceTool, path: str, namespaced: dict[str, Namespaced], findings: Findings
) -> list[_Declared]:
    """The tools of a namespace, under names that begin with its own."""
    if space.model_extra:
        findings.unknown_in(space, path)
    declared: list[_Declared] = []
    for index, tool in enumerate(space.tools):
        one = _own(tool, f"{path}.tools[{index}]", findings, space)
        namespaced[one.tool.name] = Namespaced(space.name, tool.name)
        declared.append(one)
    return declared


def _own(
    tool: types.FunctionTool | types.CustomTool,
    path: str,
    findings: Findings,
    space: types.NamespaceTool | None = None,
) -> _Declared:
    """A tool of the caller's."""
    if tool.model_extra:
        findings.unknown_in(tool, path)
    for name in _WITHOUT_EFFECT:
        if getattr(tool, name, None) not in (None, False):
            findings.ignore(f"{path}.{_WIRE_NAMES.get(name, name)}")
    description = tool.description or ""
    name = tool.name
    if space is not None:
        name = qualified(space.name, name)
        description = ": ".join(filter(None, (space.description, description)))
    if isinstance(tool, types.CustomTool):
        return _Declared(_custom(tool, name, description, path, findings), f"{path}.name")
    schema_path = f"{path}.parameters"
    parameters = parameters_of(tool.name, tool.parameters, schema_path)
    return _Declared(FunctionTool(name, description, parameters, schema_path), f"{path}.name")


def _custom(tool: types.CustomTool, name: str, description: str, path: str, findings: Findings) -> CustomTool:
    form = tool.format
    if form is None:
        return CustomTool(name, description, field=path)
    path = f"{path}.format"
    if form.model_extra:
        findings.unknown_in(form, path)
    if not isinstance(form, types.GrammarFormat):
        return CustomTool(name, description, field=path)
    path = f"{path}.definition"
    if form.syntax == "regex":
        return CustomTool(name, description, pattern=form.definition, field=path)
    return CustomTool(name, description, syntax=form.definition, field=path)


def _told(tool: Mapping[str, object]) -> Object:
    """A tool as the response repeats it: a function with all that can be said of it."""
    if tool["type"] == "namespace":
        members = tool["tools"]
        assert isinstance(members, list)  # noqa: S101 - it was read
        return {**tool, "tools": [_told(member) for member in members]}
    if tool["type"] != "function":
        return dict(tool)
    told: Object = {"type": "function", "name": tool["name"]}
    told["description"] = tool.get("description")
    told["parameters"] = tool.get("parameters")
    told["strict"] = True if tool.get("strict") is None else tool["strict"]
    return {**told, **{key: value for key, value in tool.items() if key not in told}}


def _check_names(declared: Sequence[_Declared]) -> None:
    """Refuse a second tool of one name."""
    seen: set[str] = set()
    for tool, path in declared:
        if tool.name in seen:
            message = f"Invalid value for '{path}': the name '{tool.name}' is used more than once."
            raise BadRequest(message, field=path, reason="invalid_value")
        seen.add(tool.name)


def _choice(
    request: types.CreateResponse, offered: Sequence[Tool], namespaced: Mapping[str, Namespaced], findings: Findings
) -> ToolChoice:
    parallel = request.parallel_tool_calls is not False
    value = request.tool_choice
    if value is None:
        return ToolChoice(parallel=parallel)
    if not isinstance(value, dict):
        mode = read(types.ToolChoiceWord, {"tool_choice": value}).tool_choice
        if mode == "required" and not offered:
            raise _nothing_to_call()
        return ToolChoice(mode, parallel=parallel)
    kind = _kind(value, "tool_choice", _CHOICES)
    if kind == "allowed_tools":
        return _subset(value, offered, namespaced, findings, parallel=parallel)
    if kind not in _OWN:
        raise _not_run(kind, "tool_choice")
    return ToolChoice("required", (_chosen(value, "tool_choice", offered, namespaced, findings),), parallel=False)


def _subset(
    value: Mapping[str, object],
    offered: Sequence[Tool],
    namespaced: Mapping[str, Namespaced],
    findings: Findings,
    *,
    parallel: bool,
) -> ToolChoice:
    """The tools that may be called; those that the real service runs are not among them."""
    allowed = read(types.AllowedToolsChoice, value, "tool_choice")
    if allowed.model_extra:
        findings.unknown_in(allowed, "tool_choice")
    names: list[str] = []
    for index, tool in enumerate(allowed.tools):
        path = f"tool_choice.tools[{index}]"
        kind = _kind(tool, path, _KINDS)
        if kind == "namespace":
            names += _members(tool, path, namespaced)
        elif kind in _OWN:
            names.append(_chosen(tool, path, offered, namespaced, findings))
        else:
            findings.ignore(path)
    if allowed.mode == "required" and not names:
        raise _nothing_to_call()
    return ToolChoice(allowed.mode, tuple(dict.fromkeys(names)), parallel=parallel)


def _members(tool: Mapping[str, object], path: str, namespaced: Mapping[str, Namespaced]) -> list[str]:
    """The names of all tools of a namespace."""
    space = tool.get("name")
    if not isinstance(space, str):
        raise missing(f"{path}.name") if space is None else wrong_type(f"{path}.name", "a string", space)
    names = [name for name, place in namespaced.items() if place.namespace == space]
    if not names:
        raise unknown_name("tool_choice", "namespace", space, "tools")
    return names


def _chosen(
    value: Mapping[str, object],
    path: str,
    offered: Sequence[Tool],
    namespaced: Mapping[str, Namespaced],
    findings: Findings,
) -> str:
    """The name of a tool that is offered and of the same kind; the name alone will do for one in a namespace."""
    if value["type"] == "function":
        choice: types.FunctionChoice | types.CustomChoice = read(types.FunctionChoice, value, path)
        kind, names = "function", [tool.name for tool in offered if isinstance(tool, FunctionTool)]
    else:
        choice = read(types.CustomChoice, value, path)
        kind, names = "custom tool", [tool.name for tool in offered if isinstance(tool, CustomTool)]
    if choice.model_extra:
        findings.unknown_in(choice, path)
    wanted = qualified(choice.namespace, choice.name)
    if wanted in names:
        return wanted
    inside = [name for name in names if name in namespaced and namespaced[name].name == wanted]
    if len(inside) != 1:
        raise unknown_name("tool_choice", kind, wanted, "tools")
    return inside[0]


def _not_run(kind: str, path: str) -> BadRequest:
    message = f"Invalid value: '{kind[:100]}'. This server runs no tools of its own: give it functions or custom tools."
    return BadRequest(message, field=path, reason="unsupported_value")


def _nothing_to_call() -> BadRequest:
    message = "Invalid value: 'required'. This server runs no tools of its own, and there is no other one to call."
    return BadRequest(message, field="tool_choice", reason="unsupported_value")
