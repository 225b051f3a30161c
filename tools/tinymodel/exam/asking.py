"""From a conversation to the HTTP request that a client would send: of the OpenAI API, or of the Gemini API where only
that one can say it.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from localaik.generation.request import (
    AnyJson,
    CustomTool,
    EnumText,
    JsonMatching,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from localaik.generation.thinking import ASK, reminder
from tools.tinymodel.conversation import IMAGE, Conversation, Turn
from tools.tinymodel.exam.pictures import document, picture
from tools.tinymodel.vision.scene import Scene

__all__ = ["MODEL", "OPENAI_PATH", "Question", "question_of"]

Json = dict[str, object]

MODEL = "tiny"
OPENAI_PATH = "/v1/chat/completions"
_GEMINI_PATH = f"/v1beta/models/{MODEL}:generateContent"
_IMAGES = re.compile(f"({IMAGE}+)")
_OPENAI_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_THOUGHTS_START = reminder(IMAGE).split(IMAGE, maxsplit=1)[0]
_MORE_TOKENS = 48
_THOUGHT_TOKENS = 600
_CALL_TOKENS = 40


@dataclass(frozen=True)
class Question:
    """A request, and what of its answer is looked at."""

    path: str
    body: Json
    about: Literal["answer", "thoughts"] = "answer"


def question_of(conversation: Conversation, random: Random, *, documents: bool = False) -> Question:
    """The request that ends before the last answer of the conversation, at temperature 0.

    `random` draws the pictures of the scenes. With `documents`, images that stand side by side are one PDF. What a
    lesson appends to make the model think becomes the API's own wish for thoughts. Raises ValueError for what neither
    API can say.
    """
    *earlier, last = conversation.turns
    user, about, thinks = _without_asking(last.user)
    turns = [*earlier, Turn(user, last.answer, last.calls, last.results, last.scenes)]
    files = _Files(random, documents=documents)
    tokens = _most_tokens(last) + (_THOUGHT_TOKENS if thinks else 0)
    if thinks or _needs_gemini(conversation):
        return Question(_GEMINI_PATH, _gemini_body(conversation, turns, files, tokens, thinks=thinks), about)
    return Question(OPENAI_PATH, _openai_body(conversation, turns, files, tokens), about)


class _Files:
    """Scenes as parts of a message, in either API."""

    def __init__(self, random: Random, *, documents: bool) -> None:
        self._random = random
        self._documents = documents

    def pieces(self, turn: Turn) -> Iterator[str | tuple[str, str]]:
        """Texts, and files as their media type and base64, in order."""
        scenes = deque(turn.scenes)
        for text in _IMAGES.split(turn.user):
            if text.startswith(IMAGE):
                yield from self._files([scenes.popleft() for _ in text])
            elif text:
                yield text

    def _files(self, scenes: Sequence[Scene]) -> Iterator[tuple[str, str]]:
        if self._documents:
            yield "application/pdf", document(scenes, self._random)
        else:
            for scene in scenes:
                yield "image/png", picture(scene, self._random)


def _without_asking(user: str) -> tuple[str, Literal["answer", "thoughts"], bool]:
    """The text without what the server appends when it asks for thoughts or tells them, and which of both it was."""
    if user.endswith(f"\n\n{ASK}"):
        return user.removesuffix(f"\n\n{ASK}"), "thoughts", True
    before, mark, _ = user.rpartition(f"\n\n{_THOUGHTS_START}")
    return (before, "answer", True) if mark else (user, "answer", False)


def _most_tokens(turn: Turn) -> int:
    """Enough for the expected answer: one that is longer is wrong anyway."""
    calls = sum(len(f"{call.name}{call.arguments}".encode()) + _CALL_TOKENS for call in turn.calls)
    return len(turn.answer.encode()) + calls + _MORE_TOKENS


def _needs_gemini(conversation: Conversation) -> bool:
    output, names = conversation.output, [tool.name for tool in conversation.tools]
    if isinstance(output, EnumText) or (isinstance(output, AnyJson) and not output.object_only):
        return True
    return any(not _OPENAI_NAME.fullmatch(name) for name in names)


def _numbered(turns: Sequence[Turn]) -> Iterator[tuple[Turn, list[str], list[str]]]:
    """Turns with the ids of their calls, and of the calls that their results belong to."""
    made: list[tuple[str, str]] = []
    number = 0
    for turn in turns:
        answered = []
        for result in turn.results:
            found = next((pair for pair in made if pair[1] == result.name), None)
            if found is None:
                raise ValueError(f"the result of {result.name} belongs to no call")
            made.remove(found)
            answered.append(found[0])
        made = []
        for call in turn.calls:
            number += 1
            made.append((f"call_{number}", call.name))
        yield turn, [call_id for call_id, _ in made], answered


def _openai_body(conversation: Conversation, turns: Sequence[Turn], files: _Files, tokens: int) -> Json:
    messages: list[Json] = []
    if conversation.system:
        messages.append({"role": "system", "content": conversation.system})
    for turn, made, answered in _numbered(turns):
        messages += [
            {"role": "tool", "tool_call_id": call_id, "content": result.content}
            for call_id, result in zip(answered, turn.results, strict=True)
        ]
        if turn.user or not turn.results:
            messages.append({"role": "user", "content": _openai_content(list(files.pieces(turn)))})
        said: Json = {"role": "assistant", "content": turn.answer or (None if turn.calls else "")}
        if turn.calls:
            said["tool_calls"] = [_openai_call(*pair) for pair in zip(made, turn.calls, strict=True)]
        messages.append(said)
    body: Json = {"model": MODEL, "temperature": 0, "max_tokens": tokens, "messages": messages[:-1]}
    if conversation.tools:
        body["tools"] = [_openai_tool(tool) for tool in conversation.tools]
        body |= _openai_choice(conversation.choice, conversation.tools)
    if isinstance(conversation.output, JsonMatching):
        schema = {"name": "answer", "schema": conversation.output.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif isinstance(conversation.output, AnyJson):
        body["response_format"] = {"type": "json_object"}
    return body


def _openai_content(pieces: Sequence[str | tuple[str, str]]) -> str | list[Json]:
    texts = [piece for piece in pieces if isinstance(piece, str)]
    if len(texts) == len(pieces):
        return "".join(texts)
    return [{"type": "text", "text": piece} if isinstance(piece, str) else _openai_file(*piece) for piece in pieces]


def _openai_file(mime: str, data: str) -> Json:
    url = f"data:{mime};base64,{data}"
    if mime.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {"filename": "document.pdf", "file_data": url}}


def _openai_call(call_id: str, call: ToolCall) -> Json:
    if call.custom:
        return {"id": call_id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    return {"id": call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _openai_tool(tool: Tool) -> Json:
    told: Json = {"name": tool.name}
    if tool.description:
        told["description"] = tool.description
    if not isinstance(tool, CustomTool):
        return {"type": "function", "function": {**told, "parameters": tool.parameters}}
    if tool.pattern is not None or tool.syntax:
        syntax, definition = ("lark", tool.syntax) if tool.pattern is None else ("regex", tool.pattern)
        told["format"] = {"type": "grammar", "grammar": {"syntax": syntax, "definition": definition}}
    return {"type": "custom", "custom": told}


def _openai_choice(choice: ToolChoice, tools: Sequence[Tool]) -> Json:
    told: Json = {} if choice.parallel else {"parallel_tool_calls": False}
    if choice.names is None:
        return told if choice.mode == "auto" else {**told, "tool_choice": choice.mode}
    kinds = {tool.name: "custom" if isinstance(tool, CustomTool) else "function" for tool in tools}
    named: list[Json] = [{"type": kinds[name], kinds[name]: {"name": name}} for name in choice.names]
    if choice.mode == "required" and len(named) == 1 and not choice.parallel:
        return {"tool_choice": named[0]}
    allowed: Json = {"mode": choice.mode, "tools": named}
    return {**told, "tool_choice": {"type": "allowed_tools", "allowed_tools": allowed}}


def _gemini_body(
    conversation: Conversation, turns: Sequence[Turn], files: _Files, tokens: int, *, thinks: bool
) -> Json:
    contents: list[Json] = []
    for turn, made, answered in _numbered(turns):
        told: list[Json] = [_gemini_result(*pair) for pair in zip(answered, turn.results, strict=True)]
        told += [_gemini_part(piece) for piece in files.pieces(turn)]
        contents.append({"role": "user", "parts": told or [{"text": ""}]})
        said: list[Json] = [{"text": turn.answer}] if turn.answer else []
        said += [_gemini_call(*pair) for pair in zip(made, turn.calls, strict=True)]
        contents.append({"role": "model", "parts": said})
    config: Json = {"temperature": 0, "maxOutputTokens": tokens, **_gemini_output(conversation)}
    if thinks:
        config["thinkingConfig"] = {"includeThoughts": True}
    body: Json = {"contents": contents[:-1], "generationConfig": config}
    if conversation.system:
        body["systemInstruction"] = {"parts": [{"text": conversation.system}]}
    if conversation.tools:
        body["tools"] = [{"functionDeclarations": [_gemini_tool(tool) for tool in conversation.tools]}]
        body |= _gemini_choice(conversation.choice)
    return body


def _gemini_part(piece: str | tuple[str, str]) -> Json:
    if isinstance(piece, str):
        return {"text": piece}
    return {"inlineData": {"mimeType": piece[0], "data": piece[1]}}


def _gemini_call(call_id: str, call: ToolCall) -> Json:
    return {"functionCall": {"id": call_id, "name": call.name, "args": json.loads(call.arguments)}}


def _gemini_result(call_id: str, result: ToolResult) -> Json:
    try:
        content = json.loads(result.content)
    except ValueError:
        content = None
    told = content if isinstance(content, dict) else {"result": result.content}
    return {"functionResponse": {"id": call_id, "name": result.name, "response": told}}


def _gemini_tool(tool: Tool) -> Json:
    if isinstance(tool, CustomTool):
        raise ValueError(f"the Gemini API has no tools of free text: {tool.name}")
    told: Json = {"name": tool.name, "parametersJsonSchema": tool.parameters}
    return {**told, "description": tool.description} if tool.description else told


def _gemini_choice(choice: ToolChoice) -> Json:
    if choice.mode == "auto" and choice.names is None:
        return {}
    config: Json = {"mode": {"none": "NONE", "auto": "AUTO", "required": "ANY"}[choice.mode]}
    if choice.names is not None:
        config["allowedFunctionNames"] = list(choice.names)
    return {"toolConfig": {"functionCallingConfig": config}}


def _gemini_output(conversation: Conversation) -> Json:
    output = conversation.output
    if output is None:
        return {}
    if isinstance(output, EnumText):
        schema: Json = {"type": "STRING", "enum": list(output.values)}
        return {"responseMimeType": "text/x.enum", "responseSchema": schema}
    if isinstance(output, JsonMatching):
        return {"responseMimeType": "application/json", "responseJsonSchema": output.schema}
    return {"responseMimeType": "application/json"}
