"""Functions that many programs have, with the ways in which people ask for them."""

from __future__ import annotations

from collections.abc import Callable

from localaik.generation.request import FunctionTool
from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.fields import Schema, join, name_of
from tools.tinymodel.lessons.functions import Drawn, Function, Request
from tools.tinymodel.lessons.known_table import KNOWN
from tools.tinymodel.lessons.phrasing import choice
from tools.tinymodel.lessons.values import any_value, code, email, name, place, text_value, words

__all__ = ["known"]

_UNITS = ("celsius", "fahrenheit")
_CURRENCIES = ("EUR", "USD", "GBP", "JPY", "CHF")
_SIGNS = ("Aquarius", "Aries", "Leo", "Libra", "Virgo", "Taurus", "Gemini", "Cancer", "Pisces", "Capricorn")
_PLACE_NOTES = (
    *("The city and state, e.g. San Francisco, CA", "City and country e.g. Bogotá, Colombia", "Name of the city"),
    *("The city name, e.g. San Francisco", "The city to look up", "The name of the city, e.g. Paris", "A city"),
)
_LANGUAGES = ("French", "German", "Spanish", "Italian", "English", "Japanese")


def _drawn(kind: str) -> Drawn:
    texts: dict[str, Callable[[Draw], str]] = {
        "place": place,
        "text": lambda source: words(source, 5),
        "name": name,
        "email": lambda source: email(source) if source.random() < 0.7 else name(source),
        "code": code,
        "unit": lambda source: source.choice(_UNITS),
        "currency": lambda source: source.choice(_CURRENCIES),
        "language": lambda source: source.choice(_LANGUAGES),
        "sign": lambda source: source.choice(_SIGNS),
        "script": lambda source: f"print({source.choice((str(source.randrange(100)), choice(source, 'nouns')))})",
        "expression": _expression,
        "date": lambda source: text_value(source, "date"),
        "time": lambda source: text_value(source, "time"),
        "path": lambda source: text_value(source, "path"),
    }
    if kind == "integer":
        return lambda source: (number := source.randrange(10 ** source.randint(1, 4)), str(number))
    if kind == "flag":
        return lambda source: (on := source.random() < 0.5, "on" if on else "off")
    if kind == "names":
        return lambda source: (people := [name(source) for _ in range(source.choice((1, 2, 2, 3)))], join(people))
    drawn = texts.get(kind, any_value)
    return lambda source: (value := drawn(source), value)


def _expression(draw: Draw) -> str:
    numbers = [str(draw.randrange(10 ** draw.randint(1, 3))) for _ in range(draw.choice((2, 2, 3)))]
    space = draw.choice((" ", ""))
    text = numbers[0]
    for number in numbers[1:]:
        text += f"{space}{draw.choice('+-*/')}{space}{number}"
    return text


def _schema(draw: Draw, kind: str) -> Schema:
    if kind == "integer":
        return {"type": draw.choice(("integer", "integer", "number"))}
    if kind == "flag":
        return {"type": "boolean"}
    if kind == "names":
        return {"type": "array", "items": {"type": "string"}}
    if kind == "place" and draw.random() < 0.35:
        return {"type": "string", "description": draw.choice(_PLACE_NOTES)}
    values = {"unit": _UNITS, "currency": _CURRENCIES}.get(kind)
    if values and (kind == "unit" or draw.random() < 0.6):
        return {"type": "string", "enum": list(values)}
    return {"type": "string"}


def known(draw: Draw) -> Function:
    """One of the functions that many programs have."""
    entry = draw.choice(KNOWN[:2] * 4 + KNOWN)
    renamed = (
        {"city": draw.choice(("city", "city", "location", "location", "place"))} if "city" in entry.parameters else {}
    )
    keys = {key: renamed.get(key, key) for key in entry.parameters}
    kinds = {key: kind.rstrip("?") for key, kind in entry.parameters.items()}
    schemas = {keys[key]: _schema(draw, kind) for key, kind in kinds.items()}
    if draw.random() < 0.3:
        schemas = {key: {"description": f"The {key.replace('_', ' ')}", **schema} for key, schema in schemas.items()}
    schema: Schema = {"type": "object", "properties": schemas}
    if required := [keys[key] for key, kind in entry.parameters.items() if not kind.endswith("?")]:
        schema["required"] = required
    if draw.random() < 0.25:
        schema["additionalProperties"] = False
    name = name_of(draw, entry.parts.split())
    drawn = {key: _drawn(kind) for key, kind in kinds.items()}

    def ask(source: Draw, alone: bool) -> Request:
        text = source.choice(entry.texts)
        if source.random() < 0.1:
            told = join(f"{key} {{{key}}}" for key in keys) if keys else ""
            order = source.choice(("Call {}", "Use {}", "Use the {} function", "Run {}")).format(name)
            text = f"{order} with {told}." if told else f"{order}."
        values = {key: draw_one(source) for key, draw_one in drawn.items() if f"{{{key}}}" in text}
        arguments = {keys[key]: values[key][0] for key in keys if key in values}
        for key, (_, shown) in values.items():
            text = text.replace(f"{{{key}}}", shown)
        if source.random() < 0.15:
            text = text[:1].lower() + text[1:]
        (first, *more) = [*values, ""]
        only = (keys[first], values[first][1]) if len(more) == 1 and isinstance(values[first][0], str) else None
        return Request(text, arguments, only)

    told = draw.choice((entry.description, entry.description, entry.description.rstrip(".") + ".", ""))
    nouns = tuple(entry.nouns.split())
    return Function(FunctionTool(name, told, schema), "", nouns, ask, {keys[key]: one for key, one in drawn.items()})
