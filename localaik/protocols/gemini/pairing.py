"""Calls of functions in the history, and which result belongs to which call.

Clients may leave out the ids of calls and of results, so the order of the conversation decides where ids do not.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

import orjson

from localaik.content import Part
from localaik.generation.request import Role, ToolCall, ToolResult
from localaik.protocols.gemini import types
from localaik.protocols.gemini.reading import Findings

__all__ = ["CallPairing"]

_NO_CALL: Final = "Please ensure that function response turn comes immediately after a function call turn."
_OTHER_NUMBER: Final = (
    "Please ensure that the number of function response parts is equal to the number of function call parts of the"
    " function call turn."
)


@dataclass(slots=True)
class _Made:
    """A call of the history."""

    call: ToolCall
    paired: bool = False


_Key = tuple[str, str]
"""What calls are looked up by: their id, their name, or (`unnumbered`) their name where they have no id."""


class CallPairing:
    """Reads the calls and results of one conversation, in its order.

    Contents of one role that follow each other are one turn. A turn of results answers all calls of the last turn that
    has any; a turn of calls may stay without results.
    """

    def __init__(self, findings: Findings, contents: Sequence[types.Content]) -> None:
        """All of `contents` are looked at, so that new ids differ from those that come later."""
        self._findings = findings
        given = {
            part.function_call.id
            for content in contents
            for part in content.parts or ()
            if part.function_call is not None and part.function_call.id
        }
        self._new_ids: Iterator[str] = (one for number in count() if (one := f"call_{number}") not in given)
        self._used: set[str] = set()
        self._role: Role | None = None
        self._turn_is_new = True
        self._calls = 0
        """The number of calls of the last turn that has any."""
        self._near: dict[_Key, deque[_Made]] = {}
        """Calls of that turn, in order."""
        self._far: dict[_Key, deque[_Made]] = {}
        """Calls of earlier turns, in order."""
        self._first_result = ""
        self._first_unpaired = ""
        self._results = 0

    def enter(self, role: Role | None) -> None:
        """The next content is of `role`; None is the end of the conversation."""
        if role == self._role:
            return
        self._role = role
        self._turn_is_new = True
        if self._results and self._calls and self._results != self._calls:
            self._findings.refuse_line(self._first_result, _OTHER_NUMBER, _OTHER_NUMBER)
        elif self._first_unpaired:
            self._findings.refuse_line(self._first_unpaired, _NO_CALL, _NO_CALL)
        self._results = 0
        self._first_unpaired = ""

    def call(self, call: types.FunctionCall, path: str) -> ToolCall | None:
        """The call at the wire path `path`; None where its role is not allowed to call."""
        if self._role != "assistant":
            self._findings.refuse(path, "is only allowed in a content with role model")
            return None
        if not call.name:
            self._findings.refuse(f"{path}.name", "is not specified")
        wire_id = call.id or ""
        own_id = wire_id if wire_id and wire_id not in self._used else next(self._new_ids)
        self._used.add(own_id)
        made = _Made(ToolCall(own_id, call.name or "", orjson.dumps(call.args or {}).decode()))
        if self._turn_is_new:
            self._turn_is_new = False
            self._calls = 0
            for key, calls in self._near.items():
                self._far.setdefault(key, deque()).extend(calls)
            self._near = {}
        self._calls += 1
        for key in (("id", wire_id) if wire_id else ("unnumbered", made.call.name), ("name", made.call.name)):
            self._near.setdefault(key, deque()).append(made)
        return made.call

    def result(self, response: types.FunctionResponse, parts: list[Part], path: str) -> ToolResult | None:
        """The result at the wire path `path`, with the images and files of it; None where it belongs to no call."""
        if self._role == "assistant":
            self._findings.refuse(path, "is not allowed in a content with role model")
            return None
        if not response.name and not response.id:
            self._findings.refuse(f"{path}.name", "is not specified")
        if not self._results:
            self._first_result = path
        self._results += 1
        made = self._pick(response.id or "", response.name or "")
        if made is None:
            self._first_unpaired = self._first_unpaired or path
            return None
        content = orjson.dumps(response.response or {}).decode()
        return ToolResult(made.call.id, made.call.name, content, parts)

    def _pick(self, wire_id: str, name: str) -> _Made | None:
        """The open call of this id, else the first of this name that has no other id; the last turn's calls first."""
        keys: tuple[_Key, ...] = (("id", wire_id), ("unnumbered", name)) if wire_id else (("name", name),)
        for key in keys:
            for table in (self._near, self._far):
                calls = table.get(key, ())
                while calls:
                    made = calls.popleft()
                    if not made.paired:
                        made.paired = True
                        return made
        return None
