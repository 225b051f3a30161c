"""What the compilers of single types need from the compiler of the whole."""

from collections.abc import Iterable
from typing import Protocol

from localaik.generation.schema.demands import Node
from localaik.generation.schema.expressions import Expr
from localaik.generation.schema.strings import StringRules

__all__ = ["Host"]


class Host(Protocol):
    """The compiler of a whole document."""

    strings: StringRules

    def expression(self, nodes: Iterable[Node]) -> Expr:
        """The values that are valid under all the nodes."""
        ...

    def narrow(self, path: str) -> None:
        """Notes that not all ways to meet the keyword at `path` are compiled: that none is found proves nothing."""
        ...
