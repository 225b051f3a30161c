"""A few facts to ask for: capitals, colours, sounds, opposites and calendars."""

from __future__ import annotations

from random import Random

from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.lessons.phrasing import polite, vary

__all__ = ["CAPITALS", "fact"]

CAPITALS = {
    "France": "Paris",
    "Germany": "Berlin",
    "Spain": "Madrid",
    "Italy": "Rome",
    "England": "London",
    "the United Kingdom": "London",
    "Ireland": "Dublin",
    "Portugal": "Lisbon",
    "Poland": "Warsaw",
    "Austria": "Vienna",
    "Switzerland": "Bern",
    "Greece": "Athens",
    "Turkey": "Ankara",
    "Russia": "Moscow",
    "Sweden": "Stockholm",
    "Norway": "Oslo",
    "Denmark": "Copenhagen",
    "Finland": "Helsinki",
    "Hungary": "Budapest",
    "Ukraine": "Kyiv",
    "Egypt": "Cairo",
    "Kenya": "Nairobi",
    "Japan": "Tokyo",
    "China": "Beijing",
    "India": "New Delhi",
    "Thailand": "Bangkok",
    "South Korea": "Seoul",
    "Australia": "Canberra",
    "Canada": "Ottawa",
    "the United States": "Washington",
    "Mexico": "Mexico City",
    "Brazil": "Brasilia",
    "Argentina": "Buenos Aires",
    "Chile": "Santiago",
    "Peru": "Lima",
    "Cuba": "Havana",
    "Belgium": "Brussels",
    "the Netherlands": "Amsterdam",
}
"""Country -> capital."""

_COLORS = {
    "the sky": "blue",
    "grass": "green",
    "snow": "white",
    "the sun": "yellow",
    "blood": "red",
    "a banana": "yellow",
    "coal": "black",
    "milk": "white",
    "an orange": "orange",
    "a lemon": "yellow",
    "a strawberry": "red",
    "a tomato": "red",
    "chocolate": "brown",
    "the sea": "blue",
}
_SOUNDS = {
    "dog": "woof",
    "cat": "meow",
    "cow": "moo",
    "duck": "quack",
    "sheep": "baa",
    "pig": "oink",
    "lion": "roar",
    "bee": "buzz",
    "owl": "hoot",
}
_OPPOSITES = {
    "hot": "cold",
    "big": "small",
    "good": "bad",
    "up": "down",
    "left": "right",
    "black": "white",
    "day": "night",
    "yes": "no",
    "old": "new",
    "happy": "sad",
    "fast": "slow",
    "open": "closed",
    "high": "low",
    "wet": "dry",
    "true": "false",
    "full": "empty",
    "light": "dark",
}
_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NUMBERS = (
    (("How many days are in a week?", "How many days does a week have?"), "A week has 7 days."),
    (("How many months are in a year?", "How many months does a year have?"), "A year has 12 months."),
    (("How many hours are in a day?", "How many hours does a day have?"), "A day has 24 hours."),
    (("How many minutes are in an hour?", "How many minutes does an hour have?"), "An hour has 60 minutes."),
    (("How many legs does a spider have?",), "A spider has 8 legs."),
    (
        ("How many legs does a dog have?", "How many legs does a cat have?", "How many legs does a horse have?"),
        "It has 4 legs.",
    ),
)
_CAPITAL_QUESTIONS = (
    "What is the capital of {}?",
    "What's the capital of {}?",
    "Which city is the capital of {}?",
    "The capital of {} is?",
    "Name the capital of {}.",
    "Tell me the capital of {}.",
    "What is the capital city of {}?",
    "Capital of {}?",
)


def _capital(random: Random) -> tuple[str, str]:
    country = random.choice(sorted(CAPITALS))
    form = random.choice(_CAPITAL_QUESTIONS[:1] * 4 + _CAPITAL_QUESTIONS)
    return form.format(country), f"The capital of {country} is {CAPITALS[country]}."


def _color(random: Random) -> tuple[str, str]:
    thing = random.choice(sorted(_COLORS))
    form = random.choice(
        ("What color is {}?", "What colour is {}?", "Which color does {} have?", "What is the color of {}?")
    )
    return form.format(thing), f"{thing[:1].upper()}{thing[1:]} is {_COLORS[thing]}."


def _sound(random: Random) -> tuple[str, str]:
    animal = random.choice(sorted(_SOUNDS))
    form = random.choice(
        ("What does a {} say?", "What does the {} say?", "What sound does a {} make?", "Which sound does a {} make?")
    )
    return form.format(animal), f"The {animal} says {_SOUNDS[animal]}."


def _opposite(random: Random) -> tuple[str, str]:
    pair = random.choice(sorted(_OPPOSITES.items()))
    first, second = pair if random.random() < 0.6 else pair[::-1]
    form = random.choice(
        ("What is the opposite of {}?", "What's the opposite of {}?", "Tell me the opposite of {}.", "Opposite of {}?")
    )
    return form.format(first), f"The opposite of {first} is {second}."


def _weekday(random: Random) -> tuple[str, str]:
    index = random.randrange(len(_WEEK))
    if random.random() < 0.5:
        return f"Which day comes after {_WEEK[index]}?", f"After {_WEEK[index]} comes {_WEEK[(index + 1) % 7]}."
    return f"What day comes before {_WEEK[index]}?", f"Before {_WEEK[index]} comes {_WEEK[index - 1]}."


def _number(random: Random) -> tuple[str, str]:
    questions, answer = random.choice(_NUMBERS)
    return random.choice(questions), answer


def fact(random: Random) -> Conversation:
    """One question that has a known answer; capitals most often."""
    kind = random.choice((_capital, _capital, _capital, _color, _sound, _opposite, _weekday, _number))
    question, answer = kind(random)
    if question.startswith(("Name", "Tell")):
        question = polite(random, question)
    return Conversation((Turn.of(vary(random, question), answer),))
