"""From what an engine says when it fails to the faults that localaik reports.

An engine's error body never goes on as it is: bodies come in four shapes (`{"error": {...}}`, `{"error": "text"}`,
`{"object": "error", "message": ...}`, `{"detail": ...}`), and their codes mean nothing to our callers.
"""

import re
from http import HTTPStatus
from typing import Final

import orjson

from localaik.errors import (
    BadRequest,
    ContextOverflow,
    EngineAnswerInvalid,
    EngineRefused,
    EngineUnreachable,
    InternalFault,
    InvalidMedia,
    LocalaikError,
    Unavailable,
)

__all__ = [
    "MAX_ERROR_BYTES",
    "clean_message",
    "fault_of_answer",
    "fault_of_frame",
    "given_up",
    "still_loading",
    "stopping",
    "unreachable",
]

MAX_ERROR_BYTES: Final = 65_536
"""How much of an error body is read."""

_LOADING_RETRY_SECONDS: Final = 5
_MAX_MESSAGE_CHARS: Final = 2_000
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_PATH: Final = re.compile(r"(?<![\w:/.])(?:[A-Za-z]:\\|/)(?:[\w.+-]+[/\\])+[\w.+-]*")
_CREDENTIAL: Final = re.compile(r"(?i)\b(bearer|basic)\s+\S+|\b(sk|key)-[\w-]{8,}")

# What llama.cpp says in the message where its error type is too wide (tools/server/*.cpp, tools/mtmd/*.cpp).
_MEDIA_FAULTS: Final = ("Failed to load image or audio file", "Invalid uri", "Invalid url")
_MODALITY_FAULTS: Final = ("image input is not supported", "audio input is not supported")
_FIELD_FAULT: Final = re.compile(r"Field '([\w.]+)': (?:\[json\.exception[^\]]*\] )?(.+?)\.?")
_TEMPLATE_FAULTS: Final = ("Jinja Exception", "Unable to generate parser for this template")


def unreachable(what: str, *, reason: str = "upstream_unreachable") -> EngineUnreachable:
    """The engine could not be asked, or was lost; `what` says how, without its address's secrets."""
    return EngineUnreachable(f"The engine is unreachable: {what}.", reason=reason)


def clean_message(message: str) -> str:
    """A message that may be shown: no control characters, credentials or file paths, at most 2,000 characters."""
    message = _CONTROL.sub(" ", message)
    message = _CREDENTIAL.sub("***", message)
    return _PATH.sub("<path>", message)[:_MAX_MESSAGE_CHARS].strip()


def fault_of_answer(status: int, body: bytes, retry_after: str | None = None, credential: str = "") -> LocalaikError:
    """The fault that an answer other than 200 stands for. `body` may be cut at `MAX_ERROR_BYTES`.

    `credential` is the setting that holds what the engine was shown.
    """
    error = _error_object(body)
    message = clean_message(_message_of(error) or _reason_phrase(status))
    if 300 <= status < 400:
        return EngineAnswerInvalid(
            f"The engine answered with a redirect ({status}), which is not followed.",
            reason="upstream_invalid_response",
        )
    if status in {401, 403}:
        return EngineUnreachable(
            f"The upstream refused localaik's credential; check {credential or 'LOCALAIK_UPSTREAM_AUTH_HEADER'}.",
            reason="upstream_unreachable",
        )
    return _llama_cpp_fault(status, error, message) or EngineRefused(
        message, status=status, retry_after=_whole_seconds(retry_after)
    )


def fault_of_frame(error: bytes) -> LocalaikError:
    """The fault that an error frame inside a stream stands for."""
    message = clean_message(_message_of(_error_object(b'{"error":' + error + b"}")) or "no reason given")
    return EngineAnswerInvalid(f"The engine failed while it answered: {message}", reason="upstream_invalid_response")


def _llama_cpp_fault(status: int, error: object, message: str) -> LocalaikError | None:
    kind = error.get("type") if isinstance(error, dict) else None
    if isinstance(error, dict) and kind == "exceed_context_size_error":
        prompt, context = error.get("n_prompt_tokens"), error.get("n_ctx")
        if isinstance(prompt, int) and isinstance(context, int):
            return ContextOverflow(prompt, context)
    if any(text in message for text in _MEDIA_FAULTS):
        return InvalidMedia("The engine can't read one of the images.", reason="broken_image")
    if any(text in message for text in _MODALITY_FAULTS):
        return BadRequest("The model behind this server takes no images or audio.", reason="unsupported_kind")
    if any(text in message for text in _TEMPLATE_FAULTS):
        return InternalFault("The conversation could not be rendered for the model.")
    if message.startswith("Infill is not supported"):
        return BadRequest(
            "'suffix' is not supported: the model was not trained to fill in.",
            field="suffix",
            reason="unsupported_parameter",
        )
    if "failed to parse grammar" in message.lower():
        return BadRequest("The grammar can't be parsed.", field="grammar", reason="invalid_value")
    wrong_field = _FIELD_FAULT.fullmatch(message) if status == 400 else None
    if wrong_field:  # a field that localaik does not know and passed on
        name, fault = wrong_field.groups()
        return BadRequest(f"Invalid value for '{name}': {fault}.", field=name, reason="invalid_value")
    if status == 503:
        return Unavailable("The model is still loading.", reason="loading")
    return None


def _error_object(body: bytes) -> object:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict):
        return None
    return value.get("error") or value.get("detail") or value


def _message_of(error: object) -> str | None:
    if isinstance(error, dict):
        error = error.get("message")
    if isinstance(error, list) and error and isinstance(error[0], dict):  # FastAPI's list of faults
        error = error[0].get("msg")
    return error if isinstance(error, str) and error else None


def _reason_phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"status {status}"


def _whole_seconds(header: str | None) -> int | None:
    return int(header) if header is not None and header.isascii() and header.isdigit() else None


def still_loading() -> Unavailable:
    """The wait for an engine's model was too long."""
    return Unavailable("The model is still loading.", reason="loading", retry_after=_LOADING_RETRY_SECONDS)


def given_up() -> EngineUnreachable:
    """An engine has ended too often."""
    return EngineUnreachable("The engine ended and could not be started again.", reason="upstream_unreachable")


def stopping() -> Unavailable:
    """An engine ends because the server does."""
    return Unavailable("The server is stopping.", reason="stopping")
