"""The access line: one for each request, written at its end. Never a query string, a header's secret or a body."""

import logging
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from localaik.errors import LocalaikError
from localaik.http.call import Call
from localaik.server.logs import Structured, escape

__all__ = ["CLIENT_CLOSED_REQUEST", "AccessLine", "is_cut_short", "log_access", "name_of", "quoted"]

CLIENT_CLOSED_REQUEST: Final = 499
"""What is logged for a caller who left before the answer was complete: nginx's word, never sent."""

_log = logging.getLogger("localaik.access")

_QUIET: Final = frozenset({"/health", "/health/live", "/metrics"})
_MAX_PATH_CHARS: Final = 500
_MAX_NAME_CHARS: Final = 100
_MAX_METHOD_CHARS: Final = 20
_SWITCHING_PROTOCOLS: Final = 101
_PLAIN: Final = re.compile(r"[A-Za-z0-9._:/@+-]+")
_USER: Final = re.compile(r"//[^/]*@")
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus} | {
    CLIENT_CLOSED_REQUEST: "Client Closed Request"
}
_UNITS: Final = {"ttft_ms": "ms", "slot_wait_ms": "ms", "engine_ms": "ms"}
# Parts for machines -> their names in text.
_SHORT: Final = {
    "request_id": "id",
    "client_request_id": "client",
    "tokens_in": "in",
    "tokens_out": "out",
    "ttft_ms": "ttft",
    "slot_wait_ms": "wait",
    "engine_ms": "engine",
    "model": "model",
    "fault": "fault",
    "reason": "reason",
}


class AccessLine(Structured):
    """What a request came to."""

    __slots__ = ("_call", "_latency_ms", "_method", "_path", "_status")

    def __init__(self, call: Call, raw_path: str, status: int) -> None:
        """`raw_path` is the path as it was sent, without the query; `status` the one that was sent, or 499."""
        self._call = call
        self._latency_ms = round(call.elapsed_ms(), 1)
        self._method = _word(call.request.method, _MAX_METHOD_CHARS)
        # A target with a scheme (RFC 9112, section 3.2.2) may name a user with a password.
        self._path = _word(raw_path if raw_path.startswith("/") else _USER.sub("//***@", raw_path), _MAX_PATH_CHARS)
        self._status = status

    def text(self, hide: Callable[[str], str] = str) -> str:
        """`[protocol] METHOD PATH STATUS[ text from 400 up] latency id=..`, and further figures where they are known.

        Values with anything in them but letters, digits and `._:/@+-` are quoted, with backslashes before quotes.
        """
        figures = " ".join(
            [
                f"{_SHORT[name]}={value}{_UNITS.get(name, '')}"
                if type(value) is not str
                else f"{_SHORT[name]}={quoted(hide(value))}"
                for name, value in self._figures().items()
            ]
        )
        text = f" {_PHRASES.get(self._status, 'Error')}" if self._status >= 400 else ""
        cut = " cut short" if is_cut_short(self._call, self._status) else ""
        asked = f"[{self._owner}] {self._method} {hide(self._path)}"
        return f"{asked} {self._status}{text}{cut} {self._latency_ms}ms {figures}"

    def fields(self) -> Mapping[str, object]:
        """The same for machines."""
        return {
            "message": f"{self._method} {self._path} {self._status}",
            "protocol": self._owner,
            "method": self._method,
            "path": self._path,
            "status": self._status,
            "latency_ms": self._latency_ms,
            **self._figures(),
            **({"cut_short": True} if is_cut_short(self._call, self._status) else {}),
        }

    @property
    def _owner(self) -> str:
        return "-" if self._call.protocol == "service" else self._call.protocol

    def _figures(self) -> dict[str, object]:
        """What is known of: the ids, the model, tokens, times, the fault; texts on one line."""
        call = self._call
        figures: dict[str, object] = {"request_id": call.request_id}
        client_id = call.request.headers.get("X-Client-Request-Id")
        if client_id:
            figures["client_request_id"] = name_of(client_id)
        if call.model is not None:
            figures["model"] = name_of(call.model)
        if call.prompt_tokens is not None:
            figures["tokens_in"] = call.prompt_tokens
        if call.completion_tokens is not None:
            figures["tokens_out"] = call.completion_tokens
        if call.first_token is not None:
            figures["ttft_ms"] = round((call.first_token - call.started) * 1000, 1)
        if call.slot_use.asked:
            figures["slot_wait_ms"] = round(call.slot_use.waiting.seconds * 1000, 1)
            figures["engine_ms"] = round(call.slot_use.holding.seconds * 1000, 1)
        if call.failure is not None:
            figures["fault"] = type(call.failure).__name__
            if isinstance(call.failure, LocalaikError) and call.failure.reason:
                figures["reason"] = name_of(call.failure.reason)
        return figures


def is_cut_short(call: Call, status: int) -> bool:
    """The answer had begun with `status`, and a fault ended it."""
    return call.failure is not None and status < 400 and status != _SWITCHING_PROTOCOLS


def log_access(call: Call, raw_path: str, status: int) -> None:
    """Write the access line of a request; those of health probes and scrapes only where they fail."""
    if (call.route not in _QUIET or status >= 400) and _log.isEnabledFor(logging.INFO):
        # Not `info`, which searches the stack for the line that calls it: a third of the cost.
        _log.handle(_log.makeRecord(_log.name, logging.INFO, __file__, 0, AccessLine(call, raw_path, status), (), None))


def name_of(text: str) -> str:
    """A text from outside on one line, cut where it is long."""
    return escape(_cut(text, _MAX_NAME_CHARS))


def _word(text: str, limit: int) -> str:
    """A text without blanks, so that what stands behind it in a line is where it seems to be."""
    return escape(_cut(text, limit)).replace(" ", "\\x20")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "..."


def quoted(text: str) -> str:
    """A value of a line of text: in quotes where it has anything in it but letters, digits and `._:/@+-`."""
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
