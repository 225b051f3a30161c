"""The one way from texts to vectors that every protocol takes: prefix, look up, cut, embed in batches, shorten."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final, Protocol

from localaik.embeddings.cache import Known, VectorCache, cache_key
from localaik.embeddings.prompts import prefix_family, prefixed
from localaik.embeddings.request import (
    Embedded,
    Embedding,
    EmbeddingInput,
    EmbeddingRequest,
    InputTooLong,
    TooManyDimensions,
)
from localaik.embeddings.vectors import shortened, unit, width
from localaik.engine.framing import Prompt
from localaik.engine.vectors import EmbeddingAnswer
from localaik.errors import BadRequest, NotServed, TimedOut, UnknownModel
from localaik.models.embedding import embedding_models
from localaik.settings import Settings

__all__ = ["BATCH_BYTES", "BATCH_INPUTS", "Embedder", "VectorEngine"]

BATCH_INPUTS: Final = 128
"""Most inputs of one call to the engine: few calls for many texts, and little left to do for callers who have left."""
BATCH_BYTES: Final = 131_072
"""Most text of one call to the engine; a longer text has a call of its own."""

_log = logging.getLogger(__name__)

_Content = str | tuple[int, ...]


class VectorEngine(Protocol):
    """What is needed of `engine.embedding.EmbeddingEngine`."""

    @property
    def is_remote(self) -> bool:
        """True where the engine is a server that somebody else runs."""
        ...

    async def prepare(self, texts: Sequence[str], *, counted: bool = False) -> list[Prompt]:
        """The prompts of texts, cut to what the engine takes; with their sizes, if it tells them and `counted`."""
        ...

    async def prepare_ids(self, lists: Sequence[Sequence[int]]) -> list[Prompt]:
        """The prompts of token ids of an unknown vocabulary."""
        ...

    async def embed(self, prompts: Sequence[Prompt], model: str) -> EmbeddingAnswer:
        """The vectors of prompts, in one call."""
        ...


class Embedder:
    """From an `EmbeddingRequest` to its vectors, on one engine."""

    def __init__(self, engine: VectorEngine | None, settings: Settings) -> None:
        """Without an engine every request is refused."""
        self.models = embedding_models(settings)
        """The names that are listed, and answered where names are strict."""
        self._engine = engine
        self._settings = settings
        self._cache = VectorCache(settings.embedding_cache_bytes)
        self._is_embedded = not settings.embedding_url and settings.embedding_model_path() is None
        self._width = 0
        self._has_warned = False

    @property
    def understands_token_ids(self) -> bool:
        """False where token ids of a caller's tokenizer can only be told apart, not read."""
        return self._engine is not None and self._engine.is_remote

    async def run(self, request: EmbeddingRequest) -> Embedded:
        """The vectors of all inputs, in order.

        Raises `UnknownModel` for a name that is not served, `TooManyDimensions`, `InputTooLong`, `TimedOut`, and what
        the engine raises.
        """
        engine = self._engine_for(request.model)
        if self._width:  # known from the first answer on: refused before anything is embedded
            self._check_dimensions(request.inputs)
        try:
            async with asyncio.timeout(self._settings.request_timeout_seconds or None):
                known = await self._known(request, engine)
        except TimeoutError:
            raise TimedOut("Embedding took longer than the time limit of a request.", reason="timeout") from None
        return Embedded(
            [
                Embedding(shortened(entry.vector, item.dimensions), entry.tokens, entry.total_tokens)
                for entry, item in zip(known, request.inputs, strict=True)
            ]
        )

    async def count_tokens(self, model: str, texts: Sequence[str]) -> int:
        """The size of `texts` as they stand, without prefixes. Raises as `run` does, and `NotServed` where the engine
        does not tell.
        """
        prompts = await self._engine_for(model).prepare(texts, counted=True)
        if not all(prompt.total for prompt in prompts):
            raise NotServed("The engine behind this server tells no tokens of texts to embed.")
        return sum(prompt.total for prompt in prompts)

    def _engine_for(self, model: str) -> VectorEngine:
        self.models.resolve(model)
        if self._engine is None:
            raise UnknownModel(model)
        return self._engine

    async def _known(self, request: EmbeddingRequest, engine: VectorEngine) -> list[Known]:
        """What is known of each input, after the engine was asked for what was not known."""
        contents = [self._content(item, request.model) for item in request.inputs]
        # An own engine has one model; which one a remote server takes may depend on the name.
        model = request.model if engine.is_remote else ""
        keys = [cache_key(model, content) for content in contents]
        known = {key: entry for key in keys if (entry := self._cache.get(key)) is not None}
        missing = {
            key: (content, item)
            for key, content, item in zip(keys, contents, request.inputs, strict=True)
            if key not in known
        }
        for batch in _batches([(key, content) for key, (content, _) in missing.items()]):
            prompts = await self._prompts(engine, [(content, missing[key][1]) for key, content in batch])
            answer = await engine.embed(prompts, request.model)
            for key, entry in zip((key for key, _ in batch), _entries(prompts, answer, batch), strict=True):
                known[key] = entry
                self._cache.put(key, entry)
            self._width = width(answer.vectors[0])
            self._check_dimensions(request.inputs)
        return [known[key] for key in keys]

    def _content(self, item: EmbeddingInput, model: str) -> _Content:
        """What is embedded for an input, its prefix included."""
        if not isinstance(item.content, str):
            return item.content
        name = self._settings.embedding_model
        served = model if self._settings.embedding_url and name == "tiny" else name
        prefixes = prefix_family(self._settings.embedding_prefixes, served, embedded=self._is_embedded)
        return prefixed(item.content, item.task, item.title, prefixes)

    async def _prompts(self, engine: VectorEngine, contents: Sequence[tuple[_Content, EmbeddingInput]]) -> list[Prompt]:
        """The prompts of a batch, in order. Raises `InputTooLong` where nothing is to be cut."""
        texts = [content for content, _ in contents if isinstance(content, str)]
        lists = [content for content, _ in contents if not isinstance(content, str)]
        of_texts = iter(await engine.prepare(texts) if texts else ())
        of_lists = iter(await self._prompts_of_ids(engine, lists, contents) if lists else ())
        prompts = [next(of_texts if isinstance(content, str) else of_lists) for content, _ in contents]
        if not self._settings.embedding_truncate:
            for prompt, (_, item) in zip(prompts, contents, strict=True):
                if prompt.total > prompt.tokens:
                    raise InputTooLong(prompt.total, prompt.tokens, item.field)
        return prompts

    async def _prompts_of_ids(
        self,
        engine: VectorEngine,
        lists: Sequence[tuple[int, ...]],
        contents: Sequence[tuple[_Content, EmbeddingInput]],
    ) -> list[Prompt]:
        if not engine.is_remote and not self._has_warned:
            self._has_warned = True
            _log.warning(
                "Token ids of another model's tokenizer were embedded: similar texts stay similar, but only roughly. "
                "Send texts instead (LangChain: check_embedding_ctx_length=False)."
            )
        try:
            return await engine.prepare_ids(lists)
        except NotServed as error:
            raise BadRequest(error.message, field=contents[0][1].field, reason="unsupported_value") from None

    def _check_dimensions(self, inputs: Sequence[EmbeddingInput]) -> None:
        for item in inputs:
            if item.dimensions is not None and item.dimensions > self._width:
                raise TooManyDimensions(item.dimensions, self._width, item.field)


def _batches(items: Sequence[tuple[bytes, _Content]]) -> Iterator[list[tuple[bytes, _Content]]]:
    """The items in order, `BATCH_INPUTS` and `BATCH_BYTES` at most in each batch."""
    batch: list[tuple[bytes, _Content]] = []
    size = 0
    for item in items:
        cost = _weight(item[1])
        if batch and (len(batch) == BATCH_INPUTS or size + cost > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += cost
    if batch:
        yield batch


def _weight(content: _Content) -> int:
    """Size in bytes, about 4 for a token id."""
    return len(content.encode("utf-8", "surrogatepass")) if isinstance(content, str) else 4 * len(content)


def _entries(
    prompts: Sequence[Prompt], answer: EmbeddingAnswer, batch: Sequence[tuple[bytes, _Content]]
) -> Iterator[Known]:
    """What an answer tells of each prompt. A size that only the whole batch has is shared out by length of text."""
    shares = _shares(answer.prompt_tokens, [_weight(content) for _, content in batch])
    for prompt, vector, share in zip(prompts, answer.vectors, shares, strict=True):
        yield Known(unit(vector), prompt.tokens or share, prompt.total or share)


def _shares(total: int, weights: Sequence[int]) -> list[int]:
    """Whole parts of `total`, in proportion to the weights, that add up to it."""
    whole = sum(weights) or 1
    marks = [0, *(total * part // whole for part in accumulate(weights))]
    return [end - start for start, end in pairwise(marks)]
