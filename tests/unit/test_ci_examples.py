"""What docs/ci.md shows is what the example files say, and both belong to this version."""

import re
import textwrap
from pathlib import Path

import pytest

from localaik import __version__
from localaik.container.images import REPOSITORY

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = sorted((ROOT / "examples" / "ci").glob("*.yml"))
PAGE = (ROOT / "docs" / "ci.md").read_text("utf-8")
ACTION = (ROOT / "action.yml").read_text("utf-8")
USES = re.compile(r"uses: (\S+)@(\S+)(?: # (\S+))?")


def declared(section: str) -> list[str]:
    """The names below a key of action.yml."""
    text = ACTION.split(f"\n{section}:\n", 1)[1].split("\n\n")[0]
    return re.findall(r"^  ([a-z-]+):$", text, re.MULTILINE)


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_each_block_of_yaml_is_part_of_an_example(block: str) -> None:
    assert any(block in example.read_text("utf-8") for example in EXAMPLES)


def test_the_page_links_to_each_example() -> None:
    assert set(re.findall(r"\]\(\.\./examples/ci/(\S+?)\)", PAGE)) == {example.name for example in EXAMPLES}


def test_images_and_the_action_are_of_this_version() -> None:
    texts = [PAGE, *(example.read_text("utf-8") for example in EXAMPLES)]
    images = {name for text in texts for name in re.findall(rf"{REPOSITORY}:(\S+)", text)}
    actions = {name for text in texts for name in re.findall(r"localaik/localaik@(v\S+)", text)}
    assert images == {f"v{__version__}-tiny"}
    assert actions == {f"v{__version__}"}


@pytest.mark.parametrize(("section", "heading"), [("inputs", "Input"), ("outputs", "Output")])
def test_the_page_tells_of_each_input_and_output(section: str, heading: str) -> None:
    table = PAGE.split(f"| {heading} |", 1)[1].split("\n\n")[0]
    assert re.findall(r"^\| `([a-z-]+)`", table, re.MULTILINE) == declared(section)


def test_the_example_gives_inputs_that_exist() -> None:
    text = (ROOT / "examples" / "ci" / "github-action.yml").read_text("utf-8")
    given = re.search(r"localaik@.*\n.*\n        with:\n((?: {10}.*\n)+)", text)
    assert given
    assert set(re.findall(r"^([a-z-]+):", textwrap.dedent(given[1]), re.MULTILINE)) < set(declared("inputs"))


def test_one_version_of_an_action_is_one_commit_everywhere() -> None:
    found: dict[str, set[tuple[str, str]]] = {}
    for path in [*EXAMPLES, *(ROOT / ".github" / "workflows").glob("*.yml")]:
        for action, commit, version in USES.findall(path.read_text("utf-8")):
            if action != "localaik/localaik":
                assert re.fullmatch(r"[0-9a-f]{40}", commit), f"{path.name}: {action}"
                found.setdefault(action, set()).add((commit, version))
    assert found
    assert all(len(commits) == 1 for commits in found.values())
