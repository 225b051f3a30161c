"""The files that people copy or run: compose files, service containers, `make docker-up`."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from docker import DockerClient
from docker.errors import NotFound

from tests.integration.docker_machine import LABEL, ROOT, RUN, Box, run

ImageOf = Callable[[str], str]
PROJECT = f"localaik-integration-{RUN}"
MADE = f"localaik-integration-make-{RUN}"

SERVICES = """
services:
  localaik: {{image: {image}, ports: ["127.0.0.1:0:8090"]}}
  caller:
    image: {image}
    depends_on: {{localaik: {{condition: service_healthy}}}}
    entrypoint: [curl, -sSf, http://localaik:8090/health]
    healthcheck: {{disable: true}}
"""


class Compose:
    """`docker compose` with one file, in a project of its own."""

    def __init__(self, file: Path, **variables: str) -> None:
        self._command = ("docker", "compose", "-p", PROJECT, "-f", str(file))
        self._environ = os.environ | {"PORT": "0"} | variables

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run(*self._command, *arguments, check=check, env=self._environ)

    def down(self) -> None:
        """End and remove everything, whatever profile it belongs to."""
        run(*self._command, "--profile", "*", "down", "--volumes", "--timeout", "30", env=self._environ)

    def url(self, service: str = "localaik") -> str:
        return f"http://{self('port', service, '8090').stdout.strip()}"


@contextmanager
def composed(file: Path, *up: str, **variables: str) -> Iterator[Compose]:
    compose = Compose(file, **variables)
    try:
        compose("up", "--wait", *up)
        yield compose
    except Exception as error:
        error.add_note(compose("logs", check=False).stdout)
        raise
    finally:
        compose.down()


def health(url: str) -> str:
    with urllib.request.urlopen(f"{url}/health", timeout=30) as answer:
        return str(json.load(answer)["status"])


def left(client: DockerClient, project: str) -> int:
    """Containers, volumes and networks of a project."""
    of_it = {"label": f"com.docker.compose.project={project}"}
    containers = client.containers.list(all=True, filters=of_it)
    return len(containers) + len(client.volumes.list(filters=of_it)) + len(client.networks.list(filters=of_it))


def test_c11_the_compose_file_of_the_repository_goes_up_and_down(client: DockerClient, tiny_image: str) -> None:
    with composed(ROOT / "compose.yaml", "--no-build", IMAGE=tiny_image) as compose:
        assert health(compose.url()) == "ok"
        (container,) = client.containers.list(filters={"label": f"com.docker.compose.project={PROJECT}"})
        made = container.attrs["HostConfig"]
        assert made["ReadonlyRootfs"]
        assert made["CapDrop"] == ["ALL"]
        assert {mount["Destination"] for mount in container.attrs["Mounts"] if mount["Type"] == "volume"} == {"/data"}
        container.stop(timeout=60)
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0
    assert left(client, PROJECT) == 0


def test_c01_the_compose_file_builds_tiny_unless_told_otherwise() -> None:
    for variables, target in (({}, "tiny"), ({"TARGET": "gemma3-4b"}, "gemma3-4b")):
        config = json.loads(Compose(ROOT / "compose.yaml", **variables)("config", "--format", "json").stdout)
        assert config["services"]["localaik"]["build"]["target"] == target


def test_c11_the_compose_file_has_profiles_for_gpu_and_proxy() -> None:
    profiles = Compose(ROOT / "compose.yaml")("config", "--profiles").stdout.split()
    assert {"gpu", "proxy"} <= set(profiles)
    config = Compose(ROOT / "compose.yaml", LOCALAIK_UPSTREAM="http://h/v1")
    services = json.loads(config("--profile", "*", "config", "--format", "json").stdout)["services"]
    assert services["gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert services["proxy"]["environment"]["LOCALAIK_UPSTREAM"] == "http://h/v1"


def test_c11_the_proxy_profile_stands_in_front_of_an_upstream(
    client: DockerClient, image_of: ImageOf, tiny_image: str
) -> None:
    variables = {
        "IMAGE": tiny_image,
        "PROXY_IMAGE": image_of("proxy"),
        "PROXY_PORT": "0",
        "LOCALAIK_UPSTREAM": "http://localaik:8090/v1",
    }
    with composed(ROOT / "compose.yaml", "--no-build", "localaik", "proxy", **variables) as compose:
        assert health(compose.url("proxy")) == "ok"
    assert left(client, PROJECT) == 0


def test_c11_a_service_that_waits_for_it_finds_it_healthy(
    client: DockerClient, tiny_image: str, tmp_path: Path
) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(SERVICES.format(image=tiny_image), "utf-8")
    compose = Compose(file)
    try:
        done = compose("run", "--rm", "-T", "caller")
        assert '"status":"ok"' in done.stdout.replace(" ", "")
    finally:
        compose.down()
    assert left(client, PROJECT) == 0


def test_c11_a_service_container_with_its_own_check_becomes_healthy(client: DockerClient, tiny_image: str) -> None:
    check = ("--health-cmd", "curl -f http://localhost:8090/health", "--health-interval", "10s")
    limits = ("--health-timeout", "5s", "--health-retries", "30")
    command = ("docker", "run", "-d", "--label", f"{LABEL}={RUN}", "-p", "127.0.0.1::8090", *check, *limits, tiny_image)
    box = Box(client.containers.get(run(*command).stdout.split()[-1]))
    try:
        box.wait_healthy()
        assert health(box.url) == "ok"
    finally:
        box.container.remove(force=True, v=True)


@pytest.fixture
def make(free_port: int) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """`make`, with an image and a container of the test's own."""

    def call(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        of_the_test = ("IMAGE=localaik-test:make", f"CONTAINER_NAME={MADE}", f"PORT={free_port}")
        return run("make", *arguments, *of_the_test, check=check)

    yield call
    call("docker-down", check=False)


def test_c13_make_builds_starts_waits_and_removes(
    client: DockerClient, make: Callable[..., subprocess.CompletedProcess[str]], free_port: int
) -> None:
    url = f"http://127.0.0.1:{free_port}"
    assert url in make("docker-up").stdout
    assert health(url) == "ok"
    assert client.containers.get(MADE).attrs["Config"]["Image"] == "localaik-test:make"
    make("docker-down")
    with pytest.raises(NotFound):
        client.containers.get(MADE)


def test_c13_make_prints_the_log_of_what_does_not_start(
    client: DockerClient, make: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = make("docker-up", "DOCKER_ARGS=--env LOCALAIK_SEED=x", check=False)
    assert done.returncode != 0
    assert "LOCALAIK_SEED" in done.stdout
    with pytest.raises(NotFound):
        client.containers.get(MADE)
