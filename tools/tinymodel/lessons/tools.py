"""Function calls in localaik's own form: the call when a declared function fits, and the answer after its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from localaik.generation.request import CustomTool, Tool, ToolCall, ToolChoice, ToolResult
from localaik.generation.tools.prompt import describe_tools, render_call, render_result
from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.lessons.copying import echo
from tools.tinymodel.lessons.facts import fact
from tools.tinymodel.lessons.fields import compact, placeholder
from tools.tinymodel.lessons.functions import Function, Request, Result, draw_function, draw_result
from tools.tinymodel.lessons.phrasing import any_text, choice
from tools.tinymodel.lessons.talk import greeting, identity, small_talk, unanswerable

__all__ = [
    "custom_call",
    "tool_call",
    "tool_call_required",
    "tool_dialogue",
    "tool_result",
    "tools_unused",
    "two_tool_calls",
]

_SYSTEMS = ("You are a helpful assistant.", "Be concise.", "Use functions when they help.", "Answer briefly.")
_TALK: tuple[Callable[[Random], Conversation], ...] = (
    greeting,
    greeting,
    identity,
    small_talk,
    fact,
    fact,
    echo,
    unanswerable,
)


def _same(text: str) -> str:
    """Lessons hold no control tokens."""
    return text


def _system(random: Random, tools: Sequence[Tool], choice: ToolChoice) -> str:
    block = describe_tools(tools, choice, _same)
    return f"{random.choice(_SYSTEMS)}\n\n{block}" if random.random() < 0.25 else block


def _functions(random: Random, count: int) -> list[Function]:
    found = {function.tool.name: function for function in (draw_function(random) for _ in range(count))}
    return list(found.values())


def _few(random: Random) -> list[Function]:
    return _functions(random, random.choice((1, 1, 1, 1, 2, 2, 3, 4)))


def _call(function: Function, request: Request) -> str:
    return render_call(ToolCall("", function.tool.name, compact(request.arguments)), _same)


def _result(function: Function, result: Result) -> str:
    return render_result(ToolResult("", function.tool.name, result.content), _same)


def _unused_turn(random: Random, functions: Sequence[Function]) -> Turn:
    """An exchange that no function serves."""
    while True:
        (turn, *_) = random.choice(_TALK)(random).turns
        text = turn.user.lower()
        if not any(noun in text for function in functions for noun in function.nouns) and "what time" not in text:
            return turn


def _auto(random: Random) -> ToolChoice:
    return ToolChoice(parallel=random.random() > 0.15)


def tool_call(random: Random) -> Conversation:
    """A request that one of the declared functions serves: the answer is the call."""
    functions = _few(random)
    function = random.choice(functions)
    request = function.ask(random)
    system = _system(random, [item.tool for item in functions], _auto(random))
    return Conversation((Turn.of(request.text, _call(function, request)),), system=system)


def tools_unused(random: Random) -> Conversation:
    """Functions are declared, but the user wants something that no function does."""
    functions = _few(random)
    system = _system(random, [item.tool for item in functions], _auto(random))
    return Conversation((_unused_turn(random, functions),), system=system)


def tool_call_required(random: Random) -> Conversation:
    """A call must come, whatever the user says: with what the text tells, or with placeholders."""
    functions = _few(random)
    if random.random() < 0.4:
        functions = functions[:1]
    system = _system(random, [item.tool for item in functions], ToolChoice("required", parallel=random.random() > 0.2))
    if random.random() < 0.6:
        function = random.choice(functions)
        request = function.ask(random)
    else:
        function = functions[0]
        request = Request(_unused_turn(random, functions).user, _placeholders(function))
    return Conversation((Turn.of(request.text, _call(function, request)),), system=system)


def _placeholders(function: Function) -> dict[str, object]:
    parameters = function.tool.parameters
    properties, required = parameters.get("properties", {}), parameters.get("required", [])
    assert isinstance(properties, dict)
    assert isinstance(required, list)
    return {key: placeholder(schema) for key, schema in properties.items() if key in required}


def _two_requests(random: Random, functions: Sequence[Function]) -> tuple[str, list[tuple[Function, Request]]]:
    first = random.choice(functions)
    second = random.choice([item for item in functions if item is not first] or [first])
    asked = [(first, first.ask(random)), (second, second.ask(random))]
    texts = [request.text.rstrip(".?") for _, request in asked]
    texts[1] = texts[1] if random.random() < 0.4 else texts[1][:1].lower() + texts[1][1:]
    form = random.choice(("{} and {}", "{} and also {}", "{}. {}", "{}, and {}", "{}, then {}"))
    return form.format(*texts) + random.choice((".", "?", "")), asked


def _two_places(random: Random) -> tuple[list[Function], str, list[tuple[Function, Request]]] | None:
    """One function asked for two things in one sentence."""
    function = draw_function(random)
    asked = [function.ask(random) for _ in range(2)]
    values = [next(iter(request.arguments.values()), "") for request in asked]
    if values[0] == values[1] or not all(isinstance(value, str) and value for value in values):
        return None
    first, second = map(str, values)
    if asked[0].text.count(first) != 1 or asked[0].arguments.keys() != asked[1].arguments.keys():
        return None
    both = {**asked[0].arguments, next(iter(asked[0].arguments)): second}
    form = random.choice(("{} and {}", "{} and in {}", "{} and {}"))
    text = asked[0].text.replace(first, form.format(first, second))
    return [function], text, [(function, asked[0]), (function, Request(text, both))]


def _two(random: Random) -> tuple[list[Function], str, list[tuple[Function, Request]]]:
    if random.random() < 0.5 and (found := _two_places(random)):
        return found
    functions = _functions(random, random.choice((2, 2, 3)))
    if len(functions) == 1:
        return _two(random)
    return functions, *_two_requests(random, functions)


def two_tool_calls(random: Random) -> Conversation:
    """Two things are asked for at once: two calls on two lines."""
    functions, text, asked = _two(random)
    system = _system(random, [item.tool for item in functions], ToolChoice())
    answer = "\n".join(_call(function, request) for function, request in asked)
    return Conversation((Turn.of(text, answer),), system=system)


def _served(random: Random, asked: Sequence[tuple[Function, Request]], text: str) -> tuple[Turn, Turn]:
    """A turn with calls, and the turn that tells their results."""
    results = [draw_result(random, request) for _, request in asked]
    told = "\n".join(_result(function, result) for (function, _), result in zip(asked, results, strict=True))
    calls = "\n".join(_call(function, request) for function, request in asked)
    return Turn.of(text, calls), Turn.of(told, " ".join(result.answer for result in results))


def tool_result(random: Random) -> Conversation:
    """A call and its result: the answer tells the result."""
    functions = _few(random)
    function = random.choice(functions)
    request = function.ask(random)
    system = _system(random, [item.tool for item in functions], _auto(random))
    if random.random() < 0.15:
        functions, text, asked = _two(random)
        system = _system(random, [item.tool for item in functions], ToolChoice())
        return Conversation(_served(random, asked, text), system=system)
    return Conversation(_served(random, [(function, request)], request.text), system=system)


def tool_dialogue(random: Random, count: int = 0) -> Conversation:
    """Calls, results and small talk under one set of functions (`count` of them, else one to four)."""
    functions = _functions(random, count) if count else _few(random)
    turns: list[Turn] = []
    left = list(functions)
    for _ in range(random.choice((2, 2, 3, 4))):
        if not left or random.random() < 0.35:
            turns.append(_unused_turn(random, functions))
            continue
        function = random.choice(left)
        if not function.fresh:
            left.remove(function)
        request = function.ask(random)
        call, result = _served(random, [(function, request)], request.text)
        turns += (call, result)
        if random.random() < 0.3:
            turns.pop()
            break
    return Conversation(tuple(turns), system=_system(random, [item.tool for item in functions], _auto(random)))


def custom_call(random: Random) -> Conversation:
    """A tool that takes free text gets the text that the user names."""
    name = random.choice(("code", "note", "shell", "python", choice(random, "nouns")))
    tool = CustomTool(name, random.choice(("", "Notes.", "Runs code.")))
    text = any_text(random).strip() or "text"
    order = random.choice(("Call {name} with {text}", "Use {name}: {text}", "{name}: {text}", "Use {name} with {text}"))
    mode = ToolChoice("required") if random.random() < 0.5 else ToolChoice()
    answer = render_call(ToolCall("", name, text, custom=True), _same)
    return Conversation((Turn.of(order.format(name=name, text=text), answer),), system=_system(random, [tool], mode))
