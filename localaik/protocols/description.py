"""What a protocol tells about its routes: the material of an OpenAPI document. Values only, nothing is decided here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import BaseModel

__all__ = [
    "BINARY",
    "BOOLEAN",
    "INTEGER",
    "JSON",
    "NUMBER",
    "OBJECT",
    "SSE",
    "TEXT",
    "Body",
    "Description",
    "Names",
    "Operation",
    "Parameter",
    "Schema",
    "Shape",
    "array_of",
    "object_of",
    "one_of",
    "refusals",
]

Schema = Mapping[str, object]
"""A JSON Schema, as OpenAPI 3.1 takes it."""

JSON: Final = "application/json"
SSE: Final = "text/event-stream"
TEXT: Final[Schema] = {"type": "string"}
INTEGER: Final[Schema] = {"type": "integer"}
NUMBER: Final[Schema] = {"type": "number"}
BOOLEAN: Final[Schema] = {"type": "boolean"}
OBJECT: Final[Schema] = {"type": "object"}
BINARY: Final[Schema] = {}
"""Bytes as they are: OpenAPI 3.1 has no schema for them ("Considerations for File Uploads")."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the examples of a server are made with."""

    model: str
    embedding_model: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the path, the query or the head of a request."""

    name: str
    about: str
    schema: Schema = field(default_factory=lambda: TEXT)
    example: object = None
    place: Literal["query", "path", "header"] = "query"
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """An answer whose form has a name."""

    name: str
    schema: Schema


@dataclass(frozen=True, slots=True)
class Body:
    """A body that a request may have.

    `kind` is the type that reads it, several of which any one may fit, or a schema. `fields` tell more about fields
    whose types say nothing. The `example` works as it stands.
    """

    kind: type[BaseModel] | tuple[type[BaseModel], ...] | Schema
    example: object = None
    content_type: str = JSON
    fields: Mapping[str, Schema] = field(default_factory=dict)
    is_required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a route takes and answers."""

    summary: str
    tag: str
    """The group that readers find it in."""
    about: str = ""
    bodies: tuple[Body, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    """Of the query and the head; those of the path are told by the path."""
    part_examples: Mapping[str, object] = field(default_factory=dict)
    """Examples for parts of the path, where the usual ones don't fit."""
    answer: Shape | Schema = field(default_factory=lambda: OBJECT)
    answer_types: tuple[str, ...] = (JSON,)
    stream: Schema | None = None
    """The data of one event, where the answer may be a stream of events."""
    faults: Mapping[str, Schema] = field(default_factory=dict)
    """Content types and bodies of refusals, where they are other than the protocol's usual ones."""
    status: int = 200
    is_served: bool = True
    """False for routes that do nothing but refuse with a reason."""


@dataclass(frozen=True, slots=True)
class Description:
    """What is told about one protocol.

    `prefixes` begin the paths that are told of; the others are further names of the same routes. `operations` are found
    by method and by the path as the route has it. `parts` are the parameters that paths hold.
    """

    title: str
    """What its types are called by, such as `OpenAI`."""
    prefixes: tuple[str, ...]
    operations: Mapping[tuple[str, str], Operation]
    parts: Mapping[str, Parameter]
    fault: Schema
    """The body of every refusal."""
    fault_types: tuple[str, ...] = (JSON,)

    def tells_of(self, path: str) -> bool:
        """Whether the template `path` is the first of its route's names."""
        return path.startswith(self.prefixes)


def object_of(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """The schema of an object with these fields, and others."""
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def array_of(items: Schema) -> Schema:
    """The schema of an array."""
    return {"type": "array", "items": items}


def one_of(*values: str | None) -> Schema:
    """The schema of a word, or null."""
    return {"enum": list(values)}


def refusals(
    routes: Sequence[tuple[str, str]], tag: str, about: str = "Always refused: this is not served here."
) -> dict[tuple[str, str], Operation]:
    """The operations of routes, given as method and path, that do nothing but refuse."""
    return {
        (method, path): Operation(summary="Not served", tag=tag, about=about, is_served=False)
        for method, path in routes
    }
