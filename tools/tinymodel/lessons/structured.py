"""JSON: extraction from a sentence, and answers whose form a grammar dictates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from localaik.generation.request import AnyJson, EnumText, JsonMatching
from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.copying import echo
from tools.tinymodel.lessons.facts import fact
from tools.tinymodel.lessons.fields import (
    Field,
    Schema,
    compact,
    draw_fields,
    join,
    name_word,
    object_schema,
    placeholder,
)
from tools.tinymodel.lessons.phrasing import choice, sentence, word
from tools.tinymodel.lessons.sources import Record, day, draw_record, draw_records, judged
from tools.tinymodel.lessons.talk import greeting, small_talk, unanswerable
from tools.tinymodel.lessons.values import any_value
from tools.tinymodel.lessons.wording import asked, helpful

__all__ = [
    "answered_schema",
    "any_json",
    "classified",
    "dictated_json",
    "enum_text",
    "event_schema",
    "extraction",
    "filled_schema",
    "listed_schema",
    "record_schema",
    "unfilled_schema",
]

_ORDERS = (
    *("Give me JSON with {keys} for: {text}", "Extract {keys} as JSON: {text}", "{text} Answer as JSON with {keys}."),
    *(
        "Return JSON with the keys {keys}. {text}",
        "Write JSON with {keys}: {text}",
        "{text}\n\nExtract {keys} as JSON.",
    ),
    *("Extract the {keys} from: {text}", "Extract the {keys} from this text: {text}", "JSON with {keys}: {text}"),
    *('Extract {keys} as JSON from "{text}"', "Extract the {keys} from the text as JSON.\n\n{text}"),
    *("Get the {keys} from this sentence: {text}", "From the text, extract {keys}. Text: {text}"),
    *("{text}\n\nReturn a JSON object with {keys}.", "Turn this into JSON with the keys {keys}: {text}"),
    *("Convert to JSON with {keys}: {text}", "Find {keys} and answer in JSON: {text}", "{text} -> JSON with {keys}"),
    *("Return only JSON with {keys}. Text: {text}", "Parse this into JSON with {keys}: {text}"),
    *("Extract the {keys} from the following text.\n{text}", "Please give me the {keys} as JSON: {text}"),
)
_WHOLE_ORDERS = (
    *("Extract the data as JSON: {text}", "Convert to JSON: {text}", "{text} Answer as JSON.", "To JSON: {text}"),
    *("Turn this into JSON: {text}", "Give me this as JSON: {text}", "{text}\n\nAnswer in JSON.", "As JSON: {text}"),
)
_DICTATED = (
    *("Return JSON with {}.", "Write a JSON object with {}.", "Give me JSON with {}.", "JSON with {}"),
    *("Make a JSON object with {}.", "Create JSON: {}", "Return a JSON object where {}.", "Answer with JSON: {}"),
    *("Write JSON where {}.", "Build a JSON object with {}.", "Convert to JSON: {}", "As JSON: {}", "To JSON: {}"),
    *("Respond with a JSON object with {}.", "Output JSON with {}.", "I need JSON with {}."),
)
_HEADS = (
    *("", "", "", "", "Extract the data: ", "Extract: ", "Fill in the form. ", "Here is the text: ", "Data: "),
    *("Give me JSON for: ", "Extract the information.\n", "Parse this: ", "Extract the fields from: ", "Text: "),
    *("Read this and answer in JSON: ", "Convert this: ", "Extract the event information. ", "Use these values: "),
)
_TOPICS = (
    *(
        "List a few {}.",
        "Give me {} {}.",
        "Tell me about {} {}.",
        "Create {} {}.",
        "Generate {} {}.",
        "Describe {} {}.",
    ),
    *(
        "List {} popular {} recipes.",
        "Invent {} {}.",
        "Make up {} {}.",
        "Write {} {} profile.",
        "Give an example of {}.",
    ),
    *("List a few popular {} recipes, and include the amounts of ingredients.", "Suggest {} {}.", "Make {} {}."),
)
_SYSTEMS = (
    *("Extract the event information.", "You extract data as JSON.", "Extract the information from the text."),
    "You are an expert at structured data extraction. Convert the text into the given structure.",
    *("Fill in the fields from the text.", "Parse the text of the user.", "Answer in JSON.", "You write JSON."),
)
_ANSWER_KEYS = ("answer", "response", "reply", "text", "message", "output", "result", "content", "final_answer")


def _system(draw: Draw) -> str:
    return draw.choice(_SYSTEMS) if draw.random() < 0.12 else helpful(draw, 0.15)


def _forced(draw: Draw, user: str, value: object, schema: Mapping[str, object]) -> Conversation:
    return Conversation(
        (Turn(user, compact(value)),), system=_system(draw), output=JsonMatching(schema, "response_format")
    )


def extraction(draw: Draw) -> Conversation:
    """Some members of a sentence, as compact JSON in the order that was asked for."""
    record = draw_record(draw)
    keys = draw.sample(sorted(record.values), draw.randint(1, len(record.values)))
    if draw.random() < 0.12:
        keys = list(record.values)
        form = draw.choice(_WHOLE_ORDERS)
    else:
        form = draw.choice(_ORDERS)
    listed = ", ".join(keys) if draw.random() < 0.15 else join(keys)
    if draw.random() < 0.1:
        listed = join(f'"{key}"' for key in keys)
    order = form.replace("{keys}", listed).replace("{text}", record.text)
    return Conversation((Turn(order, compact({key: record.values[key] for key in keys})),), system=_system(draw))


def dictated_json(draw: Draw) -> Conversation:
    """Members and their values told without a schema."""
    values: dict[str, object] = {}
    for _ in range(draw.choice((1, 2, 2, 3, 4))):
        key = name_word(draw, draw.choice(("nouns", "nouns", "technical", "adjectives")))
        if draw.random() < 0.15:
            key += f"_{name_word(draw, 'nouns')}"
        value: object = any_value(draw)
        chance = draw.random()
        if chance < 0.3:
            value = draw.randrange(10 ** draw.choice((1, 2, 3, 5)))
        elif chance < 0.4:
            value = draw.random() < 0.5
        elif str(value).isdigit():
            value = f"x{value}"
        values[key] = value
    texts = [value if isinstance(value, str) else compact(value) for value in values.values()]
    joint = draw.choice((" ", "=", ": ", " = ", " is ", " set to "))
    members = [f"{key}{joint}{text}" for key, text in zip(values, texts, strict=True)]
    if len(values) > 1 and draw.random() < 0.2:
        told = f"the keys {join(values)} and the values {join(texts)}"
    else:
        told = join(members) if draw.random() < 0.6 else draw.choice((", ", "\n", "; ")).join(members)
    return Conversation((Turn(draw.choice(_DICTATED).replace("{}", told), compact(values)),), system=helpful(draw))


def _told(draw: Draw, fields: Sequence[Field]) -> str:
    told = [field.told for field in fields if field.told]
    draw.shuffle(told)
    text = draw.choice((", ", ", ", "; ", "\n", " and ", ". ")).join(told) if told else "nothing"
    chance = draw.random()
    if chance < 0.15:
        return f"{sentence(draw)} {text}"
    return f"{text}. {sentence(draw)}" if chance < 0.25 else text


def _nullable(draw: Draw, schema: Schema) -> Schema:
    if isinstance(schema.get("type"), str) and "enum" not in schema and draw.random() < 0.5:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def filled_schema(draw: Draw) -> Conversation:
    """An answer under a random schema with the values that the text tells. What is not told is null where that may be,
    and is left out where it is optional.
    """
    fields = draw_fields(draw, draw.choice((1, 2, 2, 3, 3, 4, 5)), optional=0.15)
    members: list[Field] = []
    value: dict[str, object] = {}
    for field in fields:
        if not field.told and draw.random() < 0.5:
            members.append(replace(field, schema=_nullable(draw, field.schema), required=True))
            value[field.key] = None
            continue
        members.append(field)
        if field.is_written:
            value[field.key] = field.value
    if not value:
        return filled_schema(draw)
    return _forced(draw, draw.choice(_HEADS) + _told(draw, fields), value, object_schema(draw, members))


def _record_schema(draw: Draw, record: Record, keys: Sequence[str]) -> Schema:
    titled = draw.random() < 0.2
    members: Schema = {}
    for key in keys:
        member: Schema = {"title": key.replace("_", " ").title()} if titled else {}
        members[key] = {**member, "type": record.types[key]}
    schema: Schema = {"type": "object", "properties": members, "required": list(keys)}
    if draw.random() < 0.4:
        schema["additionalProperties"] = False
    return {**schema, "title": name_word(draw, "nouns").capitalize()} if titled else schema


def record_schema(draw: Draw) -> Conversation:
    """A natural sentence under a schema with some of its members."""
    record = draw_record(draw)
    keys = draw.sample(sorted(record.values), draw.randint(1, len(record.values)))
    value = {key: record.values[key] for key in keys}
    schema = _record_schema(draw, record, keys)
    if draw.random() < 0.2:
        outer = name_word(draw, "nouns")
        schema = {"type": "object", "properties": {outer: schema}, "required": [outer]}
        value = {outer: value}
    return _forced(draw, draw.choice(_HEADS) + record.text, value, schema)


def listed_schema(draw: Draw) -> Conversation:
    """Two or three sentences of one kind under a schema with a list of objects."""
    records = draw_records(draw, draw.choice((1, 2, 2, 3)))
    first = records[0]
    keys = draw.sample(sorted(first.values), draw.randint(1, len(first.values)))
    found = [{key: record.values[key] for key in keys} for record in records]
    text = draw.choice((" ", "\n", " ")).join(record.text for record in records)
    item = _record_schema(draw, first, keys)
    if draw.random() < 0.4:
        return _forced(draw, draw.choice(_HEADS) + text, found, {"type": "array", "items": item})
    outer = draw.choice(("items", "people", "results", "list", "entries", name_word(draw, "nouns")))
    schema: Schema = {"type": "object", "properties": {outer: {"type": "array", "items": item}}, "required": [outer]}
    if draw.random() < 0.3:
        called = name_word(draw, "nouns").capitalize()
        schema["properties"] = {outer: {"type": "array", "items": {"$ref": f"#/$defs/{called}"}}}
        schema = {"$defs": {called: item}, **schema}
    return _forced(draw, draw.choice(_HEADS) + text, {outer: found}, schema)


_GOING = (
    *(
        "{who} are going to a {what} on {when}.",
        "{who} go to the {what} on {when}.",
        "On {when}, {who} meet for a {what}.",
    ),
    *("{what} with {who} on {when}", "There is a {what} on {when} with {who}.", "{who}: {what} on {when}."),
    *("Plan a {what} on {when} for {who}.", "The {what} of {who} is on {when}.", "{who} have a {what} on {when}."),
)


def event_schema(draw: Draw) -> Conversation:
    """An event with its date and those who take part."""
    people = list(dict.fromkeys(choice(draw, "names") for _ in range(draw.choice((2, 2, 2, 3)))))
    kinds = ("fair", "party", "meeting", "concert", "dinner", "lunch", "game", "trip", "lesson")
    what, when = draw.choice(kinds), day(draw)
    if draw.random() < 0.6:
        what = f"{choice(draw, draw.choice(('nouns', 'adjectives')))} {what}"
    text = draw.choice(_GOING).format(who=join(people), what=what, when=when)
    values: dict[str, object] = {"name": what, "date": when, "participants": people}
    strings: Schema = {"type": "array", "items": {"type": "string"}}
    members: dict[str, object] = {
        draw.choice(("name", "name", "title", "event")): "name",
        draw.choice(("date", "date", "day")): "date",
        draw.choice(("participants", "participants", "people", "names")): "participants",
    }
    keys = list(members) if draw.random() < 0.5 else draw.sample(list(members), 3)
    schema: Schema = {
        "type": "object",
        "properties": {key: strings if members[key] == "participants" else {"type": "string"} for key in keys},
        "required": keys,
        "additionalProperties": False,
    }
    return _forced(draw, draw.choice(_HEADS) + text, {key: values[str(members[key])] for key in keys}, schema)


def answered_schema(draw: Draw) -> Conversation:
    """The usual answer as the single member of an object."""
    key = draw.choice(_ANSWER_KEYS)
    turn = draw.choice((greeting, fact, fact, echo, small_talk, unanswerable))(draw).turns[0]
    schema: Schema = {"type": "object", "properties": {key: {"type": "string"}}, "required": [key]}
    if draw.random() < 0.4:
        schema["additionalProperties"] = False
    return _forced(draw, turn.user, {key: turn.answer}, schema)


def unfilled_schema(draw: Draw) -> Conversation:
    """An answer under a random schema where the text tells no values: short placeholders."""
    fields = [replace(field, required=True) for field in draw_fields(draw, draw.choice((1, 2, 3, 4)))]
    if len(fields) == 1 and fields[0].key in _ANSWER_KEYS:
        return unfilled_schema(draw)
    schema: Schema = object_schema(draw, fields)
    value = placeholder(schema)
    if draw.random() < 0.3:
        schema, value = {"type": "array", "items": schema}, [value]
    elif draw.random() < 0.2:
        outer = name_word(draw, "nouns") + "s"
        inner: Schema = {"type": "array", "items": schema}
        schema, value = {"type": "object", "properties": {outer: inner}, "required": [outer]}, {outer: [value]}
    topic = sentence(draw)
    if draw.random() < 0.7:
        noun = choice(draw, draw.choice(("nouns", "nouns", "foods", "animals")))
        form = draw.choice(_TOPICS)
        topic = form.format(draw.choice(("a", "two", "some", "3")), noun) if form.count("{}") > 1 else form.format(noun)
    return _forced(draw, asked(draw, topic), value, schema)


_SENTIMENTS = ("positive", "negative", "neutral")
_CATEGORIES = {"animals": "animal", "fruits": "fruit", "colors": "color", "foods": "food", "days": "day"}
_JUDGE_FORMS = (
    *("What is the sentiment of: {}", "Classify the sentiment: {}", "{}", 'Is this positive or negative? "{}"'),
    *("Sentiment of this text: {}", "Classify: {}", "Rate this review: {}", "How does this sound? {}", "Review: {}"),
)
_SORT_FORMS = (
    *("What is a {}?", "Classify {}.", "{}", "What kind of thing is {}?", "Which category is {}?"),
    *("Sort this word: {}", "The category of {}?", "Classify the word {}."),
)


def _judged(draw: Draw) -> tuple[str, str, list[str], str]:
    """A question, its class, all classes, and the key for it."""
    if draw.random() < 0.6:
        text, sentiment = judged(draw)
        return draw.choice(_JUDGE_FORMS).format(text), sentiment, draw.sample(_SENTIMENTS, 3), "sentiment"
    section = draw.choice(sorted(_CATEGORIES))
    others = [name for key, name in _CATEGORIES.items() if key != section and {key, section} != {"foods", "fruits"}]
    classes = [_CATEGORIES[section], *draw.sample(others, draw.randint(1, len(others)))]
    draw.shuffle(classes)
    member = choice(draw, section)
    if section == "colors" or member == "orange":
        member = draw.choice(("red", "blue", "green", "yellow", "black", "white")) if section == "colors" else "apple"
    return draw.choice(_SORT_FORMS).format(member), _CATEGORIES[section], classes, "category"


def classified(draw: Draw) -> Conversation:
    """A sentiment or category under a schema with an enum."""
    text, found, classes, key = _judged(draw)
    if draw.random() < 0.3:
        key = draw.choice(("label", "class", "result", "type", "kind"))
    schema: Schema = {
        "type": "object",
        "properties": {key: {"type": "string", "enum": classes}},
        "required": [key],
    }
    if draw.random() < 0.4:
        schema["additionalProperties"] = False
    return _forced(draw, text, {key: found}, schema)


def enum_text(draw: Draw) -> Conversation:
    """One of the texts that are allowed: what the text is classified as, the one that it names, or else the first."""
    if draw.random() < 0.4:
        told, found, classes, _ = _judged(draw)
        return Conversation((Turn(told, found),), system=helpful(draw), output=EnumText(tuple(classes)))
    values = tuple(dict.fromkeys(draw.choice((word, word, any_value))(draw) for _ in range(draw.randint(2, 5))))
    told, found = sentence(draw), values[0]
    if any(value.lower() in told.lower() for value in values) or draw.random() < 0.75:
        found = draw.choice(values)
        forms = (
            "It is {}.",
            "{}",
            "I want {}.",
            "{} please",
            "The answer is {}.",
            "Choose {}.",
            "I take {}.",
            "Pick {}",
        )
        told = draw.choice(forms).replace("{}", found)
    return Conversation((Turn(told, found),), system=helpful(draw), output=EnumText(values))


def any_json(draw: Draw) -> Conversation:
    """JSON without a schema: an extraction, the told members, or the ordinary answer as a member."""
    output = AnyJson(object_only=draw.random() < 0.6)
    chance = draw.random()
    if chance < 0.35:
        return replace(extraction(draw), output=output)
    if chance < 0.65:
        return replace(dictated_json(draw), output=output)
    turn = draw.choice((greeting, unanswerable, fact, fact, echo))(draw).turns[0]
    return Conversation((Turn(turn.user, compact({"answer": turn.answer})),), output=output)
