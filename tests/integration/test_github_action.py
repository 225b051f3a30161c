"""The GitHub action's script with a real container. Its inputs and faults are in tests/unit/test_github_action.py."""

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import DockerClient

from tests.integration.docker_machine import LABEL, run

NAME = "localaik-test-action"
STOPS_AT_ONCE = {"INPUT_ENV": "LOCALAIK_CTX_SIZE=none"}


@pytest.fixture
def inputs(tmp_path: Path, tiny_image: str) -> dict[str, str]:
    return {
        **dict.fromkeys(("INPUT_VERSION", "INPUT_UPSTREAM"), ""),
        "INPUT_TARGET": "tiny",
        "INPUT_IMAGE": tiny_image,
        "INPUT_PORT": "0",
        "INPUT_ENV": "LOCALAIK_MODEL_ID=from the action",
        "INPUT_ARGS": f"--label\n{LABEL}=1",
        "INPUT_NAME": NAME,
        "INPUT_WAIT": "120",
        "INPUT_SET_ENV": "true",
        "GITHUB_OUTPUT": str(tmp_path / "outputs"),
        "GITHUB_ENV": str(tmp_path / "environment"),
    }


@pytest.fixture(autouse=True)
def nothing_left(client: DockerClient) -> Iterator[None]:
    yield
    for container in client.containers.list(all=True, filters={"name": f"^/{NAME}$"}):
        container.remove(force=True, v=True)


def lines_of(path: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in Path(path).read_text("utf-8").splitlines())


def test_it_starts_a_server_that_answers_and_replaces_its_own(client: DockerClient, inputs: dict[str, str]) -> None:
    for _ in range(2):
        run("tools/github_action.sh", env=os.environ | inputs)
    bases = lines_of(inputs["GITHUB_ENV"])
    with urllib.request.urlopen(bases["OPENAI_BASE_URL"] + "/models", timeout=60) as answer:
        assert json.load(answer)["data"][0]["id"] == "from the action"
    container = client.containers.get(lines_of(inputs["GITHUB_OUTPUT"])["container"])
    assert container.attrs["HostConfig"]["ReadonlyRootfs"]
    assert container.attrs["HostConfig"]["CapDrop"] == ["ALL"]


def test_it_fails_with_the_log_of_a_server_that_ends(inputs: dict[str, str]) -> None:
    done = run("tools/github_action.sh", check=False, env=os.environ | inputs | STOPS_AT_ONCE)
    assert done.returncode == 1
    assert "LOCALAIK_CTX_SIZE" in done.stdout
    assert "::error title=localaik::" in done.stdout.splitlines()[-1]
    assert not Path(inputs["GITHUB_OUTPUT"]).exists()
