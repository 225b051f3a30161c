"""A JSON Schema document (draft 2020-12): all of it checked, its references resolved."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from localaik.generation.schema.faults import InvalidSchemaError, UnsupportedKeywordError
from localaik.generation.schema.keywords import (
    LISTS_OF_SCHEMAS,
    MAPS_OF_SCHEMAS,
    REFUSED,
    SINGLE_SCHEMAS,
    fault_of,
)

__all__ = ["Document", "Raw", "as_schema", "at"]

Raw = dict[str, object] | bool
"""A schema as JSON."""

# Keywords that apply schemas to the value itself: a cycle of these alone says nothing, and never ends.
_IN_PLACE: Final = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"})


def at(path: str, step: str | int) -> str:
    """A path one step longer: `properties.a`, `anyOf[0]`."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{step}" if path else step


class Document:
    """One schema with all schemas inside it.

    Raises `InvalidSchemaError` for a keyword whose value is wrong, a reference without a target and one that leads
    back to itself, and `UnsupportedKeywordError` for references to other documents and keywords of other drafts.
    """

    def __init__(self, root: object) -> None:
        self.root: Final = as_schema(root, "")
        self._paths: dict[int, str] = {}
        self._anchors: dict[str, dict[str, object]] = {}
        identifier = root.get("$id") if isinstance(root, dict) else None
        self._identifier = identifier.rstrip("#") if isinstance(identifier, str) else None
        referring = list(self._check(self.root, ""))
        targets: dict[int, Raw] = {}
        for schema in referring:  # grows where a reference leads to a place that is no known schema
            path = self.path(schema)
            target, target_path = self._resolve(str(schema["$ref"]), at(path, "$ref"))
            if isinstance(target, dict) and id(target) not in self._paths:
                referring += self._check(target, target_path)
            targets[id(schema)] = target
        self._targets = targets
        if targets:
            self._refuse_loops(referring)

    def path(self, schema: dict[str, object], default: str = "") -> str:
        """Where a schema of the document stands, or `default` for a schema that is not of it."""
        return self._paths.get(id(schema), default)

    def target(self, schema: dict[str, object]) -> Raw:
        """What the `$ref` of a schema of the document refers to."""
        return self._targets[id(schema)]

    def _check(self, root: Raw, root_path: str) -> Iterator[dict[str, object]]:
        """Checks a schema and all inside it; gives those with `$ref`."""
        todo = [(root, root_path)]
        while todo:
            schema, path = todo.pop()
            if isinstance(schema, bool) or id(schema) in self._paths:
                continue
            self._paths[id(schema)] = path
            for keyword, value in schema.items():
                fault = fault_of(keyword, value)
                if fault is not None:
                    raise InvalidSchemaError(at(path, keyword), f"`{keyword}` {fault}.")
                if keyword in REFUSED:
                    raise UnsupportedKeywordError(at(path, keyword), REFUSED[keyword])
                if keyword in {"$anchor", "$dynamicAnchor"}:
                    self._anchors[str(value)] = schema
                elif keyword == "$id" and path:
                    raise UnsupportedKeywordError(at(path, keyword), "a schema inside another has no address")
            todo += reversed(list(_inner(schema, path)))
            if "$ref" in schema:
                yield schema

    def _resolve(self, reference: str, path: str) -> tuple[Raw, str]:
        """The target of a reference and where it stands."""
        address, _, fragment = reference.partition("#")
        if address and address != self._identifier:
            raise UnsupportedKeywordError(path, f"`{reference}` is outside of the schema, and nothing is fetched")
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            if fragment not in self._anchors:
                raise InvalidSchemaError(path, f"`{reference}` refers to nothing.")
            return self._anchors[fragment], self.path(self._anchors[fragment])
        value: object = self.root
        steps = fragment.split("/")[1:]
        where = ""
        for step in (raw.replace("~1", "/").replace("~0", "~") for raw in steps):
            if isinstance(value, dict) and step in value:
                value, where = value[step], at(where, step)
            elif isinstance(value, list) and step.isascii() and step.isdecimal() and int(step) < len(value):
                value, where = value[int(step)], at(where, int(step))
            else:
                raise InvalidSchemaError(path, f"`{reference}` refers to nothing.")
        return as_schema(value, path), where

    def _refuse_loops(self, referring: list[dict[str, object]]) -> None:
        """Refuses references that lead back to where they stand without going deeper into the value."""
        done: set[int] = set()
        for start in referring:
            open_ids: set[int] = set()
            stack: list[tuple[dict[str, object], Iterator[Raw]]] = []
            following: Raw | None = start
            while True:
                if isinstance(following, dict) and id(following) not in done:
                    if id(following) in open_ids:
                        raise InvalidSchemaError(at(self.path(start), "$ref"), "The reference leads back to itself.")
                    open_ids.add(id(following))
                    stack.append((following, self._in_place(following)))
                if not stack:
                    break
                following = next(stack[-1][1], None)
                if following is None:
                    finished, _ = stack.pop()
                    open_ids.discard(id(finished))
                    done.add(id(finished))

    def _in_place(self, schema: dict[str, object]) -> Iterator[Raw]:
        """The schemas that a schema applies to the same value."""
        if "$ref" in schema:
            yield self.target(schema)
        for inner, _ in _inner(schema, "", _IN_PLACE):
            yield inner


def as_schema(value: object, path: str) -> Raw:
    """The value, which must be a schema."""
    if isinstance(value, dict | bool):
        return value
    raise InvalidSchemaError(path, "A schema must be an object or a boolean.")


def _inner(schema: dict[str, object], path: str, keywords: frozenset[str] | None = None) -> Iterator[tuple[Raw, str]]:
    """The schemas that a schema holds."""
    for keyword, value in schema.items():
        if keywords is not None and keyword not in keywords:
            continue
        where = at(path, keyword)
        if keyword in SINGLE_SCHEMAS:
            yield as_schema(value, where), where
        elif keyword in LISTS_OF_SCHEMAS and isinstance(value, list):
            for index, item in enumerate(value):
                yield as_schema(item, at(where, index)), at(where, index)
        elif keyword in MAPS_OF_SCHEMAS and isinstance(value, dict):
            for name, item in value.items():
                yield as_schema(item, at(where, name)), at(where, name)
