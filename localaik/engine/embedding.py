"""The engine that embeds: a process of its own, started when it is needed and ended when it has been idle.

llama.cpp either generates or embeds, so this one stands beside the engine that generates. Where a remote server embeds,
there is nothing to start or end.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from localaik.engine.engine import Engine
from localaik.engine.framing import Frame, Prompt
from localaik.engine.gate import Gate
from localaik.engine.launchers.base import EngineSpec, StartError
from localaik.engine.sources import REMOTE_CONCURRENCY, Host, RemoteSource, ThisProcess
from localaik.engine.upstream import Upstream
from localaik.engine.vectors import EmbeddingAnswer
from localaik.errors import EngineUnreachable, NotServed, Unavailable
from localaik.settings import Settings

__all__ = ["EMBEDDINGS", "EmbeddingEngine", "create_embedding_engine", "embedding_settings", "embedding_upstream"]

EMBEDDINGS: Final = "embeddings"
"""The role of the engine that embeds."""

_SAMPLE: Final = "a"
_log = logging.getLogger(__name__)

Start = Callable[[], tuple[Engine, "asyncio.Future[int]"]]
"""Makes an engine that is not started yet, and what is done when it is lost for good."""


def create_embedding_engine(settings: Settings, host: Host | None = None) -> "EmbeddingEngine | None":
    """The engine for embeddings that the settings describe, not yet started; None where there shall be none.

    Call it inside a running event loop. Raises `StartError` for a missing model or a bad URL.
    """
    if settings.embeddings == "off":
        return None
    host = host or ThisProcess()
    seen = embedding_settings(settings)
    if settings.embedding_url:
        upstream = embedding_upstream(settings)
        if settings.embedding_upstream:  # those of the upstream itself are told already
            for warning in upstream.warnings:
                _log.warning("%s", warning)
        return EmbeddingEngine(lambda: _remote(upstream, seen, host), settings, is_remote=True)
    spec = EngineSpec.for_embeddings(settings)
    unused = partial(host.describe, EMBEDDINGS)
    return EmbeddingEngine(lambda: _child(spec, seen, host), settings, is_remote=False, describe_unused=unused)


def embedding_upstream(settings: Settings) -> Upstream:
    """The server that is asked for embeddings, which `embedding_url` names. Raises `StartError` for a bad URL."""
    if not settings.embedding_upstream:
        return Upstream.from_settings(settings)
    return Upstream.parse(
        settings.embedding_upstream,
        settings.embedding_upstream_auth_header,
        setting="LOCALAIK_EMBEDDING_UPSTREAM",
    )


def embedding_settings(settings: Settings) -> Settings:
    """The settings as the client and the probe of this engine should see them."""
    is_named = bool(settings.embedding_url) and settings.embedding_model_path() is not None
    return settings.model_copy(
        update={
            "upstream_model": settings.embedding_model if is_named else "",
            "ctx_size": settings.embedding_ctx_size,
            "max_concurrent": 0,
        }
    )


def _child(spec: EngineSpec, settings: Settings, host: Host) -> tuple[Engine, "asyncio.Future[int]"]:
    gate = host.gate(EMBEDDINGS, spec.slots, settings)
    source, lost = host.source(EMBEDDINGS, spec, settings, gate)
    return Engine(source, settings, gate, cache_prompt=False), lost


def _remote(upstream: Upstream, settings: Settings, host: Host) -> tuple[Engine, "asyncio.Future[int]"]:
    never_lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    gate = host.gate(EMBEDDINGS, REMOTE_CONCURRENCY, settings)
    return Engine(RemoteSource(upstream), settings, gate, cache_prompt=False), never_lost


class EmbeddingEngine:
    """Turns prompts into vectors; texts into prompts where the engine tells tokens. Starts and ends by itself."""

    def __init__(
        self,
        start: Start,
        settings: Settings,
        *,
        is_remote: bool,
        describe_unused: Callable[[], Mapping[str, object]] = lambda: {"state": "off"},
    ) -> None:
        """`describe_unused` tells how the engine stands while it is not needed here."""
        self._make = start
        self._describe_unused = describe_unused
        self._idle_seconds = 0.0 if is_remote else settings.embedding_idle_seconds
        self._engine: Engine | None = None
        self._lost: asyncio.Future[int] | None = None
        self._frame: Frame | None = None
        self._changing = asyncio.Lock()
        self._users = 0
        self._timer: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None
        self._closed = False
        self.is_remote = is_remote
        """True where the engine is a server that somebody else runs, which reads texts and token ids in its own way."""
        self.calls = 0
        """How often the engine was asked for vectors."""

    def describe(self) -> Mapping[str, object]:
        """Name and state of the engine; nothing secret. `state` is `off` while it is not needed."""
        return self._engine.describe() if self._engine is not None else self._describe_unused()

    @property
    def gate(self) -> Gate | None:
        """Who uses the engine now, and who waits for it; None while it is off."""
        return self._engine.gate if self._engine is not None else None

    async def start(self) -> None:
        """Start the engine before it is asked for anything. Raises `StartError`."""
        async with self._changing:
            await self._begin()

    async def close(self) -> None:
        """End the engine; it is gone on return, and does not come back."""
        self._closed = True
        self._disarm()
        if self._ending is not None:
            await self._ending
        async with self._changing:
            await self._end()

    async def prepare(self, texts: Sequence[str], *, counted: bool = False) -> list[Prompt]:
        """The prompts of `texts`, cut where they are longer than the engine takes, in one or two questions to it.

        A text is its own prompt where the engine tells no tokens, and where it is the only one and short: the engine
        then tells its size with the vector, which saves a question. `counted` asks for the sizes all the same.
        """
        if self.is_remote:
            return [Prompt(text) for text in texts]
        async with self._in_use() as engine:
            frame = await self._frame_of(engine)
            if frame is None or (not counted and len(texts) == 1 and frame.surely_holds(texts[0])):
                return [Prompt(text) for text in texts]
            return [frame.prompt(tokens) for tokens in await engine.tokenize_many(texts)]

    async def prepare_ids(self, lists: Sequence[Sequence[int]]) -> list[Prompt]:
        """The prompts of token ids of an unknown vocabulary. A remote server gets them as they are.

        An own engine gets a token of its own for each, the same one for the same id, so that equal lists stay equal
        and lists with much in common stay near. Raises `NotServed` where it takes no token ids.
        """
        if self.is_remote:
            return [Prompt(list(ids), len(ids), len(ids)) for ids in lists]
        async with self._in_use() as engine:
            frame = await self._frame_of(engine)
        if frame is None:
            raise NotServed("The engine behind this server takes no token ids.")
        return [frame.prompt([frame.ordinary(token) for token in ids]) for ids in lists]

    async def embed(self, prompts: Sequence[Prompt], model: str) -> EmbeddingAnswer:
        """The vectors of `prompts`, in one call. `model` is the name that the caller asked for.

        Raises `Unavailable` while the model loads or the queue is full, and what an engine can fail with.
        """
        async with self._in_use() as engine:
            self.calls += 1
            return await engine.embed([prompt.input for prompt in prompts], model)

    @asynccontextmanager
    async def _in_use(self) -> AsyncIterator[Engine]:
        """The engine, which is not ended inside."""
        self._users += 1
        self._disarm()
        try:
            yield await self._running()
        finally:
            self._users -= 1
            if not self._users:
                self._arm()

    async def _running(self) -> Engine:
        async with self._changing:
            if self._closed:
                raise Unavailable("The server is stopping.", reason="stopping")
            try:
                return await self._begin()
            except StartError as error:
                _log.error("The engine for embeddings can't be started: %s", error.message)
                raise EngineUnreachable(
                    "The engine for embeddings can't be started; the server's log tells why.",
                    reason="upstream_unreachable",
                ) from None

    async def _begin(self) -> Engine:
        """The running engine; a new one where there is none, or the old one was lost for good."""
        if self._lost is not None and self._lost.done():
            await self._end()
        if self._engine is None:
            engine, lost = self._make()
            await engine.start()
            self._engine, self._lost = engine, lost
        return self._engine

    async def _end(self) -> None:
        engine, lost = self._engine, self._lost
        self._engine = self._lost = None
        if lost is not None and lost.done():
            lost.exception()  # told in the log already
        if engine is not None:
            await engine.close()

    async def _end_if_idle(self) -> None:
        async with self._changing:
            if not self._users:
                await self._end()

    def _arm(self) -> None:
        if self._idle_seconds and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._on_idle)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_idle(self) -> None:
        self._timer = None
        self._ending = asyncio.create_task(self._end_if_idle())

    async def _frame_of(self, engine: Engine) -> Frame | None:
        """What belongs around each prompt, asked once: every engine that is started here has the same model."""
        if self._frame is None:
            await engine.ready()
            capabilities = engine.capabilities
            if capabilities.kind != "llamacpp":
                return None
            told = (capabilities.context_tokens, capabilities.trained_tokens)
            self._frame = Frame.found(
                (await engine.tokenize_many([_SAMPLE]))[0],
                await engine.tokenize(_SAMPLE),
                limit=min(tokens for tokens in told if tokens),
                vocabulary=capabilities.vocabulary,
            )
        return self._frame
