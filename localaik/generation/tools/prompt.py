"""How tools, calls and results are told to a model whose chat template has no place for them.

The form is fixed, because a conversation shows the model its own earlier calls (docs/tools.md has the complete form):

- the system text ends with one block that lists the functions, one JSON object on a line, and the form of a call;
- a call is one line `<tool_call>{"name":"f","arguments":{...}}</tool_call>` of the model's turn, after its text;
- a result is one line `<tool_response>{"name":"f","content":...}</tool_response>` of a user turn.

The markers are ordinary text to the model. A caller's text can't hold them: they are broken there, like control tokens.
"""

import json
from collections.abc import Callable, Sequence
from typing import Final

from localaik.generation.request import (
    AnyJson,
    CustomTool,
    JsonMatching,
    OutputFormat,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

__all__ = ["CALL_END", "CALL_START", "MARKERS", "describe_output", "describe_tools", "render_call", "render_result"]

CALL_START: Final = "<tool_call>"
CALL_END: Final = "</tool_call>"
_RESULT_START: Final = "<tool_response>"
_RESULT_END: Final = "</tool_response>"
MARKERS: Final = (CALL_START, CALL_END, _RESULT_START, _RESULT_END)

_Clean = Callable[[str], str]


def describe_tools(tools: Sequence[Tool], choice: ToolChoice, clean: _Clean) -> str:
    """The block of the system text for `tools`, those that may be called. `clean` breaks control tokens."""
    declarations = [clean(_declaration(tool)) for tool in tools]
    forms = " or ".join(sorted({_form(tool) for tool in tools}))
    if choice.mode == "required":
        rule = f"Answer with a call of {tools[0].name}." if len(tools) == 1 else "Answer with a call."
    else:
        rule = "Call a function when it helps, else answer in text."
    number = "" if choice.parallel else " Make one call at most."
    return "\n".join(
        ["Functions:", *declarations, f"A call is a line {forms} at the end of the answer. {rule}{number}"]
    )


def describe_output(output: OutputFormat, clean: _Clean) -> str:
    """The line of the system text that tells the form of the answer."""
    if isinstance(output, AnyJson):
        return f"Answer with one JSON {'object' if output.object_only else 'value'} and nothing else."
    if isinstance(output, JsonMatching):
        schema = output.schema if isinstance(output.schema, bool) else dict(output.schema)
        return f"Answer with JSON and nothing else. Its JSON Schema:\n{clean(_json(schema))}"
    return f"Answer with exactly one of these texts:\n{clean(_json(list(output.values)))}"


def render_call(call: ToolCall, clean: _Clean) -> str:
    """An earlier call as the model wrote it."""
    key, value = ("input", _json(call.arguments)) if call.custom else ("arguments", _as_json(call.arguments))
    return f'{CALL_START}{{"name":{clean(_json(call.name))},"{key}":{clean(value)}}}{CALL_END}'


def render_result(result: ToolResult, clean: _Clean) -> str:
    """The result of an earlier call; its images and files follow it."""
    content = clean(_as_json(result.content))
    return f'{_RESULT_START}{{"name":{clean(_json(result.name))},"content":{content}}}{_RESULT_END}'


def _declaration(tool: Tool) -> str:
    declaration: dict[str, object] = {"name": tool.name}
    if tool.description:
        declaration["description"] = tool.description
    if isinstance(tool, CustomTool):
        declaration["input"] = "free text"
        if tool.pattern is not None:
            declaration["input_pattern"] = tool.pattern
        if tool.syntax:
            declaration["input_grammar"] = tool.syntax
    else:
        declaration["parameters"] = dict(tool.parameters)
    return _json(declaration)


def _form(tool: Tool) -> str:
    value = '"input":"TEXT"' if isinstance(tool, CustomTool) else '"arguments":{...}'
    return f'{CALL_START}{{"name":"NAME",{value}}}{CALL_END}'


def _as_json(text: str) -> str:
    """JSON on one line: the text itself where it is an object or a list, else the text as a string."""
    try:
        value = json.loads(text)
        return _json(value if isinstance(value, dict | list) else text)
    except (ValueError, RecursionError):
        return _json(text)


def _json(value: object) -> str:
    """Compact JSON, characters as they are. Raises `ValueError` for numbers that JSON has not."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if text.isascii():
        return text
    # Half of a surrogate pair may stand in JSON as an escape, but in no text.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
