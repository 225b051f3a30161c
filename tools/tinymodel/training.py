"""Trains the text model on the lessons: one schedule from start to end, on all cores or on a GPU."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tools.tinymodel.lessons.curriculum import any_conversation, foundation
from tools.tinymodel.muon import Optimizer
from tools.tinymodel.network import Batch, loss
from tools.tinymodel.packing import pack
from tools.tinymodel.parallel import Team, load, run_team, save, worker_count
from tools.tinymodel.shapes import TextShape
from tools.tinymodel.vocabulary import build_vocabulary
from tools.tinymodel.weights import Tensors, parameter_count

__all__ = ["Schedule", "train_text"]

_TOKENS = 3072
"""Tokens per worker and step."""
_CHECKPOINT_SECONDS = 180.0
_REPORT_EVERY = 25


@dataclass(frozen=True)
class Schedule:
    """Length of the training in seconds and peak learning rates.

    Warm-up, the first stage (`foundations`) and decay are shares of the time.
    """

    seconds: float
    matrix_rate: float = 4e-3
    other_rate: float = 3e-3
    warm_up: float = 0.02
    foundations: float = 0.3
    decay: float = 0.6

    def factor(self, progress: float) -> float:
        """Share of the peak rates: linear rise, plateau, linear fall to zero."""
        return max(0.0, min(1.0, (progress + 1e-3) / self.warm_up, (1 - progress) / self.decay))


@dataclass(frozen=True)
class Plan:
    """What every worker of a training knows. `target` is the file of the checkpoints and of the result."""

    shape: TextShape
    schedule: Schedule
    seed: int
    target: Path


def train_text(shape: TextShape, start: Tensors, *, schedule: Schedule, seed: int, target: Path) -> Tensors:
    """Train from `start`; the tensors are written to `target` (`.npz`) every few minutes and given back at the end.

    Batches depend on the seed, the step and the number of workers alone; progress goes to standard error.
    """
    print(f"{parameter_count(start):,} parameters, {worker_count()} workers", file=sys.stderr, flush=True)
    save(target, start)
    run_team(_work, Plan(shape, schedule, seed, target))
    return load(target)


def _work(team: Team, plan: Plan) -> None:
    start = load(plan.target)
    parameters = {name: torch.from_numpy(value).to(team.device).requires_grad_() for name, value in start.items()}
    optimizer = Optimizer(parameters, worker=team.worker, workers=team.workers)
    vocabulary = build_vocabulary(plan.shape.vocabulary)
    begun = saved = time.monotonic()
    recent: list[tuple[float, float]] = []
    step, progress = 0, 0.0
    while progress < 1:
        facts = [(time.monotonic() - begun) / plan.schedule.seconds, 0.0, 0.0]
        seed = plan.seed + step * team.workers + team.worker
        lesson = foundation if progress < plan.schedule.foundations else any_conversation
        for batch in pack(vocabulary, seed, lesson, tokens=_TOKENS, width=plan.shape.width):
            value = loss(plan.shape, parameters, Batch(*(tensor.to(team.device) for tensor in batch)))
            value.backward()  # type: ignore[no-untyped-call]
            facts[1] += value.item()
            facts[2] += batch.weight.sum().item()
        gradients, (progress, surprise, total) = team.sum(parameters, facts)
        progress /= team.workers
        factor = plan.schedule.factor(progress)
        rates = factor * plan.schedule.matrix_rate, factor * plan.schedule.other_rate
        recent.append((surprise / total, team.step(optimizer, gradients, total, rates)))
        step += 1
        now = time.monotonic()
        if team.leads and step % _REPORT_EVERY == 0:
            means = " ".join(f"{mean:.3f}" for mean in np.mean(recent[-_REPORT_EVERY:], axis=0))
            print(f"step {step}: loss and gradient {means}, {now - begun:.0f} s", file=sys.stderr, flush=True)
        if team.leads and now - saved > _CHECKPOINT_SECONDS:
            save(plan.target, parameters)
            saved = now
    if team.leads:
        save(plan.target, parameters)
