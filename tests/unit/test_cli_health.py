"""`localaik health`: where it asks, what it makes of the answer, and how long it goes on."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from localaik.cli.health import HealthError, ask, main, places

READY = b'{"status":"ok","model":"tiny"}'
LOADING = b'{"status":"unhealthy","reason":"loading","model":"tiny"}'
HANG_SECONDS = 60


def http(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d Word\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        status,
        len(body),
        body,
    )


@contextmanager
def answering(*answers: bytes, host: str = "127.0.0.1") -> Iterator[tuple[int, list[bytes]]]:
    """A server that gives these answers, one to a connection; its port, and the heads of the requests it got."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    heads: list[bytes] = []
    with socket.create_server((host, 0), family=family) as listening:

        def serve() -> None:
            for answer in answers:
                connection, _ = listening.accept()
                with connection:
                    heads.append(connection.recv(65536))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], heads
        thread.join(HANG_SECONDS)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "LOCALAIK_PORT", "LOCALAIK_HOST", "LOCALAIK_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "environ", "wanted"),
    [
        ("", {}, ["http://127.0.0.1:8090", "http://[::1]:8090"]),
        ("", {"PORT": "9"}, ["http://127.0.0.1:9", "http://[::1]:9"]),
        ("", {"PORT": "9", "LOCALAIK_PORT": "8"}, ["http://127.0.0.1:8", "http://[::1]:8"]),
        ("", {"PORT": "9", "LOCALAIK_PORT": ""}, ["http://127.0.0.1:9", "http://[::1]:9"]),
        ("", {"LOCALAIK_HOST": "0.0.0.0"}, ["http://127.0.0.1:8090", "http://[::1]:8090"]),
        ("", {"LOCALAIK_HOST": "10.0.0.7"}, ["http://10.0.0.7:8090"]),
        ("", {"LOCALAIK_HOST": "10.0.0.7, [::1]"}, ["http://10.0.0.7:8090", "http://[::1]:8090"]),
        ("", {"LOCALAIK_HOST": "127.0.0.1,::"}, ["http://127.0.0.1:8090", "http://[::1]:8090"]),
        ("", {"LOCALAIK_BASE_URL": "http://llm:80/v1", "PORT": "9"}, ["http://llm:80"]),
        ("http://a", {"LOCALAIK_BASE_URL": "http://b"}, ["http://a:80"]),
        ("https://a/prefix/v1/", {}, ["https://a:443/prefix"]),
        ("http://[::1]:7/health", {}, ["http://[::1]:7"]),
    ],
)
def test_where_it_asks(url: str, environ: dict[str, str], wanted: list[str]) -> None:
    assert [place.url for place in places(url, environ)] == wanted


@pytest.mark.parametrize("url", ["nonsense", "127.0.0.1:8090", "ftp://a", "http://", "http://a:x", "http://a/ b\r\nc"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(HealthError, match="The address must be like"):
        places(url, {})


@pytest.mark.parametrize("port", ["x", "0", "65536", "-1"])
def test_what_is_no_port_is_refused_by_the_name_of_its_variable(port: str) -> None:
    with pytest.raises(HealthError, match="LOCALAIK_PORT must be"):
        places("", {"LOCALAIK_PORT": port})


def test_a_ready_server_is_status_0_and_not_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    with answering(http(200, READY)) as (port, heads):
        assert main([f"http://127.0.0.1:{port}/v1"]) == 0
    assert capfd.readouterr() == ("", "")
    assert heads[0].startswith(b"GET /health HTTP/1.0\r\nHost: 127.0.0.1:%d\r\n" % port)


def test_a_server_that_is_loading_is_status_1_and_the_reason(capfd: pytest.CaptureFixture[str]) -> None:
    with answering(http(503, LOADING)) as (port, _):
        assert main([f"http://127.0.0.1:{port}", "--json"]) == 1
    out, errors = capfd.readouterr()
    assert json.loads(out) == json.loads(LOADING)
    assert errors == f"localaik: not ready: loading (http://127.0.0.1:{port})\n"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "no HTTP server"),
        (b"SSH-2.0-OpenSSH\r\n", "no HTTP server"),
        (http(200, b"<html>"), "not from localaik"),
        (http(404, b'{"error":"not found"}'), "status 404"),
        (http(200, b"[1]"), "not from localaik"),
    ],
)
def test_whatever_else_answers_there_is_not_ready(answer: bytes, why: str, capfd: pytest.CaptureFixture[str]) -> None:
    with answering(answer) as (port, _):
        assert main([f"http://127.0.0.1:{port}"]) == 1
    out, errors = capfd.readouterr()
    assert (out, errors.count("\n")) == ("", 1)
    assert why in errors


def test_nobody_there_is_status_1(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([f"http://127.0.0.1:{free_port()}"]) == 1
    assert "refused" in capfd.readouterr().err


def test_a_server_on_the_other_loopback_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with answering(http(200, READY), host="::1") as (port, _):
        monkeypatch.setenv("LOCALAIK_PORT", str(port))
        assert main([]) == 0


def test_proxies_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with answering(http(200, READY)) as (port, _):
        assert main([f"http://127.0.0.1:{port}"]) == 0


@pytest.mark.parametrize("arguments", [["nonsense"], ["--wait", "x"], ["--wait", "-1"], ["--wait", "nan"], ["--what"]])
def test_bad_flags_are_status_2(arguments: list[str]) -> None:
    try:
        status = main(arguments)
    except SystemExit as ended:
        status = int(ended.code or 0)
    assert status == 2


class Clock:
    """Time that goes on in sleeps only."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_a_wait_asks_again_until_the_server_is_ready() -> None:
    clock = Clock()
    answers = [http(503, LOADING)] * 3 + [http(200, READY)]
    with answering(*answers) as (port, heads):
        told = ask(places(f"http://127.0.0.1:{port}", {}), wait=60, clock=clock, sleep=clock.sleep)
    assert (told.is_ready, len(heads), len(clock.slept)) == (True, 4, 3)
    assert clock.slept == sorted(clock.slept)


def test_a_wait_ends_with_its_time_and_never_asks_in_a_hurry() -> None:
    clock = Clock()
    told = ask(places(f"http://127.0.0.1:{free_port()}", {}), wait=60, clock=clock, sleep=clock.sleep)
    assert (told.is_ready, told.body["status"]) == (False, "unreachable")
    assert clock.now == pytest.approx(60)
    assert max(clock.slept) == 1.0
    assert len(clock.slept) < 80


def test_without_a_wait_it_asks_once() -> None:
    clock = Clock()
    assert not ask(places(f"http://127.0.0.1:{free_port()}", {}), wait=0, clock=clock, sleep=clock.sleep).is_ready
    assert not clock.slept


def test_it_needs_the_standard_library_alone() -> None:
    script = "import sys; import localaik.cli.health; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"aiohttp", "pydantic", "typer", "rich", "asyncio", "http", "email", "ssl"}
