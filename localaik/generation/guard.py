"""What must hold before a conversation reaches a model.

- Control tokens in a caller's text become literal text: they can't end a turn or fake an image.
- System text is kept, wherever it stands; turns of one role are one turn; the first turn is the user's.

Chat templates demand this (Gemma's raises on broken alternation and renders only a leading system message), and
models that were trained without it answer better for it.
"""

import re
from collections.abc import Iterable
from typing import Final

from localaik.content import Image, Text
from localaik.engine.calls import ChatTurn, EngineImage
from localaik.generation.request import Message

__all__ = ["Neutraliser", "to_turns"]

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


def to_turns(messages: list[Message], neutraliser: Neutraliser) -> list[ChatTurn]:
    """Messages without attachments as turns: at most one leading system turn, then user and assistant in alternation.

    Leading system messages are joined by a blank line; a later one opens the next user turn, labelled. The last turn
    may be the assistant's: the model then answers with a new turn.
    """
    leading = 0
    while leading < len(messages) and messages[leading].role == "system":
        leading += 1
    turns: list[ChatTurn] = []
    system = "\n\n".join(filter(None, (_text_of(message, neutraliser) for message in messages[:leading])))
    if system:
        turns.append(ChatTurn("system", system))
    dialogue: list[ChatTurn] = []
    for message in messages[leading:]:
        if message.role == "system":
            text = _text_of(message, neutraliser)
            if text:
                _append(dialogue, ChatTurn("user", f"System: {text}"))
        else:
            _append(dialogue, ChatTurn(message.role, _content_of(message, neutraliser)))
    if not dialogue or dialogue[0].role == "assistant":
        dialogue.insert(0, ChatTurn("user", ""))
    return turns + dialogue


def _text_of(message: Message, neutraliser: Neutraliser) -> str:
    return neutraliser.clean("".join(part.text for part in message.parts if isinstance(part, Text)))


def _content_of(message: Message, neutraliser: Neutraliser) -> str | list[str | EngineImage]:
    """The message's text, or its pieces in order where there are images; no control token hides across two parts."""
    pieces: list[str | EngineImage] = []
    for part in message.parts:
        if isinstance(part, Text):
            if pieces and isinstance(pieces[-1], str):
                pieces[-1] += part.text
            else:
                pieces.append(part.text)
        elif isinstance(part, Image):
            pieces.append(EngineImage(f"data:{part.mime};base64,{part.data}"))
    cleaned = [neutraliser.clean(piece) if isinstance(piece, str) else piece for piece in pieces]
    return _simplest(cleaned)


def _simplest(pieces: list[str | EngineImage]) -> str | list[str | EngineImage]:
    if not pieces:
        return ""
    return pieces[0] if len(pieces) == 1 and isinstance(pieces[0], str) else pieces


def _append(turns: list[ChatTurn], turn: ChatTurn) -> None:
    """Add a turn, or join it to the last one by a blank line where that has the same role."""
    if not turns or turns[-1].role != turn.role:
        turns.append(turn)
        return
    last = turns[-1]
    if isinstance(last.content, str) and isinstance(turn.content, str):
        last.content = "\n\n".join(filter(None, (last.content, turn.content)))
        return
    before = _as_list(last.content)
    after = _as_list(turn.content)
    if before and after and isinstance(before[-1], str) and isinstance(after[0], str):
        before[-1] = f"{before[-1]}\n\n{after.pop(0)}"
    last.content = before + after


def _as_list(content: str | list[str | EngineImage]) -> list[str | EngineImage]:
    if isinstance(content, list):
        return list(content)
    return [content] if content else []
