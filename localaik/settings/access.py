"""What the texts of the settings of access say: which keys, hosts and origins."""

import ipaddress
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

__all__ = [
    "SURFACES",
    "is_loopback",
    "normal_origin",
    "read_hosts",
    "read_keys",
    "read_origins",
    "read_surfaces",
    "split_hosts",
]

SURFACES: Final = (
    "openai-chat",
    "openai-completions",
    "openai-responses",
    "conversations",
    "embeddings",
    "models",
    "openai-extra",
    "gemini",
    "sessions",
    "workbench",
    "docs",
)
"""The groups of routes that can be switched off."""

_ALL_OF_OPENAI: Final = frozenset(SURFACES[: SURFACES.index("gemini")])

_DEFAULT_PORTS: Final = {"http": "80", "https": "443", "ws": "80", "wss": "443"}
_ORIGIN: Final = re.compile(
    r"([a-z][a-z0-9+.-]*)://([^\s/?#@:\[\]*,]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.IGNORECASE
)
_HOST: Final = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?|\[[0-9a-f:.]+\]", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def split_hosts(hosts: str) -> tuple[str, ...]:
    """The addresses or names of a list with commas."""
    return tuple(part.strip() for part in hosts.split(","))


def is_loopback(hosts: str) -> bool:
    """Whether all of `hosts`, addresses or names with commas, are certain to be reachable from this machine alone."""
    return all(map(_is_loopback, split_hosts(hosts)))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def read_hosts(text: str) -> tuple[str, ...]:
    """The names of a list with commas, in small letters; `*.name` stands for all below a name.

    Raises `ValueError` for what is no host name or has a port.
    """
    if not text:
        return ()
    names = [part.strip() for part in text.split(",")]
    if not all(map(_HOST.fullmatch, names)):
        raise ValueError("not a host name")
    return tuple(name.lower() for name in names)


def read_origins(text: str) -> tuple[str, ...]:
    """The origins of a list with commas, as `normal_origin` writes them; `("*",)` for all of them, `()` for `none`.

    Raises `ValueError` for what is no origin: paths, blanks, a `*` in a list.
    """
    if text in {"*", "none"}:
        return ("*",) if text == "*" else ()
    origins = [normal_origin(part) for part in text.split(",")]
    found = tuple(origin for origin in origins if origin is not None)
    if len(found) < len(origins):
        raise ValueError("not an origin")
    return found


def normal_origin(text: str) -> str | None:
    """An origin in small letters and without its scheme's own port, so that equal ones are equal; None for no origin.

    Schemes of apps (`capacitor://localhost`) and `null` are origins, too (RFC 6454).
    """
    if text == "null":
        return text
    match = _ORIGIN.fullmatch(text)
    if match is None:
        return None
    scheme, host, port = match[1].lower(), match[2].lower(), match[3]
    plain = port is None or port == _DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{host}" if plain else f"{scheme}://{host}:{port}"


@lru_cache(maxsize=8)
def read_surfaces(text: str) -> frozenset[str]:
    """The names of a list with commas, or every one for `all`; `openai` stands for all of OpenAI's API.

    Raises `ValueError` for a name that there is not.
    """
    names = frozenset(part.strip().lower() for part in text.split(","))
    if names == {"all"}:
        return frozenset(SURFACES)
    if "openai" in names:
        names = names - {"openai"} | _ALL_OF_OPENAI
    if not names <= set(SURFACES):
        raise ValueError("no such surface")
    return names


def read_keys(text: str) -> tuple[str, ...]:
    """The keys that `text` tells: a list with commas, or `@PATH` for a file with one key on each line.

    Blanks around a key don't count; in a file, empty lines and lines that begin with `#` don't either. An empty text is
    no key. Raises `ValueError` for a key of blanks or with control characters, and for a file that can't be read or has
    no key: a slip must not leave a server open. The message shows no key.
    """
    if not text:
        return ()
    if text.startswith("@"):
        return _keys_of_file(Path(text[1:]).expanduser())
    return tuple(_key(part) for part in text.split(","))


def _keys_of_file(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise ValueError(f"the file of keys {path} can't be read: {error.strerror or 'unknown reason'}") from None
    except UnicodeDecodeError:
        raise ValueError(f"the file of keys {path} is no text in UTF-8") from None
    keys = tuple(_key(line) for line in lines if line.strip() and not line.lstrip().startswith("#"))
    if not keys:
        raise ValueError(f"the file of keys {path} has no key")
    return keys


def _key(text: str) -> str:
    key = text.strip(" \t")
    if not key or key.isspace():
        raise ValueError("a key is empty or blank")
    if _CONTROL.search(key):
        raise ValueError("a key has control characters")
    return key
