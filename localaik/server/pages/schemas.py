"""JSON Schemas of the types that read requests, under names that are unique in a whole document."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from localaik.protocols.description import Body, Schema

__all__ = ["COMPONENTS", "Schemas"]

COMPONENTS: Final = "#/components/schemas/"
_BARE: Final = "{model}"


class Schemas:
    """The schemas of the bodies of one protocol."""

    def __init__(self, title: str, bodies: Iterable[Body]) -> None:
        """`title` begins every name. Slow: some hundred milliseconds for a large protocol."""
        bodies = list(bodies)
        kinds = list(dict.fromkeys(kind for body in bodies for kind in _kinds(body)))
        found, whole = models_json_schema(
            [(kind, "validation") for kind in kinds], schema_generator=_Untitled, ref_template=_BARE
        )
        definitions = cast("dict[str, dict[str, object]]", whole.get("$defs", {}))
        names = {name: title + _short(name, title) for name in definitions}
        self._refs = {kind: COMPONENTS + names[str(found[kind, "validation"]["$ref"])] for kind in kinds}
        self.definitions: dict[str, Schema] = {
            names[name]: cast("Schema", _renamed(schema, names)) for name, schema in definitions.items()
        }
        """Name -> schema."""
        for body in bodies:
            for kind in _kinds(body) if body.fields else ():
                name = self._refs[kind].removeprefix(COMPONENTS)
                known = cast("Schema", self.definitions[name]["properties"])
                self.definitions[name] = {**self.definitions[name], "properties": {**known, **body.fields}}

    def of(self, body: Body) -> Schema:
        """The schema of a body."""
        if isinstance(body.kind, Mapping):
            return body.kind
        refs = [{"$ref": self._refs[kind]} for kind in _kinds(body)]
        return refs[0] if len(refs) == 1 else {"anyOf": refs}


class _Untitled(GenerateJsonSchema):
    """Schemas without titles that only repeat the names of fields."""

    def field_title_should_be_set(self, schema: object) -> bool:
        """Never."""
        return False


def _kinds(body: Body) -> tuple[type[BaseModel], ...]:
    if isinstance(body.kind, Mapping):
        return ()
    return body.kind if isinstance(body.kind, tuple) else (body.kind,)


def _short(name: str, title: str) -> str:
    """The name of a type; where two modules have one of that name, with the name of its module's folder before it."""
    *modules, last = name.split("__")
    folder = modules[-2].capitalize() if len(modules) > 1 else ""
    return (folder if folder.lower() != title.lower() else "") + re.sub(r"\W", "", last)


def _renamed(value: object, names: Mapping[str, str]) -> object:
    """A schema whose references name the components of the document."""
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    copy = {key: _renamed(each, names) for key, each in value.items()}
    if isinstance(value.get("$ref"), str):
        copy["$ref"] = COMPONENTS + names[value["$ref"]]
    discriminator = value.get("discriminator")
    if isinstance(discriminator, dict) and isinstance(discriminator.get("mapping"), dict):
        mapping = {word: COMPONENTS + names[ref] for word, ref in discriminator["mapping"].items()}
        copy["discriminator"] = {**discriminator, "mapping": mapping}
    return copy
