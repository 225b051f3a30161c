"""Made-up strings: words, identifiers, sentences, code and other scripts, the raw material of all lessons."""

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
    "code",
    "foreign",
    "identifier",
    "made_up",
    "nested_json",
    "noise",
    "phrase",
    "sentence",
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
    (0xE000, 0xFFF8),
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


_HEADS = (
    "b",
    "br",
    "c",
    "ch",
    "d",
    "dr",
    "f",
    "g",
    "gr",
    "h",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "qu",
    "r",
    "s",
    "st",
    "t",
    "v",
    "w",
    "x",
    "z",
    "",
)
_TAILS = ("", "", "n", "r", "s", "x", "l", "ck", "nd", "t")
_CODE = (
    "print({0})",
    'print("{0} {2}")',
    "{0} = {3}",
    "{0}.{1}({3})",
    "def {0}({1}):",
    "return {0} + {3}",
    "if {0} == {3}: {1}()",
    "const {0} = {3};",
    "let {0} = [{3}, {3}];",
    "SELECT {0} FROM {1} WHERE id = {3};",
    "git checkout {0}-{1}",
    "cd /{0}/{1}",
    "for {0} in {1}:",
    "import {0}.{1}",
    "<{0}>{2}</{0}>",
    "# {0} {1}",
    "**{0}** {1}",
    "[{0}](https://{1}.com)",
    "/usr/{0}/{1}.txt",
    "C:\\{0}\\{1}.exe",
    "./{0}/{1}.py",
    "{0}={1}&{2}={3}",
    "{0}: {1}",
    "{0}-{1}-{3}",
    "@{0}",
    "#{0}",
    "${3}",
    "{3}%",
    "{0}[{3}]",
    "({0}, {1})",
    "{0} -> {1}",
    "{0} && {1} || {2}",
    "{3} + {3} = {0}",
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


def made_up(random: Random) -> str:
    """A word of random syllables or letters, in small letters, capitalised or (seldom) in capitals."""
    if random.random() < 0.7:
        text = "".join(random.choice(_HEADS) + random.choice("aeiou") for _ in range(random.randint(1, 4)))
        text += random.choice(_TAILS)
    else:
        text = _letters(random, string.ascii_lowercase, 2, 8)
    cased = random.random()
    if cased < 0.35:
        return text.capitalize()
    return text.upper() if cased < 0.42 else text


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
    made_up,
    lambda random: word(random).lower() + "".join(word(random).capitalize() for _ in range(random.randint(1, 2))),
    lambda random: f"{word(random)}-{random.randrange(100)}",
    lambda random: f"{_letters(random, string.ascii_uppercase, 1, 3)}-{random.randrange(10000)}",
    lambda random: f"/{word(random)}/{made_up(random)}.{random.choice(('txt', 'py', 'json', 'md', 'csv'))}",
    lambda random: f"{random.randrange(24):02}:{random.randrange(60):02}",
    lambda random: f"{random.choice(('', '-', '$'))}{random.randrange(1000)}.{random.randrange(100):02}",
    lambda random: "+" + str(random.randrange(10**9, 10**11)),
    lambda random: "_".join(word(random).upper() for _ in range(2)),
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


def code(random: Random) -> str:
    """A line of a programming language."""
    names = (word(random).lower(), made_up(random).lower(), word(random), str(random.randrange(1000)))
    return random.choice(_CODE).format(*names)


def nested_json(random: Random, depth: int = 2) -> str:
    """A small JSON object or array, compact or with spaces."""
    compact = random.random() < 0.5
    return json.dumps(_json_value(random, depth), separators=(",", ":") if compact else (", ", ": "))


def _json_value(random: Random, depth: int) -> object:
    kind = random.random()
    if depth and kind < 0.75:
        return {_json_key(random): _json_value(random, depth - 1) for _ in range(random.randint(1, 3))}
    if depth and kind < 0.9:
        return [_json_value(random, 0) for _ in range(random.randint(0, 4))]
    return random.choice(
        (
            word(random),
            made_up(random),
            phrase(random, 3),
            identifier(random),
            random.randrange(100),
            random.randrange(10**6),
            round(random.random() * 100, 2),
            random.random() < 0.5,
            None,
        )
    )


def _json_key(random: Random) -> str:
    return random.choice((word, word, made_up, lambda source: f"{word(source)}_{word(source)}"))(random)


def any_text(random: Random) -> str:
    """Something to copy: mostly words, sometimes identifiers, sentences, code, JSON or text outside ASCII."""
    kinds, bounds = _ANY_KINDS
    text = random.choices(kinds, cum_weights=bounds)[0](random)
    cased = random.random()
    if cased < 0.1:
        return text.capitalize()
    return text.upper() if cased < 0.14 else text


def _mixed(random: Random) -> str:
    kinds = (word, word, made_up, blend, identifier, foreign, lambda source: choice(source, "names"))
    return " ".join(random.choice(kinds)(random) for _ in range(random.randint(2, 5)))


def _two_sentences(random: Random) -> str:
    return random.choice((" ", " ", "\n")).join(sentence(random) for _ in range(random.randint(2, 3)))


def _lines(random: Random) -> str:
    return "\n".join(phrase(random, 3) for _ in range(random.randint(2, 4)))


_ANY_KINDS: tuple[tuple[Callable[[Random], str], ...], tuple[float, ...]] = (
    (
        lambda random: random.choice(_TEST_STRINGS),
        phrase,
        identifier,
        made_up,
        sentence,
        lambda random: f"{choice(random, 'names')} {made_up(random).capitalize()}",
        nested_json,
        foreign,
        _mixed,
        code,
        _two_sentences,
        _lines,
    ),
    (0.06, 0.28, 0.48, 0.58, 0.7, 0.73, 0.79, 0.86, 0.93, 0.96, 0.98, 1.0),
)
