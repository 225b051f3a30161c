"""Sets of Unicode characters as sorted, disjoint, inclusive ranges of code points. Surrogates are in no set."""

from collections.abc import Iterable
from typing import Final

__all__ = ["ALL", "CharSet", "charset", "complement", "intersection", "single", "size"]

CharSet = tuple[tuple[int, int], ...]

ALL: Final[CharSet] = ((0, 0xD7FF), (0xE000, 0x10FFFF))


def charset(ranges: Iterable[tuple[int, int]]) -> CharSet:
    """The union of `ranges`, which may overlap and come in any order."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return intersection(tuple(merged), ALL)


def single(characters: str) -> CharSet:
    """The set of the characters of a text."""
    return charset((ord(character), ord(character)) for character in characters)


def complement(chars: CharSet) -> CharSet:
    """All characters that are not in `chars`."""
    gaps: list[tuple[int, int]] = []
    start = 0
    for low, high in chars:
        if low > start:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= 0x10FFFF:
        gaps.append((start, 0x10FFFF))
    return intersection(tuple(gaps), ALL)


def intersection(left: CharSet, right: CharSet) -> CharSet:
    """The characters of both sets."""
    common: list[tuple[int, int]] = []
    i = j = 0
    while i < len(left) and j < len(right):
        low = max(left[i][0], right[j][0])
        high = min(left[i][1], right[j][1])
        if low <= high:
            common.append((low, high))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(common)


def size(chars: CharSet) -> int:
    """How many characters the set has."""
    return sum(high - low + 1 for low, high in chars)
