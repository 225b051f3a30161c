"""Items of a conversation: from what callers write to the form in which they are kept and told again. Pure: no I/O.

What comes out is accepted again and stays the same then.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.parts import no_audio
from localaik.protocols.openai.reading import Findings, missing, read, wrong_type, wrong_value
from localaik.protocols.openai.responses import types
from localaik.protocols.openai.responses.ids import new_id
from localaik.protocols.openai.types import Wire

__all__ = ["BUILT_IN_KINDS", "TRIGGER", "normalise", "references", "typed"]

TRIGGER: Final = "compaction_trigger"
_REFERENCE: Final = "item_reference"
_MODELS: Final[Mapping[str, type[types.Item]]] = {
    "function_call": types.FunctionCall,
    "function_call_output": types.FunctionCallOutput,
    "custom_tool_call": types.CustomCall,
    "custom_tool_call_output": types.CustomCallOutput,
    "reasoning": types.ReasoningItem,
    "compaction": types.CompactionItem,
    _REFERENCE: types.ItemReference,
}
_MESSAGES: Final[Mapping[str, type[types.Item]]] = {
    "assistant": types.AssistantMessage,
    "developer": types.InputMessage,
    "system": types.InputMessage,
    "user": types.InputMessage,
}
_WITH_STATUS: Final = frozenset(
    {
        "apply_patch_call",
        "apply_patch_call_output",
        "code_interpreter_call",
        "computer_call",
        "computer_call_output",
        "file_search_call",
        "image_generation_call",
        "local_shell_call",
        "local_shell_call_output",
        "mcp_call",
        "program_output",
        "shell_call",
        "shell_call_output",
        "tool_search_call",
        "tool_search_output",
        "web_search_call",
    }
)
BUILT_IN_KINDS: Final = _WITH_STATUS | {
    "additional_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_list_tools",
    "program",
}
"""Traces of tools that the real service runs by itself."""
_KINDS: Final = sorted({"message", TRIGGER, *_MODELS, *BUILT_IN_KINDS})
_HAVE_STATUS: Final = _WITH_STATUS | {"message", *_MODELS} - {"compaction", _REFERENCE}
_PREFIXES: Final[Mapping[str, str]] = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "reasoning": "rs",
    "compaction": "cmp",
}
# No set: what callers wrote in its place may be of any type.
_RESULT_PARTS: Final = ("text", "input_text", "input_image", "input_file")


def normalise(value: object, path: str, *, findings: Findings) -> list[Object]:
    """The items that `value`, the field at `path`, holds; a string is one message of the user.

    Each has an id, a type and, where its kind knows one, a status; a message has parts. Raises `BadRequest`.
    """
    if isinstance(value, str):
        return [_normalised({"role": "user", "content": value}, path, findings)]
    if not isinstance(value, list):
        raise wrong_type(path, "one of a string or an array of objects", value)
    return [_normalised(item, f"{path}[{index}]", findings) for index, item in enumerate(value)]


def references(items: Sequence[Object]) -> list[str]:
    """The ids of items that are named and not there."""
    return [str(item["id"]) for item in items if item["type"] == _REFERENCE]


def typed(item: Object, path: str) -> types.Item | types.OtherItem:
    """An item in the form that `normalise` gives, with types. Raises `BadRequest`."""
    kind = item.get("type")
    if kind == "message":
        role = item.get("role")
        if role is None:
            raise missing(f"{path}.role")
        if not isinstance(role, str) or role not in _MESSAGES:
            raise wrong_value(f"{path}.role", sorted(_MESSAGES), role)
        return read(_MESSAGES[role], item, path)
    model = _MODELS.get(str(kind))
    return read(types.OtherItem, item, path) if model is None else read(model, item, path)


def _normalised(given: object, path: str, findings: Findings) -> Object:
    if not isinstance(given, dict):
        raise wrong_type(path, "an object", given)
    kind = _kind_of(given, path)
    item: Object = {"id": given.get("id"), "type": kind}
    item.update((key, value) for key, value in given.items() if key not in item)
    if kind == "message":
        is_answer = item.get("role") == "assistant"
        item["content"] = _parts(item.get("content"), "output_text" if is_answer else "input_text")
        if "content" not in given:
            del item["content"]
    elif kind in {"function_call_output", "custom_tool_call_output"} and "output" in given:
        item["output"] = _output(item["output"])
    elif kind == "reasoning":
        item.setdefault("summary", [])
    elif kind == _REFERENCE and item["id"] is None:
        raise missing(f"{path}.id")
    _check(typed(item, path), path, findings)
    if kind in _HAVE_STATUS and item.get("status") is None:
        item["status"] = "completed"
    if not item["id"]:
        item["id"] = new_id(_PREFIXES.get(kind, "item"))
    return item


def _kind_of(item: Mapping[str, object], path: str) -> str:
    kind = item.get("type")
    if kind is None:
        if item.get("role") is not None:
            return "message"
        if [key for key, value in item.items() if value is not None] == ["id"]:
            return _REFERENCE
        raise missing(f"{path}.type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise wrong_value(f"{path}.type", _KINDS, kind)
    return kind


def _parts(content: object, text_type: str) -> object:
    """The content of a message as parts; what is no content stays, to be refused."""
    if isinstance(content, str):
        content = [{"type": text_type, "text": content}]
    if not isinstance(content, list):
        return content
    return [_part(part, text_type) for part in content]


def _part(part: object, text_type: str) -> object:
    if not isinstance(part, dict):
        return part
    kind = part.get("type")
    if kind == "text":
        part = {**part, "type": text_type}
        kind = text_type
    if kind == "output_text" and part.get("annotations") is None:
        return {**part, "annotations": []}
    if kind == "input_image" and part.get("detail") is None:
        return {**part, "detail": "auto"}
    return part


def _output(output: object) -> object:
    """What a call gave: text, or parts of known kinds; any other value is JSON, and told as its text."""
    if isinstance(output, str):
        return output
    if isinstance(output, list) and output and all(_is_result_part(part) for part in output):
        return _parts(output, "input_text")
    return orjson.dumps(output).decode()


def _is_result_part(value: object) -> bool:
    return isinstance(value, dict) and value.get("type") in _RESULT_PARTS


def _check(item: types.Item | types.OtherItem, path: str, findings: Findings) -> None:
    """Note the fields of an item that are not known, and refuse parts that say nothing or can't be read."""
    if isinstance(item, types.OtherItem):
        return
    if item.model_extra:
        findings.unknown_in(item, path)
    if isinstance(item, types.InputMessage | types.AssistantMessage) and not isinstance(item.content, str):
        for index, part in enumerate(item.content):
            _check_part(part, f"{path}.content[{index}]", findings)
    elif isinstance(item, types.CallOutput) and not isinstance(item.output, str):
        for index, part in enumerate(item.output):
            _check_part(part, f"{path}.output[{index}]", findings)


def _check_part(part: Wire, path: str, findings: Findings) -> None:
    if part.model_extra:
        findings.unknown_in(part, path)
    if isinstance(part, types.InputAudio):
        raise no_audio(path)
    if isinstance(part, types.InputImage):
        _check_source(part, ("image_url", "file_id"), path, findings)
    elif isinstance(part, types.InputFile):
        _check_source(part, ("file_data", "file_url", "file_id"), path, findings)


def _check_source(part: Wire, names: Sequence[str], path: str, findings: Findings) -> None:
    """The first of the names that is given counts."""
    given = [name for name in names if getattr(part, name) is not None]
    if not given:
        raise missing(f"{path}.{names[0]}")
    for name in given[1:]:
        findings.ignore(f"{path}.{name}")
