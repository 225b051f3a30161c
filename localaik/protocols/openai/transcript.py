"""Chat messages as they stand on the wire: what they cost by themselves, and where turns begin. Pure: no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from localaik.generation.request import Message
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.messages import decode_messages
from localaik.protocols.openai.reading import Findings, read
from localaik.protocols.openai.types import ChatRequest

__all__ = ["Weight", "first_turns", "leading_system", "read_transcript", "weigh"]

_MESSAGE_TOKENS: Final = 4  # what stands around a message in the prompt
_MEDIA_TOKENS: Final = 256  # what Gemma 3 takes for an image
_SYSTEM: Final = ("system", "developer")
_RESULTS: Final = ("tool", "function")
_CALLS: Final = ("tool_calls", "function_call")


@dataclass(frozen=True, slots=True)
class Weight:
    """What a message costs: the tokens of its texts, and those that are known without a tokenizer."""

    texts: tuple[str, ...]
    tokens: int


def weigh(message: Mapping[str, object]) -> Weight:
    """The cost of a message. Calls count as the JSON that they are, an image and a file as 256 tokens each."""
    texts, media = _contents(message)
    calls = [orjson.dumps(message[name]).decode() for name in _CALLS if message.get(name)]
    return Weight((*texts, *calls), _MESSAGE_TOKENS + media * _MEDIA_TOKENS)


def leading_system(messages: Sequence[Mapping[str, object]]) -> int:
    """How many messages of the system or the developer stand in front."""
    count = 0
    while count < len(messages) and messages[count].get("role") in _SYSTEM:
        count += 1
    return count


def first_turns(messages: Sequence[Mapping[str, object]], following: Sequence[Mapping[str, object]]) -> list[int]:
    """Where in `messages`, which `following` continues, the history may begin: each time a whole turn later.

    Results stay with their calls: those at the head of `following` keep the last turn.
    """
    begins = [place for place, message in enumerate(messages) if place and message.get("role") == "user"]
    if following and following[0].get("role") in _RESULTS:
        return begins
    return [*begins, len(messages)] if messages else []


def read_transcript(messages: object, model: str) -> tuple[list[Message], int]:
    """Chat messages as turns of a conversation, and the number of characters of their texts.

    `model` is the one that would answer. Raises `BadRequest` naming the field at fault.
    """
    request = read(ChatRequest, {"model": model, "messages": messages})
    raw: list[Object] = messages if isinstance(messages, list) else []
    characters = sum(len(text) for message in raw for text in _contents(message)[0])
    return decode_messages(request.messages, Findings(strict=False)), characters


def _contents(message: Mapping[str, object]) -> tuple[list[str], int]:
    """The texts of a message, and how many images and files it has."""
    content = message.get("content")
    texts = [content] if isinstance(content, str) else []
    media = 0
    for part in content if isinstance(content, list) else ():
        text = part.get("text", part.get("refusal"))
        if isinstance(text, str):
            texts.append(text)
        else:
            media += 1
    return texts, media
