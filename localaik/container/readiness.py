"""Waiting for a container: until it answers, ends, or the time is over."""

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from localaik.container.errors import ContainerError

__all__ = ["ContainerState", "probe_health", "wait_until_ready"]

_FIRST_PAUSE: Final = 0.05  # seconds
_LONGEST_PAUSE: Final = 0.5
_PROBE_SECONDS: Final = 2.0
_LARGEST_ANSWER_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class ContainerState:
    """What Docker tells of a container: its status in Docker's words, and how it ended, where it did."""

    status: str
    exit_code: int = 0
    out_of_memory: bool = False

    @property
    def has_ended(self) -> bool:
        """True where it won't answer any more."""
        return self.status in {"exited", "dead", "removing"}


def wait_until_ready(
    look: Callable[[], ContainerState],
    probe: Callable[[], str | None],
    read_log: Callable[[], str],
    *,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Return once `probe` finds nothing to wait for (None). Raises `ContainerError` with the log.

    `probe` else tells in a few words what it found. `timeout` is in seconds. The container is looked at before each
    probe, so its end is told at once and not only when the time is over.
    """
    deadline = clock() + timeout
    interval = _FIRST_PAUSE
    while True:
        state = look()
        if state.has_ended:
            raise ContainerError(_ending(state), log=read_log())
        if (reason := probe()) is None:
            return
        left = deadline - clock()
        if left <= 0:
            raise ContainerError(f"The container was not ready within {timeout:g} s: {reason}.", log=read_log())
        pause(min(interval, left))
        interval = min(interval * 1.5, _LONGEST_PAUSE)


def probe_health(host: str, port: int) -> str | None:
    """Ask `GET /health` once. None where it says that an answer can come, else a few words about what it said."""
    connection = http.client.HTTPConnection(host, port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        body = answer.read(_LARGEST_ANSWER_BYTES)
    except (OSError, http.client.HTTPException) as error:
        return f"no answer on port {port} ({type(error).__name__})"
    finally:
        connection.close()
    return None if answer.status == http.client.OK else f"/health says {answer.status} {_reason(body)}".strip()


def _reason(body: bytes) -> str:
    try:
        told = json.loads(body)
    except ValueError:
        return ""
    return str(told.get("reason", "")) if isinstance(told, dict) else ""


def _ending(state: ContainerState) -> str:
    text = f"The container ended with status {state.exit_code} before it was ready."
    return f"{text} It was out of memory." if state.out_of_memory else text
