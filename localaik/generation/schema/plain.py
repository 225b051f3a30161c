"""Rules for the schemas that most tools declare, written directly: no demands are merged, and nothing is optimised.

The language is the one that `Compiler` gives the same schema; only the way there is shorter. Whatever is not one of the
few keywords here, or is no schema at all, is left to the compiler.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache, lru_cache
from typing import Final

from localaik.generation.schema.compiler import ANY_OBJECT, ANY_VALUE
from localaik.generation.schema.expressions import NOTHING, Expr, words
from localaik.generation.schema.faults import UnsupportedSchemaError
from localaik.generation.schema.gbnf import quoted, render, written
from localaik.generation.schema.jsontext import STRING, literal
from localaik.generation.schema.numbers import INTEGER, NUMBER, Numbers, compile_integer, compile_number

__all__ = ["plain_rules"]

_MAX_DEPTH: Final = 40
_MAX_RULES: Final = 1000
_MAX_COUNT: Final = 64
_MAX_BOUND: Final = 10**15
_FEW: Final = 8

_ANNOTATIONS: Final = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment"}
)
_SHARED: Final[Mapping[str, Expr]] = {
    "String": STRING,
    "Integer": INTEGER,
    "Number": NUMBER,
    "Any": ANY_VALUE,
    "AnyObject": ANY_OBJECT,
}
_BOOLEAN: Final = '("true" | "false")'
_NULL: Final = '"null"'
_QUOTE: Final = quoted('"')

_Schema = dict[str, object]


class _NotPlainError(Exception):
    """The schema is left to the compiler."""


def plain_rules(schema: object, name: str) -> str | None:
    """The rules of a schema's values, the first one named `name`, or None for a schema that is not plain."""
    writer = _Writer(name)
    try:
        body = writer.value(schema, 0)
    except (_NotPlainError, ValueError):  # literals raise `ValueError` for what JSON can't write
        return None
    return "\n".join([f"{name} ::= {body}", *writer.rules.values()])


class _Writer:
    """Writes the rules of one schema. What its methods give can be repeated: a rule's name, a literal or a group."""

    def __init__(self, name: str) -> None:
        self.rules: dict[str, str] = {}
        self._name = name

    def value(self, schema: object, depth: int) -> str:
        """The values of a schema. Raises `_NotPlainError`."""
        if not isinstance(schema, dict) or depth > _MAX_DEPTH:
            raise _NotPlainError
        keywords = schema.keys() - _ANNOTATIONS
        if "enum" in keywords or "const" in keywords:
            return _listed(schema, keywords)
        if "anyOf" in keywords:
            return self._nullable(schema, keywords, depth)
        kind = schema.get("type")
        if isinstance(kind, list):
            others = [name for name in kind if name != "null"]
            if len(kind) != 2 or len(others) != 1:
                raise _NotPlainError
            return f"({self._of(others[0], schema, keywords, depth)} | {_NULL})"
        return self._of(kind, schema, keywords, depth)

    def _of(self, kind: object, schema: _Schema, keywords: set[str], depth: int) -> str:
        """The values of one type."""
        known = _KINDS.get(kind) if isinstance(kind, str) else None
        if known is None or not keywords <= known[0]:
            raise _NotPlainError
        return known[1](self, schema, depth)

    def _nullable(self, schema: _Schema, keywords: set[str], depth: int) -> str:
        members = schema["anyOf"]
        if keywords != {"anyOf"} or not isinstance(members, list) or len(members) != 2:
            raise _NotPlainError
        others = [member for member in members if member != {"type": "null"}]
        if len(others) != 1:
            raise _NotPlainError
        return f"({self.value(others[0], depth + 1)} | {_NULL})"

    def object(self, schema: _Schema, depth: int) -> str:
        """The declared properties in their order; without any, a map of anything."""
        properties, required = schema.get("properties", {}), schema.get("required", [])
        extra = schema.get("additionalProperties", True)
        if not isinstance(properties, dict) or not isinstance(required, list) or not isinstance(extra, bool):
            raise _NotPlainError
        if not all(isinstance(name, str) and name in properties for name in required):
            raise _NotPlainError
        if len(set(required)) < len(required):
            raise _NotPlainError
        if not properties:
            return self._shared("AnyObject") if extra else '"{}"'
        parts = [(f"{literal(name)}:", self.value(value, depth + 1)) for name, value in properties.items()]
        if required:
            return self._rule("Object", _around_required(parts, [name in required for name in properties]))
        return self._rule("Object", self._none_required(parts))

    def _none_required(self, parts: Sequence[tuple[str, str]]) -> str:
        """Any of the parts first, then any of the later ones."""
        options: list[str] = []
        rest = ""
        for key, value in reversed(parts):
            part = self._rule("Part", f"{quoted(key)} {value}")
            options.append(f"{part} {rest}".rstrip())
            rest = self._rule("Rest", f'("," {part})? {rest}'.rstrip())
        return f'"{{" ({" | ".join(reversed(options))})? "}}"'

    def array(self, schema: _Schema, depth: int) -> str:
        """Items of one kind, of a count that is small or has no bound."""
        low, high = _counts(schema, "minItems", "maxItems")
        item = self.value(schema["items"], depth + 1) if "items" in schema else self._shared("Any")
        if high == 0:
            return '"[]"'
        if not item.startswith(self._name):
            item = self._rule("Item", item)
        more = f'("," {item}){_repeated(max(low - 1, 0), None if high is None else high - 1)}' if high != 1 else ""
        some = f"{item} {more}".rstrip()
        return self._rule("Array", f'"[" {some} "]"' if low else f'"[" ({some})? "]"')

    def string(self, schema: _Schema, depth: int) -> str:
        """Strings of any length, or of a small one."""
        low, high = _counts(schema, "minLength", "maxLength")
        string = self._shared("String")
        if (low, high) == (0, None):
            return string
        characters = "" if high == 0 else f"{string}Char{_repeated(low, high)}"
        name = f"{string}{low}To{'' if high is None else high}"
        self.rules[name] = f"{name} ::= {_QUOTE} {characters} {_QUOTE}"
        return name

    def integer(self, schema: _Schema, depth: int) -> str:
        """Integers, within bounds or not."""
        return self._bounded("Integer", schema)

    def number(self, schema: _Schema, depth: int) -> str:
        """Numbers, within bounds that are integers or not."""
        return self._bounded("Number", schema)

    def boolean(self, schema: _Schema, depth: int) -> str:
        """Both of them."""
        return _BOOLEAN

    def null(self, schema: _Schema, depth: int) -> str:
        """The one value."""
        return _NULL

    def _bounded(self, kind: str, schema: _Schema) -> str:
        low, high = _bound(schema, "minimum"), _bound(schema, "maximum")
        if low is None and high is None:
            return self._shared(kind)
        name = f"{self._name}{kind}{'' if low is None else low}To{'' if high is None else high}"
        self.rules[name] = _bounded_rules(kind, name, low, high)
        return name

    def _shared(self, kind: str) -> str:
        """The name of rules that are the same in all schemas."""
        name = self._name + kind
        if name not in self.rules:
            self.rules[name] = _shared_rules(kind, name)
        return name

    def _rule(self, kind: str, body: str) -> str:
        count = len(self.rules)
        if count > _MAX_RULES:
            raise _NotPlainError
        name = f"{self._name}{kind}-{count}"
        self.rules[name] = f"{name} ::= {body}"
        return name


def _around_required(parts: Sequence[tuple[str, str]], required: Sequence[bool]) -> str:
    """Optional parts bring their comma along: behind them before the first required part, else in front."""
    first = required.index(True)
    items = [f'({quoted(key)} {value} ",")?' for key, value in parts[:first]]
    items.append(f"{quoted(parts[first][0])} {parts[first][1]}")
    for (key, value), is_required in zip(parts[first + 1 :], required[first + 1 :], strict=True):
        item = f"{quoted(f',{key}')} {value}"
        items.append(item if is_required else f"({item})?")
    return f'"{{" {" ".join(items)} "}}"'


def _listed(schema: _Schema, keywords: set[str]) -> str:
    """One of some strings or of some integers."""
    values = schema["enum"] if "enum" in keywords else [schema["const"]]
    if not keywords <= {"type", "enum", "const"} or {"enum", "const"} <= keywords or not isinstance(values, list):
        raise _NotPlainError
    kinds = set(map(type, values))
    kind = "string" if kinds == {str} else "integer" if kinds == {int} else None
    if kind is None or schema.get("type", kind) != kind:
        raise _NotPlainError
    texts = sorted(set(map(literal, values)))
    if len(texts) > _FEW:
        return f"({written(words(texts), {})})"
    # The engine can follow a few of them all at once.
    if kind == "integer":
        return f"({' | '.join(map(quoted, texts))})"
    return f"({_QUOTE} ({' | '.join(quoted(text[1:]) for text in texts)}))"


def _counts(schema: _Schema, least: str, most: str) -> tuple[int, int | None]:
    low, high = schema.get(least, 0), schema.get(most)
    if type(low) is not int or not 0 <= low <= _MAX_COUNT:
        raise _NotPlainError
    if most in schema and (type(high) is not int or not low <= high <= _MAX_COUNT):
        raise _NotPlainError
    return low, high if isinstance(high, int) else None


def _repeated(low: int, high: int | None) -> str:
    if high is None:
        return f"{{{low},}}" if low else "*"
    return f"{{{low},{high}}}"


def _bound(schema: _Schema, keyword: str) -> int | None:
    if keyword not in schema:
        return None
    value = schema[keyword]
    if type(value) is not int or abs(value) >= _MAX_BOUND:
        raise _NotPlainError
    return value


@lru_cache(maxsize=256)
def _bounded_rules(kind: str, name: str, low: int | None, high: int | None) -> str:
    numbers = Numbers("", low=None if low is None else Fraction(low), high=None if high is None else Fraction(high))
    try:
        expr = compile_integer(numbers) if kind == "Integer" else compile_number(numbers)
    except UnsupportedSchemaError:
        raise _NotPlainError from None
    if expr == NOTHING:
        raise _NotPlainError
    return f"{name} ::= {written(expr, {})}"


@cache
def _shared_rules(kind: str, name: str) -> str:
    return render(_SHARED[kind], name).rstrip("\n")


_Method = Callable[[_Writer, _Schema, int], str]
_KINDS: Final[Mapping[str, tuple[frozenset[str], _Method]]] = {
    "object": (frozenset({"type", "properties", "required", "additionalProperties"}), _Writer.object),
    "array": (frozenset({"type", "items", "minItems", "maxItems"}), _Writer.array),
    "string": (frozenset({"type", "minLength", "maxLength"}), _Writer.string),
    "integer": (frozenset({"type", "minimum", "maximum"}), _Writer.integer),
    "number": (frozenset({"type", "minimum", "maximum"}), _Writer.number),
    "boolean": (frozenset({"type"}), _Writer.boolean),
    "null": (frozenset({"type"}), _Writer.null),
}
