"""From a JSON value to a message, with every fault in the words of the wire.

Valid requests cost one pass of pydantic. All that is said here about faults happens after it has refused.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar, get_args, get_origin

import orjson
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from localaik.errors import BadRequest, FieldFault
from localaik.protocols.gemini.proto3 import OUT_OF_RANGE, WRONG_TYPE, Message
from localaik.protocols.gemini.types import SCHEMA_TAGS

__all__ = ["Findings", "read"]

MAX_FAULTS: Final = 20
_MAX_VALUE_CHARS: Final = 100
_KINDS: Final = {
    "string_type": "TYPE_STRING",
    "bool_type": "TYPE_BOOL",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
}
_UPPER: Final = re.compile(r"(?<!^)([A-Z])")

M = TypeVar("M", bound=Message)
Location = tuple[int | str, ...]


class Findings:
    """What is found out about one request while it is read: faults, and fields without effect.

    `root` is the wire's name of the message, `prefix` the path, with a dot, of the part of it that is looked at. All
    fields are paths from there, such as `generationConfig.topK`.
    """

    def __init__(self, root: str, prefix: str = "") -> None:
        self._root = root
        self._prefix = prefix
        self._faults: list[FieldFault] = []
        self._lines: list[str] = []
        self.ignored: list[str] = []
        """Paths of fields without effect, from the top of the message."""

    def path(self, field: str) -> str:
        """The path from the top of the message."""
        return self._prefix + field

    def refuse(self, field: str, description: str, *, snake: str | None = None) -> None:
        """A value that is not allowed. `snake` must be given where `field` holds keys of the caller."""
        path = snake or _to_snake(self.path(field))
        self.refuse_line(field, description, f"* {self._root}.{path}: {description}")

    def refuse_line(self, field: str, description: str, line: str) -> None:
        """A fault with a message of its own."""
        if len(self._faults) < MAX_FAULTS:
            self._faults.append(FieldFault(self.path(field), description))
            self._lines.append(line)

    def ignore(self, field: str) -> None:
        """A field that is known and has no effect."""
        self.ignored.append(self.path(field))

    @property
    def fault_count(self) -> int:
        """How many faults were found so far, 20 at most."""
        return len(self._faults)

    def raise_if_any(self) -> None:
        """Raise `BadRequest` with all faults so far."""
        if self._faults:
            faults = tuple(fault for fault in self._faults if fault.field)  # a body that is no object has no field
            raise BadRequest("\n".join(self._lines), faults=faults)


def read(message_type: type[M], body: object, *, strict: bool, ignored: list[str]) -> M:
    """`body` as a message.

    Unknown fields are removed from `body` and their paths added to `ignored`; with `strict` they are faults.
    Raises `BadRequest` with every fault that was found, 20 at most.
    """
    while True:
        try:
            return message_type.model_validate(body)
        except ValidationError as error:
            # Each round removes at least one key or raises. One is enough, unless one of two spellings was null.
            _remove_unknown(message_type, body, error.errors(include_url=False), strict=strict, ignored=ignored)


def _remove_unknown(
    message_type: type[Message], body: object, errors: Sequence[ErrorDetails], *, strict: bool, ignored: list[str]
) -> None:
    findings = Findings(message_type.__name__)
    removed: list[tuple[Location, str]] = []
    for error in errors:
        place = _locate(message_type, error["loc"])
        if error["type"] != "extra_forbidden":
            _describe(findings, place, error)
            continue
        parent, key = error["loc"][:-1], str(error["loc"][-1])
        spellings = [name for name in place.spellings if name in _value_at(body, parent)]
        nulls = [name for name in spellings if _value_at(body, parent)[name] is None]
        if place.spellings:
            if len(nulls) < len(spellings) - 1:
                description = f"is given twice, as {' and '.join(spellings)}."
                findings.refuse_line(place.camel, description, f"{place.camel} {description}")
            removed += [(parent, name) for name in nulls or [key]]
        elif strict or place.camel in message_type.refused:
            within = f" at '{place.parent}'" if place.parent else ""
            description = f'Invalid JSON payload received. Unknown name "{key}"{within}: Cannot find field.'
            findings.refuse_line(place.camel, description, description)
        else:
            removed.append((parent, key))
            ignored.append(place.camel)
    findings.raise_if_any()
    for parent, key in removed:
        _value_at(body, parent).pop(key, None)


def _describe(findings: Findings, place: "_Place", error: ErrorDetails) -> None:
    context: Mapping[str, object] = error.get("ctx", {})
    if error["type"] == OUT_OF_RANGE:
        findings.refuse(place.camel, str(context["rule"]), snake=place.snake)
        return
    kind = context.get("kind") if error["type"] == WRONG_TYPE else _KINDS.get(error["type"])
    at = f" at '{place.snake}'" if place.snake else ""
    line = f"Invalid value{at} ({kind or error['msg']}), {_shown(error['input'])}"
    findings.refuse_line(place.camel, line, line)


def _shown(value: object) -> str:
    try:
        text = orjson.dumps(value).decode()
    except TypeError:  # an integer beyond 64 bits, or half a surrogate pair
        text = repr(value)
    return text if len(text) <= _MAX_VALUE_CHARS else text[:_MAX_VALUE_CHARS] + "..."


def _value_at(body: object, location: Location) -> dict[str, object]:
    """The object at a location; a list of one may be written as that one."""
    value: Any = body  # plain JSON: whether a step fits is what pydantic's location tells
    for key in location:
        is_place = isinstance(value, list) if isinstance(key, int) else key not in SCHEMA_TAGS
        if is_place:
            value = value[key]
    if not isinstance(value, dict):
        raise TypeError("an unknown field outside of any object")
    return value


@dataclass(slots=True)
class _Place:
    """Where an error is: the wire path in both spellings, and the path of the object around it."""

    camel: str = ""
    snake: str = ""
    parent: str = ""
    spellings: tuple[str, ...] = ()
    """All names of the field, or none where it is unknown."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A field of a message: its names, and what is inside."""

    camel: str
    snake: str
    spellings: tuple[str, ...]
    message: type[Message] | None
    keyed: bool
    """True where messages stand under keys of the caller."""


def _locate(message_type: type[Message], location: Location) -> _Place:
    place = _Place()
    message: type[Message] | None = message_type
    caller_key = False
    for key in location:
        if key in SCHEMA_TAGS:
            continue
        place.parent, place.spellings = place.camel, ()
        if isinstance(key, int):
            place.camel += f"[{key}]"
            place.snake += f"[{key}]"
            continue
        known = _fields(message).get(key) if message is not None and not caller_key else None
        camel, snake = (known.camel, known.snake) if known else (key, key)
        place.camel += f".{camel}" if place.camel else camel
        place.snake += f".{snake}" if place.snake else snake
        if known:
            place.spellings, message, caller_key = known.spellings, known.message, known.keyed
        elif caller_key:
            caller_key = False
        else:
            message = None
    return place


@cache
def _fields(message_type: type[Message]) -> Mapping[str, _Known]:
    """The fields of a message by each of their names."""
    known: dict[str, _Known] = {}
    for snake, info in message_type.model_fields.items():
        message, keyed = _inner(info.annotation)
        camel = info.alias or snake
        spellings = tuple(dict.fromkeys((snake, camel, *_aliases(info))))
        known |= dict.fromkeys(spellings, _Known(camel, snake, spellings, message, keyed))
    return known


def _aliases(info: FieldInfo) -> list[str]:
    alias = info.validation_alias
    choices = getattr(alias, "choices", [alias])
    return [choice for choice in choices if isinstance(choice, str)]


def _inner(annotation: object) -> tuple[type[Message] | None, bool]:
    """The message type inside a field's type, and whether it stands under the caller's keys."""
    if isinstance(annotation, type) and issubclass(annotation, Message):
        return annotation, False
    for argument in get_args(annotation):
        message, keyed = _inner(argument)
        if message is not None:
            return message, keyed or get_origin(annotation) is dict
    return None, False


def _to_snake(path: str) -> str:
    return _UPPER.sub(lambda match: "_" + match[1].lower(), path)
