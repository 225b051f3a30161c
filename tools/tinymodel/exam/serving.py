"""A real server in a child process: `localaik serve` with the models under examination and one engine thread."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localaik.assets import tiny_model
from tools.tinymodel.exam.asking import MODEL

__all__ = ["SHIPPED", "SLOTS", "Server", "serving"]

SHIPPED = tiny_model().parent
"""The folder of the files that the package ships."""

SLOTS = 4
_LISTENING = re.compile(r"listening on (http://\S+)")
_HANG_SECONDS = 60
_POLL_SECONDS = 0.01
_REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Server:
    """A server that is ready."""

    url: str
    pid: int
    listening_seconds: float
    """From the start of the process to the open port."""
    ready_seconds: float
    """From the start of the process until the model was loaded."""


@contextmanager
def serving(models: Path, slots: int = SLOTS) -> Iterator[Server]:
    """Serve the models of a folder on a free port of 127.0.0.1, wait until they are loaded, and stop at the end.

    Raises RuntimeError for a server that does not start.
    """
    begun = time.monotonic()
    command = [sys.executable, "-m", "localaik", "serve", "--port", "0"]
    with subprocess.Popen(
        command, cwd=_REPOSITORY, env=_environment(models, slots), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            url = _address(process)
            listening = time.monotonic() - begun
            _wait(url, process)
            yield Server(url, process.pid, listening, time.monotonic() - begun)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_HANG_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _environment(models: Path, slots: int) -> dict[str, str]:
    """That of this process without localaik's settings, and with those of the exam."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("LOCALAIK_")}
    settings = {
        "threads": "1",
        "parallel": str(slots),
        "state": "memory",
        "access_log": "off",
        "log_level": "warning",
        "embedding_cache_bytes": "0",
        "pdf_cache_bytes": "0",
        "model_id": MODEL,
        "queue_timeout_seconds": "600",
    }
    if models.resolve() != SHIPPED.resolve():
        settings["model"] = str(models / "tiny.gguf")
        settings["mmproj"] = str(models / "tiny-mmproj.gguf")
        settings["embedding_model"] = str(models / "tiny-embedding.gguf")
        settings["cache_prompt"] = "off"
    return own | {f"LOCALAIK_{name.upper()}": value for name, value in settings.items()}


def _address(process: subprocess.Popen[str]) -> str:
    for line in process.stdout or ():
        if found := _LISTENING.search(line):
            return found[1]
    raise RuntimeError(f"the server ended before it listened: exit status {process.wait()}")


def _wait(url: str, process: subprocess.Popen[str]) -> None:
    """Until the server says that an answer can come."""
    end = time.monotonic() + _HANG_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=_HANG_SECONDS):
                return
        except urllib.error.HTTPError:
            time.sleep(_POLL_SECONDS)
    raise RuntimeError("the server does not get ready")
