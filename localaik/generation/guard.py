"""What must hold before a conversation reaches a model.

- Control tokens in a caller's text become literal text: they can't end a turn or fake an image.
- System text is kept, wherever it stands; turns of one role are one turn; the first turn is the user's.
- Calls of tools and their results are told as text, or in the engine's own form where it has one.

Chat templates demand this (Gemma's raises on broken alternation and renders only a leading system message), and
models that were trained without it answer better for it.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from localaik.content import Image, Text
from localaik.engine.calls import ChatTurn, EngineImage, EngineToolCall
from localaik.generation.request import Message, MessagePart, ToolCall, ToolResult
from localaik.generation.tools.prompt import render_call, render_result

__all__ = ["Neutraliser", "append_turn", "to_turns"]

_ZERO_WIDTH_SPACE: Final = "\u200b"
_GEMMA_TOKENS: Final = (
    "<bos>",
    "<eos>",
    "<pad>",
    "<unk>",
    "<mask>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<start_of_image>",
    "<end_of_image>",
    "<image_soft_token>",
)
_NUMBERED: Final = r"<unused\d{1,4}>"
_ANGLE_BAR: Final = r"<\|[^|<>\s]{1,64}\|>"  # the form of ChatML, Llama 3, Phi, Qwen, gpt-oss
_IN_TEMPLATE: Final = re.compile(r"<[|/]?[A-Za-z_][\w/]{0,62}\|?>|<｜[^｜]{1,64}｜>|\[/?INST\]")


class Neutraliser:
    """Makes control tokens in text literal, by a zero-width space after their first character.

    The tokens are Gemma's, every `<|name|>`, those that the model's chat template mentions, and `more` (an engine's
    media marker).
    """

    def __init__(self, template: str = "", more: Iterable[str] = ()) -> None:
        tokens = {*_GEMMA_TOKENS, *_IN_TEMPLATE.findall(template), *(token for token in more if token)}
        # Longest first, so that no token hides behind its own beginning.
        literal = "|".join(re.escape(token) for token in sorted(tokens, key=lambda token: (-len(token), token)))
        self._pattern = re.compile(f"{literal}|{_NUMBERED}|{_ANGLE_BAR}")
        self._starts = tuple(sorted({token[0] for token in tokens} | {"<"}))

    def clean(self, text: str) -> str:
        """The text, with every control token in it broken."""
        if not any(start in text for start in self._starts):
            return text
        return self._pattern.sub(_break, text)


def _break(match: re.Match[str]) -> str:
    token = match.group()
    return token[0] + _ZERO_WIDTH_SPACE + token[1:]


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that localaik wrote: a call, or a result."""

    text: str


_Piece = str | EngineImage


def to_turns(
    messages: Sequence[Message], neutraliser: Neutraliser, *, instructions: str = "", native: bool = False
) -> list[ChatTurn]:
    """Messages without attachments as turns: at most one leading system turn, then user and assistant in alternation.

    Leading system messages are joined by a blank line; a later one opens the next user turn, labelled. `instructions`
    are localaik's own and end the system text. The last turn may be the assistant's: the model then answers with a new
    turn. `native`: calls and results are told in fields of their own, and a result is a turn of the role `tool`.
    """
    leading = 0
    while leading < len(messages) and messages[leading].role == "system":
        leading += 1
    turns: list[ChatTurn] = []
    said = [_text_of(message, neutraliser) for message in messages[:leading]]
    system = "\n\n".join(filter(None, (*said, instructions)))
    if system:
        turns.append(ChatTurn("system", system))
    dialogue: list[ChatTurn] = []
    for message in messages[leading:]:
        if message.role == "system":
            text = _text_of(message, neutraliser)
            if text:
                append_turn(dialogue, ChatTurn("user", f"System: {text}"))
        elif native and any(isinstance(part, ToolCall | ToolResult) for part in message.parts):
            for turn in _native_turns(message, neutraliser):
                append_turn(dialogue, turn)
        else:
            append_turn(dialogue, ChatTurn(message.role, _content_of(message.parts, neutraliser)))
    if not dialogue or dialogue[0].role == "assistant":
        dialogue.insert(0, ChatTurn("user", ""))
    return turns + dialogue


def append_turn(turns: list[ChatTurn], turn: ChatTurn) -> None:
    """Add a turn, or join it to the last one by a blank line where that has the same role."""
    if not turns or turns[-1].role != turn.role or turn.role == "tool":
        turns.append(turn)
        return
    last = turns[-1]
    last.calls = (*last.calls, *turn.calls)
    if isinstance(last.content, str) and isinstance(turn.content, str):
        last.content = "\n\n".join(filter(None, (last.content, turn.content)))
        return
    before = _as_list(last.content)
    after = _as_list(turn.content)
    if before and after and isinstance(before[-1], str) and isinstance(after[0], str):
        before[-1] = f"{before[-1]}\n\n{after.pop(0)}"
    last.content = before + after


def _native_turns(message: Message, neutraliser: Neutraliser) -> list[ChatTurn]:
    """A message with calls or results, in the form that chat templates with tools know."""
    calls = [
        EngineToolCall(part.id, part.name, neutraliser.clean(_native_arguments(part)))
        for part in message.parts
        if isinstance(part, ToolCall)
    ]
    others = [part for part in message.parts if not isinstance(part, ToolCall | ToolResult)]
    if calls:
        return [ChatTurn("assistant", _content_of(others, neutraliser), calls=calls)]
    results = [part for part in message.parts if isinstance(part, ToolResult)]
    turns = [ChatTurn("tool", neutraliser.clean(result.content), call_id=result.call_id) for result in results]
    shown = [part for result in results for part in result.parts]
    turns += [ChatTurn("user", _content_of(told, neutraliser)) for told in (shown, others) if told]
    return turns


def _native_arguments(call: ToolCall) -> str:
    """JSON text of an object; templates go through its members. Whatever is none becomes the only member of one."""
    if not call.custom:
        try:
            if isinstance(json.loads(call.arguments), dict):
                return call.arguments
        except (ValueError, RecursionError):
            pass
    return json.dumps({"input": call.arguments})


def _text_of(message: Message, neutraliser: Neutraliser) -> str:
    return neutraliser.clean("".join(part.text for part in message.parts if isinstance(part, Text)))


def _content_of(parts: Sequence[MessagePart], neutraliser: Neutraliser) -> str | list[_Piece]:
    """The message's text, or its pieces in order where there are images; no control token hides across two parts."""
    pieces: list[str | EngineImage | _Line] = []
    for part in parts:
        _add_part(part, pieces, neutraliser)
    content: list[_Piece] = []
    after_line = False
    for piece in pieces:
        is_line = isinstance(piece, _Line)
        told = piece.text if isinstance(piece, _Line) else neutraliser.clean(piece) if isinstance(piece, str) else piece
        if isinstance(told, str) and content and isinstance(content[-1], str):
            content[-1] += f"\n{told}" if (is_line or after_line) and content[-1] else told
        else:
            content.append(told)
        after_line = is_line
    return _simplest(content)


def _add_part(part: MessagePart, pieces: list[str | EngineImage | _Line], neutraliser: Neutraliser) -> None:
    if isinstance(part, Text):
        if pieces and isinstance(pieces[-1], str):
            pieces[-1] += part.text
        else:
            pieces.append(part.text)
    elif isinstance(part, Image):
        pieces.append(EngineImage(f"data:{part.mime};base64,{part.data}"))
    elif isinstance(part, ToolCall):
        pieces.append(_Line(render_call(part, neutraliser.clean)))
    elif isinstance(part, ToolResult):
        pieces.append(_Line(render_result(part, neutraliser.clean)))
        for shown in part.parts:
            _add_part(shown, pieces, neutraliser)


def _simplest(pieces: list[_Piece]) -> str | list[_Piece]:
    if not pieces:
        return ""
    return pieces[0] if len(pieces) == 1 and isinstance(pieces[0], str) else pieces


def _as_list(content: str | list[_Piece]) -> list[_Piece]:
    if isinstance(content, list):
        return list(content)
    return [content] if content else []
