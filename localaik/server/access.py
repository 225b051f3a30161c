"""The access line: one for each request, written at its end. Never a query string, a header or a body."""

import logging
import re
from typing import Final

from localaik.errors import LocalaikError
from localaik.http.call import Call

__all__ = ["escape", "log_access"]

_log = logging.getLogger("localaik.access")

# C0, DEL, C1, line separators, bidirectional controls: what could forge a line or hide in one.
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def escape(text: str) -> str:
    """`text` on one line, with everything escaped that a terminal would not show as it is."""
    return _UNSAFE.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def log_access(call: Call, raw_path: str, status: int) -> None:
    """Write `[protocol] METHOD PATH STATUS[ fault] latency id=.. model=.. in=.. out=..`; healthy probes are quiet."""
    if call.protocol == "service" and status < 400:
        return
    fault = f" {type(call.failure).__name__}" if isinstance(call.failure, LocalaikError) and status < 400 else ""
    reason = f" {call.failure.reason}" if isinstance(call.failure, LocalaikError) and call.failure.reason else ""
    figures = [f"id={call.request_id}"]
    if call.model is not None:
        figures.append(f"model={escape(call.model)[:100]}")
    if call.prompt_tokens is not None:
        figures.append(f"in={call.prompt_tokens}")
    if call.completion_tokens is not None:
        figures.append(f"out={call.completion_tokens}")
    if call.first_token is not None:
        figures.append(f"ttft={(call.first_token - call.started) * 1000:.1f}ms")
    owner = "-" if call.protocol == "service" else call.protocol
    _log.info(
        "[%s] %s %s %d%s%s %.1fms %s",
        owner,
        escape(call.request.method),
        escape(raw_path)[:500],
        status,
        fault,
        reason,
        call.elapsed_ms(),
        " ".join(figures),
    )
