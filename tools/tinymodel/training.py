"""Trains the text model on the lessons.

Muon for the matrices of the blocks, Adam for the rest, one schedule from start to end.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from tools.tinymodel.lessons.curriculum import long_conversation, short_conversation
from tools.tinymodel.network import Batch, loss
from tools.tinymodel.packing import Packing, pack
from tools.tinymodel.shapes import TextShape
from tools.tinymodel.vocabulary import Vocabulary
from tools.tinymodel.weights import Tensors, parameter_count

__all__ = ["Schedule", "train_text"]

Parameters = dict[str, jax.Array]

_SHORT_ROWS, _SHORT_LENGTH, _SHORT_ANSWERS = 16, 256, 1600
_LONG_ROWS = ((2, 1024, 3500), (1, 2560, 8500))
"""Rows, tokens per row and characters of prose, used in turn."""
_LONG_ANSWERS = 256
_LONG_EVERY, _LONG_SHARE = 8, 0.4
_REPORT_EVERY = 25
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


@dataclass(frozen=True)
class Schedule:
    """Number of steps and peak learning rates; warm-up and decay are shares of the steps."""

    steps: int
    matrix_rate: float = 5e-3
    other_rate: float = 3e-3
    warm_up: float = 0.04
    decay: float = 0.45

    def rate(self, peak: float) -> optax.Schedule:
        """Linear rise, plateau, linear fall to zero."""
        rise, fall = int(self.steps * self.warm_up), int(self.steps * self.decay)
        joined: optax.Schedule = optax.join_schedules(
            [optax.linear_schedule(0, peak, rise), optax.constant_schedule(peak), optax.linear_schedule(peak, 0, fall)],
            [rise, self.steps - fall],
        )
        return joined


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


def _muon(rate: optax.Schedule) -> optax.GradientTransformation:
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
            "matrix": _muon(schedule.rate(schedule.matrix_rate)),
            "other": optax.adam(schedule.rate(schedule.other_rate), b1=0.9, b2=0.98),
        },
        label,
    )


def train_text(
    shape: TextShape, vocabulary: Vocabulary, start: Tensors, *, image_tokens: int, schedule: Schedule, seed: int
) -> Tensors:
    """Train from `start` and give back the final tensors.

    Batches depend on the seed alone; progress goes to standard error.
    """
    parameters: Parameters = {name: jnp.asarray(tensor) for name, tensor in start.items()}
    optimizer = _optimizer(schedule)
    state = optimizer.init(parameters)
    gradient = jax.jit(jax.value_and_grad(partial(loss, shape)))

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(
        parameters: Parameters, state: optax.OptState, gradients: Parameters
    ) -> tuple[Parameters, optax.OptState]:
        updates, state = optimizer.update(gradients, state, parameters)
        return dict(optax.apply_updates(parameters, updates)), state

    def short_batch(step: int) -> Batch:
        packing = Packing(_SHORT_ROWS, _SHORT_LENGTH, _SHORT_ANSWERS, image_tokens, shape.width)
        return pack(packing, vocabulary, seed + 2 * step, short_conversation)

    def long_batch(step: int) -> Batch:
        rows, length, characters = _LONG_ROWS[step // _LONG_EVERY % len(_LONG_ROWS)]
        packing = Packing(rows, length, _LONG_ANSWERS, image_tokens, shape.width)
        return pack(
            packing,
            vocabulary,
            seed + 2 * step + 1,
            lambda random: long_conversation(random, random.randint(characters // 3, characters)),
        )

    print(f"{parameter_count(start):,} parameters, {schedule.steps} steps", file=sys.stderr)
    begun = time.monotonic()
    recent: list[float] = []
    for step in range(schedule.steps):
        value, gradients = gradient(parameters, short_batch(step))
        recent.append(float(value))
        if step % _LONG_EVERY == 0:
            value, extra = gradient(parameters, long_batch(step))
            gradients = jax.tree.map(lambda short, long: short + _LONG_SHARE * long, gradients, extra)
        parameters, state = update(parameters, state, gradients)
        if (step + 1) % _REPORT_EVERY == 0:
            report = f"step {step + 1}: loss {np.mean(recent[-_REPORT_EVERY:]):.3f}, {time.monotonic() - begun:.0f} s"
            print(report, file=sys.stderr, flush=True)
    return {name: np.asarray(value, dtype=np.float32) for name, value in parameters.items()}
