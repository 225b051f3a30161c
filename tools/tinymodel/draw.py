"""Chance, and what is kept out of training for the exams."""

from random import Random
from zlib import crc32

__all__ = ["Draw", "is_kept"]

_KEPT_SHARE = 8


class Draw(Random):
    """A seeded source of chance. Where `exam` is set, names of functions and keys come from words that training never
    used for them (`is_kept`).
    """

    exam: bool = False

    @classmethod
    def of(cls, seed: int, *, exam: bool = False) -> "Draw":
        """A source that depends on `seed` alone."""
        draw = cls(seed)
        draw.exam = exam
        return draw


def is_kept(word: str) -> bool:
    """Whether a word is kept for the names in exams: one in eight is, by its checksum."""
    return crc32(word.lower().encode()) % _KEPT_SHARE == 0
