"""Packs conversations into rows of fixed length, with soft tokens that look like those of the vision projector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from tools.tinymodel.conversation import Conversation, Sample, render
from tools.tinymodel.network import Batch
from tools.tinymodel.vocabulary import Vocabulary

__all__ = ["Packing", "pack"]

_GIVE_UP_AFTER = 4
"""Samples in a row that fit nowhere before a batch counts as full."""


@dataclass(frozen=True)
class Packing:
    """Size of a batch: rows, tokens per row, and the most answer tokens it may hold.

    `image_tokens` is the number of soft tokens per image, `width` their channels.
    """

    rows: int
    length: int
    answers: int
    image_tokens: int
    width: int


def pack(packing: Packing, vocabulary: Vocabulary, seed: int, lesson: Callable[[Random], Conversation]) -> Batch:
    """Fill a batch with conversations drawn from `lesson`, without those that are longer than a row.

    The same seed gives the same batch.
    """
    random = Random(seed)
    rows: list[list[Sample]] = [[] for _ in range(packing.rows)]
    room = [packing.length] * packing.rows
    answers, misses = packing.answers, 0
    while misses < _GIVE_UP_AFTER:
        sample = render(lesson(random), vocabulary, packing.image_tokens)
        if len(sample) > packing.length:
            continue
        learned = sum(weight > 0 for weight in sample.weights)
        row = next((index for index, left in enumerate(room) if left >= len(sample)), None)
        if row is None or learned > answers:
            misses += 1
            continue
        rows[row].append(sample)
        room[row] -= len(sample)
        answers -= learned
    return _batch(packing, rows, np.random.Generator(np.random.PCG64(seed)))


def _batch(packing: Packing, rows: list[list[Sample]], generator: np.random.Generator) -> Batch:
    tokens, segment, image = (np.zeros((packing.rows, packing.length), dtype=np.int32) for _ in range(3))
    weights = np.zeros((packing.rows, packing.length), dtype=np.float32)
    for row, samples in enumerate(rows):
        column = images = 0
        for number, sample in enumerate(samples, start=1):
            place = slice(column, column + len(sample))
            tokens[row, place], segment[row, place], weights[row, place] = sample.tokens, number, sample.weights
            image[row, place] = [index + images if index else 0 for index in sample.images]
            images += max(sample.images)
            column += len(sample)
    targets = np.flatnonzero(weights)
    padding = packing.answers - targets.size
    weight = np.pad(weights.ravel()[targets], (0, padding))
    return Batch(
        tokens=tokens,
        segment=segment,
        image=image,
        soft=_soft_vectors(packing, image, generator),
        answer=np.pad(targets - 1, (0, padding)).astype(np.int32),
        target=np.pad(tokens.ravel()[targets], (0, padding)),
        weight=weight,
    )


def _soft_vectors(packing: Packing, image: NDArray[np.int32], generator: np.random.Generator) -> NDArray[np.float32]:
    """Random vectors at soft tokens: a part common to the batch, one per image and one per token, in random
    proportions.

    A projector's output has unit scale per channel, and its tokens are alike within an image; training over all
    proportions makes the text model indifferent to which tower stands before it.
    """
    soft = np.zeros((*image.shape, packing.width), dtype=np.float32)
    common = generator.standard_normal(packing.width)
    for row in range(image.shape[0]):
        for number in range(1, int(image[row].max()) + 1):
            columns = np.flatnonzero(image[row] == number)
            shares = generator.dirichlet((1.0, 1.0, 1.0)) ** 0.5
            vectors = shares[0] * common + shares[1] * generator.standard_normal(packing.width)
            soft[row, columns] = vectors + shares[2] * generator.standard_normal((columns.size, packing.width))
    return soft
