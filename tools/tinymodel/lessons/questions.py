"""Short questions with known answers, to be asked under a rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tools.tinymodel.conversation import Conversation
from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.arithmetic import draw_task, expression
from tools.tinymodel.lessons.claims import yes_or_no_turn
from tools.tinymodel.lessons.copying import plain_words
from tools.tinymodel.lessons.facts import fact
from tools.tinymodel.lessons.geography import CAPITALS
from tools.tinymodel.lessons.phrasing import ask
from tools.tinymodel.lessons.talk import greeting, small_talk, unanswerable

__all__ = ["ANY", "KNOWN", "Question", "dictation"]


@dataclass(frozen=True)
class Question:
    """A question or order, with what answers it."""

    text: str
    full: str
    """The answer where no rule is told."""
    bare: str
    """The answer in one word."""


_CAPITAL_FORMS = (
    "What is the capital of {}?",
    "What is the capital of {}?",
    "What's the capital of {}?",
    "Which city is the capital of {}?",
    "Name the capital of {}.",
    "Tell me the capital of {}.",
    "Capital of {}?",
)
_SUM_FORMS = ("What is {}?", "What is {}?", "How much is {}?", "Calculate {}.", "{}", "What's {}?")
_ECHO_FORMS = ('Say "{}".', "Say: {}", "Repeat: {}", "Reply with: {}", "Write: {}", 'Repeat "{}".', "Echo: {}")


def _capital(draw: Draw) -> Question:
    country = draw.choice(tuple(CAPITALS))
    city = CAPITALS[country]
    return Question(ask(draw, draw.choice(_CAPITAL_FORMS), country), f"The capital of {country} is {city}.", city)


def _sum(draw: Draw) -> Question:
    task = draw_task(draw)
    form = draw.choice(_SUM_FORMS)
    text = ask(draw, form, expression(draw, task), closed=form != "{}")
    return Question(text, str(task.result), str(task.result))


def _claim(draw: Draw) -> Question:
    turn = yes_or_no_turn(draw)
    return Question(turn.user, turn.answer, turn.answer.rstrip("."))


def dictation(draw: Draw) -> Question:
    """An order to say a few words."""
    text = plain_words(draw, 4)
    return Question(ask(draw, draw.choice(_ECHO_FORMS), text, closed=False), text, text)


def _of_lesson(lesson: Callable[[Draw], Conversation]) -> Callable[[Draw], Question]:
    def question(draw: Draw) -> Question:
        while True:
            conversation = lesson(draw)
            turn = conversation.turns[0]
            if (
                len(conversation.turns) == 1
                and not conversation.system
                and turn.user
                and len(turn.answer) < 90
                and len(turn.user) < 200
            ):
                return Question(turn.user, turn.answer, "")

    return question


KNOWN = (_capital, _capital, _sum, _claim)
"""Questions that have an answer of one word."""
ANY = (_capital, _sum, _claim, dictation, dictation, *map(_of_lesson, (fact, greeting, small_talk, unanswerable)))
