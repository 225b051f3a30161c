"""The HTTP client of one engine at one address: always streaming, closed at once when nobody listens any more."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import orjson
from yarl import URL

from localaik.engine.bodies import chat_body, completion_body, count_body
from localaik.engine.calls import EngineCall, EngineNews
from localaik.engine.capabilities import Capabilities
from localaik.engine.connection import Pool, Response
from localaik.engine.faults import MAX_ERROR_BYTES, fault_of_answer
from localaik.engine.upstream import join
from localaik.engine.vectors import EmbeddingAnswer, read_embeddings, read_token_lists
from localaik.engine.wire import StreamReader
from localaik.errors import (
    EngineAnswerInvalid,
    EngineRefused,
    LocalaikError,
    NotServed,
)
from localaik.settings import Settings

__all__ = ["AnswerStream", "EngineClient"]

_BORDER: Final = -1
_DRAIN_BYTES: Final = 65_536
_DRAIN_SECONDS: Final = 1.0
_NO_SUCH_ROUTE: Final = frozenset({404, 405, 501})
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
        hide: Callable[[str], str] = str,
        credential: str = "",
    ) -> None:
        """`base` is the URL that ends before `/chat/completions`, `root` the one before `/health` and `/tokenize`.

        `hide` takes the credential out of a text, should the engine repeat it in one of its errors. `credential` is
        the setting to name where the engine refuses it.
        """
        self._credential = credential
        self._hide = hide
        self.capabilities = capabilities
        self._settings = settings
        self._cache_prompt = cache_prompt
        self._include_usage = True
        self._targets = {
            "chat": join(base, "chat/completions").raw_path_qs,
            "completions": join(base, "completions").raw_path_qs,
            "count": join(base, "chat/completions/input_tokens").raw_path_qs,
            "models": join(base, "models").raw_path_qs,
            "embeddings": join(base, "embeddings").raw_path_qs,
            "completion": join(root, "completion").raw_path_qs,
            "infill": join(root, "infill").raw_path_qs,
            "template": join(root, "apply-template").raw_path_qs,
            "tokenize": join(root, "tokenize").raw_path_qs,
            "detokenize": join(root, "detokenize").raw_path_qs,
            "health": join(root, "health").raw_path_qs,
        }
        self._headers = {
            "User-Agent": "localaik",
            "Accept": "text/event-stream, application/json",
            "Content-Type": "application/json",
            **headers,
        }
        self._pool = Pool(
            base, connect_seconds=settings.upstream_connect_timeout_seconds, keep_alive=capabilities.keep_alive
        )

    def close(self) -> None:
        """Close all connections, those of running calls included."""
        self._pool.close()

    async def open(self, call: EngineCall) -> "AnswerStream":
        """Start one choice; returns when the engine has begun to answer.

        Raises the kinds of `LocalaikError` that the engine's refusal, its silence or its absence stand for.
        """
        try:
            return await self._open_once(call)
        except EngineRefused as refusal:
            if refusal.status not in {400, 422} or "stream_options" not in refusal.message or not self._include_usage:
                raise
            self._include_usage = False  # remembered: this upstream does not know the field
            return await self._open_once(call)

    async def count_tokens(self, call: EngineCall) -> int:
        """The prompt's size in tokens, by the first way that the engine offers. Raises `NotServed` if there is none."""
        capabilities = self.capabilities
        if isinstance(call.prompt, list):
            return len(call.prompt)
        if isinstance(call.prompt, str):
            return len(await self.tokenize(call.prompt))
        body = count_body(call, self._model(call))
        if capabilities.count_tokens:
            return _integer(await self._post("count", body), "input_tokens")
        if capabilities.kind == "llamacpp" and capabilities.apply_template:
            prompt = (await self._post("template", body)).get("prompt")
            return len(await self.tokenize(str(prompt)))
        if capabilities.kind == "vllm":
            return _integer(await self._post("tokenize", body), "count")
        answer = await self._post("chat", {**body, "max_tokens": 1, "stream": False})
        usage = answer.get("usage")
        if isinstance(usage, dict) and isinstance(usage.get("prompt_tokens"), int):
            return int(usage["prompt_tokens"])
        raise NotServed("The upstream can't count tokens.")

    async def tokenize(self, text: str) -> list[int]:
        """Token ids of a raw prompt; special tokens in it count as such. Raises `NotServed` where the engine can't."""
        if not self.capabilities.tokenize:
            raise NotServed("The upstream can't count tokens.")
        body = {"content": text, "prompt": text, "add_special": True, "parse_special": True}
        tokens = (await self._post("tokenize", body)).get("tokens")
        if not isinstance(tokens, list):
            raise _no_answer()
        return [token for token in tokens if isinstance(token, int)]

    async def detokenize(self, ids: list[int]) -> str:
        """The text of token ids. Raises `NotServed` where the engine can't tell."""
        if not self.capabilities.tokenize:
            raise NotServed("The upstream can't turn token ids into text.")
        answer = await self._post("detokenize", {"tokens": ids})
        return str(answer.get("content", answer.get("prompt", "")))

    async def count_texts(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has by itself: nothing is added, and nothing in it counts as a special token.

        Raises `NotServed` where the engine can't tell.
        """
        if not self.capabilities.tokenize:
            raise NotServed("The upstream can't count tokens.")
        if self.capabilities.kind != "llamacpp":
            bodies: list[dict[str, object]] = [{"prompt": text, "add_special_tokens": False} for text in texts]
            return [_integer(await self._post("tokenize", body), "count") for body in bodies]
        options = {"add_special": False, "parse_special": False}
        if len(texts) == 1:
            tokens = (await self._post("tokenize", {"content": texts[0], **options})).get("tokens")
            if not isinstance(tokens, list):
                raise _no_answer()
            return [len(tokens)]
        content = [piece for text in texts for piece in (text, _BORDER)]
        answer = await self._post("tokenize", {"content": content, **options})
        return [len(tokens) for tokens in read_token_lists(answer, _BORDER, len(texts))]

    async def tokenize_many(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without those that the model wants around a whole prompt. For llama.cpp only.

        One question for all: llama.cpp takes texts and token ids in one list (`tokenize_mixed`), and passes on an id
        that no vocabulary has.
        """
        content = [piece for text in texts for piece in (text, _BORDER)]
        answer = await self._post("tokenize", {"content": content, "add_special": False, "parse_special": True})
        return read_token_lists(answer, _BORDER, len(texts))

    async def embed(self, inputs: Sequence[str | list[int]], model: str) -> EmbeddingAnswer:
        """The vectors of texts and token ids, in one call. `model` is the name that the caller asked for."""
        # Floats as text are what every server can; llama.cpp's base64 is a third of the size.
        encoding = "base64" if self.capabilities.kind == "llamacpp" else "float"
        body: dict[str, object] = {"model": self._embedding_model(model), "input": inputs, "encoding_format": encoding}
        return read_embeddings(await self._post("embeddings", body), len(inputs))

    async def health(self) -> int:
        """The status of the engine's own health check, or of its model list where it has no such check."""
        status = await self._status_of("health")
        return await self._status_of("models") if status in _NO_SUCH_ROUTE else status

    async def _status_of(self, route: str) -> int:
        response = await self._send("GET", route, b"")
        try:
            await response.read_all(MAX_ERROR_BYTES, self._settings.health_timeout_seconds)
        finally:
            response.close()
        return response.status

    def _body(self, call: EngineCall) -> bytes:
        make = chat_body if call.prompt is None else completion_body
        body = make(call, self.capabilities, model=self._model(call), cache_prompt=self._cache_prompt)
        if not self._include_usage:
            body.pop("stream_options", None)
        return orjson.dumps(body)

    def _model(self, call: EngineCall) -> str:
        """The name to ask for: the configured one, else the requested one if the engine lists it, else its first."""
        capabilities = self.capabilities
        if not self._settings.upstream_model and call.model in capabilities.model_ids:
            return call.model
        return capabilities.model_id or call.model

    def _embedding_model(self, name: str) -> str:
        """As `_model`, but of the models that are listed one whose name speaks of embeddings comes first."""
        capabilities = self.capabilities
        if self._settings.upstream_model or name in capabilities.model_ids:
            return self._settings.upstream_model or name
        fitting = (model_id for model_id in capabilities.model_ids if "embed" in model_id.lower())
        return next(fitting, capabilities.model_id or name)

    def _route(self, call: EngineCall) -> str:
        if call.prompt is None:
            return "chat"
        if not self.capabilities.completion_route:
            return "completions"
        return "completion" if call.suffix is None else "infill"

    async def _open_once(self, call: EngineCall) -> "AnswerStream":
        response = await self._send("POST", self._route(call), self._body(call))
        try:
            await self._check_status(response)
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise EngineAnswerInvalid(
                    "The engine answered a streamed call without a stream.", reason="upstream_invalid_response"
                )
        except BaseException:
            response.close()
            raise
        return AnswerStream(response, self._settings, self._hide)

    async def _post(self, route: str, body: dict[str, object]) -> dict[str, object]:
        """A call that is answered by one JSON object."""
        response = await self._send("POST", route, orjson.dumps(body))
        try:
            await self._check_status(response)
            data = await response.read_all(_MAX_JSON_BYTES, self._settings.upstream_idle_timeout_seconds)
            value = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise _no_answer() from error
        finally:
            response.close()
        if not isinstance(value, dict):
            raise _no_answer()
        return value

    async def _send(self, method: str, route: str, body: bytes) -> Response:
        return await self._pool.request(
            method,
            self._targets[route],
            self._headers,
            body,
            first_byte_seconds=self._settings.upstream_first_byte_timeout_seconds,
        )

    async def _check_status(self, response: Response) -> None:
        if response.status == 200:
            return
        try:
            body = await response.read_all(MAX_ERROR_BYTES, self._settings.upstream_idle_timeout_seconds)
        except LocalaikError:
            body = b""
        hidden = self._hide(body.decode(errors="replace")).encode()
        raise fault_of_answer(response.status, hidden, response.headers.get("retry-after"), self._credential)


class AnswerStream:
    """A running answer: `read()` until it gives nothing, then `close()`; closing earlier stops the engine."""

    def __init__(self, response: Response, settings: Settings, hide: Callable[[str], str]) -> None:
        self._response = response
        self._hide = hide
        self._idle_seconds = settings.upstream_idle_timeout_seconds
        self._max_bytes = settings.upstream_max_response_bytes
        self._received = 0
        self._reader = StreamReader(settings.upstream_max_event_bytes)

    async def read(self) -> list[EngineNews]:
        """The news that the next read brings; empty at the clean end of the answer.

        Raises `EngineFault` kinds and `TimedOut` for an answer that breaks off, goes wrong or falls silent.
        """
        reader = self._reader
        while not reader.done:
            data = await self._response.read(self._idle_seconds)
            if not data:
                reader.finish()
                return []
            self._received += len(data)
            if self._max_bytes and self._received > self._max_bytes:
                raise EngineAnswerInvalid(
                    f"The engine's answer is longer than {self._max_bytes} bytes "
                    "(LOCALAIK_UPSTREAM_MAX_RESPONSE_BYTES).",
                    reason="upstream_invalid_response",
                )
            try:
                news = reader.feed(data)
            except EngineAnswerInvalid as fault:
                raise EngineAnswerInvalid(self._hide(fault.message), reason=fault.reason) from None
            if news:
                return news
        await _drain(self._response)
        return []

    def close(self) -> None:
        """Let go of the connection: kept after a complete answer, closed otherwise."""
        self._response.close()


async def _drain(response: Response) -> None:
    """Read the little that follows the last event, so that the connection can serve the next call."""
    try:
        await response.read_all(_DRAIN_BYTES, _DRAIN_SECONDS)
    except LocalaikError:
        return  # the answer is complete; only the connection is lost


def _integer(answer: dict[str, object], name: str) -> int:
    value = answer.get(name)
    if not isinstance(value, int):
        raise _no_answer()
    return value


def _no_answer() -> EngineAnswerInvalid:
    return EngineAnswerInvalid("The engine's answer can't be read.", reason="upstream_invalid_response")
