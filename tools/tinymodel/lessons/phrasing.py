"""Variation of wording, and made-up strings: the raw material of all lessons."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from random import Random

from tools.tinymodel.vocabulary import load_words

__all__ = [
    "any_text",
    "blend",
    "choice",
    "foreign",
    "identifier",
    "noise",
    "phrase",
    "polite",
    "sentence",
    "vary",
    "word",
]

_OPEN_SECTIONS = (
    "nouns",
    "verbs",
    "adjectives",
    "adverbs",
    "colors",
    "animals",
    "fruits",
    "foods",
    "technical",
    "numbers",
)
_OTHER_SECTIONS = ("function", "chat", "names", "days")
_HEXADECIMAL = "0123456789abcdef"
_UNICODE_RANGES = (
    (0xA1, 0x24F),
    (0x370, 0x3FF),
    (0x400, 0x45F),
    (0x5D0, 0x5EA),
    (0x3041, 0x30FF),
    (0x4E00, 0x9FFF),
    (0x1F300, 0x1F64F),
    (0xA1, 0xD7FF),
    (0xE000, 0xFFFD),
    (0x10000, 0x10FFFF),
)
_TEST_STRINGS = (
    "Hello, World!",
    "Hello, world!",
    "hello world",
    "Hello World",
    "hello",
    "hi",
    "Hi there!",
    "OK",
    "ok",
    "pong",
    "ping",
    "test",
    "This is a test.",
    "It works!",
    "ready",
    "done",
    "yes",
    "no",
    "Yes.",
    "true",
    "false",
    "foo",
    "bar",
    "foo bar",
    "42",
    "7",
    "A",
    "B",
    "banana",
    "apple",
    "blue",
    "success",
    "Good morning!",
    "one two three",
)
_SENTENCES = (
    "The {adjectives} {nouns} can {verbs} the {nouns}.",
    "{names} and {names} {verbs} a {adjectives} {nouns}.",
    "We {adverbs} {verbs} in the {nouns}.",
    "There is a {colors} {animals} near the {nouns}.",
    "I like {fruits} and {foods}.",
    "On {days} the {nouns} is {adjectives}.",
    "It takes {numbers} {nouns} to {verbs} this {nouns}.",
    "They {verbs} {adjectives} {nouns} with {names}.",
)


def choice(random: Random, section: str) -> str:
    """A word of a section of the word list."""
    words = load_words()[section]
    return words[int(random.random() * len(words))]


def word(random: Random) -> str:
    """A word of the list: mostly of an open word class, now and then capitalised."""
    text = choice(random, random.choice(_OPEN_SECTIONS if random.random() < 0.8 else _OTHER_SECTIONS))
    return text.capitalize() if random.random() < 0.06 else text


def phrase(random: Random, longest: int = 5) -> str:
    """One to `longest` unrelated words."""
    return " ".join(word(random) for _ in range(random.randint(1, longest)))


def sentence(random: Random) -> str:
    """A grammatical sentence without much sense."""
    parts = random.choice(_SENTENCES).split("{")
    text = parts[0]
    for part in parts[1:]:
        section, _, rest = part.partition("}")
        text += choice(random, section) + rest
    return text


def _letters(random: Random, alphabet: str, shortest: int, longest: int) -> str:
    return "".join(random.choice(alphabet) for _ in range(random.randint(shortest, longest)))


def _uuid(random: Random) -> str:
    return "-".join(_letters(random, _HEXADECIMAL, n, n) for n in (8, 4, 4, 4, 12))


def _email(random: Random) -> str:
    local = _letters(random, string.ascii_lowercase, 2, 8)
    return f"{local}@{word(random)}.{random.choice(('com', 'org', 'net', 'de'))}"


def _url(random: Random) -> str:
    return f"https://{word(random)}.{random.choice(('com', 'org', 'io'))}/{word(random)}/{random.randrange(1000)}"


def _date(random: Random) -> str:
    return f"{random.randint(1990, 2035)}-{random.randint(1, 12):02}-{random.randint(1, 28):02}"


def blend(random: Random) -> str:
    """A word that does not exist: the head of one word and the tail of another."""
    head, tail = word(random), word(random)
    return head[: random.randint(1, len(head))] + tail[random.randrange(len(tail)) :]


_IDENTIFIERS: tuple[Callable[[Random], str], ...] = (
    lambda random: _letters(random, _HEXADECIMAL, 4, 16),
    _uuid,
    _email,
    _url,
    lambda random: "".join(word(random).capitalize() for _ in range(random.randint(1, 3))),
    lambda random: "_".join(word(random) for _ in range(random.randint(2, 3))),
    _date,
    lambda random: ".".join(str(random.randrange(20)) for _ in range(3)),
    lambda random: _letters(random, string.ascii_letters, 1, 9),
    lambda random: _letters(random, string.ascii_uppercase, 1, 7),
    blend,
    lambda random: word(random).capitalize(),
    lambda random: str(random.randrange(10 ** random.randint(1, 9))),
    lambda random: _letters(random, string.ascii_letters + string.digits + string.punctuation, 3, 12),
)


def identifier(random: Random) -> str:
    """A made-up token of a kind found in programs: hex, UUID, email, URL, camel or snake case, noise and more."""
    return random.choice(_IDENTIFIERS)(random)


def foreign(random: Random) -> str:
    """A few characters outside ASCII, mostly of one script."""
    low, high = random.choice(_UNICODE_RANGES)
    return "".join(chr(random.randint(low, high)) for _ in range(random.randint(1, 5)))


def noise(random: Random) -> str:
    """Text without a request in it: words, identifiers, other scripts, and one unit over and over."""
    draw = random.random()
    if draw < 0.35:
        return phrase(random, 9)
    if draw < 0.5:
        return " ".join(identifier(random) for _ in range(random.randint(1, 3)))
    if draw < 0.75:
        return random.choice(("", " ")).join(foreign(random) for _ in range(random.randint(1, 6)))
    unit = random.choice((word, phrase, identifier, lambda source: source.choice(string.printable.strip())))(random)
    return random.choice(("", " ", "\n", ", ")).join([unit] * random.randint(2, max(3, 160 // len(unit))))


def any_text(random: Random) -> str:
    """Something to copy: mostly words, sometimes an identifier, a sentence, JSON or text outside ASCII."""
    draw = random.random()
    if draw < 0.06:
        return random.choice(_TEST_STRINGS)
    if draw < 0.38:
        text = phrase(random)
    elif draw < 0.68:
        text = identifier(random)
    elif draw < 0.83:
        text = sentence(random)
    elif draw < 0.89:
        text = choice(random, "names")
    elif draw < 0.92:
        text = json.dumps({word(random): random.choice((word(random), random.randrange(100)))})
    elif draw < 0.975:
        text = foreign(random)
    else:
        text = f"{word(random)} {identifier(random)}"
    cased = random.random()
    if cased < 0.12:
        return text.capitalize()
    return text.upper() if cased < 0.17 else text


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
