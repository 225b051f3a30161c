"""From the schemas of a document to what they demand."""

from collections.abc import Iterator
from functools import partial
from itertools import combinations
from typing import Final

from localaik.generation.schema.demands import Demands, Leaf, Node, Option, Options, Union
from localaik.generation.schema.document import Document, Raw, at
from localaik.generation.schema.faults import UnsupportedKeywordError
from localaik.generation.schema.keywords import ALL_TYPES, CONSTRAINTS
from localaik.generation.schema.negation import conditional, is_plain_negation, negated_options
from localaik.generation.schema.proofs import cannot_hold

__all__ = ["Schemas"]

_IN_PLACE: Final = frozenset({"$ref", "allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas"})

_MAX_EFFORT: Final = 20_000


class Schemas:
    """The nodes of a document and those that are derived from it; each schema has one node."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._effort = 0
        self._nodes: dict[int, Node] = {}
        self._negated: dict[int, Node] = {}
        self._everything = Node(True, "", self._read)
        self._nothing = Node(False, "", self._read)

    def node(self, raw: Raw, path: str) -> Node:
        """The node of a schema; `path` tells where a schema stands that is not of the document."""
        if isinstance(raw, bool):
            return self._everything if raw else self._nothing
        known = self._nodes.get(id(raw))
        if known is None:
            known = self._nodes[id(raw)] = Node(raw, self._document.path(raw, path), self._read)
        return known

    def negated(self, raw: Raw, path: str) -> Node:
        """The node of all values that are not valid under a schema."""
        if isinstance(raw, bool):
            return self.node(not raw, path)
        known = self._negated.get(id(raw))
        if known is None:
            inner = raw["not"] if raw.keys() == {"not"} else None
            turned: Raw = inner if isinstance(inner, dict | bool) else {"not": raw}
            known = self._negated[id(raw)] = self.node(turned, path)
        return known

    def spend(self, effort: int, path: str) -> None:
        """Counts the effort; raises `UnsupportedKeywordError` at `path` when it is too much."""
        self._effort += effort
        if self._effort > _MAX_EFFORT:
            raise UnsupportedKeywordError(path, "the schema has too many combinations")

    def target(self, raw: dict[str, object]) -> Raw:
        """What the `$ref` of a schema of the document refers to."""
        return self._document.target(raw)

    def _read(self, node: Node) -> Demands:
        raw, path = node.raw, node.path
        if isinstance(raw, bool):
            return Demands(is_impossible=not raw)
        demands = Demands()
        keywords = _constraints(raw, path)
        leaf = Leaf(keywords, path, self)
        for keyword, value in raw.items():
            if keyword == "$ref":
                demands.add(self.node(self.target(raw), path).demands)
            elif keyword == "allOf" or (keyword in {"anyOf", "oneOf"} and isinstance(value, list) and len(value) == 1):
                for member in self._members(value, at(path, keyword)):
                    demands.add(member.demands)
            elif keyword in keywords and (keyword == "properties" or "properties" not in keywords):
                # Properties are generated in the order of the text: those of allOf come before or behind our own.
                demands.leaves[leaf] = None
        demands.unions.update(dict.fromkeys(self._unions(raw, path, tuple(demands.leaves))))
        return demands

    def _members(self, value: object, path: str) -> list[Node]:
        members = value if isinstance(value, list) else []
        return [self.node(member, at(path, index)) for index, member in enumerate(members)]

    def _unions(self, raw: dict[str, object], path: str, leaves: tuple[Leaf, ...]) -> Iterator[Union]:
        """The unions that a schema asks for beside its leaves."""
        for keyword, value in raw.items():
            where = at(path, keyword)
            if keyword in {"anyOf", "oneOf"} and isinstance(value, list) and len(value) > 1:
                members = self._members(value, where)
                if keyword == "anyOf":
                    yield _union(where, [Option((member,)) for member in members])
                else:
                    yield Union(where, partial(self._exclusive, members, where, leaves))
            elif keyword == "if" and ("then" in raw or "else" in raw):
                yield _union(where, self._conditional(raw, path))
            elif keyword == "not" and isinstance(value, dict | bool) and not is_plain_negation(raw):
                yield Union(where, partial(negated_options, value, where, self), self.node(value, where))
            elif keyword in {"dependentRequired", "dependentSchemas"} and isinstance(value, dict):
                for name, consequence in value.items():
                    yield _union(where, self._dependent(name, consequence, where))

    def _conditional(self, raw: dict[str, object], path: str) -> list[Option]:
        condition, then, otherwise = conditional(raw, path)
        return [
            Option((self.node(condition, at(path, "if")), self.node(then, at(path, "then")))),
            Option((self.negated(condition, at(path, "if")), self.node(otherwise, at(path, "else")))),
        ]

    def _dependent(self, name: str, consequence: object, path: str) -> list[Option]:
        """The property is not there, or what depends on it holds."""
        absent = self.node({"type": "object", "properties": {name: False}}, path)
        others = consequence if isinstance(consequence, list) else []
        present = self.node({"type": "object", "required": [name, *others]}, path)
        rest = (self.node(consequence, at(path, name)),) if isinstance(consequence, dict | bool) else ()
        no_object = self.node({"type": [name for name in ALL_TYPES if name != "object"]}, path)
        return [Option((absent,)), Option((present, *rest)), Option((no_object,))]

    def _exclusive(self, members: list[Node], path: str, leaves: tuple[Leaf, ...]) -> Options:
        """Each member, without the values of the others that are not surely different."""
        overlapping: dict[int, list[Node]] = {index: [] for index in range(len(members))}
        for (i, left), (j, right) in combinations(enumerate(members), 2):
            together = Demands(dict.fromkeys(leaves))
            together.add(left.demands)
            together.add(right.demands)
            if not cannot_hold(together):
                overlapping[i].append(self.negated(right.raw, path))
                overlapping[j].append(self.negated(left.raw, path))
        return Options(tuple(Option((member, *overlapping[index])) for index, member in enumerate(members)))


def _union(path: str, options: list[Option]) -> Union:
    return Union(path, lambda: Options(tuple(options)))


def _constraints(raw: dict[str, object], path: str) -> dict[str, object]:
    """The keywords of a schema that constrain the value directly."""
    keywords = {keyword: value for keyword, value in raw.items() if keyword in CONSTRAINTS}
    for unevaluated, plain in (("unevaluatedProperties", "additionalProperties"), ("unevaluatedItems", "items")):
        if unevaluated in keywords:
            value = keywords.pop(unevaluated)
            if plain in keywords or value is True:
                continue
            if not _IN_PLACE.isdisjoint(raw) or "contains" in raw:
                why = "which parts of a value other schemas speak of is not followed"
                raise UnsupportedKeywordError(at(path, unevaluated), why)
            keywords[plain] = value
    if is_plain_negation(raw):
        keywords["not"] = raw["not"]
    return keywords
