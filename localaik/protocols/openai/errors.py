"""Faults as the OpenAI API tells them: HTTP status, type, code, param, message. Pure: no I/O.

SDKs look at the code, and retry 408, 409, 429 and every 5xx unless `x-should-retry` says that it is no use.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from localaik.errors import (
    AlreadyExists,
    BadRequest,
    ContextOverflow,
    EngineFault,
    EngineRefused,
    EngineUnreachable,
    Forbidden,
    InternalFault,
    InvalidMedia,
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
from localaik.state.faults import InvalidId, UnknownBatch, UnknownFile

__all__ = ["Answer", "answer_of", "error_object"]

_INVALID: Final = "invalid_request_error"
_SERVER: Final = "server_error"
_NOT_JSON: Final = "We could not parse the JSON body of your request."
_RETRY_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class _Row:
    """How a class of faults is answered."""

    kind: type[LocalaikError]
    status: int
    type: str
    code: str | None = None
    gets_better: bool = True
    """False for what fails again however often it is tried."""


_ROWS: Final = (
    _Row(InvalidId, 404, _INVALID),  # to this API, what no file can be called is a file that is not there
    _Row(BadRequest, 400, _INVALID),
    _Row(RequestTooLarge, 413, _INVALID, "request_too_large"),
    _Row(WrongContentType, 415, _INVALID),
    _Row(Unauthorized, 401, _INVALID, "invalid_api_key"),
    _Row(Forbidden, 403, _INVALID),
    _Row(UnknownModel, 404, _INVALID, "model_not_found"),
    _Row(NotFound, 404, _INVALID),
    _Row(NotServed, 404, _INVALID, "unknown_url"),
    _Row(AlreadyExists, 409, _INVALID),
    _Row(RateLimited, 429, "requests", "rate_limit_exceeded"),
    _Row(MethodNotAllowed, 405, _INVALID, "method_not_supported"),
    _Row(InternalFault, 500, _SERVER, gets_better=False),
    _Row(EngineUnreachable, 502, _SERVER, "upstream_unreachable"),
    _Row(EngineFault, 502, _SERVER, "upstream_invalid_response"),
    _Row(Unavailable, 503, _SERVER, "overloaded"),
    _Row(TimedOut, 504, _SERVER, "timeout"),
    _Row(LocalaikError, 500, _SERVER, gets_better=False),
)
"""The first class that fits tells. `EngineRefused` has the upstream's own status."""

_STRICT_ROWS: Final = (
    _Row(Unauthorized, 401, "authentication_error", "unauthorized"),
    _Row(InternalFault, 500, _SERVER, "internal_error", gets_better=False),
)
"""What comes before `_ROWS` under the strict chat profile."""

_BODY_STALLED: Final = _Row(TimedOut, 408, _INVALID, "timeout")

_OWN_CODES: Final = frozenset(
    {
        "array_above_max_length",
        "array_below_min_length",
        "context_length_exceeded",
        "conversation_locked",
        "decimal_above_max_value",
        "decimal_below_min_value",
        "empty_array",
        "forbidden",
        "integer_above_max_value",
        "integer_below_min_value",
        "invalid_function_parameters",
        "invalid_json_schema",
        "invalid_type",
        "invalid_value",
        "missing_required_parameter",
        "mutually_exclusive_parameters",
        "object_above_max_properties",
        "previous_response_not_found",
        "session_busy",
        "session_not_found",
        "string_above_max_length",
        "unknown_parameter",
        "unknown_url",
        "unsupported_feature",
        "unsupported_parameter",
        "unsupported_value",
    }
)
"""Reasons that are codes of the API as they stand."""

_CODES: Final[Mapping[str, str]] = {
    "invalid_schema": "invalid_json_schema",
    "unsupported_schema_keyword": "invalid_json_schema",
    "unsupported_kind": "unsupported_value",
}
"""Other reasons of a bad request, and their codes."""

_IMAGE_CODES: Final[Mapping[str, str]] = {
    "invalid_base64": "invalid_base64_image",
    "unsupported_kind": "invalid_image_format",
    "broken_image": "invalid_image_format",
    "image_too_large": "image_too_large",
    "image_too_many_pixels": "image_too_large",
    "invalid_url": "invalid_image_url",
    "forbidden_address": "invalid_image_url",
    "fetch_off": "invalid_image_url",
    "fetch_failed": "failed_to_download_image",
    "fetch_too_large": "failed_to_download_image",
}
"""Reasons why an image can't be used."""

_IMAGE_FIELD: Final = ".image_url"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a fault is answered with."""

    status: int
    type: str
    code: str | None
    param: str | None
    message: str
    headers: Mapping[str, str]
    """Headers that this fault needs."""


def answer_of(error: LocalaikError, *, prompt_field: str = "messages", strict: bool = False) -> Answer:
    """The answer to a fault. `prompt_field` is the request's field that holds the prompt.

    `strict` gives the codes of the strict chat profile to faults that are not the request's own.
    """
    row = _row(error, strict)
    code = row.code or _code(error)
    return Answer(
        row.status,
        row.type,
        "not_found" if strict and code == "unknown_url" else code,
        _param(error, prompt_field),
        _message(error, prompt_field),
        _headers(error, row),
    )


def error_object(error: LocalaikError, *, prompt_field: str = "messages", strict: bool = False) -> dict[str, object]:
    """The body of an error: `error` is its only key, and has four; a fifth where a limit was passed."""
    answer = answer_of(error, prompt_field=prompt_field, strict=strict)
    told = {"message": answer.message, "type": answer.type, "param": answer.param, "code": answer.code}
    return {"error": {**told, "limit": error.limit} if isinstance(error, RateLimited) else told}


def _row(error: LocalaikError, strict: bool) -> _Row:
    if isinstance(error, EngineRefused):
        return _upstream_row(error.status)
    if isinstance(error, TimedOut) and error.reason == "request_timeout":
        return _BODY_STALLED
    return next(row for row in ((*_STRICT_ROWS, *_ROWS) if strict else _ROWS) if isinstance(error, row.kind))


def _upstream_row(status: int) -> _Row:
    """An upstream's own status stays, as far as it is one that this API has."""
    if status == 429:
        return _Row(EngineRefused, 429, "requests", "rate_limit_exceeded")
    if 400 <= status < 500:
        return _Row(EngineRefused, status, _INVALID)
    if status in {503, 529}:
        return _Row(EngineRefused, 503, _SERVER, "overloaded")
    if status == 504:
        return _Row(EngineRefused, 504, _SERVER, "timeout")
    if 500 <= status < 600:
        return _Row(EngineRefused, status, _SERVER, gets_better=status != 501)
    return _Row(EngineRefused, 502, _SERVER, "upstream_invalid_response")


def _code(error: LocalaikError) -> str | None:
    reason = error.reason
    if reason is None or reason in _OWN_CODES:
        return reason
    if isinstance(error, InvalidMedia):
        is_image = error.field is None or _IMAGE_FIELD in error.field
        return _IMAGE_CODES.get(reason, "invalid_value") if is_image else "invalid_value"
    return _CODES.get(reason) if isinstance(error, BadRequest) else None


def _param(error: LocalaikError, prompt_field: str) -> str | None:
    if isinstance(error, ContextOverflow):
        return prompt_field
    if isinstance(error, UnknownModel):
        return "model"
    return error.field if isinstance(error, BadRequest) else None


def _message(error: LocalaikError, prompt_field: str) -> str:
    if isinstance(error, ContextOverflow):
        if prompt_field == "input":  # of responses: embeddings tell of long texts in words of their own
            return "Your input exceeds the context window of this model. Please adjust your input and try again."
        return (
            f"This model's maximum context length is {error.context_tokens} tokens. However, your {prompt_field}"
            f" resulted in {error.prompt_tokens} tokens. Please reduce the length of the {prompt_field}."
        )
    if isinstance(error, UnknownBatch):
        return f"No batch found with id 'batch_{error.batch_id}'."
    if isinstance(error, InvalidId):
        return f"No such File object: {error.value}"
    if isinstance(error, UnknownFile):
        return f"No such File object: {error.file_id}"
    if isinstance(error, UnknownModel):
        return f"The model `{error.model}` does not exist or you do not have access to it."
    if isinstance(error, MethodNotAllowed):
        methods = " and ".join(method for method in error.allowed if method != "HEAD")
        return f"Only {methods} requests are accepted."
    if error.reason == "invalid_json":
        return f"{_NOT_JSON} {error.message}"
    return error.message


def _headers(error: LocalaikError, row: _Row) -> dict[str, str]:
    headers: dict[str, str] = {}
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(error.allowed)
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = error.challenge
    if row.status >= 500 and not row.gets_better:
        headers["x-should-retry"] = "false"
    if isinstance(error, Unavailable | EngineRefused | RateLimited) and error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    elif row.status in {429, 503}:
        headers["Retry-After"] = str(_RETRY_SECONDS)
    return headers
