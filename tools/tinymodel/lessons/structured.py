"""JSON: extraction from a sentence, and answers whose form a grammar dictates."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random

from localaik.generation.request import AnyJson, EnumText, JsonMatching
from localaik.generation.tools.prompt import describe_output
from tools.tinymodel.conversation import Conversation, Span, Turn
from tools.tinymodel.lessons.facts import fact
from tools.tinymodel.lessons.fields import Field, compact, draw_fields, join, object_schema, placeholder, spans
from tools.tinymodel.lessons.phrasing import choice, identifier, phrase, sentence, word
from tools.tinymodel.lessons.talk import greeting, unanswerable

__all__ = ["any_json", "enum_text", "extraction", "filled_schema", "forced_json", "unfilled_schema"]

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
_ENDLESS = ("integer", "number")
"""Types whose end no grammar forces: what follows such a value is learned."""


def extraction(random: Random) -> Conversation:
    """Name, age and city (or some of them) of a sentence, as compact JSON in the order that was asked for."""
    values = {"name": choice(random, "names"), "age": random.randint(1, 99), "city": word(random).capitalize()}
    keys = random.sample(sorted(values), random.choice((1, 2, 2, 3)))
    text = random.choice(_PEOPLE).format(**values)
    listed = ", ".join(keys[:-1]) + " and " + keys[-1] if len(keys) > 1 else keys[0]
    order = random.choice(_ORDERS).format(keys=listed, text=text)
    return Conversation((Turn.of(order, json.dumps({key: values[key] for key in keys}, separators=(",", ":"))),))


def _value(random: Random, depth: int) -> tuple[list[Span], dict[str, object]]:
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


def _object(random: Random, depth: int) -> tuple[list[Span], dict[str, object]]:
    spans: list[Span] = []
    properties: dict[str, object] = {}
    opening = Span("{", forced=True)
    for _ in range(random.randint(1, 4 - depth)):
        key = _key(random)
        value, schema = _value(random, depth)
        properties[key] = schema
        spans += [opening, Span(f'"{key}":', forced=True), *value]
        opening = Span(",", forced=schema["type"] not in _ENDLESS)
    return [*spans, replace(opening, text="}")], {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
    }


def _question(random: Random) -> str:
    return random.choice((greeting, unanswerable, fact))(random).turns[0].user


def forced_json(random: Random) -> Conversation:
    """An answer under a random schema, sometimes inside a tool call.

    Values are placeholders; keys are read and not learned.
    """
    spans, schema = _object(random, 0)
    name = _key(random)
    order = random.choice(_FORCED_ORDERS).format(
        topic=random.choice((sentence, phrase, _question))(random),
        schema=json.dumps(schema),
        keys=phrase(random, 3),
        name=name,
    )
    if random.random() < 0.3:
        opening = Span(f'<tool_call>{{"name":"{name}","arguments":', forced=True)
        spans = [opening, *spans, Span("}</tool_call>", forced=True)]
    return Conversation((Turn(order, tuple(spans)),))


_HEADS = (
    "",
    "",
    "",
    "Extract the data: ",
    "Extract: ",
    "Fill in the form. ",
    "Here is the text: ",
    "Data: ",
    "Give me JSON for: ",
)
_QUESTIONS = (
    "List {} {}.",
    "Give me {} {}.",
    "Tell me about {} {}.",
    "Create {} {}.",
    "Generate {} {}.",
    "Describe {} {}.",
)


def _schema_system(random: Random, schema: dict[str, object]) -> str:
    told = describe_output(JsonMatching(schema, "schema"), lambda text: text)
    return f"You are a helpful assistant.\n\n{told}" if random.random() < 0.25 else told


def _answer(random: Random, value: object) -> tuple[Span, ...]:
    return tuple(spans(value)) if random.random() < 0.5 else (Span(compact(value)),)


def _person(random: Random) -> tuple[list[Field], str]:
    """Members about a person, and a natural sentence that tells them."""
    values: dict[str, object] = {
        "name": choice(random, "names"),
        "age": random.randint(1, 99),
        "city": word(random).capitalize(),
    }
    keys = random.sample(sorted(values), random.choice((1, 2, 3, 3)))
    fields = [
        Field(key, {"type": "integer" if key == "age" else "string"}, values[key], str(values[key])) for key in keys
    ]
    return fields, random.choice(_PEOPLE).format(**values)


def _told(random: Random, fields: list[Field]) -> str:
    told = [field.told for field in fields if field.told]
    random.shuffle(told)
    text = random.choice((", ", ", ", "; ", "\n", " and ")).join(told) if told else "nothing"
    draw = random.random()
    if draw < 0.15:
        return f"{sentence(random)} {text}"
    return f"{text}. {sentence(random)}" if draw < 0.25 else text


def filled_schema(random: Random) -> Conversation:
    """An answer under a random schema with the values that the text tells, and null for those that it does not."""
    if random.random() < 0.25:
        fields, text = _person(random)
    else:
        fields = draw_fields(random, random.choice((1, 2, 2, 3, 3, 4)), optional=0.15)
        text = _told(random, fields)
    members, value = [], {}
    for field in fields:
        schema, found = field.schema, field.value
        if not field.told:
            schema, found = {"anyOf": [schema, {"type": "null"}]}, None
            if random.random() < 0.5 and isinstance(field.schema.get("type"), str) and "enum" not in field.schema:
                schema = {**field.schema, "type": [field.schema["type"], "null"]}
        members.append(replace(field, schema=schema, required=True))
        value[field.key] = found
    turn = Turn(random.choice(_HEADS) + text, _answer(random, value))
    return Conversation((turn,), system=_schema_system(random, object_schema(random, members)))


def unfilled_schema(random: Random) -> Conversation:
    """An answer under a random schema where the text tells no values: short placeholders."""
    fields = [replace(field, required=True) for field in draw_fields(random, random.choice((1, 2, 3, 4)))]
    schema: dict[str, object] = object_schema(random, fields)
    if random.random() < 0.25:
        schema = {"type": "array", "items": schema}
    topic = random.choice((_question, sentence))(random)
    if random.random() < 0.5:
        topic = random.choice(_QUESTIONS).format(random.choice(("a", "two", "some", "3")), choice(random, "nouns"))
    return Conversation((Turn(topic, _answer(random, placeholder(schema))),), system=_schema_system(random, schema))


def enum_text(random: Random) -> Conversation:
    """One of the texts that the system text allows: the one that the user names, or else the first."""
    values = tuple(dict.fromkeys(word(random) for _ in range(random.randint(2, 5))))
    told, answer = sentence(random), values[0]
    if random.random() < 0.75:
        answer = random.choice(values)
        forms = ("It is {}.", "{}", "I want {}.", "{} please", "The answer is {}.", "Choose {}.")
        told = random.choice(forms).format(answer)
    return Conversation((Turn.of(told, answer),), system=describe_output(EnumText(values), lambda text: text))


def any_json(random: Random) -> Conversation:
    """JSON without a schema: an extraction, the told members, or the ordinary answer as a member."""
    system = describe_output(AnyJson(object_only=random.random() < 0.6), lambda text: text)
    draw = random.random()
    if draw < 0.35:
        return replace(extraction(random), system=system)
    if draw < 0.6:
        fields = [field for field in draw_fields(random, random.choice((1, 2, 3)), depth=2, optional=0) if field.told]
        shown = [field.value if isinstance(field.value, str) else compact(field.value) for field in fields]
        text = join(f"{field.key} {value}" for field, value in zip(fields, shown, strict=True))
        order = random.choice(("Give me JSON with {}.", "JSON with {}", "Make a JSON object with {}."))
        return Conversation(
            (Turn.of(order.format(text), compact({field.key: field.value for field in fields})),), system=system
        )
    (turn, *_) = random.choice((greeting, unanswerable, fact))(random).turns
    return Conversation((Turn.of(turn.user, compact({"answer": turn.answer[0].text})),), system=system)
