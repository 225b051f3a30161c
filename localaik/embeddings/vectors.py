"""Arithmetic on vectors, which are little-endian 32-bit floats in bytes. Pure."""

import math
import struct
from collections.abc import Sequence
from typing import Final

from localaik.errors import EngineAnswerInvalid

__all__ = ["numbers", "shortened", "unit", "width"]

_FLOAT_BYTES: Final = 4
_TOLERANCE: Final = 1e-7  # about what a 32-bit float can tell


def width(vector: bytes) -> int:
    """How many numbers the vector has."""
    return len(vector) // _FLOAT_BYTES


def numbers(vector: bytes) -> tuple[float, ...]:
    """The vector's numbers."""
    return struct.unpack(f"<{width(vector)}f", vector)


def unit(vector: bytes) -> bytes:
    """The vector divided by its Euclidean norm; unchanged where that is 1.

    Raises `EngineAnswerInvalid` for a vector that has no direction: zeros only, or a number that is not finite.
    """
    values = numbers(vector)
    norm = math.hypot(*values)
    if not math.isfinite(norm) or norm == 0:
        raise EngineAnswerInvalid("The engine gave a vector without a direction.", reason="invalid_embedding")
    return vector if abs(norm - 1) <= _TOLERANCE else _packed([value / norm for value in values])


def shortened(vector: bytes, dimensions: int | None) -> bytes:
    """The first `dimensions` numbers (None: all), of length 1 again."""
    if dimensions is None or dimensions >= width(vector):
        return vector
    return unit(vector[: dimensions * _FLOAT_BYTES])


def _packed(values: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)
