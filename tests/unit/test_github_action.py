"""The action's script, with stand-ins for docker and curl that write down what they were told."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from localaik import __version__

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hosted runners have Docker on Linux alone")

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "tools" / "github_action.sh"
DOCKER = r"""#!/bin/bash
case "$1 $2" in
  "version "*) exit "${DOCKER_STATUS:-0}" ;;
  "container inspect")
    case "$4" in *Labels*) echo "${LABEL_FOUND:-}" ;; *) echo "${STATE:-running 0}" ;; esac ;;
  "port "*) echo "${PORTS-127.0.0.1:8090}" ;;
  "logs "*) echo "::set-env name=A::b" ;;
  "rm "*) printf '%s\n' "$@" >"$NOTES/rm" ;;
  "run "*)
    for word in "$@"; do
      if [ "$before" = --env-file ]; then cat "$word" >"$NOTES/settings"; else echo "$word"; fi
      before=$word
    done >"$NOTES/run" ;;
esac
"""
CURL = '#!/bin/bash\n[ "${READY:-yes}" = yes ]\n'


class Action:
    """One run of the script."""

    def __init__(self, folder: Path, inputs: dict[str, str], environ: dict[str, str]) -> None:
        for name, text in {"docker": DOCKER, "curl": CURL}.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        self.folder = folder
        given = defaults() | inputs
        self.done = subprocess.run(
            [SCRIPT],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={
                "PATH": f"{folder}:{os.environ['PATH']}",
                "NOTES": str(folder),
                "GITHUB_OUTPUT": str(folder / "outputs"),
                "GITHUB_ENV": str(folder / "environment"),
                **{"INPUT_" + name.upper().replace("-", "_"): value for name, value in given.items()},
                **environ,
            },
        )

    def note(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def command(self) -> list[str]:
        """The arguments of docker run."""
        return self.note("run")

    def faults(self) -> list[str]:
        return [line for line in self.done.stdout.splitlines() if line.startswith("::error")]


def defaults() -> dict[str, str]:
    """The inputs that action.yml declares, with their defaults."""
    text = (ROOT / "action.yml").read_text("utf-8")
    section = text[text.index("\ninputs:\n") : text.index("\noutputs:\n")]
    found = re.findall(r'^  ([a-z-]+):\n    description: ".*"\n    default: "?([^"\n]*)"?$', section, re.MULTILINE)
    assert len(found) == section.count("description:")
    return dict(found)


def action(folder: Path, environ: dict[str, str] | None = None, **inputs: str) -> Action:
    return Action(folder, {name.replace("_", "-"): value for name, value in inputs.items()}, environ or {})


def test_every_input_reaches_the_script() -> None:
    text = (ROOT / "action.yml").read_text("utf-8")
    handed = dict(re.findall(r"^ +INPUT_([A-Z_]+): \$\{\{ inputs\.([a-z-]+) \}\}$", text, re.MULTILINE))
    assert handed == {name.upper().replace("-", "_"): name for name in defaults()}


@pytest.mark.parametrize(
    ("inputs", "image"),
    [
        ({}, f"localaik/localaik:v{__version__}-tiny"),
        ({"target": "proxy"}, f"localaik/localaik:v{__version__}-proxy"),
        ({"version": "1.2.3", "target": "gemma3-4b"}, "localaik/localaik:v1.2.3-gemma3-4b"),
        ({"version": "v1.2.3"}, "localaik/localaik:v1.2.3-tiny"),
        ({"version": "newest"}, "localaik/localaik:tiny"),
        ({"image": "mine:1", "version": "1.2.3"}, "mine:1"),
    ],
)
def test_target_and_version_name_the_image(tmp_path: Path, inputs: dict[str, str], image: str) -> None:
    run = action(tmp_path, **inputs)
    assert run.done.returncode == 0, run.done
    assert run.command()[-1] == image


def test_the_container_has_few_rights_and_is_not_reachable_from_outside(tmp_path: Path) -> None:
    command = " ".join(action(tmp_path, port="09000").command())
    assert (
        "--publish 127.0.0.1:9000:8090 --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges"
        in command
    )


def test_settings_go_by_a_file_and_options_word_by_word(tmp_path: Path) -> None:
    run = action(
        tmp_path,
        upstream="http://host:1/v1",
        env="# a comment\r\nLOCALAIK_MODEL_ID=two words=1\r\n\n  \nLOCALAIK_SEED=\n",
        args="--memory\n1 g\n",
    )
    assert run.done.returncode == 0, run.done
    assert run.note("settings") == [
        "LOCALAIK_UPSTREAM=http://host:1/v1",
        "LOCALAIK_MODEL_ID=two words=1",
        "LOCALAIK_SEED=",
    ]
    assert run.command()[-3:-1] == ["--memory", "1 g"]
    assert not any("LOCALAIK" in word for word in run.command())


def test_outputs_tell_the_port_that_was_taken(tmp_path: Path) -> None:
    run = action(tmp_path, {"PORTS": "127.0.0.1:40123"}, port="0", name="mine")
    assert run.note("outputs") == [
        "url=http://127.0.0.1:40123",
        "openai-base-url=http://127.0.0.1:40123/v1",
        "gemini-base-url=http://127.0.0.1:40123",
        "container=mine",
    ]
    assert run.note("environment") == []


@pytest.mark.parametrize(
    ("present", "keys"),
    [
        ({}, ["OPENAI_API_KEY=localaik", "GEMINI_API_KEY=localaik"]),
        ({"OPENAI_API_KEY": "sk", "GOOGLE_API_KEY": "g"}, []),
    ],
)
def test_variables_are_set_when_asked_for_and_no_key_is_replaced(
    tmp_path: Path, present: dict[str, str], keys: list[str]
) -> None:
    run = action(tmp_path, present, set_env="true")
    bases = ["OPENAI_BASE_URL=http://127.0.0.1:8090/v1", "GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8090"]
    assert run.note("environment") == bases + keys


@pytest.mark.parametrize(("label", "removed"), [("started", True), ("", False)])
def test_only_a_container_of_the_action_itself_is_replaced(tmp_path: Path, label: str, removed: bool) -> None:
    run = action(tmp_path, {"LABEL_FOUND": label})
    assert run.note("rm") == (["rm", "--force", "--volumes", "localaik"] if removed else [])


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        ({"target": "a b"}, "target"),
        ({"version": "1;2"}, "version"),
        ({"name": "-x"}, "name"),
        ({"port": "65536"}, "port"),
        ({"port": "http"}, "port"),
        ({"wait": "1.5"}, "wait"),
        ({"set_env": "yes"}, "set-env"),
        ({"env": "LOCALAIK_SEED"}, "env"),
        ({"env": "A-B=1"}, "env"),
    ],
)
def test_an_input_that_cannot_be_used_starts_nothing(tmp_path: Path, inputs: dict[str, str], named: str) -> None:
    run = action(tmp_path, **inputs)
    assert run.done.returncode == 1
    assert run.faults()[0].startswith(f"::error title=localaik::{named}: ")
    assert run.command() == []


def test_a_message_cannot_bring_a_command_of_its_own(tmp_path: Path) -> None:
    run = action(tmp_path, target="x\n::add-mask::%y")
    assert run.done.stdout.splitlines() == [
        "::error title=localaik::target: 'x%0A::add-mask::%25y' is not the name of an image's target."
    ]


def test_a_server_that_ends_fails_the_step_at_once_with_its_log_muted(tmp_path: Path) -> None:
    run = action(tmp_path, {"READY": "no", "STATE": "exited 2"}, wait="3600")
    lines = run.done.stdout.splitlines()
    assert run.done.returncode == 1
    assert run.faults() == ["::error title=localaik::The server ended with status 2 before it answered."]
    mute = next(line.removeprefix("::stop-commands::") for line in lines if line.startswith("::stop-commands::"))
    at = lines.index("::set-env name=A::b")
    assert len(mute) == 32
    assert lines.index(f"::stop-commands::{mute}") < at < lines.index(f"::{mute}::")
    assert run.note("outputs") == []


def test_a_server_that_does_not_answer_is_not_waited_for_without_end(tmp_path: Path) -> None:
    run = action(tmp_path, {"READY": "no"}, wait="1")
    assert run.faults() == ["::error title=localaik::No answer from http://127.0.0.1:8090/health within 1 s."]


def test_no_wait_asks_nothing(tmp_path: Path) -> None:
    assert action(tmp_path, {"READY": "no"}, wait="0").done.returncode == 0


def test_without_docker_it_says_so(tmp_path: Path) -> None:
    run = action(tmp_path, {"DOCKER_STATUS": "1"})
    assert "Docker is needed" in run.faults()[0]
    assert run.command() == []
