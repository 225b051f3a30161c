"""The scripts of docker/, which run while an image is built."""

import hashlib
import importlib.util
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
GGUF = b"GGUF and the rest of a model"
SHA256 = hashlib.sha256(GGUF).hexdigest()


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docker" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fetcher = load("fetch_model")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "context"
    made.mkdir()
    (made / "my.gguf").write_bytes(GGUF)
    (tmp_path / "out").mkdir()
    (tmp_path / "secret.gguf").write_bytes(GGUF)
    return made


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server of the file, whole under /whole, cut off under /short, busy under /busy, and unknown elsewhere."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            first_time = asked.count(self.path) == 1
            status = {"/whole": 200, "/short": 200, "/busy": 503 if first_time else 200}.get(self.path, 404)
            body = GGUF if status == 200 else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) + 5 * (self.path == "/short")))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_model_comes_from_the_build_context(folder: Path, tmp_path: Path) -> None:
    wanted = {"MODEL_URL": "my.gguf", "MODEL_SHA256": SHA256.upper(), "MMPROJ_URL": "", "MMPROJ_SHA256": ""}
    assert fetcher.main(str(folder), str(tmp_path / "out"), wanted) == 0
    assert (tmp_path / "out" / "model.gguf").read_bytes() == GGUF
    assert not (tmp_path / "out" / "mmproj.gguf").exists()


def test_no_model_is_wanted(folder: Path, tmp_path: Path) -> None:
    assert fetcher.main(str(folder), str(tmp_path / "out"), {}) == 0
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("path", ["whole", "busy"])
def test_a_model_comes_from_a_url(folder: Path, tmp_path: Path, address: str, path: str) -> None:
    wanted = {"MODEL_URL": f"{address}/{path}", "MODEL_SHA256": SHA256}
    assert fetcher.main(str(folder), str(tmp_path / "out"), wanted) == 0
    assert (tmp_path / "out" / "model.gguf").read_bytes() == GGUF


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"MODEL_URL": "my.gguf"}, "MODEL_SHA256 must be"),
        ({"MODEL_URL": "my.gguf", "MODEL_SHA256": "0" * 63}, "MODEL_SHA256 must be"),
        ({"MODEL_URL": "my.gguf", "MODEL_SHA256": "0" * 64}, f"is {SHA256} and should be 000"),
        ({"MODEL_URL": "none.gguf", "MODEL_SHA256": SHA256}, "none.gguf can't be read"),
        ({"MODEL_URL": "../secret.gguf", "MODEL_SHA256": SHA256}, "neither a URL nor a file"),
        ({"MODEL_URL": "file:///etc/passwd", "MODEL_SHA256": SHA256}, "can't be read"),
        ({"MMPROJ_URL": "my.gguf", "MMPROJ_SHA256": SHA256}, "MODEL_URL is not"),
        ({"MODEL_URL": "{address}/none", "MODEL_SHA256": SHA256}, "404"),
        ({"MODEL_URL": "{address}/short", "MODEL_SHA256": SHA256}, "it ended after 28 of 33 bytes"),
    ],
)
def test_what_is_not_as_it_should_be_ends_the_build(
    folder: Path,
    address: str,
    capsys: pytest.CaptureFixture[str],
    wanted: dict[str, str],
    reason: str,
) -> None:
    environ = {name: value.format(address=address) for name, value in wanted.items()}
    assert fetcher.main(str(folder), str(folder.parent / "out"), environ) == 1
    assert reason in capsys.readouterr().err
    assert list((folder.parent / "out").iterdir()) == []


def test_a_file_that_is_no_gguf_file_ends_the_build(folder: Path, tmp_path: Path) -> None:
    (folder / "page.html").write_bytes(b"<html>")
    wanted = {"MODEL_URL": "page.html", "MODEL_SHA256": hashlib.sha256(b"<html>").hexdigest()}
    assert fetcher.main(str(folder), str(tmp_path / "out"), wanted) == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_what_the_image_installs_is_what_the_package_needs(tmp_path: Path) -> None:
    assert load("requirements").main(str(ROOT / "pyproject.toml"), str(tmp_path)) == 0
    pinned = {line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()}
    names = {
        file.name: {re.split(r"[\[<>=;]", line)[0].lower() for line in file.read_text("utf-8").splitlines()}
        for file in tmp_path.iterdir()
    }
    assert names.keys() == {"build.txt", "engine.txt", "server.txt"}
    assert names["engine.txt"] == {"xllamacpp"}
    assert "aiohttp" in names["server.txt"]
    assert set().union(*names.values()) <= pinned
