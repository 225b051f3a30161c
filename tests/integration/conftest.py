"""What the tests need: a Docker engine, and the images, which are built once or taken by their names.

`LOCALAIK_TEST_IMAGE_TINY` (`_GEMMA3_4B`, `_GEMMA3_12B`, `_PROXY`) names an image to test instead of building one. The
Gemma images are built with the embedded model in place of the large one: same recipe, other bytes. Without an engine
the tests are skipped, and the end of the run says so; with `LOCALAIK_TEST_REQUIRE_DOCKER=1` the run fails instead.
"""

import os
import socket
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import docker
import pytest
from docker import DockerClient
from docker.errors import DockerException

from localaik.container import TARGETS
from tests.integration.docker_machine import IDLE, LABEL, RUN, Box, build, model_arguments, run_box

HERE = Path(__file__).parent
ImageOf = Callable[[str], str]


@cache
def missing_engine() -> str | None:
    """Why there is no Docker engine, or None where there is one."""
    try:
        client = docker.from_env()
    except (DockerException, OSError) as error:
        return str(error)
    client.close()
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    if not ours or missing_engine() is None:
        return
    if os.environ.get("LOCALAIK_TEST_REQUIRE_DOCKER") == "1":
        pytest.exit(f"These tests need a Docker engine: {missing_engine()}", returncode=1)
    for item in ours:
        item.add_marker(pytest.mark.skip(reason="there is no Docker engine"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if missing_engine() is not None:
        terminalreporter.section("SKIPPED: there is no Docker engine", red=True, bold=True)
        terminalreporter.line("No image was built, and nothing of the containers was tested.")
        terminalreporter.line(f"The reason: {missing_engine()}")


@pytest.fixture(scope="session")
def client() -> Iterator[DockerClient]:
    """The engine. At the end, no container of these tests is left."""
    connected = docker.from_env()
    yield connected
    for container in connected.containers.list(all=True, filters={"label": f"{LABEL}={RUN}"}):
        container.remove(force=True, v=True)
    connected.close()


@pytest.fixture(scope="session")
def image_of() -> ImageOf:
    """The image of a target: the one that a variable names, else one that is built when it is first asked for."""

    @cache
    def provide(target: str) -> str:
        if named := os.environ.get("LOCALAIK_TEST_IMAGE_" + target.upper().replace("-", "_")):
            return named
        tag = f"localaik-test:{target}"
        build(tag, target, *(model_arguments() if target.startswith("gemma") else ()))
        return tag

    return provide


@pytest.fixture(scope="session", params=TARGETS)
def image(request: pytest.FixtureRequest, image_of: ImageOf) -> str:
    """Each of the images."""
    return image_of(request.param)


@pytest.fixture(scope="session")
def idle(client: DockerClient, image: str) -> Iterator[Box]:
    """A container of each of the images, with rights as few as ever, in which nothing runs."""
    with run_box(client, image, **IDLE) as box:
        yield box


@pytest.fixture(scope="session")
def tiny_image(image_of: ImageOf) -> str:
    return image_of("tiny")


@pytest.fixture(scope="session")
def tiny(client: DockerClient, tiny_image: str) -> Iterator[Box]:
    """A container of `tiny` that all tests share which leave it as it is."""
    with run_box(client, tiny_image) as box:
        box.wait_healthy()
        yield box


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
