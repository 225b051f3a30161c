"""Random JSON Schemas with values for them: what functions take, and what an answer in JSON holds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from tools.tinymodel.draw import Draw, is_kept
from tools.tinymodel.lessons.phrasing import choice
from tools.tinymodel.lessons.values import any_value, text_value
from tools.tinymodel.vocabulary import load_words

__all__ = [
    "Field",
    "Schema",
    "compact",
    "draw_fields",
    "join",
    "label_of",
    "name_of",
    "name_word",
    "object_schema",
    "placeholder",
    "retold",
    "tell",
]

Schema = dict[str, object]
_Drawn = Callable[[Draw], tuple[object, str]]

_DEPTH = 2
_TEXT_KEYS = (
    *("city", "location", "place", "country", "destination", "origin", "town", "region", "street"),
    *("name", "user", "username", "recipient", "author", "owner", "customer", "person", "first_name", "lastName"),
    *("email", "to", "sender", "address", "contact", "user_email"),
    *("date", "day", "start_date", "end_date", "deadline", "time", "start_time", "checkIn"),
    *("id", "order_id", "userId", "code", "token", "ticket_id", "key", "symbol", "reference", "sku"),
    *("title", "subject", "message", "text", "query", "topic", "content", "body", "note", "comment", "keyword"),
    *("category", "genre", "artist", "song", "language", "currency", "url", "path", "file", "filename", "folder"),
)
_NUMBER_KEYS = (
    *("age", "count", "limit", "amount", "price", "year", "size", "days", "hour", "minutes", "quantity", "a", "b"),
    *("x", "y", "width", "height", "weight", "number", "page", "max_results", "guests", "seats", "level", "radius"),
    *("temperature", "duration", "percent", "score", "total", "zip", "pageSize", "user_id", "rating", "port", "speed"),
)
_FLAG_KEYS = (
    *("active", "enabled", "urgent", "done", "public", "verified", "available", "is_open", "has_image", "on"),
    *("private", "notify", "recursive", "force", "dry_run", "includeDetails", "visible", "paid", "breakfast"),
)
_LIST_KEYS = ("tags", "items", "names", "colors", "cities", "words", "ingredients", "numbers", "ids", "guests")
_OBJECT_KEYS = ("address", "user", "options", "customer", "filter", "settings", "person", "position", "item")
_ENUM_KEYS = (
    "unit",
    "units",
    "level",
    "color",
    "status",
    "kind",
    "priority",
    "mode",
    "size",
    "format",
    "state",
    "type",
)
_ENUMS = (
    ("celsius", "fahrenheit"),
    ("low", "medium", "high"),
    ("positive", "negative", "neutral"),
    ("red", "green", "blue"),
    ("small", "medium", "large"),
    ("open", "closed"),
    ("asc", "desc"),
    ("json", "csv", "xml"),
    ("metric", "imperial"),
    ("EUR", "USD", "GBP"),
)
_STYLES = (
    *("{label} {value}",) * 4,
    *("{label}: {value}",) * 2,
    *("{label} is {value}",) * 2,
    "{label} = {value}",
    *("{key}={value}",) * 2,
    "{key}: {value}",
    "{key} {value}",
    "{value} as {label}",
    "{value} as the {label}",
    "the {label} {value}",
    "{label} set to {value}",
)


@dataclass(frozen=True)
class Field:
    """A member of an object: its schema, its value, and the words that tell the value ("" where nothing does)."""

    key: str
    schema: Schema
    value: object
    told: str
    required: bool
    shown: str
    """The value alone, as a sentence has it."""
    drawn: _Drawn
    """Draws another value of the field, with how a sentence shows it."""

    @property
    def is_written(self) -> bool:
        """Whether an answer holds the member: what is optional and was not told is left out."""
        return self.required or bool(self.told)


def compact(value: object) -> str:
    """JSON as localaik writes it in prompts and calls."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def join(texts: Iterable[str]) -> str:
    """Texts as a list in a sentence: `a, b and c`."""
    *first, last = texts
    return f"{', '.join(first)} and {last}" if first else str(last)


@cache
def _allowed(words: tuple[str, ...], exam: bool) -> tuple[str, ...]:
    return tuple(word for word in words if all(is_kept(part) == exam for part in label_of(word).split()))


def name_word(draw: Draw, section: str) -> str:
    """A word of a section of the word list for the name of a function or key: training and exams share none."""
    words = _allowed(tuple(word.lower() for word in load_words()[section]), draw.exam)
    return words[int(draw.random() * len(words))]


def name_of(draw: Draw, parts: Sequence[str]) -> str:
    """An identifier of words: snake case or camel case, seldom with hyphens or dots."""
    first, *rest = (part.lower() for part in parts)
    kind = draw.random()
    if kind < 0.28:
        return first + "".join(part.capitalize() for part in rest)
    if kind < 0.36:
        return ("-" if kind < 0.34 or draw.exam else ".").join((first, *rest))
    return "_".join((first, *rest))


def label_of(key: str) -> str:
    """The words of a key."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[_.-]", " ", key).lower()


def _key(draw: Draw, known: tuple[str, ...]) -> str:
    kind = draw.random()
    if kind < 0.5 and (allowed := _allowed(known, draw.exam)):
        return draw.choice(allowed)
    words = [name_word(draw, "nouns") for _ in range(1 if kind < 0.8 else 2)]
    if kind > 0.95:
        words = [name_word(draw, "adjectives"), words[0]]
    joined = draw.random() < 0.3
    return words[0] + "".join(word.capitalize() for word in words[1:]) if joined else "_".join(words)


def _number(draw: Draw) -> int:
    value = draw.randrange(10 ** draw.choice((1, 1, 2, 2, 3, 4)))
    return -value if draw.random() < 0.05 else value


def _text_kind(draw: Draw) -> tuple[str, Schema, _Drawn]:
    key = _key(draw, _TEXT_KEYS)

    def drawn(source: Draw) -> tuple[object, str]:
        value = text_value(source, label_of(key).split()[-1])
        quote = source.choice(('"{}"', '"{}"', "'{}'", "“{}”")) if source.random() < 0.15 and '"' not in value else "{}"
        return value, quote.format(value)

    return key, {"type": "string"}, drawn


def _enum_kind(draw: Draw) -> tuple[str, Schema, _Drawn]:
    if draw.random() < 0.5:
        values = list(draw.choice(_ENUMS))
    else:
        values = list({choice(draw, draw.choice(("nouns", "adjectives", "verbs", "colors"))): 0 for _ in range(3)})
    return (
        _key(draw, _ENUM_KEYS),
        {"type": "string", "enum": values},
        lambda source: (one := source.choice(values), one),
    )


def _integer_kind(draw: Draw) -> tuple[str, Schema, _Drawn]:
    return (
        _key(draw, _NUMBER_KEYS),
        {"type": "integer"},
        lambda source: (value := _number(source), str(value)),
    )


def _number_kind(draw: Draw) -> tuple[str, Schema, _Drawn]:
    def drawn(source: Draw) -> tuple[object, str]:
        value: float = _number(source)
        if source.random() < 0.6:
            value = round(value + source.randrange(1, 100) / 100, 2)
        return value, compact(value)

    return _key(draw, _NUMBER_KEYS), {"type": "number"}, drawn


def _flag_kind(draw: Draw) -> tuple[str, Schema, _Drawn]:
    def drawn(source: Draw) -> tuple[object, str]:
        value = source.random() < 0.5
        words = (("false", "true"), ("false", "true"), ("no", "yes"), ("off", "on"), ("disabled", "enabled"))
        return value, source.choice(words)[value]

    return _key(draw, _FLAG_KEYS), {"type": "boolean"}, drawn


def _list_kind(draw: Draw) -> tuple[str, Schema, _Drawn]:
    item = draw.choice(("string", "string", "integer"))

    def drawn(source: Draw) -> tuple[object, str]:
        count = source.choice((1, 2, 2, 3))
        values = [any_value(source).split(",")[0] if item == "string" else _number(source) for _ in range(count)]
        texts = [str(value) for value in values]
        return values, ", ".join(texts) if source.random() < 0.3 else join(texts)

    return _key(draw, _LIST_KEYS), {"type": "array", "items": {"type": item}}, drawn


def _object_kind(draw: Draw, depth: int) -> tuple[str, Schema, _Drawn]:
    fields = draw_fields(draw, draw.choice((1, 2, 2, 3)), depth + 1, optional=0)

    def drawn(source: Draw) -> tuple[object, str]:
        style = source.choice(_STYLES)
        members = [retold(source, field, style) for field in fields]
        return {field.key: field.value for field in members}, "with " + join(field.told for field in members)

    return _key(draw, _OBJECT_KEYS), object_schema(draw, fields), drawn


def tell(draw: Draw, field: Field, style: str = "") -> str:
    """Words that tell the value of a field with its key; `style` is a form with `{label}`, `{key}` and `{value}`."""
    label = label_of(field.key)
    if field.schema.get("type") == "object":
        return f"{label} {field.shown}"
    if isinstance(field.value, bool) and draw.random() < 0.2:
        return f"{'with' if field.value else 'without'} {label}"
    form = style or draw.choice(_STYLES)
    return form.replace("{label}", label).replace("{key}", field.key).replace("{value}", field.shown)


def retold(draw: Draw, field: Field, style: str = "") -> Field:
    """The same field with another value, told."""
    value, shown = field.drawn(draw)
    again = replace(field, value=value, shown=shown)
    return replace(again, told=tell(draw, again, style))


def _field(draw: Draw, depth: int, optional: float) -> Field:
    kinds = (_text_kind, _integer_kind, _enum_kind, _number_kind, _flag_kind, _list_kind)
    if depth < _DEPTH and draw.random() < 0.03:
        key, schema, drawn = _object_kind(draw, depth)
    else:
        key, schema, drawn = draw.choices(kinds, (10, 4, 2, 2, 2, 2))[0](draw)
    label = label_of(key)
    if draw.random() < 0.18:
        text = draw.choice(("The {0}", "The {0}", "{1}", "{1}.", "The {0} to use", "Which {0}"))
        schema = {**schema, "description": text.format(label, label.capitalize())}
    if draw.random() < 0.04:
        schema = {**schema, "title": label.title()}
    required = draw.random() >= optional
    field = retold(draw, Field(key, schema, None, "", required, "", drawn))
    return field if required or draw.random() < 0.5 else replace(field, told="")


def draw_fields(draw: Draw, count: int, depth: int = 0, optional: float = 0.25) -> list[Field]:
    """`count` members (or fewer, since keys differ) with the share `optional` of optional ones."""
    fields = {field.key: field for field in (_field(draw, depth, optional) for _ in range(count))}
    return list(fields.values())


def object_schema(draw: Draw, fields: Sequence[Field]) -> Schema:
    """The schema of an object with these members."""
    schema: Schema = {"type": "object", "properties": {field.key: field.schema for field in fields}}
    required = [field.key for field in fields if field.required]
    if required:
        schema["required"] = required
    if draw.random() < 0.18:
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
