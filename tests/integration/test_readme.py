"""The README's lines for Docker, run as they stand."""

import json
import os
import re
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import pytest
from docker import DockerClient
from docker.errors import NotFound

from tests.integration.docker_machine import ROOT, run

URL = "http://127.0.0.1:8090"
PORT = 8090
NAME = "localaik"


def blocks(command: str) -> list[str]:
    """The README's blocks for a shell whose first line begins with `command`."""
    text = (ROOT / "README.md").read_text("utf-8")
    found = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for block in found if block.startswith(command)]


@pytest.fixture
def nobody_else(client: DockerClient) -> Iterator[None]:
    """The README's port and name, which must be free: the lines are run as they are."""
    taken = [container.name for container in client.containers.list(all=True) if container.name == NAME]
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            taken.append(f"port {PORT}")
    if taken and os.environ.get("LOCALAIK_TEST_REQUIRE_DOCKER") != "1":
        pytest.skip(f"in use: {', '.join(taken)}")
    assert not taken
    yield
    with suppress(NotFound):
        client.containers.get(NAME).remove(force=True, v=True)
    shell(["docker compose down --volumes"])


def shell(lines: list[str]) -> None:
    # A project of its own: the volume of whoever uses the one of the file must not be touched.
    environment = {**os.environ, "COMPOSE_PROJECT_NAME": "localaik-test"}
    command = ["bash", "-euo", "pipefail", "-c", "\n".join(lines)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def greeting() -> str:
    body = json.dumps({"model": "any", "messages": [{"role": "user", "content": "Hello!"}]}).encode()
    request = urllib.request.Request(f"{URL}/v1/chat/completions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(json.load(answer)["choices"][0]["message"]["content"])


def test_docker_build_and_run(client: DockerClient, nobody_else: None) -> None:
    (block,) = blocks("docker build ")
    *start, stop = block.splitlines()
    shell(start)
    run("docker", "exec", NAME, "localaik", "health", "--wait", "60")
    assert greeting()
    shell([stop])
    assert client.containers.get(NAME).wait()["StatusCode"] == 0


def test_docker_compose_up_and_down(nobody_else: None) -> None:
    (block,) = blocks("docker compose ")
    up, down = block.splitlines()
    shell([up])  # returns when it is healthy
    assert greeting()
    shell([down])
    with pytest.raises(OSError, match="refused"):
        greeting()
