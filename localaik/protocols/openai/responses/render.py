"""Items of a conversation as the turns that a model is shown. Pure: no I/O."""

from collections.abc import Mapping, Sequence, Set
from typing import Final

import orjson

from localaik.content import Attachment, Part, Text
from localaik.errors import BadRequest, NotFound
from localaik.generation.request import Message, ToolCall, ToolResult
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.parts import add_file, add_text, file_attachment, image_attachment
from localaik.protocols.openai.reading import Findings
from localaik.protocols.openai.responses import types
from localaik.protocols.openai.responses.compaction import digest_of, visible
from localaik.protocols.openai.responses.items import typed

__all__ = ["qualified", "render"]

_MAX_SHOWN_CHARS: Final = 100
_MAX_VALUE_CHARS: Final = 80
_MAX_LINE_CHARS: Final = 240
_UNSHOWN: Final = frozenset({"id", "type", "status", "call_id", "encrypted_content", "fingerprint"})
"""Fields of traces that tell a model nothing."""
_CUT: Final = "…"


def render(
    items: Sequence[Object], *, instructions: str | None = None, places: Mapping[str, str] | None = None
) -> list[Message]:
    """The turns of a conversation; `instructions` stand before it.

    `places` tells, by the ids of items, where they stand in the request, for errors. Thoughts are left out: no chat
    template gets them back. Raises `BadRequest` where calls and results do not belong together, and `NotFound` for a
    reference that nobody has replaced.
    """
    shown = visible(items)
    turns = _Turns({item["call_id"] for item in shown if str(item["type"]).endswith("_output") and "call_id" in item})
    if instructions:
        turns.messages.append(Message("system", [Text(instructions)]))
    for item in shown:
        item_id = str(item["id"])
        turns.add(item, (places or {}).get(item_id, item_id))
    turns.check_answered()
    return turns.messages


def qualified(namespace: str | None, name: str) -> str:
    """The name under which the model knows a tool; no name of a tool has a dot of its own."""
    return f"{namespace}.{name}" if namespace else name


class _Turns:
    """The turns so far, and the calls in them."""

    def __init__(self, answered: Set[object]) -> None:
        """`answered` has the ids of the calls that have a result."""
        self.messages: list[Message] = []
        self._answered = answered
        self._names: dict[tuple[bool, str], str] = {}
        """(custom, id of a call) -> the name of its tool."""
        self._open: dict[tuple[bool, str], None] = {}
        """Calls without a result, in their order."""
        self._said: list[ToolCall | Part] | None = None
        """The turn of the assistant that is going on."""
        self._results: list[ToolResult] | None = None
        """The turn of results that is going on."""

    def add(self, item: Object, path: str) -> None:
        """Add what an item says."""
        wire = typed(item, path)
        if isinstance(wire, types.FunctionCall | types.CustomCall):
            self._call(wire)
        elif isinstance(wire, types.CallOutput):
            self._result(wire, path)
        elif isinstance(wire, types.AssistantMessage):
            self._say(_texts(wire.content))
        elif isinstance(wire, types.InputMessage):
            self._tell(wire, path)
        elif isinstance(wire, types.CompactionItem):
            self._append(Message("system", [Text(digest_of(item, path))]))
        elif isinstance(wire, types.ItemReference):
            raise NotFound(f"Item with id '{str(wire.id)[:_MAX_SHOWN_CHARS]}' not found.")
        elif isinstance(wire, types.OtherItem) and wire.type != "compaction_trigger":
            self._trace(item, wire.type)

    def check_answered(self) -> None:
        """Refuse to go on while a call has no result."""
        for is_custom, call_id in self._open:
            kind = "custom tool call" if is_custom else "function call"
            message = f"No tool output found for {kind} {call_id[:_MAX_SHOWN_CHARS]}."
            raise BadRequest(message, field="input", reason="invalid_value")

    def _append(self, message: Message) -> None:
        self.messages.append(message)
        self._said = self._results = None

    def _say(self, text: str) -> None:
        """The assistant says something; what it says in one go is one turn."""
        if self._said is None or (self._said and isinstance(self._said[-1], Text)):
            self._said = []
            self.messages.append(Message("assistant", self._said))
        if text:
            self._said.append(Text(text))
        self._results = None

    def _call(self, call: types.FunctionCall | types.CustomCall) -> None:
        if call.status == "incomplete" and call.call_id not in self._answered:
            return  # the model was cut off inside of it: nobody can give its result
        if self._said is None:
            self._said = []
            self.messages.append(Message("assistant", self._said))
        self._results = None
        name = qualified(call.namespace, call.name)
        is_custom = isinstance(call, types.CustomCall)
        # Where there are no arguments, many clients write nothing.
        said = call.input if isinstance(call, types.CustomCall) else call.arguments if call.arguments.strip() else "{}"
        self._said.append(ToolCall(call.call_id, name, said, custom=is_custom))
        self._names[is_custom, call.call_id] = name
        self._open[is_custom, call.call_id] = None

    def _result(self, result: types.CallOutput, path: str) -> None:
        key = (isinstance(result, types.CustomCallOutput), result.call_id)
        name = self._names.get(key)
        if name is None:
            kind = "custom tool call" if key[0] else "function call"
            message = f"No tool call found for {kind} output with call_id {result.call_id[:_MAX_SHOWN_CHARS]}."
            raise BadRequest(message, field="input", reason="invalid_value")
        self._open.pop(key, None)
        if self._results is None:
            self._results = []
            self.messages.append(Message("user", self._results))
        self._said = None
        if isinstance(result.output, str):
            self._results.append(ToolResult(result.call_id, name, result.output))
            return
        parts = _parts(result.output, f"{path}.output")
        text = "\n".join(part.text for part in result.output if isinstance(part, types.InputText))
        shown: list[Part] = [part for part in parts if not isinstance(part, Text)]
        self._results.append(ToolResult(result.call_id, name, text, shown))

    def _tell(self, message: types.InputMessage, path: str) -> None:
        content = message.content
        parts: list[Part] = [Text(content)] if isinstance(content, str) else _parts(content, f"{path}.content")
        if message.role == "user":
            self._append(Message("user", parts))
            return
        # System text holds no images and files: the user shows them.
        texts = [part for part in parts if isinstance(part, Text)]
        others = [part for part in parts if not isinstance(part, Text)]
        if texts:
            self._append(Message("system", [Text("".join(part.text for part in texts))]))
        if others:
            self._append(Message("user", others))

    def _trace(self, item: Object, kind: str) -> None:
        """One line for what a tool of the real service did."""
        line = _line(item, kind)
        if kind == "additional_tools":
            self._append(Message("system", [Text(line)]))
        elif kind.endswith(("_output", "_response")):
            self._append(Message("user", [Text(line)]))
        else:
            self._say(line)


def _texts(content: str | Sequence[types.OutputText | types.RefusalPart]) -> str:
    """What the assistant said."""
    if isinstance(content, str):
        return content
    return "\n".join(part.text if isinstance(part, types.OutputText) else part.refusal for part in content)


def _parts(
    content: Sequence[types.InputText | types.InputImage | types.InputFile | types.InputAudio], path: str
) -> list[Part]:
    """The parts in order; texts that stand side by side are joined by a line feed, text files among them."""
    parts: list[Part] = []
    for index, part in enumerate(content):
        field = f"{path}[{index}]"
        if isinstance(part, types.InputText):
            add_text(parts, part.text)
        elif isinstance(part, types.InputFile):
            add_file(parts, _file(part, field))
        elif isinstance(part, types.InputImage):
            parts.append(_image(part, field))
    return parts


def _image(image: types.InputImage, field: str) -> Attachment:
    if image.image_url is not None:
        return image_attachment(f"{field}.image_url", image.image_url, detail=image.detail)
    low = image.detail == "low"
    return Attachment(f"{field}.file_id", stored=image.file_id, low_detail=low, images_only=True)


def _file(file: types.InputFile, field: str) -> Attachment:
    return file_attachment(
        field,
        Findings(strict=False),  # what is of no effect was noted when the item was read
        data=file.file_data,
        url=file.file_url,
        file_id=file.file_id,
        name=file.filename,
        low_detail=file.detail == "low",
    )


def _line(item: Object, kind: str) -> str:
    """What a trace says, short."""
    unshown = _UNSHOWN | {"result"} if kind == "image_generation_call" else _UNSHOWN
    told = {key: _short(value) for key, value in item.items() if key not in unshown and value is not None}
    text = orjson.dumps(told).decode() if told else ""
    return f"[{_clipped(f'{kind} {text}'.strip(), _MAX_LINE_CHARS)}]"


def _short(value: object, depth: int = 0) -> object:
    """The value with its texts clipped; images among them are long."""
    if isinstance(value, str):
        return _clipped(value, _MAX_VALUE_CHARS)
    if isinstance(value, dict):
        return {str(key): _short(each, depth + 1) for key, each in value.items()} if depth < 4 else _CUT
    if isinstance(value, list):
        return [_short(each, depth + 1) for each in value[:8]] if depth < 4 else _CUT
    return value


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + _CUT
