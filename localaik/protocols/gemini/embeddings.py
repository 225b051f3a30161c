"""embedContent and batchEmbedContents: read, decode, embed, encode."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import orjson
from aiohttp import web

from localaik.embeddings.prompts import Task
from localaik.embeddings.request import Embedded, EmbeddingInput, EmbeddingRequest, InputTooLong, TooManyDimensions
from localaik.embeddings.vectors import numbers
from localaik.errors import BadRequest, FieldFault
from localaik.http.body import read_json
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import Services
from localaik.protocols.gemini.models import find_embedding_model
from localaik.protocols.gemini.proto3 import Int32, Message, Repeated, enum_reader
from localaik.protocols.gemini.reading import Findings, read
from localaik.protocols.gemini.respond import JSON_TYPE
from localaik.protocols.gemini.types import Content, CountTokensRequest, Part

__all__ = [
    "BatchEmbedContentsRequest",
    "EmbedContentRequest",
    "batch_embed_contents",
    "count_embedding_tokens",
    "decode_batch",
    "decode_single",
    "embed_content",
    "embed_one",
]

MAX_REQUESTS: Final = 2048
MAX_REQUESTS_OF_THE_SERVICE: Final = 100

_TASKS: Final[Mapping[str, Task]] = {
    "TASK_TYPE_UNSPECIFIED": Task.DOCUMENT,
    "RETRIEVAL_QUERY": Task.QUERY,
    "RETRIEVAL_DOCUMENT": Task.DOCUMENT,
    "SEMANTIC_SIMILARITY": Task.SIMILARITY,
    "CLASSIFICATION": Task.CLASSIFICATION,
    "CLUSTERING": Task.CLUSTERING,
    "QUESTION_ANSWERING": Task.QUESTION,
    "FACT_VERIFICATION": Task.FACT_CHECK,
    "CODE_RETRIEVAL_QUERY": Task.CODE,
}
"""In the order of the enum `TaskType` of the REST reference."""

_MEDIA: Final = (
    *("inline_data", "file_data", "function_call", "function_response", "executable_code", "code_execution_result"),
    *("tool_call", "tool_response", "audio_transcription"),
)


class EmbedContentRequest(Message):
    """Body of embedContent, and one item of batchEmbedContents."""

    model: str | None = None
    content: Content | None = None
    task_type: Annotated[str, enum_reader(tuple(_TASKS))] | None = None
    title: str | None = None
    output_dimensionality: Int32 | None = None


class BatchEmbedContentsRequest(Message):
    """Body of batchEmbedContents."""

    requests: Repeated[EmbedContentRequest] | None = None


async def embed_content(call: Call, services: Services) -> web.StreamResponse:
    """POST models/{model}:embedContent."""
    settings = services.settings
    model = _model(call, services, "embedContent")
    body = await read_json(call, settings)
    request = read(EmbedContentRequest, body, strict=settings.strict_wire, ignored=call.ignored)
    embedded = await _embed(call, services, EmbeddingRequest(model, [decode_single(request, model)]))
    return _answer(call, embedded, {"embedding": _values(embedded)[0]})


async def embed_one(services: Services, model: str, body: object, ignored: list[str]) -> bytes:
    """The answer to one request of a background batch: `embedding`, and `tokenCount` beside it.

    The paths of fields without effect are added to `ignored`.
    """
    request = read(EmbedContentRequest, body, strict=services.settings.strict_wire, ignored=ignored)
    embedded = await _run(services, EmbeddingRequest(model, [decode_single(request, model)]))
    return orjson.dumps({"embedding": _values(embedded)[0], "tokenCount": str(embedded.tokens)})


async def batch_embed_contents(call: Call, services: Services) -> web.StreamResponse:
    """POST models/{model}:batchEmbedContents."""
    settings = services.settings
    model = _model(call, services, "batchEmbedContents")
    body = await read_json(call, settings)
    request = read(BatchEmbedContentsRequest, body, strict=settings.strict_wire, ignored=call.ignored)
    limit = MAX_REQUESTS_OF_THE_SERVICE if settings.strict_wire else MAX_REQUESTS
    embedded = await _embed(call, services, EmbeddingRequest(model, decode_batch(request, model, limit=limit)))
    return _answer(call, embedded, {"embeddings": _values(embedded)})


async def count_embedding_tokens(call: Call, services: Services) -> web.StreamResponse:
    """POST models/{model}:countTokens for a model that embeds: its own tokens, without any prefix."""
    settings = services.settings
    model = _model(call, services, "countTokens")
    body = await read_json(call, settings)
    request = read(CountTokensRequest, body, strict=settings.strict_wire, ignored=call.ignored)
    inner = request.generate_content_request
    findings = Findings("CountTokensRequest")
    contents = (request.contents if inner is None else inner.contents) or []
    if not contents:
        findings.refuse("contents", "is not specified")
    texts = [_text(content, findings, f"contents[{index}]") for index, content in enumerate(contents)]
    findings.raise_if_any()
    total = await services.embedder.count_tokens(model, texts)
    call.prompt_tokens = total
    details = [{"modality": "TEXT", "tokenCount": total}]
    return json_response({"totalTokens": total, "promptTokensDetails": details}, content_type=JSON_TYPE, gzip_for=call)


def decode_single(request: EmbedContentRequest, model: str) -> EmbeddingInput:
    """The input of an embedContent. Raises `BadRequest` with every fault."""
    findings = Findings("EmbedContentRequest")
    decoded = _decode(request, model, findings, "")
    findings.raise_if_any()
    return decoded


def decode_batch(request: BatchEmbedContentsRequest, model: str, *, limit: int) -> list[EmbeddingInput]:
    """The inputs of a batchEmbedContents, `limit` at most, in order. Raises `BadRequest` with every fault."""
    findings = Findings("BatchEmbedContentsRequest")
    items = request.requests or []
    if not items:
        findings.refuse("requests", "is not specified")
    if len(items) > limit:
        findings.refuse("requests", f"at most {limit} requests can be in one batch, got {len(items)}")
        items = []
    decoded = [_decode(item, model, findings, f"requests[{index}].") for index, item in enumerate(items)]
    findings.raise_if_any()
    return decoded


def _decode(request: EmbedContentRequest, model: str, findings: Findings, prefix: str) -> EmbeddingInput:
    named = (request.model or model).removeprefix("models/")
    if named != model:
        findings.refuse(f"{prefix}model", f"must be the model of the path, models/{model}, or absent")
    dimensions = request.output_dimensionality
    if dimensions is not None and dimensions < 1:
        findings.refuse(f"{prefix}outputDimensionality", f"must be at least 1, got {dimensions}")
    return EmbeddingInput(
        _text(request.content, findings, f"{prefix}content"),
        _TASKS[request.task_type or "TASK_TYPE_UNSPECIFIED"],
        request.title or "",
        dimensions,
        f"{prefix}content",
    )


def _text(content: Content | None, findings: Findings, path: str) -> str:
    """The text of all parts, each on lines of its own."""
    parts = (content.parts if content is not None else None) or []
    if not parts:
        findings.refuse(path, "is not specified" if content is None else "contains no parts")
    texts: list[str] = []
    for index, part in enumerate(parts):
        other = _other_data(part)
        if other is not None:
            findings.refuse(f"{path}.parts[{index}].{other}", "the embedding model takes text only")
        elif not part.text:
            findings.refuse(f"{path}.parts[{index}]", "content contains an empty Part")
        else:
            texts.append(part.text)
    return "\n".join(texts)


def _other_data(part: Part) -> str | None:
    """The wire's name of what the part holds instead of text."""
    for name in _MEDIA:
        if getattr(part, name) is not None:
            return type(part).model_fields[name].alias or name
    return None


def _model(call: Call, services: Services, method: str) -> str:
    """The name in the path, checked. Raises `NotFound`."""
    call.model = name = call.params["model"]
    first = call.request.path.lstrip("/").partition("/")[0]
    version = first if first.startswith("v1") else "v1beta"
    find_embedding_model(name, services.embedder.models, version=version, method=method)
    return name


async def _embed(call: Call, services: Services, request: EmbeddingRequest) -> Embedded:
    embedded = await _run(services, request)
    call.prompt_tokens = embedded.tokens
    return embedded


async def _run(services: Services, request: EmbeddingRequest) -> Embedded:
    try:
        return await services.embedder.run(request)
    except TooManyDimensions as error:
        path = (error.field or "").removesuffix("content") + "outputDimensionality"
        raise _refused(path, f"must be between 1 and {error.width}, got {error.dimensions}") from None
    except InputTooLong as error:
        raise _refused(
            error.field or "", f"the model takes {error.limit} tokens, the content has {error.tokens}"
        ) from None


def _refused(path: str, description: str) -> BadRequest:
    return BadRequest(f"* {path}: {description}", faults=(FieldFault(path, description),))


def _values(embedded: Embedded) -> Sequence[dict[str, object]]:
    return [{"values": numbers(embedding.vector)} for embedding in embedded.embeddings]


def _answer(call: Call, embedded: Embedded, body: dict[str, object]) -> web.Response:
    tokens = embedded.tokens
    usage: dict[str, object] = {"promptTokenCount": tokens, "totalTokenCount": tokens}
    if tokens:
        usage["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": tokens}]
    cut = {}
    if embedded.total_tokens > tokens:
        cut["X-Input-Truncated"] = f"{tokens}/{embedded.total_tokens}"
    return json_response({**body, "usageMetadata": usage}, headers=cut, content_type=JSON_TYPE, gzip_for=call)
