"""Forms of answers of the OpenAI API that several of its descriptions need."""

from typing import Final

from localaik.protocols.description import (
    BOOLEAN,
    INTEGER,
    OBJECT,
    TEXT,
    Parameter,
    Schema,
    Shape,
    array_of,
    object_of,
    one_of,
)

__all__ = ["CHAT", "CHUNK", "DELETED", "EMBEDDINGS", "FAULT", "MODEL", "NULLABLE", "PAGING", "USAGE", "list_of"]

NULLABLE: Final[Schema] = {"type": ["string", "null"]}
FAULT: Final[Schema] = object_of(
    {"error": object_of({"message": TEXT, "type": TEXT, "param": NULLABLE, "code": {"type": ["string", "null"]}})}
)
USAGE: Final[Schema] = object_of({"prompt_tokens": INTEGER, "total_tokens": INTEGER}, {"completion_tokens": INTEGER})
PAGING: Final = (
    Parameter("limit", "How many there are on a page.", INTEGER),
    Parameter("after", "Id of the last one of the page before."),
    Parameter("order", "By the time of their making.", one_of("asc", "desc")),
)
DELETED: Final[Schema] = object_of({"id": TEXT, "object": TEXT, "deleted": BOOLEAN})
_REASONS: Final = ("stop", "length", "tool_calls", "function_call", "content_filter")
_MESSAGE: Final[Schema] = object_of(
    {"role": one_of("assistant"), "content": NULLABLE},
    {
        "refusal": NULLABLE,
        "tool_calls": {"type": ["array", "null"], "items": OBJECT},
        "function_call": OBJECT,
        "reasoning_content": TEXT,
        "annotations": array_of(OBJECT),
    },
)
CHAT: Final = Shape(
    "ChatCompletion",
    object_of(
        {
            "id": TEXT,
            "object": one_of("chat.completion"),
            "created": INTEGER,
            "model": TEXT,
            "choices": array_of(object_of({"index": INTEGER, "message": _MESSAGE, "finish_reason": one_of(*_REASONS)})),
            "usage": USAGE,
        }
    ),
)
CHUNK: Final[Schema] = object_of(
    {"id": TEXT, "object": one_of("chat.completion.chunk"), "created": INTEGER, "model": TEXT},
    {"choices": array_of(object_of({"index": INTEGER, "delta": OBJECT, "finish_reason": one_of(*_REASONS, None)}))},
)
EMBEDDINGS: Final = Shape(
    "Embeddings",
    object_of(
        {
            "object": one_of("list"),
            "data": array_of(object_of({"object": one_of("embedding"), "index": INTEGER, "embedding": {}})),
            "model": TEXT,
            "usage": USAGE,
        }
    ),
)
MODEL: Final = Shape("Model", object_of({"id": TEXT, "object": one_of("model"), "created": INTEGER, "owned_by": TEXT}))


def list_of(items: Schema) -> Schema:
    """The form of a page of a list."""
    return object_of({"object": one_of("list"), "data": array_of(items), "has_more": BOOLEAN})
