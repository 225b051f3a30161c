"""Messages of a chat request, as turns of a conversation. Pure: no I/O."""

from collections.abc import Sequence
from typing import Final

from localaik.content import Attachment, Part, Text
from localaik.errors import BadRequest
from localaik.generation.request import Message
from localaik.protocols.openai import types
from localaik.protocols.openai.reading import Findings

__all__ = ["NO_CALLS", "decode_messages"]

NO_CALLS: Final = "Function calling is not supported yet."

_TEXT_ENDINGS: Final = frozenset(
    {"c", "css", "csv", "html", "js", "json", "md", "py", "ts", "txt", "xml", "yaml", "yml"}
)

_Parts = Sequence[types.TextPart | types.RefusalPart | types.ImagePart | types.FilePart | types.InputAudioPart]


def decode_messages(
    messages: Sequence[types.SystemMessage | types.UserMessage | types.AssistantMessage | types.ToolMessage],
    findings: Findings,
) -> list[Message]:
    """The turns. Raises `BadRequest` naming the field that is not allowed or not supported."""
    return [_decode(message, f"messages[{index}]", findings) for index, message in enumerate(messages)]


def _decode(
    message: types.SystemMessage | types.UserMessage | types.AssistantMessage | types.ToolMessage,
    path: str,
    findings: Findings,
) -> Message:
    if isinstance(message, types.ToolMessage):
        raise BadRequest(
            f"Messages with role '{message.role}' are not supported: '{path}.role'. {NO_CALLS}",
            field=f"{path}.role",
            reason="unsupported_parameter",
        )
    if message.model_extra:
        findings.unknown_in(message, path)
    if isinstance(message, types.AssistantMessage):
        return Message("assistant", _assistant_parts(message, path, findings))
    role = "user" if isinstance(message, types.UserMessage) else "system"
    content = message.content
    if content is None:
        raise _null_content(path)
    parts: list[Part] = [Text(content)] if isinstance(content, str) else _decode_parts(content, path, findings)
    if role == "user" and message.name:
        _put_name(parts, message.name)
    return Message("user" if role == "user" else "system", parts)


def _assistant_parts(message: types.AssistantMessage, path: str, findings: Findings) -> list[Part]:
    for name, value in (("tool_calls", message.tool_calls), ("function_call", message.function_call)):
        if value:
            field = f"{path}.{name}"
            raise BadRequest(f"'{field}' is not supported. {NO_CALLS}", field=field, reason="unsupported_parameter")
    if message.audio is not None:
        findings.ignore(f"{path}.audio")
    content = message.content
    if isinstance(content, str):
        return [Text(content)]
    if content is not None:
        return _decode_parts(content, path, findings)
    if message.refusal is not None:
        return [Text(message.refusal)]
    if message.audio is not None:
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
        last = parts[-1] if parts else None
        if isinstance(part, types.TextPart | types.RefusalPart):
            text = part.text if isinstance(part, types.TextPart) else part.refusal
            if isinstance(last, Text):
                parts[-1] = Text(f"{last.text}\n{text}")
            elif isinstance(last, Attachment) and not last.images_only:
                parts.append(Text(f"\n{text}"))
            else:
                parts.append(Text(text))
        elif isinstance(part, types.FilePart):
            if isinstance(last, Text):
                parts[-1] = Text(f"{last.text}\n")
            elif isinstance(last, Attachment) and not last.images_only:
                parts.append(Text("\n"))
            parts.append(_file(part.file, f"{field}.file", findings))
        elif isinstance(part, types.ImagePart):
            parts.append(_image(part.image_url, f"{field}.image_url", findings))
        else:
            raise BadRequest(
                f"Invalid value: 'input_audio'. The model behind this server takes no audio ('{field}').",
                field=f"{field}.type",
                reason="unsupported_value",
            )
    return parts


def _image(image: types.ImageUrl, field: str, findings: Findings) -> Attachment:
    if image.model_extra:
        findings.unknown_in(image, field)
    return Attachment(f"{field}.url", uri=image.url, low_detail=image.detail == "low", images_only=True)


def _file(file: types.FileData, field: str, findings: Findings) -> Attachment:
    if file.model_extra:
        findings.unknown_in(file, field)
    if file.file_data is None:
        if file.file_id is None:
            raise BadRequest(
                f"Missing required parameter: '{field}.file_data'.",
                field=f"{field}.file_data",
                reason="missing_required_parameter",
            )
        raise BadRequest(
            f"No such File object: {file.file_id[:100]}. Files can't be stored here yet; send 'file_data'.",
            field=f"{field}.file_id",
            reason="invalid_value",
        )
    if file.file_id is not None:
        findings.ignore(f"{field}.file_id")
    data, field = file.file_data, f"{field}.file_data"
    # A colon is in no variant of base64.
    if ":" in data[:16]:
        return Attachment(field, uri=data, name=file.filename)
    return Attachment(field, base64=data, mime=_mime_of(file.filename), name=file.filename)


def _mime_of(name: str | None) -> str | None:
    """Bare text has no mark that tells it from other files: its name must. All other kinds are known by their bytes."""
    ending = (name or "").rpartition(".")[2].lower()
    return "text/plain" if ending in _TEXT_ENDINGS else None
