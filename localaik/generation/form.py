"""What an answer must be, and by which means the engine is held to it.

Four means, best first:

- `grammar`: a GBNF grammar binds every token. What streams is right as it comes.
- `schema`: the engine holds the answer to a JSON Schema, so a call is asked for as bare JSON.
- `native`: the engine has a tool template of its own and reads calls itself.
- `nothing`: the model is only told.

With the last three, and where a schema has keywords that no grammar can hold, an answer is checked before it leaves,
and asked for again with what was wrong (`generation.attempts`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from localaik.engine.calls import EngineTool
from localaik.engine.capabilities import Capabilities
from localaik.generation.guard import Neutraliser
from localaik.generation.request import (
    AnyJson,
    CustomTool,
    EnumText,
    FunctionTool,
    GenerationRequest,
    OutputFormat,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from localaik.generation.tools.grammar import answer_grammar, input_schema
from localaik.generation.tools.prompt import describe_output, describe_tools
from localaik.generation.validation import fault_of_json

__all__ = ["Form", "Means", "form_of"]

Means = Literal["grammar", "schema", "native", "nothing"]

_CUSTOM_PARAMETERS: Final = "input"


@dataclass(frozen=True, slots=True)
class Form:
    """What the answer to one request must be."""

    tools: tuple[Tool, ...]
    """Those that may be called; empty where a call is not wanted."""
    choice: ToolChoice
    output: OutputFormat | None
    means: Means
    grammar: str | None = None
    exact: bool = False
    """The means holds all of it: nothing needs to be asked for again."""

    @property
    def required(self) -> bool:
        """The answer must be a call."""
        return bool(self.tools) and self.choice.mode == "required"

    @property
    def reads_calls(self) -> bool:
        """Calls stand in the answer's text."""
        return bool(self.tools) and self.means != "native"

    @property
    def text_first(self) -> bool:
        """Text may stand before calls; JSON of the answer's own form does not."""
        return self.output is None

    def instructions(self, neutraliser: Neutraliser, room: int) -> str:
        """What the model is told of the form. A description of more than `room` characters is left out: the grammar
        holds without it.
        """
        told: list[str] = []
        if self.tools and self.means != "native":
            told.append(describe_tools(self.tools, self.choice, neutraliser.clean))
        if self.output is not None and not self.required:
            description = describe_output(self.output, neutraliser.clean)
            if len(description) <= room or self.means == "nothing":
                told.append(description)
        return "\n\n".join(told)

    def engine_tools(self) -> list[EngineTool]:
        """The tools for an engine with a tool template; free text is a function's only parameter there."""
        return [EngineTool(tool.name, tool.description, _native_parameters(tool)) for tool in self.tools]

    def json_schema(self) -> Mapping[str, object] | bool | None:
        """The schema of the whole answer, where one can say it; None where it can't."""
        if self.required:
            calls = [_call_schema(tool) for tool in self.tools]
            return calls[0] if len(calls) == 1 else {"anyOf": calls}
        if self.tools or self.output is None:
            return None
        if isinstance(self.output, EnumText):
            return {"type": "string", "enum": list(self.output.values)}
        if isinstance(self.output, AnyJson):
            return {"type": "object"} if self.output.object_only else None
        return self.output.schema

    def fault_of_call(self, name: str, arguments: str, *, custom: bool) -> str | None:
        """What is wrong with a call, for the model and the developer; None for a call that may leave."""
        tool = next((tool for tool in self.tools if tool.name == name), None)
        if tool is None:
            return f"There is no function {name[:64]!r} to call."
        if custom != isinstance(tool, CustomTool):
            return f"A call of {name} needs {'input' if isinstance(tool, CustomTool) else 'arguments'}."
        fault = (
            _fault_of_input(tool, arguments)
            if isinstance(tool, CustomTool)
            else fault_of_json(arguments, tool.parameters)
        )
        return None if fault is None else f"The arguments of {name} are not valid: {fault}"

    def fault_of_text(self, text: str) -> str | None:
        """What is wrong with a complete answer that is no call; None for one that may leave."""
        output = self.output
        if output is None:
            return None
        if isinstance(output, EnumText):
            return None if text in output.values else "The answer is none of the given texts."
        if isinstance(output, AnyJson):
            return fault_of_json(text, {"type": "object"} if output.object_only else True)
        return fault_of_json(text, output.schema)


def form_of(request: GenerationRequest, capabilities: Capabilities) -> Form | None:
    """The form of the request's answer on an engine with `capabilities`; None for free text.

    Raises `BadRequest` for a schema that is invalid.
    """
    tools = _callable(request.tools, request.tool_choice)
    if not tools and request.output is None and not _mentions_calls(request):
        return None
    choice = request.tool_choice
    # Also where no grammar is used: an invalid schema is refused whatever the engine can do.
    grammar = answer_grammar(tools, choice, request.output)
    # llama.cpp lets a model write text before a call that is required, without end; a grammar of ours does not.
    if tools and capabilities.native_tools and not (choice.mode == "required" and capabilities.grammar):
        return Form(tools, choice, request.output, "native")
    if capabilities.grammar:
        return Form(tools, choice, request.output, "grammar", grammar.text, exact=grammar.exact)
    form = Form(tools, choice, request.output, "schema")
    if capabilities.json_schema and form.json_schema() is not None:
        return form
    return Form(tools, choice, request.output, "nothing")


def _fault_of_input(tool: CustomTool, text: str) -> str | None:
    """What is wrong with the input of a custom tool."""
    return fault_of_json(json.dumps(text), input_schema(tool))


def _callable(tools: Sequence[Tool], choice: ToolChoice) -> tuple[Tool, ...]:
    if choice.mode == "none":
        return ()
    return tuple(tool for tool in tools if choice.names is None or tool.name in choice.names)


def _mentions_calls(request: GenerationRequest) -> bool:
    """The model has seen calls, or could have been asked for some: it must be kept from writing one."""
    return bool(request.tools) or any(
        isinstance(part, ToolCall | ToolResult) for message in request.messages for part in message.parts
    )


def _native_parameters(tool: Tool) -> Mapping[str, object]:
    if isinstance(tool, FunctionTool):
        return tool.parameters
    return {
        "type": "object",
        "properties": {_CUSTOM_PARAMETERS: input_schema(tool)},
        "required": [_CUSTOM_PARAMETERS],
        "additionalProperties": False,
    }


def _call_schema(tool: Tool) -> Mapping[str, object]:
    key, values = (
        (_CUSTOM_PARAMETERS, input_schema(tool)) if isinstance(tool, CustomTool) else ("arguments", tool.parameters)
    )
    return {
        "type": "object",
        "properties": {"name": {"const": tool.name}, key: values},
        "required": ["name", key],
        "additionalProperties": False,
    }
