"""Messages of a chat request, as turns of a conversation. Pure: no I/O."""

from collections.abc import Sequence
from typing import Final

from localaik.content import Attachment, Part, Text
from localaik.errors import BadRequest
from localaik.generation.request import Message, ToolCall, ToolResult
from localaik.protocols.openai import types
from localaik.protocols.openai.parts import add_file, add_text, file_attachment, image_attachment, no_audio
from localaik.protocols.openai.reading import Findings

__all__ = ["decode_messages"]

_MAX_SHOWN_CHARS: Final = 100
_NO_CALL: Final = "Invalid parameter: messages with role '{}' must be a response to a preceeding message with '{}'."
_NO_RESULT: Final = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The"
    " following tool_call_ids did not have response messages: "
)

_Parts = Sequence[types.TextPart | types.RefusalPart | types.ImagePart | types.FilePart | types.InputAudioPart]


def decode_messages(
    messages: Sequence[types.Message], findings: Findings, paths: Sequence[str] | None = None
) -> list[Message]:
    """The turns; results of calls that stand side by side are one turn of the user.

    `paths` are where the messages stand; by default in `messages`, in their order. Raises `BadRequest` naming the
    field that is not allowed or not supported.
    """
    decoded: list[Message] = []
    calls = _Calls()
    results: list[ToolResult] | None = None
    for index, message in enumerate(messages):
        path = f"messages[{index}]" if paths is None else paths[index]
        if isinstance(message, types.ToolMessage | types.FunctionMessage):
            if results is None:
                results = []
                decoded.append(Message("user", results))
            results.append(_result(message, path, calls, findings))
            continue
        results = None
        calls.check_answered()
        decoded.append(_decode(message, path, calls, findings))
    calls.check_answered()
    return decoded


class _Calls:
    """The calls of a conversation, and those that still have no result."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._functions: dict[str, str] = {}
        """Name of a function -> the id of its last `function_call`, which has none of its own."""
        self._numbered = 0
        self._open: list[str] = []
        self._path = ""

    def made(self, calls: Sequence[ToolCall], path: str) -> None:
        """The assistant made calls, in its message at `path`."""
        self._open = [call.id for call in calls]
        self._path = path
        for call in calls:
            self._names[call.id] = call.name

    def made_function(self, name: str) -> str:
        """The assistant made a `function_call`, which needs no result. Gives it an id."""
        self._numbered += 1
        call_id = self._functions[name] = f"function_call_{self._numbered}"
        return call_id

    def answered(self, call_id: str, path: str) -> str:
        """The name of the tool whose result the message at `path` has."""
        name = self._names.get(call_id)
        if name is None:
            raise BadRequest(_NO_CALL.format("tool", "tool_calls"), field=f"{path}.tool_call_id")
        if call_id in self._open:
            self._open.remove(call_id)
        return name

    def answered_function(self, name: str, path: str) -> str:
        """The id of the call whose result the message at `path` has."""
        if name not in self._functions:
            raise BadRequest(_NO_CALL.format("function", "function_call"), field=f"{path}.name")
        return self._functions[name]

    def check_answered(self) -> None:
        """Refuse to go on while calls have no result."""
        if self._open:
            ids = ", ".join(call_id[:_MAX_SHOWN_CHARS] for call_id in self._open)
            raise BadRequest(_NO_RESULT + ids, field=f"{self._path}.tool_calls")


def _result(
    message: types.ToolMessage | types.FunctionMessage, path: str, calls: _Calls, findings: Findings
) -> ToolResult:
    if message.model_extra:
        findings.unknown_in(message, path)
    if isinstance(message, types.FunctionMessage):
        return ToolResult(calls.answered_function(message.name, path), message.name, message.content or "")
    name = calls.answered(message.tool_call_id, path)
    content = message.content
    if isinstance(content, str):
        return ToolResult(message.tool_call_id, name, content)
    parts = _decode_parts(content, path, findings)
    text = "\n".join(part.text for part in content if isinstance(part, types.TextPart))
    return ToolResult(message.tool_call_id, name, text, [part for part in parts if not isinstance(part, Text)])


def _decode(
    message: types.SystemMessage | types.UserMessage | types.AssistantMessage,
    path: str,
    calls: _Calls,
    findings: Findings,
) -> Message:
    if message.model_extra:
        findings.unknown_in(message, path)
    if isinstance(message, types.AssistantMessage):
        return _decode_assistant(message, path, calls, findings)
    role = "user" if isinstance(message, types.UserMessage) else "system"
    content = message.content
    if content is None:
        raise _null_content(path)
    parts: list[Part] = [Text(content)] if isinstance(content, str) else _decode_parts(content, path, findings)
    if role == "user" and message.name:
        _put_name(parts, message.name)
    return Message("user" if role == "user" else "system", parts)


def _decode_assistant(message: types.AssistantMessage, path: str, calls: _Calls, findings: Findings) -> Message:
    """What the assistant said, and then what it called."""
    made: list[ToolCall] = []
    if message.tool_calls:
        made = [_call(call, f"{path}.tool_calls[{index}]", findings) for index, call in enumerate(message.tool_calls)]
        calls.made(made, path)
        if message.function_call is not None:
            findings.ignore(f"{path}.function_call")
    elif message.function_call is not None:
        function = message.function_call
        if function.model_extra:
            findings.unknown_in(function, f"{path}.function_call")
        made = [ToolCall(calls.made_function(function.name), function.name, _arguments(function.arguments))]
    return Message("assistant", [*_assistant_parts(message, path, findings, with_calls=bool(made)), *made])


def _call(call: types.EarlierCall | types.EarlierCustomCall, path: str, findings: Findings) -> ToolCall:
    called = call.function if isinstance(call, types.EarlierCall) else call.custom
    if call.model_extra:
        findings.unknown_in(call, path)
    if called.model_extra:
        findings.unknown_in(called, f"{path}.{call.type}")
    if isinstance(called, types.EarlierFunction):
        return ToolCall(call.id, called.name, _arguments(called.arguments))
    return ToolCall(call.id, called.name, called.input, custom=True)


def _arguments(text: str) -> str:
    """Many clients write nothing where there are no arguments. What is no JSON stays: the model sees it as a string."""
    return text if text.strip() else "{}"


def _assistant_parts(message: types.AssistantMessage, path: str, findings: Findings, *, with_calls: bool) -> list[Part]:
    if message.audio is not None:
        findings.ignore(f"{path}.audio")
    content = message.content
    if isinstance(content, str):
        return [Text(content)] if content or not with_calls else []
    if content is not None:
        return _decode_parts(content, path, findings)
    if message.refusal is not None:
        return [Text(message.refusal)]
    if message.audio is not None or with_calls:
        return []
    raise _null_content(path)


def _null_content(path: str) -> BadRequest:
    """The API writes indices with a dot before them here, and nowhere else."""
    field = f"{path.replace('[', '.[')}.content"
    return BadRequest("Invalid value for 'content': expected a string, got null.", field=field, reason="invalid_value")


def _put_name(parts: list[Part], name: str) -> None:
    """Who of several users speaks stands before what they say."""
    first = parts[0]
    if isinstance(first, Text):
        parts[0] = Text(f"{name}: {first.text}")
    else:
        parts.insert(0, Text(f"{name}: "))


def _decode_parts(content: _Parts, path: str, findings: Findings) -> list[Part]:
    """The parts in order; texts that stand side by side are joined by a line feed, text files among them."""
    parts: list[Part] = []
    for index, part in enumerate(content):
        field = f"{path}.content[{index}]"
        if part.model_extra:
            findings.unknown_in(part, field)
        if isinstance(part, types.TextPart | types.RefusalPart):
            add_text(parts, part.text if isinstance(part, types.TextPart) else part.refusal)
        elif isinstance(part, types.FilePart):
            add_file(parts, _file(part.file, f"{field}.file", findings))
        elif isinstance(part, types.ImagePart):
            parts.append(_image(part.image_url, f"{field}.image_url", findings))
        else:
            raise no_audio(field)
    return parts


def _image(image: types.ImageUrl, field: str, findings: Findings) -> Attachment:
    if image.model_extra:
        findings.unknown_in(image, field)
    return image_attachment(f"{field}.url", image.url, detail=image.detail)


def _file(file: types.FileData, field: str, findings: Findings) -> Attachment:
    if file.model_extra:
        findings.unknown_in(file, field)
    return file_attachment(field, findings, data=file.file_data, file_id=file.file_id, name=file.filename)
