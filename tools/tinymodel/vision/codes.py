"""The fixed codes that the tower's projector writes and the text model reads: one soft token per slot.

A code is the sum of a part for the slot and a part for the slot's value. Value parts of one family are orthogonal to
each other and the same in every slot of the family, so `red` looks alike as a colour and as a background, and a
letter looks alike at every place. All codes lie in one subspace that a tower of `CODE_DIMENSIONS` channels can reach.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tools.tinymodel.vision.scene import COLORS, KINDS, MAX_COUNT, MAX_TEXT, SHAPES, Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CODE_DIMENSIONS", "SLOTS", "SLOT_COUNT", "code_vectors", "ideal", "slot_values", "soft"]

CODE_DIMENSIONS = 96
"""Dimensions of the subspace that holds all codes."""

_CHARACTERS = ("", *"0123456789", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", *"abcdefghijklmnopqrstuvwxyz")
_FAMILIES: dict[str, tuple[str, ...]] = {
    "kind": tuple(KINDS),
    "color": ("", *COLORS),
    "shape": ("", *SHAPES),
    "count": ("", *(str(count) for count in range(1, MAX_COUNT + 1))),
    "character": _CHARACTERS,
    "length": tuple(str(length) for length in range(MAX_TEXT + 1)),
}
_SLOT_FAMILIES = ("kind", "color", "color", "shape", "count", *["character"] * MAX_TEXT, "length")

SLOT_COUNT = len(_SLOT_FAMILIES)
SLOTS: tuple[tuple[str, ...], ...] = tuple(_FAMILIES[family] for family in _SLOT_FAMILIES)
"""The values of each slot: kind, colour, background, shape, count, ten characters, length of the text."""

_SEED = 4
_SLOT_POWER = 0.3
_MIXED_SHARE = 0.12
_MAX_MIXED_WEIGHT = 0.4
_MAX_NOISE = 0.35


def _orthonormal(generator: np.random.Generator, rows: int, columns: int) -> NDArray[np.float64]:
    """`rows` orthonormal vectors of `columns` numbers; the signs do not depend on the QR routine."""
    q, r = np.linalg.qr(generator.standard_normal((columns, rows)))
    return np.asarray((q * np.sign(np.diag(r))).T)


@lru_cache(maxsize=4)
def code_vectors(width: int) -> tuple[NDArray[np.float32], ...]:
    """One array (values of the slot, `width`) per slot; every row has a root mean square of 1.

    Raises ValueError if `width` is smaller than the subspace of the codes.
    """
    if width < CODE_DIMENSIONS:
        raise ValueError(f"codes need a width of at least {CODE_DIMENSIONS}, got {width}")
    generator = np.random.Generator(np.random.PCG64(_SEED))
    value_dimensions = CODE_DIMENSIONS - SLOT_COUNT
    families = {name: _orthonormal(generator, len(values), value_dimensions) for name, values in _FAMILIES.items()}
    basis = _orthonormal(generator, CODE_DIMENSIONS, width) * width**0.5
    codes = []
    for slot, family in enumerate(_SLOT_FAMILIES):
        values = families[family] * (1 - _SLOT_POWER) ** 0.5 @ basis[:value_dimensions]
        codes.append((values + _SLOT_POWER**0.5 * basis[value_dimensions + slot]).astype(np.float32))
    return tuple(codes)


def slot_values(scene: Scene) -> tuple[str, ...]:
    """What each slot says about a scene. A text is cut at `MAX_TEXT` characters."""
    text = scene.text[:MAX_TEXT]
    count = str(scene.count) if scene.count else ""
    characters = [*text, *[""] * (MAX_TEXT - len(text))]
    return (scene.kind, scene.color, scene.background, scene.shape, count, *characters, str(len(text)))


def ideal(scene: Scene, width: int) -> NDArray[np.float32]:
    """The codes of a scene, (`SLOT_COUNT`, `width`). Raises ValueError for a value that has no code."""
    codes = code_vectors(width)
    return np.stack(
        [codes[slot][SLOTS[slot].index(value)] for slot, value in enumerate(slot_values(scene))], dtype=np.float32
    )


def soft(scene: Scene, generator: np.random.Generator, width: int) -> NDArray[np.float32]:
    """The codes of a scene as an imperfect tower would give them: some mixed with another value's, all with noise."""
    codes = code_vectors(width)
    tokens = ideal(scene, width)
    for slot in np.flatnonzero(generator.random(SLOT_COUNT) < _MIXED_SHARE):
        other = codes[slot][generator.integers(len(codes[slot]))]
        weight = np.float32(generator.uniform(0, _MAX_MIXED_WEIGHT))
        tokens[slot] += weight * (other - tokens[slot])
    noise = np.float32(generator.uniform(0, _MAX_NOISE))
    tokens += noise * generator.standard_normal(tokens.shape, dtype=np.float32)
    return tokens
