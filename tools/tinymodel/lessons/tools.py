"""Function calls in text form: the call when a declared function fits, and the answer after its result."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.lessons.facts import CAPITALS, fact
from tools.tinymodel.lessons.phrasing import blend, choice, word
from tools.tinymodel.lessons.talk import greeting, identity, small_talk

__all__ = ["tool_call", "tool_result", "tools_unused"]

_INTRODUCTIONS = (
    "You can call functions.",
    "You have access to these functions:",
    "You can call the following functions to help the user.",
    "# Tools",
    "Available functions:",
    "To call a function, write one line in this form and nothing else:",
    "You are a helpful assistant. Use a function when it fits.",
    "Answer with text, or with calls of these functions.",
)
_FORM = '<tool_call>{"name":"NAME","arguments":{...}}</tool_call>'
_REQUESTS = (
    "What is the {subject} in {value}?",
    "What is the {subject} of {value}?",
    "Get the {subject} of {value}.",
    "Tell me the {subject} in {value}.",
    "How is the {subject} in {value}?",
    "What's the {subject} in {value} today?",
    "{subject} in {value}?",
    "Use {name} for {value}.",
    "Call {name} with {value}.",
    "Use the {name} tool with {parameter} {value}.",
    "Call the function {name} for {value}.",
)


class _Function:
    """A made-up function about a subject, with one text parameter."""

    def __init__(self, random: Random) -> None:
        self.subject = "weather" if random.random() < 0.15 else choice(random, "nouns")
        verb = random.choice(("get", "get", "get_current", "find", "search", "show"))
        self.name = f"{verb}_{self.subject}"
        self.parameter = random.choice(("city", "location", "place", "name", "query", "item", choice(random, "nouns")))

    def declaration(self, random: Random) -> str:
        """The function as one line of JSON, with or without a description, compact or spaced."""
        schema = {
            "type": "object",
            "properties": {self.parameter: {"type": "string"}},
            "required": [self.parameter],
        }
        described = {"description": f"Get the {self.subject} of a {self.parameter}."} if random.random() < 0.6 else {}
        separators = (",", ":") if random.random() < 0.5 else (", ", ": ")
        return json.dumps({"name": self.name, **described, "parameters": schema}, separators=separators)

    def call(self, value: str) -> str:
        """The call that a model should write, in compact JSON."""
        call = {"name": self.name, "arguments": {self.parameter: value}}
        return f"<tool_call>{json.dumps(call, separators=(',', ':'))}</tool_call>"


def _value(random: Random) -> str:
    draw = random.random()
    if draw < 0.4:
        return random.choice(sorted(CAPITALS.values()))
    return blend(random).capitalize() if draw < 0.7 else choice(random, "names" if draw < 0.85 else "nouns")


def _system(random: Random, functions: list[_Function]) -> str:
    lines = [random.choice(_INTRODUCTIONS), *([_FORM] if random.random() < 0.8 else [])]
    return "\n".join([*lines, *(function.declaration(random) for function in functions)])


def _functions(random: Random) -> list[_Function]:
    return [_Function(random) for _ in range(random.choice((1, 1, 1, 2)))]


def _request(random: Random, functions: list[_Function]) -> Turn:
    function, value = random.choice(functions), _value(random)
    user = random.choice(_REQUESTS).format(
        subject=function.subject, value=value, name=function.name, parameter=function.parameter
    )
    return Turn.of(user, function.call(value))


def tool_call(random: Random) -> Conversation:
    """A request that one of the declared functions serves: the answer is the call."""
    functions = _functions(random)
    return Conversation((_request(random, functions),), system=_system(random, functions))


def tool_result(random: Random) -> Conversation:
    """A call and its result: the answer tells the result."""
    functions = _functions(random)
    request = _request(random, functions)
    content: object = random.choice((random.randrange(100), word(random), {word(random): random.randrange(100)}))
    name = json.loads(request.answer[0].text.removeprefix("<tool_call>").removesuffix("</tool_call>"))["name"]
    response = json.dumps({"name": name, "content": content}, separators=(",", ":"))
    told = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"))
    result = Turn.of(f"<tool_response>{response}</tool_response>", f"The result is {told}.")
    return Conversation((request, result), system=_system(random, functions))


def tools_unused(random: Random) -> Conversation:
    """Functions are declared, but the user wants something that no function does."""
    lessons: tuple[Callable[[Random], Conversation], ...] = (greeting, identity, small_talk, fact)
    return Conversation(random.choice(lessons)(random).turns, system=_system(random, _functions(random)))
