"""A registry with one image in it, so that a pull can be tried where no other registry is reached.

It serves the three routes that a pull needs (OCI Distribution Specification, section "Pull"), from what `docker save`
writes. Docker asks registries on 127.0.0.0/8 over plain HTTP.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from docker import DockerClient

__all__ = ["registry_with"]

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar"


class Registry(ThreadingHTTPServer):
    """The blobs by their digest, and the manifest."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.blobs: dict[str, bytes] = {}
        self.manifest = b""
        self.asked: list[str] = []

    def add(self, blob: bytes, kind: str) -> dict[str, Any]:
        """Its descriptor."""
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        self.blobs[digest] = blob
        return {"mediaType": kind, "size": len(blob), "digest": digest}


class Answers(BaseHTTPRequestHandler):
    """The routes."""

    server: Registry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        what, _, name = self.path.rpartition("/")
        if self.path == "/v2/":
            self._send(b"{}", "application/json")
        elif what.endswith("/manifests"):
            self._send(self.server.manifest, MANIFEST)
        elif what.endswith("/blobs") and name in self.server.blobs:
            self._send(self.server.blobs[name], "application/octet-stream")
        else:
            self.send_error(404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(body).hexdigest()}")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives
        pass


@contextmanager
def registry_with(client: DockerClient, image: str) -> Iterator[tuple[str, Registry]]:
    """The reference to pull `image` by, and the registry that has it."""
    archive = io.BytesIO(b"".join(client.images.get(image).save()))
    with tarfile.open(fileobj=archive) as saved, Registry() as registry:

        def member(name: str) -> bytes:
            file = saved.extractfile(name)
            assert file is not None
            return file.read()

        (described,) = json.loads(member("manifest.json"))
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": registry.add(member(described["Config"]), CONFIG),
            "layers": [registry.add(member(name), LAYER) for name in described["Layers"]],
        }
        registry.manifest = json.dumps(manifest).encode()
        thread = Thread(target=registry.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{registry.server_port}/localaik-test/pulled:1", registry
        finally:
            registry.shutdown()
            thread.join()
