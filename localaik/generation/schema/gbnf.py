"""Expressions as GBNF text, the grammar format of llama.cpp (its `grammars/README.md` and `src/llama-grammar.cpp`)."""

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from localaik.generation.schema.expressions import (
    EMPTY,
    NOTHING,
    Chars,
    Choice,
    Expr,
    Repeat,
    Rule,
    Seq,
    Text,
    choice,
    optional,
    rebuilt,
)
from localaik.generation.schema.factoring import factored

__all__ = ["GrammarTooLargeError", "NothingMatchesError", "quoted", "render", "written"]

# The engine copies and searches all rules for each request, and its check for left recursion follows every path of
# first symbols on its own.
_MAX_RULES: Final = 20_000
_MAX_FIRST_PATHS: Final = 10_000
_INLINE_CHARACTERS: Final = 60
_PASSES: Final = 64
_ESCAPES: Final = {**{code: f"\\x{code:02X}" for code in (*range(0x20), 0x7F)}, 0x22: '\\"', 0x5C: "\\\\"}


class NothingMatchesError(Exception):
    """The language has no text."""


class GrammarTooLargeError(Exception):
    """The language has too many rules for the engine."""


def render(root: Expr, name: str = "root") -> str:
    """The grammar of `root`, one rule per line, the first one named `name`.

    The others have that name with a capitalised word behind it, so rules of names without capitals never meet.

    Raises `NothingMatchesError` for an empty language and `GrammarTooLargeError`.
    """
    bodies = _pruned_bodies(root if isinstance(root, Rule) else Rule("root", root))
    bodies = _without_aliases(bodies)
    bodies = _reachable(next(iter(bodies)), factored(bodies))
    _check_first_paths(bodies)
    return _Writer(bodies, name).text()


def _reachable(root: Rule, bodies: Mapping[Rule, Expr] | None = None) -> dict[Rule, Expr]:
    """All rules of the grammar with their bodies, breadth first, so that what a rule needs mostly stands behind it."""
    found: dict[Rule, Expr] = {}
    todo = {root: None}
    while todo:
        rules, todo = todo, {}
        for rule in rules:
            body = found[rule] = rule.body if bodies is None else bodies[rule]
            todo.update((other, None) for other in _references(body) if other not in found and other not in rules)
        if len(found) + len(todo) > _MAX_RULES:
            raise GrammarTooLargeError
    return found


@lru_cache(maxsize=2048)
def _references(expr: Expr) -> tuple[Rule, ...]:
    """The rules that an expression names, with repetitions, in order."""
    found: list[Rule] = []
    todo = [expr]
    while todo:
        item = todo.pop()
        if isinstance(item, Rule):
            found.append(item)
        elif isinstance(item, Seq):
            todo += reversed(item.items)
        elif isinstance(item, Choice):
            todo += reversed(item.options)
        elif isinstance(item, Repeat):
            todo.append(item.item)
    return tuple(found)


def _pruned_bodies(root: Rule) -> dict[Rule, Expr]:
    """The rules that have a text, without the options and repetitions that can't be finished."""
    bodies = _reachable(root)
    users: dict[Rule, list[Rule]] = {rule: [] for rule in bodies}
    for rule, body in bodies.items():
        for other in dict.fromkeys(_references(body)):
            users[other].append(rule)
    productive: set[Rule] = set()
    todo = list(bodies)
    while todo:
        rule = todo.pop()
        if rule not in productive and _is_productive(bodies[rule], productive):
            productive.add(rule)
            todo += users[rule]
    if root not in productive:
        raise NothingMatchesError
    if len(productive) == len(bodies):
        return bodies
    return _reachable(root, {rule: _pruned(bodies[rule], productive) for rule in productive})


def _is_productive(expr: Expr, productive: set[Rule]) -> bool:
    if isinstance(expr, Rule):
        return expr in productive
    if isinstance(expr, Seq):
        return all(_is_productive(item, productive) for item in expr.items)
    if isinstance(expr, Choice):
        return any(_is_productive(option, productive) for option in expr.options)
    if isinstance(expr, Repeat):
        return expr.low == 0 or _is_productive(expr.item, productive)
    return True


def _pruned(expr: Expr, productive: set[Rule]) -> Expr:
    if isinstance(expr, Rule):
        return expr if expr in productive else NOTHING
    return rebuilt(expr, lambda part: _pruned(part, productive))


def _without_aliases(bodies: dict[Rule, Expr]) -> dict[Rule, Expr]:
    """The rules, with each that is only another name, or small and used once, replaced by its body."""
    root, *others = bodies
    uses = Counter(other for body in bodies.values() for other in _references(body))
    inline = {rule: bodies[rule] for rule in others if _is_inlined(bodies[rule], uses[rule])}
    return _reachable(root, {rule: _inlined(body, inline) for rule, body in bodies.items()})


def _is_inlined(body: Expr, uses: int) -> bool:
    if isinstance(body, Rule) or body == EMPTY:
        return True
    return uses == 1 and not _references(body) and len(written(body, {})) <= _INLINE_CHARACTERS


def _inlined(expr: Expr, inline: Mapping[Rule, Expr]) -> Expr:
    while isinstance(expr, Rule):
        body = inline.get(expr)
        if body is None:
            return expr
        expr = body
    return rebuilt(expr, lambda part: _inlined(part, inline))


def _check_first_paths(bodies: dict[Rule, Expr]) -> None:
    """Refuses grammars in which too many paths lead to a first character."""
    known: dict[Rule, tuple[int, bool]] = dict.fromkeys(bodies, (0, False))
    for _ in range(_PASSES):
        changed = False
        for rule in reversed(bodies):
            now = _first_paths(bodies[rule], known)
            if now[0] > _MAX_FIRST_PATHS:
                raise GrammarTooLargeError
            if now != known[rule]:
                known[rule] = now
                changed = True
        if not changed:
            return
    raise GrammarTooLargeError


def _first_paths(expr: Expr, known: dict[Rule, tuple[int, bool]]) -> tuple[int, bool]:
    """How many paths lead to a first character, and whether the expression can be empty."""
    if isinstance(expr, Rule):
        paths, empty = known[expr]
        return paths + 1, empty
    if isinstance(expr, Seq):
        total = 0
        for item in expr.items:
            paths, empty = _first_paths(item, known)
            total += paths
            if not empty:
                return total, False
        return total, True
    if isinstance(expr, Choice):
        each = [_first_paths(option, known) for option in expr.options]
        return sum(paths for paths, _ in each), any(empty for _, empty in each)
    if isinstance(expr, Repeat):
        paths, empty = _first_paths(expr.item, known)
        return paths + 1, empty or expr.low == 0
    return 1, False


class _Writer:
    """Names the rules and writes them."""

    def __init__(self, bodies: Mapping[Rule, Expr], name: str) -> None:
        self._bodies = bodies
        root, *others = bodies
        self._names = {root: name}
        taken: dict[str, int] = {}
        for rule in others:
            count = taken[rule.hint] = taken.get(rule.hint, 0) + 1
            own = name + rule.hint.capitalize()
            self._names[rule] = own if count == 1 else f"{own}-{count}"

    def text(self) -> str:
        return "".join(f"{self._names[rule]} ::= {written(body, self._names)}\n" for rule, body in self._bodies.items())


def written(expr: Expr, names: Mapping[Rule, str]) -> str:
    """An expression as GBNF; rules without a name there go by their hint."""
    if isinstance(expr, Text):
        return quoted(expr.value)
    if isinstance(expr, Chars):
        return _written_class(expr)
    if isinstance(expr, Rule):
        return names.get(expr, expr.hint)
    if isinstance(expr, Seq):
        return (
            " ".join(_grouped(item, names) if isinstance(item, Choice) else written(item, names) for item in expr.items)
            or '""'
        )
    if isinstance(expr, Choice):
        some = [option for option in expr.options if option != EMPTY]
        if len(some) < len(expr.options):
            return written(optional(choice(some)), names)
        return " | ".join(written(option, names) for option in some)
    item = expr.item
    atom = written(item, names) if isinstance(item, Chars | Rule) else _grouped(item, names)
    return atom + _written_counts(expr.low, expr.high)


def _grouped(expr: Expr, names: Mapping[Rule, str]) -> str:
    if isinstance(expr, Choice) and EMPTY in expr.options:
        return written(expr, names)
    return f"({written(expr, names)})"


def _written_counts(low: int, high: int | None) -> str:
    if high is None:
        return {0: "*", 1: "+"}.get(low) or f"{{{low},}}"
    if (low, high) == (0, 1):
        return "?"
    return f"{{{low}}}" if low == high else f"{{{low},{high}}}"


def quoted(text: str) -> str:
    """A GBNF literal."""
    return f'"{text.translate(_ESCAPES)}"'


@lru_cache(maxsize=1024)
def _written_class(chars: Chars) -> str:
    parts = [
        _class_character(low) if low == high else f"{_class_character(low)}-{_class_character(high)}"
        for low, high in chars.ranges
    ]
    return f"[{''.join(parts)}]"


def _class_character(code: int) -> str:
    character = chr(code)
    if character.isascii() and (character.isalnum() or character in " !#$%&'()*+,./:;<=>?@_`{|}~"):
        return character
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
