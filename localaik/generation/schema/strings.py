"""Schemas of strings as expressions."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Final

from localaik.generation.schema.automata import Automaton, Term, TooManyStatesError, accepts_empty, both, other
from localaik.generation.schema.charsets import ALL, CharSet, intersection
from localaik.generation.schema.expressions import (
    NOTHING,
    Chars,
    Choice,
    Expr,
    Repeat,
    Rule,
    Seq,
    choice,
    counted,
    repeat,
    seq,
)
from localaik.generation.schema.faults import InvalidSchemaError, UnsupportedKeywordError
from localaik.generation.schema.formats import STRING_FORMATS
from localaik.generation.schema.jsontext import CHARACTER, QUOTE, STRING, TextRules, encode
from localaik.generation.schema.regex import InvalidPatternError, Language, UnsupportedPatternError, parse_pattern

__all__ = ["StringRules", "Strings", "matches", "pattern_language"]

_TOO_COMPLEX: Final = "its combination with the other keywords is too complex"

# First characters by which strings are told apart. Control characters are none.
_FIRST_CHARACTERS: Final[tuple[CharSet, ...]] = (
    ((0x20, 0x2F),),
    *(((code, code),) for code in range(0x30, 0x3A)),
    ((0x3A, 0x40),),
    *(((code, code),) for code in range(0x41, 0x5B)),
    ((0x5B, 0x60),),
    *(((code, code),) for code in range(0x61, 0x7B)),
    ((0x7B, 0x3FF),),
    *(((code, code + 0x3FF),) for code in range(0x400, 0xD800, 0x400)),
    ((0xE000, 0x10FFFF),),
)


@dataclass(slots=True)
class Strings:
    """What all schemas of one place ask of a string; `path` is where to report a fault of the whole."""

    path: str
    low: int = 0
    high: int | None = None
    """Lengths in characters (code points)."""
    patterns: list[Language] = field(default_factory=list)
    excluded_patterns: list[Language] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)
    """Only those of `STRING_FORMATS`."""


def pattern_language(pattern: str, path: str, *, generous: bool = False) -> Language:
    """The strings that a `pattern` at `path` allows, or with `generous`, those that it may allow."""
    try:
        return parse_pattern(pattern, generous=generous)
    except InvalidPatternError as error:
        raise InvalidSchemaError(path, f"`{pattern}` is no regular expression: {error}.") from None
    except UnsupportedPatternError as error:
        raise UnsupportedKeywordError(path, f"the regular expression `{pattern}` is not supported, {error}") from None


def matches(language: Language, text: str, path: str) -> bool:
    """Whether a text is in the language of the pattern at `path`."""
    try:
        return Automaton().contains(language.term, text)
    except TooManyStatesError:
        raise UnsupportedKeywordError(path, "the regular expression is too complex") from None


class StringRules:
    """Compiles strings; the rules of one grammar share automata."""

    def __init__(self) -> None:
        self._rules = TextRules()
        self._plain: dict[tuple[int, int | None], Expr] = {}

    def compile(self, strings: Strings) -> Expr:
        """The JSON strings that meet all demands. Raises `UnsupportedKeywordError`."""
        if strings.high is not None and strings.low > strings.high:
            return NOTHING
        why = _TOO_COMPLEX
        for required, excluded in _languages(strings):
            if not required and not excluded:
                return self._of_length(strings.low, strings.high)
            simple = _simple(required, strings) if not excluded else None
            if simple is not None:
                return seq(QUOTE, encode(simple), QUOTE)
            try:
                term = _term(required, excluded, strings)
                if strings.formats and not self._rules.has_text(term):
                    why = f"no string of the format `{strings.formats[0]}` is known that meets the other keywords"
                    continue
                return seq(QUOTE, self._rules.rule(term), QUOTE)
            except TooManyStatesError:
                continue
        raise UnsupportedKeywordError(strings.path, why)

    def by_first_character(self, strings: Strings) -> list[Expr]:
        """The strings in parts that have no value in common, because they begin with other characters."""
        for required, excluded in _languages(strings):
            try:
                term = _term(required, excluded, strings)
                parts: list[Expr] = [seq(QUOTE, QUOTE)] if accepts_empty(term) else []
                for chars, rest in self._rules.steps(term):
                    tail = self._rules.rule(rest)
                    parts += [seq(QUOTE, encode(Chars(part)), tail, QUOTE) for part in _split(chars)]
            except TooManyStatesError:
                continue
            return parts
        raise UnsupportedKeywordError(strings.path, _TOO_COMPLEX)

    def _of_length(self, low: int, high: int | None) -> Expr:
        if (low, high) == (0, None):
            return STRING
        if (low, high) not in self._plain:
            self._plain[low, high] = Rule("string", seq(QUOTE, counted(CHARACTER, low, high), QUOTE))
        return self._plain[low, high]


def _languages(strings: Strings) -> Iterator[tuple[list[Expr], list[Term]]]:
    """What must match and what must not, for each form that the formats have."""
    required = [expr for language in strings.patterns for expr in language.required]
    excluded: list[Term] = [expr for language in strings.patterns for expr in language.excluded]
    excluded += [language.term for language in strings.excluded_patterns]
    if strings.excluded:
        excluded.append(choice(seq(*(Chars(((ord(c), ord(c)),)) for c in text)) for text in strings.excluded))
    for formats in product(*(STRING_FORMATS[name] for name in strings.formats)):
        forms = [expr for pattern in formats for expr in parse_pattern(f"^(?:{pattern})$").required]
        yield list(dict.fromkeys([*required, *forms])), excluded


def _term(required: list[Expr], excluded: list[Term], strings: Strings) -> Term:
    length = repeat(Chars(ALL), strings.low, strings.high)
    return both([length, *required, *map(other, excluded)])


def _simple(required: list[Expr], strings: Strings) -> Expr | None:
    """One expression that needs no automaton, if there is one."""
    if len(required) != 1 or _repeats_nothing(required[0]):
        return None
    expr = required[0]
    shortest, longest = _lengths(expr)
    if isinstance(expr, Repeat) and isinstance(expr.item, Chars):
        bounds = [bound for bound in (expr.high, strings.high) if bound is not None]
        low, high = max(expr.low, strings.low), min(bounds, default=None)
        return NOTHING if high is not None and low > high else repeat(expr.item, low, high)
    if shortest < strings.low or (strings.high is not None and (longest is None or longest > strings.high)):
        return None
    return expr


def _repeats_nothing(expr: Expr) -> bool:
    """A repetition of what can be empty: the engine takes it for endless recursion."""
    if isinstance(expr, Seq):
        return any(map(_repeats_nothing, expr.items))
    if isinstance(expr, Choice):
        return any(map(_repeats_nothing, expr.options))
    return isinstance(expr, Repeat) and (accepts_empty(expr.item) or _repeats_nothing(expr.item))


def _lengths(expr: Expr) -> tuple[int, int | None]:
    """The length of the shortest text, and a bound of the longest one or None."""
    if isinstance(expr, Seq):
        each = list(map(_lengths, expr.items))
        longest = [high for _, high in each]
        return sum(low for low, _ in each), None if None in longest else sum(high or 0 for high in longest)
    if isinstance(expr, Choice):
        each = list(map(_lengths, expr.options))
        longest = [high for _, high in each]
        shortest = min((low for low, _ in each), default=0)
        return shortest, None if None in longest else max((high or 0 for high in longest), default=0)
    if isinstance(expr, Repeat):
        low, high = _lengths(expr.item)
        return low * expr.low, None if high is None or expr.high is None else high * expr.high
    return 1, 1


def _split(chars: CharSet) -> list[CharSet]:
    """A set of first characters in parts: letters and digits of ASCII one by one, others in groups."""
    parts = [intersection(chars, group) for group in _FIRST_CHARACTERS]
    return [part for part in parts if part]
