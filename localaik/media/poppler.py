"""Poppler's programs: where they are, which version, and how they are run so that they always end.

`pdfinfo` goes through pdf2image (`pdfinfo.py`). The others are run here: pdf2image can be neither cancelled nor stopped
as a group, and when one of several renderers passes the time limit it leaves the rest running.
"""

import asyncio
import contextlib
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from localaik.errors import InternalFault, MissingTool
from localaik.media.faults import MediaError

__all__ = ["find_tool", "missing_poppler", "poppler_version", "run_tool"]

_INSTALL: Final = (
    "Debian, Ubuntu: apt-get install poppler-utils; macOS: brew install poppler; "
    "conda: conda install -c conda-forge poppler"
)
_NOT_STARTED: Final = frozenset({126, 127})  # statuses of shell and dynamic loader for a program that can't start
_VERSION_SECONDS: Final = 5
_READ_BYTES: Final = 1 << 17
_version: str | None = None


def poppler_version() -> str | None:
    """The version of the installed poppler (`22.12.0`), or None where its renderer is missing.

    Runs the program until a version was found once (a few milliseconds), so that poppler may be installed meanwhile.
    """
    global _version  # noqa: PLW0603  a cache of what was found, never of a failure, which `functools.cache` can't do
    if _version is None:
        _version = _ask_version()
    return _version


def _ask_version() -> str | None:
    path = shutil.which("pdftoppm")
    if path is None:
        return None
    try:
        asked = subprocess.run([path, "-v"], capture_output=True, timeout=_VERSION_SECONDS, check=False)  # noqa: S603  our own arguments
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(rb"version (\d[\w.]*)", asked.stderr + asked.stdout)
    return found[1].decode("ascii", "replace") if found else None


def missing_poppler(program: str) -> MissingTool:
    """The fault for a poppler that is not there, with what to type."""
    return MissingTool(
        f"PDF files need poppler, and its program {program} was not found or can't start. Install it: {_INSTALL}.",
        reason="missing_poppler",
    )


def find_tool(program: str) -> str:
    """The path of one of poppler's programs. Raises `MissingTool`."""
    path = shutil.which(program)
    if path is None:
        raise missing_poppler(program)
    return path


async def run_tool(
    program: str,
    arguments: Sequence[str],
    directory: Path,
    output: int | Callable[[bytes], object],
    *,
    memory_bytes: int = 0,
) -> None:
    """Run one of poppler's programs in `directory` to its end, within `memory_bytes` of address space (0: any).

    What it writes goes to `output`: a file descriptor, or a function that is called with each piece. A pipe costs a
    turn of the event loop for every 4 KB that poppler writes, so page images go to files.
    A caller that is cancelled or timed out, or whose function raises, leaves no process behind. Raises `MissingTool`,
    `InternalFault` where the program crashed, and `MediaError` where it gave up on the file (`broken_pdf`) or needs
    more memory (`pdf_too_complex`): a page of 2 KB can ask for gigabytes.
    """
    path = find_tool(program)
    try:
        process = await asyncio.create_subprocess_exec(
            path,
            *arguments,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output if isinstance(output, int) else subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is for the server, which lets requests finish
        )
    except OSError:
        raise missing_poppler(program) from None
    is_bounded = _bound_memory(process.pid, memory_bytes)
    try:
        if process.stdout is not None and callable(output):
            while piece := await process.stdout.read(_READ_BYTES):
                output(piece)
        await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()
    if is_bounded and process.returncode == -signal.SIGABRT:  # how C++ ends where memory does
        raise MediaError(
            "pdf_too_complex",
            f"The PDF needs more than {memory_bytes} bytes of memory to be read (LOCALAIK_PDF_MEMORY_BYTES).",
        )
    _check_status(program, process.returncode)


def _bound_memory(pid: int, limit: int) -> bool:
    """Let a program that has just been started have `limit` bytes and no more; False where the system can't do that.

    Only Linux can set a limit from outside (prlimit(2)). Setting it between fork and exec would need code of ours
    there, which is unsafe in a process with threads.
    """
    if not limit:
        return False
    try:
        import resource  # noqa: PLC0415 - does not exist on Windows

        resource.prlimit(pid, resource.RLIMIT_AS, (limit, limit))
    except (ImportError, AttributeError, OSError, ValueError):  # ended already, or bounded more tightly from outside
        return False
    return True


def _check_status(program: str, status: int | None) -> None:
    if not status:
        return
    if status in _NOT_STARTED:
        raise missing_poppler(program)
    if status < 0:
        raise InternalFault(f"The PDF program {program} crashed on this file.", reason="pdf_tool_crashed")
    raise MediaError("broken_pdf", "The PDF is damaged: its pages can't be read.")
