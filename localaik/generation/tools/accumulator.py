"""Calls of an engine with a tool template of its own, put together from the fragments that it streams.

Servers differ in where they put the identity of a call, how finely they cut its arguments, and what they send twice.
What is told apart here: a fragment that goes on, one that says again what is complete, and one that says nothing. Pure.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from localaik.engine.calls import CallFragment

__all__ = ["AccumulatedCall", "CallAccumulator"]

_NO_ARGUMENTS: Final = "{}"
_STRUCTURE: Final = re.compile(r'["{}\[\]]')
_IN_STRING: Final = re.compile(r'["\\]')


@dataclass(frozen=True, slots=True)
class AccumulatedCall:
    """A call as the engine meant it. Nothing is checked but that it has a name."""

    id: str
    """Empty where the engine gave none."""
    name: str
    arguments: str
    """The text as it came, without white space around it; `{}` where there was none. It need not be JSON."""


class CallAccumulator:
    """`feed()` the fragments of one choice as they arrive, then `finish()` once."""

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}
        self.nameless = False
        """After `finish()`: the engine made a call without ever saying of what."""

    def feed(self, fragments: Sequence[CallFragment]) -> None:
        """More of the calls; an index tells which one a fragment belongs to."""
        for fragment in fragments:
            call = self._calls.get(fragment.index)
            if call is None:
                if not (fragment.id.strip() or fragment.name.strip() or fragment.arguments.strip()):
                    continue
                call = self._calls[fragment.index] = _Call()
            call.add(fragment)

    def finish(self) -> list[AccumulatedCall]:
        """The calls in the order of their indices, without those that got no name."""
        calls = [self._calls[index] for index in sorted(self._calls)]
        self.nameless = any(not call.name for call in calls)
        return [AccumulatedCall(call.id, call.name, call.text() or _NO_ARGUMENTS) for call in calls if call.name]


class _ObjectScan:
    """Notices where the outermost object of a JSON text ends, without reading any part twice."""

    def __init__(self) -> None:
        self.complete = False
        """The text so far ends with the brace or bracket that closes the first one, or after it."""
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def feed(self, text: str) -> None:
        """The next piece."""
        at = 1 if self._escaped and text else 0
        self._escaped = self._escaped and not text
        while match := (_IN_STRING if self._in_string else _STRUCTURE).search(text, at):
            at = match.end()
            mark = match[0]
            if mark == '"':
                self._in_string = not self._in_string
            elif mark == "\\":
                self._escaped = at == len(text)
                at += 1
            elif mark in "{[":
                self._depth += 1
            else:
                self._depth -= 1
                self.complete = self.complete or self._depth == 0


@dataclass(slots=True)
class _Call:
    """One call on its way. The first id and the first name are the call's own, whatever comes later."""

    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    scan: _ObjectScan = field(default_factory=_ObjectScan)

    def add(self, fragment: CallFragment) -> None:
        self.id = self.id or fragment.id.strip()
        self.name = self.name or fragment.name.strip()
        if (not self.pieces or self.scan.complete) and not fragment.arguments.strip():
            return
        if self.scan.complete and self._is_restated(fragment):
            return
        self.pieces.append(fragment.arguments)
        self.scan.feed(fragment.arguments)

    def text(self) -> str:
        return "".join(self.pieces).strip()

    def _is_restated(self, fragment: CallFragment) -> bool:
        if fragment.id.strip() not in {"", self.id} or fragment.name.strip() not in {"", self.name}:
            return False
        said = fragment.arguments.strip()
        return said.startswith(("{", "[")) and _same_json(self.text(), said)


def _same_json(one: str, other: str) -> bool:
    """Whether two texts are of one value, however they are spaced."""
    if one == other:
        return True
    try:
        return json.dumps(json.loads(one), sort_keys=True) == json.dumps(json.loads(other), sort_keys=True)
    except (ValueError, RecursionError):
        return False
