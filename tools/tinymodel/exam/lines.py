"""The exams: which lessons they draw, what they are about, and how much must be right."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tools.tinymodel.conversation import Conversation
from tools.tinymodel.draw import Draw
from tools.tinymodel.exam.seen import is_digit, is_number, is_single, is_word, seen
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

__all__ = ["GROUPS", "Group", "Line"]

Lesson = Callable[[Draw], Conversation]

_FEW = 100
_PRODUCT = re.compile(
    r"\d ?[*x\u00d7/\u00f7:] ?\d| x |times|multipl|product|divi|double|twice|square|half|halve| over |go into",
    re.IGNORECASE,
)


def _any(_conversation: Conversation) -> bool:
    return True


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    name: str
    told: str
    """What is asked, for the page."""
    lessons: tuple[Lesson, ...]
    """Taken in turn."""
    bar: int | None = None
    """Percent that must be right."""
    count: int = 200
    where: Callable[[Conversation], bool] = _any
    """Which of the lessons' conversations are asked."""
    documents: bool = False
    """Images that stand side by side are sent as one PDF."""
    calls: bool = False
    """It is told how often the right function was called, whatever the arguments."""


@dataclass(frozen=True)
class Group:
    """Lines that stand in one table."""

    name: str
    lines: tuple[Line, ...]


def _is_product(conversation: Conversation) -> bool:
    return _PRODUCT.search(conversation.turns[-1].user) is not None


def _is_sum(conversation: Conversation) -> bool:
    return not _is_product(conversation)


def _says(text: str) -> Callable[[Conversation], bool]:
    return lambda conversation: text in conversation.turns[-1].answer


def _says_not(text: str) -> Callable[[Conversation], bool]:
    return lambda conversation: text not in conversation.turns[-1].answer


def _long(draw: Draw, characters: int) -> Conversation:
    """A lesson of one kind or another among much text."""
    lesson = draw.choice((context.recall, copying.echo, facts.fact, context.table, structured.extraction))
    return context.long_prompt(draw, characters, lesson)


_CHAT = Group(
    "Chat",
    (
        Line("Greetings", "`Hello!`, `good morning`, `hey there`", (talk.greeting,)),
        Line("About itself", "`Who are you?`, `Are you human?`", (talk.identity,)),
        Line("Small talk", "`Thanks!`, `Tell me a joke`, `good night`", (talk.small_talk,)),
        Line("Stories and poems", "`Write a poem about a fox`: a fixed form with the subject in it", (talk.story,)),
        Line(
            "What it can't know", "Why, how, news, opinions, made-up people: says that it can't", (talk.unanswerable,)
        ),
        Line(
            "Capitals",
            "`What is the capital of France?`, also of countries that it was not taught",
            (facts.capital,),
            98,
        ),
        Line("Other facts", "Days in a week, opposites, animals' sounds, oceans", (facts.fact,)),
        Line("Facts in one word", "The same, but only the bare value is wanted", (facts.bare_fact,)),
        Line(
            "System texts",
            "`Answer in one word`, `ALWAYS SHOUT`, `Start every answer with X`",
            (instructions.ruled_by_system,),
        ),
        Line("Rules in the request", "The same, before or behind the question", (instructions.ruled_by_user,)),
        Line(
            "Names and fixed answers",
            "`You are Zoe`, `Always answer X`, `Greet in French`",
            (roles.named, roles.always_says, roles.greets_in_language),
        ),
    ),
)
_TEXT = Group(
    "Text",
    (
        Line(
            "Copying", "`Say exactly: X`: words, codes, URLs, JSON, other scripts, up to 60 tokens", (copying.echo,), 98
        ),
        Line("Long lists to copy", "Up to 150 tokens", (copying.drill,)),
        Line("Repetition", "`Repeat X three times`", (copying.repeat_times,)),
        Line("Parts", "First, last or nth word or item", (copying.part_of,)),
        Line("Reverse order", "Two to six words", (copying.reverse_words,)),
        Line("Letter case", "Upper, lower and title case", (letter_case.change_case,)),
        Line("Lists of things", "`List three fruits`: lines, commas or JSON", (listing.list_things,), 98),
        Line("Sentiment and kinds", "`Is this review positive or negative?`", (sentiment.sentiment,)),
        Line("Translation", "Words and short phrases in five languages", (language.translation,)),
        Line("Which language", "`What language is 'bonjour'?`", (language.source_language,)),
        Line("Summary", "The first of two to five sentences", (language.summary,)),
        Line(
            "Opposites, plurals, spelling",
            "`Spell cat`, `plural of mouse`",
            (language.opposite, language.plural, language.spelling),
        ),
    ),
)
_NUMBERS = Group(
    "Numbers",
    (
        Line("Sums and differences", "Of two numbers up to 99", (arithmetic.sum_up,), 95, where=_is_sum),
        Line(
            "Products and quotients",
            "Up to 12 times 12 and two digits times one",
            (arithmetic.sum_up,),
            95,
            where=_is_product,
        ),
        Line("Word problems", "`Tom has 5 apples and buys 7 more.`", (arithmetic.word_problem,)),
        Line("Comparisons", "`Which is larger, 17 or 71?`, up to 999", (claims.compare,), 95),
        Line("Yes or no", "`Is 7 even?`, `Is Paris in Italy?`, half of them true", (claims.yes_or_no,), 95),
        Line("Counting", "`Count from 3 to 9`, upwards and downwards", (listing.count,)),
        Line("Sorting", "Two to five numbers, a few words", (listing.sort_items,)),
        Line("Counting words and letters", "Of short texts and words", (listing.count_words, listing.letters)),
    ),
)
_CONTEXT = Group(
    "Context",
    (
        Line("Recall over turns", "`My name is Lea.` ... `What is my name?`", (context.recall,), 98),
        Line("What was not told", "A question for something that nobody said", (context.untold,)),
        Line("Facts of the system text", "`The secret word is X.`", (context.system_facts, context.named_assistant)),
        Line("Dictated answers", "A system text with the answers in it", (context.dictated,)),
        Line("Passages", "A question about a few made-up facts", (context.passage,)),
        Line("Lists and tables", "One value of a list, a table or CSV", (context.table,)),
        Line("The dialogue itself", "`What did I say first?`", (context.earlier_words,)),
        Line("Several turns", "Two to five unrelated exchanges", (context.several_turns,)),
        Line("About 600 tokens", "Any of these among prose or lists", (partial(_long, characters=900),), count=_FEW),
        Line("About 2,000 tokens", "The same", (partial(_long, characters=3400),), count=40),
        Line("A fact among 2,000 tokens", "At any depth", (partial(context.needle, characters=3400),), count=40),
    ),
)
_JSON = Group(
    "JSON",
    (
        Line("Extraction", "`Extract the name and age from: ...`", (structured.extraction,), 98),
        Line("Dictated members", "`Return JSON with keys a and b`", (structured.dictated_json,)),
        Line(
            "By a schema: sentences",
            "Natural sentences, known kinds of records",
            (structured.record_schema, structured.event_schema),
        ),
        Line("By a schema: new keys", "Random schemas with keys that training never had", (structured.filled_schema,)),
        Line("By a schema: lists", "Several sentences, a list of objects", (structured.listed_schema,)),
        Line("By a schema: the usual answer", "As the one member of an object", (structured.answered_schema,)),
        Line("By a schema: nothing told", "Placeholders", (structured.unfilled_schema,)),
        Line("Classification", "Sentiments and kinds under an enum", (structured.classified, structured.enum_text)),
        Line("Without a schema", "`json_object`", (structured.any_json,)),
    ),
)
_FUNCTIONS = Group(
    "Functions",
    (
        Line(
            "One call",
            "One to six functions with names and keys that training never had",
            (tools.tool_call,),
            90,
            _FEW,
            calls=True,
        ),
        Line(
            "Common functions",
            "Weather, time, mail, lights, in everyday words",
            (tools.known_tool_call,),
            90,
            _FEW,
            calls=True,
        ),
        Line("Four to ten functions", "One of them, or none", (tools.many_tools,), 90, _FEW, calls=True),
        Line(
            "No call",
            "Functions are declared, but the question needs none",
            (tools.tools_unused,),
            95,
            _FEW,
            calls=True,
        ),
        Line("A call is demanded", "`tool_choice: required`", (tools.tool_call_required,), 90, _FEW, calls=True),
        Line("Two or three calls", "In one request", (tools.two_tool_calls,), None, _FEW, calls=True),
        Line("After a result", "The answer tells it", (tools.tool_result,), None, _FEW, calls=True),
        Line("After an error", "A mended call, or the error told", (tools.tool_error,), None, _FEW, calls=True),
        Line("Dialogues", "Calls, results and small talk", (tools.tool_dialogue,), None, _FEW, calls=True),
        Line("Free text", "A custom tool", (tools.custom_call,), None, _FEW, calls=True),
        Line("Thoughts", "What Gemini's `includeThoughts` shows", (thoughts.thinking,), None, _FEW),
        Line(
            "Answers after thoughts",
            "The usual answer or call",
            (thoughts.answer_after_thoughts,),
            None,
            _FEW,
            calls=True,
        ),
    ),
)
_IMAGES = Group(
    "Images",
    (
        Line("Colour of an image", "Of one colour", (seen("plain", ("color",)),), 98),
        Line(
            "Colour of a thing",
            "Of a shape or text",
            (seen("shapes", ("thing_color",)), seen("text", ("thing_color",))),
            98,
        ),
        Line("Background", "Behind shapes or text", (seen("shapes", ("background",)), seen("text", ("background",)))),
        Line("Shape", "One of six", (seen("shapes", ("shape",), is_single),), 90),
        Line("Counting shapes", "One to nine equal ones", (seen("shapes", ("count",)),)),
        Line("Digit", "One large digit", (seen("text", ("digit", "text"), is_digit),), 90),
        Line("Number", "Two to four digits", (seen("text", ("digit", "text"), is_number),)),
        Line("Word", "One of about a hundred that it was taught", (seen("text", ("word", "text"), is_word),)),
        Line("Description", "`Describe this image.`", (seen("plain", ("describe",)), seen("shapes", ("describe",)))),
        Line("Yes or no, about an image", "`Is it a circle?`", (seeing.yes_or_no,)),
        Line("Several images", "Two to four, a question about one or all", (seeing.several_images,), None, _FEW),
        Line("Images over turns", "`And this one?`", (seeing.picture_dialogue,), None, _FEW),
        Line("JSON about an image", "By a schema or by keys", (seeing.picture_json,), None, _FEW),
        Line(
            "Image beside the question", "The question has nothing to do with it", (seeing.unrelated_image,), None, _FEW
        ),
        Line("No image", "It is asked for, but was not sent", (seeing.no_image,)),
    ),
)
_DOCUMENTS = Group(
    "Documents",
    (
        Line(
            "Number of pages",
            "A PDF of one to five pages with one word or number each",
            (seeing.document,),
            None,
            60,
            _says(" page"),
            documents=True,
        ),
        Line(
            "Text of pages",
            "`What does page 2 say?`",
            (seeing.document,),
            None,
            60,
            _says_not(" page"),
            documents=True,
        ),
    ),
)
GROUPS: tuple[Group, ...] = (_CHAT, _TEXT, _NUMBERS, _CONTEXT, _JSON, _FUNCTIONS, _IMAGES, _DOCUMENTS)
