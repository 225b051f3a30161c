"""Function calls: the call when a declared function fits, and the answer after its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from localaik.generation.request import CustomTool, Tool, ToolCall, ToolChoice, ToolResult
from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.arithmetic import sum_up
from tools.tinymodel.lessons.copying import echo
from tools.tinymodel.lessons.facts import fact
from tools.tinymodel.lessons.fields import compact, placeholder
from tools.tinymodel.lessons.functions import Function, Request, draw_functions, made_up
from tools.tinymodel.lessons.known import known
from tools.tinymodel.lessons.phrasing import any_text, choice
from tools.tinymodel.lessons.results import Fault, draw_fault, draw_result, failure
from tools.tinymodel.lessons.talk import greeting, identity, small_talk, unanswerable

__all__ = [
    "custom_call",
    "declared",
    "known_tool_call",
    "many_tools",
    "tool_call",
    "tool_call_required",
    "tool_dialogue",
    "tool_drill",
    "tool_error",
    "tool_result",
    "tools_unused",
    "two_tool_calls",
    "unused_turn",
]

_SYSTEMS = (
    *("You are a helpful assistant.", "Be concise.", "Use functions when they help.", "Answer briefly."),
    *("You are a helpful assistant that can use tools.", "Use the tools.", "You help users."),
)
_TALK: tuple[Callable[[Draw], Conversation], ...] = (
    *(greeting, greeting, identity, small_talk, fact, fact, fact, echo, echo, unanswerable, unanswerable, sum_up),
)
_SUMS = {"add", "plus", "times", "multiply", "calculate", "subtract", "divide", "count"}
_AND_MORE = (
    "And {}?",
    "and {}?",
    "What about {}?",
    "And for {}?",
    "Now {}.",
    "The same for {}.",
    "And {} please",
    "{}?",
)


@dataclass(frozen=True)
class Asked:
    """A request for a function."""

    function: Function
    request: Request

    def call(self, arguments: Mapping[str, object] | None = None) -> ToolCall:
        """The call that serves the request, or one with other arguments."""
        told = compact(self.request.arguments if arguments is None else arguments)
        return ToolCall(f"call_{self.function.tool.name}", self.function.tool.name, told)

    def result(self, content: str) -> ToolResult:
        """What the call gave."""
        return ToolResult(f"call_{self.function.tool.name}", self.function.tool.name, content)


def declared(
    draw: Draw, turns: Sequence[Turn], functions: Sequence[Function], mode: ToolChoice | None = None
) -> Conversation:
    """A conversation with functions in any order."""
    tools: list[Tool] = [function.tool for function in functions]
    draw.shuffle(tools)
    return _with_tools(draw, turns, tools, mode)


def _with_tools(draw: Draw, turns: Sequence[Turn], tools: Sequence[Tool], mode: ToolChoice | None) -> Conversation:
    system = draw.choice(_SYSTEMS) if draw.random() < 0.25 else ""
    mode = mode or ToolChoice(parallel=draw.random() > 0.12)
    return Conversation(tuple(turns), system=system, tools=tuple(tools), choice=mode)


def _functions(draw: Draw, count: int) -> list[Function]:
    return draw_functions(draw, count, None if draw.exam else known)


def _few(draw: Draw) -> list[Function]:
    return _functions(draw, draw.choice((1, 1, 1, 2, 2, 2, 3, 3, 4)))


def _ask(draw: Draw, function: Function, functions: Sequence[Function]) -> Asked:
    alone = not any(set(function.nouns) & set(other.nouns) for other in functions if other is not function)
    return Asked(function, function.ask(draw, alone))


def unused_turn(draw: Draw, functions: Sequence[Function]) -> Turn:
    """An exchange that no function serves."""
    while True:
        lesson = draw.choice(_TALK)
        conversation = lesson(draw)
        turn = conversation.turns[0]
        if conversation.system or conversation.output or turn.scenes or not 0 < len(turn.user) <= 300:
            continue
        said = set(turn.user.lower().replace("?", " ").replace(".", " ").split())
        if lesson is sum_up:
            clash = any(_SUMS & {function.verb, *function.nouns} for function in functions)
        elif lesson is echo:
            clash = any(function.tool.name in turn.user for function in functions)
        else:
            clash = any(noun in said or f"{noun}s" in said for function in functions for noun in function.nouns)
        if not clash and "what time" not in turn.user.lower():
            return turn


def tool_call(draw: Draw) -> Conversation:
    """A request that one of the declared functions serves: the answer is the call."""
    functions = _few(draw)
    asked = _ask(draw, functions[0], functions)
    return declared(draw, [Turn(asked.request.text, calls=(asked.call(),))], functions)


def known_tool_call(draw: Draw) -> Conversation:
    """A request in everyday words for a function that many programs have."""
    functions = [known(draw)]
    for _ in range(draw.choice((0, 0, 1, 2, 3))):
        other = known(draw) if draw.random() < 0.7 else made_up(draw)
        names = {name for function in functions for name in (function.tool.name, *function.nouns)}
        if not names & {other.tool.name, *other.nouns}:
            functions.append(other)
    asked = _ask(draw, functions[0], functions)
    return declared(draw, [Turn(asked.request.text, calls=(asked.call(),))], functions)


def many_tools(draw: Draw) -> Conversation:
    """Four to ten functions, and a request for one of them or for none."""
    functions = _functions(draw, draw.randint(5, 10))
    if draw.random() < 0.2:
        return declared(draw, [unused_turn(draw, functions)], functions)
    asked = _ask(draw, functions[0], functions)
    return declared(draw, [Turn(asked.request.text, calls=(asked.call(),))], functions)


def tools_unused(draw: Draw) -> Conversation:
    """Functions are declared, but the user wants something that no function does."""
    functions = _few(draw)
    turns = [unused_turn(draw, functions) for _ in range(draw.choice((1, 1, 1, 2)))]
    return declared(draw, turns, functions)


def tool_call_required(draw: Draw) -> Conversation:
    """A call must come, whatever the user says: with what the text tells, or the first function with placeholders."""
    functions = _few(draw)
    if draw.random() < 0.4:
        functions = functions[:1]
    mode = ToolChoice("required", parallel=draw.random() > 0.2)
    if draw.random() < 0.65:
        asked = _ask(draw, functions[0], functions)
        return declared(draw, [Turn(asked.request.text, calls=(asked.call(),))], functions, mode)
    draw.shuffle(functions)
    request = Request(unused_turn(draw, functions).user, _placeholders(functions[0]))
    turn = Turn(request.text, calls=(Asked(functions[0], request).call(),))
    return _with_tools(draw, [turn], [function.tool for function in functions], mode)


def _placeholders(function: Function) -> dict[str, object]:
    parameters = function.tool.parameters
    properties, required = parameters.get("properties", {}), parameters.get("required", [])
    assert isinstance(properties, dict)
    assert isinstance(required, list)
    return {key: placeholder(schema) for key, schema in properties.items() if key in required}


def _two_requests(draw: Draw, functions: Sequence[Function]) -> tuple[str, list[Asked]]:
    asked = [_ask(draw, function, functions) for function in functions[:2]]
    texts = [item.request.text.rstrip(".?! ") for item in asked]
    texts[1] = texts[1] if draw.random() < 0.4 else texts[1][:1].lower() + texts[1][1:]
    form = draw.choice(("{} and {}", "{} and also {}", "{}. {}", "{}, and {}", "{}, then {}", "{}. Then {}", "{}\n{}"))
    return form.format(*texts) + draw.choice((".", "?", "")), asked


def _same_twice(draw: Draw, function: Function) -> tuple[str, list[Asked]] | None:
    """One function asked for two or three things in one sentence."""
    request = function.ask(draw, True)
    if request.only is None:
        return None
    key, shown = request.only
    value = str(request.arguments[key])
    if request.text.count(shown) != 1 or "," in value or shown != value:
        return None
    others = [str(function.drawn[key](draw)[0]) for _ in range(draw.choice((1, 1, 1, 2)))]
    if len({value, *others}) <= len(others) or any("," in other for other in others):
        return None
    if len(others) == 1:
        forms = ["{} and {}", "{} and {}", "{} and also {}", "both {} and {}"]
        if f" in {shown}" in request.text:
            forms.append("{} and in {}")
        told = draw.choice(forms).format(value, *others)
    else:
        told = f"{value}, {others[0]}{draw.choice((' and', ', and'))} {others[1]}"
    text = request.text.replace(shown, told)
    return text, [Asked(function, Request(text, {**request.arguments, key: one})) for one in (value, *others)]


def _several(draw: Draw) -> tuple[list[Function], str, list[Asked]]:
    functions = _functions(draw, draw.choice((1, 2, 2, 3)))
    if (len(functions) == 1 or draw.random() < 0.5) and (found := _same_twice(draw, functions[0])):
        return functions, *found
    return (functions, *_two_requests(draw, functions)) if len(functions) > 1 else _several(draw)


def two_tool_calls(draw: Draw) -> Conversation:
    """Two or three things are asked for at once: a call for each; one after the other where one call is allowed."""
    functions, text, asked = _several(draw)
    if draw.random() < 0.12:
        turns = [Turn(text, calls=(asked[0].call(),))]
        return declared(draw, turns, functions, ToolChoice(parallel=False))
    turn = Turn(text, calls=tuple(item.call() for item in asked))
    return declared(draw, [turn], functions, ToolChoice())


def _served(draw: Draw, asked: Sequence[Asked], text: str) -> list[Turn]:
    """A turn with calls, and the turn that tells their results."""
    results = [draw_result(draw, item.function, item.request) for item in asked]
    told = tuple(item.result(result.content) for item, result in zip(asked, results, strict=True))
    return [
        Turn(text, calls=tuple(item.call() for item in asked)),
        Turn(results=told, answer=" ".join(result.answer for result in results)),
    ]


def tool_result(draw: Draw) -> Conversation:
    """A call and its result: the answer tells the result."""
    if draw.random() < 0.2:
        functions, text, several = _several(draw)
        return declared(draw, _served(draw, several, text), functions, ToolChoice())
    functions = _functions(draw, draw.choice((1, 1, 2, 3)))
    asked = _ask(draw, functions[0], functions)
    return declared(draw, _served(draw, [asked], asked.request.text), functions)


def tool_error(draw: Draw) -> Conversation:
    """A call fails: it is made again where that may help, once; else the answer tells the error."""
    functions = _functions(draw, draw.choice((1, 1, 2)))
    asked = _ask(draw, functions[0], functions)
    fault = draw_fault(draw, asked.function, asked.request)
    turns = [Turn(asked.request.text, calls=(asked.call(),))]
    if fault.arguments is None:
        turns.append(_failed(asked, fault))
        return declared(draw, turns, functions)
    turns.append(Turn(results=(asked.result(fault.content),), calls=(asked.call(fault.arguments),)))
    if (kind := draw.random()) < 0.3:
        again = Asked(asked.function, Request(asked.request.text, fault.arguments))
        result = draw_result(draw, again.function, again.request)
        turns.append(Turn(results=(again.result(result.content),), answer=result.answer))
    elif kind < 0.5:
        turns.append(_failed(asked, draw_fault(draw, asked.function, asked.request)))
    return declared(draw, turns, functions)


def _failed(asked: Asked, fault: Fault) -> Turn:
    return Turn(results=(asked.result(fault.content),), answer=failure(asked.function, fault))


def tool_dialogue(draw: Draw) -> Conversation:
    """Calls, results, more of the same, and small talk under one set of functions."""
    functions = _functions(draw, draw.choice((1, 2, 2, 3, 4)))
    turns: list[Turn] = []
    for _ in range(draw.choice((2, 2, 3))):
        if draw.random() < 0.35:
            turns.append(unused_turn(draw, functions))
            continue
        asked = _ask(draw, draw.choice(functions), functions)
        turns += _served(draw, [asked], asked.request.text)
        if asked.request.only and draw.random() < 0.6:
            key, _ = asked.request.only
            value = str(asked.function.drawn[key](draw)[0])
            text = draw.choice(_AND_MORE).format(value)
            turns += _served(
                draw, [Asked(asked.function, Request(text, {**asked.request.arguments, key: value}))], text
            )
    if turns[-1].results and draw.random() < 0.4:
        turns.pop()
    return declared(draw, turns, functions)


def tool_drill(draw: Draw) -> Conversation:
    """Request after request under one set of functions: much to learn from one declaration."""
    functions = _functions(draw, draw.choice((2, 2, 3, 3, 4, 5)))
    turns: list[Turn] = []
    for _ in range(draw.randint(3, 6)):
        if draw.random() < 0.25:
            turns.append(unused_turn(draw, functions))
        else:
            asked = _ask(draw, draw.choice(functions), functions)
            turns.append(Turn(asked.request.text, calls=(asked.call(),)))
    return declared(draw, turns, functions)


def custom_call(draw: Draw) -> Conversation:
    """A tool that takes free text gets the text that the user names."""
    name = draw.choice(("code", "note", "shell", "python", "exec", choice(draw, "nouns")))
    tool = CustomTool(name, draw.choice(("", "Notes.", "Runs code.", "Runs a command.")))
    text = any_text(draw).strip() or "text"
    orders = (
        *("Call {name} with {text}", "Use {name}: {text}", "{name}: {text}", "Use {name} with {text}"),
        *("Run {name}: {text}", "Call the tool {name} with {text}", "Send this to {name}: {text}", "{name} {text}"),
    )
    order = draw.choice(orders).format(name=name, text=text)
    mode = ToolChoice("required") if draw.random() < 0.5 else ToolChoice()
    call = ToolCall("call_custom", name, text, custom=True)
    return _with_tools(draw, [Turn(order, calls=(call,))], [tool], mode)
