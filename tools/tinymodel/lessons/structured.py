"""JSON: extraction from a sentence, and answers whose form a grammar dictates."""

from __future__ import annotations

import json
from random import Random

from tools.tinymodel.conversation import Conversation, Span, Turn
from tools.tinymodel.lessons.phrasing import choice, identifier, phrase, sentence, word

__all__ = ["extraction", "forced_json"]

_PEOPLE = (
    "{name} is {age} years old and lives in {city}.",
    "{name}, {age}, {city}",
    "My name is {name}, I am {age} and I live in {city}.",
    "This is {name} from {city}, age {age}.",
    "{name} lives in {city}. {name} is {age}.",
)
_ORDERS = (
    "Give me JSON with {keys} for: {text}",
    "Extract {keys} as JSON: {text}",
    "{text} Answer as JSON with {keys}.",
    "Return JSON with the keys {keys}. {text}",
    "Write JSON with {keys}: {text}",
)
_FORCED_ORDERS = (
    "{topic} Answer in JSON.",
    "Answer with JSON that matches this schema: {schema}\n\n{topic}",
    "{topic}\n\nSchema: {schema}",
    "{topic}",
    "Give me JSON: {topic}",
    "Return a JSON object with {keys}. {topic}",
    "Call a tool. {topic}",
    "Use the function {name}. {topic}",
)
_DEPTH = 2


def extraction(random: Random) -> Conversation:
    """Name, age and city (or some of them) of a sentence, as compact JSON in the order that was asked for."""
    values = {"name": choice(random, "names"), "age": random.randint(1, 99), "city": word(random).capitalize()}
    keys = random.sample(sorted(values), random.choice((1, 2, 2, 3)))
    text = random.choice(_PEOPLE).format(**values)
    listed = ", ".join(keys[:-1]) + " and " + keys[-1] if len(keys) > 1 else keys[0]
    order = random.choice(_ORDERS).format(keys=listed, text=text)
    return Conversation((Turn.of(order, json.dumps({key: values[key] for key in keys}, separators=(",", ":"))),))


def _value(random: Random, depth: int) -> tuple[list[Span], object]:
    """Spans of a made-up value and its schema; what a grammar would force is marked so."""
    kind = random.choices(
        ("string", "integer", "number", "boolean", "array", "object"), (8, 4, 2, 2, 2, 2 if depth < _DEPTH else 0)
    )[0]
    if kind == "object":
        return _object(random, depth + 1)
    if kind == "array":
        item = random.choice(('"example"', "1"))
        spans = [Span("[", forced=True), Span(item + "]")]
        return spans, {"type": "array", "items": {"type": "string" if item[0] == '"' else "integer"}}
    if kind == "string":
        return [Span('"', forced=True), Span('example"')], {"type": "string"}
    return [Span({"integer": "1", "number": "1.5", "boolean": "true"}[kind])], {"type": kind}


def _key(random: Random) -> str:
    return random.choice((word, word, identifier))(random).replace('"', "").replace("\\", "").replace(" ", "_") or "key"


def _object(random: Random, depth: int) -> tuple[list[Span], object]:
    spans: list[Span] = []
    properties: dict[str, object] = {}
    for index in range(random.randint(1, 4 - depth)):
        key = _key(random)
        value, properties[key] = _value(random, depth)
        spans += [Span(("," if index else "{") + f'"{key}":', forced=True), *value]
    return [*spans, Span("}", forced=True)], {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
    }


def forced_json(random: Random) -> Conversation:
    """An answer under a random schema, sometimes inside a tool call.

    Values are placeholders; keys are read and not learned.
    """
    spans, schema = _object(random, 0)
    name = _key(random)
    order = random.choice(_FORCED_ORDERS).format(
        topic=random.choice((sentence, phrase))(random), schema=json.dumps(schema), keys=phrase(random, 3), name=name
    )
    if random.random() < 0.3:
        opening = Span(f'<tool_call>{{"name":"{name}","arguments":', forced=True)
        spans = [opening, *spans, Span("}</tool_call>", forced=True)]
    return Conversation((Turn(order, tuple(spans)),))
