"""`localaik up`, `down` and `logs` without Docker: flags, words, statuses, and how pulls are shown."""

import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from localaik.cli import container_commands
from localaik.cli.main import app
from localaik.cli.pull_bars import PullBars
from localaik.container import ContainerError, LayerProgress
from localaik.container.docker_engine import DockerEngine

WIDE = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


class FakeContainer:
    """In place of `LocalaikContainer`."""

    made: dict[str, Any]
    fault: str | None
    url = gemini_base_url = "http://127.0.0.1:9"
    openai_base_url = "http://127.0.0.1:9/v1"
    asks_for_key = False
    image = "the-image"

    def __init__(self, image: str | None, **values: Any) -> None:
        if values["env"].get("LOCALAIK_PORT"):
            raise ValueError("The port inside is fixed.")
        type(self).made = {"image": image} | values

    def start(self, on_pull: Any) -> None:
        on_pull(LayerProgress("a1", "Downloading", 1, 2))
        if self.fault is not None:
            raise ContainerError(self.fault, log="its words")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeContainer]:
    fresh = type("Fresh", (FakeContainer,), {"made": {}, "fault": None})
    monkeypatch.setattr(container_commands, "LocalaikContainer", fresh)
    return fresh


class FakeHandle:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def stop(self) -> None:
        self.calls.append("stop")

    def remove(self) -> None:
        self.calls.append("remove")

    def log(self, lines: int | None) -> str:
        return "all\n" if lines is None else f"last {lines}\n"

    def follow_log(self, lines: int | None) -> Iterator[bytes]:
        yield b"one\n"
        yield b"two\n"


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An engine with one container, `localaik`, and its volume."""
    engine = SimpleNamespace(container=FakeHandle(), volumes={"localaik-data"})
    engine.find = lambda name: engine.container if name == "localaik" else None
    engine.remove_volume = lambda name: name in engine.volumes and not engine.volumes.remove(name)
    monkeypatch.setattr(DockerEngine, "connect", lambda: engine)
    return engine


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, arguments, env=WIDE | (env or {}), prog_name="localaik")


def test_up_starts_a_server_that_stays_and_tells_how_to_call_it(fake: type[FakeContainer]) -> None:
    result = run("up")
    assert (result.exit_code, result.stderr) == (0, "Pulling the-image\n")
    assert result.stdout.splitlines() == [
        "localaik is listening on http://127.0.0.1:9",
        "  image   the-image",
        "  Gemini  GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:9",
        "  OpenAI  OPENAI_BASE_URL=http://127.0.0.1:9/v1",
        "  health  http://127.0.0.1:9/health   (any API key will do)",
        "  stop    localaik down",
    ]
    assert fake.made == {
        "image": None,
        "target": "tiny",
        "env": {},
        "upstream": None,
        "model_dir": None,
        "model": None,
        "mmproj": None,
        "bind": "127.0.0.1",
        "port": 8090,
        "name": "localaik",
        "data_volume": "localaik-data",
        "reuse": True,
        "timeout": 120.0,
    }


def test_flags_of_up_reach_the_container(fake: type[FakeContainer], tmp_path: Path) -> None:
    fake.asks_for_key = True
    flags = ("--target", "proxy", "--image", "mine:1", "--name", "two", "--wait", "5")
    variables = ("--env", "LOCALAIK_SEED=7", "-e", "LOCALAIK_STOP=a=b", "-e", "LOCALAIK_API_KEY")
    files = ("--model", str(tmp_path / "a.gguf"), "--mmproj", str(tmp_path / "b.gguf"))
    addresses = ("--bind", "0.0.0.0", "--port", "9000", "--upstream", "http://h/v1")
    result = run("up", *flags, *addresses, *variables, *files, env={"LOCALAIK_API_KEY": "secret", "OTHER": "x"})
    assert result.exit_code == 0
    assert "(an API key is asked for)" in result.stdout
    assert "localaik down --name two" in result.stdout
    assert "secret" not in result.output
    expected = {
        "image": "mine:1",
        "target": "proxy",
        "env": {"LOCALAIK_SEED": "7", "LOCALAIK_STOP": "a=b", "LOCALAIK_API_KEY": "secret"},
        "upstream": "http://h/v1",
        "model_dir": tmp_path,
        "model": "a.gguf",
        "mmproj": "b.gguf",
        "bind": "0.0.0.0",
        "port": 9000,
        "name": "two",
        "data_volume": "two-data",
        "timeout": 5.0,
    }
    assert fake.made == expected | {"reuse": True}


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (("--env", "LOCALAIK_NOT_SET_HERE"), "NAME=VALUE"),
        (("--env", "=1"), "NAME=VALUE"),
        (("--env", "LOCALAIK_PORT=1"), "The port inside is fixed."),
        (("--mmproj", "b.gguf"), "belongs to a --model"),
        (("--model", "x/a.gguf", "--mmproj", "y/b.gguf"), "in the folder of --model"),
        (("--target", "gemma9"), "gemma9"),
        (("--port", "0"), "--port"),
    ],
)
def test_bad_flags_end_with_status_2(fake: type[FakeContainer], flags: tuple[str, ...], complaint: str) -> None:
    result = run("up", *flags)
    assert (result.exit_code, fake.made) == (2, {})
    assert complaint in result.stderr


def test_a_server_that_does_not_start_is_status_1_with_its_log(fake: type[FakeContainer]) -> None:
    fake.fault = "The container ended."
    result = run("up")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("localaik: The container ended.\nIts log:\n  its words\n")


@pytest.mark.parametrize("command", [("up",), ("down",), ("logs",)])
def test_without_an_engine_each_command_says_so_with_status_1(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    result = run(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "The Docker engine can't be reached" in result.stderr


def test_down_stops_removes_and_keeps_what_is_stored(docker: SimpleNamespace) -> None:
    result = run("down")
    assert (result.exit_code, result.stdout) == (0, "Stopped and removed localaik.\n")
    assert docker.container.calls == ["stop", "remove"]
    assert docker.volumes == {"localaik-data"}


def test_down_with_volumes_removes_what_is_stored(docker: SimpleNamespace) -> None:
    assert "Removed the volume localaik-data.\n" in run("down", "--volumes").stdout
    assert not docker.volumes
    assert "volume" not in run("down", "--volumes").stdout


def test_down_of_nothing_is_well(docker: SimpleNamespace) -> None:
    result = run("down", "--name", "other")
    assert (result.exit_code, result.stdout) == (0, "There is no container other.\n")


@pytest.mark.parametrize(
    ("flags", "text"),
    [((), "all\n"), (("--tail", "3"), "last 3\n"), (("--follow",), "one\ntwo\n"), (("-f",), "one\ntwo\n")],
)
def test_logs(docker: SimpleNamespace, flags: tuple[str, ...], text: str) -> None:
    result = run("logs", *flags)
    assert (result.exit_code, result.stdout) == (0, text)


def test_logs_of_nothing_are_status_1(docker: SimpleNamespace) -> None:
    result = run("logs", "--name", "other")
    assert result.exit_code == 1
    assert "There is no container other." in result.stderr


NEWS = [
    LayerProgress("a1", "Pulling fs layer"),
    LayerProgress("b2", "Already exists"),
    LayerProgress("a1", "Downloading", 1_000_000, 4_000_000),
    LayerProgress("a1", "Extracting", 4_000_000, 4_000_000),
    LayerProgress("a1", "Pull complete"),
]


def shown(news: list[LayerProgress], *, terminal: bool) -> str:
    text = io.StringIO()
    with PullBars("[i]:1", Console(file=text, force_terminal=terminal, width=120)) as bars:
        for step in news:
            bars.show(step)
    return text.getvalue()


def test_a_terminal_has_a_bar_for_each_layer() -> None:
    lines = shown(NEWS, terminal=True).splitlines()
    assert lines[0] == "Pulling [i]:1"
    assert any("a1" in line and "Pull complete" in line and "4.0 MB" in line for line in lines)
    assert any("b2" in line and "Already exists" in line for line in lines)


def test_a_pipe_has_one_line() -> None:
    assert shown(NEWS, terminal=False) == "Pulling [i]:1\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_where_nothing_is_pulled_nothing_is_shown(terminal: bool) -> None:
    assert shown([], terminal=terminal) == ""
