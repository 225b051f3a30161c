"""What `localaik doctor` finds and how it tells it."""

import hashlib
import http.server
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from localaik.cli import checks, doctor
from localaik.cli.checks import Check
from localaik.settings import Settings, load


@pytest.fixture
def upstream() -> Iterator[http.server.ThreadingHTTPServer]:
    """A server without `/health`, whose `/v1/models` wants a credential."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/v1/models?a=b" and self.headers["X-Key"] == "secret"
            self.send_response(200 if known else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def verdicts(found: list[Check]) -> dict[str, str]:
    return {check.name: check.verdict for check in found}


def test_a_free_port_is_fine_and_a_taken_one_names_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        check = checks.check_port("127.0.0.1", port)
    assert check.verdict == "fault"
    assert str(port) in check.detail
    assert "--port or LOCALAIK_PORT" in check.detail
    assert checks.check_port("127.0.0.1", port).verdict == "ok"
    assert checks.check_port("127.0.0.1,localhost", port).verdict == "ok"
    assert checks.check_port("127.0.0.1", 0).verdict == "ok"


def test_files_are_held_against_their_checksum(tmp_path: Path) -> None:
    file = tmp_path / "tiny.gguf"
    file.write_bytes(b"GGUF and more")
    right = hashlib.sha256(b"GGUF and more").hexdigest()
    assert checks.check_file("model", file, right).verdict == "ok"
    assert checks.check_file("model", file, None).detail.endswith("no checksum to compare with")
    check = checks.check_file("model", file, right.replace(right[0], "g"))
    assert check.verdict == "fault"
    assert "Install localaik again" in check.detail


def test_the_shipped_models_have_the_checksums_they_shipped_with() -> None:
    found = list(checks.check_model(Settings()))
    assert verdicts(found) == {"model": "ok", "projector": "ok"}
    assert all("checksum as shipped" in check.detail for check in found)


def test_a_missing_model_is_a_fault_that_names_the_file(tmp_path: Path) -> None:
    (check,) = checks.check_model(Settings(model=str(tmp_path / "none.gguf")))
    assert check.verdict == "fault"
    assert "none.gguf" in check.detail


def test_an_engine_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    check = checks.check_engine(Settings(engine="llama-server", llama_server=str(tmp_path / "none")))
    assert (check.name, check.verdict) == ("engine llama-server", "fault")


def test_an_engine_program_that_is_there_is_shown(tmp_path: Path) -> None:
    program = tmp_path / "llama-server"
    program.write_text("#!/bin/sh\n", "utf-8")
    program.chmod(0o755)
    check = checks.check_engine(Settings(engine="llama-server", llama_server=str(program)))
    assert check == Check("engine llama-server", "ok", str(program))


def test_an_engine_package_that_does_not_load_is_a_fault_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(checks._MODULES, "xllamacpp", "no_such_module")
    check = checks.check_engine(Settings())
    assert check.verdict == "fault"
    assert "No module named 'no_such_module'" in check.detail


@pytest.mark.parametrize(
    ("facts", "engine", "expected"),
    [
        ({"cpu_flags": {"avx2": True, "fma": True}}, "xllamacpp", {"cpu features": "ok"}),
        ({"cpu_flags": {"avx2": False, "fma": True}}, "xllamacpp", {"cpu features": "fault"}),
        ({"cpu_flags": {"avx2": False, "fma": True}}, "llama-server", {"cpu features": "warning"}),
        ({"libraries": {"libgomp.so.1": False}}, "xllamacpp", {"libgomp.so.1": "fault"}),
        ({"memory_bytes": None}, "xllamacpp", {}),
    ],
)
def test_what_the_machine_lacks_is_told(
    monkeypatch: pytest.MonkeyPatch, facts: dict[str, object], engine: str, expected: dict[str, str]
) -> None:
    base: dict[str, object] = {
        "cpu": "a cpu",
        "cores_usable": 2,
        "memory_bytes": 2**30,
        "cpu_flags": {},
        "libraries": {},
    }
    monkeypatch.setattr(checks, "summary", lambda: base | facts)
    found = list(checks.check_machine(Settings.model_validate({"engine": engine})))
    assert verdicts(found) == {"machine": "ok"} | expected


@pytest.mark.parametrize(("version", "verdict"), [(None, "warning"), ("22.12.0", "ok")])
def test_missing_poppler_is_only_a_warning(monkeypatch: pytest.MonkeyPatch, version: str | None, verdict: str) -> None:
    monkeypatch.setattr(checks, "poppler_version", lambda: version)
    assert checks.check_poppler().verdict == verdict


def test_an_upstream_is_asked_with_its_credential_and_shown_without_secrets(
    upstream: http.server.ThreadingHTTPServer,
) -> None:
    url = f"http://127.0.0.1:{upstream.server_port}/v1?a=b"
    settings = Settings(upstream=url, upstream_auth_header="X-Key: secret")
    check = checks.check_upstream(settings)
    assert check == Check("upstream", "ok", f"http://127.0.0.1:{upstream.server_port}/v1 answers with status 200")
    assert checks.check_upstream(Settings(upstream=url)).verdict == "fault"


def test_an_upstream_that_is_not_there_or_no_url_is_a_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    check = checks.check_upstream(Settings(upstream=f"http://u:secret@127.0.0.1:{port}/v1"))
    assert check.verdict == "fault"
    assert "secret" not in check.detail
    assert checks.check_upstream(Settings(upstream="secret")).verdict == "fault"


def test_with_an_upstream_no_engine_and_no_model_is_looked_at(upstream: http.server.ThreadingHTTPServer) -> None:
    found = list(checks.run_checks(Settings(upstream=f"http://127.0.0.1:{upstream.server_port}/v1", port=0)))
    assert list(verdicts(found)) == ["localaik", "python", "platform", "upstream", "poppler", "store", "port", "keys"]


# Embeddings


def test_the_shipped_embedding_model_has_its_checksum() -> None:
    (check,) = checks.check_embeddings(Settings())
    assert (check.name, check.verdict) == ("embedding model", "ok")
    assert "checksum as shipped" in check.detail


def test_a_missing_embedding_model_is_a_fault_that_names_the_file(tmp_path: Path) -> None:
    (check,) = checks.check_embeddings(Settings(embedding_model=str(tmp_path / "none.gguf")))
    assert (check.name, check.verdict) == ("embedding model", "fault")
    assert "none.gguf" in check.detail


def test_an_embedding_server_is_asked_with_its_credential(upstream: http.server.ThreadingHTTPServer) -> None:
    url = f"http://127.0.0.1:{upstream.server_port}/v1?a=b"
    settings = Settings(embedding_upstream=url, embedding_upstream_auth_header="X-Key: secret")
    shown = f"http://127.0.0.1:{upstream.server_port}/v1 answers with status"
    assert list(checks.check_embeddings(settings)) == [Check("embedding upstream", "ok", f"{shown} 200")]
    unknown = Settings(embedding_upstream=url)
    assert list(checks.check_embeddings(unknown)) == [Check("embedding upstream", "fault", f"{shown} 404")]
    (bad,) = checks.check_embeddings(Settings(embedding_upstream="secret"))
    assert bad.verdict == "fault"


def test_embeddings_that_are_off_or_the_upstreams_own_are_not_looked_at() -> None:
    assert list(checks.check_embeddings(Settings(embeddings="off", embedding_model="none.gguf"))) == []
    assert list(checks.check_embeddings(Settings(upstream="http://127.0.0.1:1/v1"))) == []


def report(capsys: pytest.CaptureFixture[str], environ: dict[str, str]) -> tuple[int, str]:
    status = doctor.print_report(environ, as_json=True)
    return status, capsys.readouterr().out


@pytest.fixture
def _healthy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "run_checks", lambda _settings: [Check("machine", "ok", "fine")])


@pytest.mark.usefixtures("_healthy_machine")
def test_the_json_report_has_checks_aliases_and_settings_with_their_sources(capsys: pytest.CaptureFixture[str]) -> None:
    status, text = report(
        capsys,
        {
            "PORT": "9000",
            "LOCALAIK_SEED": "3",
            "LOCALAIK_UPSTREAM": "http://u:hidden@h/v1?k=hidden",
            "LOCALAIK_UPSTREAM_AUTH_HEADER": "A: hidden",
        },
    )
    document = json.loads(text)
    assert (status, document["ok"]) == (0, True)
    assert document["checks"] == [{"name": "machine", "verdict": "ok", "detail": "fine"}]
    assert document["aliases"] == {"PORT": "LOCALAIK_PORT"}
    assert document["settings"]["seed"] == {"value": 3, "source": "LOCALAIK_SEED"}
    assert document["settings"]["upstream"]["value"] == "http://h/v1"
    assert document["settings"]["upstream_auth_header"]["value"] == "***"
    assert document["settings"].keys() == Settings.model_fields.keys()
    assert "hidden" not in text


@pytest.mark.usefixtures("_healthy_machine")
def test_bad_settings_are_faults_and_warnings_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    status, text = report(capsys, {"LOCALAIK_SEED": "x"})
    assert status == 1
    assert json.loads(text)["checks"][0] == {
        "name": "settings",
        "verdict": "fault",
        "detail": "LOCALAIK_SEED must be a whole number, not 'x'.",
    }
    status, text = report(capsys, {"LOCALAIK_SEDE": "1"})
    assert (status, json.loads(text)["checks"][0]["verdict"]) == (0, "warning")


def test_the_printed_report_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    loaded = load({}, {"LK_PARALLEL": "2"})
    doctor.print_tables(loaded, [Check("poppler", "warning", "word " * 80)])
    text = capsys.readouterr().out
    assert text.count("word") == 80
    assert "The alias LK_PARALLEL is used for LOCALAIK_PARALLEL." in text
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.startswith("LOCALAIK_")}
    assert lines["LOCALAIK_PARALLEL"] == ["2", "LK_PARALLEL"]
    assert lines["LOCALAIK_UPSTREAM_FIRST_BYTE_TIMEOUT_SECONDS"] == ["600", "default"]
    assert len(lines) == len(Settings.model_fields)


class TestStore:
    def test_nothing_is_made(self, tmp_path: Path) -> None:
        check = checks.check_store(Settings(data_dir=str(tmp_path / "new" / "folder")))
        assert (check.verdict, list(tmp_path.iterdir())) == ("ok", [])
        assert "not made yet" in check.detail
        assert checks.check_store(Settings(data_dir=str(tmp_path))).verdict == "ok"
        assert checks.check_store(Settings(state="memory", data_dir="/dev/null/x")).verdict == "ok"

    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("nonsense", "no URL"),
            ("postgresql://me:hunter2@host:port/name", "no URL"),
            ("foo://me:hunter2@host/name", "unknown kind"),
            ("mysql+unheard://me:hunter2@host/name", "unknown kind"),
            ("mysql+mysqldb://me:hunter2@host/name", "the package MySQLdb"),
            ("sqlite:////dev/null/state.sqlite3", "no folder (LOCALAIK_DATABASE_URL)"),
        ],
    )
    def test_a_bad_database_is_told_without_its_password(self, tmp_path: Path, url: str, words: str) -> None:
        check = checks.check_store(Settings(data_dir=str(tmp_path), database_url=url))
        assert check.verdict == "warning"
        assert words in check.detail
        assert "hunter2" not in check.detail

    def test_a_good_database_is_named_without_its_password(self, tmp_path: Path) -> None:
        pytest.importorskip("asyncpg")
        url = "postgresql://me:hunter2@127.0.0.1:1/name"
        check = checks.check_store(Settings(data_dir=str(tmp_path), database_url=url))
        assert check.verdict == "ok"
        assert "postgresql+asyncpg://me:***@127.0.0.1:1/name" in check.detail

    def test_what_is_in_the_way_is_told(self, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.touch()
        check = checks.check_store(Settings(data_dir=str(file / "data")))
        assert (check.verdict, "is no folder (LOCALAIK_DATA_DIR)" in check.detail) == ("warning", True)

    def test_a_full_disk_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 10**9 - 5, 5))
        check = checks.check_store(Settings(data_dir=str(tmp_path)))
        assert (check.verdict, "nearly full" in check.detail) == ("warning", True)
