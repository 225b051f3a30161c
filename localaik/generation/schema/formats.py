"""The values of `format` that are guaranteed, as patterns (JSON Schema Validation 2020-12, section 7.3).

Each pattern describes strings that are surely of the format, not all of them: years from 1000 on, no leap days and
no leap seconds, host names of a few labels. Where a format has several patterns, the later ones are shorter, for
schemas with a small `maxLength`. All lengths are bounded. Other formats are annotations and change nothing.
"""

from typing import Final

__all__ = ["INTEGER_FORMATS", "STRING_FORMATS"]

_DATE: Final = (
    r"[1-9]\d{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)"
    r"|02-(?:0[1-9]|1\d|2[0-8]))"
)
_CLOCK: Final = r"(?:[01]\d|2[0-3]):[0-5]\d"
_TIME: Final = rf"{_CLOCK}:[0-5]\d(?:\.\d{{1,6}})?(?:Z|[+-]{_CLOCK})"
_DURATION_TIME: Final = r"T(?:\d{1,4}H(?:\d{1,4}M(?:\d{1,4}S)?)?|\d{1,4}M(?:\d{1,4}S)?|\d{1,4}S)"
_DURATION_DATE: Final = r"(?:\d{1,4}Y(?:\d{1,4}M(?:\d{1,4}D)?)?|\d{1,4}M(?:\d{1,4}D)?|\d{1,4}D)"
_LABEL: Final = r"[A-Za-z0-9]{1,16}(?:-[A-Za-z0-9]{1,16}){0,2}"
_TOP_LABEL: Final = r"[A-Za-z]{2,12}"
_HOST: Final = rf"(?:{_LABEL}\.){{1,3}}{_TOP_LABEL}"
_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1\d{2}|[1-9]?\d)"
_GROUP: Final = r"[0-9A-Fa-f]{1,4}"
_IPV6: Final = "|".join(
    [
        rf"(?:{_GROUP}:){{7}}{_GROUP}",
        rf"(?:{_GROUP}:){{1,7}}:",
        *(rf"(?:{_GROUP}:){{1,{before}}}(?::{_GROUP}){{1,{7 - before}}}" for before in range(6, 0, -1)),
        rf":(?::{_GROUP}){{1,7}}",
        "::",
    ]
)
_SEGMENT: Final = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_PATH: Final = rf"(?:/{_SEGMENT}{{0,30}}){{0,6}}"
_QUERY: Final = rf"(?:\?{_SEGMENT}{{0,60}})?(?:#{_SEGMENT}{{0,30}})?"
_URI: Final = (
    rf"[A-Za-z][A-Za-z0-9+.-]{{1,11}}:(?://{_HOST}(?::[1-9]\d{{0,3}})?{_PATH}|{_SEGMENT}{{1,60}}{_PATH}){_QUERY}"
)
_SHORT_URI: Final = r"https?://[a-z]{1,10}\.[a-z]{2,3}(?:/[A-Za-z0-9_-]{0,16})?"
_REFERENCE: Final = rf"(?:/{_SEGMENT}{{1,30}}){{1,6}}{_QUERY}"
_USER: Final = r"[A-Za-z0-9_]{1,20}(?:[.+-][A-Za-z0-9_]{1,20}){0,2}"
_EMAIL: Final = rf"{_USER}@{_HOST}"
_POINTER: Final = r"(?:/(?:[^~/]|~[01]){0,40}){0,8}"

STRING_FORMATS: Final[dict[str, tuple[str, ...]]] = {
    "date": (_DATE,),
    "time": (_TIME, rf"{_CLOCK}:[0-5]\dZ"),
    "date-time": (rf"{_DATE}T{_TIME}", rf"{_DATE}T{_CLOCK}:[0-5]\dZ"),
    "duration": (rf"P(?:{_DURATION_DATE}(?:{_DURATION_TIME})?|{_DURATION_TIME}|\d{{1,4}}W)", r"P\dD"),
    "email": (_EMAIL, r"[a-z0-9]{1,6}@[a-z]{1,6}\.[a-z]{2,3}"),
    "idn-email": (_EMAIL, r"[a-z0-9]{1,6}@[a-z]{1,6}\.[a-z]{2,3}"),
    "hostname": (_HOST, r"[a-z]{1,6}\.[a-z]{2,3}"),
    "idn-hostname": (_HOST, r"[a-z]{1,6}\.[a-z]{2,3}"),
    "ipv4": (rf"{_OCTET}(?:\.{_OCTET}){{3}}",),
    "ipv6": (_IPV6, "::"),
    "uri": (_URI, _SHORT_URI),
    "iri": (_URI, _SHORT_URI),
    "uri-reference": (rf"{_URI}|{_REFERENCE}", r"/[A-Za-z0-9_-]{1,16}"),
    "iri-reference": (rf"{_URI}|{_REFERENCE}", r"/[A-Za-z0-9_-]{1,16}"),
    "uuid": (r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}",),
    "json-pointer": (_POINTER, r"(?:/[A-Za-z0-9]{0,8})?"),
    "relative-json-pointer": (rf"(?:0|[1-9]\d{{0,3}})(?:#|{_POINTER})", r"\d"),
}

INTEGER_FORMATS: Final[dict[str, tuple[int, int]]] = {
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
}
