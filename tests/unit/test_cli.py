"""The command line: flags become settings, faults become lines and statuses."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from localaik import __version__
from localaik.cli.main import app
from localaik.server import main as server_main
from localaik.settings import ENV_PREFIX, LoadedSettings, Settings, flag_name, is_switch, sections

WIDE = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", *(ENV_PREFIX + field.upper() for field in Settings.model_fields)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[LoadedSettings]:
    """What `serve` was called with, in place of a server."""
    calls: list[LoadedSettings] = []

    def serve(loaded: LoadedSettings, *, announce: Callable[[str], None]) -> int:
        calls.append(loaded)
        announce("listening")
        return 7 if loaded.settings.seed == 7 else 0

    monkeypatch.setattr(server_main, "serve", serve)
    return calls


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, arguments, env=WIDE | (env or {}), prog_name="localaik")


@pytest.mark.parametrize("arguments", [("version",), ("--version",)])
def test_version(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (0, f"localaik {__version__}\n")


def test_without_a_command_the_help_is_printed() -> None:
    result = run()
    assert result.exit_code == 2
    assert all(command in result.output for command in ("serve", "doctor", "version"))


def test_the_help_of_serve_has_every_flag_in_its_group() -> None:
    result = run("serve", "--help")
    assert result.exit_code == 0
    words = result.stdout.split()
    for section, fields in sections().items():
        assert section in result.stdout
        for field in fields:
            assert flag_name(field) in words
            if is_switch(field):
                assert f"--no-{flag_name(field)[2:]}" in words


def test_flags_become_settings(served: list[LoadedSettings]) -> None:
    arguments = (
        "--port",
        "9000",
        "--no-access-log",
        "--strict-models",
        "--pdf-mode",
        "TEXT",
        "--keepalive-seconds",
        "1.5",
    )
    result = run("serve", *arguments, env={"LOCALAIK_PORT": "1", "LOCALAIK_SEED": "3"})
    assert (result.exit_code, result.stdout) == (0, "listening\n")
    (loaded,) = served
    assert loaded.settings == Settings(
        port=9000, access_log=False, strict_models=True, pdf_mode="text", keepalive_seconds=1.5, seed=3
    )
    given = {field: source for field, source in loaded.sources.items() if source != "default"}
    assert given == {
        "port": "flag",
        "access_log": "flag",
        "strict_models": "flag",
        "pdf_mode": "flag",
        "keepalive_seconds": "flag",
        "seed": "LOCALAIK_SEED",
    }


def test_every_flag_reaches_its_setting(served: list[LoadedSettings]) -> None:
    arguments: list[str] = []
    for field, info in Settings.model_fields.items():
        if is_switch(field):
            arguments.append(flag_name(field))
        else:
            arguments += [flag_name(field), "http://127.0.0.1:1/v1" if field == "upstream" else str(info.default)]
    assert run("serve", *arguments).exit_code == 0
    assert set(served[0].sources.values()) == {"flag"}


def test_the_status_of_the_server_is_the_status_of_the_process(served: list[LoadedSettings]) -> None:
    assert run("serve", "--seed", "7").exit_code == 7
    assert len(served) == 1


def test_b134_bad_values_end_with_status_2_and_a_line_each(served: list[LoadedSettings]) -> None:
    result = run("serve", "--port", "x", env={"LOCALAIK_FETCH": "some"})
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "localaik: --port must be a whole number from 0 to 65535, not 'x'.",
        "localaik: LOCALAIK_FETCH must be one of `public`, `off`, `any`, not 'some'.",
    ]
    assert not served


@pytest.mark.parametrize("arguments", [("serve", "--prot", "1"), ("serve", "--port"), ("sevre",), ("serve", "extra")])
def test_bad_flags_and_commands_end_with_status_2(arguments: tuple[str, ...], served: list[LoadedSettings]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert not served


@pytest.mark.parametrize("status", [1, 2])
def test_faults_of_the_start_are_a_line_and_their_status(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    def serve(_loaded: LoadedSettings, *, announce: Callable[[str], None]) -> int:
        raise server_main.StartError("The port is taken.", status)

    monkeypatch.setattr(server_main, "serve", serve)
    result = run("serve")
    assert (result.exit_code, result.stderr) == (status, "localaik: The port is taken.\n")
