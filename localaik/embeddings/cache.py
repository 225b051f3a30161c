"""Vectors that were made before, in memory, the least recently used forgotten first."""

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

__all__ = ["Known", "VectorCache", "cache_key"]

_KEY_BYTES: Final = 24
_OVERHEAD_BYTES: Final = 400  # key, entry and table, measured with sys.getsizeof on CPython 3.11


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one text."""

    vector: bytes
    """All numbers that the model gives, of length 1 together."""
    tokens: int
    total_tokens: int


def cache_key(model: str, content: str | tuple[int, ...]) -> bytes:
    """A digest that stands for the content, prefix included: no text of a caller is kept."""
    digest = blake2b(digest_size=_KEY_BYTES)
    digest.update(model.encode("utf-8", "surrogatepass") + b"\0")
    if isinstance(content, str):
        digest.update(b"t" + content.encode("utf-8", "surrogatepass"))
    else:
        digest.update(b"i" + ",".join(map(str, content)).encode())
    return digest.digest()


class VectorCache:
    """Vectors by `cache_key`, at most `limit` bytes of them; a limit of 0 keeps nothing."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._entries: OrderedDict[bytes, Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> Known | None:
        """The entry, which now counts as just used."""
        known = self._entries.get(key)
        if known is not None:
            self._entries.move_to_end(key)
        return known

    def put(self, key: bytes, known: Known) -> None:
        """Keep an entry, and drop the oldest ones that no longer fit."""
        old = self._entries.pop(key, None)
        self._size += _cost(known) - (0 if old is None else _cost(old))
        self._entries[key] = known
        while self._size > self._limit:
            _, dropped = self._entries.popitem(last=False)
            self._size -= _cost(dropped)


def _cost(known: Known) -> int:
    return len(known.vector) + _OVERHEAD_BYTES
