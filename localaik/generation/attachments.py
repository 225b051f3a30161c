"""Attachments of messages and of results of calls: found, and replaced by what was loaded."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from localaik.content import Attachment, AttachmentLoader, Image, Part, Text
from localaik.generation.request import Message, MessagePart, ToolResult

__all__ = ["load_attachments", "shown_parts"]


async def load_attachments(messages: list[Message], loader: AttachmentLoader, *, images: bool) -> list[Message]:
    """The messages with every attachment replaced by its parts; without `images` they are texts."""
    attachments = [part for message in messages for part in shown_parts(message.parts) if isinstance(part, Attachment)]
    if not attachments:
        return messages
    loaded = iter(await loader.load(attachments, images=images))
    return [Message(message.role, _with_loaded(message.parts, loaded)) for message in messages]


def shown_parts(parts: Iterable[MessagePart]) -> Iterator[MessagePart]:
    """The parts in the order in which the model sees them, each result of a call followed by its own."""
    for part in parts:
        yield part
        if isinstance(part, ToolResult):
            yield from part.parts


def _with_loaded(parts: Sequence[MessagePart], loaded: Iterator[list[Text | Image]]) -> list[MessagePart]:
    result: list[MessagePart] = []
    for part in parts:
        if isinstance(part, ToolResult):
            shown: list[Part] = []
            for inner in part.parts:
                shown += next(loaded) if isinstance(inner, Attachment) else [inner]
            result.append(replace(part, parts=shown))
        else:
            result += next(loaded) if isinstance(part, Attachment) else [part]
    return result
