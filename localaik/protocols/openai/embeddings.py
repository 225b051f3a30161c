"""POST embeddings: read, decode, embed, encode."""

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from localaik.embeddings.prompts import Task, task_of_prompt_name
from localaik.embeddings.request import Embedded, EmbeddingInput, EmbeddingRequest, InputTooLong, TooManyDimensions
from localaik.embeddings.vectors import numbers
from localaik.errors import BadRequest
from localaik.http.body import read_json
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import Services
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.reading import Findings, read
from localaik.protocols.openai.token_ids import texts_of
from localaik.protocols.openai.types import TokenIds, Wire

__all__ = [
    "EmbeddingsRequest",
    "answer_embeddings",
    "create_embeddings",
    "decode_embeddings",
    "embeddings_alone",
    "encode_embeddings",
]

MAX_INPUTS: Final = 2048
_MAX_SHOWN_CHARS: Final = 100

Encoding = Literal["float", "base64"]


class EmbeddingsRequest(Wire):
    """POST embeddings. `prompt_name` and `title` are localaik's own."""

    model: str
    input: (
        str
        | Annotated[list[str], Field(min_length=1, max_length=MAX_INPUTS, fail_fast=True)]
        | Annotated[TokenIds, Field(min_length=1)]
        | Annotated[
            list[Annotated[TokenIds, Field(min_length=1)]], Field(min_length=1, max_length=MAX_INPUTS, fail_fast=True)
        ]
    )
    dimensions: Annotated[int, Field(ge=1)] | None = None
    encoding_format: Encoding | None = None
    user: str | None = None
    prompt_name: str | None = None
    title: str | None = None


async def create_embeddings(call: Call, services: Services) -> web.StreamResponse:
    """POST embeddings."""
    return await answer_embeddings(call, services, await read_json(call, services.settings))


async def answer_embeddings(call: Call, services: Services, body: object) -> web.StreamResponse:
    """The answer to the body of a request for embeddings."""
    wire = read(EmbeddingsRequest, body)
    call.model = wire.model
    embedded = await _embed(services, wire, Findings(services.settings.strict_wire, call.ignored))
    call.prompt_tokens = embedded.tokens
    cut = {}
    if embedded.total_tokens > embedded.tokens:
        cut["X-Input-Truncated"] = f"{embedded.tokens}/{embedded.total_tokens}"
    return json_response(encode_embeddings(embedded, wire.model, wire.encoding_format or "float"), headers=cut)


async def embeddings_alone(services: Services, body: object) -> Object:
    """The embeddings for a body, for callers that are no connection. Raises `LocalaikError`."""
    wire = read(EmbeddingsRequest, body)
    embedded = await _embed(services, wire, Findings(services.settings.strict_wire))
    return encode_embeddings(embedded, wire.model, wire.encoding_format or "float")


async def _embed(services: Services, wire: EmbeddingsRequest, findings: Findings) -> Embedded:
    request = decode_embeddings(wire, findings)
    if not services.embedder.understands_token_ids:
        request = await _with_texts(request)
        if findings.strict:
            _refuse_token_ids(request)
    try:
        return await services.embedder.run(request)
    except TooManyDimensions as error:
        message = (
            f"Invalid 'dimensions': integer above maximum value. Expected a value <= {error.width}, but got"
            f" {error.dimensions} instead."
        )
        raise BadRequest(message, field="dimensions", reason=error.reason) from None
    except InputTooLong as error:
        message = (
            f"This model's maximum context length is {error.limit} tokens, however you requested {error.tokens} tokens"
            f" ({error.tokens} in your prompt; 0 for the completion). Please reduce your prompt; or completion length."
        )
        raise BadRequest(message, field=error.field, reason=error.reason) from None


def decode_embeddings(wire: EmbeddingsRequest, findings: Findings) -> EmbeddingRequest:
    """The neutral request. Raises `BadRequest` for an unknown prompt, and for unknown fields where they are refused."""
    for name in wire.model_extra or ():
        findings.unknown(name)
    if wire.user is not None:
        findings.ignore("user")
    task = Task.DOCUMENT
    if wire.prompt_name is not None:
        named = task_of_prompt_name(wire.prompt_name)
        if named is None:
            raise BadRequest(
                f"Invalid value: '{wire.prompt_name[:_MAX_SHOWN_CHARS]}'. 'prompt_name' must be the name of a prompt of"
                " EmbeddingGemma, such as 'query' or 'document'.",
                field="prompt_name",
                reason="invalid_value",
            )
        task = named
    title = wire.title or ""
    return EmbeddingRequest(
        wire.model,
        [EmbeddingInput(content, task, title, wire.dimensions, field) for content, field in _contents(wire.input)],
    )


def encode_embeddings(embedded: Embedded, model: str, encoding: Encoding) -> dict[str, object]:
    """The body of the answer, under the model's name that was asked for."""
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": (
                base64.b64encode(embedding.vector).decode("ascii")
                if encoding == "base64"
                else numbers(embedding.vector)
            ),
        }
        for index, embedding in enumerate(embedded.embeddings)
    ]
    usage = {"prompt_tokens": embedded.tokens, "total_tokens": embedded.tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def _contents(value: str | list[str] | list[int] | list[list[int]]) -> list[tuple[str | tuple[int, ...], str]]:
    """Each input with its path."""
    if isinstance(value, str):
        return [(value, "input")]
    items: Sequence[str | int | list[int]] = value
    ids: list[int] = []
    contents: list[tuple[str | tuple[int, ...], str]] = []
    for index, item in enumerate(items):
        if isinstance(item, int):
            ids.append(item)
        else:
            contents.append((item if isinstance(item, str) else tuple(item), f"input[{index}]"))
    return contents or [(tuple(ids), "input")]


async def _with_texts(request: EmbeddingRequest) -> EmbeddingRequest:
    """The request with the texts that a caller's tokenizer made token ids of, where these can be read.

    Such a text gets the vector that it would get had it been sent as it was.
    """
    lists = [item.content for item in request.inputs if not isinstance(item.content, str)]
    texts = await texts_of(lists) if lists else None
    if texts is None:
        return request
    rest = iter(texts)
    inputs = [item if isinstance(item.content, str) else replace(item, content=next(rest)) for item in request.inputs]
    return replace(request, inputs=inputs)


def _refuse_token_ids(request: EmbeddingRequest) -> None:
    for item in request.inputs:
        if not isinstance(item.content, str):
            raise BadRequest(
                f"'{item.field}' holds token ids of another tokenizer than this model's. Send text instead (in"
                " LangChain: check_embedding_ctx_length=False).",
                field=item.field,
                reason="unsupported_value",
            )
