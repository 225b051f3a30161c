"""What a picture shows, as far as the model can name it. Fields that do not apply to a kind are empty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from random import Random

__all__ = ["COLORS", "KINDS", "MAX_COUNT", "MAX_TEXT", "SHAPES", "WORDS", "Kind", "Scene", "draw_scene"]

Kind = Literal["plain", "shapes", "text", "other"]
KINDS: tuple[Kind, ...] = get_args(Kind)
COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray")
SHAPES = ("circle", "square", "triangle", "rectangle", "star", "cross")
MAX_COUNT = 9
MAX_TEXT = 10

WORDS = (
    *("hello", "stop", "test", "yes", "no", "ok", "page", "one", "two", "three", "four", "five", "six", "seven"),
    *("eight", "nine", "ten", "cat", "dog", "bird", "fish", "horse", "apple", "banana", "lemon", "bread", "milk"),
    *("tea", "coffee", "water", "sun", "moon", "star", "sky", "sea", "tree", "flower", "house", "home", "door"),
    *("car", "bus", "train", "bike", "road", "red", "green", "blue", "black", "white", "yellow", "go", "start"),
    *("end", "exit", "open", "closed", "push", "pull", "menu", "sale", "free", "new", "hot", "cold", "left"),
    *("right", "up", "down", "in", "out", "on", "off", "world", "love", "time", "day", "night", "book", "name"),
    *("total", "title", "draft", "secret", "report", "invoice", "chapter", "image", "python", "hi"),
)
"""Words that pictures show, in lower case; a picture may write them in upper case or capitalised as well."""

_KIND_WEIGHTS = (25, 35, 32, 8)
_COUNT_WEIGHTS = (45, 14, 11, 8, 7, 5, 4, 3, 3)
_BACKGROUND_WEIGHTS = {"white": 18.0, "black": 4.0, "gray": 2.0}
_TOO_CLOSE = frozenset(
    frozenset(pair)
    for pair in (
        ("black", "brown"),
        ("red", "orange"),
        ("red", "pink"),
        ("red", "brown"),
        ("orange", "yellow"),
        ("orange", "brown"),
        ("blue", "purple"),
        ("purple", "pink"),
        ("purple", "brown"),
        ("brown", "gray"),
    )
)
_BLACK_ON_WHITE_SHARE = 0.5
_DIGIT_SHARE = 0.5
_NUMBER_SHARE = 0.22


@dataclass(frozen=True)
class Scene:
    """One picture.

    plain: the whole image is `color`. shapes: `count` equal `shape`s of `color` on `background`. text: one large word
    or number in `color` on `background`. other: nothing that can be named.
    """

    kind: Kind
    color: str = ""
    background: str = ""
    shape: str = ""
    count: int = 0
    text: str = ""


def _text(random: Random) -> str:
    share = random.random()
    if share < _DIGIT_SHARE:
        return random.choice("0123456789")
    if share < _DIGIT_SHARE + _NUMBER_SHARE:
        length = random.choice((2, 2, 2, 3, 3, 4))
        return random.choice("123456789") + "".join(random.choice("0123456789") for _ in range(length - 1))
    word = random.choice(WORDS)
    return random.choice((word.upper(), word.upper(), word, word.capitalize()))


def _pair(random: Random) -> tuple[str, str]:
    """A colour and a background that differ clearly."""
    color = random.choice(COLORS)
    grounds = [ground for ground in COLORS if ground != color and frozenset((color, ground)) not in _TOO_CLOSE]
    return color, random.choices(grounds, [_BACKGROUND_WEIGHTS.get(ground, 1.0) for ground in grounds])[0]


def draw_scene(random: Random, kind: str | None = None) -> Scene:
    """A scene at random, of the given kind if one is given. Raises ValueError for an unknown kind."""
    chosen = random.choices(KINDS, _KIND_WEIGHTS)[0] if kind is None else kind
    match chosen:
        case "plain":
            return Scene("plain", random.choice(COLORS))
        case "shapes":
            color, background = _pair(random)
            count = random.choices(range(1, MAX_COUNT + 1), _COUNT_WEIGHTS)[0]
            return Scene("shapes", color, background, random.choice(SHAPES), count)
        case "text":
            page = random.random() < _BLACK_ON_WHITE_SHARE
            color, background = ("black", "white") if page else _pair(random)
            return Scene("text", color, background, text=_text(random))
        case "other":
            return Scene("other")
    raise ValueError(f"unknown kind of scene: {chosen}")
