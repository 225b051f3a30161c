"""What schemas demand of one value: leaves, all of which must hold, and unions, of each of which one option must.

A `Leaf` holds the keywords that constrain the value directly. `$ref` and `allOf` add the leaves of other schemas;
`anyOf`, `oneOf`, `if` and `dependent*` are unions of demands, and so is `not`, whose operand is turned inside out.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from localaik.generation.schema.document import Raw

__all__ = ["Demands", "Leaf", "Node", "Option", "Options", "Source", "Union", "merged"]


class Source(Protocol):
    """Where nodes come from."""

    def node(self, raw: Raw, path: str) -> "Node":
        """The node of a schema; `path` tells where a schema stands that is not of the document."""
        ...

    def negated(self, raw: Raw, path: str) -> "Node":
        """The node of all values that are not valid under a schema."""
        ...

    def spend(self, effort: int, path: str) -> None:
        """Counts the effort; raises `UnsupportedKeywordError` at `path` when it is too much."""
        ...

    def target(self, raw: dict[str, object]) -> Raw:
        """What the `$ref` of a schema of the document refers to."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """The constraints of one schema, and where it stands."""

    keywords: dict[str, object]
    path: str
    source: Source


class Node:
    """A schema. Its demands are worked out when they are first asked for."""

    __slots__ = ("_demands", "_read", "path", "raw")

    def __init__(self, raw: Raw, path: str, read: "Callable[[Node], Demands]") -> None:
        self.raw: Final = raw
        self.path: Final = path
        self._read = read
        self._demands: Demands | None = None

    @property
    def demands(self) -> "Demands":
        """What the schema demands of a value."""
        if self._demands is None:
            self._demands = self._read(self)
        return self._demands


@dataclass(frozen=True, slots=True, eq=False)
class Option:
    """One way to meet a union: all nodes hold. It counts only where the property `declared` is declared elsewhere."""

    nodes: tuple[Node, ...]
    declared: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """The ways to meet a union. Without `is_complete` there are more, which can't be said by a grammar."""

    ways: tuple[Option, ...]
    is_complete: bool = True


class Union:
    """One of the options must hold. `path` leads to the keyword that asks for it."""

    __slots__ = ("_make", "_options", "excluded", "path")

    def __init__(self, path: str, make: Callable[[], Options], excluded: Node | None = None) -> None:
        self.path: Final = path
        self.excluded: Final = excluded
        """The operand of `not`, if the union comes from one: its options overlap, and mostly one says it all."""
        self._make = make
        self._options: Options | None = None

    @property
    def options(self) -> Options:
        """The options, made when they are first asked for."""
        if self._options is None:
            self._options = self._make()
        return self._options


@dataclass(slots=True)
class Demands:
    """Everything that is demanded of one value, in order. With `is_impossible`, no value meets it."""

    leaves: dict[Leaf, None] = field(default_factory=dict)
    unions: dict[Union, None] = field(default_factory=dict)
    is_impossible: bool = False

    def add(self, more: "Demands") -> None:
        """Demands `more`, too."""
        self.leaves.update(more.leaves)
        self.unions.update(more.unions)
        self.is_impossible |= more.is_impossible

    def choosing(self, union: Union, option: Option | None) -> "Demands":
        """The demands with one union decided; None takes it for met by the others."""
        for leaf in self.leaves:
            leaf.source.spend(len(self.leaves) + len(self.unions), union.path)
            break
        decided = Demands(dict(self.leaves), dict(self.unions), self.is_impossible)
        del decided.unions[union]
        for node in option.nodes if option is not None else ():
            decided.add(node.demands)
        return decided


def merged(nodes: Iterable[Node]) -> Demands:
    """What several schemas demand together."""
    result = Demands()
    for node in nodes:
        result.add(node.demands)
    return result
