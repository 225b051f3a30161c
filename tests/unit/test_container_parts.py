"""What a container is made of, waiting for it, and what Docker tells of pulls: values alone, without Docker."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localaik import __version__
from localaik.container import IMAGE_VARIABLE, ContainerError, LayerProgress, LocalaikContainer, image_name
from localaik.container.plan import Plan
from localaik.container.pulling import read_pull_event
from localaik.container.readiness import ContainerState, wait_until_ready
from localaik.settings import load

RUNNING = ContainerState("running")


# -- the image ---------------------------------------------------------------------------------------------------------


RELEASED = f"localaik/localaik:v{__version__}-proxy"


@pytest.mark.parametrize(
    ("variable", "image"), [(None, RELEASED), ("", RELEASED), ("mine:{target}", "mine:proxy"), ("mine:1", "mine:1")]
)
def test_the_image_is_that_of_the_variable_or_of_the_release(variable: str | None, image: str) -> None:
    assert image_name("proxy", {} if variable is None else {"LOCALAIK_IMAGE": variable}) == image


def test_an_image_that_is_named_wins_over_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALAIK_IMAGE", "mine:{target}")
    assert LocalaikContainer("yours:2").image == "yours:2"
    assert LocalaikContainer(target="proxy").image == "mine:proxy"


def test_a_server_does_not_wonder_about_the_variable_of_the_image() -> None:
    assert load({}, {IMAGE_VARIABLE: "mine:1"}).warnings == load({}, {}).warnings
    assert load({}, {f"{IMAGE_VARIABLE}S": "mine:1"}).warnings != load({}, {}).warnings


# -- the plan ----------------------------------------------------------------------------------------------------------


def test_the_values_become_variables_and_what_env_says_wins(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").touch()
    plan = Plan(
        "i",
        {"LOCALAIK_SEED": "7", "LOCALAIK_UPSTREAM": "http://b/v1"},
        "secret",
        "http://a/v1",
        tmp_path,
        "a.gguf",
        data_volume="kept",
    )
    assert plan.variables() == {
        "LOCALAIK_API_KEY": "secret",
        "LOCALAIK_UPSTREAM": "http://b/v1",
        "LOCALAIK_MODEL": "/mnt/models/a.gguf",
        "LOCALAIK_MMPROJ": "",
        "LOCALAIK_MODEL_ID": "",
        "LOCALAIK_SEED": "7",
    }
    assert plan.volumes() == {
        str(tmp_path.resolve()): {"bind": "/mnt/models", "mode": "ro"},
        "kept": {"bind": "/data", "mode": "rw"},
    }
    assert Plan("i").variables() == {}
    assert Plan("i").volumes() == {}


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"environment": {"LOCALAIK_PORT": "1"}}, "port inside"),
        ({"environment": {"PORT": "1"}}, "port inside"),
        ({"api_key": "one,two"}, "one key"),
        ({"api_key": "@/run/secrets/key"}, "one key"),
        ({"api_key": " "}, "one key"),
        ({"model": "a.gguf"}, "model_dir"),
        ({"mmproj": "a.gguf"}, "model_dir"),
        ({"model_dir": Path(), "mmproj": "a.gguf"}, "belongs to a `model`"),
        ({"model_dir": Path("nowhere"), "model": "a.gguf"}, "no file 'a.gguf'"),
        ({"upstream": "http://localhost:1234/v1"}, "host.docker.internal"),
        ({"upstream": "http://127.0.0.2:1234/v1"}, "host.docker.internal"),
        ({"upstream": "http://[::1]:1234/v1"}, "host.docker.internal"),
    ],
)
def test_values_that_cannot_work_are_refused(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Plan("i", **values)


def test_the_digest_tells_other_values_and_another_image_apart() -> None:
    plans = [
        Plan("i"),
        Plan("i", {"LOCALAIK_SEED": "1"}),
        Plan("i", api_key="k"),
        Plan("i", port=1),
        Plan("i", memory="1g"),
    ]
    digests = {plan.digest("sha256:1") for plan in plans} | {Plan("i").digest("sha256:2")}
    assert len(digests) == 6
    # The name of the image and the way to say the same thing are no difference.
    assert Plan("other").digest("sha256:1") == Plan("i").digest("sha256:1")
    assert Plan("i", {"A": "1", "B": "2"}).digest("x") == Plan("i", {"B": "2", "A": "1"}).digest("x")


# -- waiting -----------------------------------------------------------------------------------------------------------


class FakeClock:
    """Time that passes in pauses alone."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def wait(
    clock: FakeClock,
    probe: Callable[[], str | None],
    look: Callable[[], ContainerState] = lambda: RUNNING,
    *,
    timeout: float = 10.0,
    log: str = "",
) -> None:
    wait_until_ready(look, probe, lambda: log, timeout=timeout, clock=clock, pause=clock.pause)


def test_waiting_ends_with_the_first_good_answer() -> None:
    clock = FakeClock()
    answers = iter(["no answer", "/health says 503 loading", None])
    wait(clock, lambda: next(answers))
    assert clock.pauses == pytest.approx([0.05, 0.075])


def test_pauses_grow_to_half_a_second_and_the_last_one_ends_with_the_time() -> None:
    clock = FakeClock()
    with pytest.raises(ContainerError, match="not ready within 10 s: loading"):
        wait(clock, lambda: "loading")
    assert max(clock.pauses) == 0.5
    assert sum(clock.pauses) == pytest.approx(10.0)


def test_a_container_that_is_ready_is_taken_even_where_no_time_was_given() -> None:
    wait(FakeClock(), lambda: None, timeout=0)


def test_the_end_of_the_container_is_told_at_once_with_its_status_and_log() -> None:
    clock = FakeClock()
    states = iter([RUNNING, ContainerState("exited", 2)])
    with pytest.raises(ContainerError) as caught:
        wait(clock, lambda: "no answer", lambda: next(states), log="one\ntwo\n")
    assert str(caught.value).splitlines() == [
        "The container ended with status 2 before it was ready.",
        "Its log:",
        "  one",
        "  two",
    ]
    assert len(clock.pauses) == 1


def test_want_of_memory_is_told() -> None:
    with pytest.raises(ContainerError, match=r"status 137 .*out of memory"):
        wait(FakeClock(), lambda: None, lambda: ContainerState("exited", 137, out_of_memory=True))


def test_of_a_long_log_the_error_shows_the_last_forty_lines_and_holds_all() -> None:
    log = "\n".join(f"line {number}" for number in range(100))
    error = ContainerError("No.", log=log)
    lines = str(error).splitlines()
    assert lines[:3] == ["No.", "The last 40 lines of its log:", "  line 60"]
    assert lines[-1] == "  line 99"
    assert error.log == log


# -- pulls -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "progress"),
    [
        ({"status": "Pulling from localaik/localaik", "id": "v1-tiny"}, None),
        ({"status": "Digest: sha256:1"}, None),
        ({"status": "Pulling fs layer", "progressDetail": {}, "id": "a1"}, LayerProgress("a1", "Pulling fs layer")),
        (
            {"status": "Downloading", "progressDetail": {"current": 5, "total": 9}, "progress": "[=>]", "id": "a1"},
            LayerProgress("a1", "Downloading", 5, 9),
        ),
        (
            {"status": "Extracting", "progressDetail": {"current": 1, "units": "s"}, "id": "a1"},
            LayerProgress("a1", "Extracting", 1),
        ),
        (
            {"status": "Downloading", "progressDetail": {"current": 5, "total": -1}, "id": "a1"},
            LayerProgress("a1", "Downloading", 5),
        ),
    ],
)
def test_news_about_layers_are_read(event: dict[str, object], progress: LayerProgress | None) -> None:
    assert read_pull_event(event, "i") == progress


def test_a_fault_while_pulling_is_an_error_that_names_the_image() -> None:
    with pytest.raises(ContainerError, match="Can't pull localaik:tiny: no space left"):
        read_pull_event({"error": "no space left", "errorDetail": {}}, "localaik:tiny")
