"""Whether a text is the JSON that a schema asks for (JSON Schema, draft 2020-12), and where the JSON in a text stands.

Stricter than many readers of JSON: one value and nothing behind it, no `NaN`. Of a name that stands twice in one object
the last value counts, as everywhere. `format` is asserted. References lead into the schema alone, nothing is fetched.

Patterns are ECMA-262 and are run by Python's `re`, rewritten where the two differ. One that `re` can't compile is
skipped, as the answer is not to blame. One with a repeated group, which could take `re` exponential time, is run by
the automaton of the grammars where that knows it.
"""

import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import orjson

from localaik.generation.schema.automata import Automaton, TooManyStatesError
from localaik.generation.schema.keywords import LISTS_OF_SCHEMAS, MAPS_OF_SCHEMAS, SINGLE_SCHEMAS
from localaik.generation.schema.regex import InvalidPatternError, UnsupportedPatternError, parse_pattern
from localaik.generation.stringformats import has_format

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

__all__ = ["fault_of_json", "json_of"]

_CACHED: Final = 256
_MAX_FAULT: Final = 200
_MAX_SHOWN: Final = 60
_MAX_PLACE: Final = 80
_MAX_INT_DIGITS: Final = 4000
"""Python refuses to read longer integers, as that takes quadratic time."""
_TOO_DEEP: Final = "The JSON is nested too deep."


def fault_of_json(text: str, schema: Mapping[str, object] | bool) -> str | None:
    """What is wrong with a text that must be one JSON value of the schema; None where nothing is.

    The fault is a sentence of at most 200 characters that says where and what. Nothing is raised.
    """
    try:
        value = _value_of(text)
    except json.JSONDecodeError as error:
        return f"This is no JSON: {error.msg} at character {error.pos}."
    except (ValueError, InvalidOperation):
        return "This is no JSON: a number is not finite or too long."
    except RecursionError:
        return _TOO_DEEP
    if schema is True:
        return None
    try:
        key = orjson.dumps(schema, default=_as_dict)
    except TypeError:  # integers of more than 64 bits
        key = json.dumps(schema, default=_as_dict).encode()
    except RecursionError:
        return _TOO_DEEP
    return _fault_of_value(value, key)


def json_of(text: str) -> str | None:
    """The JSON in a text: all of it, what stands in a fence of three backticks, or the first object or array.

    None where there is none. Takes linear time.
    """
    bare = text.strip()
    if _is_json(bare):
        return bare
    for fence in _FENCE.finditer(text):
        inner = fence.group(1).strip()
        if _is_json(inner):
            return inner
    return next((text[start:end] for start, end in _balanced(text) if _is_json(text[start:end])), None)


def _value_of(text: str) -> object:
    return _DECODER.decode(text)


def _is_json(text: str) -> bool:
    if text[:1] not in _STARTS:
        return False
    try:
        _value_of(text)
    except (ValueError, InvalidOperation, RecursionError):
        return False
    return True


_STARTS: Final = frozenset('{["-0123456789tfn')
_FENCE: Final = re.compile(r"```[A-Za-z0-9]*[ \t]*\n?((?:[^`]|`(?!``))*+)```")


def _float(text: str) -> float | Decimal:
    """The number; one that is too large for a double keeps its value."""
    number = float(text)
    return Decimal(text) if number in _INFINITIES else number


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _MAX_INT_DIGITS else Decimal(text)


def _no_constant(name: str) -> object:
    raise ValueError(name)


_INFINITIES: Final = (float("inf"), float("-inf"))
_DECODER: Final = json.JSONDecoder(parse_float=_float, parse_int=_integer, parse_constant=_no_constant)


def _balanced(text: str) -> Iterator[tuple[int, int]]:
    """Where brackets open and close in order, outermost pairs only. Quotes count inside of brackets."""
    found: list[tuple[int, int]] = []
    open_at: list[int] = []
    in_string = False
    for token in _TOKEN.finditer(text):
        mark, start = token.group(), token.start()
        if mark == '"':
            in_string = bool(open_at) and not in_string
        elif mark == "\n":  # strings of JSON have none: the quote was none of JSON
            if in_string:
                in_string = False
                open_at.clear()
        elif in_string or mark[0] == "\\":
            continue
        elif mark in "{[":
            open_at.append(start)
        elif open_at and text[open_at[-1]] == _OPENING[mark]:
            begin = open_at.pop()
            while found and found[-1][0] > begin:
                found.pop()
            found.append((begin, start + 1))
        else:
            open_at.clear()
    return iter(found)


_TOKEN: Final = re.compile(r'\\.|["{}\[\]\n]')
_OPENING: Final = {"}": "{", "]": "["}


def _as_dict(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


def _fault_of_value(value: object, key: bytes) -> str | None:
    """What is wrong with a value under the schema with the JSON text `key`."""
    try:
        return _validator(key)(value)
    except RecursionError:
        return _TOO_DEEP
    # What jsonschema raises for a schema that is none, whose keywords it does not check.
    except (re.error, TypeError, ValueError, ArithmeticError, LookupError, AttributeError):
        return "The schema can't be applied to the value."


@lru_cache(maxsize=_CACHED)
def _validator(key: bytes) -> Callable[[object], str | None]:
    """The check of a schema, given as JSON: from a value to its fault."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - takes 50 ms and more
    from jsonschema.exceptions import UnknownType, best_match  # noqa: PLC0415
    from jsonschema.validators import extend  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    schema = json.loads(key)
    if isinstance(schema, dict):
        schema.pop("$schema", None)  # another draft would read references in another way
        _rewrite(schema)
    types = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": lambda _, value: _is_integer(value), "number": lambda _, value: _is_number(value)}
    )
    keywords = {"multipleOf": _multiple_of, "pattern": _pattern, "format": _format}
    validator = extend(Draft202012Validator, keywords, type_checker=types)(schema, registry=Registry())

    def fault(value: object) -> str | None:
        try:
            error = next(validator.iter_errors(value), None)
            return None if error is None else _sentence(best_match([error]) or error)
        except Unresolvable:
            return "The schema has a reference that leads nowhere."
        except UnknownType:
            return "The schema names a type that is none."

    return fault


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_integer(value: object) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool)
    if isinstance(value, Decimal):
        return _remainder(value, Fraction(1)) == 0
    return isinstance(value, float) and value.is_integer()


def _remainder(value: float | Decimal, step: Fraction) -> Fraction | int:
    """What is left of the number as it was written, divided by `step`; 0 exactly for multiples."""
    written = value if isinstance(value, Decimal) else Decimal(repr(value))
    sign, digits, exponent = written.as_tuple()
    if not isinstance(exponent, int) or exponent < 0 or not digits:
        return Fraction(written) % step
    whole = int(Decimal((sign, digits, 0)))
    return whole * step.denominator * pow(10, exponent, step.numerator) % step.numerator


def _multiple_of(_: object, step: object, value: object, __: object) -> "Iterator[ValidationError]":
    """`multipleOf` for numbers as they are written: 0.3 is a multiple of 0.1, though not for binary fractions."""
    if isinstance(value, int | float | Decimal) and isinstance(step, int | float) and not isinstance(value, bool):
        yield from _errors(_remainder(value, Fraction(repr(step))) == 0)


def _pattern(_: object, pattern: object, value: object, __: object) -> "Iterator[ValidationError]":
    if isinstance(value, str) and isinstance(pattern, str):
        yield from _errors(_matches(pattern, value))


def _format(_: object, name: object, value: object, __: object) -> "Iterator[ValidationError]":
    yield from _errors(has_format(value, str(name)))


def _errors(fine: bool) -> "Iterator[ValidationError]":
    if not fine:
        from jsonschema.exceptions import ValidationError  # noqa: PLC0415

        yield ValidationError("")


def _matches(pattern: str, text: str) -> bool:
    """The text has a match of the pattern; also True where the pattern can't be run."""
    if _REPEATED_GROUP.search(pattern):
        try:
            return Automaton().contains(parse_pattern(pattern).term, text)
        except (InvalidPatternError, UnsupportedPatternError, TooManyStatesError):
            pass
    compiled = _compiled(pattern)
    return compiled is None or compiled.search(text) is not None


_REPEATED_GROUP: Final = re.compile(r"\)[*+{]")


@lru_cache(maxsize=_CACHED)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """The pattern for `re`; one that Python alone knows (`(?i)` in front) as it is; None for what it can't compile."""
    for written in (_for_python(pattern), pattern):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return re.compile(written)
        except (re.error, OverflowError, RecursionError, ValueError):
            continue
    return None


def _for_python(pattern: str) -> str:
    r"""The pattern with `$`, `.`, `\s`, `\d`, `\w`, names and code points as ECMA-262 has them."""
    in_class = False

    def written(token: re.Match[str]) -> str:
        nonlocal in_class
        mark = token.group()
        if mark in {"[", "]"}:
            if in_class and mark == "[":
                return r"\["
            in_class = mark == "["
            return mark
        if mark.startswith((r"\u{", r"\ud", r"\uD")):
            return _code_points(mark)
        if in_class:
            return {r"\s": _SPACES, "[^]": r"\[\^]"}.get(mark, mark)
        if mark.startswith(r"\k<"):
            return f"(?P={mark[3:-1]})"
        return _IN_PYTHON.get(mark, mark)

    return f"(?a:{_PATTERN_TOKEN.sub(written, pattern)})"


_SPACES: Final = r"\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_IN_PYTHON: Final = {
    "$": r"\Z",
    ".": r"[^\n\r\u2028\u2029]",
    r"\s": f"[{_SPACES}]",
    r"\S": f"[^{_SPACES}]",
    "(?<": "(?P<",
    "[^]": r"[\s\S]",
    "[]": "(?!)",
}
_PATTERN_TOKEN: Final = re.compile(
    r"\\u\{[0-9A-Fa-f]{1,6}\}|\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}|\\k<\w+>|\\.|\[\^?\]|[\[\]$.]"
    r"|\(\?<(?![=!])",
    re.DOTALL,
)


def _code_points(mark: str) -> str:
    if mark.startswith(r"\u{"):
        code = int(mark[3:-1], 16)
    elif len(mark) == 12:
        code = 0x10000 + ((int(mark[2:6], 16) - 0xD800) << 10) + int(mark[8:], 16) - 0xDC00
    else:
        return mark
    return f"\\U{code:08x}"


_ANY_NAME: Final = "(?:)"


def _rewrite(root: dict[str, object]) -> None:
    """Puts the names of `patternProperties` into Python's dialect; one that can't be run speaks of all properties."""
    todo: list[object] = [root]
    while todo:
        schema = todo.pop()
        if not isinstance(schema, dict):
            continue
        patterns = schema.get("patternProperties")
        if isinstance(patterns, dict):
            known = {_for_python(name): inner for name, inner in patterns.items() if _compiled(name) is not None}
            schema["patternProperties"] = known if len(known) == len(patterns) else {**known, _ANY_NAME: True}
        for keyword, value in schema.items():
            if keyword in SINGLE_SCHEMAS:
                todo.append(value)
            elif keyword in LISTS_OF_SCHEMAS and isinstance(value, list):
                todo += value
            elif keyword in MAPS_OF_SCHEMAS and isinstance(value, dict):
                todo += value.values()


def _sentence(error: "ValidationError") -> str:
    """A fault as one sentence: where, and what."""
    place = _place(error.absolute_path)
    return _cut(f"{place} {_demand(error)}", _MAX_FAULT - 1) + "."


def _demand(error: "ValidationError") -> str:
    """What the value at the place must be."""
    keyword, asked = error.validator, error.validator_value
    if keyword == "required" and isinstance(asked, list) and isinstance(error.instance, dict):
        return f"lacks {_shown(next(name for name in asked if name not in error.instance))}"
    if keyword in _EXTRA and asked is False:
        return f"has more than is allowed: {error.message}"  # which lists names, no values
    told = _DEMANDS.get(str(keyword))
    if told is not None:
        return f"must {told} {_shown(asked)}"
    if keyword is None:
        return "is not allowed"
    if isinstance(asked, dict) or (isinstance(asked, list) and any(isinstance(item, dict) for item in asked)):
        return f"breaks `{keyword}`"
    return f"breaks `{keyword}`: {_shown(asked)}"


_EXTRA: Final = frozenset({"additionalProperties", "unevaluatedProperties"})
_DEMANDS: Final = {
    "type": "be of the type",
    "enum": "be one of",
    "const": "be",
    "format": "have the format",
    "pattern": "match the regular expression",
    "minimum": "be at least",
    "maximum": "be at most",
    "exclusiveMinimum": "be above",
    "exclusiveMaximum": "be below",
    "multipleOf": "be a multiple of",
}


def _place(path: Iterable[str | int]) -> str:
    """A place in a value: `$.a[2].b`; of a long one, the end."""
    place = "".join(f"[{step}]" if isinstance(step, int) else _member(step) for step in path)
    return f"${place}" if len(place) < _MAX_PLACE else f"$…{place[-_MAX_PLACE:]}"


def _member(name: str) -> str:
    return f".{name}" if name.isidentifier() else f"[{_shown(name)}]"


def _shown(value: object) -> str:
    return _cut(json.dumps(value, ensure_ascii=False, default=str), _MAX_SHOWN)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
