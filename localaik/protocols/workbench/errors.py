"""Faults as the workbench tells them: OpenAI's error object, and beside it FastAPI's `detail`. Pure: no I/O.

Clients of eGemma read `detail` alone, OpenAI's SDKs read `error` alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from pydantic import ValidationError

from localaik.errors import (
    AlreadyExists,
    BadRequest,
    EngineFault,
    EngineRefused,
    EngineUnreachable,
    Forbidden,
    InternalFault,
    LocalaikError,
    MethodNotAllowed,
    NotFound,
    NotServed,
    RateLimited,
    RequestTooLarge,
    TimedOut,
    Unauthorized,
    Unavailable,
    UnknownModel,
    WrongContentType,
)

__all__ = ["Answer", "Fault", "InvalidParameters", "answer_of", "of_field", "of_validation"]

_INVALID: Final = "invalid_request_error"
_SERVER: Final = "server_error"
_UNPROCESSABLE: Final = 422


@dataclass(frozen=True, slots=True)
class Fault:
    """One parameter that is wrong, in pydantic's words."""

    type: str
    loc: tuple[str | int, ...]
    """From `query`, `body` or `path` on."""
    msg: str
    input: object = None


class InvalidParameters(BadRequest):
    """Parameters that can't be what was meant. There is one fault at least."""

    def __init__(self, details: Sequence[Fault]) -> None:
        first = details[0]
        name = ".".join(map(str, first.loc[1:])) or str(first.loc[0])
        super().__init__(f"Invalid '{name}': {first.msg}.", field=name, reason="validation_error")
        self.details = tuple(details)


@dataclass(frozen=True, slots=True)
class Answer:
    """An error answer."""

    status: int
    body: dict[str, object]
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Row:
    """How a class of faults is answered; without a code, its reason is one."""

    kind: type[LocalaikError]
    status: int
    type: str
    code: str | None = None


_ROWS: Final = (
    _Row(InvalidParameters, _UNPROCESSABLE, _INVALID),
    _Row(BadRequest, 400, _INVALID),
    _Row(RequestTooLarge, 413, _INVALID),
    _Row(WrongContentType, 415, _INVALID, "wrong_content_type"),
    _Row(Unauthorized, 401, "authentication_error", "unauthorized"),
    _Row(Forbidden, 403, "permission_error", "forbidden"),
    _Row(UnknownModel, 404, _INVALID),
    _Row(NotFound, 404, _INVALID),
    _Row(NotServed, 404, _INVALID, "not_found"),
    _Row(AlreadyExists, 409, _INVALID),
    _Row(MethodNotAllowed, 405, _INVALID, "method_not_allowed"),
    _Row(RateLimited, 429, "requests", "rate_limit_exceeded"),
    _Row(EngineUnreachable, 502, _SERVER, "upstream_unreachable"),
    _Row(EngineRefused, 502, _SERVER, "upstream_error"),
    _Row(EngineFault, 502, _SERVER, "upstream_invalid_response"),
    _Row(Unavailable, 503, _SERVER, "overloaded"),
    _Row(TimedOut, 504, _SERVER, "timeout"),
    _Row(InternalFault, 500, _SERVER, "internal_error"),
    _Row(LocalaikError, 500, _SERVER, "internal_error"),
)
"""The first class that fits tells."""

_UNAUTHORIZED: Final = {"nothing": "Not authenticated", "other_scheme": "Invalid authentication credentials"}
"""What a caller without a key showed, and what it is told; else the key was wrong."""

_BODY_STALLED: Final = _Row(TimedOut, 408, _INVALID, "timeout")


def answer_of(error: LocalaikError) -> Answer:
    """How an error is answered."""
    row = next(row for row in _ROWS if isinstance(error, row.kind))
    if isinstance(error, TimedOut) and error.reason == "request_timeout":
        row = _BODY_STALLED
    message, code = error.message, row.code or error.reason
    if error.reason == "unknown_url":
        message, code = "Not Found", "not_found"
    elif isinstance(error, MethodNotAllowed):
        message = "Method Not Allowed"
    elif isinstance(error, Unauthorized):
        message = _UNAUTHORIZED.get(error.shown, "Invalid API Key")
    field = error.field if isinstance(error, BadRequest) else None
    detail: object = message
    if isinstance(error, InvalidParameters):
        detail = [{"type": each.type, "loc": each.loc, "msg": each.msg, "input": each.input} for each in error.details]
    told: dict[str, object] = {"message": message, "type": row.type, "param": field, "code": code}
    if isinstance(error, RateLimited):
        told["limit"] = error.limit
    return Answer(row.status, {"error": told, "detail": detail}, _headers(error))


def of_validation(error: ValidationError) -> InvalidParameters:
    """The faults that pydantic found in a body."""
    details = orjson.loads(error.json(include_url=False))
    return InvalidParameters(
        [Fault(each["type"], ("body", *each["loc"]), each["msg"], each.get("input")) for each in details]
    )


def of_field(error: BadRequest) -> InvalidParameters:
    """A fault of a field in a body, such as `messages[0].role`, that somebody else has found."""
    steps: list[str | int] = ["body"]
    for step in (error.field or "").replace("[", ".").split("."):
        name = step.removesuffix("]")
        if name:
            steps.append(int(name) if name.isdecimal() else name)
    kind = "missing" if error.reason == "missing_required_parameter" else "value_error"
    return InvalidParameters([Fault(kind, tuple(steps), error.message.rstrip("."))])


def _headers(error: LocalaikError) -> dict[str, str]:
    if isinstance(error, MethodNotAllowed):
        return {"Allow": ", ".join(error.allowed)}
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": error.challenge}
    if isinstance(error, Unavailable | RateLimited):
        return {"Retry-After": str(error.retry_after)}
    return {}
