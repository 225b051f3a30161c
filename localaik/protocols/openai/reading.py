"""From a JSON value to a request object, with every fault in the words of OpenAI's API.

Valid requests cost one pass of pydantic. All that is said here about faults happens after it has refused.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from localaik.errors import BadRequest
from localaik.protocols.openai.types import Wire

__all__ = ["Findings", "missing", "out_of_range", "read", "too_long", "wrong_type", "wrong_value"]

_MAX_SHOWN_CHARS: Final = 100
_EXPECTED: Final = {
    "string_type": "a string",
    "int_type": "an integer",
    "float_type": "a decimal",
    "bool_type": "a boolean",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
_UNIONS: Final = {
    "content": "a string or an array of objects",
    "output": "a string or an array of objects",
    "stop": "a string or an array of strings",
    "prompt": "a string, an array of strings, an array of integers, or an array of integer arrays",
    "input": "a string, an array of strings, an array of integers, or an array of integer arrays",
}
"""Fields that take more than one type, and which."""
_VARIED: Final = frozenset({"response_format", "format", "tool_choice"})
"""Fields whose object is one of several kinds."""
_QUOTED: Final = re.compile(r"'([^']*)'")

W = TypeVar("W", bound=Wire)


@dataclass(slots=True)
class Findings:
    """What is found out about a request while it is decoded: the fields that have no effect."""

    strict: bool
    """True to refuse fields that are not known."""
    ignored: list[str] = field(default_factory=list)

    def unknown(self, name: str) -> None:
        """A field that is not known and goes nowhere."""
        if self.strict:
            shown = name[:_MAX_SHOWN_CHARS]
            raise BadRequest(f"Unknown parameter: '{shown}'.", field=shown, reason="unknown_parameter")
        self.ignore(name)

    def ignore(self, name: str) -> None:
        """A field without effect; what it is called may be up to the caller, and goes into a header."""
        self.ignored.append(name[:_MAX_SHOWN_CHARS])

    def unknown_in(self, part: Wire, path: str) -> None:
        """The unknown fields of an object at `path`; null is as good as absent."""
        for name, value in (part.model_extra or {}).items():
            if value is not None:
                self.unknown(f"{path}.{name}")


def read(kind: type[W], body: object, path: str = "") -> W:
    """The request that `body` is, or the part of one at `path`.

    Raises `BadRequest` with the first fault, in the order of the fields of `kind`.
    """
    if not isinstance(body, dict):
        if path:
            raise wrong_type(path, "an object", body)
        raise BadRequest("The body must be a JSON object.", reason="invalid_json")
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise _fault(error.errors(include_url=False), body, path) from None


def _list_of(values: Sequence[str], last: str = "and") -> str:
    """The values in quotes, joined the way a sentence does."""
    quoted = [f"'{value}'" for value in values]
    if len(quoted) <= 2:
        return f" {last} ".join(quoted)
    return f"{', '.join(quoted[:-1])}, {last} {quoted[-1]}"


@dataclass(slots=True)
class _Place:
    """Where a fault is."""

    path: str = ""
    name: str = ""
    """The last field's name, without its path."""
    value: object = None
    branch: str | None = None
    """Which of the types of a field that takes several was tried."""
    branching: object = None
    """The value of that field."""
    branch_path: str = ""
    branch_name: str = ""


def _fault(details: Sequence[ErrorDetails], body: Mapping[str, object], path: str) -> BadRequest:
    """The first fault that tells something: a field that takes several types has a fault for each."""
    places = [_locate(detail, body, path) for detail in details]
    for detail, place in zip(details, places, strict=True):
        if place.branch is None:
            return _describe(detail, place)
        branches = [other.branch for other in places if other.branch_path == place.branch_path and other.branch]
        meant = _meant(place.branching, branches)
        if meant is None:
            return wrong_type(place.branch_path, f"one of {_UNIONS[place.branch_name]}", place.branching)
        if place.branch == meant:
            return _describe(detail, place)
    return BadRequest("The request is not valid.", reason="invalid_value")


def _meant(value: object, branches: Sequence[str]) -> str | None:
    """Which of the types that were tried is the one that the caller meant; None where it is none of them."""
    lists = [branch for branch in branches if branch != "str"]
    if not isinstance(value, list):
        return None
    if not value or len(set(lists)) == 1:
        return lists[0]
    first = value[0]
    if isinstance(first, list):
        return next((branch for branch in lists if branch.startswith("list[list[")), None)
    if isinstance(first, str):
        return next((branch for branch in lists if branch == "list[str]"), None)
    is_integer = isinstance(first, int) and not isinstance(first, bool)
    return next((branch for branch in lists if is_integer and "int]" in branch and "list[list[" not in branch), None)


def _locate(detail: ErrorDetails, body: Mapping[str, object], path: str) -> _Place:
    """Follow pydantic's location through the body, past its labels for types and variants that it tried."""
    place = _Place(path, value=body)
    steps = detail["loc"]
    for position, step in enumerate(steps):
        value = place.value
        is_last = position == len(steps) - 1
        if isinstance(step, int):
            place.path += f"[{step}]"
            place.value = value[step] if isinstance(value, list) and step < len(value) else None
        elif place.name in _UNIONS and (step == "str" or step.startswith("list[")):
            place.branch, place.branching = step, value
            place.branch_path, place.branch_name = place.path, place.name
        elif isinstance(value, dict) and (is_last or not _is_tag(step, steps[position - 1], value)):
            shown = step[:_MAX_SHOWN_CHARS]
            place.path += f".{shown}" if place.path else shown
            place.name = step
            place.value = value.get(step)
        elif step == "[key]":
            place.value = place.name
    return place


def _is_tag(step: str, before: int | str, value: Mapping[str, object]) -> bool:
    """True for the label of a variant (`user`, `image_url`): it stands behind an index, and the value has it too."""
    may_have_variants = isinstance(before, int) or before in _VARIED
    return may_have_variants and step in {value.get("role"), value.get("type")}


def _describe(detail: ErrorDetails, place: _Place) -> BadRequest:
    kind = detail["type"]
    context = detail.get("ctx", {})
    path, value = place.path, place.value
    if kind == "missing":
        return missing(path)
    if kind in _EXPECTED:
        return wrong_type(path, _EXPECTED[kind], value)
    if kind in {"union_tag_not_found", "union_tag_invalid"}:
        return _wrong_tag(path, context, value)
    if kind == "literal_error":
        return wrong_value(path, _QUOTED.findall(str(context["expected"])), value)
    if kind in {"greater_than_equal", "less_than_equal"}:
        return out_of_range(path, context, value)
    if kind in {"too_short", "too_long"}:
        return _too_many_properties(path, context, value) if isinstance(value, dict) else _wrong_length(path, context)
    if kind == "string_too_long":
        return _long_string(path, int(context["max_length"]), value)
    if kind == "string_pattern_mismatch":
        message = (
            f"Invalid '{path}': string does not match pattern. Expected a string that matches the pattern"
            f" '{context['pattern']}'."
        )
        return BadRequest(message, field=path, reason="invalid_value")
    return BadRequest(f"Invalid value for '{path}'.", field=path, reason="invalid_value")


def missing(path: str) -> BadRequest:
    """The refusal of a request without the field at `path`."""
    return BadRequest(f"Missing required parameter: '{path}'.", field=path, reason="missing_required_parameter")


def wrong_type(path: str, expected: str, value: object) -> BadRequest:
    """The refusal of a value of another type than `expected`, which is told in words (`a string`)."""
    message = f"Invalid type for '{path}': expected {expected}, but got {_type_name(value)} instead."
    return BadRequest(message, field=path, reason="invalid_type")


def _wrong_tag(path: str, context: Mapping[str, object], value: object) -> BadRequest:
    """A variant that is not known, or an object that does not say which one it is."""
    (name,) = _QUOTED.findall(str(context["discriminator"]))
    tag = value.get(name) if isinstance(value, dict) else None
    if tag is None:
        return missing(f"{path}.{name}")
    return wrong_value(f"{path}.{name}", _QUOTED.findall(str(context["expected_tags"])), tag)


def wrong_value(path: str, allowed: Sequence[str], value: object) -> BadRequest:
    """The refusal of a value that is none of the words that are allowed."""
    if not isinstance(value, str):
        return wrong_type(path, f"{'one of ' if len(allowed) > 1 else ''}{_list_of(allowed, 'or')}", value)
    supported = (
        f"Supported values are: {_list_of(allowed)}." if len(allowed) > 1 else f"Supported value is: '{allowed[0]}'."
    )
    return BadRequest(f"Invalid value: '{value[:_MAX_SHOWN_CHARS]}'. {supported}", field=path, reason="invalid_value")


def out_of_range(path: str, context: Mapping[str, object], value: object) -> BadRequest:
    """The refusal of a number; `context` has the bound that it passes, as `ge` or `le`."""
    is_low = "ge" in context
    bound = context["ge" if is_low else "le"]
    kind = "decimal" if isinstance(bound, float) else "integer"
    side, sign = ("below minimum", ">=") if is_low else ("above maximum", "<=")
    message = (
        f"Invalid '{path}': {kind} {side} value. Expected a value {sign} {_number(bound)}, but got {_number(value)}"
        " instead."
    )
    return BadRequest(message, field=path, reason=f"{kind}_{'below_min' if is_low else 'above_max'}_value")


def _too_many_properties(path: str, context: Mapping[str, object], value: Mapping[str, object]) -> BadRequest:
    message = (
        f"Invalid '{path}': too many properties. Expected an object with at most {context['max_length']} properties,"
        f" but got an object with {len(value)} properties instead."
    )
    return BadRequest(message, field=path, reason="object_above_max_properties")


def _wrong_length(path: str, context: Mapping[str, object]) -> BadRequest:
    if "min_length" in context:
        message = (
            f"Invalid '{path}': empty array. Expected an array with minimum length {context['min_length']}, but got an"
            " empty array instead."
        )
        return BadRequest(message, field=path, reason="empty_array")
    return too_long(path, int(str(context["max_length"])), int(str(context["actual_length"])))


def too_long(path: str, limit: int, actual: int) -> BadRequest:
    """The refusal of an array with more than `limit` entries."""
    message = (
        f"Invalid '{path}': array too long. Expected an array with maximum length {limit}, but got an array with length"
        f" {actual} instead."
    )
    return BadRequest(message, field=path, reason="array_above_max_length")


def _long_string(path: str, limit: int, value: object) -> BadRequest:
    actual = len(value) if isinstance(value, str) else "more"
    message = (
        f"Invalid '{path}': string too long. Expected a string with maximum length {limit}, but got a string with"
        f" length {actual} instead."
    )
    return BadRequest(message, field=path, reason="string_above_max_length")


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _type_name(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "an integer"
    if isinstance(value, float):
        return "a decimal"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"
