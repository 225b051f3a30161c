"""`localaik` as a process: what it prints, and the status it ends with."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from localaik import __version__

HANG_SECONDS = 60
ROOT = Path(__file__).parent.parent.parent
FOREIGN = ("LOCALAIK_", "LK_")


def environment(**more: str) -> dict[str, str]:
    """Ours, without settings for a server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN) and name != "PORT"}
    return kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "120", "NO_COLOR": "1"} | more


def localaik(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "localaik", *arguments],
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )


@contextmanager
def serving(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A running `localaik serve`; killed at the end unless it has ended."""
    with subprocess.Popen(
        [sys.executable, "-m", "localaik", "serve", *arguments],
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def banner(process: subprocess.Popen[str]) -> tuple[str, list[str]]:
    """The URL of the server and the lines that tell it, up to the one about its health."""
    lines = []
    for line in _lines(process.stdout):
        lines.append(line.rstrip("\n"))
        if "/health" in line:
            break
    found = re.search(r"http://[\w.\[\]:]+:\d+", lines[0])
    assert found is not None, lines
    return found[0], lines


def _lines(stream: IO[str] | None) -> Iterator[str]:
    assert stream is not None
    yield from stream


def answer(url: str, body: object) -> dict[str, list[dict[str, str]]]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=HANG_SECONDS) as response:
        return dict(json.load(response))


def test_b134_the_banner_tells_address_and_base_urls_and_the_port_answers() -> None:
    with serving("--port", "0") as process:
        url, lines = banner(process)
        text = "\n".join(lines)
        assert f"listening on {url}" in lines[0]
        assert f"GOOGLE_GEMINI_BASE_URL={url}" in text
        assert f"OPENAI_BASE_URL={url}/v1" in text
        with urllib.request.urlopen(f"{url}/health/live", timeout=HANG_SECONDS) as response:
            assert response.status == 200


def test_b128_the_first_answer_needs_no_waiting_by_the_caller() -> None:
    with serving("--port", "0") as process:
        url, _ = banner(process)
        body = {"model": "any", "messages": [{"role": "user", "content": "Hello!"}]}
        assert answer(f"{url}/v1/chat/completions", body)["choices"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_b129_a_signal_ends_the_process_with_status_0(number: signal.Signals) -> None:
    with serving("--port", "0") as process:
        banner(process)
        process.send_signal(number)
        _, errors = process.communicate(timeout=HANG_SECONDS)
        assert process.returncode == 0
        assert "Traceback" not in errors


def test_a_taken_port_ends_with_status_1_and_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = localaik("serve", "--port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert str(port) in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_model_ends_with_status_1_and_its_path(tmp_path: Path) -> None:
    done = localaik("serve", "--port", "0", "--model", str(tmp_path / "none.gguf"))
    assert done.returncode == 1
    assert "none.gguf" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_engine_ends_with_status_1_and_the_way_out(tmp_path: Path) -> None:
    done = localaik("serve", "--port", "0", "--engine", "llama-server", "--llama-server", str(tmp_path / "none"))
    assert done.returncode == 1
    assert "LOCALAIK_LLAMA_SERVER" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "variables", "named"),
    [
        (("--prot", "1"), {}, "--prot"),
        ((), {"LOCALAIK_PDF_MODE": "fax"}, "LOCALAIK_PDF_MODE"),
        ((), {"LOCALAIK_REQUIRE_UPSTREAM": "1"}, "LOCALAIK_UPSTREAM"),
        ((), {"LK_REQUIRE_UPSTREAM": "anything"}, "LOCALAIK_UPSTREAM"),
        ((), {"LOCALAIK_UPSTREAM": "no url, but hunter2"}, "LOCALAIK_UPSTREAM"),
    ],
)
def test_b133_b134_bad_settings_end_with_status_2_and_name_what_is_wrong(
    arguments: tuple[str, ...], variables: dict[str, str], named: str
) -> None:
    done = localaik("serve", "--port", "0", *arguments, **variables)
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr


def test_b132_warnings_about_the_environment_are_printed_once() -> None:
    variables = {"LOCALAIK_PORT": "0", "PORT": "9000", "LOCALAIK_PROT": "1"}
    with serving(**variables) as process:
        banner(process)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=HANG_SECONDS)
    assert errors.count("LOCALAIK_PORT and its alias PORT") == 1
    assert errors.count("LOCALAIK_PROT is no setting") == 1


def test_the_doctor_finds_this_machine_fit_to_serve() -> None:
    done = localaik("doctor", "--json", LOCALAIK_PORT="0")
    assert done.returncode == 0, done.stdout
    report = json.loads(done.stdout)
    assert report["ok"]
    found = {check["name"]: check["detail"] for check in report["checks"]}
    assert {"engine xllamacpp", "model", "projector", "embedding model", "poppler"} <= found.keys()


def test_the_doctor_in_tables_ends_with_1_where_a_setting_is_bad() -> None:
    done = localaik("doctor", LOCALAIK_PORT="0", LOCALAIK_SEED="x")
    assert done.returncode == 1
    assert "LOCALAIK_SEED must be a whole number" in done.stdout


def test_version_is_printed() -> None:
    assert localaik("version").stdout == f"localaik {__version__}\n"
