"""How often each lesson is taught."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tools.tinymodel.conversation import Conversation
from tools.tinymodel.lessons import context, copying, facts, structured, talk

__all__ = ["long_conversation", "short_conversation"]

Lesson = Callable[[Random], Conversation]

_PLAIN: tuple[tuple[int, Lesson], ...] = (
    (5, talk.greeting),
    (5, talk.identity),
    (6, talk.small_talk),
    (3, talk.story),
    (13, talk.unanswerable),
    (10, facts.fact),
    (24, copying.echo),
    (3, copying.count),
    (2, copying.list_things),
    (3, copying.sum_up),
    (4, structured.extraction),
    (7, structured.forced_json),
)
_SITUATED: tuple[tuple[int, Lesson], ...] = (
    (7, context.recall),
    (3, context.several_turns),
    (2, context.dictated),
    (2, context.named_assistant),
    (7, context.image),
)
_SYSTEM_SHARE = 0.12


def _pick(random: Random, weighted: tuple[tuple[int, Lesson], ...]) -> Lesson:
    return random.choices([lesson for _, lesson in weighted], [weight for weight, _ in weighted])[0]


def short_conversation(random: Random) -> Conversation:
    """A conversation of the ordinary mix, a few dozen to a few hundred tokens."""
    lesson = _pick(random, _PLAIN + _SITUATED)
    if lesson in {plain for _, plain in _PLAIN} and random.random() < _SYSTEM_SHARE:
        return context.with_system(random, lesson)
    return lesson(random)


def long_conversation(random: Random, characters: int) -> Conversation:
    """A lesson of the plain mix, or several turns, behind about `characters` characters of prose."""
    lesson = context.several_turns if random.random() < 0.3 else _pick(random, _PLAIN)
    return context.long_prompt(random, characters, lesson)
