"""A server with files and without an engine, and a client of it that says what it wants in raw HTTP."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import orjson
from aiohttp import ClientSession
from aiohttp.test_utils import RawTestServer
from yarl import URL

from localaik.embeddings.embedder import Embedder
from localaik.generation.run import Pipeline
from localaik.models.registry import Registry
from localaik.protocols.contract import Services
from localaik.protocols.gemini import PROTOCOL
from localaik.server.app import Face
from localaik.state.store import Store
from tests.state_samples import Clock, settings_in

VERSIONS = ["/v1beta", "/v1", "/v1alpha", ""]
GONE = "You do not have permission to access the File {} or it may not exist."
COMMAND = "X-Goog-Upload-Command"
OFFSET = "X-Goog-Upload-Offset"
STATUS = "X-Goog-Upload-Status"
RECEIVED = "X-Goog-Upload-Size-Received"
Sent = Mapping[str, object] | bytes | None


class Answer:
    """What came back."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def fault(self) -> tuple[int, str, str]:
        error = self.json["error"]
        assert error["code"] == self.status
        return error["code"], error["status"], error["message"]


class Caller:
    """A client of a server with the Gemini protocol alone."""

    def __init__(self, http: ClientSession, origin: URL, clock: Clock) -> None:
        self._http = http
        self.origin = str(origin).rstrip("/")
        self.clock = clock

    async def ask(self, method: str, path: str, body: Sent = None, **headers: str) -> Answer:
        url = URL(path if path.startswith("http") else self.origin + path, encoded=True)
        data = body if isinstance(body, bytes | None) else orjson.dumps(body)
        sent = {"Content-Type": "application/json", "x-goog-api-key": "k"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._http.request(method, url, data=data, headers=sent) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def start(self, file: Mapping[str, object] | None = None, *, version: str = "/v1", **headers: str) -> Answer:
        sent = {"X-Goog-Upload-Protocol": "resumable", COMMAND: "start", **headers}
        return await self.ask("POST", f"/upload{version}/files", {"file": file} if file is not None else b"", **sent)

    async def begin(self, **file: object) -> str:
        answer = await self.start(file)
        assert answer.status == 200, answer.body
        return answer.headers["X-Goog-Upload-URL"]

    async def send(self, url: str, command: str, body: bytes = b"", offset: int | str | None = None) -> Answer:
        headers = {COMMAND: command} if offset is None else {COMMAND: command, OFFSET: str(offset)}
        return await self.ask("POST", url, body, **headers)

    async def upload(self, body: bytes = b"hello", **file: object) -> dict[str, Any]:
        answer = await self.send(await self.begin(**file), "upload, finalize", body, 0)
        assert answer.status == 200, answer.body
        return cast("dict[str, Any]", answer.json["file"])


@asynccontextmanager
async def serving(folder: Path, **fields: object) -> AsyncIterator[Caller]:
    clock = Clock()
    settings = settings_in(folder, **fields)
    store = Store(settings, clock=clock)
    pipeline = cast("Pipeline", None)  # files need none
    services = Services(settings, pipeline, Registry([]), store, Embedder(None, settings))
    async with RawTestServer(Face(services, [PROTOCOL]).handle) as server, ClientSession() as http:
        yield Caller(http, server.make_url("/"), clock)
    await store.close()
