"""Chat requests and their pieces, as the tests of tools and messages write them."""

import pytest

from localaik.errors import BadRequest
from localaik.generation.request import Message
from localaik.protocols.openai.decode import Decoded, decode_chat
from localaik.protocols.openai.reading import read
from localaik.protocols.openai.types import ChatRequest

USER = {"role": "user", "content": "Hi"}
SCHEMA: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}


def decode(*, strict: bool = False, max_tools: int = 0, **body: object) -> Decoded:
    body.setdefault("messages", [USER])
    request = read(ChatRequest, body)
    return decode_chat(request, default_model="tiny", max_messages=0, max_tools=max_tools, strict=strict)


def refusal(*, strict: bool = False, max_tools: int = 0, **body: object) -> BadRequest:
    with pytest.raises(BadRequest) as refused:
        decode(strict=strict, max_tools=max_tools, **body)
    assert refused.value.field is not None
    return refused.value


def function(name: object = "f", **more: object) -> dict[str, object]:
    return {"type": "function", "function": {"name": name, **more}}


def custom(name: object = "c", **more: object) -> dict[str, object]:
    return {"type": "custom", "custom": {"name": name, **more}}


def grammar(syntax: object, definition: object = "[a-z]+") -> dict[str, object]:
    return {"type": "grammar", "grammar": {"syntax": syntax, "definition": definition}}


def allowed(mode: object, *tools: object) -> dict[str, object]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}


BOTH = [function(), custom()]


def call(call_id: str = "call_1", name: str = "f", arguments: str = "{}") -> dict[str, object]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def calls(*made: object, content: object = None) -> dict[str, object]:
    return {"role": "assistant", "content": content, "tool_calls": list(made)}


def result(call_id: str = "call_1", content: object = "4") -> dict[str, object]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def turns(*messages: object) -> list[Message]:
    return decode(messages=[USER, *messages]).generation.messages[1:]
