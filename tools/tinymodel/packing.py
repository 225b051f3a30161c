"""Packs conversations into batches of rows, with soft tokens as the vision projector writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from tools.tinymodel.conversation import Conversation, Sample, render
from tools.tinymodel.draw import Draw
from tools.tinymodel.network import Batch
from tools.tinymodel.vision.codes import SLOT_COUNT, soft
from tools.tinymodel.vocabulary import Vocabulary

__all__ = ["pack"]

_ROW_LENGTHS = (128, 256, 512, 1024, 2560)
"""Samples of like length share a batch, since attention costs the square of the row's length."""


def pack(
    vocabulary: Vocabulary, seed: int, lesson: Callable[[Draw], Conversation], *, tokens: int, width: int
) -> list[Batch]:
    """Batches of conversations drawn from `lesson` until they have `tokens` tokens; too long ones are left out.

    `width` is the number of channels of soft tokens. The same seed gives the same batches.
    """
    draw = Draw.of(seed)
    classes: list[list[Sample]] = [[] for _ in _ROW_LENGTHS]
    while tokens > 0:
        sample = render(lesson(draw), vocabulary, SLOT_COUNT)
        kind = next((kind for kind, length in enumerate(_ROW_LENGTHS) if len(sample) <= length), None)
        if kind is not None:
            classes[kind].append(sample)
            tokens -= len(sample)
    generator = np.random.Generator(np.random.PCG64(seed))
    filled = [_rows(samples, length) for samples, length in zip(classes, _ROW_LENGTHS, strict=True)]
    return [_batch(rows, width, generator) for rows in filled if rows]


def _rows(samples: Sequence[Sample], length: int) -> list[list[Sample]]:
    """Samples in rows of at most `length` tokens: the longest first, each into the first row with room."""
    rows: list[list[Sample]] = []
    room: list[int] = []
    for sample in sorted(samples, key=len, reverse=True):
        row = next((index for index, left in enumerate(room) if left >= len(sample)), len(rows))
        if row == len(rows):
            rows.append([])
            room.append(length)
        rows[row].append(sample)
        room[row] -= len(sample)
    return rows


def _batch(rows: Sequence[Sequence[Sample]], width: int, generator: np.random.Generator) -> Batch:
    length = max(sum(map(len, samples)) for samples in rows)
    tokens, segment, position, image = (np.zeros((len(rows), length), dtype=np.int64) for _ in range(4))
    weights = np.zeros((len(rows), length), dtype=np.float32)
    vectors = [np.zeros((0, width), dtype=np.float32)]
    for row, samples in enumerate(rows):
        column = images = 0
        for number, sample in enumerate(samples, start=1):
            place = slice(column, column + len(sample))
            tokens[row, place], segment[row, place], weights[row, place] = sample.tokens, number, sample.weights
            position[row, place] = np.arange(len(sample))
            image[row, place] = [index + images if index else 0 for index in sample.images]
            vectors += [soft(scene, generator, width) for scene in sample.scenes]
            images += max(sample.images)
            column += len(sample)
    targets = np.flatnonzero(weights)
    return Batch(
        tokens=torch.from_numpy(tokens),
        segment=torch.from_numpy(segment),
        position=torch.from_numpy(position),
        image=torch.from_numpy(image),
        soft=torch.from_numpy(np.concatenate(vectors)),
        answer=torch.from_numpy(targets - 1),
        target=torch.from_numpy(tokens.ravel()[targets]),
        weight=torch.from_numpy(weights.ravel()[targets]),
    )
