"""Faults as the Gemini API tells them: HTTP status, `google.rpc` code, message, details. Pure: no I/O.

Source: google.rpc.Status, google.rpc.Code and error_details.proto.
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
    FailedPrecondition,
    Forbidden,
    LocalaikError,
    MethodNotAllowed,
    NotFound,
    NotServed,
    RateLimited,
    RequestTooLarge,
    TimedOut,
    Unauthorized,
    Unavailable,
    WrongContentType,
)
from localaik.state.faults import UnknownCache, UnknownFile

__all__ = ["Answer", "answer_of", "error_object"]

_ANSWERS: Final[tuple[tuple[type[LocalaikError], int, str], ...]] = (
    (FailedPrecondition, 400, "FAILED_PRECONDITION"),
    (BadRequest, 400, "INVALID_ARGUMENT"),
    (RequestTooLarge, 400, "INVALID_ARGUMENT"),
    (WrongContentType, 400, "INVALID_ARGUMENT"),
    (Forbidden, 403, "PERMISSION_DENIED"),
    (UnknownFile, 403, "PERMISSION_DENIED"),
    (UnknownCache, 403, "PERMISSION_DENIED"),
    (NotFound, 404, "NOT_FOUND"),
    (AlreadyExists, 409, "ALREADY_EXISTS"),
    (MethodNotAllowed, 404, "NOT_FOUND"),
    (RateLimited, 429, "RESOURCE_EXHAUSTED"),
    (NotServed, 501, "UNIMPLEMENTED"),
    (EngineUnreachable, 502, "UNAVAILABLE"),
    (EngineFault, 502, "INTERNAL"),
    (Unavailable, 503, "UNAVAILABLE"),
    (TimedOut, 504, "DEADLINE_EXCEEDED"),
    (LocalaikError, 500, "INTERNAL"),
)
"""The first class that fits tells. `EngineRefused` has the upstream's own status."""

_UPSTREAM_STATUS: Final[Mapping[int, str]] = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_UNAUTHORIZED: Final[Mapping[str, tuple[int, str]]] = {
    "key": (400, "INVALID_ARGUMENT"),
    "bearer": (401, "UNAUTHENTICATED"),
}
"""What a caller without a good key showed; for nothing at all it is 403."""
_NO_KEY: Final = (
    "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form"
    " of API consumer identity to call this API."
)
_WRONG_KEY: Final = "API key not valid. Please pass a valid API key."
_WRONG_BEARER: Final = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid"
    " authentication credential."
)
_SERVICE: Final = "generativelanguage.googleapis.com"
_OVERLOADED_ELSEWHERE: Final = 529
_TYPE: Final = "type.googleapis.com/google.rpc."


@dataclass(frozen=True, slots=True)
class Answer:
    """What a fault is answered with."""

    code: int
    """The HTTP status, which the body repeats."""
    status: str
    retry_after: int | None
    """Seconds, or None where a retry won't help."""


def answer_of(error: LocalaikError) -> Answer:
    """Status, code and retry time of a fault."""
    if isinstance(error, EngineRefused):
        return _upstream_answer(error)
    if isinstance(error, Unauthorized):
        return Answer(*_UNAUTHORIZED.get(error.shown, (403, "PERMISSION_DENIED")), None)
    code, status = next((code, status) for kind, code, status in _ANSWERS if isinstance(error, kind))
    return Answer(code, status, error.retry_after if isinstance(error, Unavailable | RateLimited) else None)


def error_object(error: LocalaikError) -> dict[str, object]:
    """The error body; `error` is its only key, `details` is absent when empty."""
    answer = answer_of(error)
    body: dict[str, object] = {"code": answer.code, "message": _message(error), "status": answer.status}
    details = _details(error, answer)
    if details:
        body["details"] = details
    return {"error": body}


def _upstream_answer(error: EngineRefused) -> Answer:
    code = 503 if error.status == _OVERLOADED_ELSEWHERE else error.status
    if not 400 <= code < 600:
        return Answer(502, "INTERNAL", None)
    status = _UPSTREAM_STATUS.get(code, "INVALID_ARGUMENT" if code < 500 else "INTERNAL")
    retry_after = error.retry_after
    if retry_after is None and code in {429, 503}:
        retry_after = 1
    return Answer(code, status, retry_after)


def _message(error: LocalaikError) -> str:
    if isinstance(error, ContextOverflow):
        return (
            f"The input token count ({error.prompt_tokens}) exceeds the maximum number of tokens allowed"
            f" ({error.context_tokens})."
        )
    if isinstance(error, UnknownFile):
        return f"You do not have permission to access the File {error.file_id} or it may not exist."
    if isinstance(error, Unauthorized):
        return {"key": _WRONG_KEY, "bearer": _WRONG_BEARER}.get(error.shown, _NO_KEY)
    if isinstance(error, MethodNotAllowed):
        return f"Not Found: {error.message}"
    return error.message


def _details(error: LocalaikError, answer: Answer) -> list[dict[str, object]]:
    details: list[dict[str, object]] = []
    if isinstance(error, BadRequest) and error.faults:
        violations = [{"field": fault.field, "description": fault.description} for fault in error.faults]
        details.append({"@type": f"{_TYPE}BadRequest", "fieldViolations": violations})
    if isinstance(error, Unauthorized) and error.shown in _UNAUTHORIZED:
        reason = "API_KEY_INVALID" if error.shown == "key" else "ACCESS_TOKEN_TYPE_UNSUPPORTED"
        details.append(
            {
                "@type": f"{_TYPE}ErrorInfo",
                "reason": reason,
                "domain": "googleapis.com",
                "metadata": {"service": _SERVICE},
            }
        )
        if error.shown == "key":
            details.append({"@type": f"{_TYPE}LocalizedMessage", "locale": "en-US", "message": _WRONG_KEY})
    if answer.code == 429:
        details.append({"@type": f"{_TYPE}QuotaFailure", "violations": [_violation(error)]})
    if answer.retry_after is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{answer.retry_after}s"})
    return details


def _violation(error: LocalaikError) -> dict[str, str]:
    """The quota that was used up, by `google.rpc.QuotaFailure.Violation`."""
    if not isinstance(error, RateLimited):
        return {"quotaMetric": "upstream_requests", "quotaId": "UpstreamRequests"}
    return {
        "quotaMetric": f"{error.bucket}_requests",
        "quotaId": f"{error.bucket.capitalize()}RequestsPer{error.seconds}SecondsPerClient",
        "quotaValue": str(error.calls),
    }
