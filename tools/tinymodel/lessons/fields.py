"""Random JSON Schemas with values for them: what functions take, and what an answer in JSON holds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random

from tools.tinymodel.conversation import Span
from tools.tinymodel.lessons.facts import CAPITALS
from tools.tinymodel.lessons.phrasing import blend, choice, identifier, word

__all__ = ["Field", "compact", "draw_fields", "join", "name_of", "object_schema", "place", "placeholder", "spans"]

Schema = dict[str, object]

_DEPTH = 2
_TEXT_KEYS = (
    "name",
    "city",
    "title",
    "query",
    "location",
    "country",
    "email",
    "message",
    "subject",
    "category",
    "text",
)
_NUMBER_KEYS = ("age", "count", "limit", "amount", "price", "year", "size", "days", "hour", "id", "a", "b", "quantity")
_FLAG_KEYS = ("active", "enabled", "urgent", "done", "public", "verified", "available", "is_open", "has_image")
_LIST_KEYS = ("tags", "items", "names", "colors", "cities", "words", "ingredients", "numbers")
_ENUMS = (
    ("celsius", "fahrenheit"),
    ("low", "medium", "high"),
    ("positive", "negative", "neutral"),
    ("red", "green", "blue"),
    ("small", "large"),
    ("open", "closed"),
)
_TOLD = (
    "{label} {value}",
    "{label} {value}",
    "{label}: {value}",
    "{label} is {value}",
    "{key}={value}",
    "{key} {value}",
)


@dataclass(frozen=True)
class Field:
    """A member of an object: its schema, its value, and the words that tell the value ("" where nothing does)."""

    key: str
    schema: Schema
    value: object
    told: str
    required: bool = True

    @property
    def is_written(self) -> bool:
        """Whether an answer holds the member: what is optional and was not told is left out."""
        return self.required or bool(self.told)


def compact(value: object) -> str:
    """JSON as localaik writes it in prompts and calls."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def place(random: Random) -> str:
    """A city, real or made up."""
    draw = random.random()
    if draw < 0.5:
        return random.choice(sorted(CAPITALS.values()))
    return blend(random).capitalize() if draw < 0.75 else word(random).capitalize()


def name_of(random: Random, parts: Sequence[str]) -> str:
    """An identifier of words, in snake case or camel case."""
    first, *rest = (part.lower() for part in parts)
    if random.random() < 0.3:
        return first + "".join(part.capitalize() for part in rest)
    return "_".join((first, *rest))


def _label(key: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", key).lower()


def _key(random: Random, known: tuple[str, ...]) -> str:
    draw = random.random()
    if draw < 0.4:
        return random.choice(known)
    words = [choice(random, "nouns") for _ in range(1 if draw < 0.75 else 2)]
    return blend(random).lower() if draw > 0.92 else name_of(random, words)


def _text(random: Random) -> str:
    kinds: tuple[Callable[[Random], str], ...] = (
        place,
        place,
        word,
        word,
        blend,
        identifier,
        lambda source: choice(source, "names"),
        lambda source: f"{word(source)} {word(source)}",
    )
    return random.choice(kinds)(random).replace("\\", "").replace('"', "").strip("',.;:!? ") or "text"


def _number(random: Random) -> int:
    value = random.randrange(10 ** random.choice((1, 1, 2, 2, 3, 4)))
    return -value if random.random() < 0.05 else value


def _text_schema(random: Random) -> tuple[str, Schema, object, str]:
    value = _text(random)
    shown = random.choice(('"{}"', "'{}'")).format(value) if random.random() < 0.15 and "'" not in value else value
    return _key(random, _TEXT_KEYS), {"type": "string"}, value, shown


def _enum_schema(random: Random) -> tuple[str, Schema, object, str]:
    if random.random() < 0.5:
        values = list(random.choice(_ENUMS))
    else:
        values = [word(random) for _ in range(random.randint(2, 4))]
    value = random.choice(values)
    return _key(random, ("unit", "level", "color", "status", "kind")), {"type": "string", "enum": values}, value, value


def _integer_schema(random: Random) -> tuple[str, Schema, object, str]:
    value = _number(random)
    return _key(random, _NUMBER_KEYS), {"type": "integer"}, value, str(value)


def _number_schema(random: Random) -> tuple[str, Schema, object, str]:
    value = _number(random) if random.random() < 0.4 else _number(random) + random.randrange(1, 100) / 100
    return _key(random, _NUMBER_KEYS), {"type": "number"}, value, compact(value)


def _flag_schema(random: Random) -> tuple[str, Schema, object, str]:
    value = random.random() < 0.5
    shown = random.choice((("false", "true"), ("false", "true"), ("no", "yes"), ("off", "on")))[value]
    return _key(random, _FLAG_KEYS), {"type": "boolean"}, value, shown


def _list_schema(random: Random) -> tuple[str, Schema, object, str]:
    count, item = random.choice((1, 2, 2, 3)), random.choice(("string", "string", "integer"))
    values: list[object] = [word(random) if item == "string" else _number(random) for _ in range(count)]
    return _key(random, _LIST_KEYS), {"type": "array", "items": {"type": item}}, values, join(map(str, values))


def _object_schema(random: Random, depth: int) -> tuple[str, Schema, object, str]:
    fields = draw_fields(random, random.choice((1, 2, 2, 3)), depth + 1, optional=0)
    value = {field.key: field.value for field in fields}
    told = join(field.told for field in fields)
    return _key(random, ("address", "user", "options")), object_schema(random, fields), value, told


def join(texts: Iterable[str]) -> str:
    """Texts as a list in a sentence: `a, b and c`."""
    *first, last = texts
    return f"{', '.join(first)} and {last}" if first else str(last)


def _field(random: Random, depth: int, optional: float) -> Field:
    kinds = (_text_schema, _integer_schema, _enum_schema, _number_schema, _flag_schema, _list_schema)
    if depth < _DEPTH and random.random() < 0.06:
        key, schema, value, shown = _object_schema(random, depth)
        told = shown
    else:
        key, schema, value, shown = random.choices(kinds, (10, 4, 3, 2, 2, 2))[0](random)
        told = random.choice(_TOLD).format(label=_label(key), key=key, value=shown)
    required = random.random() >= optional
    if not required and random.random() < 0.5:
        told = ""
    if random.random() < 0.3:
        schema = {**schema, "description": f"The {_label(key)}"}
    if random.random() < 0.08:
        schema = {**schema, "title": _label(key).capitalize()}
    return Field(key, schema, value, told, required)


def draw_fields(random: Random, count: int, depth: int = 0, optional: float = 0.25) -> list[Field]:
    """`count` members (or fewer, since keys differ) with the share `optional` of optional ones."""
    fields = {field.key: field for field in (_field(random, depth, optional) for _ in range(count))}
    return list(fields.values())


def object_schema(random: Random, fields: Sequence[Field]) -> Schema:
    """The schema of an object with these members."""
    schema: Schema = {"type": "object", "properties": {field.key: field.schema for field in fields}}
    required = [field.key for field in fields if field.required]
    if required:
        schema["required"] = required
    if random.random() < 0.3:
        schema["additionalProperties"] = False
    return schema


def placeholder(schema: Schema) -> object:
    """The value where a text tells none."""
    if "enum" in schema:
        values = schema["enum"]
        assert isinstance(values, list)
        return values[0]
    kind = schema.get("type")
    if kind == "object":
        properties = schema["properties"]
        assert isinstance(properties, dict)
        return {key: placeholder(member) for key, member in properties.items()}
    if kind == "array":
        items = schema["items"]
        assert isinstance(items, dict)
        return [placeholder(items)]
    known: dict[object, object] = {"string": "example", "integer": 1, "number": 1.5, "boolean": True}
    return known.get(kind)


def spans(value: object) -> list[Span]:
    """JSON of a value, with the keys and the marks that a grammar dictates marked as forced.

    What ends a value (a quote, the mark after a number or list item) is the model's own choice and is taught.
    """
    if isinstance(value, dict):
        parts = [Span("{", forced=True)]
        for index, (key, member) in enumerate(value.items()):
            comma = [Span(",")] if index else []
            parts += [*comma, Span(f"{compact(key)}:", forced=True), *spans(member)]
        return [*parts, Span("}")]
    if isinstance(value, list):
        parts = [Span("[", forced=True)]
        for index, item in enumerate(value):
            parts += [*([Span(",")] if index else []), *spans(item)]
        return [*parts, Span("]")]
    if isinstance(value, str):
        return [Span('"', forced=True), Span(compact(value)[1:])]
    return [Span(compact(value))]
