"""The values of `format` that answers are checked for (JSON Schema Validation 2020-12, section 7.3)."""

import ipaddress
import re
from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Final

from localaik.generation.schema.formats import INTEGER_FORMATS

__all__ = ["has_format"]


def has_format(value: object, name: str) -> bool:
    """A string, or an integer, has the format. True for values of other types, and for a format that is not known."""
    if isinstance(value, str):
        check = _CHECKS.get(name)
        return check is None or check(value)
    bounds = INTEGER_FORMATS.get(name)
    if bounds is None or isinstance(value, bool) or not isinstance(value, int | float):
        return True
    return bounds[0] <= value <= bounds[1]


_TIME: Final = re.compile(
    r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LABEL: Final = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_WIDE_LABEL: Final = r"(?!-)[\w\u00b7\u0375\u05f3\u05f4\u200c\u200d\u30fb-]{1,63}(?<!-)"
_DURATION: Final = re.compile(
    r"P(?!$)(?:[0-9]+W|(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)?"
    r"(?:T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S))?)"
)
_HEX: Final = "[0-9A-Fa-f]"
_POINTER: Final = r"(?:/(?:[^~/]|~[01])*)*"
_URI_CHARACTERS: Final = r"A-Za-z0-9._~!$&'()*+,;=:@/?%\[\]-"
_WIDE: Final = "\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef\U00010000-\U0010fffd"
_ESCAPES: Final = r"(?!.*%(?![0-9A-Fa-f]{2}))"
_SCHEME: Final = r"[A-Za-z][A-Za-z0-9+.-]*:"
# The first step of a relative reference has no colon: it would be a scheme.
_RELATIVE: Final = rf"(?:{_SCHEME}|(?![^/?#]*:))"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compiled when it is first needed: those of all formats together take 30 ms."""
    return re.compile(pattern, re.DOTALL)


def _fully(pattern: str) -> Callable[[str], bool]:
    return lambda text: _compiled(pattern).fullmatch(text) is not None


def _address(start: str, more: str = "") -> Callable[[str], bool]:
    return _fully(rf"{_ESCAPES}{start}[{more}{_URI_CHARACTERS}]*(?:#[{more}{_URI_CHARACTERS}]*)?")


def _is_date(text: str) -> bool:
    try:
        return _DATE.fullmatch(text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _is_time(text: str) -> bool:
    return _TIME.fullmatch(text) is not None


def _is_date_time(text: str) -> bool:
    return _is_date(text[:10]) and text[10:11] in {"T", "t"} and _is_time(text[11:])


def _is_ipv4(text: str) -> bool:
    try:
        return ipaddress.IPv4Address(text).version == 4
    except ValueError:
        return False


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.IPv6Address(text).scope_id is None
    except ValueError:
        return False


def _host(label: str) -> Callable[[str], bool]:
    whole = _fully(rf"{label}(?:\.{label})*\.?")
    return lambda text: len(text) <= 253 and whole(text)


def _mail(local: str, label: str) -> Callable[[str], bool]:
    return _fully(rf'(?:{local}+(?:\.{local}+)*|"[^"\r\n]*")@(?:{label}(?:\.{label})*|\[[0-9A-Za-z.:]+\])')


_ATOM: Final = "A-Za-z0-9!#$%&'*+/=?^_`{|}~-"
_CHECKS: Final[dict[str, Callable[[str], bool]]] = {
    "date": _is_date,
    "time": _is_time,
    "date-time": _is_date_time,
    "duration": lambda text: _DURATION.fullmatch(text) is not None,
    "email": _mail(f"[{_ATOM}]", _LABEL),
    "idn-email": _mail(rf"[\u0080-\U0010ffff{_ATOM}]", _WIDE_LABEL),
    "hostname": _host(_LABEL),
    "idn-hostname": _host(_WIDE_LABEL),
    "ipv4": _is_ipv4,
    "ipv6": _is_ipv6,
    "uri": _address(_SCHEME),
    "iri": _address(_SCHEME, _WIDE),
    "uri-reference": _address(_RELATIVE),
    "iri-reference": _address(_RELATIVE, _WIDE),
    "uuid": _fully(rf"{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}"),
    "json-pointer": _fully(_POINTER),
    "relative-json-pointer": _fully(rf"(?:0|[1-9][0-9]*)(?:#|{_POINTER})"),
}
