"""Comparisons of numbers, and questions to be answered with yes or no."""

from __future__ import annotations

from random import Random

from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.geography import CAPITALS
from tools.tinymodel.lessons.listing import KINDS
from tools.tinymodel.lessons.phrasing import ask, chance, choice, made_up, several, word
from tools.tinymodel.vocabulary import load_words

__all__ = ["claim_drill", "compare", "yes_or_no", "yes_or_no_turn"]

_LARGER = (
    "Which is larger, {}?",
    "Which is bigger, {}?",
    "Which number is larger: {}?",
    "Which number is greater, {}?",
    "Which number is bigger, {}?",
    "What is larger, {}?",
    "What is greater, {}?",
    "What is more, {}?",
    "Tell me the larger number: {}",
    "Larger: {}?",
)
_LARGEST = (
    "Which number is the largest: {}?",
    "Which is the biggest: {}?",
    "What is the largest of {}?",
    "What is the maximum of {}?",
    "What is the largest number in {}?",
    "Find the largest number: {}",
    "Max of {}?",
)
_SMALLER = (
    "Which is smaller, {}?",
    "Which number is smaller: {}?",
    "Which number is smaller, {}?",
    "Which number is less, {}?",
    "What is smaller, {}?",
    "What is less, {}?",
    "Tell me the smaller number: {}",
    "Smaller: {}?",
)
_SMALLEST = (
    "Which number is the smallest: {}?",
    "Which is the smallest: {}?",
    "What is the smallest of {}?",
    "What is the minimum of {}?",
    "What is the smallest number in {}?",
    "Find the smallest number: {}",
    "Min of {}?",
)
_GREATER = ("greater than", "larger than", "bigger than", "more than", "higher than", ">")
_LESS = ("less than", "smaller than", "lower than", "<")
_EQUAL = ("equal to", "the same as", "=", "==")
_CHOICES = (
    ("Yes or no: ", ""),
    ("Yes or no? ", ""),
    ("Answer yes or no: ", ""),
    ("Answer with yes or no: ", ""),
    ("", " Answer yes or no."),
    ("", " Answer with yes or no."),
    ("", " Yes or no?"),
    ("", " (yes or no)"),
    ("", " (yes/no)"),
    ("", " Answer only yes or no."),
    ("", " Reply with yes or no only."),
)
_CATEGORIES = {
    "animals": ("an animal", "animals"),
    "fruits": ("a fruit", "fruits"),
    "colors": ("a color", "colors"),
    "names": ("a name", "names"),
}
_NO_ARTICLE = ("colors", "names")


def _numbers(draw: Random, amount: int) -> list[int]:
    top = draw.choice((10, 20, 100, 100, 1000))
    numbers = draw.sample(range(top), amount)
    if amount == 2 and top > 20 and chance(draw, 0.3):
        numbers[1] = max(0, numbers[0] + draw.choice((-11, -10, -9, -2, -1, 1, 2, 9, 10, 11)))
    return numbers


def _comparison(draw: Random) -> Turn:
    if chance(draw, 0.45):
        return _number_claim(draw)
    numbers = _numbers(draw, draw.choice((2, 2, 2, 3, 3, 4)))
    most = chance(draw, 0.5)
    forms = (_LARGER if most else _SMALLER) if len(numbers) == 2 else (_LARGEST if most else _SMALLEST)
    *rest, last = map(str, numbers)
    joined = (
        ", ".join(rest) + draw.choice((", ", " or ", " and ") if len(numbers) > 2 else (" or ", " or ", " and ")) + last
    )
    form = draw.choice(forms)
    return Turn(ask(draw, form, joined, closed=form.endswith("?")), str(max(numbers) if most else min(numbers)))


def _number_claim(draw: Random) -> Turn:
    left, right = _numbers(draw, 2)
    kind = draw.random()
    if kind < 0.2:
        holds = chance(draw, 0.5)
        right = left if holds else right
        return Turn(_claim(draw, str(left), draw.choice(_EQUAL), str(right)), _said(left == right))
    more = chance(draw, 0.5)
    return Turn(
        _claim(draw, str(left), draw.choice(_GREATER if more else _LESS), str(right)),
        _said(left > right if more else left < right),
    )


def _claim(draw: Random, left: str, relation: str, right: str) -> str:
    form = draw.choice(
        (
            "Is {0} {1} {2}?",
            "Is {0} {1} {2}?",
            "Is the number {0} {1} {2}?",
            "Is it true that {0} is {1} {2}?",
            "True or not: is {0} {1} {2}?",
        )
    )
    return ask(draw, form, left, relation, right)


def _said(holds: bool) -> str:
    return "Yes." if holds else "No."


def compare(draw: Draw) -> Conversation:
    """The largest or smallest of two to four numbers, or whether one is larger than the other."""
    return Conversation(several(draw, _comparison, 7, 0.5))


def claim_drill(draw: Draw) -> Conversation:
    """Comparisons and claims one after the other: each teaches a bit at most, so many must fit into few tokens."""
    kinds = (_comparison, _number_claim, yes_or_no_turn)
    return Conversation(tuple(draw.choice(kinds)(draw) for _ in range(draw.randint(5, 9))))


def _even(draw: Random) -> tuple[str, bool]:
    number, even = draw.randint(0, draw.choice((20, 100, 1000))), chance(draw, 0.5)
    form = draw.choice(("Is {} {}?", "Is {} an {} number?", "Is the number {} {}?"))
    return form.format(number, "even" if even else "odd"), (number % 2 == 0) == even


def _member(draw: Random) -> tuple[str, bool]:
    """Words that belong to two categories, such as "orange", are asked for in those or not at all."""
    words = load_words()
    section, asked = draw.choice(tuple(_CATEGORIES)), draw.choice(tuple(_CATEGORIES))
    if chance(draw, 0.45):
        asked = section
    text = choice(draw, section)
    if section != "names" and chance(draw, 0.1):
        section, text = "nouns", choice(draw, "nouns")
    article = "" if section in _NO_ARTICLE else draw.choice(("", "an " if text[0] in "aeiou" else "a ", "the word "))
    form = draw.choice(("Is {}{} {}?", "Is {}{} {}?", "Would you call {}{} {}?"))
    return form.format(article, text, _CATEGORIES[asked][0]), text in words[asked] or text in KINDS.get(asked[:-1], ())


def _capital(draw: Random) -> tuple[str, bool]:
    country, wrong = draw.sample(sorted(CAPITALS), 2)
    holds = chance(draw, 0.5)
    city = CAPITALS[country if holds else wrong]
    form = draw.choice(
        ("Is {0} the capital of {1}?", "Is {0} in {1}?", "Is {1}'s capital {0}?", "Is the capital of {1} {0}?")
    )
    return form.format(city, country), CAPITALS[country] == city


def _listed(draw: Random) -> tuple[str, bool]:
    kinds = (word, word, made_up, lambda source: choice(source, "names"), lambda source: str(source.randrange(100)))
    kind = draw.choice(kinds)
    items = list(dict.fromkeys(kind(draw) for _ in range(draw.randint(2, 6))))
    sought = draw.choice(items) if chance(draw, 0.5) else kind(draw)
    text = ", ".join(items)
    form = draw.choice(
        (
            "Is {0} in the list {1}?",
            "Is {0} in this list: {1}?",
            "Does the list {1} contain {0}?",
            "Is {0} one of {1}?",
            "Is {0} among {1}?",
            "The list is {1}. Is {0} in it?",
            "Does {1} include {0}?",
        )
    )
    return form.format(sought, text), sought in items


def _spelt(draw: Random) -> tuple[str, bool]:
    text, holds = choice(draw, draw.choice(("animals", "fruits", "colors"))), chance(draw, 0.5)
    letter = draw.choice(text) if holds else draw.choice("abcdefghijklmnopqrstuvwxyz")
    form = draw.choice(
        (
            'Does "{}" contain the letter {}?',
            "Does '{}' contain the letter {}?",
            "Is the letter {1} in {0}?",
            "Does {} have the letter {}?",
        )
    )
    return form.format(text, letter), letter in text


def _summed(draw: Random) -> tuple[str, bool]:
    left, right = draw.randint(0, 12), draw.randint(0, 12)
    shown = left + right + (0 if chance(draw, 0.5) else draw.choice((-2, -1, 1, 2, 10)))
    form = draw.choice(("Is {}+{} {}?", "Is {} + {} = {}?", "Is {} plus {} equal to {}?", "Does {} + {} equal {}?"))
    return form.format(left, right, shown), shown == left + right


def _same(draw: Random) -> tuple[str, bool]:
    left, right = (draw.choice((word, made_up, lambda source: choice(source, "names")))(draw) for _ in range(2))
    right = left if chance(draw, 0.5) else right
    form = draw.choice(
        ("Is {0} the same word as {1}?", "Are {0} and {1} the same?", "Are the words {0} and {1} equal?")
    )
    return form.format(left, right), left == right


_CLAIMS = (_even, _member, _capital, _listed, _summed, _same, _spelt)
_CLAIM_WEIGHTS = (4, 5, 4, 5, 2, 2, 1)


def yes_or_no_turn(draw: Random) -> Turn:
    """One question with "Yes." or "No." for an answer, half of each."""
    wanted = chance(draw, 0.5)
    claim = draw.choices(_CLAIMS, _CLAIM_WEIGHTS)[0]
    for _ in range(30):
        question, holds = claim(draw)
        if holds == wanted:
            break
    if chance(draw, 0.12):
        before, behind = draw.choice(_CHOICES)
        question = f"{before}{question}{behind}"
    return Turn(ask(draw, question), _said(holds))


def yes_or_no(draw: Draw) -> Conversation:
    """Parity, membership of a kind or a list, capitals, small sums and letters of words; yes and no in equal parts."""
    return Conversation(several(draw, yes_or_no_turn, 6, 0.45))
