"""Thinking before the answer: the pass that asks for thoughts, and the answer that follows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from localaik.generation.thinking import ASK, reminder
from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.copying import echo
from tools.tinymodel.lessons.facts import fact
from tools.tinymodel.lessons.talk import greeting, identity, small_talk, unanswerable
from tools.tinymodel.lessons.tools import known_tool_call, tool_call

__all__ = ["answer_after_thoughts", "thinking"]

_Lesson = Callable[[Draw], Conversation]

_THOUGHTS: tuple[tuple[_Lesson, str], ...] = (
    (greeting, "The user greets me. I greet back."),
    (identity, "The user asks about me. I tell who I am."),
    (small_talk, "This is small talk. I answer it."),
    (unanswerable, "I was not taught this. I say so."),
    (echo, "The user wants me to repeat a text. I copy it."),
    (fact, "The user asks for a fact. I know it: {answer}"),
    (fact, "The user asks for a fact. I know it: {answer}"),
    (tool_call, "The user needs {function}. I call it."),
    (known_tool_call, "The user needs {function}. I call it."),
)


def _drawn(draw: Draw) -> tuple[Conversation, str]:
    """An exchange of one turn, and what the model thinks about it."""
    while True:
        lesson, form = draw.choice(_THOUGHTS)
        conversation = lesson(draw)
        (turn, *more) = conversation.turns
        if not more and turn.user and not turn.scenes:
            function = turn.calls[0].name if turn.calls else ""
            return conversation, form.replace("{answer}", turn.answer).replace("{function}", function)


def _ending(conversation: Conversation, end: str) -> Turn:
    turn = conversation.turns[0]
    return replace(turn, user=f"{turn.user}\n\n{end}")


def thinking(draw: Draw) -> Conversation:
    """The pass that asks for thoughts: they are the answer."""
    conversation, thoughts = _drawn(draw)
    turn = replace(_ending(conversation, ASK), answer=thoughts, calls=())
    return replace(conversation, turns=(turn,))


def answer_after_thoughts(draw: Draw) -> Conversation:
    """The usual answer or call, behind the thoughts."""
    conversation, thoughts = _drawn(draw)
    return replace(conversation, turns=(_ending(conversation, reminder(thoughts)),))
