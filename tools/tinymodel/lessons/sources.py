"""Sentences that hold data, and the members that JSON about them has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.phrasing import choice
from tools.tinymodel.lessons.values import any_value, code, email, place
from tools.tinymodel.vocabulary import load_words

__all__ = ["Record", "day", "draw_record", "draw_records", "judged"]

_Source = Callable[[Draw], object]


@dataclass(frozen=True)
class Record:
    """A sentence, the values that it tells, and the JSON Schema type of each."""

    text: str
    values: dict[str, object]
    types: dict[str, str]


def _thing(draw: Draw) -> str:
    return choice(draw, draw.choice(("nouns", "nouns", "fruits", "foods", "animals")))


def _title(draw: Draw) -> str:
    text = any_value(draw)
    return text if not text.isdigit() else f"{choice(draw, 'nouns')} {text}"


def _order(draw: Draw) -> str:
    return f"{draw.choice('ABCDEFGHKLMNPRSTUVWXYZ')}{draw.choice(('', '-'))}{code(draw)}"


def _full_name(draw: Draw) -> str:
    first = choice(draw, "names")
    return f"{first} {any_value(draw).split()[0].capitalize()}" if draw.random() < 0.25 else first


def _age(draw: Draw) -> int:
    return draw.randint(1, 99)


def _price(draw: Draw) -> int | float:
    value = draw.randrange(1, 10 ** draw.choice((1, 2, 3)))
    return (
        round(value + draw.choice((0.5, 0.99, 0.25, draw.randrange(1, 100) / 100)), 2) if draw.random() < 0.6 else value
    )


def _count(draw: Draw) -> int:
    return draw.randrange(1, 10 ** draw.choice((1, 1, 2, 3)))


def day(draw: Draw) -> str:
    """A day of the week, a day of a month, or a date."""
    names = load_words()["days"]
    chance = draw.random()
    if chance < 0.5:
        return draw.choice(names[:7])
    if chance < 0.75:
        return f"{draw.choice(names[7:])} {draw.randint(1, 28)}"
    return f"{draw.randint(1990, 2035)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"


def _event(draw: Draw) -> str:
    kinds = ("party", "meeting", "concert", "dinner", "fair", "game", "lesson", "trip", "test", "festival")
    return f"{_thing(draw)} {draw.choice(kinds)}" if draw.random() < 0.6 else draw.choice(kinds)


_KINDS: tuple[tuple[dict[str, _Source], tuple[str, ...]], ...] = (
    (
        {"name": _full_name, "age": _age, "city": place},
        (
            "{name} is {age} years old and lives in {city}.",
            "{name}, {age}, {city}",
            "{name}, {age}, lives in {city}.",
            "My name is {name}, I am {age} and I live in {city}.",
            "This is {name} from {city}, age {age}.",
            "{name} lives in {city}. {name} is {age}.",
            "{name} ({age}) from {city}",
            "In {city} lives {name}, who is {age} years old.",
            "Name: {name}\nAge: {age}\nCity: {city}",
            "Hi, I'm {name}! I'm {age} and from {city}.",
        ),
    ),
    (
        {"name": _full_name, "age": _age},
        (
            "{name} is {age} years old.",
            "{name} is {age}.",
            "My name is {name} and I am {age} years old.",
            "I am {name}, {age} years old.",
            "{name} ({age})",
            "{name}, age {age}",
            "The {age} year old {name} is here.",
            "{name} turned {age} today.",
        ),
    ),
    (
        {"product": _thing, "price": _price},
        (
            "The {product} costs {price} dollars.",
            "{product}: {price}",
            "I bought a {product} for {price} euros.",
            "The price of the {product} is {price}.",
            "You get the {product} for ${price}.",
            "One {product} is {price} dollars.",
            "{product} - {price} USD",
        ),
    ),
    (
        {"event": _event, "date": day, "place": place},
        (
            "The {event} is on {date} in {place}.",
            "On {date} there is a {event} in {place}.",
            "{event}, {date}, {place}",
            "We meet for the {event} in {place} on {date}.",
            "Join the {event} in {place} on {date}!",
            "{place} hosts the {event} on {date}.",
        ),
    ),
    (
        {"name": _full_name, "email": email},
        (
            "{name} has the email {email}.",
            "Write to {name} at {email}.",
            "{name} <{email}>",
            "My name is {name} and my email is {email}.",
            "Contact: {name}, {email}",
            "The email of {name} is {email}.",
        ),
    ),
    (
        {"quantity": _count, "item": _thing, "customer": _full_name},
        (
            "{customer} orders {quantity} {item}.",
            "{customer} bought {quantity} {item}.",
            "Order of {customer}: {quantity} {item}",
            "{quantity} {item} for {customer}, please.",
            "{quantity} x {item} to {customer}",
            "Please send {quantity} {item} to {customer}.",
        ),
    ),
    (
        {"title": _title, "author": _full_name, "year": lambda draw: draw.randint(1800, 2030)},
        (
            "{title} was written by {author} in {year}.",
            "{author} wrote {title} in {year}.",
            "{title} by {author} ({year})",
            "In {year} {author} published {title}.",
            "The book {title} of {author} is from {year}.",
        ),
    ),
    (
        {"order_id": _order, "status": lambda draw: draw.choice(("open", "closed", "paid", "sent", "new", "lost"))},
        (
            "Order {order_id} is {status}.",
            "The order {order_id} has the status {status}.",
            "{order_id}: {status}",
            "Status of {order_id}: {status}",
            "The status of order {order_id} is {status}.",
        ),
    ),
    (
        {"city": place, "temperature": lambda draw: draw.randint(-20, 45), "unit": lambda draw: draw.choice("CF")},
        (
            "It is {temperature} {unit} in {city}.",
            "{city}: {temperature} {unit}",
            "The temperature in {city} is {temperature} {unit}.",
            "In {city} we have {temperature} {unit}.",
        ),
    ),
    (
        {"company": _title, "job": _thing, "salary": _count},
        (
            "{company} looks for a {job} and pays {salary}.",
            "Job: {job} at {company}, salary {salary}",
            "I work as a {job} at {company} for {salary} a month.",
            "{company} pays a {job} {salary} dollars.",
        ),
    ),
    (
        {"color": lambda draw: choice(draw, "colors"), "animal": lambda draw: choice(draw, "animals"), "count": _count},
        (
            "I see {count} {color} {animal}.",
            "There are {count} {color} {animal} here.",
            "{count} {color} {animal}",
            "The farm has {count} {animal} in {color}.",
        ),
    ),
)


def _record(draw: Draw, kind: int) -> Record:
    sources, texts = _KINDS[kind]
    values = {key: source(draw) for key, source in sources.items()}
    text = draw.choice(texts)
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", str(value))
    types = {
        key: "string" if isinstance(value, str) else "number" if key == "price" else "integer"
        for key, value in values.items()
    }
    return Record(text, values, types)


def draw_record(draw: Draw) -> Record:
    """One sentence with its data."""
    return _record(draw, draw.choice((0, 0, 1, *range(len(_KINDS)))))


def draw_records(draw: Draw, count: int) -> list[Record]:
    """`count` sentences of one kind."""
    kind = draw.randrange(len(_KINDS))
    return [_record(draw, kind) for _ in range(count)]


_JUDGED: dict[str, tuple[str, ...]] = {
    "positive": (
        *("I love this {0}!", "This {0} is great.", "What a beautiful {0}!", "The {0} is wonderful.", "Best {0} ever!"),
        *("I am very happy with the {0}.", "The {0} works perfectly.", "I like the {0} a lot.", "Excellent {0}."),
    ),
    "negative": (
        *("I hate this {0}!", "This {0} is terrible.", "What an ugly {0}!", "The {0} is awful.", "Worst {0} ever!"),
        *("I am very angry about the {0}.", "The {0} is broken.", "I don't like the {0}.", "Bad {0}."),
    ),
    "neutral": (
        *("The {0} is on the table.", "I have a {0}.", "There is a {0} here.", "The {0} comes on Monday.", "A {0}."),
        *("This is the {0}.", "The {0} is in the box.", "We talked about the {0}.", "The {0} has two parts."),
    ),
}


def judged(draw: Draw) -> tuple[str, str]:
    """A sentence, and its sentiment."""
    sentiment = draw.choice(sorted(_JUDGED))
    return draw.choice(_JUDGED[sentiment]).format(choice(draw, "nouns")), sentiment
