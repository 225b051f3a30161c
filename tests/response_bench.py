"""What responses are made with in tests: an engine that is a script, a store in memory, and a look at both."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson

from localaik.embeddings.embedder import Embedder
from localaik.engine.calls import EngineCall, EngineChunk, EngineNews
from localaik.engine.capabilities import LLAMA_CPP, Capabilities
from localaik.errors import EngineUnreachable, NotFound
from localaik.models.registry import ModelEntry, Registry
from localaik.protocols.contract import Services
from localaik.protocols.openai.responses.answering import Frame
from localaik.protocols.openai.responses.chain import ChainMemory
from localaik.protocols.openai.responses.decode import read_create
from localaik.protocols.openai.responses.run import ResponseRun
from localaik.settings import Settings
from localaik.state.response_records import Item, StoredResponse
from localaik.state.store import Store
from tests.memory_engine import hello, pipeline
from tests.responses_grammar import check_stream

Event = dict[str, Any]
News = Callable[[EngineCall], list[list[EngineNews]]]
LOST = EngineUnreachable("The engine is gone.")


class Bench:
    """What a response is made with."""

    def __init__(self, store: Store | None, news: News, capabilities: Capabilities, **settings: object) -> None:
        """Without a `store` it has one of its own."""
        chosen = Settings.model_validate({"state": "memory", "embeddings": "off", **settings})
        pipe, self.engine = pipeline(news, capabilities, chosen)
        self.store = Store(chosen) if store is None else store
        registry = Registry([ModelEntry("tiny", 1, "localaik", 8192, "")])
        self.services = Services(chosen, pipe, registry, self.store, Embedder(None, chosen))

    def run(self, *, memory: ChainMemory | None = None, generates: bool = True, **body: object) -> ResponseRun:
        """A response in the making, told as a stream."""
        request = read_create({"model": "m", "input": "Hi", **body})
        return ResponseRun(self.services, request, memory=memory, tells_faults=True, generates=generates)

    async def told(self, run: ResponseRun, *, whole: bool = True) -> Event:
        """The response at the end of a stream, which is checked."""
        await run.prepare()
        return response_of([frame async for frames in run.frames() for frame in frames], whole=whole)

    async def answer(self, **options: Any) -> Event:
        return await self.told(self.run(**options))

    async def stored(self, response_id: str) -> StoredResponse:
        return await (await self.store.responses()).get(response_id)

    async def is_stored(self, response_id: str) -> bool:
        try:
            await self.stored(response_id)
        except NotFound:
            return False
        return True

    async def conversation(self, *texts: str) -> str:
        items = [Item(f"msg_{place}", said(text, f"msg_{place}")) for place, text in enumerate(texts)]
        return (await (await self.store.conversations()).create({}, items)).id

    async def texts_of(self, conversation_id: str) -> list[object]:
        items = await (await self.store.conversations()).context(conversation_id)
        return [orjson.loads(item.body)["content"][0]["text"] for item in items]

    def shown(self) -> str:
        """All text that the engine was shown last."""
        return "".join(str(turn.content) for turn in self.engine.calls[-1].turns)

    def nothing_is_held(self, *names: str) -> bool:
        return not self.engine.open_streams and not any(name in self.services.locks._locks for name in names)


def said(text: str, item_id: str) -> str:
    part = {"type": "input_text", "text": text}
    item = {"id": item_id, "type": "message", "role": "user", "status": "completed", "content": [part]}
    return orjson.dumps(item).decode()


def response_of(frames: Sequence[Frame], *, whole: bool = True) -> Event:
    response = check_stream([orjson.loads(frame.data) for frame in frames], whole=whole)
    assert response is not None
    return response


async def until(batches: AsyncIterator[list[Frame]], name: str) -> list[Frame]:
    """The frames up to one of this type."""
    frames = list(await anext(batches))
    while all(frame.name != name for frame in frames):
        frames += await anext(batches)
    return frames


def breaking(*before: list[EngineNews], error: Exception = LOST) -> News:
    """An engine that says this much, and then is gone."""

    def script() -> Iterator[list[EngineNews]]:
        yield from before
        raise error

    return lambda _call: script()  # type: ignore[return-value]


def halting(_call: EngineCall) -> list[list[EngineNews]]:
    """An engine that begins to speak, and then waits until it is let."""
    return [["Hel"], ["lo"], [EngineChunk(finish="stop")]]


MakeBench = Callable[..., Bench]
"""Makes a bench from news, capabilities and settings; each has a default."""


@asynccontextmanager
async def shared_store() -> AsyncIterator[Store]:
    """A store in memory for many tests: to open one takes longer than any of them."""
    store = Store(Settings(state="memory"))
    yield store
    await store.close()


@asynccontextmanager
async def benches(store: Store) -> AsyncIterator[MakeBench]:
    """Makes benches, with this store or with their own (`fresh`), and closes them at the end."""
    made: list[Bench] = []

    def make(
        news: News = hello, capabilities: Capabilities = LLAMA_CPP, *, fresh: bool = False, **settings: object
    ) -> Bench:
        made.append(Bench(None if fresh else store, news, capabilities, **settings))
        return made[-1]

    yield make
    for bench in made:
        await bench.services.live.close()
        if bench.store is not store:
            await bench.store.close()
