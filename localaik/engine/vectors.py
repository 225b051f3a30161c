"""Reads what an engine answers about embeddings: vectors as base64 or numbers, token ids of many texts. Pure."""

import base64
import binascii
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from localaik.errors import EngineAnswerInvalid

__all__ = ["FLOAT_BYTES", "EmbeddingAnswer", "read_embeddings", "read_token_lists"]

FLOAT_BYTES: Final = 4
_MAX_FLOAT32: Final = 3.4028234663852886e38


@dataclass(frozen=True, slots=True)
class EmbeddingAnswer:
    """The vectors of one call, in the order of its inputs."""

    vectors: tuple[bytes, ...]
    """Little-endian 32-bit floats (IEEE 754), the same number in each."""
    prompt_tokens: int
    """Of all inputs together; 0 where the engine does not tell."""


def read_embeddings(answer: Mapping[str, object], count: int) -> EmbeddingAnswer:
    """The vectors of `count` inputs, from the body of `POST /v1/embeddings` (OpenAI API reference, "Embeddings").

    Raises `EngineAnswerInvalid` where there are fewer or more, or they are not all of one length.
    """
    data = answer.get("data")
    items = data if isinstance(data, list) else []
    vectors: dict[int, bytes] = {}
    for position, item in enumerate(items):
        if not isinstance(item, dict):
            raise _invalid("an entry is no object")
        index = item.get("index", position)
        vectors[index if isinstance(index, int) else position] = _vector(item.get("embedding"))
    if sorted(vectors) != list(range(count)):
        raise _invalid(f"{len(vectors)} vectors for {count} inputs")
    if len({len(vector) for vector in vectors.values()}) != 1:
        raise _invalid("vectors of different lengths")
    usage = answer.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return EmbeddingAnswer(
        tuple(vectors[index] for index in range(count)), tokens if isinstance(tokens, int) and tokens > 0 else 0
    )


def read_token_lists(answer: Mapping[str, object], border: int, count: int) -> list[list[int]]:
    """The lists of ids that `border` ends, from the body of `POST /tokenize`. Raises `EngineAnswerInvalid`."""
    tokens = answer.get("tokens")
    lists: list[list[int]] = [[]]
    for token in tokens if isinstance(tokens, list) else []:
        if not isinstance(token, int):
            raise _invalid("a token is no number")
        if token == border:
            lists.append([])
        else:
            lists[-1].append(token)
    *complete, rest = lists
    if len(complete) != count or rest:
        raise _invalid(f"token ids of {len(complete)} texts instead of {count}")
    return complete


def _vector(value: object) -> bytes:
    if isinstance(value, str):
        try:
            vector = base64.b64decode(value, validate=True)
        except binascii.Error:
            raise _invalid("a vector is no base64") from None
        if not vector or len(vector) % FLOAT_BYTES:
            raise _invalid("a vector is no list of 32-bit floats")
        return vector
    if not isinstance(value, list) or not value or not all(_is_float32(number) for number in value):
        raise _invalid("a vector is no list of numbers")
    return struct.pack(f"<{len(value)}f", *value)


def _is_float32(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _MAX_FLOAT32


def _invalid(what: str) -> EngineAnswerInvalid:
    return EngineAnswerInvalid(f"The engine's embeddings can't be read: {what}.", reason="upstream_invalid_response")
