"""The line about work in the background, written at its end: what an access line is to a request."""

import logging
from collections.abc import Callable, Mapping
from typing import Final

from localaik.jobs.ended import EndedWork
from localaik.server.access import name_of, quoted
from localaik.server.logs import Structured

__all__ = ["WorkLine", "log_work"]

_log = logging.getLogger("localaik.background")

_SHORT: Final = {"tokens_in": "in", "tokens_out": "out"}


class WorkLine(Structured):
    """What a batch, or a response in the background, came to."""

    __slots__ = ("_work",)

    def __init__(self, work: EndedWork) -> None:
        self._work = work

    def text(self, hide: Callable[[str], str] = str) -> str:
        """`[protocol] kind status time id=..`, and further figures where they are known; values as in access lines."""
        work = self._work
        figures = " ".join(
            f"{_SHORT.get(name, name)}={quoted(hide(value)) if isinstance(value, str) else value}"
            for name, value in self._figures().items()
        )
        return f"[{work.protocol}] {work.kind} {work.status} {_milliseconds(work)}ms {figures}"

    def fields(self) -> Mapping[str, object]:
        """The same for machines."""
        work = self._work
        return {
            "message": f"{work.kind} {work.id} {work.status}",
            "protocol": work.protocol,
            "work": work.kind,
            "status": work.status,
            "latency_ms": _milliseconds(work),
            **self._figures(),
        }

    def _figures(self) -> dict[str, object]:
        work = self._work
        figures = {
            "id": work.id,
            "model": name_of(work.model) if work.model else None,
            "tokens_in": work.tokens_in,
            "tokens_out": work.tokens_out,
            "requests": work.requests,
            "failed": work.failed,
            "fault": name_of(work.fault) if work.fault else None,
        }
        return {name: value for name, value in figures.items() if value is not None}


def log_work(work: EndedWork) -> None:
    """Write the line."""
    _log.info(WorkLine(work))


def _milliseconds(work: EndedWork) -> float:
    return round(work.seconds * 1000, 1)
