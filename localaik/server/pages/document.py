"""The OpenAPI document of a server, made from its routing table and from what the protocols tell of it.

Source: OpenAPI Specification 3.1.1. Extensions: `x-localaik-served` is false for routes that only refuse, and
`x-localaik-event` is the schema of one event of a stream.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from localaik import __version__
from localaik.protocols.contract import Protocol, Route
from localaik.protocols.description import SSE, TEXT, Description, Names, Operation, Parameter, Schema, Shape
from localaik.server.pages.schemas import COMPONENTS, Schemas

__all__ = ["Told", "api_document", "path_of", "told_routes"]

_PART: Final = re.compile(r"\{(\w+)(?::rest)?\}")
_WORDS: Final = re.compile(r"[^a-zA-Z0-9]+")
_ABOUT: Final = (
    "The APIs of OpenAI and of Gemini in front of a local model. Every route is told of under its first name; some have"
    " more, such as `/openai/v1/` for `/v1/` and `/v1/models/{model}:generateContent` for its twin under `/v1beta/`."
)
_BEARER: Final = "bearer"
_HEADERS: Final = {"x-goog-api-key": "googleKey", "x-api-key": "plainKey"}
_QUERY: Final = "queryKey"
_UPLOAD: Final = "upload"
_ANSWER_HEADERS: Final[Schema] = {
    "x-request-id": {"$ref": "#/components/headers/RequestId"},
    "x-localaik-ignored": {"$ref": "#/components/headers/Ignored"},
}


@dataclass(frozen=True, slots=True)
class Told:
    """A route as the document tells of it."""

    protocol: Protocol
    description: Description
    route: Route
    operation: Operation


def told_routes(protocols: Iterable[Protocol], names: Names, is_on: Callable[[Route], bool]) -> list[Told]:
    """Every route that is on, once: under the first of its names."""
    found: list[Told] = []
    for protocol in protocols:
        description = Description(protocol.name.capitalize(), ("/",), {}, {}, {})
        if protocol.describe is not None:
            description = protocol.describe(names)
        for route in protocol.routes:
            if is_on(route) and description.tells_of(route.path):
                operation = description.operations.get((route.method, route.path))
                plain = Operation(summary=f"{route.method} {path_of(route)}", tag=description.title)
                found.append(Told(protocol, description, route, operation or plain))
    return found


def path_of(route: Route) -> str:
    """The path as OpenAPI writes it."""
    return _PART.sub(r"{\1}", route.path)


def api_document(told: Sequence[Told], *, has_keys: bool) -> dict[str, object]:
    """The whole document. `has_keys` says whether callers must show a key."""
    descriptions = {each.description.title: each.description for each in told}
    operations = [each.operation for each in told]
    schemas: dict[str, Schema] = {}
    paths: dict[str, dict[str, object]] = {}
    for title, description in descriptions.items():
        mine = [each for each in told if each.description is description]
        bodies = Schemas(title, (body for each in mine for body in each.operation.bodies))
        schemas |= bodies.definitions
        schemas[f"{title}Fault"] = description.fault
        schemas |= {title + shape.name: shape.schema for each in mine if (shape := _shape(each.operation))}
        for each in mine:
            paths.setdefault(path_of(each.route), {})[each.route.method.lower()] = _operation(each, bodies, has_keys)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "localaik",
            "version": __version__,
            "summary": "LLM APIs on localhost",
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                f"{title}{kind}": _fault(description, kind)
                for title, description in descriptions.items()
                for kind in ("Refused", "Failed")
            },
            "headers": {
                "RequestId": {"description": "Id of the request, as in the log.", "schema": TEXT},
                "Ignored": {"description": "Fields of the request without effect.", "schema": TEXT},
            },
            **({"securitySchemes": _schemes()} if has_keys else {}),
        },
    }


def _operation(told: Told, bodies: Schemas, has_keys: bool) -> dict[str, object]:
    operation, title = told.operation, told.description.title
    result: dict[str, object] = {
        "operationId": _WORDS.sub("_", f"{told.route.method.lower()}{path_of(told.route)}").rstrip("_"),
        "summary": operation.summary,
        "tags": [operation.tag],
    }
    if operation.about:
        result["description"] = operation.about
    if not operation.is_served:
        result["x-localaik-served"] = False
    parameters = [*_path_parameters(told), *map(_parameter, operation.parameters)]
    if parameters:
        result["parameters"] = parameters
    if operation.bodies:
        content = {
            body.content_type: {
                "schema": bodies.of(body),
                **({"example": body.example} if body.example is not None else {}),
            }
            for body in operation.bodies
        }
        is_required = all(body.is_required for body in operation.bodies)
        result["requestBody"] = {"required": is_required, "content": content}
    result["responses"] = {
        **({str(operation.status): _answer(operation, title)} if operation.is_served else {}),
        "4XX": _own_fault(operation) or {"$ref": f"#/components/responses/{title}Refused"},
        "5XX": _own_fault(operation) or {"$ref": f"#/components/responses/{title}Failed"},
    }
    if has_keys:
        result["security"] = [] if told.route.is_open else _security(told)
    return result


def _path_parameters(told: Told) -> list[dict[str, object]]:
    found = []
    for name in dict.fromkeys(_PART.findall(told.route.path)):
        known = told.description.parts.get(name) or Parameter(name, "The rest of the path.", example="any")
        example = told.operation.part_examples.get(name, known.example)
        schema = {"type": "string", "minLength": 1}
        found.append(_parameter(Parameter(name, known.about, schema, example=example, place="path", is_required=True)))
    return found


def _parameter(parameter: Parameter) -> dict[str, object]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.about,
        "schema": parameter.schema,
        **({"required": True} if parameter.is_required else {}),
        **({} if parameter.example is None else {"example": parameter.example}),
    }


def _shape(operation: Operation) -> Shape | None:
    return operation.answer if isinstance(operation.answer, Shape) else None


def _answer(operation: Operation, title: str) -> dict[str, object]:
    shape = _shape(operation)
    schema = operation.answer if shape is None else {"$ref": COMPONENTS + title + shape.name}
    content: dict[str, object] = {kind: {"schema": schema} for kind in operation.answer_types}
    if operation.stream is not None:
        content[SSE] = {"x-localaik-event": operation.stream}
    answer: dict[str, object] = {"description": "The answer.", "headers": _ANSWER_HEADERS}
    return {**answer, "content": content} if content else answer


def _fault(description: Description, kind: str) -> dict[str, object]:
    schema = {"$ref": f"{COMPONENTS}{description.title}Fault"}
    about = "What was asked for can't be answered." if kind == "Refused" else "The server or its engine is at fault."
    return {
        "description": about,
        "headers": _ANSWER_HEADERS,
        "content": {content_type: {"schema": schema} for content_type in description.fault_types},
    }


def _own_fault(operation: Operation) -> dict[str, object] | None:
    if not operation.faults:
        return None
    content = {kind: {"schema": schema} for kind, schema in operation.faults.items()}
    return {"description": "A refusal in the form of the answer.", "headers": _ANSWER_HEADERS, "content": content}


def _schemes() -> Mapping[str, object]:
    return {
        _BEARER: {"type": "http", "scheme": "bearer"},
        **{name: {"type": "apiKey", "in": "header", "name": header} for header, name in _HEADERS.items()},
        _QUERY: {"type": "apiKey", "in": "query", "name": "key"},
        _UPLOAD: {"type": "apiKey", "in": "query", "name": "upload_id"},
    }


def _security(told: Told) -> list[dict[str, list[str]]]:
    names = [_BEARER, *_HEADERS.values()]
    if told.protocol.key_in_query:
        names.append(_QUERY)
    if told.route.key_parameter:
        names.append(_UPLOAD)
    return [{name: []} for name in names]
