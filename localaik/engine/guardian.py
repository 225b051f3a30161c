"""Ties a native engine's life to ours. Run by path: `python -I -S guardian.py PARENT_PID PROGRAM ARG...`.

On Linux it asks the kernel for SIGKILL at the parent's death, looks whether the parent is already gone, and turns
into the program (`exec`, same process id): nothing stays in between. A `preexec_fn` would run Python between fork and
exec in a process with threads, which may deadlock. Elsewhere it stays, runs the program as its child, and ends it when
its own standard input ends: the parent holds the other end, so that happens however the parent dies.

Only the standard library, and little of it: this runs at every start of an engine.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType

__all__ = ["after_input", "die_with_parent", "main", "stand_between"]

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_NOT_STARTED = 127  # the shell's status for a program that can't be run


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends; end at once if `parent` is gone already.

    The request survives `exec` (prctl(2)). Does nothing outside Linux.
    """
    if sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415 - Linux only

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def after_input(action: Callable[[], object]) -> threading.Thread:
    """A running thread that reads standard input to its end and calls `action` then."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        action()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def main(arguments: list[str]) -> int:
    """Start `arguments[1:]` on behalf of the process `arguments[0]`; the exit status, where this returns at all."""
    parent, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        die_with_parent(parent)
        try:
            os.execvp(command[0], command)  # noqa: S606 - no shell is what we want
        except OSError as error:
            return _not_started(command[0], error)
    return stand_between(command)


def stand_between(command: list[str]) -> int:
    """Run `command` as a child until it ends or our standard input does; its exit status, 128 + N for signal N."""
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - the launcher's own argument list
    except OSError as error:
        return _not_started(command[0], error)

    def hand_on(_number: int, _frame: FrameType | None) -> None:
        child.terminate()

    signal.signal(signal.SIGTERM, hand_on)
    after_input(child.kill)
    status = child.wait()
    return status if status >= 0 else 128 - status


def _not_started(program: str, error: OSError) -> int:
    sys.stderr.write(f"can't run {program}: {error.strerror}\n")
    return _NOT_STARTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
