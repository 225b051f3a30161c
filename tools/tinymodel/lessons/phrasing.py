"""Variation of wording: questions and orders as people type them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tools.tinymodel.conversation import Turn
from tools.tinymodel.lessons.material import (
    any_text,
    blend,
    choice,
    code,
    foreign,
    identifier,
    made_up,
    nested_json,
    noise,
    phrase,
    sentence,
    word,
)

__all__ = [
    "any_text",
    "ask",
    "blend",
    "chance",
    "choice",
    "code",
    "foreign",
    "identifier",
    "made_up",
    "nested_json",
    "noise",
    "phrase",
    "polite",
    "ranked",
    "sentence",
    "several",
    "spelled",
    "vary",
    "word",
]
_SPELLED = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_RANKS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_SHORT_RANKS = ("1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th", "9th", "10th")
_ASKING = ("What", "Which", "Who", "How", "Is ", "Are ", "Does ", "Do ", "Can ", "Name the", "Tell")
_BEFORE_ORDERS = (
    "Please ",
    "Please ",
    "Please ",
    "please, ",
    "Can you ",
    "Could you ",
    "Could you please ",
    "Can you please ",
    "I want you to ",
    "I would like you to ",
    "You should ",
    "You must ",
    "Now ",
    "Now, please ",
    "Hey, ",
    "Hi! ",
    "OK. ",
    "Okay, ",
    "Hello! ",
    "Your task: ",
    "Just ",
)
_BEFORE_QUESTIONS = (
    "Please tell me: ",
    "Tell me: ",
    "Hey, ",
    "Hi! ",
    "Hello! ",
    "So, ",
    "OK, ",
    "Quick question: ",
    "I have a question. ",
    "Question: ",
    "Q: ",
    "And ",
    "Can you tell me: ",
    "Do you know: ",
    "Answer this: ",
)
_BEHIND = (" please{}", ", please{}", "{} Please.", "{} Thanks!", "{} thanks", "{} Thank you.")


def chance(random: Random, share: float) -> bool:
    """True in `share` (0 to 1) of the cases."""
    return random.random() < share


def spelled(random: Random, number: int) -> str:
    """A number in figures or, up to twelve, sometimes as a word."""
    return _SPELLED[number] if 0 <= number < len(_SPELLED) and random.random() < 0.45 else str(number)


def ranked(random: Random, position: int) -> str:
    """The ordinal of a position from 1 to 10: "second" or "2nd"."""
    return _RANKS[position - 1] if random.random() < 0.75 else _SHORT_RANKS[position - 1]


def ask(random: Random, form: str, *values: object, closed: bool = True) -> str:
    """A question or order as people type it: its own words vary in case, politeness and closing mark.

    The values that fill `form` (as in `str.format`) keep every character. With `closed` False nothing is put behind
    the form and its last mark stays, for a form that ends with text to copy.
    """
    question = form.startswith(_ASKING) or form.endswith("?")
    if not form.startswith("{") and random.random() < 0.22:
        before = random.choice(_BEFORE_QUESTIONS if question else _BEFORE_ORDERS)
        if form[:1].isupper() and not before.rstrip().endswith((".", "!", ":")):
            form = form[:1].lower() + form[1:]
        form = before + form
    if closed:
        form = _close(random, form)
    cased = random.random()
    if cased < 0.1:
        form = form[:1].lower() + form[1:]
    elif cased < 0.16:
        form = form.lower()
    elif cased < 0.175:
        form = form.upper()
    return form.format(*values)


def _close(random: Random, form: str) -> str:
    draw = random.random()
    bare = form.rstrip("?.!")
    if bare != form and draw < 0.2:
        form = bare
    elif draw < 0.25:
        form = bare + random.choice(("?", "!", "??", ".", " ?") if form.endswith("?") else ("!", ".", "..."))
    if random.random() < 0.05:
        bare = form.rstrip("?.!")
        form = bare + random.choice(_BEHIND).format(form[len(bare) :])
    return form


def several(random: Random, exchange: Callable[[Random], Turn], most: int = 6, share: float = 0.3) -> tuple[Turn, ...]:
    """One exchange, or in `share` of the cases two to `most` of the same kind, one after the other."""
    number = random.randint(2, most) if random.random() < share else 1
    return tuple(exchange(random) for _ in range(number))


def polite(random: Random, request: str) -> str:
    """A request with or without "please"."""
    draw = random.random()
    if draw < 0.12:
        return "Please " + request[:1].lower() + request[1:]
    return f"Can you {request[:1].lower() + request[1:]}" if draw < 0.16 else request


def vary(random: Random, text: str) -> str:
    """The same words with other case or closing punctuation, as people type them."""
    draw = random.random()
    if draw < 0.2:
        text = text.lower()
    elif draw < 0.24:
        text = text.upper()
    draw = random.random()
    if draw < 0.25:
        return text.rstrip("?.!")
    return text + "!" if draw < 0.3 and not text.endswith(("?", "!", ".")) else text
