"""The engine as the rest of localaik sees it: one object that is asked, whatever runs behind it and however often."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from yarl import URL

from localaik.engine.calls import EngineCall, EngineNews, EngineUsage
from localaik.engine.capabilities import UNKNOWN, Capabilities
from localaik.engine.client import AnswerStream, EngineClient
from localaik.engine.gate import Gate, Slot
from localaik.engine.vectors import EmbeddingAnswer
from localaik.errors import EngineUnreachable, LocalaikError, NotServed, TimedOut, Unavailable
from localaik.settings import Settings

__all__ = ["Address", "Engine", "EngineStream", "Health", "Source"]

_HEALTH_FRESH_SECONDS: Final = 1.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Health:
    """Whether an answer can come, and if not, why (`loading`, `unreachable`, `timeout`, `http_NNN`, `stopping`)."""

    ok: bool
    reason: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine listens. `root` stands before `/health`, `base` before `/chat/completions`."""

    base: URL
    root: URL
    headers: Mapping[str, str] = field(default_factory=dict)
    declared: Capabilities = UNKNOWN
    """What is known of the engine without asking it."""
    hide: Callable[[str], str] = str
    """Takes the credential out of a text."""
    credential: str = ""
    """The setting that holds the credential."""


class Source(Protocol):
    """Where the engine comes from: a supervised child, or a remote server."""

    @property
    def name(self) -> str:
        """`xllamacpp`, `llama-server`, `llama-cpp-python` or `remote`."""
        ...

    async def start(self) -> None:
        """Begin; return without waiting for the model."""
        ...

    async def wait_ready(self, seconds: float) -> Address:
        """The address of a loaded engine. Raises `Unavailable` when the wait is over, `EngineUnreachable` when it is
        lost.
        """
        ...

    def current(self) -> Address | None:
        """The address of the engine that is up now, or None."""
        ...

    async def report_lost(self) -> None:
        """The engine could not be reached: on return `current()` tells whether it is the same one that is up."""
        ...

    def describe(self) -> Mapping[str, object]:
        """State for `/health`: phase, since when, restarts; nothing secret."""
        ...

    async def stop(self) -> None:
        """End the child, if there is one; it is gone on return."""
        ...


class Engine:
    """Asks the source's engine; waits for a loading one, reconnects to a restarted one, bounds how many ask at once."""

    def __init__(self, source: Source, settings: Settings, gate: Gate, *, cache_prompt: bool) -> None:
        """`gate` bounds the generations at once. `cache_prompt` lets llama.cpp reuse prompts of earlier requests."""
        self._source = source
        self._settings = settings
        self._cache_prompt = cache_prompt
        self._gate = gate
        self._client: EngineClient | None = None
        self._address: Address | None = None
        self._connecting = asyncio.Lock()
        self._warming: asyncio.Task[None] | None = None
        self._ready_since: float | None = None
        self._health = Health(ok=False, reason="loading")
        self._health_at = float("-inf")
        self._health_of: Address | None = None
        self._probing = asyncio.Lock()

    @property
    def name(self) -> str:
        """What runs the model: `xllamacpp`, `llama-server`, `llama-cpp-python` or `remote`."""
        return self._source.name

    def describe(self) -> Mapping[str, object]:
        """Name and state of what runs the model, for `/health`; nothing secret."""
        return {"name": self._source.name, **self._source.describe()}

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do; only the defaults before it was ready for the first time."""
        return self._client.capabilities if self._client is not None else Capabilities()

    @property
    def gate(self) -> Gate:
        """Who uses the engine now, and who waits for it."""
        return self._gate

    async def start(self) -> None:
        """Start the source; the model loads meanwhile."""
        await self._source.start()
        self._warming = asyncio.create_task(self._warm_up())

    async def close(self) -> None:
        """Close connections and end the child, if there is one."""
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.gather(self._warming, return_exceptions=True)
        if self._client is not None:
            self._client.close()
        await self._source.stop()

    async def ready(self) -> None:
        """Return when the engine can be asked. Raises `Unavailable` after `load_wait_seconds`."""
        if self._client is None or self._source.current() is not self._address:
            await self._connected()

    async def open(self, call: EngineCall) -> "EngineStream":
        """Wait for a slot and start one choice on it. Raises what `Gate.acquire` and `EngineClient.open` raise."""
        slot = await self._gate.enter()
        try:
            return EngineStream(await self._open(call), slot)
        except BaseException:
            slot.leave()
            raise

    async def embed(self, inputs: Sequence[str | list[int]], model: str) -> EmbeddingAnswer:
        """The vectors of texts and token ids, in one call on one slot. Raises as `open` does."""
        slot = await self._gate.enter()
        try:
            return await self._asked(lambda client: client.embed(inputs, model))
        finally:
            slot.leave()

    async def tokenize_many(self, texts: Sequence[str]) -> list[list[int]]:
        """See `EngineClient.tokenize_many`."""
        return await self._asked(lambda client: client.tokenize_many(texts))

    async def count_texts(self, texts: Sequence[str]) -> list[int]:
        """See `EngineClient.count_texts`."""
        return await self._asked(lambda client: client.count_texts(texts))

    async def tokenize(self, text: str) -> list[int]:
        """See `EngineClient.tokenize`."""
        return await self._asked(lambda client: client.tokenize(text))

    async def _open(self, call: EngineCall) -> AnswerStream:
        return await self._asked(lambda client: client.open(call))

    async def _asked(self, ask: Callable[[EngineClient], Awaitable[T]]) -> T:
        client = await self._connected()
        try:
            return await ask(client)
        except EngineUnreachable:
            # Nothing was answered. If the engine died, its successor may answer instead.
            await self._source.report_lost()
            successor = await self._connected()
            if successor is client:
                raise
            return await ask(successor)

    async def count_tokens(self, call: EngineCall) -> int:
        """The prompt's size in tokens. Raises `NotServed` where the engine can't tell."""
        return await (await self._connected()).count_tokens(call)

    async def detokenize(self, ids: list[int]) -> str:
        """The text of token ids. Raises `NotServed` where the engine can't tell."""
        return await (await self._connected()).detokenize(ids)

    async def estimate_usage(self, call: EngineCall, text: str, pieces: int) -> EngineUsage:
        """The counts of an answer whose engine sent none; `pieces` is the number of deltas it came in.

        Counted with the engine's tokenizer where it has one. Deltas are tokens on nearly all engines.
        """
        client = await self._connected()
        try:
            prompt_tokens = await client.count_tokens(call)
        except LocalaikError:
            prompt_tokens = 0
        try:
            return EngineUsage(prompt_tokens, len(await client.tokenize(text)) if text else 0)
        except NotServed:
            return EngineUsage(prompt_tokens, pieces)

    async def health(self) -> Health:
        """Whether the engine can answer now; asked at most once a second, however many want to know."""
        async with self._probing:
            address = self._source.current()  # another one: the engine was started again
            is_old = time.monotonic() - self._health_at > _HEALTH_FRESH_SECONDS or address is not self._health_of
            if is_old or not self._health.ok:
                self._health = await self._ask_health()
                self._health_at, self._health_of = time.monotonic(), address
        return self._health

    async def _connected(self) -> EngineClient:
        """A client of the engine that is up now."""
        if self._client is not None and self._source.current() is self._address:
            return self._client
        async with self._connecting:
            address = self._source.current() or await self._source.wait_ready(self._settings.load_wait_seconds)
            if self._client is None or address is not self._address:
                await self._connect(address)
        if self._client is None:
            raise Unavailable("The model is still loading.", reason="loading")
        return self._client

    async def _warm_up(self) -> None:
        """Connect as soon as the engine is up, so that the first request need not ask what it can do."""
        with suppress(LocalaikError):  # the first request, or a health check, tries again and tells
            await self._connected()

    async def _connect(self, address: Address) -> None:
        # Needs aiohttp, which is slow to import: the engine's process is started before that.
        from localaik.engine.probe import probe  # noqa: PLC0415

        capabilities = await probe(address.base, address.root, address.headers, self._settings, address.declared)
        if self._client is not None:
            self._client.close()
        self._client = EngineClient(
            address.base,
            address.root,
            address.headers,
            capabilities,
            self._settings,
            cache_prompt=self._cache_prompt,
            hide=address.hide,
            credential=address.credential,
        )
        self._address = address
        self._ready_since = time.time()
        if not self._settings.max_concurrent and capabilities.slots:
            self._gate.resize(capabilities.slots)

    async def _ask_health(self) -> Health:
        details: dict[str, object] = {"engine": self.describe()}
        if self._source.current() is None:
            return Health(ok=False, reason="loading", details=details)
        try:
            async with asyncio.timeout(self._settings.health_timeout_seconds or None):
                client = await self._connected()
                status = await client.health()
        except (TimeoutError, TimedOut):
            return Health(ok=False, reason="timeout", details=details)
        except LocalaikError:
            return Health(ok=False, reason="unreachable", details=details)
        capabilities = client.capabilities
        details["context_tokens"] = capabilities.context_tokens
        details["slots"] = capabilities.slots
        details["ready_since"] = int(self._ready_since or time.time())
        return Health(ok=status == 200, reason="" if status == 200 else f"http_{status}", details=details)


class EngineStream:
    """A running choice and the slot that it holds. `read()` until it gives nothing; always `close()`."""

    def __init__(self, answer: AnswerStream, slot: Slot) -> None:
        self._answer = answer
        self._slot: Slot | None = slot

    async def read(self) -> list[EngineNews]:
        """See `AnswerStream.read`."""
        return await self._answer.read()

    def close(self) -> None:
        """Stop the engine's work on it, if any is left, and free the slot."""
        if self._slot is not None:
            self._answer.close()
            self._slot.leave()
            self._slot = None
