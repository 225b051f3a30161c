"""JSON values and the insides of JSON strings as expressions over the text that is generated."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from localaik.generation.schema.automata import MAX_STEPS, Automaton, Term, accepts_empty
from localaik.generation.schema.charsets import ALL, CharSet, charset, complement, intersection, single
from localaik.generation.schema.expressions import (
    ANYTHING,
    EMPTY,
    Chars,
    Choice,
    Expr,
    Repeat,
    Rule,
    Seq,
    Text,
    choice,
    counted,
    repeat,
    seq,
)

__all__ = ["CHARACTER", "QUOTE", "STRING", "TextRules", "encode", "literal"]

_ESCAPES: Final = {'"': '"', "\\": "\\", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
_MUST_ESCAPE: Final = charset([(0, 0x1F), (0x22, 0x22), (0x5C, 0x5C)])
_HEX: Final = Chars(single("0123456789abcdefABCDEF"))
_HEX_BELOW_D: Final = Chars(single("0123456789abcABCeEfF"))

_encoded: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

_MAX_STEPS_OF_ALL: Final = 3 * MAX_STEPS

QUOTE: Final = Text('"')

# Every escape stands for one character: no half of a surrogate pair can be written.
CHARACTER: Final = Rule(
    "char",
    choice(
        [
            Chars(complement(_MUST_ESCAPE)),
            seq(Text("\\"), Chars(single('"\\/bfnrt'))),
            seq(Text("\\u"), _HEX_BELOW_D, _HEX, _HEX, _HEX),
            seq(Text("\\u"), Chars(single("dD")), Chars(single("01234567")), _HEX, _HEX),
        ]
    ),
)
STRING: Final = Rule("string", seq(QUOTE, repeat(CHARACTER, 0, None), QUOTE))


def literal(value: object) -> str:
    """A JSON value as compact JSON. Raises `ValueError` for what JSON can't write (NaN, half a surrogate pair)."""
    text = _encoded(value)
    text.encode()
    return text


def encode(expr: Expr) -> Expr:
    """An expression over characters as the text inside a JSON string."""
    if isinstance(expr, Chars):
        return _encode_class(expr.ranges)
    if isinstance(expr, Seq):
        return seq(*map(encode, expr.items))
    if isinstance(expr, Choice):
        return choice(map(encode, expr.options))
    if isinstance(expr, Repeat):
        return counted(encode(expr.item), expr.low, expr.high)
    return expr


class TextRules:
    """The rules of automata, encoded. Equal languages share a rule. All methods raise `TooManyStatesError`."""

    def __init__(self) -> None:
        self._left = _MAX_STEPS_OF_ALL
        self._automaton = Automaton()
        self._rules: dict[Term, Rule] = {}

    def rule(self, term: Term) -> Expr:
        """The texts of `term` inside a JSON string."""
        with self._budgeted() as automaton:
            todo: list[Term] = []
            new: dict[Term, Rule] = {}
            start = self._known(term, new, todo)
            while todo:
                state = todo.pop()
                options: list[Expr] = [EMPTY] if accepts_empty(state) else []
                for chars, rest in automaton.steps(state):
                    options.append(seq(encode(Chars(chars)), self._known(rest, new, todo)))
                new[state].body = choice(options)
        self._rules.update(new)
        return start

    def steps(self, term: Term) -> list[tuple[CharSet, Term]]:
        """The sets of first characters of `term`, each with the language of what may follow it."""
        with self._budgeted() as automaton:
            return automaton.steps(term)

    def has_text(self, term: Term) -> bool:
        """The language is not empty."""
        with self._budgeted() as automaton:
            return automaton.has_text(term)

    @contextmanager
    def _budgeted(self) -> Iterator[Automaton]:
        """The automaton, with a budget for one use; all uses together have another one."""
        budget = self._automaton.budget = min(MAX_STEPS, self._left)
        try:
            yield self._automaton
        finally:
            self._left -= budget - max(self._automaton.budget, 0)

    def _known(self, state: Term, new: dict[Term, Rule], todo: list[Term]) -> Expr:
        """The expression of a state; a new rule is still to be filled and added to `todo`."""
        if state == EMPTY:
            return EMPTY
        if state == ANYTHING:
            return repeat(CHARACTER, 0, None)
        rule = self._rules.get(state) or new.get(state)
        if rule is None:
            rule = new[state] = Rule("text")
            todo.append(state)
        return rule


@lru_cache(maxsize=512)
def _encode_class(chars: CharSet) -> Expr:
    """One character of a set. Control characters without a short escape are written only where nothing else is."""
    if chars == ALL:
        return CHARACTER
    options: list[Expr] = []
    plain = intersection(chars, complement(_MUST_ESCAPE))
    if plain:
        options.append(Chars(plain) if plain != ((plain[0][0], plain[0][0]),) else Text(chr(plain[0][0])))
    letters = "".join(escape for character, escape in _ESCAPES.items() if intersection(chars, single(character)))
    if letters:
        options.append(Text(f"\\{letters}") if len(letters) == 1 else seq(Text("\\"), Chars(single(letters))))
    if not options:
        options = [Text(f"\\u{code:04x}") for low, high in chars for code in range(low, high + 1)]
    expr = choice(options)
    return expr if isinstance(expr, Text | Chars) else Rule("class", expr)
