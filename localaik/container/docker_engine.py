"""The Docker engine, as far as it is needed here: images, and the containers that are made here."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from localaik.container.errors import ContainerError
from localaik.container.plan import CONTAINER_PORT, DIGEST_LABEL, LABEL, Plan
from localaik.container.pulling import LayerProgress, read_pull_event
from localaik.container.readiness import ContainerState

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

__all__ = ["ContainerHandle", "DockerEngine", "NameTaken"]

_STOP_SECONDS = 10


class NameTaken(Exception):
    """There is a container of that name already."""


@contextmanager
def _faults_told(doing: str) -> Iterator[None]:
    """Turn what the SDK raises into `ContainerError`: a refusal of the engine's, or the loss of it."""
    from docker.errors import APIError, DockerException  # noqa: PLC0415 - the SDK is an extra

    try:
        yield
    except APIError as error:
        raise ContainerError(f"{doing}: {error.explanation or error}") from error
    except (DockerException, OSError) as error:
        raise ContainerError(f"{doing}: {error}") from error


class DockerEngine:
    """A connection to a Docker engine."""

    def __init__(self, client: "DockerClient") -> None:
        self._client = client

    @classmethod
    def connect(cls) -> Self:
        """The engine that `DOCKER_HOST` or Docker's context names. Raises `ContainerError` where there is none."""
        try:
            import docker  # noqa: PLC0415 - the SDK is an extra
        except ImportError:
            raise ContainerError("The Docker SDK is missing: pip install 'localaik[container]'") from None
        with _faults_told("The Docker engine can't be reached. Is it running? `docker info` tells"):
            return cls(docker.from_env())

    @property
    def remote_host(self) -> str | None:
        """The machine that the engine runs on, where it is reached over TCP; None where it is this one."""
        address = urlsplit(self._client.api.base_url)
        return address.hostname if address.scheme in {"http", "https"} else None

    def close(self) -> None:
        """Close the connections. The engine may still be used: they are opened again."""
        self._client.close()

    def image_id(self, image: str) -> str | None:
        """The id of an image that the engine has, else None."""
        from docker.errors import ImageNotFound  # noqa: PLC0415

        with _faults_told(f"Can't look for {image}"), suppress(ImageNotFound):
            return self._client.images.get(image).id
        return None

    def pull(self, image: str, on_progress: Callable[[LayerProgress], None]) -> None:
        """Fetch an image, telling of each layer. Raises `ContainerError`."""
        with _faults_told(f"Can't pull {image}"):
            for event in self._client.api.pull(image, stream=True, decode=True):
                if (progress := read_pull_event(event, image)) is not None:
                    on_progress(progress)

    def create(self, plan: Plan, *, name: str | None, digest: str) -> "ContainerHandle":
        """A new container that is not started. Nothing in it can be written but /tmp and the data folder.

        Raises `NameTaken` and `ContainerError`.
        """
        from docker.errors import APIError  # noqa: PLC0415

        labels = {LABEL: "1", DIGEST_LABEL: digest}
        with _faults_told(f"Can't make a container of {plan.image}"):
            if plan.data_volume is not None:
                self._client.volumes.create(plan.data_volume, labels={LABEL: "1"})
            try:
                made = self._client.containers.create(
                    plan.image,
                    name=name,
                    environment=plan.variables(),
                    labels=labels,
                    ports={f"{CONTAINER_PORT}/tcp": (plan.bind, plan.port or 0)},
                    volumes=plan.volumes(),
                    extra_hosts={"host.docker.internal": "host-gateway"},
                    mem_limit=plan.memory,
                    pids_limit=plan.pids,
                    read_only=True,
                    tmpfs={"/tmp": "size=1g,mode=1777"},  # noqa: S108 - inside the container
                    cap_drop=["ALL"],
                    security_opt=["no-new-privileges"],
                )
            except APIError as error:
                if name is not None and error.status_code == 409:
                    raise NameTaken(name) from None
                raise
        return ContainerHandle(made)

    def find(self, name: str) -> "ContainerHandle | None":
        """The container of that name. Raises `ContainerError` where it was not made here."""
        from docker.errors import NotFound  # noqa: PLC0415

        with _faults_told(f"Can't look for the container {name}"):
            try:
                found = ContainerHandle(self._client.containers.get(name))
            except NotFound:
                return None
        if LABEL not in found.labels:
            raise ContainerError(f"The container {name} was not made by localaik: it is left alone.")
        return found

    def remove_volume(self, name: str) -> bool:
        """Remove a volume that was made here; False where there is none. Raises `ContainerError`."""
        from docker.errors import NotFound  # noqa: PLC0415

        with _faults_told(f"Can't remove the volume {name}"):
            try:
                volume = self._client.volumes.get(name)
            except NotFound:
                return False
            if LABEL not in (volume.attrs.get("Labels") or {}):
                raise ContainerError(f"The volume {name} was not made by localaik: it is left alone.")
            volume.remove()
        return True


class ContainerHandle:
    """A container of the engine. Each method raises `ContainerError` where the engine does not do it."""

    def __init__(self, container: "Container") -> None:
        self._container = container

    @property
    def id(self) -> str:
        """The full id."""
        return self._container.id or ""

    @property
    def labels(self) -> dict[str, str]:
        """The labels that it was made with."""
        return self._container.labels

    def start(self) -> None:
        """Start it; nothing happens where it runs already."""
        with _faults_told("Can't start the container"):
            self._container.start()

    def state(self) -> ContainerState:
        """What the engine tells of it now."""
        from docker.errors import NotFound  # noqa: PLC0415

        with _faults_told("Can't look at the container"):
            try:
                self._container.reload()
            except NotFound:
                return ContainerState("removing")
        state = self._container.attrs["State"]
        return ContainerState(self._container.status, state["ExitCode"], state["OOMKilled"])

    def published_port(self) -> int | None:
        """The port outside, by what `state()` saw last; None before the start."""
        published = self._container.ports.get(f"{CONTAINER_PORT}/tcp") or []
        return int(published[0]["HostPort"]) if published else None

    def log(self, lines: int | None = None) -> str:
        """What it wrote to both of its streams: all, or the last lines."""
        with _faults_told("Can't read the container's log"):
            return self._container.logs(tail="all" if lines is None else lines).decode(errors="replace")

    def follow_log(self, lines: int | None = None) -> Iterator[bytes]:
        """The same piece by piece, and what follows, until it ends."""
        with _faults_told("Can't read the container's log"):
            yield from self._container.logs(stream=True, follow=True, tail="all" if lines is None else lines)

    def stop(self) -> None:
        """Let it end by itself; after 10 s it is ended."""
        with _faults_told("Can't stop the container"):
            self._container.stop(timeout=_STOP_SECONDS)

    def remove(self) -> None:
        """Take it away, with its volumes that have no name, whatever it does now."""
        from docker.errors import APIError, NotFound  # noqa: PLC0415

        with _faults_told("Can't remove the container"):
            try:
                self._container.remove(v=True, force=True)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != 409:  # somebody else is removing it
                    raise
