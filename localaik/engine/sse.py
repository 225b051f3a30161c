"""Server-sent events as engines write them, read from bytes without I/O.

`SseParser` is the complete reader (WHATWG HTML, section 9.2): LF, CRLF and CR, any split, comments, `event:` and
`id:` lines, a byte order mark, several data lines. `split_plain` is a shortcut for what llama.cpp and nearly all others
write, one `data: {...}` line per event, so that hundreds of events of one read are decoded in one call.
"""

from localaik.errors import EngineAnswerInvalid

__all__ = ["SseParser", "split_plain"]

_BOM = b"\xef\xbb\xbf"
_DATA = b"data: "
_BETWEEN = b"\n\ndata: "
_BLANK = b"\n\n      "  # as long as what it replaces: then nothing has to be moved
_DONE = b"[DONE]"


def split_plain(events: bytes) -> tuple[bytes, bool] | None:
    """The JSON texts of whole events, each on a line of its own, and whether `[DONE]` ended them.

    `events` ends before the blank line of its last event. None where the shortcut does not hold. The result may still
    be no JSON lines (a comment between events); then the caller takes `SseParser`. JSON texts hold no raw line feed,
    which is why the replacement can't hit the inside of one.
    """
    if not events.startswith(_DATA) or b"\r" in events:
        return None
    done = False
    if events.endswith(_DONE):
        if events == _DATA + _DONE:
            return b"", True
        if not events.endswith(_BETWEEN + _DONE):
            return None
        events = events[: -len(_BETWEEN + _DONE)]
        done = True
    return events[len(_DATA) :].replace(_BETWEEN, _BLANK), done


class SseParser:
    """Bytes in, the data of complete events out."""

    def __init__(self, max_event_bytes: int = 0) -> None:
        self._max_event_bytes = max_event_bytes
        self._line = bytearray()
        self._data: list[bytes] = []
        self._data_size = 0
        self._at_start = True
        self._after_cr = False

    def feed(self, data: bytes) -> list[list[bytes]]:
        """The data lines of each event that `data` completes. Raises `EngineAnswerInvalid` for an endless event."""
        events: list[list[bytes]] = []
        for line in self._lines(data):
            self._take_line(line, events)
        self._check_size(len(self._line) + self._data_size)
        return events

    def _lines(self, data: bytes) -> list[bytes]:
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        if data:
            self._after_cr = data.endswith(b"\r")
        pieces = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        pieces[0] = bytes(self._line) + pieces[0]
        self._line = bytearray(pieces.pop())
        return pieces

    def _take_line(self, line: bytes, events: list[list[bytes]]) -> None:
        if self._at_start:
            line = line.removeprefix(_BOM)
            self._at_start = False
        if not line:
            if self._data:
                events.append(self._data)
                self._data = []
                self._data_size = 0
            return
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._data_size += len(value)

    def _check_size(self, size: int) -> None:
        if self._max_event_bytes and size > self._max_event_bytes:
            raise EngineAnswerInvalid(
                f"The engine sent an event of more than {self._max_event_bytes} bytes.",
                reason="upstream_invalid_response",
            )
