"""The container helper without Docker: whose container is made, taken, removed, and what the SDK is told."""

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker import DockerClient
from docker.errors import APIError, NotFound

from localaik.container import ContainerError, LayerProgress, LocalaikContainer
from localaik.container.docker_engine import ContainerHandle, DockerEngine, NameTaken
from localaik.container.plan import DIGEST_LABEL, LABEL, Plan
from localaik.container.readiness import ContainerState, probe_health

# -- the probe ---------------------------------------------------------------------------------------------------------


class Health(BaseHTTPRequestHandler):
    status, body = 200, b""

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health" else 404)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives
        pass


@pytest.fixture
def health() -> Iterator[tuple[type[Health], int]]:
    """The answers of `/health`, to be set, and the port."""
    answers = type("Answers", (Health,), {})
    with HTTPServer(("127.0.0.1", 0), answers) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield answers, server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (200, b"{}", None),
        (503, b'{"reason": "loading"}', "/health says 503 loading"),
        (500, b"<html>", "/health says 500"),
        (404, b"[]", "/health says 404"),
    ],
)
def test_the_probe_tells_what_health_says(
    health: tuple[type[Health], int], status: int, body: bytes, found: str | None
) -> None:
    answers, port = health
    answers.status, answers.body = status, body
    assert probe_health("127.0.0.1", port) == found


def test_the_probe_tells_that_nobody_answers(health: tuple[type[Health], int]) -> None:
    assert "no answer on port 1 " in (probe_health("127.0.0.1", 1) or "")


# -- the context manager -----------------------------------------------------------------------------------------------


class FakeHandle:
    """A container that is ready at once, unless `ends` is set."""

    def __init__(self, engine: "FakeEngine", name: str | None, digest: str) -> None:
        self.engine, self.name = engine, name
        self.labels = {LABEL: "1", DIGEST_LABEL: digest}
        self.id = f"id{len(engine.made)}"
        self.status = "created"
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")
        self.status = "exited" if self.engine.ends else "running"

    def state(self) -> ContainerState:
        return ContainerState(self.status, 3 if self.status == "exited" else 0)

    def published_port(self) -> int | None:
        return self.engine.port

    def log(self, lines: int | None = None) -> str:
        return "the log" if lines is None else f"{lines} lines"

    def stop(self) -> None:
        self.calls.append("stop")

    def remove(self) -> None:
        self.calls.append("remove")
        self.engine.present.pop(self.name or self.id, None)


class FakeEngine:
    """Docker, as far as `LocalaikContainer` asks it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.images = {"i": "sha256:1"}
        self.to_pull: dict[str, str] = {}
        self.present: dict[str, FakeHandle] = {}
        self.made: list[FakeHandle] = []
        self.plans: list[Plan] = []
        self.remote_host: str | None = None
        self.ends = False
        self.closed = 0
        self.before_create: Callable[[], None] = lambda: None

    def image_id(self, image: str) -> str | None:
        return self.images.get(image)

    def pull(self, image: str, on_progress: Callable[[LayerProgress], None]) -> None:
        on_progress(LayerProgress("a1", "Downloading", 1, 2))
        self.images |= self.to_pull

    def create(self, plan: Plan, *, name: str | None, digest: str) -> FakeHandle:
        self.before_create()
        if name in self.present:
            raise NameTaken(name)
        handle = FakeHandle(self, name, digest)
        self.made.append(handle)
        self.plans.append(plan)
        self.present[name or handle.id] = handle
        return handle

    def find(self, name: str) -> FakeHandle | None:
        return self.present.get(name)

    def close(self) -> None:
        self.closed += 1

    def container(self, image: str = "i", **values: Any) -> LocalaikContainer:
        return LocalaikContainer(image, engine=cast("DockerEngine", self), **values)


@pytest.fixture
def engine(health: tuple[type[Health], int]) -> FakeEngine:
    return FakeEngine(health[1])


def test_a_block_has_a_server_and_leaves_none(engine: FakeEngine) -> None:
    with engine.container() as localaik:
        assert localaik.url == f"http://127.0.0.1:{engine.port}"
        assert localaik.gemini_base_url == localaik.url
        assert localaik.openai_base_url == f"{localaik.url}/v1"
        assert (localaik.logs(), localaik.logs(3)) == ("the log", "3 lines")
        assert (localaik.api_key, localaik.asks_for_key) == ("localaik", False)
        with pytest.raises(ContainerError, match="started already"):
            localaik.start()
    assert engine.made[0].calls == ["start", "stop", "remove"]
    assert not engine.present
    with pytest.raises(ContainerError, match="not been started"):
        _ = localaik.url
    localaik.stop()


def test_the_key_is_the_one_that_the_server_asks_for(engine: FakeEngine) -> None:
    given = engine.container(api_key="one")
    assert (given.api_key, given.asks_for_key) == ("one", True)
    assert engine.container(env={"LOCALAIK_API_KEY": "two,three"}).api_key == "two"


def test_a_container_that_ends_too_early_is_removed_and_its_log_told(engine: FakeEngine) -> None:
    engine.ends = True
    with (
        pytest.raises(ContainerError, match=r"status 3 before it was ready\.\nIts log:\n  the log"),
        engine.container(),
    ):
        pytest.fail("it never was ready")
    assert engine.made[0].calls == ["start", "remove"]


def test_an_interrupted_start_leaves_nothing(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("localaik.container.container.wait_until_ready", interrupt)
    with pytest.raises(KeyboardInterrupt):
        engine.container().start()
    assert not engine.present


def test_a_container_that_nobody_stopped_goes_with_its_object(engine: FakeEngine) -> None:
    localaik = engine.container().start()
    assert engine.present
    del localaik
    gc.collect()
    assert not engine.present


def test_images_are_pulled_where_they_are_missing_always_or_never(engine: FakeEngine) -> None:
    news: list[LayerProgress] = []
    engine.container().start(news.append).stop()
    assert news == []
    engine.container(pull="always").start(news.append).stop()
    assert len(news) == 1
    with pytest.raises(ContainerError, match="does not have the image other"):
        engine.container("other", pull="never").start(news.append)
    assert len(news) == 1
    engine.to_pull = {"other": "sha256:2"}
    engine.container("other").start(news.append).stop()
    assert len(news) == 2


def test_a_name_that_is_taken_is_told(engine: FakeEngine) -> None:
    with engine.container(name="n"), pytest.raises(ContainerError, match="named n already"):
        engine.container(name="n").start()


def test_reuse_takes_the_container_of_the_same_values_and_leaves_it(engine: FakeEngine) -> None:
    with engine.container(reuse=True) as first:
        pass
    with engine.container(reuse=True) as second:
        assert second.container_id == first.container_id
    with engine.container(reuse=True, env={"LOCALAIK_SEED": "1"}) as other:
        assert other.container_id != second.container_id
    assert len(engine.present) == 2
    del first, second, other
    gc.collect()
    assert len(engine.present) == 2


def test_reuse_makes_a_new_one_for_another_image_of_the_same_name(engine: FakeEngine) -> None:
    engine.container(reuse=True).start()
    engine.images["i"] = "sha256:rebuilt"
    engine.container(reuse=True).start()
    assert len(engine.made) == 2


def test_reuse_replaces_a_container_that_has_ended(engine: FakeEngine) -> None:
    engine.container(reuse=True).start()
    engine.made[0].status = "exited"
    engine.container(reuse=True).start()
    assert engine.made[0].calls == ["start", "remove"]
    assert list(engine.present.values()) == [engine.made[1]]


def test_reuse_of_a_name_with_other_values_is_refused(engine: FakeEngine) -> None:
    engine.container(reuse=True, name="n").start()
    with pytest.raises(ContainerError, match="runs already, with other values"):
        engine.container(reuse=True, name="n", port=1).start()
    assert engine.made[0].status == "running"


def test_a_reused_container_that_does_not_answer_is_left_to_its_owner(
    engine: FakeEngine, health: tuple[type[Health], int]
) -> None:
    engine.container(reuse=True).start()
    health[0].status = 503
    with pytest.raises(ContainerError, match="not ready within 0 s"):
        engine.container(reuse=True, timeout=0).start()
    assert engine.made[0].calls == ["start", "start"]
    assert engine.present


def test_a_new_container_for_reuse_that_does_not_answer_is_removed(
    engine: FakeEngine, health: tuple[type[Health], int]
) -> None:
    health[0].status = 503
    with pytest.raises(ContainerError, match="not ready within 0 s"):
        engine.container(reuse=True, timeout=0).start()
    assert not engine.present


def test_whatever_goes_wrong_the_connections_are_closed(engine: FakeEngine) -> None:
    with pytest.raises(ContainerError):
        engine.container("other", pull="never").start()
    assert engine.closed == 1


def test_reuse_takes_what_another_process_has_just_made(engine: FakeEngine) -> None:
    def other_process() -> None:
        engine.before_create = lambda: None
        engine.container(reuse=True).start()

    engine.before_create = other_process
    localaik = engine.container(reuse=True).start()
    assert len(engine.made) == 1
    assert localaik.container_id == engine.made[0].id


def test_a_name_is_taken_some_time_before_its_container_can_be_found(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("localaik.container.container.time.sleep", pauses.append)

    def being_made() -> None:
        if len(pauses) < 10:
            raise NameTaken("x")

    engine.before_create = being_made
    with engine.container(reuse=True) as container:
        assert container.container_id == engine.made[0].id
    assert len(pauses) == 10
    engine.before_create = lambda: _raise(NameTaken("x"))
    with pytest.raises(ContainerError, match="made and removed by others"), engine.container(reuse=True, name="n"):
        raise AssertionError


def _raise(error: Exception) -> None:
    raise error


def test_a_stop_that_is_asked_for_ends_a_reused_container_too(engine: FakeEngine) -> None:
    engine.container(reuse=True).start().stop()
    assert not engine.present


@pytest.mark.parametrize(
    ("bind", "remote", "url"),
    [
        ("127.0.0.1", None, "http://127.0.0.1:{port}"),
        ("0.0.0.0", None, "http://127.0.0.1:{port}"),
        ("0.0.0.0", "127.0.0.1", "http://127.0.0.1:{port}"),
    ],
)
def test_the_address_is_where_the_engine_is(engine: FakeEngine, bind: str, remote: str | None, url: str) -> None:
    engine.remote_host = remote
    with engine.container(bind=bind) as localaik:
        assert localaik.url == url.format(port=engine.port)


def test_loopback_of_a_remote_engine_is_refused_before_anything_is_made(engine: FakeEngine) -> None:
    engine.remote_host = "docker.test"
    with pytest.raises(ContainerError, match=r"runs on docker\.test.*bind"):
        engine.container().start()
    assert not engine.made


# -- the SDK -----------------------------------------------------------------------------------------------------------


class FakeClient:
    """The part of the SDK's client that is used, with an engine that holds what `containers.get` gives."""

    def __init__(self, base_url: str = "http+docker://localhost") -> None:
        self.api = SimpleNamespace(base_url=base_url)
        self.created: dict[str, Any] = {}
        self.volumes = SimpleNamespace(create=lambda name, labels: self.created.update(volume=(name, labels)))
        self.fault: Exception | None = None
        self.found: Any = None
        self.containers = SimpleNamespace(create=self._create, get=self._get)

    def _create(self, image: str, **arguments: Any) -> Any:
        if self.fault is not None:
            raise self.fault
        self.created.update(image=image, **arguments)
        return SimpleNamespace(id="abc", labels=arguments["labels"])

    def _get(self, name: str) -> Any:
        if self.fault is not None:
            raise self.fault
        return self.found

    @property
    def engine(self) -> DockerEngine:
        return DockerEngine(cast("DockerClient", self))


def refusal(kind: type[APIError], status: int) -> APIError:
    return kind("refused", response=cast("Any", SimpleNamespace(status_code=status)), explanation="the reason")


def test_containers_are_made_so_that_they_can_do_little() -> None:
    client = FakeClient()
    client.engine.create(Plan("i", api_key="k", data_volume="kept", memory="1g"), name="n", digest="d")
    assert client.created | {"tmpfs": None} == {
        "image": "i",
        "name": "n",
        "environment": {"LOCALAIK_API_KEY": "k"},
        "labels": {LABEL: "1", DIGEST_LABEL: "d"},
        "ports": {"8090/tcp": ("127.0.0.1", 0)},
        "volumes": {"kept": {"bind": "/data", "mode": "rw"}},
        "volume": ("kept", {LABEL: "1"}),
        "extra_hosts": {"host.docker.internal": "host-gateway"},
        "mem_limit": "1g",
        "pids_limit": 512,
        "read_only": True,
        "tmpfs": None,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
    }
    assert set(client.created["tmpfs"]) == {"/tmp"}


def test_a_conflict_is_a_taken_name_and_other_refusals_are_told() -> None:
    client = FakeClient()
    client.fault = refusal(APIError, 409)
    with pytest.raises(NameTaken):
        client.engine.create(Plan("i"), name="n", digest="d")
    client.fault = refusal(APIError, 500)
    with pytest.raises(ContainerError, match="Can't make a container of i: the reason"):
        client.engine.create(Plan("i"), name="n", digest="d")


def test_a_container_that_was_not_made_here_is_left_alone() -> None:
    client = FakeClient()
    client.found = SimpleNamespace(labels={LABEL: "1"}, id="x")
    assert isinstance(client.engine.find("n"), ContainerHandle)
    client.found.labels = {}
    with pytest.raises(ContainerError, match="not made by localaik"):
        client.engine.find("n")
    client.fault = refusal(NotFound, 404)
    assert client.engine.find("n") is None


def test_the_loss_of_the_engine_is_told() -> None:
    client = FakeClient()
    client.fault = ConnectionResetError("gone")
    with pytest.raises(ContainerError, match="Can't look for the container n: gone"):
        client.engine.find("n")


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        ("http+docker://localhost", None),
        ("http+docker://ssh", None),
        ("http://docker.test:2375", "docker.test"),
        ("https://10.0.0.1:2376", "10.0.0.1"),
    ],
)
def test_an_engine_behind_tcp_is_on_another_machine(base_url: str, host: str | None) -> None:
    assert FakeClient(base_url).engine.remote_host == host


def test_without_the_sdk_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(ContainerError, match=r"pip install 'localaik\[container\]'"):
        DockerEngine.connect()


def test_the_helper_loads_neither_the_server_nor_the_sdk_before_it_is_used() -> None:
    program = "import localaik.container, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    ours = {name for name in loaded if name.startswith("localaik.")}
    assert all(name.startswith("localaik.container") for name in ours)
    assert not loaded & {"docker", "requests", "aiohttp", "pydantic", "typer", "rich"}
