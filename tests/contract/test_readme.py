"""The examples of the README, run as they stand against a real server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import media_samples
from tests.contract.conftest import RunningServer

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
DEFAULT_URL = "http://127.0.0.1:8090"
HANG_SECONDS = 120
END = "-- end of an example --"
ONE_AFTER_THE_OTHER = f"""\
import runpy, sys
for name in sys.argv[1:]:
    runpy.run_path(name, run_name="__main__")
    print({END!r}, flush=True)
"""  # in one process, which loads the SDKs once


def snippets(language: str, *, holding: str = "") -> list[str]:
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [block for block in blocks if holding in block]


def run(command: list[str], directory: Path) -> str:
    foreign = ("GOOGLE_", "GEMINI_", "OPENAI_")
    done = subprocess.run(
        command,
        cwd=directory,
        env={name: value for name, value in os.environ.items() if not name.startswith(foreign)},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_has_the_examples_that_it_promises() -> None:
    python = snippets("python")
    assert all(DEFAULT_URL in snippet for snippet in python)
    assert sum("genai" in snippet for snippet in python) == 4
    assert sum("openai" in snippet for snippet in python) == 3
    assert len(snippets("sh", holding="curl ")) == 2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_python_examples_run(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(media_samples.make_image("PNG"))
    (tmp_path / "report.pdf").write_bytes(media_samples.make_pdf(media_samples.pages_of_text(2)))
    examples = [f"example{index}.py" for index in range(len(snippets("python")))]
    for name, snippet in zip(examples, snippets("python"), strict=True):
        (tmp_path / name).write_text(snippet.replace(DEFAULT_URL, server.url), "utf-8")
    said = run([sys.executable, "-c", ONE_AFTER_THE_OTHER, *examples], tmp_path).split(END)
    assert [bool(text.strip()) for text in said] == [True] * len(examples) + [False]


@pytest.mark.parametrize("index", range(2))
def test_curl_examples_run(server: RunningServer, tmp_path: Path, index: int) -> None:
    snippet = snippets("sh", holding="curl ")[index].replace(DEFAULT_URL, server.url).replace("curl ", "curl --fail ")
    answer = run(["bash", "-euc", snippet], tmp_path)
    assert '"candidates"' in answer or '"choices"' in answer
