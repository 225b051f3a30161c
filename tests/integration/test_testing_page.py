"""The examples of docs/testing.md, run as they stand by pytest."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.docker_machine import ROOT

PAGE = ROOT / "docs" / "testing.md"


def files_of(heading: str) -> dict[str, str]:
    """The examples of a section that begin with the name of a file."""
    section = re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    (text,) = (part for part in section if part.startswith(f"{heading}\n"))
    blocks = re.findall(r"^```python\n(# (\w+\.py)\n.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return {name: block for block, name in blocks}


@pytest.mark.parametrize(("heading", "tests"), [("A server for a test run", 2), ("Testcontainers", 1)])
def test_the_examples_of_the_page_pass(tiny_image: str, tmp_path: Path, heading: str, tests: int) -> None:
    files = files_of(heading)
    assert set(files) == {"conftest.py", "test_greeting.py"}
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    # The reaper of Testcontainers is an image of its own, which is not to be had everywhere.
    environ = os.environ | {
        "LOCALAIK_IMAGE": tiny_image,
        "TESTCONTAINERS_RYUK_DISABLED": "true",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:langsmith_plugin", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{tests} passed" in done.stdout
