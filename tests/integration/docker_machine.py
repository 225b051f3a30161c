"""Images built from this repository, and containers of them that run with next to no rights, as users are told to."""

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from docker import DockerClient
from docker.models.containers import Container

from localaik.container.readiness import ContainerState, probe_health, wait_until_ready

__all__ = ["HARDENED", "IDLE", "LABEL", "MODELS", "ROOT", "RUN", "Box", "build", "health_of", "run", "run_box"]

ROOT: Final = Path(__file__).parent.parent.parent
MODELS: Final = ROOT / "localaik" / "assets" / "models"
READY_SECONDS: Final = 120.0  # a guard against hanging, and no promise
BUILD_SECONDS: Final = 1800
LABEL: Final = "localaik.integration"
RUN: Final = f"{os.getpid()}"
"""The label's value: runs on one machine, at the same time or later, are told apart."""
IDLE: Final[Mapping[str, Any]] = {"entrypoint": ["sleep", "infinity"], "healthcheck": {"test": ["NONE"]}}
"""Options of a container that does nothing, for tests of what is in an image."""

HARDENED: Final[Mapping[str, Any]] = {
    "read_only": True,
    "tmpfs": {"/tmp": ""},
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "mem_limit": "1g",
    "pids_limit": 256,
}


def run(*command: str, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command in the repository's root; its output is part of the error where it fails."""
    done = subprocess.run(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options
    )
    assert not check or done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def model_arguments(*, mmproj: bool = True) -> list[str]:
    """Arguments of a build that put the embedded model in, from a folder, in place of a large one."""
    model, projector = MODELS / "tiny.gguf", MODELS / "tiny-mmproj.gguf"
    values = {
        "MODEL_URL": model.name,
        "MODEL_SHA256": sha256(model),
        "MMPROJ_URL": projector.name if mmproj else "",
        "MMPROJ_SHA256": sha256(projector) if mmproj else "",
    }
    return [f"--build-context=models={MODELS}", *(f"--build-arg={name}={value}" for name, value in values.items())]


def build(tag: str, target: str | None, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Build an image by the command line, as people do. `target` None is what a plain `docker build .` makes."""
    chosen = [] if target is None else ["--target", target]
    command = ("docker", "build", "--progress", "plain", *chosen, "--tag", tag, *arguments, ".")
    return run(*command, check=check, timeout=BUILD_SECONDS, env=os.environ | {"DOCKER_BUILDKIT": "1"})


class Box:
    """A container that runs."""

    def __init__(self, container: Container) -> None:
        self.container = container

    def state(self) -> ContainerState:
        self.container.reload()
        state = self.container.attrs["State"]
        return ContainerState(self.container.status, state["ExitCode"], state["OOMKilled"])

    def log(self) -> str:
        return self.container.logs().decode()

    def wait_healthy(self) -> None:
        """Until Docker calls it healthy, by the check that the image brings."""
        self.wait_until(lambda: None if health_of(self.container) == "healthy" else health_of(self.container))

    def wait_ready(self) -> None:
        """Until it answers on the port that is published. Docker looks less often."""
        self.wait_until(lambda: probe_health("127.0.0.1", self.port))

    def wait_until(self, probe: Callable[[], str | None]) -> None:
        wait_until_ready(self.state, probe, self.log, timeout=READY_SECONDS)

    def wait_end(self) -> int:
        """Its exit status."""
        return int(self.container.wait(timeout=READY_SECONDS)["StatusCode"])

    @property
    def port(self) -> int:
        self.container.reload()
        (published, *_) = self.container.ports["8090/tcp"] or []
        return int(published["HostPort"])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def execute(self, *command: str, check: bool = True) -> str:
        """Run a program inside; what it printed."""
        status, output = self.container.exec_run(list(command))
        assert not check or status == 0, f"{command} ended with {status}:\n{output.decode()}"
        return str(output.decode())


def health_of(container: Container) -> str:
    """Docker's word, by what was read last."""
    return str(container.attrs["State"].get("Health", {}).get("Status", "no check"))


@contextmanager
def run_box(client: DockerClient, image: str, command: Sequence[str] | None = None, **options: Any) -> Iterator[Box]:
    """Start a container with next to no rights and with the port published; remove it at the end."""
    arguments = {**HARDENED, "ports": {"8090/tcp": ("127.0.0.1", 0)}, "labels": {LABEL: RUN}, **options}
    container = client.containers.create(image, list(command) if command else None, **arguments)
    try:
        container.start()
        yield Box(container)
    except Exception as error:
        error.add_note(f"The log of {image}:\n{container.logs().decode(errors='replace')}")
        raise
    finally:
        container.remove(force=True, v=True)
