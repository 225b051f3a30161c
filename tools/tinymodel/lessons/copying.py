"""Saying what the user dictates, whole or in part, once or several times, in another order or in other letters."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.phrasing import (
    any_text,
    ask,
    blend,
    chance,
    choice,
    identifier,
    made_up,
    ranked,
    sentence,
    several,
    spelled,
    word,
)

__all__ = ["drill", "echo", "part_of", "plain_words", "quoted_at_times", "repeat_times", "reverse_words"]

_PLAIN_ORDERS = (
    "Say {}",
    "Say {}",
    "Repeat {}",
    "Say exactly {}",
    "Say only {}",
    "Echo {}",
    "Repeat the word {}",
    "Say the word {}",
    "Reply with {}",
    "Reply with only {}",
    "Reply with only the word {}",
    "Reply with exactly {}",
    "Reply with the word {}",
    "Reply with the text {}",
    "Reply with the single word {}",
    "Reply only with {}",
    "Reply just {}",
    "Answer with {}",
    "Answer with only {}",
    "Answer only with {}",
    "Answer with the word {}",
    "Answer with the single word {}",
    "Respond with {}",
    "Respond with exactly {}",
    "Respond only with {}",
    "Respond with just {}",
    "Respond with the word {}",
    "Output {}",
    "Output exactly {}",
    "Output only {}",
    "Print {}",
    "Write {}",
    "Write exactly {}",
    "Type {}",
    "Return {}",
    "Return only {}",
    "Send back {}",
    "Send me {}",
    "Give me {}",
    "Just say {}",
    "Simply say {}",
    "Now say {}",
    "Copy {}",
    "Quote {}",
)
_COLON_ORDERS = (
    "Say: {}",
    "Repeat: {}",
    "Repeat after me: {}",
    "Repeat this: {}",
    "Repeat this text: {}",
    "Repeat the following: {}",
    "Repeat the following text: {}",
    "Repeat the following text exactly: {}",
    "Repeat exactly: {}",
    "Repeat what I say: {}",
    "Repeat this sentence: {}",
    "Repeat this word for word: {}",
    "Say exactly: {}",
    "Say exactly this: {}",
    "Say the following: {}",
    "Echo: {}",
    "Echo this: {}",
    "Echo the following: {}",
    "Reply with: {}",
    "Reply exactly: {}",
    "Reply with exactly: {}",
    "Reply with exactly this text: {}",
    "Reply with the following text: {}",
    "Reply with only this: {}",
    "Answer exactly: {}",
    "Answer with exactly this: {}",
    "Respond with: {}",
    "Respond with exactly: {}",
    "Respond with exactly the following: {}",
    "Output: {}",
    "Output exactly: {}",
    "Output this text: {}",
    "Print: {}",
    "Print this: {}",
    "Print exactly: {}",
    "Write: {}",
    "Write this: {}",
    "Write exactly: {}",
    "Copy: {}",
    "Copy this: {}",
    "Copy this text: {}",
    "Copy the text: {}",
    "Return exactly: {}",
    "Return this text unchanged: {}",
    "Say back to me: {}",
    "Echo back: {}",
)
_ENCLOSED_ORDERS = (
    "Say {} and nothing else",
    "Reply with {} and nothing else",
    "Reply {} and nothing else",
    "Answer {} and nothing else",
    "Answer with {} only",
    "Respond with {} only",
    "Respond with {} and nothing more",
    "Write {} and nothing else",
    "Output {} without any other text",
    "Say {} to me",
    "Print {} for me",
    "Repeat {} for me",
    "{} - repeat that",
    "{} <- repeat this text",
)
_BELOW = (
    "{}\n\nRepeat the text above.",
    "{}\nSay that again.",
    "{}\n\nCopy the text above exactly.",
    "{}\n\nRepeat this.",
)
_QUOTES = ('"{}"', '"{}"', "'{}'", "`{}`", "\u201c{}\u201d", "\u00ab{}\u00bb", "```\n{}\n```")
_MARKS = "\"'`\u201c\u201d\u00ab\u00bb"
_AGAIN = (
    "Again",
    "Again.",
    "Again please",
    "Say it again",
    "Say that again.",
    "Repeat that",
    "Repeat it.",
    "Once more",
    "Once more, please.",
    "One more time",
)
_TAKEN = {"hello", "hi", "hey"}
_TIMES = (
    "Say {0} {1} times.",
    "Say {0} {1} times fast.",
    "Repeat {0} {1} times.",
    "Repeat the word {0} {1} times.",
    "Write {0} {1} times.",
    "Print {0} {1} times.",
    "Echo {0} {1} times.",
    "Output {0} {1} times.",
    "Repeat this {1} times: {0}",
    "Say this {1} times: {0}",
    "Write this {1} times: {0}",
    "Repeat {1} times: {0}",
)
_TWICE = ("Say {0} twice.", "Repeat {0} twice.", "Write {0} twice.", "Say twice: {0}", "Repeat this twice: {0}")
_PARTS = (
    "What is the {1} word of {0}?",
    "What is the {1} word in {0}?",
    "What's the {1} word of {0}?",
    "Which word is the {1} in {0}?",
    "Which word comes {1} in {0}?",
    "Give me the {1} word of {0}.",
    "Write the {1} word of {0}.",
    "Return the {1} word of {0}.",
    "Say the {1} word of {0}.",
    "Tell me the {1} word: {0}",
    "What is the {1} word here: {0}",
    "What is the {1} word of this text: {0}",
    "What is the {1} word?\n\n{0}",
    "{0}\n\nWhat is the {1} word?",
    "Only the {1} word: {0}",
)
_ITEMS = (
    "What is the {1} item of this list: {0}?",
    "What is the {1} item in the list {0}?",
    "Which item is the {1} one? {0}",
    "Here is a list: {0}. What is the {1} item?",
    "The list is: {0}. Give me the {1} item.",
    "Pick the {1} item: {0}",
    "Choose the {1} of these: {0}",
    "What is the {1} element of {0}?",
    "From {0} take the {1}.",
    "List: {0}\nWhat is the {1} entry?",
)
_REVERSE = (
    "Reverse the words: {}",
    "Reverse the order of the words: {}",
    "Reverse the order of these words: {}",
    "Reverse the word order of {}.",
    "Write the words {} in reverse order.",
    "Write the words in reverse order: {}",
    "Say these words backwards: {}",
    "Put these words in reverse order: {}",
    "Reverse these words: {}",
    "Reverse the list: {}",
    "Turn the order of the words around: {}",
    "{}\n\nReverse the order of the words.",
)
_KINDS: tuple[Callable[[Random], str], ...] = (word, word, blend, made_up, identifier)


def quoted_at_times(random: Random, text: str, share: float) -> str:
    """The text with quotes around it in `share` of the cases; never where it holds such marks itself."""
    if chance(random, share) and not set(text) & set(_MARKS) and "\n" not in text:
        return random.choice(_QUOTES[:-1]).format(text)
    return text


def _fits_plainly(text: str) -> bool:
    return "\n" not in text and text[-1:] not in ".:?!" and text.lower() not in _TAKEN and text[0] not in _MARKS


def _dictated(draw: Random) -> str:
    """Text without the outer marks that an answer leaves away."""
    while True:
        text = any_text(draw).strip().strip(_MARKS).strip()
        if text:
            return text


def _dictation(draw: Random) -> Turn:
    """A full stop behind unquoted text belongs to the order, one behind a colon or inside quotes to the text."""
    text = _dictated(draw)
    shape = draw.random()
    if shape < 0.12 and not set(text) & set(_MARKS):
        form = draw.choice((*_ENCLOSED_ORDERS, *_PLAIN_ORDERS))
        fence = "```" in (mark := draw.choice(_QUOTES))
        shown = mark.format(text)
        return Turn(ask(draw, form.replace(" {}", ":\n{}") if fence else form, shown, closed=False), text)
    if shape < 0.5 and _fits_plainly(text):
        form = draw.choice(_PLAIN_ORDERS if chance(draw, 0.8) else _ENCLOSED_ORDERS)
        if not form.endswith("}") or (text[-1].isalnum() and chance(draw, 0.3)):
            form += "."
        quoted = quoted_at_times(draw, text, 0.3)
        return Turn(ask(draw, form, quoted, closed=False), text)
    form = draw.choice(_COLON_ORDERS)
    if shape > 0.94:
        form = draw.choice(_BELOW)
    elif shape > 0.84 or "\n" in text:
        form = form.replace(": {}", draw.choice((":\n{}", ":\n\n{}")))
    return Turn(ask(draw, form, quoted_at_times(draw, text, 0.2), closed=False), text)


def echo(draw: Draw) -> Conversation:
    """Dictated text: the answer is the text alone, without the quotes that may stand around it."""
    turns = several(draw, _dictation, 4, 0.15)
    if chance(draw, 0.1):
        turns += (Turn(draw.choice(_AGAIN), turns[-1].answer),)
    return Conversation(turns)


def drill(draw: Draw) -> Conversation:
    """A long list to repeat: copying learned here carries over to everything that must be read from the prompt."""
    items = [draw.choice(_KINDS)(draw) for _ in range(draw.randint(6, 20))]
    text = draw.choice((" ", " ", ", ", "\n")).join(items).strip(_MARKS)
    return Conversation((Turn(ask(draw, draw.choice(_COLON_ORDERS), text, closed=False), text),))


def repeat_times(draw: Draw) -> Conversation:
    """A word or a few, two to five times (seldom up to ten), with spaces between."""
    text = plain_words(draw, 3)
    number = draw.choice((2, 3, 3, 3, 4, 4, 5, 5)) if chance(draw, 0.85) else draw.randint(6, 10)
    form = draw.choice(_TWICE if number == 2 and chance(draw, 0.5) else _TIMES)
    closed = form.endswith(".")
    shown = text if form.endswith("}") and chance(draw, 0.5) else quoted_at_times(draw, text, 0.6)
    return Conversation(
        (Turn(ask(draw, form, shown, spelled(draw, number), closed=closed), " ".join([text] * number)),)
    )


def plain_words(draw: Random, most: int) -> str:
    """One to `most` words, some of them made up."""
    kinds = (word, word, made_up, blend, lambda source: choice(source, "names"))
    return " ".join(draw.choice(kinds)(draw) for _ in range(draw.randint(1, most)))


def _part(draw: Random) -> Turn:
    listed = chance(draw, 0.5)
    number = draw.randint(2 if listed else 3, 7)
    if listed:
        items = [_item(draw) for _ in range(number)]
        text = draw.choice((", ", ", ", ", ", " and ", "; ", "\n")).join(items)
    else:
        text = (
            sentence(draw).rstrip(".") if chance(draw, 0.4) else " ".join(plain_words(draw, 1) for _ in range(number))
        )
        items = text.split(" ")
    position = draw.choice((1, len(items))) if chance(draw, 0.6) else draw.randint(1, min(len(items), 5))
    rank = "last" if position == len(items) and chance(draw, 0.8) else ranked(draw, position)
    form = draw.choice(_ITEMS if listed else _PARTS)
    shown = text if listed else f'"{text}"' if chance(draw, 0.6) else text
    return Turn(ask(draw, form, shown, rank, closed=not form.endswith("}")), items[position - 1])


def _item(draw: Random) -> str:
    return str(draw.randrange(1000)) if chance(draw, 0.2) else plain_words(draw, 1)


def part_of(draw: Draw) -> Conversation:
    """The first, last or nth word of a text or item of a list."""
    return Conversation(several(draw, _part, 3, 0.2))


def reverse_words(draw: Draw) -> Conversation:
    """Two to six words in reverse order, with the separator that they came with."""
    between = draw.choice((" ", " ", ", "))
    words = [plain_words(draw, 1) for _ in range(draw.randint(2, 6))]
    form = draw.choice(_REVERSE)
    text = between.join(words)
    shown = quoted_at_times(draw, text, 0.3)
    order = ask(draw, form, shown, closed=not form.endswith("}"))
    return Conversation((Turn(order, between.join(reversed(words))),))
