"""A server with stored things and without an engine, and a client of it that speaks OpenAI's API in raw HTTP."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import orjson
from aiohttp import ClientSession, FormData
from aiohttp.test_utils import RawTestServer
from yarl import URL

from localaik.embeddings.embedder import Embedder
from localaik.generation.run import Pipeline
from localaik.models.registry import ModelEntry, Registry
from localaik.protocols.contract import Services
from localaik.protocols.gemini import PROTOCOL as GEMINI
from localaik.protocols.openai import PROTOCOL as OPENAI
from localaik.server.app import Face
from localaik.state.store import Store
from tests.state_samples import Clock, settings_in

Sent = Mapping[str, object] | bytes | FormData | None


class Answer:
    """What came back."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def fault(self) -> tuple[int, str | None, str | None, str]:
        """Status, code, param, message."""
        error = self.json["error"]
        assert error["type"] == "invalid_request_error"
        return self.status, error["code"], error["param"], error["message"]


class Caller:
    """A client of a server with both protocols."""

    def __init__(self, http: ClientSession, origin: URL, clock: Clock, services: Services) -> None:
        self.folder = services.settings.data_path()
        self._http = http
        self.origin = str(origin).rstrip("/")
        self.clock = clock
        self.services = services

    async def ask(self, method: str, path: str, body: Sent = None, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, Mapping):
            sent["Content-Type"] = "application/json"
            data: Any = orjson.dumps(body)
        else:
            data = body
        url = URL(self.origin + path, encoded=True)
        async with self._http.request(method, url, data=data, headers=sent) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def upload(self, data: bytes = b"hello", name: str | None = "a.txt", **fields: str) -> Answer:
        """POST files; brackets of field names are written as two underscores."""
        return await self.ask("POST", "/v1/files", form(data, name, **fields))

    async def file(self, data: bytes = b"hello", name: str | None = "a.txt", **fields: str) -> dict[str, Any]:
        answer = await self.upload(data, name, **{"purpose": "user_data", **fields})
        assert answer.status == 200, answer.body
        return cast("dict[str, Any]", answer.json)


def form(data: bytes, name: str | None = "a.txt", mime: str = "", **fields: str) -> FormData:
    made = FormData(default_to_multipart=True, quote_fields=False)
    for field, value in fields.items():
        outer, _, inner = field.partition("__")
        made.add_field(f"{outer}[{inner}]" if inner else outer, value)
    made.add_field("file", data, filename=name, content_type=mime or None)
    return made


@asynccontextmanager
async def serving(folder: Path, pipeline: object = None, **fields: object) -> AsyncIterator[Caller]:
    clock = Clock()
    settings = settings_in(folder, **fields)
    store = Store(settings, clock=clock)
    services = Services(
        settings,
        cast("Pipeline", pipeline),
        Registry([ModelEntry("m", 1, "localaik", 8192, "A model.")]),
        store,
        Embedder(None, settings),
    )
    for protocol in (GEMINI, OPENAI):
        if protocol.background is not None:
            services.jobs.add(protocol.background(services))
    async with (
        RawTestServer(Face(services, [GEMINI, OPENAI]).handle) as server,
        ClientSession() as http,
    ):
        yield Caller(http, server.make_url("/"), clock, services)
    await services.jobs.close()
    await store.close()
