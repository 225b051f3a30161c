"""The HTTP client of one engine at one address: always streaming, closed at once when nobody listens any more."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Final

import aiohttp
import orjson
from yarl import URL

from localaik.engine.bodies import chat_body, completion_body, count_body
from localaik.engine.calls import EngineCall, EngineNews
from localaik.engine.faults import MAX_ERROR_BYTES, fault_of_answer, unreachable
from localaik.engine.probe import Capabilities
from localaik.engine.wire import StreamReader
from localaik.errors import (
    EngineAnswerInvalid,
    EngineRefused,
    EngineUnreachable,
    NotServed,
    TimedOut,
)
from localaik.settings import Settings

__all__ = ["EngineClient"]

_DRAIN_BYTES: Final = 65_536
_DRAIN_SECONDS: Final = 1.0
_NO_SUCH_ROUTE: Final = frozenset({404, 405, 501})
_READ_BUFFER_BYTES: Final = 262_144
_MAX_JSON_BYTES: Final = 16_777_216


class EngineClient:
    """Asks one engine. `headers` carry the credential, and nothing of any caller's."""

    def __init__(
        self,
        base: URL,
        root: URL,
        headers: Mapping[str, str],
        capabilities: Capabilities,
        settings: Settings,
        *,
        cache_prompt: bool,
    ) -> None:
        """`base` is the URL that ends before `/chat/completions`, `root` the one before `/health` and `/tokenize`."""
        self.capabilities = capabilities
        self._settings = settings
        self._cache_prompt = cache_prompt
        self._include_usage = True
        self._chat_url = _join(base, "chat/completions")
        self._completions_url = _join(base, "completions")
        self._count_url = _join(base, "chat/completions/input_tokens")
        self._base = base
        self._root = root
        self._headers = {
            **headers,
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            "User-Agent": "localaik",
        }
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=not capabilities.keep_alive, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.upstream_connect_timeout_seconds or None),
            read_bufsize=_READ_BUFFER_BYTES,
            auto_decompress=False,
            skip_auto_headers=("Accept-Encoding",),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def stream(self, call: EngineCall) -> AsyncGenerator[list[EngineNews], None]:
        """The news of one choice, as they come: one list for each read.

        Raises `LocalaikError` kinds for all that goes wrong, before the first list or later. The connection is closed
        when the iterator is, and kept for the next call only after a complete answer.
        """
        response = await self._open(call)
        try:
            reader = StreamReader(self._settings.upstream_max_event_bytes)
            received = 0
            while not reader.done:
                data = await self._read(response)
                if not data:
                    break
                received += len(data)
                self._check_size(received)
                news = reader.feed(data)
                if news:
                    yield news
            reader.finish()
            await self._release(response)
        finally:
            response.close()

    async def count_tokens(self, call: EngineCall) -> int:
        """The prompt's size in tokens, by the first way that the engine offers. Raises `NotServed` where it has none."""
        capabilities = self.capabilities
        if isinstance(call.prompt, list):
            return len(call.prompt)
        if isinstance(call.prompt, str):
            return len(await self.tokenize(call.prompt))
        body = count_body(call, capabilities.model_id)
        if capabilities.count_tokens:
            return _integer(await self._post(self._count_url, body), "input_tokens")
        if capabilities.kind == "llamacpp" and capabilities.apply_template:
            prompt = (await self._post(_join(self._root, "apply-template"), body)).get("prompt")
            return len(await self.tokenize(str(prompt)))
        if capabilities.kind == "vllm":
            return _integer(await self._post(_join(self._root, "tokenize"), body), "count")
        answer = await self._post(self._chat_url, {**body, "max_tokens": 1, "stream": False})
        usage = answer.get("usage")
        if isinstance(usage, dict) and isinstance(usage.get("prompt_tokens"), int):
            return int(usage["prompt_tokens"])
        raise NotServed("The upstream can't count tokens.")

    async def tokenize(self, text: str) -> list[int]:
        """Token ids of a raw prompt; special tokens in it count as such. Raises `NotServed` where the engine can't."""
        if not self.capabilities.tokenize:
            raise NotServed("The upstream can't count tokens.")
        body = {"content": text, "prompt": text, "add_special": True, "parse_special": True}
        tokens = (await self._post(_join(self._root, "tokenize"), body)).get("tokens")
        if not isinstance(tokens, list):
            raise _no_answer()
        return [token for token in tokens if isinstance(token, int)]

    async def detokenize(self, ids: list[int]) -> str:
        """The text of token ids. Raises `NotServed` where the engine can't tell."""
        if not self.capabilities.tokenize:
            raise NotServed("The upstream can't turn token ids into text.")
        answer = await self._post(_join(self._root, "detokenize"), {"tokens": ids})
        return str(answer.get("content", answer.get("prompt", "")))

    async def health(self) -> int:
        """The status of the engine's own health check, or of its model list where it has no such check."""
        status = await self._status_of(_join(self._root, "health"))
        return await self._status_of(_join(self._base, "models")) if status in _NO_SUCH_ROUTE else status

    async def _status_of(self, url: URL) -> int:
        try:
            async with self._session.get(url, headers=self._headers, allow_redirects=False) as response:
                return response.status
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(_why(error)) from None

    def _body(self, call: EngineCall) -> bytes:
        model = self.capabilities.model_id or call.model
        make = chat_body if call.prompt is None else completion_body
        body = make(call, self.capabilities, model=model, cache_prompt=self._cache_prompt)
        if not self._include_usage:
            body.pop("stream_options", None)
        return orjson.dumps(body)

    def _url(self, call: EngineCall) -> URL:
        if call.prompt is None:
            return self._chat_url
        return _join(self._root, "completion") if self.capabilities.completion_route else self._completions_url

    async def _open(self, call: EngineCall) -> aiohttp.ClientResponse:
        """The engine's answer with status 200 and an event stream."""
        try:
            return await self._open_once(call)
        except EngineRefused as refusal:
            if refusal.status not in {400, 422} or "stream_options" not in refusal.message or not self._include_usage:
                raise
            self._include_usage = False  # remembered: this upstream does not know the field
            return await self._open_once(call)

    async def _open_once(self, call: EngineCall) -> aiohttp.ClientResponse:
        response = await self._send(self._url(call), self._body(call))
        try:
            await _check_status(response)
            if response.content_type != "text/event-stream":
                raise EngineAnswerInvalid(
                    "The engine answered a streamed call without a stream.", reason="upstream_invalid_response"
                )
        except BaseException:
            response.close()
            raise
        return response

    async def _post(self, url: URL, body: dict[str, object]) -> dict[str, object]:
        """A call that is answered by one JSON object."""
        response = await self._send(url, orjson.dumps(body))
        try:
            await _check_status(response)
            data = await response.content.read(_MAX_JSON_BYTES)
            while not response.content.at_eof() and len(data) < _MAX_JSON_BYTES:
                data += await response.content.read(_MAX_JSON_BYTES - len(data))
            value = orjson.loads(data)
        except (orjson.JSONDecodeError, aiohttp.ClientError) as error:
            raise _no_answer() from error
        finally:
            response.close()
        if not isinstance(value, dict):
            raise _no_answer()
        return value

    async def _send(self, url: URL, body: bytes) -> aiohttp.ClientResponse:
        """Status and headers of the answer.

        A connection that fails before the first byte of an answer is tried once more on a new one: nothing was
        generated, and an engine that closes kept connections without a word is the usual cause.
        """
        try:
            return await self._send_once(url, body)
        except EngineUnreachable:
            return await self._send_once(url, body)

    async def _send_once(self, url: URL, body: bytes) -> aiohttp.ClientResponse:
        try:
            async with asyncio.timeout(self._settings.upstream_first_byte_timeout_seconds or None):
                return await self._session.post(url, data=body, headers=self._headers, allow_redirects=False)
        except aiohttp.ServerTimeoutError:
            raise unreachable("no connection in time") from None
        except TimeoutError:
            raise TimedOut("The engine did not answer in time.", reason="timeout") from None
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(_why(error)) from None

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        try:
            async with asyncio.timeout(self._settings.upstream_idle_timeout_seconds or None):
                return await response.content.readany()
        except TimeoutError:
            raise TimedOut("The engine fell silent in the middle of its answer.", reason="timeout") from None
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(_why(error)) from None

    def _check_size(self, received: int) -> None:
        limit = self._settings.upstream_max_response_bytes
        if limit and received > limit:
            raise EngineAnswerInvalid(
                f"The engine's answer is longer than {limit} bytes (LOCALAIK_UPSTREAM_MAX_RESPONSE_BYTES).",
                reason="upstream_invalid_response",
            )

    async def _release(self, response: aiohttp.ClientResponse) -> None:
        """Read the little that follows the last event, so that the connection can serve the next call."""
        if not self.capabilities.keep_alive:
            return
        rest = 0
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while rest <= _DRAIN_BYTES and (data := await response.content.readany()):
                    rest += len(data)
        except (TimeoutError, aiohttp.ClientError, OSError):
            return  # the answer is complete; only the connection is lost
        if rest <= _DRAIN_BYTES:
            response.release()


async def _check_status(response: aiohttp.ClientResponse) -> None:
    if response.status == 200:
        return
    try:
        body = await response.content.read(MAX_ERROR_BYTES)
    except aiohttp.ClientError:
        body = b""
    raise fault_of_answer(response.status, body, response.headers.get("Retry-After"))


def _join(url: URL, path: str) -> URL:
    """`url` with `path` behind its own path; its query stays."""
    return url.with_path(f"{url.path.rstrip('/')}/{path}", keep_query=True)


def _integer(answer: dict[str, object], name: str) -> int:
    value = answer.get(name)
    if not isinstance(value, int):
        raise _no_answer()
    return value


def _no_answer() -> EngineAnswerInvalid:
    return EngineAnswerInvalid("The engine's answer can't be read.", reason="upstream_invalid_response")


def _why(error: Exception) -> str:
    """What happened to the connection, without the address."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return "the connection was refused"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "it closed the connection"
    return "the connection broke"
