"""An engine that is a script in memory, and a pipeline on it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from localaik.content import Attachment, Image, Text
from localaik.engine.calls import ChatTurn, EngineCall, EngineChunk, EngineImage, EngineNews, EngineUsage
from localaik.engine.capabilities import LLAMA_CPP, Capabilities
from localaik.errors import NotServed
from localaik.generation.events import GenerationEvent
from localaik.generation.request import GenerationRequest, Message
from localaik.generation.run import Pipeline
from localaik.settings import Settings

VISION = Capabilities(kind="llamacpp", vision=True, stop_strings=True, grammar=True, count_tokens=True)


class ScriptedInMemory:
    """Answers every call with `news(call)`; counts a token per character and 10 per image."""

    def __init__(self, news: Callable[[EngineCall], list[list[EngineNews]]], capabilities: Capabilities) -> None:
        self._news = news
        self.capabilities = capabilities
        self.calls: list[EngineCall] = []
        self.open_streams = 0
        self.called = asyncio.Event()
        """Somebody has asked."""
        self.idle = asyncio.Event()
        """Nobody asks any more."""
        self.block = asyncio.Event()
        self.block.set()

    async def ready(self) -> None:
        return

    async def open(self, call: EngineCall) -> "Stream":
        self.calls.append(call)
        stream = Stream(self, self._news(call))
        self.open_streams += 1
        self.called.set()
        self.idle.clear()
        return stream

    async def count_tokens(self, call: EngineCall) -> int:
        return sum(_cost(turn) for turn in call.turns)

    async def estimate_usage(self, call: EngineCall, text: str, pieces: int) -> EngineUsage:
        return EngineUsage(await self.count_tokens(call), pieces)

    async def count_texts(self, texts: Sequence[str]) -> list[int]:
        if not self.capabilities.tokenize:
            raise NotServed("no tokenizer")
        return [len(text) for text in texts]

    async def detokenize(self, ids: list[int]) -> str:
        return "".join(map(chr, ids))


class Stream:
    """News from a list; after the first, each waits for the engine's `block`."""

    def __init__(self, engine: ScriptedInMemory, news: list[list[EngineNews]]) -> None:
        self._engine = engine
        self._news = iter(news)
        self._first = True

    async def read(self) -> list[EngineNews]:
        if not self._first:
            await self._engine.block.wait()
        self._first = False
        return next(self._news, [])

    def close(self) -> None:
        self._engine.open_streams -= 1
        if not self._engine.open_streams:
            self._engine.idle.set()


def _cost(turn: ChatTurn) -> int:
    pieces = [turn.content] if isinstance(turn.content, str) else turn.content
    return sum(10 if isinstance(piece, EngineImage) else len(piece) for piece in pieces)


class Loader:
    """Every attachment is two pages and a caption."""

    async def load(self, attachments: list[Attachment], *, images: bool = True) -> list[list[Text | Image]]:
        if not images:
            return [[Text(f"text of {attachment.field}")] for attachment in attachments]
        page = Image("image/png", "QQ==", document=True)
        return [[page, page, Text(attachment.field)] for attachment in attachments]


def hello(call: EngineCall) -> list[list[EngineNews]]:
    return [
        [EngineChunk(prompt_total=5)],
        ["Hel", "lo"],
        [EngineChunk(finish="stop"), EngineChunk(usage=EngineUsage(5, 2))],
    ]


def saying(*answers: str, finish: str = "stop") -> Callable[[EngineCall], list[list[EngineNews]]]:
    """Scripts that give one answer after the other, the last one again and again, a character at a time."""
    left = list(answers)

    def news(call: EngineCall) -> list[list[EngineNews]]:
        answer = left.pop(0) if len(left) > 1 else left[0]
        return [[EngineChunk(prompt_total=5)], *([character] for character in answer), [EngineChunk(finish=finish)]]

    return news


def pipeline(
    news: Callable[[EngineCall], list[list[EngineNews]]] = hello,
    capabilities: Capabilities = LLAMA_CPP,
    settings: Settings | None = None,
) -> tuple[Pipeline, ScriptedInMemory]:
    engine = ScriptedInMemory(news, capabilities)
    return Pipeline(engine, settings or Settings(), Loader()), engine  # type: ignore[arg-type]


def ask(text: str = "Hi", **fields: object) -> GenerationRequest:
    return GenerationRequest("m", [Message("user", [Text(text)])], **fields)  # type: ignore[arg-type]


async def collect(batches: AsyncGenerator[list[GenerationEvent], None]) -> list[GenerationEvent]:
    return [event async for batch in batches for event in batch]
