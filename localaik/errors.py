"""Every fault that localaik reports to a caller, free of any wire format.

Each protocol turns these into its own body and status (`protocols/*/errors.py`). The tree::

    LocalaikError
    ├── BadRequest                 the caller's mistake (400)
    │   ├── FailedPrecondition     right in form, but not in the present state of things
    │   ├── InvalidMedia           an image, PDF, text file or URL that can't be used
    │   └── ContextOverflow        the prompt is longer than the model's context
    ├── RequestTooLarge            the body passes the size limit (413)
    ├── WrongContentType           the body is not declared as JSON (415)
    ├── Unauthorized               the caller shows no key that is taken here (401)
    ├── Forbidden                  the caller may not do this (403)
    ├── NotFound                   no such route or object (404)
    │   └── UnknownModel           no such model
    ├── AlreadyExists              the name belongs to another object (409)
    ├── MethodNotAllowed           known path, wrong method (405)
    ├── RateLimited                the caller has made too many calls (429)
    ├── NotServed                  a route that exists elsewhere and not here, on purpose (501)
    ├── InternalFault              our own fault (500)
    │   └── MissingTool            a program that must be installed beside us is not there
    ├── EngineFault                the engine did not do its part
    │   ├── EngineUnreachable      refused, reset, died, answered a redirect or with our credential's refusal (502)
    │   ├── EngineAnswerInvalid    the answer is no answer (502)
    │   └── EngineRefused          an upstream's own error, status kept
    ├── Unavailable                loading, queue full, shutting down (503)
    └── TimedOut                   one of our time limits passed (504)
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

__all__ = [
    "AlreadyExists",
    "BadRequest",
    "ContextOverflow",
    "EngineAnswerInvalid",
    "EngineFault",
    "EngineRefused",
    "EngineUnreachable",
    "FailedPrecondition",
    "FieldFault",
    "Forbidden",
    "InternalFault",
    "InvalidMedia",
    "LocalaikError",
    "MethodNotAllowed",
    "MissingTool",
    "NotFound",
    "NotServed",
    "RateLimited",
    "RequestTooLarge",
    "TimedOut",
    "Unauthorized",
    "Unavailable",
    "UnknownModel",
    "WrongContentType",
]


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One field that is wrong: its path in the names of the wire, and what is wrong with it."""

    field: str
    description: str


class LocalaikError(Exception):
    """Base of all faults that a caller is told about.

    `message` is written for the caller. `reason` is a machine word of our own (`invalid_base64`,
    `pdf_too_many_pages`, `missing_required_parameter`, ...) that a protocol may map to a code of its own.
    """

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


class BadRequest(LocalaikError):
    """The request can't be served as it stands. `faults` lists the fields at fault, the first one first."""

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        reason: str | None = None,
        faults: tuple[FieldFault, ...] = (),
    ) -> None:
        super().__init__(message, reason=reason)
        self.faults = faults if faults or field is None else (FieldFault(field, message),)

    @property
    def field(self) -> str | None:
        """The wire path of the first field at fault, or None where no field is."""
        return self.faults[0].field if self.faults else None


class FailedPrecondition(BadRequest):
    """The request is right in form, but not in the present state of things."""


class InvalidMedia(BadRequest):
    """A file, image, document or URL in the request can't be used."""


class ContextOverflow(BadRequest):
    """The prompt alone is longer than the context of one slot (both in tokens)."""

    def __init__(self, prompt_tokens: int, context_tokens: int) -> None:
        super().__init__(
            f"The prompt has {prompt_tokens} tokens, the model's context holds {context_tokens}.",
            reason="context_length_exceeded",
        )
        self.prompt_tokens = prompt_tokens
        self.context_tokens = context_tokens


class RequestTooLarge(LocalaikError):
    """The body passes `limit` bytes (after decompression)."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"Request payload size exceeds the limit: {limit} bytes.", reason="request_too_large")
        self.limit = limit


class WrongContentType(LocalaikError):
    """The body must be declared as JSON."""


class Unauthorized(LocalaikError):
    """The caller must show a key. `shown` is what it showed instead: a `key` and a `bearer` are wrong ones."""

    challenge: ClassVar = 'Bearer realm="localaik"'
    """For the header `WWW-Authenticate` (RFC 6750)."""

    def __init__(self, shown: Literal["nothing", "other_scheme", "bearer", "key"]) -> None:
        message = "Invalid API key." if shown in {"bearer", "key"} else "Missing API key."
        super().__init__(message, reason="invalid_api_key")
        self.shown = shown


class Forbidden(LocalaikError):
    """The caller may not do this, whatever it sends."""


class NotFound(LocalaikError):
    """No such route or object."""


class UnknownModel(NotFound):
    """The requested model does not exist here."""

    def __init__(self, model: str) -> None:
        super().__init__(f"The model `{model}` does not exist.", reason="model_not_found")
        self.model = model


class AlreadyExists(LocalaikError):
    """The name that the caller wants belongs to another object."""


class MethodNotAllowed(LocalaikError):
    """The path exists, the method does not. `allowed` holds the served methods, sorted."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__(f"Only {' and '.join(allowed)} requests are accepted.", reason="method_not_supported")
        self.allowed = allowed


class RateLimited(LocalaikError):
    """The caller has made as many calls as it may, in the group of routes `bucket`: `calls` in `seconds`.

    `retry_after` are the seconds after which the next one is taken.
    """

    def __init__(self, bucket: str, calls: int, seconds: int, *, retry_after: int) -> None:
        super().__init__(
            f"Rate limit exceeded. Try again in {retry_after} seconds.",
            reason="rate_limit_exceeded",
        )
        self.bucket = bucket
        self.calls = calls
        self.seconds = seconds
        self.retry_after = retry_after

    @property
    def limit(self) -> dict[str, str | int]:
        """The limit that was passed, as error objects tell it."""
        return {"bucket": self.bucket, "calls": self.calls, "seconds": self.seconds}


class NotServed(LocalaikError):
    """The real service has this route, localaik leaves it out on purpose."""


class InternalFault(LocalaikError):
    """Our own fault; the message is fixed text, never an exception's."""


class MissingTool(InternalFault):
    """A program that must be installed beside localaik (poppler) is missing or crashed."""


class EngineFault(LocalaikError):
    """Base of what goes wrong behind us."""


class EngineUnreachable(EngineFault):
    """The engine refused the connection, reset it, or died."""


class EngineAnswerInvalid(EngineFault):
    """The engine answered, but not with an answer."""


class EngineRefused(EngineFault):
    """An upstream's own error. `status` is its HTTP status, `retry_after` its header in seconds."""

    def __init__(self, message: str, *, status: int, retry_after: int | None = None) -> None:
        super().__init__(message, reason="upstream_error")
        self.status = status
        self.retry_after = retry_after


class Unavailable(LocalaikError):
    """Not now: the model loads, the queue is full, or the server is stopping. `retry_after` in seconds."""

    def __init__(self, message: str, *, reason: str = "overloaded", retry_after: int = 1) -> None:
        super().__init__(message, reason=reason)
        self.retry_after = retry_after


class TimedOut(LocalaikError):
    """One of our time limits passed."""
