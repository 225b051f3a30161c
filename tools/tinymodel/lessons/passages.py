"""Made-up facts in sentences, lists and tables, with questions that one of them answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.phrasing import choice
from tools.tinymodel.lessons.sources import day
from tools.tinymodel.lessons.values import any_value, code, name, place

__all__ = ["Fact", "draw_facts", "draw_table", "facts_of"]


@dataclass(frozen=True)
class _Relation:
    statements: tuple[str, ...]
    """With {s} for the subject and {v} for the value."""
    questions: tuple[str, ...]
    inverse: tuple[str, ...]
    """Questions that tell the value and ask for the subject."""
    answer: str
    subject: Callable[[Draw], str]
    value: Callable[[Draw], str]


@dataclass(frozen=True)
class Fact:
    """A statement, the questions that it answers (and those that ask the other way), and the answer."""

    statement: str
    questions: tuple[str, ...]
    inverse: tuple[str, ...]
    answer: str
    subject: str
    value: str


def _noun(draw: Draw) -> str:
    return choice(draw, "nouns")


def _thing(draw: Draw) -> str:
    noun = choice(draw, "nouns")
    return f"{choice(draw, 'adjectives')} {noun}" if draw.random() < 0.3 else noun


def _person(draw: Draw) -> str:
    return choice(draw, "names") if draw.random() < 0.7 else name(draw)


def _made(draw: Draw) -> str:
    text = any_value(draw)
    return text[:1].upper() + text[1:]


def _number(draw: Draw) -> str:
    return str(draw.randrange(1, 10 ** draw.choice((1, 2, 2, 3, 4))))


_RELATIONS: tuple[_Relation, ...] = (
    _Relation(
        ("{s} is {v} years old.", "{s} is {v}.", "{s}, aged {v}.", "The age of {s} is {v}.", "{s} just turned {v}."),
        ("How old is {s}?", "What is the age of {s}?", "What age is {s}?", "Tell me the age of {s}."),
        ("Who is {v} years old?", "Who is {v}?"),
        "{s} is {v} years old.",
        _person,
        lambda draw: str(draw.randint(1, 99)),
    ),
    _Relation(
        ("{s} lives in {v}.", "{s} is from {v}.", "The home of {s} is {v}.", "{s} moved to {v}."),
        ("Where does {s} live?", "Which city does {s} live in?", "Where is {s} from?", "What is the home of {s}?"),
        ("Who lives in {v}?", "Who is from {v}?"),
        "{s} lives in {v}.",
        _person,
        place,
    ),
    _Relation(
        ("{s} likes {v}.", "{s} loves {v}.", "{s} really likes {v}."),
        ("What does {s} like?", "What does {s} love?", "Tell me what {s} likes."),
        ("Who likes {v}?", "Who loves {v}?"),
        "{s} likes {v}.",
        _person,
        lambda draw: choice(draw, draw.choice(("fruits", "foods", "colors", "animals", "nouns"))),
    ),
    _Relation(
        ("{s} has a {v}.", "{s} owns a {v}.", "{s} bought a {v}."),
        ("What does {s} have?", "What does {s} own?", "What has {s}?"),
        ("Who has a {v}?", "Who owns a {v}?"),
        "{s} has a {v}.",
        _person,
        lambda draw: choice(draw, draw.choice(("animals", "nouns"))),
    ),
    _Relation(
        ("{s} works as a {v}.", "{s} is a {v}.", "The job of {s} is {v}."),
        ("What is the job of {s}?", "What does {s} do for work?", "What does {s} work as?"),
        ("Who is a {v}?", "Who works as a {v}?"),
        "{s} is a {v}.",
        _person,
        lambda draw: draw.choice(("doctor", "teacher", "driver", "cook", "engineer", "writer", "farmer", "student")),
    ),
    _Relation(
        ("The favorite {k} of {s} is {v}.", "{s}'s favorite {k} is {v}."),
        ("What is the favorite {k} of {s}?", "What is {s}'s favorite {k}?", "Which {k} does {s} like most?"),
        (),
        "The favorite {k} of {s} is {v}.",
        _person,
        any_value,
    ),
    _Relation(
        ("The {s} costs {v} dollars.", "The price of the {s} is {v} dollars.", "You pay {v} dollars for the {s}."),
        ("How much does the {s} cost?", "What does the {s} cost?", "What is the price of the {s}?"),
        ("What costs {v} dollars?",),
        "The {s} costs {v} dollars.",
        _thing,
        _number,
    ),
    _Relation(
        ("The {s} is in the {v}.", "The {s} is now in the {v}.", "You find the {s} in the {v}."),
        ("Where is the {s}?", "Where can I find the {s}?", "Where did they put the {s}?"),
        ("What is in the {v}?",),
        "The {s} is in the {v}.",
        _thing,
        _noun,
    ),
    _Relation(
        ("The {s} is {v}.", "The color of the {s} is {v}.", "They painted the {s} {v}."),
        ("What color is the {s}?", "What is the color of the {s}?", "Which color does the {s} have?"),
        ("What is {v}?",),
        "The {s} is {v}.",
        _thing,
        lambda draw: choice(draw, "colors"),
    ),
    _Relation(
        ("The {s} starts at {v}.", "The {s} begins at {v}.", "The start of the {s} is at {v}."),
        ("When does the {s} start?", "What time does the {s} start?", "When does the {s} begin?"),
        ("What starts at {v}?",),
        "The {s} starts at {v}.",
        lambda draw: draw.choice(
            ("meeting", "party", "lesson", "game", "concert", "film", "test", "train", _noun(draw))
        ),
        lambda draw: f"{draw.randrange(24)}:{draw.choice(('00', '15', '30', '45'))}",
    ),
    _Relation(
        ("The {s} is on {v}.", "The {s} takes place on {v}.", "We planned the {s} for {v}."),
        ("When is the {s}?", "On which day is the {s}?", "What day is the {s}?"),
        ("What is on {v}?",),
        "The {s} is on {v}.",
        lambda draw: draw.choice(
            ("meeting", "party", "lesson", "game", "concert", "film", "test", "trip", _noun(draw))
        ),
        day,
    ),
    _Relation(
        ("The {k} of {s} is {v}.", "The {k} of {s}: {v}.", "{s} has the {k} {v}."),
        ("What is the {k} of {s}?", "Which {k} does {s} have?", "Tell me the {k} of {s}."),
        (),
        "The {k} of {s} is {v}.",
        _made,
        any_value,
    ),
    _Relation(
        ("The capital of {s} is {v}.", "{v} is the capital of {s}."),
        ("What is the capital of {s}?", "Which city is the capital of {s}?", "Name the capital of {s}."),
        (),
        "The capital of {s} is {v}.",
        lambda draw: f"{_made(draw).split()[0].capitalize()}{draw.choice(('ia', 'land', 'ora', 'istan'))}",
        place,
    ),
    _Relation(
        ("{s} was founded in {v}.", "The company {s} was founded in {v}.", "{s} began in {v}."),
        ("When was {s} founded?", "In which year was {s} founded?", "What year was {s} founded?"),
        ("What was founded in {v}?",),
        "{s} was founded in {v}.",
        _made,
        lambda draw: str(draw.randint(1800, 2030)),
    ),
    _Relation(
        ("{s} was founded by {v}.", "{v} founded {s}.", "The founder of {s} is {v}."),
        ("Who founded {s}?", "Who is the founder of {s}?", "Tell me who founded {s}."),
        ("What did {v} found?",),
        "{s} was founded by {v}.",
        _made,
        _person,
    ),
    _Relation(
        ("The {k} is {v}.", "The secret {k} is {v}.", "Remember that the {k} is {v}.", "The {k} is: {v}."),
        ("What is the {k}?", "Tell me the {k}.", "Which {k} is told in the text?", "What is the secret {k}?"),
        (),
        "The {k} is {v}.",
        lambda draw: draw.choice(("code", "password", "number", "word", "pin", "token", "key", "magic number")),
        lambda draw: draw.choice((code, any_value))(draw),
    ),
)


def _filled(relation: _Relation, draw: Draw, key: str, subject: str, value: str) -> Fact:
    def fill(form: str) -> str:
        return form.replace("{k}", key).replace("{s}", subject).replace("{v}", value)

    return Fact(
        fill(draw.choice(relation.statements)),
        tuple(map(fill, relation.questions)),
        tuple(map(fill, relation.inverse)),
        fill(relation.answer),
        subject,
        value,
    )


def _one(draw: Draw, relation: _Relation) -> Fact:
    subject = relation.subject(draw).strip(".,;:!?")
    key = subject if any("{k}" in form and "{s}" not in form for form in relation.statements) else _noun(draw)
    return _filled(relation, draw, key, subject, relation.value(draw).strip(".,;:!?"))


def facts_of(draw: Draw, count: int) -> list[Fact]:
    """`count` facts of one relation, with different subjects and values; fewer where they can't differ."""
    relation = draw.choice(_RELATIONS[:-1])
    key = _noun(draw)
    found: list[Fact] = []
    for _ in range(count):
        subject, value = relation.subject(draw).strip(".,;:!?"), relation.value(draw).strip(".,;:!?")
        if all(subject != fact.subject and value != fact.value for fact in found):
            found.append(_filled(relation, draw, key, subject, value))
    return found


def draw_facts(draw: Draw, count: int) -> list[Fact]:
    """`count` facts about different subjects."""
    if draw.random() < 0.5:
        return facts_of(draw, count)
    found: list[Fact] = []
    for _ in range(count):
        fact = _one(draw, draw.choice(_RELATIONS))
        if all(fact.subject != other.subject and fact.value != other.value for other in found):
            found.append(fact)
    return found


_VALUE_FORMS = (
    *("What is {}?", "What is the {}?", "What is the value of {}?", "Give me {}.", "Which value has {}?"),
    *("Look up {}.", "What is the value for {}?", "Tell me the {}.", "Read {}.", "{}?", "Get {}."),
)
_CELL_FORMS = (
    *("What is the {column} of {row}?", "Which {column} does {row} have?", "Give me the {column} of {row}."),
    *("What {column} does {row} have?", "Look up the {column} of {row}.", "Tell me the {column} of {row}."),
)


def _keys(draw: Draw, count: int) -> list[str]:
    kinds = (_noun, _noun, any_value, lambda source: f"{_noun(source)}_{_noun(source)}")
    return list(dict.fromkeys(draw.choice(kinds)(draw).replace(":", "").replace("=", "") for _ in range(count)))


def _pairs(draw: Draw) -> tuple[str, str, str]:
    keys = _keys(draw, draw.randint(2, 7))
    values = [draw.choice((any_value, _number))(draw) for _ in keys]
    index = draw.randrange(len(keys))
    form = draw.random()
    if form < 0.25:
        text = json.dumps(dict(zip(keys, values, strict=True)), ensure_ascii=False, separators=(",", ":"))
    else:
        joint = draw.choice((": ", ": ", "=", " = ", " - ", ":"))
        before = draw.choice(("", "", "- ", "* "))
        text = "\n".join(f"{before}{key}{joint}{value}" for key, value in zip(keys, values, strict=True))
    return text, draw.choice(_VALUE_FORMS).format(keys[index]), values[index]


def _rows(draw: Draw) -> tuple[list[str], list[list[str]]]:
    sources: dict[str, Callable[[Draw], str]] = {
        "age": lambda source: str(source.randint(1, 99)),
        "city": place,
        "price": _number,
        "color": lambda source: choice(source, "colors"),
        "code": code,
        "stock": _number,
        _noun(draw): any_value,
    }
    columns = draw.sample(sorted(sources), draw.choice((1, 2, 2, 3)))
    subjects = list(dict.fromkeys(draw.choice((_person, _noun))(draw) for _ in range(draw.randint(2, 5))))
    rows = [[subject, *(sources[column](draw).replace(",", "") for column in columns)] for subject in subjects]
    return [draw.choice(("name", "id", "item", "product")), *columns], rows


def _grid(draw: Draw, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    kind = draw.random()
    if kind < 0.5:
        joint = draw.choice((",", ",", ", ", ";", "\t"))
        return "\n".join(joint.join(row) for row in (header, *rows))
    lines = [f"| {' | '.join(row)} |" for row in (header, *rows)]
    return "\n".join((lines[0], "|" + "---|" * len(header), *lines[1:]))


def draw_table(draw: Draw) -> tuple[str, str, str]:
    """A list of keys with values or a small table, a question for one value, and that value."""
    if draw.random() < 0.55:
        return _pairs(draw)
    header, rows = _rows(draw)
    row, column = draw.choice(rows), draw.randrange(1, len(header))
    return _grid(draw, header, rows), draw.choice(_CELL_FORMS).format(column=header[column], row=row[0]), row[column]
