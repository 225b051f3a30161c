"""A container with a localaik server, as a context manager."""

import os
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from localaik.container.docker_engine import ContainerHandle, DockerEngine, NameTaken
from localaik.container.errors import ContainerError
from localaik.container.images import Target, image_name
from localaik.container.plan import DIGEST_LABEL, Plan
from localaik.container.pulling import LayerProgress
from localaik.container.readiness import probe_health, wait_until_ready

__all__ = ["LocalaikContainer"]

_ANY_ADDRESS: Final = {"", "0.0.0.0", "::"}
_ANY_KEY: Final = "localaik"
_TRIES: Final = 100
_PAUSE_SECONDS: Final = 0.1


class LocalaikContainer:
    """A localaik server in a container of its own, for as long as a `with` block lasts.

    For example::

        with LocalaikContainer() as localaik:
            client = OpenAI(base_url=localaik.openai_base_url, api_key=localaik.api_key)

    `image` is an image's reference; without one the variable `LOCALAIK_IMAGE` names it, else it is the released image
    of `target`. `env` holds settings (`LOCALAIK_SEED`), `model_dir` a folder of this machine that `model` and `mmproj`
    name files of. The server is published on `bind`, on `port` or a free one. `data_volume` names a Docker volume for
    stored things, which stays; without one they go with the container. `pull` is `missing`, `always` or `never`.
    `timeout` is how long the server may take until it is ready, in seconds; the time of a pull is not counted.

    With `reuse`, a container that was made with the same values, of the same image, is taken instead of a new one,
    and it is left running at the end. Raises `ValueError` for values that can't work.
    """

    def __init__(
        self,
        image: str | None = None,
        *,
        target: Target = "tiny",
        env: Mapping[str, str] | None = None,
        api_key: str | None = None,
        upstream: str | None = None,
        model_dir: str | os.PathLike[str] | None = None,
        model: str | None = None,
        mmproj: str | None = None,
        bind: str = "127.0.0.1",
        port: int | None = None,
        name: str | None = None,
        data_volume: str | None = None,
        memory: str | None = None,
        reuse: bool = False,
        pull: Literal["missing", "always", "never"] = "missing",
        timeout: float = 120.0,
        engine: DockerEngine | None = None,
    ) -> None:
        self._plan = Plan(
            image=image or image_name(target),
            environment=dict(env or {}),
            api_key=api_key,
            upstream=upstream,
            model_dir=None if model_dir is None else Path(model_dir),
            model=model,
            mmproj=mmproj,
            bind=bind,
            port=port,
            data_volume=data_volume,
            memory=memory,
        )
        self._name = name
        self._reuse = reuse
        self._pull = pull
        self._timeout = timeout
        self._engine = engine
        self._host = ""
        self._running: ContainerHandle | None = None
        self._remove_at_exit: weakref.finalize[..., LocalaikContainer] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._reuse:
            self.stop()
        elif self._engine is not None:
            self._engine.close()

    @property
    def image(self) -> str:
        """The reference of the image."""
        return self._plan.image

    @property
    def api_key(self) -> str:
        """The key to show. Without a key of its own a server takes any, and this is some text for SDKs that ask."""
        return self._plan.variables().get("LOCALAIK_API_KEY", "").partition(",")[0] or _ANY_KEY

    @property
    def asks_for_key(self) -> bool:
        """True where the server wants a certain key."""
        return bool(self._plan.variables().get("LOCALAIK_API_KEY"))

    @property
    def container_id(self) -> str:
        """The id of the container. Raises `ContainerError` before the start, as the next ones do."""
        return self._started().id

    @property
    def port(self) -> int:
        """The port outside."""
        port = self._started().published_port()
        if port is None:
            raise ContainerError("The container has no published port. Has it ended?")
        return port

    @property
    def url(self) -> str:
        """`http://host:port`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    @property
    def gemini_base_url(self) -> str:
        """For google-genai: `HttpOptions(base_url=...)` or the variable `GOOGLE_GEMINI_BASE_URL`."""
        return self.url

    @property
    def openai_base_url(self) -> str:
        """For openai: `OpenAI(base_url=...)` or the variable `OPENAI_BASE_URL`."""
        return f"{self.url}/v1"

    def logs(self, lines: int | None = None) -> str:
        """What the server has written: all, or the last lines."""
        return self._started().log(lines)

    def start(self, on_pull: Callable[[LayerProgress], None] = lambda _: None) -> Self:
        """Pull the image where it is needed, start the server, and return once it is ready.

        `on_pull` is told of each step of a pull.
        Raises `ContainerError`; a container that was made for it is then gone, one that ran before is not.
        """
        if self._running is not None:
            raise ContainerError("The container has been started already.")
        engine = self._engine = self._engine or DockerEngine.connect()
        try:
            self._host = self._reachable_host(engine.remote_host)
            image_id = self._provide_image(engine, on_pull)
            handle, is_new = self._provide_container(engine, self._plan.digest(image_id))
            self._run(handle, is_new=is_new)
        except BaseException:
            engine.close()
            raise
        return self

    def stop(self) -> None:
        """End the server and remove its container, a reused one too. Nothing happens where there is none."""
        handle = self._forget()
        if handle is None:
            return
        try:
            handle.stop()
        finally:
            handle.remove()
            if self._engine is not None:
                self._engine.close()

    def _run(self, handle: ContainerHandle, *, is_new: bool) -> None:
        """Start it and wait. One that others have made is left as it is where that fails."""
        self._running = handle
        if not self._reuse:
            self._remove_at_exit = weakref.finalize(self, _remove_quietly, handle)
        try:
            handle.start()
            wait_until_ready(handle.state, self._probe, handle.log, timeout=self._timeout)
        except BaseException:
            self._forget()
            if is_new:
                _remove_quietly(handle)
            raise

    def _forget(self) -> ContainerHandle | None:
        """The container that was known until now."""
        handle, self._running = self._running, None
        if self._remove_at_exit is not None:
            self._remove_at_exit.detach()
        return handle

    def _started(self) -> ContainerHandle:
        if self._running is None:
            raise ContainerError("The container has not been started.")
        return self._running

    def _reachable_host(self, remote: str | None) -> str:
        bind = self._plan.bind
        if remote is None:
            return "127.0.0.1" if bind in _ANY_ADDRESS else bind
        if bind == "localhost" or bind.startswith("127.") or bind == "::1":
            raise ContainerError(
                f"The Docker engine runs on {remote}, where {bind} can't be reached from here. Choose an address of "
                "that machine with `bind`, such as 0.0.0.0, and an `api_key`."
            )
        return remote

    def _provide_image(self, engine: DockerEngine, on_pull: Callable[[LayerProgress], None]) -> str:
        image = self._plan.image
        image_id = None if self._pull == "always" else engine.image_id(image)
        if image_id is None and self._pull != "never":
            engine.pull(image, on_pull)
            image_id = engine.image_id(image)
        if image_id is None:
            raise ContainerError(f"The Docker engine does not have the image {image}.")
        return image_id

    def _provide_container(self, engine: DockerEngine, digest: str) -> tuple[ContainerHandle, bool]:
        """The container, and whether it was made now."""
        if not self._reuse:
            try:
                return engine.create(self._plan, name=self._name, digest=digest), True
            except NameTaken:
                raise ContainerError(f"There is a container named {self._name} already.") from None
        name = self._name or f"localaik-{digest[:12]}"
        for _ in range(_TRIES):  # others may make or remove it at the same time
            if (found := engine.find(name)) is not None:
                if not found.state().has_ended:
                    if found.labels.get(DIGEST_LABEL) != digest:
                        raise ContainerError(
                            f"The container {name} runs already, with other values or another image. Stop it first."
                        )
                    return found, False
                found.remove()
            with suppress(NameTaken):
                return engine.create(self._plan, name=name, digest=digest), True
            time.sleep(_PAUSE_SECONDS)  # a name is taken some time before its container can be found
        raise ContainerError(f"The container {name} is being made and removed by others.")

    def _probe(self) -> str | None:
        port = self._started().published_port()
        return "no port is published yet" if port is None else probe_health(self._host, port)


def _remove_quietly(handle: ContainerHandle) -> None:
    """Remove a container where a fault is on its way already, or nobody is left to tell one."""
    with suppress(ContainerError):
        handle.remove()
