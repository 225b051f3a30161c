"""The drivers of the official SDKs (`tests/sdk`): where they are, whether they can run, what they print.

A driver goes through all cases of one API with one SDK and prints one JSON line per case. `make sdks` installs what
they need into `.sdks`. Where it did not, their tests are skipped, or fail where LOCALAIK_TEST_REQUIRE_SDKS is 1.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import RunningServer
from tests.media_samples import PdfPage, make_image, make_pdf

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "tests" / "sdk"
INSTALLED = ROOT / ".sdks"
GUARD_SECONDS = 300
FOREIGN = ("GOOGLE_", "GEMINI_", "OPENAI_")

Seen = dict[str, Any]


@dataclass(frozen=True)
class Sdk:
    """One SDK: its name in test ids, the program that runs its driver (None: needs nothing of `.sdks`), the command."""

    name: str
    program: Path | None
    command: Callable[[str], Sequence[str | Path]]

    def __str__(self) -> str:
        return self.name


PYTHON = Sdk("python", None, lambda api: [sys.executable, SOURCES / "python" / f"{api}.py"])
PYTHON_BEFORE = Sdk(
    "python-before",
    INSTALLED / "python" / "bin" / "python",
    lambda api: [INSTALLED / "python" / "bin" / "python", SOURCES / "python" / f"{api}.py"],
)
NODE = Sdk(
    "node",
    INSTALLED / "node" / "node",
    lambda api: [INSTALLED / "node" / "node", INSTALLED / "node" / f"{api}.mjs"],
)
GO = Sdk("go", INSTALLED / "go" / "driver", lambda api: [INSTALLED / "go" / "driver", api])


def missing(sdk: Sdk) -> str | None:
    """Why the SDK's driver can't run here, or None."""
    if sdk.program is None:
        return None
    stamp = INSTALLED / ".installed"
    if not stamp.exists() or not sdk.program.exists():
        return f"the SDK of {sdk} is not installed: run make sdks"
    newest = max(path.stat().st_mtime for path in sources())
    return "the drivers have changed since they were built: run make sdks" if newest > stamp.stat().st_mtime else None


def sources() -> Iterator[Path]:
    """The files from which `.sdks` is made."""
    yield ROOT / "tools" / "sdks.sh"
    yield from (path for path in SOURCES.rglob("*.*") if path.is_file() and "__pycache__" not in path.parts)


def samples(folder: Path) -> None:
    """Write the files that the drivers send."""
    (folder / "photo.png").write_bytes(make_image("PNG", 32, 32))
    (folder / "photo.jpg").write_bytes(make_image("JPEG", 32, 32))
    (folder / "report.pdf").write_bytes(make_pdf([PdfPage(["Hello page"])]))


def break_stream(sdk: Sdk, api: str, server: RunningServer) -> Seen:
    """What the SDK saw of a long stream whose engine was killed when the stream had begun."""
    _demand(sdk)
    argv = [*map(str, sdk.command(api)), server.url, ".", "fault"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=_environment()) as driver:
        assert driver.stdout is not None
        assert json.loads(driver.stdout.readline()) == {"case": "begun"}
        pid = server.server.engine.describe()["pid"]
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGKILL)
        seen: Seen = json.loads(driver.stdout.readline())
    return seen


def driving(api: str, url: str, folder: Path) -> Callable[[Sdk], dict[str, Seen]]:
    """What an SDK saw, by case. Each driver runs once, when the first test asks, whether it fails or not."""
    runs: dict[str, dict[str, Seen] | str] = {}

    def run(sdk: Sdk) -> dict[str, Seen]:
        _demand(sdk)
        if sdk.name not in runs:
            runs[sdk.name] = _drive(sdk, api, url, folder)
        seen = runs[sdk.name]
        if isinstance(seen, str):
            pytest.fail(seen)
        return seen

    samples(folder)
    return run


def _demand(sdk: Sdk) -> None:
    """Skip or fail the test where the SDK is not there."""
    reason = missing(sdk)
    if reason is None:
        return
    if os.environ.get("LOCALAIK_TEST_REQUIRE_SDKS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


def _drive(sdk: Sdk, api: str, url: str, folder: Path) -> dict[str, Seen] | str:
    """What the driver printed, or what it said as it failed."""
    done = subprocess.run(
        [*map(str, sdk.command(api)), url, str(folder)],
        capture_output=True,
        text=True,
        timeout=GUARD_SECONDS,
        env=_environment(),
        check=False,
    )
    if done.returncode:
        return f"the driver of {sdk} ended with {done.returncode}: {done.stderr[-2000:]}"
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line.pop("case"): line for line in lines}


def lasting(seen: Seen, of_one_run: set[str]) -> Seen:
    """What of it has to be the same in every run and SDK: all but the members of these names."""
    return {
        name: lasting(value, of_one_run) if isinstance(value, dict) else value
        for name, value in seen.items()
        if name not in of_one_run
    }
