"""The JSON mapping of protocol buffers, as far as pydantic needs help with it: names, numbers, enums, lists.

A field is known by its camelCase and its snake_case name, null counts as absent, integers may be strings or floats
without a fraction, enums may be numbers, and one object may stand for a list of one. Source: the "ProtoJSON Format"
page of the Protocol Buffers documentation, and what the official SDKs send.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Annotated, ClassVar, Final, NoReturn, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

__all__ = [
    "OUT_OF_RANGE",
    "WRONG_TYPE",
    "Base64Text",
    "Int32",
    "Int64",
    "Message",
    "Number",
    "Repeated",
    "enum_reader",
    "integer_reader",
    "number_reader",
    "to_float",
    "to_int",
]

WRONG_TYPE: Final = "wire_type"
"""Error type for a value that the field can't hold; its context has the wire's name of the type as `kind`."""
OUT_OF_RANGE: Final = "wire_range"
"""Error type for a value that the field could hold and does not allow; its context has the `rule`."""

_DIGITS: Final = re.compile(r"-?\d{1,19}", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_=\s-]*", re.ASCII)
_INT32_LIMIT: Final = 2**31
_INT64_LIMIT: Final = 2**63

T = TypeVar("T")


class Message(BaseModel):
    """Base of all messages that callers send."""

    refused: ClassVar[frozenset[str]] = frozenset()
    """Paths of unknown fields that are never ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="forbid", strict=True
    )


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """Reads a field's value by a function alone.

    `schema` tells readers of the API what callers should send, which is less than what is taken. pydantic's own
    `PlainValidator` could tell the same, for 25 ms more of every start.
    """

    read: Callable[[object], object]
    schema: Mapping[str, object]

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> CoreSchema:
        """What pydantic validates with."""
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, _core: object, _handler: object) -> dict[str, object]:
        """What it tells."""
        return dict(self.schema)


def integer_reader(low: int | None = None, high: int | None = None, *, bits: int = 32) -> Reader:
    """A validator for an integer field whose values lie in `low` to `high` (both included, None is open)."""
    limit = _INT32_LIMIT if bits == 32 else _INT64_LIMIT
    kind = f"TYPE_INT{bits}"

    def read(value: object) -> int:
        number = to_int(value)
        if number is None or not -limit <= number < limit:
            raise PydanticCustomError(WRONG_TYPE, "not an integer", {"kind": kind})
        _check_range(number, low, high)
        return number

    return Reader(read, _ranged("integer", low, high))


def number_reader(low: float | None = None, high: float | None = None) -> Reader:
    """A validator for a floating point field whose values lie in `low` to `high` (both included, None is open)."""

    def read(value: object) -> float:
        number = to_float(value)
        if number is None:
            raise PydanticCustomError(WRONG_TYPE, "not a number", {"kind": "TYPE_FLOAT"})
        _check_range(number, low, high)
        return number

    return Reader(read, _ranged("number", low, high))


def enum_reader(names: Sequence[str], numbers: Mapping[int, str] | None = None) -> Reader:
    """A validator for an enum field: a name of `names` in any case, or a number.

    `numbers` gives the numbers of the wire; without it, a name's number is its position.
    """
    by_name = {name.lower(): name for name in names}
    by_number = dict(enumerate(names)) if numbers is None else numbers
    rule = f"must be one of {', '.join(names)}"

    def read(value: object) -> str:
        name = by_name.get(value.lower()) if isinstance(value, str) else None
        if name is None:
            number = to_int(value)
            name = by_number.get(number) if number is not None else None
        if name is None:
            raise PydanticCustomError(OUT_OF_RANGE, "unknown name", {"rule": rule})
        return name

    return Reader(read, {"type": "string", "enum": list(names)})


def _ranged(kind: str, low: float | None, high: float | None) -> dict[str, object]:
    limits = {"minimum": low, "maximum": high}
    return {"type": kind, **{name: limit for name, limit in limits.items() if limit is not None}}


def to_int(value: object) -> int | None:
    """The integer that a JSON value stands for (`5`, `"5"`, `5.0`, `"5e0"`), or None."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    number = to_float(value)
    return int(number) if number is not None and number.is_integer() else None


def to_float(value: object) -> float | None:
    """The finite number that a JSON value stands for, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer beyond the range of a double
        return None
    return number if isfinite(number) else None


def _check_range(number: float, low: float | None, high: float | None) -> None:
    if low is not None and number < low:
        _refuse(f"must be between {low} and {high}" if high is not None else f"must be at least {low}", number)
    if high is not None and number > high:
        _refuse(f"must be between {low} and {high}" if low is not None else f"must be at most {high}", number)


def _refuse(rule: str, number: float) -> NoReturn:
    raise PydanticCustomError(OUT_OF_RANGE, "out of range", {"rule": f"{rule}, got {number}"})


def _one_as_list(value: object) -> object:
    return [value] if isinstance(value, dict) else value


def _base64_text(value: object) -> str:
    if not isinstance(value, str) or not _BASE64.fullmatch(value):
        raise PydanticCustomError(WRONG_TYPE, "not base64", {"kind": "TYPE_BYTES"})
    return value


Repeated = Annotated[list[T], BeforeValidator(_one_as_list)]
"""A list of messages; a single message stands for a list of one, as the service reads it."""
Int32 = Annotated[int, integer_reader()]
Int64 = Annotated[int, integer_reader(bits=64)]
Number = Annotated[float, number_reader()]
Base64Text = Annotated[str, Reader(_base64_text, {"type": "string"})]
"""Bytes whose value is not looked at: text in an alphabet of base64."""
