"""Values that users tell in requests: places, names, codes, dates, free text and more."""

from __future__ import annotations

import string
from collections.abc import Callable

from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.phrasing import blend, choice

__all__ = ["any_value", "code", "email", "name", "place", "syllables", "text_value", "words"]

_CITIES = (
    *("Paris", "Berlin", "Madrid", "Rome", "London", "Dublin", "Lisbon", "Warsaw", "Vienna", "Bern", "Athens", "Oslo"),
    *("Tokyo", "Boston", "Chicago", "Delhi", "Cairo", "Sydney", "Toronto", "Mumbai", "Seoul", "Munich", "Lima"),
    *("New York", "San Francisco", "Los Angeles", "New Delhi", "Mexico City", "Hong Kong", "Buenos Aires"),
    *("San Francisco, CA", "Boston, MA", "Paris, France", "London, UK", "München", "Zürich", "São Paulo", "東京"),
)
_OPEN = ("nouns", "verbs", "adjectives", "animals", "fruits", "foods", "colors", "technical")
_CODES = (string.digits, string.ascii_uppercase + string.digits, "0123456789abcdef", string.ascii_uppercase)
_CONSONANTS, _VOWELS = "bcdfghjklmnprstvwz", "aeiou"
_ACCENTED = "äöüéèçñåøßłčžğşāīțžкдмопв日本中国서울"


def syllables(draw: Draw) -> str:
    """A word that can be spoken and does not exist."""
    pairs = (draw.choice(_CONSONANTS) + draw.choice(_VOWELS) for _ in range(draw.randint(2, 4)))
    return "".join(pairs) + draw.choice(("", "", "n", "r", "s", draw.choice(_ACCENTED)))


def place(draw: Draw) -> str:
    """A city, real or made up."""
    kind = draw.random()
    if kind < 0.4:
        return draw.choice(_CITIES)
    if kind < 0.6:
        return blend(draw).capitalize()
    return syllables(draw).capitalize() if kind < 0.85 else choice(draw, "nouns").capitalize()


def words(draw: Draw, most: int = 4) -> str:
    """One to `most` words of open classes, which hold no sentence together."""
    count = draw.randint(1, most)
    text = " ".join(choice(draw, draw.choice(_OPEN)) for _ in range(count))
    kind = draw.random()
    if kind > 0.985:
        return f'{text} "{choice(draw, "nouns")}"'
    return text.capitalize() if kind < 0.15 else text.title() if kind < 0.22 else text


def name(draw: Draw) -> str:
    """A first name or a full one, real or made up."""
    kind = draw.random()
    first = choice(draw, "names") if kind < 0.6 else syllables(draw).capitalize()
    return f"{first} {syllables(draw).capitalize()}" if draw.random() < 0.3 else first


def email(draw: Draw) -> str:
    """An address."""
    local = draw.choice((syllables(draw), choice(draw, "names").lower(), f"{syllables(draw)}.{syllables(draw)}"))
    host = draw.choice((syllables(draw), "example", choice(draw, "nouns")))
    return f"{local}@{host}.{draw.choice(('com', 'org', 'net', 'de', 'io'))}"


def code(draw: Draw) -> str:
    """A code as orders, users and products have it."""
    letters = draw.choice(_CODES)
    text = "".join(draw.choice(letters) for _ in range(draw.randint(2, 8)))
    kind = draw.random()
    if kind < 0.25:
        return f"{''.join(draw.choice(string.ascii_uppercase) for _ in range(draw.randint(1, 3)))}-{text}"
    return f"{choice(draw, 'nouns')}{draw.choice('_-')}{text}" if kind < 0.35 else text


def _date(draw: Draw) -> str:
    if draw.random() < 0.35:
        return draw.choice((choice(draw, "days"), "tomorrow", "today"))
    return f"{draw.randint(1990, 2035)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"


def _time(draw: Draw) -> str:
    return f"{draw.randrange(24):02}:{draw.choice((0, 0, 15, 30, 45, draw.randrange(60))):02}"


def _path(draw: Draw) -> str:
    parts = [draw.choice((choice(draw, "nouns"), syllables(draw))) for _ in range(draw.randint(1, 3))]
    return draw.choice(("", "", "/", "./")) + "/".join(parts) + draw.choice((".txt", ".py", ".json", ".csv", ".md"))


def _url(draw: Draw) -> str:
    return f"https://{syllables(draw)}.{draw.choice(('com', 'org', 'io'))}/{choice(draw, 'nouns')}"


_MEANINGS: dict[str, Callable[[Draw], str]] = {
    **dict.fromkeys(("city", "location", "place", "destination", "origin", "town", "region", "street"), place),
    **dict.fromkeys(("name", "user", "recipient", "author", "owner", "customer", "person", "artist"), name),
    **dict.fromkeys(("email", "to", "sender", "contact"), email),
    **dict.fromkeys(("date", "day", "deadline"), _date),
    **dict.fromkeys(("id", "code", "token", "key", "symbol", "reference", "sku"), code),
    **dict.fromkeys(("title", "subject", "message", "text", "query", "topic", "content", "body", "note"), words),
    **dict.fromkeys(("path", "file", "filename", "folder"), _path),
    "time": _time,
    "url": _url,
    "language": lambda draw: draw.choice(("French", "German", "Spanish", "Italian", "English", "Japanese", "Python")),
    "currency": lambda draw: draw.choice(("EUR", "USD", "GBP", "JPY", "CHF", "euro", "dollar")),
}
_ALL: tuple[Callable[[Draw], str], ...] = (
    *(place, name, code, syllables, words, words, email, _date),
    lambda draw: choice(draw, "nouns"),
    lambda draw: choice(draw, draw.choice(_OPEN)),
    lambda draw: "_".join(choice(draw, "nouns") for _ in range(2)),
    lambda draw: choice(draw, "verbs").capitalize() + choice(draw, "nouns").capitalize(),
)


def any_value(draw: Draw) -> str:
    """A short text of any kind."""
    return draw.choice(_ALL)(draw)


def text_value(draw: Draw, meaning: str) -> str:
    """A text for a key: mostly of the kind that `meaning`, the key's last word, tells."""
    kind = _MEANINGS.get(meaning)
    return any_value(draw) if kind is None or draw.random() < 0.2 else kind(draw)
