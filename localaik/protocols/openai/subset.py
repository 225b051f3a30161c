"""The strict chat profile: the small part of chat completions that every server of this API has. Pure: no I/O.

A request outside it is refused with the first fault, in this order: fields that are not in the profile, as they stand
in the body; missing fields; types and ranges, in the order of `FIELDS`; the messages, by index. null is as good as
absent. No fault that is told here has reached an engine.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from localaik.errors import BadRequest, UnknownModel
from localaik.protocols.openai.reading import missing, wrong_type
from localaik.settings import ChatProfile

__all__ = ["FIELDS", "STRICT_HEADER", "check_header", "check_name", "in_subset", "is_strict"]

STRICT_HEADER: Final = "X-Localaik-Strict"
"""With `true`, one request is held to the profile; nothing in it relaxes a server that holds all of them to it."""

MAX_STOPS: Final = 4
_MAX_SHOWN_CHARS: Final = 100
_ROLES: Final = ("system", "developer", "user", "assistant")
_PARTS: Final = ("text",)
_MESSAGE_KEYS: Final = frozenset({"role", "content"})
_PART_KEYS: Final = frozenset({"type", "text"})
_STREAM_KEYS: Final = frozenset({"include_usage"})
_DEFAULTS: Final[Mapping[str, object]] = {"temperature": 1, "top_p": 1}
"""What the documentation of the API says of an absent field. Told to the engine, whose own defaults are others."""

Object = dict[str, object]


def is_strict(profile: ChatProfile, headers: Mapping[str, str]) -> bool:
    """Whether a request is held to the profile: by the server's own one, or by the request's headers."""
    return profile == "subset" or _header(headers) == "true"


def check_header(headers: Mapping[str, str]) -> None:
    """Raise `BadRequest` for a header that says neither true nor false: nobody is to believe to be held to anything."""
    if _header(headers) not in {"", "true", "false"}:
        message = f"Invalid value for the header {STRICT_HEADER}: expected 'true' or 'false'."
        raise BadRequest(message, field=STRICT_HEADER, reason="invalid_value")


def in_subset(body: object) -> Object:
    """The body of a chat request as it goes on: without nulls at its top, with the defaults of the API in it.

    Raises `BadRequest` with the first fault.
    """
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.", reason="invalid_json")
    given: Object = {name: value for name, value in body.items() if value is not None}
    _refuse_others(given, FIELDS, "")
    for name in ("model", "messages"):
        if name not in given:
            raise missing(name)
    for name, check in _CHECKS.items():
        if name in given:
            check(name, given[name])
        if name == "stream_options":
            _check_use_of_options(given)
    messages = given["messages"]
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        _check_message(f"messages[{index}]", message)
    return {**_DEFAULTS, **given}


def check_name(model: object, is_listed: Callable[[str], bool], *, strict_models: bool | None) -> None:
    """Raise `UnknownModel` for a name that is not listed, unless the server was told to take any name."""
    if strict_models is not False and not is_listed(str(model)):
        raise UnknownModel(str(model))


def _header(headers: Mapping[str, str]) -> str:
    return headers.get(STRICT_HEADER, "").strip().lower()


def _check_model(path: str, value: object) -> None:
    if not isinstance(value, str):
        raise wrong_type(path, "a string", value)


def _check_messages(path: str, value: object) -> None:
    if not isinstance(value, list):
        raise wrong_type(path, "an array", value)
    if not value:
        raise _invalid(path, "expected at least one message, but got an empty array instead")


def _check_flag(path: str, value: object) -> None:
    if not isinstance(value, bool):
        raise wrong_type(path, "a boolean", value)


def _check_stream_options(path: str, value: object) -> None:
    if not isinstance(value, dict):
        raise wrong_type(path, "an object", value)
    _refuse_others(value, _STREAM_KEYS, f"{path}.")
    wanted = value.get("include_usage")
    if wanted is not None:
        _check_flag(f"{path}.include_usage", wanted)


def _check_use_of_options(given: Object) -> None:
    if "stream_options" in given and given.get("stream") is not True:
        raise _invalid("stream_options", "it is only allowed when 'stream' is true")


def _number_up_to(most: int) -> Callable[[str, object], None]:
    def check(path: str, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_type(path, "a number", value)
        if not 0 <= value <= most:
            raise _invalid(path, f"expected a number from 0 to {most}, but got {value:g} instead")

    return check


def _check_limit(path: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(path, "an integer", value)
    if value < 1:
        raise _invalid(path, f"expected an integer of at least 1, but got {value} instead")


def _check_stops(path: str, value: object) -> None:
    if isinstance(value, str):
        return
    if not isinstance(value, list):
        raise wrong_type(path, "a string or an array of strings", value)
    if not 1 <= len(value) <= MAX_STOPS:
        raise _invalid(path, f"expected 1 to {MAX_STOPS} strings, but got {len(value)} instead")
    for index, text in enumerate(value):
        if not isinstance(text, str):
            raise wrong_type(f"{path}[{index}]", "a string", text)
        if not text:
            raise _invalid(f"{path}[{index}]", "expected a string that is not empty")


_CHECKS: Final[Mapping[str, Callable[[str, object], None]]] = {
    "model": _check_model,
    "messages": _check_messages,
    "stream": _check_flag,
    "stream_options": _check_stream_options,
    "temperature": _number_up_to(2),
    "top_p": _number_up_to(1),
    "max_tokens": _check_limit,
    "stop": _check_stops,
}
FIELDS: Final = tuple(_CHECKS)
"""The fields of a request."""


def _check_message(path: str, message: object) -> None:
    if not isinstance(message, dict):
        raise wrong_type(path, "an object", message)
    _check_word(f"{path}.role", message.get("role"), _ROLES)
    _refuse_others(message, _MESSAGE_KEYS, f"{path}.")
    if "content" not in message:
        raise missing(f"{path}.content")
    content = message["content"]
    if content is None:
        raise _invalid(f"{path}.content", "expected a string or an array of text parts, but got null instead")
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise wrong_type(f"{path}.content", "a string or an array of objects", content)
    if not content:
        raise _invalid(f"{path}.content", "expected at least one part, but got an empty array instead")
    for index, part in enumerate(content):
        _check_part(f"{path}.content[{index}]", part)


def _check_part(path: str, part: object) -> None:
    if not isinstance(part, dict):
        raise wrong_type(path, "an object", part)
    _check_word(f"{path}.type", part.get("type"), _PARTS)
    _refuse_others(part, _PART_KEYS, f"{path}.")
    text = part.get("text")
    if text is None:
        raise missing(f"{path}.text")
    if not isinstance(text, str):
        raise wrong_type(f"{path}.text", "a string", text)


def _check_word(path: str, value: object, words: Sequence[str]) -> None:
    """The word that tells what an object is."""
    if value is None:
        raise missing(path)
    if not isinstance(value, str):
        raise wrong_type(path, "a string", value)
    if value not in words:
        supported = ", ".join(f"'{word}'" for word in words)
        raise _unsupported(path, f"'{value[:_MAX_SHOWN_CHARS]}'", f" Supported here: {supported}.")


def _refuse_others(given: Mapping[str, object], allowed: Sequence[str] | frozenset[str], before: str) -> None:
    """Refuse the first field of an object that is not one of `allowed`; `before` is what its path begins with."""
    for name, value in given.items():
        if value is not None and name not in allowed:
            path = f"{before}{name[:_MAX_SHOWN_CHARS]}"
            raise _unsupported(path, f"'{path}'", "")


def _unsupported(path: str, what: str, more: str) -> BadRequest:
    return BadRequest(
        f"{what} is not supported in the strict chat profile.{more}", field=path, reason="unsupported_feature"
    )


def _invalid(path: str, why: str) -> BadRequest:
    return BadRequest(f"Invalid value for '{path}': {why}.", field=path, reason="invalid_value")
