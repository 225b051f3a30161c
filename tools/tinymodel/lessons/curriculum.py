"""How often each lesson is taught."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tools.tinymodel.conversation import Conversation
from tools.tinymodel.lessons import context, copying, facts, structured, talk, tools

__all__ = ["long_conversation", "long_talk", "many_tools", "short_conversation", "tool_conversation"]

Lesson = Callable[[Random], Conversation]

_PLAIN: tuple[tuple[int, Lesson], ...] = (
    (5, talk.greeting),
    (5, talk.identity),
    (6, talk.small_talk),
    (3, talk.story),
    (14, talk.unanswerable),
    (10, facts.fact),
    (26, copying.echo),
    (6, copying.count),
    (3, copying.list_things),
    (4, copying.sum_up),
    (3, copying.change_case),
    (5, structured.extraction),
    (2, structured.forced_json),
)
_SITUATED: tuple[tuple[int, Lesson], ...] = (
    (7, context.recall),
    (3, context.several_turns),
    (2, context.dictated),
    (2, context.named_assistant),
    (7, context.image),
    (3, copying.drill),
)
_TOOLS: tuple[tuple[int, Lesson], ...] = (
    (14, tools.tool_call),
    (12, tools.tool_dialogue),
    (5, tools.tools_unused),
    (7, tools.tool_call_required),
    (6, tools.two_tool_calls),
    (6, tools.tool_result),
    (2, tools.custom_call),
    (15, structured.filled_schema),
    (6, structured.unfilled_schema),
    (3, structured.enum_text),
    (5, structured.any_json),
)
_SYSTEM_SHARE = 0.12
_MOST_TOOLS = 10
_MANY_TOOLS_SHARE, _LONG_DIALOGUE_SHARE = 0.35, 0.3


def _pick(random: Random, weighted: tuple[tuple[int, Lesson], ...]) -> Lesson:
    return random.choices([lesson for _, lesson in weighted], [weight for weight, _ in weighted])[0]


def short_conversation(random: Random) -> Conversation:
    """A conversation of the ordinary mix, a few dozen to a few hundred tokens."""
    lesson = _pick(random, _PLAIN + _SITUATED)
    if lesson in {plain for _, plain in _PLAIN} and random.random() < _SYSTEM_SHARE:
        return context.with_system(random, lesson)
    return lesson(random)


def tool_conversation(random: Random) -> Conversation:
    """A conversation with declared functions, or an answer in a form that the system text tells."""
    return _pick(random, _TOOLS)(random)


def long_talk(random: Random, characters: int) -> Conversation:
    """A lesson of the plain mix, or several turns, behind about `characters` characters of prose."""
    lesson = context.several_turns if random.random() < _LONG_DIALOGUE_SHARE else _pick(random, _PLAIN)
    return context.long_prompt(random, characters, lesson)


def many_tools(random: Random) -> Conversation:
    """A conversation under up to ten functions."""
    return tools.tool_dialogue(random, random.randint(4, _MOST_TOOLS))


def long_conversation(random: Random, characters: int) -> Conversation:
    """Many functions, or talk behind about `characters` characters of prose."""
    return many_tools(random) if random.random() < _MANY_TOOLS_SHARE else long_talk(random, characters)
