"""The events of one response as frames: numbered without a gap, deltas put together from prepared bytes. Pure: no I/O.

One event is made for every token, so all of a delta but its number and its text is prepared when its item opens.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import orjson

from localaik.protocols.openai.encode import Object, json_line
from localaik.protocols.openai.responses.answering import Frame

__all__ = ["DeltaFrames", "EventWriter", "sse"]

_OBFUSCATION: Final = "abcdefghijklmnop"


class EventWriter:
    """Gives every event its number. `more` ends every event, `obfuscate` pads the deltas."""

    def __init__(self, *, more: Mapping[str, object], obfuscate: bool) -> None:
        self.count = 0
        """Events made so far: the number of the next one."""
        self.more: Final = more
        self.obfuscate: Final = obfuscate

    def event(self, name: str, fields: Mapping[str, object]) -> Frame:
        """The next event, of type `name`."""
        number = self.count
        self.count = number + 1
        return Frame(name, json_line({"type": name, "sequence_number": number, **fields, **self.more}))

    def delta(self, name: str, fields: Mapping[str, object], text: str) -> Frame:
        """The next event, which brings `text`; padded so that all texts of up to 16 characters look alike."""
        if not self.obfuscate:
            return self.event(name, fields)
        return self.event(name, {**fields, "obfuscation": _OBFUSCATION[: -len(text) % len(_OBFUSCATION)]})


class DeltaFrames:
    """The deltas of one item, where they have nothing of their own but the text."""

    def __init__(
        self, events: EventWriter, name: str, before: Object, after: Object, *, kind: type, texts: list[str]
    ) -> None:
        """`before` and `after` are the fields around `delta`; each text is added to `texts`, those of the item."""
        self.kind: Final = kind
        """The events of a generation whose texts these are."""
        self._events = events
        self._name = name
        self._texts = texts
        self._head = json_line({"type": name, "sequence_number": 0})[: -len(b"0}")]
        self._middle = b"," + json_line(before)[1:-1] + b',"delta":'
        rest = json_line({**after, **events.more})[1:]
        self._tail = rest if rest == b"}" else b"," + rest

    def frame(self, text: str) -> Frame:
        """The next event, with `text`."""
        self._texts.append(text)
        events = self._events
        number = events.count
        events.count = number + 1
        data = orjson.dumps(text) if text.isascii() else json_line(text)
        return Frame(self._name, b"".join((self._head, str(number).encode(), self._middle, data, self._tail)))


def sse(frames: Iterable[Frame]) -> bytes:
    """The events as server-sent events."""
    return b"".join([b"event: %b\ndata: %b\n\n" % (name.encode(), data) for name, data in frames])
