"""Trains the text model on the lessons.

Muon for the matrices of the blocks, Adam for the rest, one schedule from start to end.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random

import jax
import jax.numpy as jnp
import numpy as np
import optax

from tools.tinymodel.conversation import Conversation
from tools.tinymodel.lessons.curriculum import long_conversation, short_conversation, tool_conversation
from tools.tinymodel.network import Batch, loss
from tools.tinymodel.packing import Packing, pack
from tools.tinymodel.shapes import TextShape
from tools.tinymodel.vocabulary import Vocabulary
from tools.tinymodel.weights import Tensors, parameter_count

__all__ = ["TALK", "TOOLS", "Course", "Schedule", "train_text"]

Parameters = dict[str, jax.Array]

_LONG_ROWS = ((2, 1024, 3500), (1, 2560, 8500))
"""Rows, tokens per row and characters of prose, used in turn."""
_LONG_ANSWERS = 256
_LONG_EVERY, _LONG_SHARE = 8, 0.4
_CHECKPOINT_SECONDS = 240.0
_REPORT_EVERY = 25
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


Lesson = Callable[[Random], Conversation]


@dataclass(frozen=True)
class Course:
    """Batches that make one step: rows, tokens per row, most answer tokens, and what fills them."""

    batches: tuple[tuple[int, int, int, Lesson], ...]


TALK = Course(((16, 256, 1600, short_conversation),))
"""First: chat and copying."""
TOOLS = Course(((8, 256, 900, short_conversation), (6, 512, 1000, tool_conversation)))
"""Then functions and structured answers as well."""


@dataclass(frozen=True)
class Schedule:
    """Number of steps and peak learning rates; warm-up and decay are shares of the steps.

    `seconds` ends a training early, with the whole decay, on a machine that is too slow for the steps.
    """

    steps: int
    matrix_rate: float = 5e-3
    other_rate: float = 3e-3
    warm_up: float = 0.04
    decay: float = 0.45
    seconds: float = float("inf")

    def factor(self, progress: float) -> float:
        """Share of the peak rates: linear rise, plateau, linear fall to zero."""
        return max(0.0, min(1.0, (progress + 1e-3) / self.warm_up, (1 - progress) / self.decay))


def _orthogonalize(update: jax.Array) -> jax.Array:
    """Nearest semi-orthogonal matrix by five Newton-Schulz steps, scaled to the root mean square of an Adam update
    (Muon).
    """
    a, b, c = _NEWTON_SCHULZ
    x = update.T if update.shape[0] > update.shape[1] else update
    x = x / (jnp.linalg.norm(x) + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    x = x.T if update.shape[0] > update.shape[1] else x
    return x * 0.2 * max(update.shape) ** 0.5


def _muon(rate: float) -> optax.GradientTransformation:
    return optax.chain(
        optax.trace(decay=0.95, nesterov=True),
        optax.stateless(lambda updates, _: jax.tree.map(_orthogonalize, updates)),
        optax.add_decayed_weights(0.01),
        optax.scale_by_learning_rate(rate),
    )


def _optimizer(schedule: Schedule) -> optax.GradientTransformation:
    def label(parameters: Parameters) -> dict[str, str]:
        return {
            name: "matrix" if name.startswith("blk.") and value.ndim == 2 else "other"
            for name, value in parameters.items()
        }

    return optax.partition(
        {
            "matrix": _muon(schedule.matrix_rate),
            "other": optax.adam(schedule.other_rate, b1=0.9, b2=0.98),
        },
        label,
    )


def _add(left: Parameters, right: Parameters, share: float) -> Parameters:
    return {name: value + share * right[name] for name, value in left.items()}


def train_text(
    shape: TextShape,
    vocabulary: Vocabulary,
    start: Tensors,
    *,
    course: Course,
    image_tokens: int,
    schedule: Schedule,
    seed: int,
    save: Callable[[Tensors], None],
) -> Tensors:
    """Train from `start` and give back the final tensors; every few minutes, `save` gets those so far.

    Batches depend on the seed alone; progress goes to standard error.
    """
    parameters: Parameters = {name: jnp.asarray(tensor) for name, tensor in start.items()}
    optimizer = _optimizer(schedule)
    state = optimizer.init(parameters)
    gradient = jax.jit(jax.value_and_grad(partial(loss, shape)))

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(
        parameters: Parameters, state: optax.OptState, gradients: Parameters, factor: float
    ) -> tuple[Parameters, optax.OptState]:
        updates, state = optimizer.update(gradients, state, parameters)
        return {name: value + factor * updates[name] for name, value in parameters.items()}, state

    def batches(step: int) -> Iterator[tuple[float, Batch]]:
        for number, (rows, length, answers, lesson) in enumerate(course.batches):
            packing = Packing(rows, length, answers, image_tokens, shape.width)
            yield 1.0, pack(packing, vocabulary, seed + 4 * step + number, lesson)
        if step % _LONG_EVERY == 0:
            rows, length, characters = _LONG_ROWS[step // _LONG_EVERY % len(_LONG_ROWS)]
            packing = Packing(rows, length, _LONG_ANSWERS, image_tokens, shape.width)
            yield (
                _LONG_SHARE,
                pack(
                    packing,
                    vocabulary,
                    seed + 4 * step + len(course.batches),
                    lambda random: long_conversation(random, random.randint(characters // 3, characters)),
                ),
            )

    print(f"{parameter_count(start):,} parameters, {schedule.steps} steps", file=sys.stderr)
    begun = saved = time.monotonic()
    recent: list[list[float]] = []
    for step in range(schedule.steps):
        progress = max(step / schedule.steps, (time.monotonic() - begun) / schedule.seconds)
        if progress >= 1:
            break
        gradients: Parameters = {}
        values: list[float] = []
        for share, batch in batches(step):
            value, found = gradient(parameters, batch)
            gradients = _add(gradients, found, share) if gradients else found
            values.append(float(value))
        recent.append(values[: len(course.batches)])
        parameters, state = update(parameters, state, gradients, schedule.factor(progress))
        now = time.monotonic()
        if (step + 1) % _REPORT_EVERY == 0:
            means = " ".join(f"{mean:.3f}" for mean in np.mean(recent[-_REPORT_EVERY:], axis=0))
            print(f"step {step + 1}: loss {means}, {now - begun:.0f} s", file=sys.stderr, flush=True)
        if now - saved > _CHECKPOINT_SECONDS:
            save(_tensors(parameters))
            saved = now
    return _tensors(parameters)


def _tensors(parameters: Parameters) -> Tensors:
    return {name: np.asarray(value, dtype=np.float32) for name, value in parameters.items()}
