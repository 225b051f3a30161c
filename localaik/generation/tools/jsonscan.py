"""Where a JSON value ends in text that is still arriving, and what a JSON string says so far. No I/O."""

import json
import re
from typing import Final

__all__ = ["StringDecoder", "ValueScanner"]

_OUTSIDE_STRING: Final = re.compile(r'[^"{}\[\]]*')
_INSIDE_STRING: Final = re.compile(r'[^"\\]*')
_COMPLETE: Final = re.compile(
    # Half of a pair of surrogates waits for the other half: it is no character alone.
    r"(?:[^\\]|\\[^u]|\\u(?![dD][89abAB])[0-9a-fA-F]{4}|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4})*",
    re.DOTALL,
)

_LONGEST_ESCAPE: Final = 12
"""Characters of a pair of surrogates: what is not complete begins so far from the end at most."""


class ValueScanner:
    """Finds the end of one JSON value by its brackets and quotes; whether it is JSON at all is not looked at."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self.done = False

    def scan(self, text: str) -> int:
        """How many characters of `text`, which follows what was scanned before, belong to the value."""
        at = 0
        size = len(text)
        while at < size and not self.done:
            if self._in_string:
                at = self._scan_string(text, at)
                continue
            match = _OUTSIDE_STRING.match(text, at)
            at = match.end() if match is not None else at
            if at == size:
                break
            char = text[at]
            if char == '"':
                self._in_string = True
            elif char in "{[":
                self._depth += 1
            else:
                self._depth -= 1
                self.done = self._depth <= 0
                if self._depth < 0:  # the bracket around a number or a word
                    return at
            at += 1
        return at

    def _scan_string(self, text: str, at: int) -> int:
        if self._escaped:
            self._escaped = False
            return at + 1
        match = _INSIDE_STRING.match(text, at)
        at = match.end() if match is not None else at
        if at == len(text):
            return at
        if text[at] == "\\":
            self._escaped = True
        else:
            self._in_string = False
            self.done = self._depth == 0
        return at + 1


class StringDecoder:
    """The text that a JSON string stands for, as the string arrives, its opening quote first."""

    def __init__(self) -> None:
        self._scanner = ValueScanner()
        self._opened = False
        self._pending = ""

    @property
    def done(self) -> bool:
        """The closing quote was seen."""
        return self._scanner.done

    def feed(self, text: str) -> tuple[str, int]:
        """More of the text, and how many characters of `text` belong to the string. Raises `ValueError` where it is
        no JSON string.
        """
        end = self._scanner.scan(text)
        raw = self._pending + text[:end]
        if not self._opened and raw:
            if not raw.startswith('"'):
                raise ValueError("no JSON string")
            self._opened = True
            raw = raw[1:]
        if self.done:
            self._pending = ""
            return self._decoded(raw[:-1]), end
        complete = len(raw)
        if raw.find("\\", -_LONGEST_ESCAPE) >= 0 and (match := _COMPLETE.match(raw)) is not None:
            complete = match.end()
        self._pending = raw[complete:]
        return self._decoded(raw[:complete]), end

    @staticmethod
    def _decoded(raw: str) -> str:
        if "\\" not in raw:
            return raw
        text: str = json.loads(f'"{raw}"', strict=False)
        if not text.isascii():  # half of a pair of surrogates is no character
            return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return text
