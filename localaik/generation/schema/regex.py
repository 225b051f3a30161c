r"""Regular expressions (ECMA-262, the dialect of JSON Schema's `pattern`) as expressions over characters.

The language of a pattern is the set of strings in which it finds a match. Validators differ on `\d`, `\w`, `\s`, `.`
and `$`. Where they do, the expression keeps to the strings that match in ECMA-262 and in Python; and where the strings
that do not match are wanted, it has those that match in either.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from localaik.generation.schema.automata import Term, accepts_empty, both, other
from localaik.generation.schema.charsets import ALL, CharSet, charset, complement, intersection, single
from localaik.generation.schema.expressions import (
    ANYTHING,
    Chars,
    Expr,
    Repeat,
    choice,
    repeat,
    seq,
)

__all__ = ["InvalidPatternError", "Language", "UnsupportedPatternError", "parse_pattern"]

_MAX_DEPTH: Final = 40
_MAX_LENGTH: Final = 4000


class InvalidPatternError(Exception):
    """The text is no regular expression."""


class UnsupportedPatternError(Exception):
    """The regular expression uses what can't be compiled."""


@dataclass(frozen=True, slots=True)
class Language:
    """The strings that are in all of `required` and in none of `excluded`."""

    required: tuple[Expr, ...]
    excluded: tuple[Expr, ...] = ()

    @property
    def term(self) -> Term:
        """The language as one term for an automaton."""
        return both([*self.required, *map(other, self.excluded)])


@dataclass(frozen=True, slots=True)
class _Edge:
    """`^` or `$`; in Python, `$` is also before a last line feed, which only a `generous` one takes."""

    start: bool
    generous: bool = False


@dataclass(frozen=True, slots=True)
class _Look:
    """`(?=…)` or `(?!…)`."""

    inner: "_Node"
    negative: bool


@dataclass(frozen=True, slots=True)
class _Sequence:
    items: "tuple[_Node, ...]"


@dataclass(frozen=True, slots=True)
class _Alternatives:
    options: "tuple[_Node, ...]"


@dataclass(frozen=True, slots=True)
class _Repetition:
    item: "_Node"
    low: int
    high: int | None


_START: Final = _Edge(start=True)
_LAST_LINE_FEED: Final = Repeat(Chars(single("\n")), 0, 1)

_Node = Chars | Repeat | _Edge | _Look | _Sequence | _Alternatives | _Repetition


@lru_cache(maxsize=256)
def parse_pattern(pattern: str, *, generous: bool = False) -> Language:
    """The strings in which `pattern` surely matches somewhere, or with `generous`, those in which it may match.

    Raises `InvalidPatternError` and `UnsupportedPatternError`.
    """
    if len(pattern) > _MAX_LENGTH:
        raise UnsupportedPatternError(f"it is longer than {_MAX_LENGTH} characters")
    tree = _Parser(pattern, generous=generous).parse()
    looks: list[_Look] = []
    if isinstance(tree, _Sequence) and tree.items and tree.items[0] == _START:
        rest = tree.items[1:]
        while rest and isinstance(rest[0], _Look):
            looks.append(rest[0])
            rest = rest[1:]
        tree = _Sequence((_START, *rest))
    ahead = [(look.negative, _plain(_open_right(look.inner))) for look in looks]
    required = [expr for negative, expr in ahead if not negative]
    main = _plain(_open_right(_open_left(tree)))
    return Language((*required, main), tuple(expr for negative, expr in ahead if negative))


def _open_left(node: _Node) -> _Node:
    """Puts "anything" in front of what does not start with `^`."""
    if isinstance(node, _Alternatives):
        return _Alternatives(tuple(map(_open_left, node.options)))
    if isinstance(node, _Edge) and node.start:
        return _Sequence(())
    if isinstance(node, _Sequence) and node.items:
        first, *rest = node.items
        return _Sequence((_open_left(first), *rest))
    return _Sequence((ANYTHING, node))


def _open_right(node: _Node) -> _Node:
    """Puts "anything" behind what does not end with `$`."""
    if isinstance(node, _Alternatives):
        return _Alternatives(tuple(map(_open_right, node.options)))
    if isinstance(node, _Edge) and not node.start:
        return _Sequence((_LAST_LINE_FEED,) if node.generous else ())
    if isinstance(node, _Sequence) and node.items:
        *rest, last = node.items
        return _Sequence((*rest, _open_right(last)))
    return node if node == ANYTHING else _Sequence((node, ANYTHING))


def _plain(node: _Node) -> Expr:
    """The node as an expression; edges that are left have no place in one."""
    if isinstance(node, Chars | Repeat):
        return node
    if isinstance(node, _Sequence):
        return seq(*map(_plain, node.items))
    if isinstance(node, _Alternatives):
        return choice(map(_plain, node.options))
    if isinstance(node, _Repetition):
        item = _plain(node.item)
        return repeat(item, 0 if accepts_empty(item) else node.low, node.high)
    if isinstance(node, _Edge):
        raise UnsupportedPatternError(f"`{'^' if node.start else '$'}` stands inside of it")
    raise UnsupportedPatternError("a lookahead is compiled only directly behind the `^` of the whole pattern")


# What a class escape surely stands for, and what it may stand for in one dialect or the other.
_SPACES: Final = (*single("\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000"), (0x2000, 0x200A))
_CLASSES: Final[dict[str, tuple[CharSet, CharSet]]] = {
    "d": (charset([(0x30, 0x39)]), ()),
    "w": (charset([(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]), ()),
    "s": (charset(_SPACES), charset([*_SPACES, (0x1C, 0x1F), (0x85, 0x85), (0xFEFF, 0xFEFF)])),
}
_COUNTS: Final = re.compile("[0-9]+(?:,[0-9]*)?|,[0-9]+")
_LINE_ENDS: Final = single("\n\r\u2028\u2029")
_CONTROLS: Final = {"t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r"}


@lru_cache(maxsize=1)
def _digits_of_all_scripts() -> CharSet:
    r"""Python's `\d`."""
    return charset((code, code) for code in range(0x20000) if unicodedata.category(chr(code)) == "Nd")


def _class_escape(letter: str) -> tuple[CharSet, CharSet]:
    r"""What `\d` and its kind surely match, and what they may match."""
    sure, possible = _CLASSES[letter.lower()]
    if letter in "dD":
        possible = _digits_of_all_scripts() if letter == "D" else charset([*sure, (0x80, 0x10FFFF)])
    elif letter in "wW":
        possible = charset([*sure, (0x80, 0x10FFFF)])
    if letter.isupper():
        return complement(possible), complement(sure)
    return sure, possible


class _Parser:
    """Recursive descent over one pattern."""

    def __init__(self, pattern: str, *, generous: bool) -> None:
        self._text = pattern
        self._generous = generous
        self._at = 0
        self._depth = 0

    def parse(self) -> _Node:
        tree = self._alternatives()
        if self._at < len(self._text):
            raise InvalidPatternError(f"unmatched `)` at {self._at}")
        return tree

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        character = self._peek()
        if not character:
            raise InvalidPatternError("it ends too early")
        self._at += 1
        return character

    def _skip(self, text: str) -> bool:
        if self._text.startswith(text, self._at):
            self._at += len(text)
            return True
        return False

    def _alternatives(self) -> _Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise UnsupportedPatternError("its groups are nested too deep")
        options = [self._sequence()]
        while self._skip("|"):
            options.append(self._sequence())
        self._depth -= 1
        return options[0] if len(options) == 1 else _Alternatives(tuple(options))

    def _sequence(self) -> _Node:
        items: list[_Node] = []
        while self._peek() not in {"", "|", ")"}:
            items.append(self._quantified(self._atom()))
        return items[0] if len(items) == 1 and not isinstance(items[0], _Edge) else _Sequence(tuple(items))

    def _quantified(self, atom: _Node) -> _Node:
        low, high = self._quantifier()
        if (low, high) == (1, 1):
            return atom
        if isinstance(atom, _Edge | _Look):
            raise InvalidPatternError(f"nothing to repeat at {self._at}")
        self._skip("?")  # lazy or greedy: the same strings
        if self._peek() in {"*", "+", "?"}:
            raise UnsupportedPatternError("a quantifier follows a quantifier")
        return _Repetition(atom, low, high)

    def _quantifier(self) -> tuple[int, int | None]:
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if self._peek() in simple:
            return simple[self._next()]
        counts = self._counts()
        if counts is None:
            return 1, 1
        if counts[1] is not None and counts[0] > counts[1]:
            raise InvalidPatternError(f"the counts at {self._at} are in the wrong order")
        if counts == (1, 1):
            self._skip("?")
        return counts

    def _counts(self) -> tuple[int, int | None] | None:
        """`{n}`, `{n,}` or `{n,m}`; a brace that starts none of them is an ordinary character."""
        end = self._text.find("}", self._at)
        if self._peek() != "{" or end < 0:
            return None
        inner = self._text[self._at + 1 : end]
        if not _COUNTS.fullmatch(inner):
            return None
        low, comma, high = inner.partition(",")
        if not low or len(inner) > 12:
            raise UnsupportedPatternError(f"the counts {{{inner}}} are too large or have no first number")
        self._at = end + 1
        if not comma:
            return int(low), int(low)
        return int(low), int(high) if high else None

    def _atom(self) -> _Node:
        character = self._next()
        if character == "(":
            return self._group()
        if character == "[":
            return Chars(self._class())
        if character in "^$":
            return _START if character == "^" else _Edge(start=False, generous=self._generous)
        if character == ".":
            return Chars(complement(single("\n") if self._generous else _LINE_ENDS))
        if character in "*+?":
            raise InvalidPatternError(f"nothing to repeat at {self._at - 1}")
        if character == "\\":
            letter = self._peek()
            if letter and letter in "dDwWsS":
                self._at += 1
                return Chars(_class_escape(letter)[self._generous])
            return Chars(self._single(self._escaped()))
        return Chars(self._single(character))

    def _group(self) -> _Node:
        negative = self._text.startswith("(?!", self._at - 1)
        look = negative or self._text.startswith("(?=", self._at - 1)
        if look:
            self._at += 2
        elif self._skip("?"):
            named = self._skip("P<") or (self._skip("<") and self._peek() not in {"=", "!"})
            if named:
                name, _, _ = self._text[self._at :].partition(">")
                if not name.isidentifier():
                    raise InvalidPatternError(f"a group at {self._at} has no name")
                self._at += len(name) + 1
            elif not self._skip(":"):
                raise UnsupportedPatternError("it has a group of an unknown kind (lookbehind or flags)")
        self._generous ^= negative
        inner = self._alternatives()
        self._generous ^= negative
        if not self._skip(")"):
            raise InvalidPatternError("a group is not closed")
        return _Look(inner, negative) if look else inner

    def _class(self) -> CharSet:
        negated = self._skip("^")
        if self._peek() == "]":
            raise UnsupportedPatternError("dialects differ on `[]` and `[^]`")
        sure: list[tuple[int, int]] = []
        possible: list[tuple[int, int]] = []
        while not self._skip("]"):
            low = self._class_member()
            if isinstance(low, int) and self._peek() == "-" and self._text[self._at + 1 : self._at + 2] != "]":
                self._at += 1
                high = self._class_member()
                if not isinstance(high, int):
                    raise UnsupportedPatternError("a class escape ends a range")
                if low > high:
                    raise InvalidPatternError(f"a range at {self._at} is in the wrong order")
                low = (charset([(low, high)]), charset([(low, high)]))
            if isinstance(low, int):
                low = (charset([(low, low)]), charset([(low, low)]))
            sure += low[0]
            possible += low[1]
        taken = charset(possible if negated != self._generous else sure)
        chars = complement(taken) if negated else taken
        if not chars:
            raise UnsupportedPatternError("a class is empty")
        return chars

    def _class_member(self) -> int | tuple[CharSet, CharSet]:
        """One code point, or what a class escape stands for."""
        character = self._next()
        if character != "\\":
            return ord(character)
        letter = self._peek()
        if letter and letter in "dDwWsS":
            self._at += 1
            return _class_escape(letter)
        if self._skip("b"):
            return 0x08
        return self._escaped()

    def _escaped(self) -> int:
        """The code point of an escape, the backslash read already."""
        letter = self._next()
        if letter in _CONTROLS:
            return ord(_CONTROLS[letter])
        if letter == "x":
            return self._hex(2)
        if letter == "u":
            return self._unicode()
        if letter == "c" and self._peek().isascii() and self._peek().isalpha():
            return ord(self._next()) % 32
        if letter == "0" and not self._peek().isdecimal():
            return 0
        if letter.isalnum():
            raise UnsupportedPatternError(f"`\\{letter}` is not compiled")
        return ord(letter)

    def _unicode(self) -> int:
        if self._skip("{"):
            digits, brace, _ = self._text[self._at :].partition("}")
            if not brace or not 1 <= len(digits) <= 6:
                raise InvalidPatternError(f"a code point at {self._at} has no digits or no end")
            code = self._hex(len(digits))
            self._at += 1
            return code
        code = self._hex(4)
        if 0xD800 <= code < 0xDC00 and self._skip("\\u"):
            return 0x10000 + ((code - 0xD800) << 10) + (self._hex(4) - 0xDC00)
        return code

    def _hex(self, count: int) -> int:
        digits = self._text[self._at : self._at + count]
        if len(digits) < count or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
            raise InvalidPatternError(f"{count} hexadecimal digits are missing at {self._at}")
        self._at += count
        return int(digits, 16)

    def _single(self, code: int | str) -> CharSet:
        value = code if isinstance(code, int) else ord(code)
        chars = intersection(((value, value),), ALL)
        if not chars:
            raise UnsupportedPatternError("it names half of a surrogate pair")
        return chars
