"""What calls give back, and the answers that tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.fields import compact, join, name_word
from tools.tinymodel.lessons.functions import Function, Request
from tools.tinymodel.lessons.phrasing import choice
from tools.tinymodel.lessons.values import any_value, code, place, words

__all__ = ["Fault", "Result", "draw_fault", "draw_result", "failure"]

_PLACE_KEYS = ("city", "location", "place")
_EMPTY_RESULTS = ("", "ok", "done", "OK", '{"ok":true}', '{"success":true}', "{}", "null", '{"status":"ok"}', "success")
_CONDITIONS = ("sunny", "cloudy", "rainy", "clear", "windy", "snowy", "foggy", "partly cloudy")
_DEGREES_KEYS = ("temperature", "temperature", "degrees", "temp")
_SKY_KEYS = ("condition", "condition", "conditions", "sky", "weather", "description")
_RESULT_KEYS = (
    "result",
    "result",
    "output",
    "value",
    "answer",
    "status",
    "price",
    "time",
    "id",
    "total",
    "count",
    "name",
)
_PASSING = (
    *(
        "timeout, try again",
        "server busy, try again",
        "temporarily unavailable, try again",
        "connection lost, try again",
    ),
    *("rate limit, please try again", "network problem, try again", "overloaded, please try again later", "try again"),
)
_FINAL = (
    *("not found", "permission denied", "access denied", "unknown user", "no such file", "invalid key", "out of stock"),
    *("not allowed", "internal error", "no data", "quota exceeded", "not available", "unauthorized"),
)
_CORRECTIONS = (
    *("unknown {key} {old}, did you mean {new}?", "{old} not found, did you mean {new}?", "did you mean {new}?"),
    *("invalid {key}: {old}. Use {new}.", "{key} must be {new}", "no {key} {old}, use {new}", "{key} should be {new}"),
)


@dataclass(frozen=True)
class Result:
    """What a call gave, as text or JSON, and the answer that tells it."""

    content: str
    answer: str


@dataclass(frozen=True)
class Fault:
    """An error that a call gave; `arguments` are those of the call that may help, None where none does."""

    content: str
    message: str
    arguments: Mapping[str, object] | None


def failure(function: Function, fault: Fault) -> str:
    """The answer after an error that no other call can mend."""
    return f"The function {function.tool.name} failed: {fault.message}."


def _scalar(draw: Draw) -> object:
    kind = draw.random()
    if kind < 0.35:
        return draw.randrange(10 ** draw.randint(1, 4))
    if kind < 0.47:
        return round(draw.uniform(-20, 500), draw.choice((1, 2)))
    if kind < 0.55:
        return draw.random() < 0.5
    return words(draw) if kind < 0.75 else any_value(draw)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else compact(value)


def _members(draw: Draw, count: int) -> dict[str, object]:
    usual = draw.random() < 0.4 and not draw.exam
    keys = [draw.choice(_RESULT_KEYS) if usual else name_word(draw, "nouns") for _ in range(count)]
    if draw.random() < 0.25:
        keys = [f"{key}_{name_word(draw, 'nouns')}" for key in keys]
    return {key: _scalar(draw) for key in keys}


def _sentence(members: Mapping[str, object]) -> str:
    first, *rest = (f"the {key} is {_shown(value)}" for key, value in members.items())
    return f"T{join((first, *rest))[1:]}."


def _weather(draw: Draw, where: object) -> Result:
    members: dict[str, object] = {draw.choice(_DEGREES_KEYS): draw.randint(-10, 40)}
    told = f"It is {next(iter(members.values()))} degrees"
    if draw.random() < 0.3:
        unit = draw.choice(("celsius", "celsius", "fahrenheit", "C", "F"))
        members["unit"] = unit
        told += f" {unit}"
    if draw.random() < 0.85:
        key, sky = draw.choice(_SKY_KEYS), draw.choice(_CONDITIONS)
        members = {**members, key: sky} if draw.random() < 0.7 else {key: sky, **members}
        told += f" and {sky}"
    if draw.random() < 0.25:
        members = {draw.choice(_PLACE_KEYS): where, **members}
    return Result(compact(members), f"{told} in {where}.")


def draw_result(draw: Draw, function: Function, request: Request) -> Result:
    """What a call of `request` may give: a text, a number, an object, a list or nothing."""
    kind = draw.random()
    where = next((request.arguments[key] for key in _PLACE_KEYS if key in request.arguments), None)
    if where is not None and "weather" in function.nouns and kind < 0.6:
        return _weather(draw, where)
    if kind < 0.3:
        text = _text(draw)
        return Result(text, text)
    if kind < 0.4:
        return Result(draw.choice(_EMPTY_RESULTS), "Done.")
    if kind < 0.48:
        items = [_scalar(draw) for _ in range(draw.randint(1, 4))]
        return Result(compact(items), f"{join(map(_shown, items))}.")
    if kind < 0.51:
        return Result("[]", "Nothing was found.")
    if kind < 0.56:
        rows = [_members(draw, draw.choice((1, 2))) for _ in range(2)]
        return Result(compact(rows), " ".join(map(_sentence, rows)))
    members = _members(draw, draw.choice((1, 1, 2, 2, 3)))
    return Result(compact(members), _sentence(members))


def _text(draw: Draw) -> str:
    kind = draw.random()
    if kind < 0.25:
        return _shown(_scalar(draw))
    if kind < 0.45:
        unit, mark = draw.choice(("degrees", "C", "°C", "F")), draw.choice((" and ", ", "))
        return f"{draw.randint(-10, 40)} {unit}{mark}{draw.choice(_CONDITIONS)}"
    if kind < 0.6:
        return words(draw, 6)
    subject = draw.choice((choice(draw, "nouns"), place(draw), code(draw)))
    return f"The {choice(draw, 'nouns')} {draw.choice(('of', 'in', 'for'))} {subject} is {_shown(_scalar(draw))}."


def _slip(draw: Draw, text: str) -> str:
    """The text with a small difference, as a mistyped word has it to the right one."""
    index = draw.randrange(len(text))
    kind = draw.random()
    if kind < 0.35:
        return text[:index] + text[index + 1 :] if len(text) > 3 else text + draw.choice("aeiou")
    letter = draw.choice("abcdefghijklmnoprstuvw")
    return text[:index] + letter + text[index + (kind < 0.7) :]


def _mended(draw: Draw, function: Function, request: Request) -> tuple[str, dict[str, object]] | None:
    key = draw.choice(list(request.arguments)) if request.arguments else ""
    old = request.arguments.get(key)
    if isinstance(old, bool) or not isinstance(old, str | int | float):
        return None
    properties = function.tool.parameters["properties"]
    assert isinstance(properties, dict)
    is_free = isinstance(old, str) and "enum" not in properties[key]
    new = _slip(draw, str(old)) if is_free and draw.random() < 0.5 else function.drawn[key](draw)[0]
    if new == old or not new:
        return None
    form = draw.choice(_CORRECTIONS)
    return form.format(key=key, old=_shown(old), new=_shown(new)), {**request.arguments, key: new}


def draw_fault(draw: Draw, function: Function, request: Request) -> Fault:
    """An error: one that names the right value, one that passes, or a final one."""
    kind = draw.random()
    arguments: Mapping[str, object] | None = None
    if kind < 0.4 and (mended := _mended(draw, function, request)):
        message, arguments = mended
    elif kind < 0.7:
        message, arguments = draw.choice(_PASSING), request.arguments
    else:
        message = draw.choice(_FINAL) if draw.random() < 0.6 else words(draw)
    form = draw.random()
    if form < 0.45:
        return Fault(compact({"error": message}), message, arguments)
    if form < 0.7:
        return Fault(f"Error: {message}", message, arguments)
    if form < 0.85:
        return Fault(compact({"error": {"message": message}}), message, arguments)
    return Fault(compact({"status": "error", "message": message}), message, arguments)
