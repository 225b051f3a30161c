"""The engine as the rest of localaik sees it: one object that is asked, whatever runs behind it and however often."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, Protocol

import aiohttp
from yarl import URL

from localaik.engine.calls import EngineCall, EngineNews, EngineUsage
from localaik.engine.client import EngineClient
from localaik.engine.gate import Gate
from localaik.engine.probe import Capabilities, probe
from localaik.errors import EngineUnreachable, LocalaikError, NotServed, Unavailable
from localaik.settings import Settings

__all__ = ["Engine", "Health", "Source"]

_HEALTH_FRESH_SECONDS: Final = 1.0
_REMOTE_CONCURRENCY: Final = 32


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


class Source(Protocol):
    """Where the engine comes from: a supervised child, or a remote server."""

    name: str
    """`xllamacpp`, `llama-server`, `llama-cpp-python` or `remote`."""

    async def start(self) -> None:
        """Begin; return without waiting for the model."""
        ...

    async def wait_ready(self, seconds: float) -> Address:
        """The address of a loaded engine. Raises `Unavailable` when the wait is over, `EngineUnreachable` when it is lost."""
        ...

    def current(self) -> Address | None:
        """The address of the engine that is up now, or None."""
        ...

    def describe(self) -> Mapping[str, object]:
        """State for `/health`: phase, since when, restarts; nothing secret."""
        ...

    async def stop(self) -> None:
        """End the child, if there is one; it is gone on return."""
        ...


class Engine:
    """Asks the source's engine; waits for a loading one, reconnects to a restarted one, bounds how many ask at once."""

    def __init__(self, source: Source, settings: Settings, *, slots: int, cache_prompt: bool) -> None:
        """`slots` is the number of generations at once until the engine tells its own; 0 where it is unknown."""
        self._source = source
        self._settings = settings
        self._cache_prompt = cache_prompt
        self._gate = Gate(
            settings.max_concurrent or slots or _REMOTE_CONCURRENCY,
            queue_size=settings.queue_size,
            queue_seconds=settings.queue_timeout_seconds,
        )
        self._client: EngineClient | None = None
        self._address: Address | None = None
        self._connecting = asyncio.Lock()
        self._ready_since: float | None = None
        self._health = Health(ok=False, reason="loading")
        self._health_at = float("-inf")
        self._probing = asyncio.Lock()

    @property
    def name(self) -> str:
        """What runs the model: `xllamacpp`, `llama-server`, `llama-cpp-python` or `remote`."""
        return self._source.name

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do; only the defaults before it was ready for the first time."""
        return self._client.capabilities if self._client is not None else Capabilities()

    async def start(self) -> None:
        """Start the source; the model loads meanwhile."""
        await self._source.start()

    async def close(self) -> None:
        """Close connections and end the child, if there is one."""
        if self._client is not None:
            await self._client.close()
        await self._source.stop()

    async def ready(self) -> None:
        """Return when the engine can be asked. Raises `Unavailable` after `load_wait_seconds`."""
        if self._client is None or self._source.current() is not self._address:
            await self._connected()

    async def stream(self, call: EngineCall) -> AsyncGenerator[list[EngineNews], None]:
        """The news of one choice; each list is what one read brought. See `EngineClient.stream`."""
        async with self._gate.enter():
            client = await self._connected()
            begun = False
            try:
                async with aclosing(client.stream(call)) as stream:
                    async for news in stream:
                        begun = True
                        yield news
                return
            except EngineUnreachable:
                if begun or not await self._was_replaced(client):
                    raise
            # The engine died before it had said anything, and another one runs now.
            async with aclosing((await self._connected()).stream(call)) as stream:
                async for news in stream:
                    yield news

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
            if time.monotonic() - self._health_at > _HEALTH_FRESH_SECONDS or not self._health.ok:
                self._health = await self._ask_health()
                self._health_at = time.monotonic()
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

    async def _connect(self, address: Address) -> None:
        capabilities = await probe(address.base, address.root, address.headers, self._settings)
        if self._client is not None:
            await self._client.close()
        self._client = EngineClient(
            address.base, address.root, address.headers, capabilities, self._settings, cache_prompt=self._cache_prompt
        )
        self._address = address
        self._ready_since = time.time()
        if not self._settings.max_concurrent and capabilities.slots:
            self._gate.resize(capabilities.slots)

    async def _was_replaced(self, client: EngineClient) -> bool:
        """True once another engine has taken the place of the one that `client` asked."""
        try:
            return await self._connected() is not client
        except LocalaikError:
            return False

    async def _ask_health(self) -> Health:
        details: dict[str, object] = {"engine": {"name": self._source.name, **self._source.describe()}}
        if self._source.current() is None:
            return Health(ok=False, reason="loading", details=details)
        try:
            async with asyncio.timeout(self._settings.health_timeout_seconds or None):
                client = await self._connected()
                status = await client.health()
        except TimeoutError:
            return Health(ok=False, reason="timeout", details=details)
        except LocalaikError:
            return Health(ok=False, reason="unreachable", details=details)
        capabilities = client.capabilities
        details["context_tokens"] = capabilities.context_tokens
        details["slots"] = capabilities.slots
        details["ready_since"] = int(self._ready_since or time.time())
        return Health(ok=status == 200, reason=f"http_{status}", details=details)
