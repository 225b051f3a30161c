"""The conversation of a request as neutral messages: roles, parts, media, calls, and the history of server tools."""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import orjson

from localaik.content import Attachment, Part, Text
from localaik.generation.request import Message, MessagePart, Role, ToolCall, ToolResult
from localaik.protocols.gemini import types
from localaik.protocols.gemini.pairing import CallPairing
from localaik.protocols.gemini.reading import Findings

__all__ = ["ContentReader"]

_ROLES: Final[dict[str, Role]] = {
    "": "user",
    "user": "user",
    "function": "user",
    "tool": "user",
    "model": "assistant",
    "assistant": "assistant",
}
_DATA_FIELDS: Final = (
    ("text", "text"),
    ("inline_data", "inlineData"),
    ("file_data", "fileData"),
    ("function_call", "functionCall"),
    ("function_response", "functionResponse"),
    ("executable_code", "executableCode"),
    ("code_execution_result", "codeExecutionResult"),
    ("tool_call", "toolCall"),
    ("tool_response", "toolResponse"),
    ("audio_transcription", "audioTranscription"),
)
_WITHOUT_EFFECT: Final = (
    ("video_metadata", "videoMetadata"),
    ("part_metadata", "partMetadata"),
    ("media_processing", "mediaProcessing"),
    ("speech_metadata", "speechMetadata"),
    ("document_metadata", "documentMetadata"),
    ("spreadsheet_metadata", "spreadsheetMetadata"),
    ("audio_metadata", "audioMetadata"),
)
_LOW: Final = "MEDIA_RESOLUTION_LOW"
_FILE_ID: Final = r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"
_FILE_NAME: Final = re.compile(f"files/({_FILE_ID})")
_FILE_PATH: Final = re.compile(f"(?:.*/(?:v1|v1beta|v1alpha))?/files/({_FILE_ID})")
_VIDEO_SITES: Final = ("youtube.com", "youtu.be")

_Piece = str | Text | Attachment | ToolCall | ToolResult


class ContentReader:
    """Turns contents into messages. `low_detail` is the media resolution of the request as a whole.

    The first `cached` contents are those of a cached content.
    """

    def __init__(self, findings: Findings, *, low_detail: bool = False, cached: int = 0) -> None:
        self._findings = findings
        self._cached = cached
        self._low_detail = low_detail

    def read(self, contents: Sequence[types.Content]) -> list[Message]:
        """The messages of the conversation: one for each content that has a usable part.

        Contents of the model in a row are one message: a streamed chat sends one for each chunk that it received, and
        what was one text has to stay one.
        """
        messages: list[Message] = []
        pairing = CallPairing(self._findings, contents)
        for index, content in enumerate(contents):
            own = index - self._cached
            path = f"contents[{own}]" if own >= 0 else f"cachedContent.contents[{index}]"
            role = _ROLES.get((content.role or "").lower())
            if role is None:
                self._findings.refuse_line(
                    f"{path}.role", "is not a valid role", "Please use a valid role: user, model."
                )
                continue
            pairing.enter(role)
            parts = self._parts(content, path, pairing)
            if parts is None:
                continue
            if role == "assistant" and messages and messages[-1].role == role:
                messages[-1] = Message(role, _joined(messages[-1].parts, parts))
            else:
                messages.append(Message(role, parts))
        pairing.enter(None)
        return messages

    def read_system(self, content: types.Content) -> Message | None:
        """The system message, or None where its text is empty."""
        path = "systemInstruction"
        for index, part in enumerate(content.parts or ()):
            extra = [camel for snake, camel in _DATA_FIELDS[1:] if getattr(part, snake) is not None]
            if extra:
                self._findings.refuse(
                    f"{path}.parts[{index}].{extra[0]}", "only text is allowed in a system instruction"
                )
        text = "".join(part.text for part in content.parts or () if part.text and not part.thought)
        return Message("system", [Text(text)]) if text else None

    def _parts(self, content: types.Content, path: str, pairing: CallPairing) -> list[MessagePart] | None:
        """Results, then the rest in order with adjacent text joined, then calls; None where nothing is usable."""
        usable = False
        text = ""
        after_block = False
        results: list[MessagePart] = []
        parts: list[MessagePart] = []
        calls: list[MessagePart] = []
        for index, part in enumerate(content.parts or ()):
            piece = self._part(part, f"{path}.parts[{index}]", pairing)
            if piece is None:
                continue
            usable = True
            if isinstance(piece, ToolCall):
                calls.append(piece)
            elif isinstance(piece, ToolResult):
                results.append(piece)
            elif isinstance(piece, Attachment):
                if text:
                    parts.append(Text(text))
                parts.append(piece)
                text = ""
                after_block = False
            elif isinstance(piece, Text):
                text = f"{text}\n{piece.text}" if text else piece.text
                after_block = True
            elif piece:
                text += f"\n{piece}" if after_block else piece
                after_block = False
        if text:
            parts.append(Text(text))
        return results + parts + calls if usable else None

    def _part(self, part: types.Part, path: str, pairing: CallPairing) -> _Piece | None:
        """Text (a `Text` where it takes lines of its own) or another part; None for what the model does not see."""
        if part.text is not None and len(part.model_fields_set) == 1:  # nearly every part
            return part.text
        present = [(snake, camel) for snake, camel in _DATA_FIELDS if getattr(part, snake) is not None]
        for snake, camel in _WITHOUT_EFFECT:
            if getattr(part, snake) is not None:
                self._findings.ignore(f"{path}.{camel}")
        if len(present) > 1:
            names = " and ".join(camel for _, camel in present)
            line = f"Invalid value at '{self._findings.path(path)}' (oneof), only one of {names} can be set."
            self._findings.refuse_line(path, line, line)
            return None
        if part.function_call is not None:
            return pairing.call(part.function_call, f"{path}.functionCall")
        if part.function_response is not None:
            field = f"{path}.functionResponse"
            return pairing.result(part.function_response, self._result_parts(part, field), field)
        if part.thought or not present:
            return None
        return self._data(part, path)

    def _data(self, part: types.Part, path: str) -> str | Text | Attachment | None:
        if part.text is not None:
            return part.text
        low = self._is_low(part)
        if part.inline_data is not None:
            return self._inline(part.inline_data, f"{path}.inlineData", low_detail=low)
        if part.file_data is not None:
            return self._file(part.file_data, f"{path}.fileData", low_detail=low)
        if part.audio_transcription is not None:
            return part.audio_transcription.text
        return Text(_server_tool_text(part))

    def _result_parts(self, part: types.Part, path: str) -> list[Part]:
        """The images and files of a result."""
        response = part.function_response
        if response is None:
            return []
        for name, value in (("willContinue", response.will_continue), ("scheduling", response.scheduling)):
            if value is not None:
                self._findings.ignore(f"{path}.{name}")
        low = self._is_low(part)
        shown: list[Part] = []
        for index, item in enumerate(response.parts or ()):
            field = f"{path}.parts[{index}]"
            piece: Attachment | None = None
            if item.inline_data is not None and item.file_data is not None:
                rule = "(oneof), only one of inlineData and fileData can be set."
                line = f"Invalid value at '{self._findings.path(field)}' {rule}"
                self._findings.refuse_line(field, line, line)
            elif item.inline_data is not None:
                piece = self._inline(item.inline_data, f"{field}.inlineData", low_detail=low)
            elif item.file_data is not None:
                piece = self._file(item.file_data, f"{field}.fileData", low_detail=low)
            if piece is not None:
                shown.append(piece)
        return shown

    def _inline(self, blob: types.Blob, path: str, *, low_detail: bool) -> Attachment | None:
        if not blob.data:
            self._findings.refuse(f"{path}.data", "is not specified")
            return None
        return Attachment(
            self._findings.path(path),
            base64=blob.data,
            mime=blob.mime_type,
            name=blob.display_name,
            low_detail=low_detail,
        )

    def _file(self, file: types.FileData, path: str, *, low_detail: bool) -> Attachment | None:
        uri = file.file_uri
        if not uri:
            self._findings.refuse(f"{path}.fileUri", "is not specified")
            return None
        stored = _stored_file(uri)
        if stored is not None:
            return Attachment(
                self._findings.path(path),
                stored=stored,
                mime=file.mime_type,
                name=file.display_name,
                low_detail=low_detail,
            )
        if _is_video_site(uri):
            self._findings.refuse(f"{path}.fileUri", "videos are not supported")
            return None
        return Attachment(
            self._findings.path(path),
            uri=uri,
            mime=file.mime_type,
            name=file.display_name,
            low_detail=low_detail,
        )

    def _is_low(self, part: types.Part) -> bool:
        level = part.media_resolution.level if part.media_resolution is not None else None
        return self._low_detail if level in {None, "MEDIA_RESOLUTION_UNSPECIFIED"} else level == _LOW


def _joined(before: Sequence[MessagePart], after: Sequence[MessagePart]) -> list[MessagePart]:
    """The parts of one turn that came in two contents; a text that was cut in between is one text again."""
    if before and after and isinstance(before[-1], Text) and isinstance(after[0], Text):
        return [*before[:-1], Text(before[-1].text + after[0].text), *after[1:]]
    return [*before, *after]


def _stored_file(uri: str) -> str | None:
    """The id in a name of a stored file: `files/x`, or an http URL of any host that ends in it."""
    match = _FILE_NAME.fullmatch(uri)
    if match is None and uri.lower().startswith(("http://", "https://")):
        match = _FILE_PATH.fullmatch(_split(uri)[1])
    return match[1] if match else None


def _is_video_site(uri: str) -> bool:
    host = _split(uri)[0]
    return any(host == site or host.endswith(f".{site}") for site in _VIDEO_SITES)


def _split(uri: str) -> tuple[str, str]:
    """Host (lower case) and path of a URL; both empty where it is none."""
    try:
        url = urlsplit(uri)
        return url.hostname or "", url.path
    except ValueError:  # brackets that hold no address
        return "", ""


def _server_tool_text(part: types.Part) -> str:
    """What a server tool did, for a model that can't see it otherwise."""
    if part.executable_code is not None:
        code = part.executable_code
        return f"Executable code ({code.language or 'LANGUAGE_UNSPECIFIED'}):\n{code.code or ''}"
    if part.code_execution_result is not None:
        result = part.code_execution_result
        return f"Code execution result ({result.outcome or 'OUTCOME_UNSPECIFIED'}): {result.output or ''}"
    if part.tool_call is not None:
        return f"Tool call {_kind(part.tool_call)}: {_json(part.tool_call.args)}"
    use = part.tool_response
    return f"Tool response {_kind(use)}: {_json(use.response)}" if use is not None else ""


def _kind(use: types.ToolUse) -> str:
    return use.tool_type or "TOOL_TYPE_UNSPECIFIED"


def _json(value: dict[str, object] | None) -> str:
    return orjson.dumps(value or {}).decode()
