"""Writing text in capitals, in small letters or with capitals at the start of words."""

from __future__ import annotations

import string
from random import Random

from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.copying import plain_words, quoted_at_times
from tools.tinymodel.lessons.phrasing import ask, blend, chance, made_up, phrase, sentence, several, word

__all__ = ["case_of", "change_case"]

_UPPER = (
    "upper case",
    "uppercase",
    "capital letters",
    "capitals",
    "all caps",
    "all capitals",
    "UPPERCASE",
    "block letters",
)
_LOWER = ("lower case", "lowercase", "small letters", "all lowercase", "lower case letters")
_TITLE = ("title case", "Title Case", "titlecase", "capitalized words")
_CASES = (
    "Write {0} in {1}.",
    "Convert {0} to {1}.",
    "Change {0} to {1}.",
    "Turn {0} into {1}.",
    "Put {0} in {1}.",
    "Say {0} in {1}.",
    "Repeat {0} in {1}.",
    "Return {0} in {1}.",
    "Print {0} in {1}.",
    "Transform {0} to {1}.",
    "Rewrite {0} in {1}.",
    "Write the word {0} in {1}.",
    "Make {0} {1}.",
    "{0} in {1}",
    "{0} to {1}",
    "Convert to {1}: {0}",
    "Write in {1}: {0}",
    "Repeat in {1}: {0}",
    "Write this in {1}: {0}",
    "Write the following in {1}: {0}",
    "Convert the following text to {1}: {0}",
    "Change to {1}: {0}",
    "How do you write {0} in {1}?",
    "What is {0} in {1}?",
)
_CASE_WORDS = {
    "upper": ("Uppercase: {0}", "Uppercase {0}.", "Uppercase this: {0}", "Shout {0}.", "Upper case: {0}"),
    "lower": ("Lowercase: {0}", "Lowercase {0}.", "Lowercase this: {0}", "Lower case: {0}"),
    "title": ("Title case: {0}", "Capitalize every word: {0}", "Capitalize each word of {0}.", "Capitalize {0}."),
}


def case_of(kind: str, text: str) -> str:
    """The text in "upper", "lower" or "title" case; title case changes the first letter of each word alone."""
    if kind == "title":
        return " ".join(part[:1].upper() + part[1:].lower() for part in text.split(" "))
    return text.upper() if kind == "upper" else text.lower()


def _cased(draw: Random) -> Turn:
    kind = draw.choice(("upper", "upper", "upper", "lower", "lower", "title"))
    text = _text_to_change(draw)
    if kind != "upper":
        text = draw.choice((text.upper(), text.upper(), case_of("title", text), text))
    if kind == "title" and chance(draw, 0.6):
        text = text.lower()
    names = {"upper": _UPPER, "lower": _LOWER, "title": _TITLE}[kind]
    form = draw.choice(_CASES if chance(draw, 0.8) else _CASE_WORDS[kind])
    shown = quoted_at_times(draw, text, 0.4)
    return Turn(ask(draw, form, shown, draw.choice(names), closed=form.endswith((".", "?"))), case_of(kind, text))


def _text_to_change(draw: Random) -> str:
    kind = draw.random()
    if kind < 0.3:
        return draw.choice((word, made_up, blend))(draw)
    if kind < 0.6:
        return plain_words(draw, 4)
    if kind < 0.75:
        return sentence(draw).rstrip(".")
    if kind < 0.85:
        return "".join(draw.choice(string.ascii_letters) for _ in range(draw.randint(2, 8)))
    if kind < 0.95:
        return phrase(draw, 3)
    return f"{plain_words(draw, 2)} {draw.randrange(100)}"


def change_case(draw: Draw) -> Conversation:
    """Words and short sentences in capitals, small letters, or with a capital at the start of each word."""
    return Conversation(several(draw, _cased, 6, 0.45))
