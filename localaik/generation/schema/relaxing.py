"""Schemas made wider where a grammar can't follow them: what is valid under a schema stays valid under the relaxed one.

To leave a keyword out widens the schema that has it. Where that schema is used by `not`, `if`, `oneOf` or their kind,
also by a `$ref`, the whole could become narrower; there, the keyword that uses it is relaxed instead.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from localaik.generation.schema.document import Document
from localaik.generation.schema.faults import InvalidSchemaError, UnsupportedKeywordError
from localaik.generation.schema.keywords import LISTS_OF_SCHEMAS, MAPS_OF_SCHEMAS, SINGLE_SCHEMAS

__all__ = ["JsonSchema", "relaxed"]

JsonSchema = Mapping[str, object] | bool
"""A schema as JSON."""

_Object = dict[str, object]

_CONDITION: Final = ("if", "then", "else")
_COUNTED: Final = ("contains", "minContains", "maxContains")
# Keywords that are left out together: alone, the others would say something else.
_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(_CONDITION, _CONDITION),
    **dict.fromkeys(_COUNTED, _COUNTED),
    "properties": ("properties", "additionalProperties"),
    "patternProperties": ("patternProperties", "additionalProperties"),
    "prefixItems": ("prefixItems", "items"),
}
_UNEVALUATED: Final = ("unevaluatedProperties", "unevaluatedItems")
# Keywords that a schema inside is not relaxed for: a wider schema there may make the whole narrower.
_FIXED: Final = frozenset({"not", *_CONDITION, "oneOf", "contains", "dependentSchemas", "propertyNames", *_UNEVALUATED})
_IN_PLACE: Final = frozenset({"allOf", "anyOf", "oneOf", "not", *_CONDITION, "dependentSchemas"})
# What `unevaluated*` takes for evaluated depends on these.
_EVALUATORS: Final = _IN_PLACE | {
    "$dynamicRef",
    "properties",
    "patternProperties",
    "additionalProperties",
    "prefixItems",
    "items",
    "contains",
    *_UNEVALUATED,
}
_DATA: Final = frozenset({"enum", "const", "default", "examples"})
_HOLDERS: Final = frozenset({"$defs", "definitions"})
_NAMES: Final = frozenset({"$ref", "$schema", "$id", "$anchor", "$dynamicAnchor", "$vocabulary"})
_ANNOTATIONS: Final = frozenset({"title", "description", "$comment", *_DATA - {"enum", "const"}})
_KEPT: Final = frozenset({"type", *_HOLDERS, *_NAMES - {"$ref"}, *_ANNOTATIONS})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a fault is: a keyword of a schema, or with None a schema, which its holder has under `key`."""

    schema: _Object
    keyword: str | None
    holder: _Object | list[object] | None = None
    key: str | int = ""


@dataclass(frozen=True, slots=True)
class _Use:
    """A schema uses another one by a keyword."""

    user: _Object
    keyword: str


def relaxed(schema: JsonSchema, path: str) -> JsonSchema | None:
    """A copy of the schema without the keyword at `path`, which is the path of an `UnsupportedKeywordError`.

    A path to a schema leaves out what it asks for beside `type`, and then the type. `oneOf` becomes `anyOf` first.
    None where the path leads nowhere, to the root, to a name (`$ref`, `$id`), or to what other references need.
    """
    root = _copy(schema)
    if not isinstance(root, dict):
        return None
    place = _place_of(root, path)
    if place is None or place.keyword in _NAMES or place.keyword in _HOLDERS:
        return None
    uses = _uses(root)
    fixed = [use for use in _reaching(uses, place.schema) if use.keyword in _FIXED]
    before = _copy(root)
    if fixed:
        for use in fixed:
            _leave_out(use.user, [use.keyword], uses)
    elif place.keyword is not None:
        _leave_out(place.schema, [place.keyword], uses)
    elif not _strip(place, uses):
        return None
    return root if root != before and _is_whole(root) else None


def _copy(value: object) -> object:
    """A copy in which no two places share an object."""
    if isinstance(value, Mapping):
        return {str(name): _copy(item) for name, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list | tuple) else value


def _place_of(root: _Object, path: str) -> _Place | None:
    """The deepest place that `path` leads to or through: a fault may stand in a schema that was derived from another.

    Names may hold dots and brackets, so all ways to read the path are followed.
    """
    best: _Place | None = None
    longest = 0
    todo: list[tuple[_Place, str]] = [(_Place(root, None), path)]
    while todo:
        place, rest = todo.pop()
        consumed = len(path) - len(rest)
        if consumed > longest:
            best, longest = place, consumed
        if place.keyword is None:
            steps = rest.removeprefix(".") if consumed else rest
            next_keywords = [keyword for keyword in place.schema if _begins(steps, keyword)]
            todo += [(_Place(place.schema, keyword), steps[len(keyword) :]) for keyword in next_keywords]
            negated = place.schema.get("not")
            if not next_keywords and isinstance(negated, dict) and "pattern" in negated and steps == "pattern":
                todo.append((_Place(place.schema, "not"), ""))  # strings without a pattern are compiled as such
        elif place.keyword not in _DATA:
            todo += _inside(place, rest)
    return best


def _inside(place: _Place, rest: str) -> Iterator[tuple[_Place, str]]:
    """The schemas behind a keyword that the rest of a path may lead to."""
    keyword = place.keyword or ""
    todo: list[tuple[_Object | list[object], str | int, str, int]] = [(place.schema, keyword, rest, 0)]
    while todo:
        holder, key, left, depth = todo.pop()
        value = holder[key] if isinstance(holder, dict) and isinstance(key, str) else None
        if isinstance(holder, list) and isinstance(key, int):
            value = holder[key]
        if _is_schema_at(keyword, depth) and isinstance(value, dict | bool):
            yield _Place(value if isinstance(value, dict) else {}, None, holder, key), left
            if isinstance(value, bool) or depth == _depth_of(keyword):
                continue
        if isinstance(value, dict):
            steps = left.removeprefix(".")
            if steps != left:
                todo += [(value, name, steps[len(name) :], depth + 1) for name in value if _begins(steps, name)]
        elif isinstance(value, list):
            for index in range(len(value)):
                step = f"[{index}]"
                if left.startswith(step):
                    todo.append((value, index, left[len(step) :], depth + 1))


def _depth_of(keyword: str) -> int | None:
    """How far behind a keyword its schemas stand; None for a keyword that JSON Schema does not know."""
    if keyword in SINGLE_SCHEMAS:
        return 0
    return 1 if keyword in LISTS_OF_SCHEMAS or keyword in MAPS_OF_SCHEMAS else None


def _is_schema_at(keyword: str, depth: int) -> bool:
    known = _depth_of(keyword)
    return depth == known or (known is None and depth > 0)


def _begins(steps: str, name: str) -> bool:
    """The path's next step may be `name`."""
    return steps.startswith(name) and steps[len(name) : len(name) + 1] in {"", ".", "["}


def _uses(root: _Object) -> dict[int, list[_Use]]:
    """By the id of each schema, the schemas that use it. Those that a reference leads to are looked into, too."""
    uses: dict[int, list[_Use]] = defaultdict(list)
    anchors: dict[str, _Object] = {}
    referring: list[_Object] = []
    seen: set[int] = set()

    def look(start: _Object) -> None:
        todo = [start]
        while todo:
            schema = todo.pop()
            if id(schema) in seen:
                continue
            seen.add(id(schema))
            names = (schema.get("$anchor"), schema.get("$dynamicAnchor"))
            anchors.update({name: schema for name in names if isinstance(name, str)})
            for keyword, inner in _inner(schema):
                if keyword not in _HOLDERS:
                    uses[id(inner)].append(_Use(schema, keyword))
                todo.append(inner)
            if isinstance(schema.get("$ref"), str):
                referring.append(schema)

    look(root)
    for schema in referring:  # grows where a reference leads to a place that is no known schema
        target = _target(root, str(schema["$ref"]), anchors)
        if target is not None:
            uses[id(target)].append(_Use(schema, "$ref"))
            look(target)
    return uses


def _inner(schema: _Object) -> Iterator[tuple[str, _Object]]:
    """The schemas that a schema holds, each with its keyword."""
    for keyword, value in schema.items():
        found: Iterable[object] = ()
        if keyword in SINGLE_SCHEMAS:
            found = (value,)
        elif keyword in LISTS_OF_SCHEMAS and isinstance(value, list):
            found = value
        elif keyword in MAPS_OF_SCHEMAS and isinstance(value, dict):
            found = value.values()
        yield from ((keyword, inner) for inner in found if isinstance(inner, dict))


def _target(root: _Object, reference: str, anchors: Mapping[str, _Object]) -> _Object | None:
    fragment = unquote(reference.partition("#")[2])
    if fragment and not fragment.startswith("/"):
        return anchors.get(fragment)
    value: object = root
    for step in (raw.replace("~1", "/").replace("~0", "~") for raw in fragment.split("/")[1:]):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value if isinstance(value, dict) else None


def _reaching(uses: Mapping[int, list[_Use]], schema: _Object, keywords: frozenset[str] | None = None) -> list[_Use]:
    """All uses by which a schema is reached, from near and far; with `keywords`, over these alone."""
    found: list[_Use] = []
    seen: set[int] = set()
    todo = [schema]
    while todo:
        used = todo.pop()
        if id(used) not in seen:
            seen.add(id(used))
            near = [use for use in uses.get(id(used), ()) if keywords is None or use.keyword in keywords]
            found += near
            todo += [use.user for use in near]
    return found


def _leave_out(schema: _Object, keywords: Iterable[str], uses: Mapping[int, list[_Use]]) -> None:
    """Take keywords out of a schema, and what depends on them; `oneOf` becomes `anyOf`."""
    gone = {part for keyword in keywords for part in _GROUPS.get(keyword, (keyword,))}
    if not gone.isdisjoint(_EVALUATORS):
        around = [use.user for use in _reaching(uses, schema, _IN_PLACE | {"$ref"})]
        for user in (schema, *around):
            for keyword in _UNEVALUATED:
                user.pop(keyword, None)
    kept = list(schema.items())
    schema.clear()
    for keyword, value in kept:
        if keyword not in gone:
            schema[keyword] = value
        elif keyword == "oneOf" and "anyOf" not in dict(kept):
            schema["anyOf"] = value


def _strip(place: _Place, uses: Mapping[int, list[_Use]]) -> bool:
    """Leave out what a schema asks for beside its type, or all of it; False where nothing is left to leave out."""
    asked = [keyword for keyword in place.schema if keyword not in _KEPT]
    if asked:
        _leave_out(place.schema, asked, uses)
        return True
    if "type" in place.schema:
        del place.schema["type"]
        return True
    return False


def _is_whole(root: _Object) -> bool:
    """All references still lead somewhere."""
    try:
        Document(root)
    except InvalidSchemaError:
        return False
    except UnsupportedKeywordError:
        return True
    return True
