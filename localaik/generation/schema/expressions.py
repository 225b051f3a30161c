"""Languages as expressions: what schemas, patterns and tool calls are compiled to, and what `gbnf.render` writes.

An expression is a value; only `Rule` has an identity, because recursion needs a name. Hashes are kept, because large
expressions are looked up often. The same expressions describe
texts as they are written (JSON, with quotes and escapes) and, inside `regex` and `automata`, the characters that a
JSON string stands for.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Final

from localaik.generation.schema.charsets import ALL, CharSet

__all__ = [
    "ANYTHING",
    "EMPTY",
    "NOTHING",
    "Chars",
    "Choice",
    "Expr",
    "Repeat",
    "Rule",
    "Seq",
    "Text",
    "choice",
    "counted",
    "listed",
    "optional",
    "rebuilt",
    "repeat",
    "seq",
    "words",
]

# Repetitions up to this count are written as they are. The engine unrolls them, and refuses more than 2000.
_PLAIN_COUNT: Final = 64
_BLOCK: Final = 32
_TRIE_DEPTH: Final = 24


@dataclass(frozen=True, slots=True)
class Text:
    """Exactly this text."""

    value: str


@dataclass(frozen=True, slots=True)
class Chars:
    """One character of a set that is not empty."""

    ranges: CharSet


@dataclass(frozen=True, slots=True)
class Seq:
    """All items, one after the other. No items: the empty text."""

    items: "tuple[Expr, ...]"
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(("items", self.items)))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the options. No options: no text at all."""

    options: "tuple[Expr, ...]"
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(("options", self.options)))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Repeat:
    """`low` to `high` times the item; a `high` of None is no bound."""

    item: "Expr"
    low: int
    high: int | None
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.item, self.low, self.high)))

    def __hash__(self) -> int:
        return self._hash


class Rule:
    """A named language. `body` may refer to the rule itself, behind at least one character."""

    __slots__ = ("body", "hint")

    def __init__(self, hint: str, body: "Expr | None" = None) -> None:
        self.hint = hint
        self.body: Expr = NOTHING if body is None else body


Expr = Text | Chars | Seq | Choice | Repeat | Rule

EMPTY: Final = Seq(())
NOTHING: Final = Choice(())
ANYTHING: Final = Repeat(Chars(ALL), 0, None)


def seq(*items: Expr) -> Expr:
    """The items one after the other, flattened; adjacent texts become one."""
    flat: list[Expr] = []
    last: Expr | None = None
    for item in items:
        for part in item.items if isinstance(item, Seq) else (item,):
            if isinstance(part, Text) and isinstance(last, Text):
                flat[-1] = last = Text(last.value + part.value)
            elif isinstance(part, Choice) and not part.options:
                return NOTHING
            else:
                flat.append(part)
                last = part
    return flat[0] if len(flat) == 1 else Seq(tuple(flat))


def choice(options: Iterable[Expr]) -> Expr:
    """One of the options, flattened, each once."""
    flat: dict[Expr, None] = {}
    for option in options:
        for part in option.options if isinstance(option, Choice) else (option,):
            flat[part] = None
    return next(iter(flat)) if len(flat) == 1 else Choice(tuple(flat))


def optional(item: Expr) -> Expr:
    """The item, or nothing."""
    return repeat(item, 0, 1)


def repeat(item: Expr, low: int, high: int | None) -> Expr:
    """`low` to `high` times the item, in the simplest form."""
    if high == 0 or item == EMPTY:
        return EMPTY
    if item == NOTHING:
        return EMPTY if low == 0 else NOTHING
    if low == high == 1:
        return item
    if isinstance(item, Repeat) and high is None and (item.high is None or item.low == 0) and item.low <= 1:
        return Repeat(item.item, item.low * low, None)
    return Repeat(item, low, high)


def counted(item: Expr, low: int, high: int | None) -> Expr:
    """As `repeat`, for counts of any size: large ones become blocks of blocks, about log(count) small rules."""
    if item == NOTHING or high == 0 or (low <= 1 and (high is None or high <= 1)):
        return repeat(item, low, high)
    if not isinstance(item, Chars | Rule):
        item = Rule("item", item)
    if max(low, high or 0) <= _PLAIN_COUNT:
        return repeat(item, low, high)
    blocks: list[Expr] = [item]
    while _BLOCK ** len(blocks) <= max(low, high or 0):
        blocks.append(Rule("block", Repeat(blocks[-1], _BLOCK, _BLOCK)))
    tail = repeat(item, 0, None) if high is None else _up_to(blocks, high - low)
    return seq(_exactly(blocks, low), tail)


def listed(item: Expr, low: int, high: int | None) -> Expr:
    """`low` to `high` items with commas between them."""
    if high == 0:
        return EMPTY
    if not isinstance(item, Rule | Chars):
        item = Rule("item", item)
    more = counted(seq(Text(","), item), max(low - 1, 0), None if high is None else high - 1)
    some = seq(item, more)
    return some if low else optional(some)


def rebuilt(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """The expression with its parts changed, in the simplest form; itself where no part changes."""
    if isinstance(expr, Seq | Choice):
        parts = expr.items if isinstance(expr, Seq) else expr.options
        changed = [change(part) for part in parts]
        if all(map(is_, parts, changed)):
            return expr
        return seq(*changed) if isinstance(expr, Seq) else choice(changed)
    if isinstance(expr, Repeat):
        item = change(expr.item)
        return expr if item is expr.item else repeat(item, expr.low, expr.high)
    return expr


def words(texts: Sequence[str]) -> Expr:
    """Exactly one of the texts. Shared beginnings are shared, so that a reader of it has few ways to go on."""
    return _words(sorted(set(texts)), 0, 0)


def _words(texts: list[str], start: int, depth: int) -> Expr:
    """The rests of sorted, distinct texts from `start` on, where all of them agree before it."""
    if depth > _TRIE_DEPTH:
        return choice(Text(text[start:]) if len(text) > start else EMPTY for text in texts)
    options: list[Expr] = []
    rest = texts
    if rest and len(rest[0]) == start:
        options.append(EMPTY)
        rest = rest[1:]
    while rest:
        letter = rest[0][start]
        count = next((i for i, text in enumerate(rest) if text[start] != letter), len(rest))
        group, rest = rest[:count], rest[count:]
        # Sorted texts agree exactly as far as the first and the last one do.
        first, last, end = group[0], group[-1], start + 1
        while end < len(first) and end < len(last) and first[end] == last[end]:
            end += 1
        options.append(seq(Text(first[start:end]), _words(group, end, depth + 1)))
    return choice(options)


def _exactly(blocks: list[Expr], count: int) -> Expr:
    """`count` times blocks[0], where blocks[k] is _BLOCK times blocks[k - 1]."""
    parts: list[Expr] = []
    for level in range(len(blocks) - 1, -1, -1):
        times, count = divmod(count, _BLOCK**level)
        parts.append(repeat(blocks[level], times, times))
    return seq(*parts)


def _up_to(blocks: list[Expr], count: int) -> Expr:
    """At most `count` times blocks[0]."""
    if count == 0:
        return EMPTY
    level = len(blocks) - 1
    while _BLOCK**level > count:
        level -= 1
    if level == 0:
        return repeat(blocks[0], 0, count)
    times, rest = divmod(count, _BLOCK**level)
    # Fewer whole blocks and any part of one, or all whole blocks and what is left.
    parts = [repeat(blocks[below], 0, _BLOCK - 1) for below in range(level - 1, -1, -1)]
    fewer = seq(repeat(blocks[level], 0, times - 1), *parts)
    return choice([fewer, seq(repeat(blocks[level], times, times), _up_to(blocks, rest))])
