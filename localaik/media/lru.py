"""What is known of PDF files seen before, in memory, the least recently used forgotten first."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["LruCache"]

T = TypeVar("T")


class LruCache(Generic[T]):
    """A mapping whose values together cost at most `limit` bytes; a limit of 0 keeps nothing."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._size = 0

    @property
    def size(self) -> int:
        """The bytes in use."""
        return self._size

    def get(self, key: Hashable) -> T | None:
        """The value, which now counts as just used; None where there is none."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Hashable, value: T, cost: int) -> None:
        """Keep a value that takes `cost` bytes, and drop the oldest ones that no longer fit."""
        if cost > self._limit:
            return
        _, replaced = self._entries.pop(key, (None, 0))
        self._entries[key] = (value, cost)
        self._size += cost - replaced
        while self._size > self._limit:
            _, (_, dropped) = self._entries.popitem(last=False)
            self._size -= dropped
