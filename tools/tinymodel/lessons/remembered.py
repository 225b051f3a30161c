"""What users tell about themselves, and how they ask for it later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.phrasing import choice
from tools.tinymodel.lessons.values import any_value, code, email, name, place

__all__ = ["UNTOLD", "Told", "draw_told", "question_about"]

UNTOLD = "I don't know that."
"""The answer where nobody told what is asked for."""

_NOTED = "OK, I will remember that."


@dataclass(frozen=True)
class _Thing:
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    answer: str
    value: Callable[[Draw], str]
    system: str
    """The statement in a system text."""
    reply: str = _NOTED


@dataclass(frozen=True)
class Told:
    """One thing that the user tells: the statement, the model's reply, and the ways to ask for it."""

    key: str
    """The noun that names it."""
    statement: str
    reply: str
    questions: tuple[str, ...]
    answer: str
    value: str
    system: str


def _from(*words: str) -> Callable[[Draw], str]:
    return lambda draw: draw.choice(words)


def _section(*sections: str) -> Callable[[Draw], str]:
    return lambda draw: choice(draw, draw.choice(sections))


def _number(draw: Draw) -> str:
    return str(draw.randrange(10 ** draw.choice((1, 2, 3, 4, 5, 7))))


def _secret(draw: Draw) -> str:
    return draw.choice((code, code, _number, any_value, _section("nouns")))(draw)


def _person(draw: Draw) -> str:
    return name(draw) if draw.random() < 0.85 else any_value(draw)


def _phone(draw: Draw) -> str:
    return "".join(draw.choice("0123456789") for _ in range(draw.randint(5, 10)))


_MONTHS = _from("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
_JOBS = _from(
    *("doctor", "teacher", "driver", "cook", "engineer", "developer", "writer", "police officer", "pilot", "nurse"),
    *("painter", "singer", "farmer", "lawyer", "student", "judge", "baker", "actor", "designer", "scientist"),
)
_THINGS: dict[str, _Thing] = {
    "name": _Thing(
        (
            *("My name is {}.", "I am {}.", "Call me {}.", "Hi, my name is {}.", "Hello, I am {}.", "I'm {}."),
            *("Hi! I'm {}.", "My name's {}.", "Hello! My name is {}.", "You can call me {}.", "{} is my name."),
            *("Hey, {} here.", "Please call me {}.", "Remember my name: {}.", "Hi, this is {}.", "People call me {}."),
        ),
        (
            *("What is my name?", "What's my name?", "Do you remember my name?", "Who am I?", "Tell me my name."),
            *("What did I say my name was?", "Can you tell me my name?", "Say my name.", "What was my name?"),
            *("Do you know my name?", "What is my name again?", "How am I called?", "Do you know who I am?"),
            *("My name is what?", "Please say my name.", "What am I called?", "Remind me of my name."),
        ),
        "Your name is {}.",
        _person,
        "The user's name is {}.",
        "Nice to meet you, {}.",
    ),
    "age": _Thing(
        ("I am {} years old.", "My age is {}.", "I'm {} years old.", "I turned {} today.", "I am {} now."),
        (
            *("How old am I?", "What is my age?", "What's my age?", "Do you remember how old I am?"),
            *("Tell me my age.", "Do you know my age?", "How old did I say I am?", "What was my age?"),
        ),
        "You are {} years old.",
        lambda draw: str(draw.randint(1, 99)),
        "The user is {} years old.",
    ),
    "city": _Thing(
        ("I live in {}.", "I am from {}.", "My city is {}.", "I'm from {}.", "My home is in {}.", "I moved to {}."),
        (
            *("Where do I live?", "Where am I from?", "What is my city?", "Which city do I live in?"),
            *("In which city do I live?", "What city am I from?", "Do you remember where I live?", "Where is my home?"),
        ),
        "You live in {}.",
        place,
        "The user lives in {}.",
    ),
    "job": _Thing(
        ("I am a {}.", "I work as a {}.", "My job is {}.", "I'm a {}.", "I work as {}.", "My profession is {}."),
        (
            *("What is my job?", "What do I do for work?", "What's my job?", "What do I work as?", "What is my work?"),
            *("Which job do I have?", "What is my profession?", "Do you remember my job?"),
        ),
        "Your job is {}.",
        _JOBS,
        "The user's job is {}.",
    ),
    "pet": _Thing(
        ("I have a {}.", "My pet is a {}.", "I own a {}.", "I've got a {} as a pet.", "I have a pet {}."),
        (
            *("What is my pet?", "Which animal do I have?", "What pet do I have?", "What kind of pet do I have?"),
            *("Which pet do I have?", "What animal do I own?"),
        ),
        "You have a {}.",
        _section("animals"),
        "The user has a {}.",
    ),
    "secret": _Thing(
        (
            *("Remember the {key} {}.", "The {key} is {}.", "The secret {key} is {}.", "{} is the {key}."),
            *("Remember: the {key} is {}.", "Remember this {key}: {}", "Please remember the {key} {}.", "{key}: {}"),
            *("Please remember this {key}: {}", "Keep this {key} in mind: {}", "Note the {key} {}."),
            *("Don't forget the {key}: {}", "Save this {key}: {}", "I tell you a {key}: {}", "Memorize the {key} {}."),
        ),
        (
            *("What is the {key}?", "What was the {key}?", "Which {key} did I tell you?"),
            *("Tell me the {key}.", "What {key} did I give you?", "Do you remember the {key}?", "Repeat the {key}."),
            *("What was the {key} again?", "Which {key} should you remember?", "What's the {key}?", "Say the {key}."),
            *("What {key} did I tell you to remember?", "What is the secret {key}?", "Give me the {key}."),
        ),
        "The {key} is {}.",
        _secret,
        "The {key} is {}.",
    ),
    "favorite": _Thing(
        (
            *("My favorite {key} is {}.", "My favourite {key} is {}.", "My favorite {key} is {}."),
            *("The {key} that I like most is {}.", "{} is my favorite {key}."),
        ),
        (
            *("What is my favorite {key}?", "What's my favorite {key}?", "What is my favourite {key}?"),
            *("Which {key} do I like most?", "Do you remember my favorite {key}?", "Tell me my favorite {key}."),
            *("Which {key} is my favorite?", "What was my favorite {key}?", "Do you know my favorite {key}?"),
        ),
        "Your favorite {key} is {}.",
        any_value,
        "The user's favorite {key} is {}.",
    ),
    "own": _Thing(
        ("My {key} is {}.", "My {key} is called {}.", "{} is my {key}.", "My {key}: {}", "My {key}'s name is {}."),
        (
            *("What is my {key}?", "What's my {key}?", "Do you remember my {key}?", "Tell me my {key}."),
            *("What was my {key}?", "What is my {key} called?", "Which is my {key}?", "Do you know my {key}?"),
        ),
        "Your {key} is {}.",
        any_value,
        "The user's {key} is {}.",
    ),
}
_WEIGHTS = {"name": 26, "age": 8, "city": 9, "job": 5, "pet": 5, "secret": 24, "favorite": 16, "own": 12}
_KNOWN_KEYS: dict[str, dict[str, Callable[[Draw], str]]] = {
    "secret": {
        "code": code,
        "number": _number,
        "word": _section("nouns", "verbs", "adjectives"),
        "password": _secret,
        "secret word": _section("nouns", "animals", "fruits"),
        "magic word": _section("nouns", "verbs"),
        "token": code,
        "pin": _number,
        "key": _secret,
        "id": code,
        "magic number": _number,
        "order number": _number,
    },
    "favorite": {
        "color": _section("colors"),
        "animal": _section("animals"),
        "food": _section("foods", "fruits"),
        "fruit": _section("fruits"),
        "number": lambda draw: str(draw.randrange(100)),
        "city": place,
        "day": _section("days"),
        "month": _MONTHS,
        "book": any_value,
        "language": _from("Python", "Java", "Rust", "Go", "French", "German", "English", "Spanish", "C"),
    },
    "own": {
        "email": email,
        "phone number": _phone,
        "brother": _person,
        "sister": _person,
        "mother": _person,
        "father": _person,
        "friend": _person,
        "dog": _person,
        "cat": _person,
        "company": any_value,
        "project": any_value,
        "birthday": lambda draw: f"{_MONTHS(draw)} {draw.randint(1, 28)}",
        "last name": _person,
        "country": place,
        "username": any_value,
        "code": code,
        "number": _number,
        "password": _secret,
        "pin": _number,
        "id": code,
    },
}
_NEW_KEY_SHARE = 0.35


def _drawn_key(draw: Draw, kind: str) -> tuple[str, Callable[[Draw], str]]:
    known = _KNOWN_KEYS.get(kind)
    if known is None:
        return kind, _THINGS[kind].value
    if draw.random() < _NEW_KEY_SHARE:
        return choice(draw, "nouns"), any_value
    key = draw.choice(sorted(known))
    return key, known[key] if draw.random() < 0.85 else any_value


def _sentence(text: str) -> str:
    return text if text.startswith("{}") else text[:1].upper() + text[1:]


def draw_told(draw: Draw, kind: str = "") -> Told:
    """Something that a user tells, of a kind (`name`, `secret`, ...) if one is given."""
    kind = kind or draw.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    thing = _THINGS[kind]
    key, source = _drawn_key(draw, kind)
    value = source(draw).strip()

    questions = thing.questions
    if source is _person and kind == "own":
        questions = (*questions, "Who is my {key}?", "What is my {key}'s name?", "What is the name of my {key}?")

    def filled(form: str) -> str:
        return _sentence(form.replace("{key}", key).replace("secret secret", "secret"))

    statement = filled(draw.choice(thing.statements)).replace("{}", value)
    return Told(
        key,
        statement,
        thing.reply.replace("{}", value),
        tuple(map(filled, questions)),
        filled(thing.answer).replace("{}", value),
        value,
        filled(thing.system).replace("{}", value),
    )


def question_about(draw: Draw, told: Told) -> str:
    """One of the ways to ask for it."""
    return draw.choice(told.questions)
