"""A server of chat, sessions and stored completions on an engine in memory, and clients of it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson
from aiohttp import ClientResponse, ClientSession
from aiohttp.test_utils import RawTestServer
from openai import AsyncOpenAI
from yarl import URL

from localaik.embeddings.embedder import Embedder
from localaik.engine.calls import CallFragment, EngineCall, EngineChunk, EngineNews, EngineUsage
from localaik.engine.capabilities import LLAMA_CPP, Capabilities
from localaik.errors import LocalaikError
from localaik.models.registry import ModelEntry, Registry
from localaik.protocols.contract import Services
from localaik.protocols.openai import read_transcript, with_profile
from localaik.protocols.workbench import workbench
from localaik.server.app import Face
from localaik.settings import Settings
from localaik.state.store import Store
from tests.memory_engine import ScriptedInMemory, pipeline

CAPABILITIES = replace(LLAMA_CPP, context_tokens=1000, native_tools=True)
Object = dict[str, object]


@dataclass(frozen=True)
class Reply:
    """One answer of the engine: thoughts, text, calls (name, arguments), in pieces as given; then perhaps a fault."""

    pieces: Sequence[str] = ("Hello",)
    thoughts: Sequence[str] = ()
    calls: Sequence[tuple[str, str]] = ()
    finish: str = "stop"
    fault: LocalaikError | None = None
    usage: bool = True
    """The engine counts its tokens."""

    def news(self) -> list[list[EngineNews]]:
        batches: list[list[EngineNews]] = [[EngineChunk(prompt_total=5)]]
        batches += [[EngineChunk(reasoning=text)] for text in self.thoughts]
        batches += [[text] for text in self.pieces]
        for index, (name, arguments) in enumerate(self.calls):
            batches.append([EngineChunk(calls=[CallFragment(index, f"c{index}", name, arguments)])])
        counted = [EngineChunk(usage=EngineUsage(5, 2))] if self.usage else []
        return [*batches, [EngineChunk(finish=self.finish), *counted]]


@dataclass
class ChatFace:
    """What a test works with."""

    engine: ScriptedInMemory
    store: Store
    http: ClientSession
    url: URL
    replies: list[Reply] = field(default_factory=list)
    """What the engine says, one after the other; then always `Hello`."""

    def sdk(self) -> AsyncOpenAI:
        """A client of the official SDK, to be closed. Slow to make."""
        return AsyncOpenAI(base_url=f"{self.url}v1", api_key="any", max_retries=0)

    @asynccontextmanager
    async def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[ClientResponse]:
        data = None if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        kind = {} if data is None else {"Content-Type": "application/json"}
        url = URL(f"{self.url.origin()}{path}", encoded=True)
        async with self.http.request(method, url, data=data, headers={**kind, **(headers or {})}) as answer:
            yield answer

    async def ask(self, method: str, path: str, body: object = None, *, status: int = 200, session: str = "") -> Object:
        headers = {"X-Session-Id": session} if session else {}
        async with self.request(method, path, body, headers) as answer:
            assert answer.status == status, await answer.text()
            assert answer.headers.get("X-Session-Id", "") == (session if status == 200 else "")
            result: Object = orjson.loads(await answer.read())
            return result

    async def chat(self, *messages: Object, session: str = "", status: int = 200, **more: object) -> Object:
        """A completion, or the object of its error."""
        body = {"messages": list(messages), **more}
        answer = await self.ask("POST", "/v1/chat/completions", body, session=session, status=status)
        return answer if status == 200 else answer["error"]  # type: ignore[return-value]

    async def frames(self, *messages: Object, session: str = "", **more: object) -> list[Object]:
        """The chunks of a stream that ends well."""
        headers = {"X-Session-Id": session} if session else {}
        body = {"messages": list(messages), "stream": True, **more}
        async with self.request("POST", "/v1/chat/completions", body, headers) as answer:
            assert (answer.status, answer.headers.get("X-Session-Id", "")) == (200, session)
            *frames, done, rest = (await answer.text()).split("\n\n")
            assert (done, rest) == ("data: [DONE]", "")
            return [orjson.loads(frame.removeprefix("data: ")) for frame in frames]

    async def new_session(self) -> str:
        return str((await self.ask("POST", "/v1/sessions"))["session_id"])

    async def messages(self, session: str) -> list[Object]:
        told = await self.ask("GET", f"/v1/sessions/{session}/messages")
        assert isinstance(told["messages"], list)
        return told["messages"]

    def prompt(self, number: int = -1) -> list[tuple[str, object]]:
        """The turns of an engine request, the last one by default."""
        return [(turn.role, turn.content) for turn in self.engine.calls[number].turns]


def said(role: str, content: object, **more: object) -> Object:
    return {"role": role, "content": content, **more}


def user(content: object) -> Object:
    return said("user", content)


def message_of(completion: Object, index: int = 0) -> Object:
    choices = completion["choices"]
    assert isinstance(choices, list)
    message = choices[index]["message"]
    assert isinstance(message, dict)
    return message


def deltas(frames: Sequence[Object], name: str, index: int = 0) -> list[str]:
    """The pieces of one field of one choice's deltas."""
    choices = [choice for frame in frames for choice in frame["choices"]]  # type: ignore[attr-defined]
    return [choice["delta"][name] for choice in choices if choice["index"] == index and choice["delta"].get(name)]


@asynccontextmanager
async def chat_face(
    folder: Path | None = None, capabilities: Capabilities = CAPABILITIES, **fields: object
) -> AsyncIterator[ChatFace]:
    """A server; with a `folder`, what it keeps outlives it."""
    where = {"state": "memory"} if folder is None else {"data_dir": str(folder)}
    settings = Settings.model_validate({"access_log": False, **where, **fields})
    replies: list[Reply] = []

    def news(_call: EngineCall) -> list[list[EngineNews]]:
        reply = replies.pop(0) if replies else Reply()
        if reply.fault is not None:
            raise reply.fault
        return reply.news()

    pipe, engine = pipeline(news, capabilities, settings)
    store = Store(settings)
    embedder = Embedder(None, settings.model_copy(update={"embeddings": "off"}))
    registry = Registry([ModelEntry("tiny", 7, "localaik", 1000, "A model.")], strict=False)
    services = Services(settings, pipe, registry, store, embedder)
    server = RawTestServer(Face(services, [with_profile(settings.chat_profile), workbench(read_transcript)]).handle)
    await server.start_server()
    url = server.make_url("/")
    async with ClientSession() as http:
        yield ChatFace(engine, store, http, url, replies)
    await server.close()
    await store.close()
    assert engine.open_streams == 0
