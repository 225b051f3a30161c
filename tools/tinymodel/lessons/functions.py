"""Functions to declare, requests that need them, and their results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from localaik.generation.request import FunctionTool
from tools.tinymodel.lessons.fields import Field, compact, draw_fields, join, name_of, object_schema, place
from tools.tinymodel.lessons.phrasing import choice, phrase, word

__all__ = ["Function", "Request", "Result", "draw_function", "draw_result"]

_VERBS = ("get", "get", "find", "search", "show", "set", "create", "delete", "update", "send", "book", "list", "check")
_NAMED_REQUESTS = (
    "Call {name}",
    "Use {name}",
    "Use the {name} function",
    "Call the function {name}",
    "Use the {name} tool",
)
_WITH = ("with", "with", "for", "where")
_PLACE_KEYS = {"city", "location", "place", "cityName"}
_EMPTY_RESULTS = ("", "ok", "done", '{"ok":true}', '{"success":true}', "{}", "null", '{"status":"ok"}')
_CONDITIONS = ("sunny", "cloudy", "rainy", "clear", "windy", "snowy")


@dataclass(frozen=True)
class Request:
    """What a user asks, and the arguments of the call that serves it."""

    text: str
    arguments: Mapping[str, object]


@dataclass(frozen=True)
class Function:
    """A declared function, and what draws requests for it.

    `nouns` are the words that belong to it; the values of a request are `fresh` each time, or always the same.
    """

    tool: FunctionTool
    nouns: tuple[str, ...]
    ask: Callable[[Random], Request]
    fresh: bool


@dataclass(frozen=True)
class Result:
    """What a call gave, as text or JSON, and the answer that tells it."""

    content: str
    answer: str


def _plain(text: str) -> str:
    return text[:1].upper() + text[1:]


_KNOWN: tuple[tuple[tuple[str, ...], str, tuple[tuple[str, str], ...], tuple[str, ...]], ...] = (
    (
        ("get", "weather"),
        "Get the weather in a city",
        (("city", "place"),),
        (
            "What is the weather in {city}?",
            "What is the weather in {city}?",
            "What's the weather like in {city}?",
            "How is the weather in {city} today?",
            "Weather in {city}",
            "Is it raining in {city}?",
            "What is the temperature in {city}?",
            "Tell me the weather in {city}.",
        ),
    ),
    (
        ("get", "current", "weather"),
        "Get the current weather in a given location",
        (("location", "place"), ("unit", "unit?")),
        (
            "What is the weather in {location}?",
            "What is the weather like in {location} in {unit}?",
            "What's the weather in {location}? Use {unit}.",
            "What is the temperature in {location}?",
            "How is the weather in {location} in {unit}?",
        ),
    ),
    (
        ("get", "time"),
        "Tells the time in a city",
        (("city", "place"),),
        ("What time is it in {city}?", "What is the time in {city}?", "Tell me the time in {city}.", "Time in {city}?"),
    ),
    (
        ("add", "numbers"),
        "Adds two numbers",
        (("a", "integer"), ("b", "integer")),
        ("What is {a} + {b}?", "Add {a} and {b}.", "Add {a} to {b}.", "What is {a} plus {b}?", "Compute {a} + {b}"),
    ),
    (
        ("multiply",),
        "Multiply two numbers",
        (("a", "integer"), ("b", "integer")),
        ("What is {a} times {b}?", "Multiply {a} by {b}.", "Multiply {a} and {b}.", "What is {a} * {b}?"),
    ),
    (
        ("search",),
        "Search the web",
        (("query", "text"),),
        ("Search for {query}.", "Search the web for {query}", "Find pages about {query}.", "Look up {query}."),
    ),
    (
        ("send", "email"),
        "Sends an email",
        (("to", "name"), ("subject", "text")),
        ("Send an email to {to} about {subject}.", "Email {to} about {subject}.", "Write an email to {to}: {subject}"),
    ),
    (
        ("set", "timer"),
        "Sets a timer",
        (("minutes", "integer"),),
        ("Set a timer for {minutes} minutes.", "Wake me in {minutes} minutes.", "Timer: {minutes} minutes"),
    ),
    (
        ("set", "light"),
        "Switches a light",
        (("room", "text"), ("on", "flag")),
        ("Set the light in {room} to {on}.", "Light in the {room}: {on}", "Switch the light {on} in {room}."),
    ),
    (
        ("convert", "currency"),
        "Converts money",
        (("amount", "integer"), ("currency", "currency")),
        ("Convert {amount} to {currency}.", "How much is {amount} in {currency}?", "Change {amount} into {currency}."),
    ),
    (
        ("get", "capital"),
        "The capital of a country",
        (("country", "place"),),
        ("What is the capital of {country}?", "Tell me the capital of {country}.", "Capital of {country}?"),
    ),
    (
        ("ping",),
        "Checks that the server is there",
        (),
        ("Call ping.", "Use ping.", "Is the server there?", "Check the server."),
    ),
)


def _known_value(random: Random, kind: str) -> tuple[dict[str, object], object, str]:
    if kind == "integer":
        number = random.randrange(10 ** random.randint(1, 4))
        return {"type": random.choice(("integer", "number"))}, number, str(number)
    if kind == "flag":
        return {"type": "boolean"}, (on := random.random() < 0.5), "on" if on else "off"
    if kind in {"unit?", "currency"}:
        values = ("celsius", "fahrenheit") if kind == "unit?" else ("EUR", "USD", "GBP", "JPY")
        return {"type": "string", "enum": list(values)}, (one := random.choice(values)), one
    texts: dict[str, Callable[[Random], str]] = {
        "place": place,
        "text": lambda source: phrase(source, 3),
        "name": lambda source: choice(source, "names"),
    }
    value = texts[kind](random)
    return {"type": "string"}, value, value


def _known(random: Random) -> Function:
    parts, description, parameters, texts = random.choice(_KNOWN[:2] * 3 + _KNOWN)
    schemas = {key: _known_value(random, kind)[0] for key, kind in parameters}
    if random.random() < 0.3:
        schemas = {key: {**schema, "description": f"The {key}"} for key, schema in schemas.items()}
    renamed = {"city": random.choice(("city", "city", "location", "place", "cityName"))} if "city" in schemas else {}
    schema: dict[str, object] = {
        "type": "object",
        "properties": {renamed.get(key, key): member for key, member in schemas.items()},
    }
    if required := [renamed.get(key, key) for key, kind in parameters if not kind.endswith("?")]:
        schema["required"] = required
    if random.random() < 0.25:
        schema["additionalProperties"] = False

    name = name_of(random, parts)
    told_all = join(f"{{{key}}}" for key, _ in parameters) if parameters else ""

    def ask(source: Random) -> Request:
        text = source.choice(texts)
        if parameters and source.random() < 0.12:
            text = f"{source.choice(_NAMED_REQUESTS).format(name=name)} {source.choice(_WITH)} {told_all}."
        drawn = {key: _known_value(source, kind)[1:] for key, kind in parameters}
        told = {key: value for key, (value, _) in drawn.items() if f"{{{key}}}" in text or not parameters}
        text = text.format(**{key: shown for key, (_, shown) in drawn.items()})
        return Request(text, {renamed.get(key, key): value for key, value in told.items()})

    described = random.choice((description, description, description + ".", ""))
    return Function(FunctionTool(name, described, schema), (parts[-1],), ask, fresh=True)


def _made_up(random: Random) -> Function:
    verb, nouns = random.choice(_VERBS), tuple(choice(random, "nouns") for _ in range(random.choice((1, 1, 2))))
    name = name_of(random, (verb, *nouns) if random.random() < 0.85 else nouns)
    fields = draw_fields(random, random.choice((0, 1, 1, 1, 1, 2, 2, 3, 4)))

    def ask(source: Random) -> Request:
        return _made_up_request(source, name, (verb, *nouns), fields)

    subject = " ".join(nouns)
    described = random.choice((f"{_plain(verb)} the {subject}", f"{_plain(verb)}s a {subject}.", phrase(random), ""))
    return Function(FunctionTool(name, described, object_schema(random, fields)), nouns, ask, fresh=False)


def _made_up_request(random: Random, name: str, words: tuple[str, ...], fields: list[Field]) -> Request:
    verb, subject = words[0], " ".join(words[1:])
    written = [field for field in fields if field.is_written]
    told = join(field.told for field in written) if written else ""
    if len(written) == 1 and isinstance(written[0].value, str | int) and not isinstance(written[0].value, bool):
        value = written[0].value
        told = random.choice((told, f"{value}", f"{value}"))
    if random.random() < 0.35:
        head = random.choice(_NAMED_REQUESTS).format(name=name)
    else:
        heads = (f"{_plain(verb)} the {subject}", f"{_plain(verb)} {subject}", f"I need the {subject}", _plain(subject))
        head = random.choice(heads)
    text = f"{head} {random.choice(_WITH)} {told}" if told else head
    return Request(text + random.choice((".", ".", "", "?")), {field.key: field.value for field in written})


def draw_function(random: Random) -> Function:
    """A function of a kind that many programs have, or a made-up one."""
    return _known(random) if random.random() < 0.4 else _made_up(random)


def _scalar(random: Random) -> object:
    draw = random.random()
    if draw < 0.45:
        return random.randrange(10 ** random.randint(1, 4))
    if draw < 0.55:
        return round(random.uniform(-20, 500), random.choice((1, 2)))
    return phrase(random, 3) if draw < 0.85 else word(random)


def draw_result(random: Random, request: Request) -> Result:
    """What a call of `request` may give: a number, a text, an object, a list, an error or nothing."""
    value = _scalar(random)
    shown = value if isinstance(value, str) else compact(value)
    draw = random.random()
    where = next((value for key, value in request.arguments.items() if key in _PLACE_KEYS), None)
    if where is not None and draw < 0.75:
        degrees, sky = random.randint(-10, 40), random.choice(_CONDITIONS)
        keys = random.choice((("degrees", "sky"), ("temperature", "condition"), ("temperature", "conditions")))
        forms = (
            compact({keys[0]: degrees, keys[1]: sky}),
            compact({keys[0]: degrees, keys[1]: sky}),
            f"{degrees} degrees and {sky}",
            compact({"result": f"{degrees} degrees and {sky}"}),
            f"{sky}, {degrees} degrees",
        )
        return Result(random.choice(forms), f"It is {degrees} degrees and {sky} in {where}.")
    if draw < 0.2:
        return Result(shown, f"The result is {shown}.")
    if draw < 0.5:
        key = random.choice(("result", "result", "output", "value", "answer"))
        return Result(compact({key: value}), f"The result is {shown}.")
    if draw < 0.62:
        error: object = phrase(random, 4)
        told = random.choice((error, {"message": error}))
        return Result(compact({"error": told}), f"The call failed: {error}.")
    if draw < 0.7:
        return Result(random.choice(_EMPTY_RESULTS), "Done.")
    if draw < 0.78:
        items = [word(random) for _ in range(random.randint(1, 3))]
        return Result(compact(items), f"The results are {join(items)}.")
    first = choice(random, "nouns")
    if draw < 0.88:
        return Result(compact({first: value}), f"The {first} is {shown}.")
    second, other = f"{choice(random, 'nouns')}", _scalar(random)
    if second == first:
        return Result(compact({first: value}), f"The {first} is {shown}.")
    other_shown = other if isinstance(other, str) else compact(other)
    return Result(compact({first: value, second: other}), f"The {first} is {shown} and the {second} is {other_shown}.")
