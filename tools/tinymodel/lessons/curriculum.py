"""How much of the training each lesson gets."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import accumulate

from tools.tinymodel.conversation import Conversation, chat_turns
from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons import (
    arithmetic,
    claims,
    context,
    copying,
    facts,
    instructions,
    language,
    letter_case,
    listing,
    roles,
    seeing,
    sentiment,
    structured,
    talk,
    thoughts,
    tools,
)

__all__ = ["Lesson", "any_conversation", "foundation"]

Lesson = Callable[[Draw], Conversation]

_PLAIN: tuple[tuple[float, Lesson], ...] = (
    (1.0, talk.greeting),
    (1.0, talk.identity),
    (1.2, talk.small_talk),
    (0.6, talk.by_chance),
    (0.7, talk.story),
    (2.0, talk.unanswerable),
    (2.4, facts.fact),
    (3.0, facts.capital),
    (1.0, facts.bare_fact),
    (1.4, sentiment.sentiment),
    (2.4, language.translation),
    (0.5, language.source_language),
    (0.7, language.opposite),
    (0.6, language.plural),
    (0.7, language.spelling),
    (1.0, language.summary),
    (7.0, copying.echo),
    (1.5, copying.repeat_times),
    (1.8, copying.part_of),
    (1.0, copying.reverse_words),
    (4.0, letter_case.change_case),
    (0.8, listing.count),
    (3.0, listing.list_things),
    (1.2, listing.sort_items),
    (0.6, listing.count_words),
    (0.6, listing.letters),
    (6.0, arithmetic.sum_up),
    (1.0, arithmetic.word_problem),
    (5.0, claims.compare),
    (6.0, claims.yes_or_no),
    (6.0, structured.extraction),
    (1.2, structured.dictated_json),
)
"""Questions that stand alone, with their shares of the training's tokens."""

_SITUATED: tuple[tuple[float, Lesson], ...] = (
    (3.0, copying.drill),
    (8.0, arithmetic.sum_drill),
    (5.0, claims.claim_drill),
    (2.6, instructions.ruled_by_system),
    (1.8, instructions.ruled_by_user),
    (0.8, roles.always_says),
    (0.5, roles.named),
    (0.2, roles.greets_in_language),
    (0.5, context.dictated),
    (0.5, context.named_assistant),
    (8.0, context.recall),
    (0.7, context.earlier_words),
    (1.8, context.passage),
    (1.2, context.system_facts),
    (1.5, context.table),
    (0.4, context.untold),
    (1.6, context.several_turns),
    (1.0, thoughts.thinking),
    (0.5, thoughts.answer_after_thoughts),
    (0.6, seeing.no_image),
    (2.4, seeing.one_image),
    (0.7, seeing.picture_dialogue),
    (0.8, seeing.picture_json),
    (1.8, seeing.several_images),
    (0.6, seeing.unrelated_image),
    (1.4, seeing.yes_or_no),
    (1.5, seeing.document),
    (0.4, structured.answered_schema),
    (0.5, structured.any_json),
    (0.6, structured.classified),
    (0.4, structured.enum_text),
    (0.8, structured.event_schema),
    (5.0, structured.filled_schema),
    (0.9, structured.listed_schema),
    (1.6, structured.record_schema),
    (0.8, structured.unfilled_schema),
    (12.0, tools.tool_call),
    (10.0, tools.tool_drill),
    (4.5, tools.known_tool_call),
    (4.0, tools.tool_call_required),
    (4.0, tools.two_tool_calls),
    (2.5, tools.tool_result),
    (2.0, tools.tool_error),
    (5.0, tools.tools_unused),
    (1.5, tools.tool_dialogue),
    (2.5, tools.many_tools),
    (0.6, tools.custom_call),
)
"""The other lessons, with their shares of the training's tokens."""

_FOUNDATIONS: tuple[tuple[float, Lesson], ...] = (
    (3.0, arithmetic.sum_drill),
    (1.0, arithmetic.sum_up),
    (4.0, claims.claim_drill),
    (2.0, claims.compare),
    (3.0, claims.yes_or_no),
    (2.0, listing.list_things),
    (2.0, letter_case.change_case),
)
"""What stays at chance for long where it is a small part of each step: its answers hold a bit or a few."""

_FOUNDATION_SHARE = 0.7
"""Share of the foundations' conversations in the first stage; the rest is the whole mix."""
_SYSTEM_SHARE = 0.1
"""Share of the plain questions that get a system text that changes nothing."""
_LONG_SHARE = 0.001
"""Share of the conversations that are long."""
_LONG_CHARACTERS = (600, 5500)
_SIZED_BY = 50


@cache
def _chances(shares: tuple[tuple[float, Lesson], ...]) -> tuple[list[Lesson], list[float]]:
    """The lessons, and the running sum of their chances to be drawn: a share of the tokens by the usual length."""
    chances = [share / _usual_length(lesson) for share, lesson in shares]
    return [lesson for _, lesson in shares], list(accumulate(chances))


def _draw_lesson(draw: Draw, shares: tuple[tuple[float, Lesson], ...]) -> Lesson:
    lessons, chances = _chances(shares)
    (lesson,) = draw.choices(lessons, cum_weights=chances)
    return lesson


def _usual_length(lesson: Lesson) -> float:
    """Mean characters of a lesson's conversations, with some for the marks of their turns."""
    drawn = [chat_turns(lesson(Draw.of(seed))) for seed in range(_SIZED_BY)]
    characters = sum(20 + len(str(turn.content)) for turns in drawn for turn in turns)
    return characters / _SIZED_BY


def any_conversation(draw: Draw) -> Conversation:
    """A conversation of the whole mix."""
    if draw.random() < _LONG_SHARE:
        return _long(draw)
    lesson = _draw_lesson(draw, _PLAIN + _SITUATED)
    if draw.random() < _SYSTEM_SHARE and any(lesson is plain for _, plain in _PLAIN):
        return context.with_system(draw, lesson)
    return lesson(draw)


def foundation(draw: Draw) -> Conversation:
    """A conversation of the first stage: mostly short drills of what needs many examples at once to be learned."""
    if draw.random() >= _FOUNDATION_SHARE:
        return any_conversation(draw)
    return _draw_lesson(draw, _FOUNDATIONS)(draw)


def _long(draw: Draw) -> Conversation:
    """A question of the plain mix, or a thing to recall, in up to some 2,000 tokens of prose."""
    characters = draw.randint(*_LONG_CHARACTERS)
    if draw.random() < 0.5:
        return context.needle(draw, characters)
    (lesson,) = draw.choices([lesson for _, lesson in _PLAIN], [share for share, _ in _PLAIN])
    return context.long_prompt(draw, characters, lesson)
