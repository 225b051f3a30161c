"""The log: lines for people or JSON objects, each record on lines that nobody else can have written.

Text that came from outside may stand in any record. Whatever a terminal would not show as it is gets escaped, the lines
after the first are indented, and credentials are blotted out.
"""

import logging
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import orjson

from localaik.engine.launchers.base import StartError
from localaik.engine.upstream import Upstream
from localaik.settings import Settings, read_keys

__all__ = [
    "JsonFormatter",
    "Structured",
    "TextFormatter",
    "escape",
    "secrets_hider",
    "set_up_logging",
]

Hide = Callable[[str], str]

_MIN_SECRET_CHARS: Final = 4  # anything shorter would be found in every second word
_TEXT_FORM: Final = "%(asctime)s %(levelname)s %(message)s"


class Structured(ABC):
    """A log message with parts: give one to a logger in place of a text."""

    __slots__ = ()

    @abstractmethod
    def text(self, hide: Hide) -> str:
        """The message on one line, for people. `hide` is to be asked for every text from outside."""

    def __str__(self) -> str:
        """The message as handlers of somebody else's write it."""
        return self.text(str)

    @abstractmethod
    def fields(self) -> Mapping[str, object]:
        """The message for machines: names to numbers and texts. `time`, `level` and `logger` are taken."""


class TextFormatter(logging.Formatter):
    """`2026-01-31 12:00:00,000 INFO message`; what follows the first line is indented."""

    def __init__(self, hide: Hide = str) -> None:
        """`hide` takes credentials out of a text."""
        super().__init__(_TEXT_FORM)
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        """The record as text; more than one line only where it carries a traceback or says so itself."""
        if isinstance(record.msg, Structured):
            return f"{self.formatTime(record)} {record.levelname} {record.msg.text(self._hide)}"
        first, *rest = _lines(self._hide(super().format(record)))
        return "\n    ".join((first, *rest))


class JsonFormatter(logging.Formatter):
    """One object per line: `time`, `level`, `logger`, `message`, then the parts of a `Structured` message."""

    def __init__(self, hide: Hide = str) -> None:
        """`hide` takes credentials out of a text."""
        super().__init__()
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON without a line break."""
        time = datetime.fromtimestamp(record.created, UTC)
        entry: dict[str, object] = {
            "time": f"{time:%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if isinstance(record.msg, Structured):
            fields = record.msg.fields()
            entry |= {name: self._hide(value) if isinstance(value, str) else value for name, value in fields.items()}
        else:
            entry["message"] = "\n".join(_lines(self._hide(record.getMessage())))
        if record.exc_info:
            entry["exception"] = "\n".join(_lines(self._hide(self.formatException(record.exc_info))))
        return orjson.dumps(entry).decode()


def set_up_logging(settings: Settings) -> None:
    """Send what all of localaik logs to standard error, in the form and from the level that the settings name.

    A program that has set up logging already keeps its own way.
    """
    hide = secrets_hider(settings)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(hide) if settings.log_format == "json" else TextFormatter(hide))
    # Nothing here shows these, and finding them costs each record some microseconds.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])


def secrets_hider(settings: Settings) -> Hide:
    """What puts `***` in place of callers' keys and of credentials for upstreams; does nothing where there are none."""
    named = (
        (settings.upstream, settings.upstream_auth_header),
        (settings.embedding_upstream, settings.embedding_upstream_auth_header),
    )
    hiders: list[Hide] = []
    for url, header in named:
        try:
            hiders += [Upstream.parse(url, header).hide] if url else []
        except StartError:  # the start ends with it, and tells why without the text of the URL
            continue

    keys = [key for key in read_keys(settings.api_key) if len(key) >= _MIN_SECRET_CHARS]

    def hide(text: str) -> str:
        for one in hiders:
            text = one(text)
        for key in keys:
            text = text.replace(key, "***")
        return text

    return hide if hiders or keys else str


def escape(text: str) -> str:
    r"""`text` on one line, with everything escaped that a terminal would not show as it is.

    That is all that Unicode calls not printable: control and format characters (bidirectional ones, too), separators
    other than the blank, halves of surrogate pairs. `\n` becomes a backslash and an n.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _lines(text: str) -> list[str]:
    return [text] if text.isprintable() else [escape(line) for line in text.split("\n")]
