"""Facts to ask for: capitals and countries, calendar, alphabet, animals, colours and general knowledge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.lessons.asking import asked, briefly
from tools.tinymodel.lessons.geography import CAPITALS, CONTINENTS, CURRENCIES, LANGUAGES
from tools.tinymodel.lessons.knowledge import COLORS, KNOWLEDGE, LEGS, SOUNDS
from tools.tinymodel.lessons.phrasing import blend, choice
from tools.tinymodel.lessons.talk import UNKNOWN

__all__ = ["CAPITALS", "DAYS", "MONTHS", "bare_fact", "capital", "fact"]

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORDINALS = (
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
)
_CAPITAL_FORMS = (
    "What is the capital of {}?",
    "What is the capital of {}?",
    "What is the capital of {}?",
    "What's the capital of {}?",
    "Which city is the capital of {}?",
    "The capital of {} is?",
    "The capital of {}?",
    "Name the capital of {}.",
    "Tell me the capital of {}.",
    "Give me the capital of {}.",
    "What is the capital city of {}?",
    "Capital of {}?",
    "Capital city of {}?",
    "{} capital?",
    "{}: capital?",
    "What city is the capital of {}?",
    "Do you know the capital of {}?",
    "Can you tell me the capital of {}?",
    "What is {}'s capital?",
    "What's {}'s capital city?",
    "What is the name of the capital of {}?",
    "I want to know the capital of {}.",
    "Say the capital of {}.",
    "Which is the capital of {}?",
    "Where is the government of {}?",
    "Write the capital of {}.",
    "What city is {}'s capital?",
    "Which city is {}'s capital?",
    "In {}, what is the capital?",
    "Complete: The capital of {} is",
    "The capital of {} is ...",
)
_COUNTRY_FORMS = (
    "Which country is {} the capital of?",
    "What country is {} the capital of?",
    "{} is the capital of which country?",
    "{} is the capital of what country?",
    "{} is the capital of?",
    "Which country has the capital {}?",
    "What country has {} as its capital?",
    "Which country has {} as capital?",
    "Name the country whose capital is {}.",
    "Tell me which country {} is the capital of.",
    "The city {} is the capital of which country?",
    "Of which country is {} the capital?",
    "{} is the capital city of?",
    "Whose capital is {}?",
)
_FAMOUS = ("France", "Germany", "Japan", "Italy", "Spain", "the United States", "England", "Canada")
_UNKNOWN_SHARE = 0.14


@dataclass(frozen=True)
class _Fact:
    """A question with the answer as a sentence and alone."""

    question: str
    sentence: str
    bare: str


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]


def _country(random: Random) -> str:
    return random.choice(_FAMOUS if random.random() < 0.12 else tuple(CAPITALS))


def _unknown_country(random: Random) -> str:
    if random.random() < 0.5:
        return (choice(random, random.choice(("nouns", "verbs", "names"))) + blend(random)).lower().capitalize()
    return random.choice((blend(random), choice(random, "nouns"), choice(random, "names"))).capitalize()


def _capital(random: Random) -> _Fact:
    country = _country(random)
    shown = country.removeprefix("the ") if random.random() < 0.25 else country
    question = _start(random.choice(_CAPITAL_FORMS).format(shown))
    return _Fact(question, f"The capital of {country} is {CAPITALS[country]}.", CAPITALS[country])


def _capital_of(random: Random) -> _Fact:
    countries = {city: country for country, city in reversed(CAPITALS.items()) if country != "England"}
    city = CAPITALS[_country(random)]
    country = countries[city]
    question = random.choice(_COUNTRY_FORMS).format(city)
    return _Fact(question, f"{city} is the capital of {country}.", country.removeprefix("the "))


def _place(random: Random) -> _Fact:
    kind = random.randrange(3)
    table = (CONTINENTS, LANGUAGES, CURRENCIES)[kind]
    country = random.choice(tuple(table))
    value = table[country]
    forms = (
        (
            "Which continent is {} in?",
            "What continent is {} in?",
            "On which continent is {}?",
            "Where is {}?",
            "{} is on which continent?",
            "Which continent does {} belong to?",
            "Name the continent of {}.",
        ),
        (
            "Which language do people speak in {}?",
            "What language is spoken in {}?",
            "What is the language of {}?",
            "Which language is spoken in {}?",
            "What do people speak in {}?",
            "What language do they speak in {}?",
            "Name the language of {}.",
        ),
        (
            "What is the currency of {}?",
            "Which currency does {} have?",
            "What money do they use in {}?",
            "What currency is used in {}?",
            "What is the money of {}?",
            "Name the currency of {}.",
            "Currency of {}?",
        ),
    )[kind]
    sentence = ("{} is in {}.", "People in {} speak {}.", "The currency of {} is the {}.")[kind].format(country, value)
    return _Fact(random.choice(forms).format(country), sentence, value)


def _color(random: Random) -> _Fact:
    thing = random.choice(tuple(COLORS))
    forms = (
        "What color is {}?",
        "What colour is {}?",
        "Which color does {} have?",
        "What is the color of {}?",
        "Which colour is {}?",
        "What's the color of {}?",
        "Tell me the color of {}.",
        "Color of {}?",
        "The color of {} is?",
        "{} is what color?",
    )
    return _Fact(_start(random.choice(forms).format(thing)), f"{_start(thing)} is {COLORS[thing]}.", COLORS[thing])


def _sound(random: Random) -> _Fact:
    animal = random.choice(tuple(SOUNDS))
    forms = (
        "What does a {} say?",
        "What does the {} say?",
        "What sound does a {} make?",
        "Which sound does a {} make?",
        "What noise does a {} make?",
        "What is the sound of a {}?",
        "How does a {} sound?",
        "Tell me what a {} says.",
        "The {} says?",
    )
    return _Fact(random.choice(forms).format(animal), f"The {animal} says {SOUNDS[animal]}.", SOUNDS[animal])


def _legs(random: Random) -> _Fact:
    animal = random.choice(tuple(LEGS))
    forms = (
        "How many legs does a {} have?",
        "How many legs has a {}?",
        "A {} has how many legs?",
        "What number of legs does a {} have?",
        "Tell me how many legs a {} has.",
        "Number of legs of a {}?",
        "How many legs do {}s have?",
        "With how many legs does a {} walk?",
    )
    article = "An" if animal[0] in "aeiou" else "A"
    question = random.choice(forms).replace("a {}", f"{article.lower()} {{}}").replace("A {}", f"{article} {{}}")
    return _Fact(question.format(animal), f"{article} {animal} has {LEGS[animal]} legs.", str(LEGS[animal]))


def _in_a_row(random: Random) -> _Fact:
    kind, row = random.choice(
        (("day", DAYS), ("month", MONTHS), ("letter", tuple(_LETTERS)), ("letter", tuple(_LETTERS)))
    )
    index = random.randrange(len(row))
    after = random.random() < 0.6
    if kind == "letter":
        index = min(index, 24) if after else max(index, 1)
    side = "after" if after else "before"
    value = row[(index + (1 if after else -1)) % len(row)]
    forms = (
        "Which {kind} comes {side} {item}?",
        "What {kind} comes {side} {item}?",
        "What {kind} is {side} {item}?",
        "Which {kind} is {side} {item}?",
        "What comes {side} {item}?",
        "Name the {kind} {side} {item}.",
        "Tell me the {kind} {side} {item}.",
        "What is the {kind} {side} {item}?",
        "The {kind} {side} {item}?",
        "Which {kind} {follows} {item}?",
        "What is the {next} {kind} {side} {item}?",
    )
    question = random.choice(forms).format(
        kind=kind,
        side=side,
        item=row[index],
        follows="follows" if after else "precedes",
        next="next" if after else "last",
    )
    return _Fact(question, f"{side.capitalize()} {row[index]} comes {value}.", value)


def _month_length(random: Random) -> _Fact:
    index = random.randrange(12)
    forms = (
        "How many days does {} have?",
        "How many days are in {}?",
        "How many days are there in {}?",
        "{} has how many days?",
        "How long is {} in days?",
    )
    days = _MONTH_LENGTHS[index]
    return _Fact(random.choice(forms).format(MONTHS[index]), f"{MONTHS[index]} has {days} days.", str(days))


def _ordinal(random: Random) -> _Fact:
    kind, row, whole = random.choice(
        (("day", DAYS, "the week"), ("month", MONTHS, "the year"), ("letter", tuple(_LETTERS), "the alphabet"))
    )
    last = random.random() < 0.12
    index = len(row) - 1 if last else random.randrange(min(len(row), 12))
    ordinal = "last" if last else _ORDINALS[index]
    forms = (
        "What is the {} {} of {}?",
        "Which {} is the {} of {}?",
        "Name the {} {} of {}.",
        "What's the {} {} of {}?",
        "Tell me the {} {} of {}.",
        "The {} {} of {}?",
    )
    form = random.choice(forms)
    question = form.format(kind, ordinal, whole) if form.startswith("Which") else form.format(ordinal, kind, whole)
    return _Fact(question, f"The {ordinal} {kind} of {whole} is {row[index]}.", row[index])


def _general(random: Random) -> _Fact:
    questions, sentence, bare = random.choice(KNOWLEDGE)
    return _Fact(random.choice(questions), sentence, bare)


_KINDS: tuple[tuple[int, Callable[[Random], _Fact]], ...] = (
    (22, _capital),
    (8, _capital_of),
    (8, _place),
    (6, _color),
    (3, _sound),
    (3, _legs),
    (8, _in_a_row),
    (4, _ordinal),
    (2, _month_length),
    (18, _general),
)


def _draw(random: Random) -> _Fact:
    return random.choices([kind for _, kind in _KINDS], [weight for weight, _ in _KINDS])[0](random)


def capital(random: Random) -> Conversation:
    """The capital of a country, or `UNKNOWN` for a country that is not in the table."""
    if random.random() < _UNKNOWN_SHARE:
        country = _unknown_country(random)
        while country in CAPITALS:
            country = _unknown_country(random)
        question = random.choice(_CAPITAL_FORMS).format(country)
        return Conversation((Turn((briefly if random.random() < 0.1 else asked)(random, question), UNKNOWN),))
    found = _capital(random)
    if random.random() < 0.15:
        return Conversation((Turn(briefly(random, found.question), found.bare),))
    return Conversation((Turn(asked(random, found.question), found.sentence),))


def bare_fact(random: Random) -> Conversation:
    """A known question that asks for one word: the answer stands alone."""
    found = _draw(random)
    return Conversation((Turn(briefly(random, found.question), found.bare),))


def fact(random: Random) -> Conversation:
    """A question that has a known answer, as a sentence, or alone where that is asked for."""
    chance = random.random()
    if chance < 0.12:
        return bare_fact(random)
    if chance < 0.16:
        return capital(random)
    found = _draw(random)
    return Conversation((Turn(asked(random, found.question), found.sentence),))
