"""What goes wrong with a container."""

from collections.abc import Sequence
from typing import Final

__all__ = ["ContainerError", "with_log"]

_LOG_LINES: Final = 40


class ContainerError(Exception):
    """A container did not start, or Docker did not do its part. The text is written for people.

    `log` holds what the container wrote, where there was one; its last 40 lines are part of the text.
    """

    def __init__(self, message: str, *, log: str = "") -> None:
        super().__init__(with_log(message, log.splitlines()))
        self.log = log


def with_log(message: str, lines: Sequence[str]) -> str:
    """`message`, and the last lines below it."""
    if not lines:
        return message
    kept = lines[-_LOG_LINES:]
    heading = "Its log:" if len(kept) == len(lines) else f"The last {len(kept)} lines of its log:"
    return "\n".join([message, heading, *(f"  {line}" for line in kept)])
