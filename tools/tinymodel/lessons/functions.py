"""Made-up functions to declare, and requests that need them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from localaik.generation.request import FunctionTool
from tools.tinymodel.draw import Draw, is_kept
from tools.tinymodel.lessons.fields import (
    Field,
    compact,
    draw_fields,
    join,
    label_of,
    name_of,
    name_word,
    object_schema,
    retold,
)
from tools.tinymodel.lessons.phrasing import choice
from tools.tinymodel.lessons.values import syllables

__all__ = ["Drawn", "Function", "Request", "capital", "draw_functions", "made_up"]

Drawn = Callable[[Draw], tuple[object, str]]

_VERBS = ("get", "get", "find", "search", "show", "set", "create", "delete", "update", "send", "book", "list", "check")
_SYNONYMS = {
    "get": ("fetch", "show me", "retrieve", "look up", "tell me"),
    "find": ("look for", "search for", "get"),
    "show": ("display", "give me", "show me"),
    "create": ("make", "add", "set up"),
    "delete": ("remove", "erase", "drop"),
    "update": ("change", "edit", "modify"),
    "send": ("deliver", "post"),
    "list": ("show all", "give me all"),
    "check": ("verify", "look at"),
}
_NAMED = (
    *("Call {n}", "Use {n}", "Use the {n} function", "Call the function {n}", "Use the {n} tool", "Run {n}"),
    *("Invoke {n}", "Please call {n}", "call {n}", "use {n}", "Execute {n}", "{n}", "Try {n}", "Call the tool {n}"),
    *("Make a call of {n}", "I want you to call {n}", "Can you call {n}", "Please use the tool {n}", "Now call {n}"),
)
_VERBAL = (
    *("{V} the {s}", "{V} the {s}", "{V} {a} {s}", "{V} {s}", "{v} the {s}", "{v} {s}", "{V} my {s}", "{V} this {s}"),
    *("Please {v} the {s}", "Please {v} {a} {s}", "please {v} the {s}", "Can you {v} the {s}", "Could you {v} {a} {s}"),
    *("I want to {v} the {s}", "I need to {v} the {s}", "I would like to {v} {a} {s}", "Help me {v} the {s}"),
    *("We have to {v} the {s}", "Let's {v} the {s}", "Now {v} the {s}", "You must {v} the {s}", "{V} our {s}"),
    *("Would you {v} the {s}", "Hey, {v} the {s}", "I'd like you to {v} the {s}", "{V} the {s} for me", "{V} {s}s"),
    *("Go and {v} the {s}", "can you {v} {a} {s}", "Time to {v} the {s}", "Hello, please {v} the {s}"),
)
_NOMINAL = (
    *("I need the {s}", "The {s}", "{S}", "What is the {s}", "Give me the {s}", "Show me the {s}", "{s}"),
    *("What about the {s}", "Which {s}", "I want the {s}", "Tell me the {s}", "what is the {s}"),
)
_QUESTIONS = ("can ", "could ", "would ", "what ", "which ")
_DESCRIPTIONS = (
    *(
        "{V} the {s}",
        "{V} the {s}.",
        "{Vs} {a} {s}.",
        "{Vs} the {s}",
        "{V} {a} {s}",
        "{V} {s}s",
        "Function to {v} {a} {s}.",
    ),
    *("Use this to {v} the {s}.", "{V} the {s} of a {x}", "{V} {a} {s} for the {x}.", "This tool {vs} the {s}", "{S}"),
)
_BEFORE_ONE = (
    *("for {}", "for {}", "in {}", "of {}", "with {}", "named {}", "called {}", "to {}", "on {}", "about {}", "by {}"),
    *("{}", "{}", ": {}", ": {}", "- {}", "at {}", "from {}", "({})", "as {}", "using {}"),
)
_BEFORE_ALL = ("with {}", "with {}", "with {}", "for {}", "where {}", "using {}", ": {}", ", {}", "given {}", "({})")
_AHEAD = ("With {t}, {g}", "{t}: {h}", "For {t}, {g}")


@dataclass(frozen=True)
class Request:
    """What a user asks, and the arguments of the call that serves it."""

    text: str
    arguments: Mapping[str, object]
    only: tuple[str, str] | None = None
    """The one told argument and how the text shows it, where the text tells a single text."""


@dataclass(frozen=True)
class Function:
    """A declared function, and what draws requests for it."""

    tool: FunctionTool
    verb: str
    nouns: tuple[str, ...]
    """Words that belong to it: text without a request for it doesn't hold them."""
    ask: Callable[[Draw, bool], Request]
    """Draws a request; the flag tells that no other function shares the nouns."""
    drawn: Mapping[str, Drawn] = field(default_factory=dict)
    """For each parameter, what draws another value and how a sentence shows it."""


class _Words(NamedTuple):
    """What a request may call a function by."""

    name: str
    verb: str
    subject: str


def capital(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def _article(subject: str) -> str:
    return "an" if subject.startswith(tuple("aeiou")) else "a"


def _third(verb: str) -> str:
    return verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "o")) else "s")


def made_up(draw: Draw, verb: str = "", nouns: tuple[str, ...] = (), *, is_small: bool = False) -> Function:
    """A function of random words with parameters (two at most: `is_small`); `verb` and `nouns` may be another's."""
    if not verb:
        usual = draw.choice(_VERBS)
        verb = usual if draw.random() < 0.4 and is_kept(usual) == draw.exam else name_word(draw, "verbs")
    nouns = nouns or tuple(dict.fromkeys(name_word(draw, "nouns") for _ in range(draw.choice((1, 1, 2)))))
    chosen = tuple(draw_fields(draw, draw.choice((0, 1, 1, 2, 2) if is_small else (0, 1, 1, 1, 1, 2, 2, 2, 3, 4))))
    subject = " ".join(nouns)
    form = draw.choice(_DESCRIPTIONS)
    told = form.format(
        v=verb,
        V=capital(verb),
        vs=_third(verb),
        Vs=capital(_third(verb)),
        s=subject,
        S=capital(subject),
        a=_article(subject),
        x=choice(draw, "nouns"),
    )
    kind = draw.random()
    if kind < 0.06 and "{S}" not in form:
        name = draw.choice((syllables(draw)[:6], f"fn{draw.randrange(100)}", f"tool_{draw.randrange(100)}"))
        name = name if name.isascii() else f"f{draw.randrange(100)}"
    else:
        name = name_of(draw, nouns if kind < 0.12 else (verb, *nouns))
        told = told if draw.random() < 0.7 else ""
    only_noun = 0.06 <= kind < 0.12 and (not told or form == "{S}")
    shown_verb = "" if only_noun else verb

    def ask(source: Draw, alone: bool) -> Request:
        again = [retold(source, item) if item.told else item for item in chosen]
        if source.random() < 0.3:
            again = [_toggled(source, item) for item in again]
        return _request(source, _Words(name, shown_verb, subject), again, alone)

    return Function(
        FunctionTool(name, told, object_schema(draw, chosen) if chosen else _nothing(draw)),
        shown_verb,
        nouns,
        ask,
        {item.key: item.drawn for item in chosen},
    )


def _nothing(draw: Draw) -> dict[str, object]:
    empty: dict[str, object] = {"type": "object", "properties": {}}
    return {**empty, "additionalProperties": False} if draw.random() < 0.6 else empty


def _toggled(draw: Draw, item: Field) -> Field:
    """An optional field the other way: told, or not."""
    if item.required:
        return item
    if not item.told:
        return retold(draw, item)
    return Field(item.key, item.schema, item.value, "", False, item.shown, item.drawn)


def _head(draw: Draw, words: _Words, alone: bool) -> str:
    name, verb, subject = words
    kind = draw.random()
    if kind < 0.25 or (not verb and not alone):
        return draw.choice(_NAMED).format(n=name)
    if not verb or (alone and kind < 0.4):
        return draw.choice(_NOMINAL).format(s=subject, S=capital(subject))
    if alone and verb in _SYNONYMS and kind > 0.85:
        verb = draw.choice(_SYNONYMS[verb])
    return draw.choice(_VERBAL).format(v=verb, V=capital(verb), s=subject, a=_article(subject))


def _request(draw: Draw, words: _Words, fields: Sequence[Field], alone: bool) -> Request:
    written = [item for item in fields if item.is_written]
    arguments = {item.key: item.value for item in written}
    if draw.random() < 0.05:
        return Request(_as_code(draw, words.name, written), arguments)
    head = _head(draw, words, alone)
    end = draw.choice(("?", "?", "")) if head.lower().startswith(_QUESTIONS) else draw.choice((".", ".", "", "", "!"))
    if not written:
        return Request(head + end, arguments)
    first = written[0]
    only = None
    if len(written) == 1 and isinstance(first.value, str | int | float) and not isinstance(first.value, bool):
        only = (first.key, first.shown) if isinstance(first.value, str) else None
        if draw.random() < 0.65:
            return Request(_with_one(draw, head, first.shown) + end, arguments, only)
    told = _told(draw, written)
    if "\n" not in told and draw.random() < 0.12:
        form = draw.choice(_AHEAD)
        text = form.format(t=told, h=head, g=head if head.startswith(words.name) else head[:1].lower() + head[1:])
        return Request(capital(text) + end, arguments, only)
    return Request(
        _attach(head, draw.choice(_BEFORE_ALL).format(told)) + ("" if "\n" in told else end), arguments, only
    )


def _attach(head: str, tail: str) -> str:
    return f"{head}{tail}" if tail.startswith((":", ",")) else f"{head} {tail}"


def _with_one(draw: Draw, head: str, shown: str) -> str:
    if draw.random() < 0.08:
        return f"For {shown}, {head[:1].lower() + head[1:]}"
    return _attach(head, draw.choice(_BEFORE_ONE).format(shown))


def _told(draw: Draw, written: Sequence[Field]) -> str:
    """All values with their keys, mostly in one style."""
    items = list(written)
    if draw.random() < 0.35:
        draw.shuffle(items)
    kind = draw.random()
    if kind < 0.08:
        return "\n" + "\n".join(f"{draw.choice(('- ', ''))}{label_of(item.key)}: {item.shown}" for item in items)
    if kind < 0.5:
        style = draw.choice(
            ("{label} {value}", "{label}: {value}", "{label} is {value}", "{key}={value}", "{label} = {value}")
        )
        texts = [
            item.told
            if item.schema.get("type") == "object"
            else style.format(label=label_of(item.key), key=item.key, value=item.shown)
            for item in items
        ]
    else:
        texts = [item.told for item in items]
    return draw.choice((join(texts), join(texts), ", ".join(texts), " and ".join(texts)))


def _as_code(draw: Draw, name: str, written: Sequence[Field]) -> str:
    """A call as programs write it."""
    told = {item.key: item.value for item in written}
    if draw.random() < 0.4:
        return f"{draw.choice(('', 'Call ', 'Use '))}{name} {draw.choice(('', 'with '))}{compact(told)}"
    values = ", ".join(f"{key}={compact(value)}" for key, value in told.items())
    return f"{draw.choice(('', '', 'Call ', 'Run '))}{name}({values})"


def draw_functions(draw: Draw, count: int, known: Callable[[Draw], Function] | None = None) -> list[Function]:
    """Up to `count` functions with different names, the first the one to ask for.

    Some share a verb, a noun or parameters with the first. `known` draws the share of them that many programs have.
    """
    first = known(draw) if known and draw.random() < 0.35 else made_up(draw)
    found = [first]
    for _ in range(count - 1):
        other = _decoy(draw, first, known)
        if not any(_confusable(other, one) for one in found):
            found.append(other)
    return found


def _decoy(draw: Draw, first: Function, known: Callable[[Draw], Function] | None) -> Function:
    kind = draw.random()
    if kind < 0.2 and first.verb:
        return made_up(draw, nouns=first.nouns, is_small=True)
    if kind < 0.3 and first.verb:
        return made_up(draw, verb=first.verb, is_small=True)
    return known(draw) if known and kind < 0.6 else made_up(draw, is_small=True)


def _confusable(one: Function, other: Function) -> bool:
    if one.tool.name == other.tool.name:
        return True
    if set(one.nouns) & set(other.nouns):
        return one.nouns != other.nouns or one.verb == other.verb or not (one.verb and other.verb)
    return False
