"""Trains the vision tower alone.

Its soft tokens shall be the codes of what the picture shows: squared distance to them, and cross entropy over the
values of every slot by similarity.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from tools.tinymodel.muon import Optimizer
from tools.tinymodel.parallel import Team, load, run_team, save
from tools.tinymodel.shapes import VisionShape
from tools.tinymodel.vision.codes import SLOT_COUNT, SLOTS, code_vectors, slot_values
from tools.tinymodel.vision.pool import draw_pool, fresh_pictures
from tools.tinymodel.vision.tower import soft_tokens
from tools.tinymodel.weights import Tensors

if TYPE_CHECKING:
    from tools.tinymodel.vision.scene import Scene

__all__ = ["accuracies", "read_slots", "train_vision"]

_MATRIX_RATE = 3e-3
_OTHER_RATE = 2e-3
_WARMUP_SHARE = 0.02
_FLAT_SHARE = 0.4
_LAST_RATE = 0.01
_SHARPNESS = 12.0
_EMPHASIS = {3: 2.0, 5: 3.0}
"""Slots that weigh more than 1 in the loss: the shape and the first character."""
_EMPTY_WEIGHT = 0.3
_BATCH = 48
"""Pictures per worker and step."""
_POOL = 24_000
"""Masks that each worker draws before it starts."""
_EXAM_SIZE = 500
_REPORT_SECONDS = 120.0
_BLOCK_SCALE = 0.4


def targets(scenes: list[Scene]) -> torch.Tensor:
    """Index of each slot's value, (scenes, slots)."""
    places = [{value: index for index, value in enumerate(values)} for values in SLOTS]
    return torch.tensor(
        [[place[value] for place, value in zip(places, slot_values(scene), strict=True)] for scene in scenes]
    )


class Reader:
    """Similarities of soft tokens to all codes, in one padded array, and what the slots weigh in the loss."""

    def __init__(self, width: int, device: torch.device) -> None:
        codes = code_vectors(width)
        most = max(len(values) for values in codes)
        self.codes = torch.zeros(len(codes), most, width)
        self.closed = torch.ones(len(codes), most, dtype=torch.bool)
        for slot, values in enumerate(codes):
            self.codes[slot, : len(values)] = torch.from_numpy(values)
            self.closed[slot, : len(values)] = False
        self.codes, self.closed = self.codes.to(device), self.closed.to(device)
        self._emphasis = torch.tensor([_EMPHASIS.get(slot, 1.0) for slot in range(SLOT_COUNT)], device=device)
        self._may_be_empty = torch.tensor([values[0] == "" for values in SLOTS], device=device)

    def logits(self, tokens: torch.Tensor) -> torch.Tensor:
        """(batch, slots, values); values that a slot does not have are minus infinity."""
        similarity = torch.einsum("bsw,svw->bsv", tokens, self.codes) * (_SHARPNESS / tokens.shape[-1])
        return similarity.masked_fill(self.closed, -math.inf)

    def emphasis(self, wanted: torch.Tensor) -> torch.Tensor:
        """The weight of each slot in the loss for value indices (batch, slots), 1 on average.

        Most slots of most pictures are empty, which is learned soon and would drown the rest: a digit is one of 16.
        """
        weights = self._emphasis.where(~(self._may_be_empty & (wanted == 0)), _EMPTY_WEIGHT)
        return weights / weights.mean()

    def ideal(self, wanted: torch.Tensor) -> torch.Tensor:
        """The codes of value indices, (batch, slots, width)."""
        return self.codes[torch.arange(self.codes.shape[0]), wanted]


def read_slots(
    weights: dict[str, torch.Tensor], pixels: torch.Tensor, shape: VisionShape, text_width: int
) -> torch.Tensor:
    """The most similar value of every slot, (pictures, slots)."""
    device = weights["v.patch_embd.bias"].device
    reader = Reader(text_width, device)
    with torch.no_grad():
        parts = [soft_tokens(part.to(device), weights, shape) for part in pixels.split(64)]
        return torch.cat([reader.logits(part).argmax(-1) for part in parts]).cpu()


def accuracies(found: torch.Tensor, scenes: list[Scene]) -> dict[str, tuple[float, int]]:
    """Share of right answers by what is asked, and over how many pictures."""
    right = (found == targets(scenes)).numpy()
    groups: dict[str, list[bool]] = {}
    for scene, ok in zip(scenes, right, strict=True):
        groups.setdefault("kind", []).append(bool(ok[0]))
        if scene.kind == "plain":
            groups.setdefault("plain color", []).append(bool(ok[1]))
        elif scene.kind == "shapes":
            groups.setdefault("shape color", []).append(bool(ok[1]))
            groups.setdefault("shape", []).append(bool(ok[3]))
            groups.setdefault("count 1-5" if scene.count <= 5 else "count 6-9", []).append(bool(ok[4]))
        elif scene.kind == "text":
            groups.setdefault("text color", []).append(bool(ok[1]))
            name = "word" if scene.text.isalpha() else "digit" if len(scene.text) == 1 else "number"
            groups.setdefault(name, []).append(bool(ok[5:].all()))
        if scene.background:
            groups.setdefault("background", []).append(bool(ok[2]))
    return {name: (sum(oks) / len(oks), len(oks)) for name, oks in sorted(groups.items())}


@dataclass(frozen=True)
class Plan:
    """What every worker of a training knows. `target` is the file of the checkpoints and of the result."""

    shape: VisionShape
    text_width: int
    seconds: float
    seed: int
    target: Path


def train_vision(
    shape: VisionShape, start: Tensors, *, text_width: int, seconds: float, seed: int, target: Path
) -> Tensors:
    """Train from `start`; the tensors are written to `target` (`.npz`) now and then and given back at the end.

    Progress, with the share of right slots on fresh pictures, goes to standard error.
    """
    small = ("attn_out.weight", "ffn_down.weight")
    save(
        target,
        {name: value * np.float32(_BLOCK_SCALE) if name.endswith(small) else value for name, value in start.items()},
    )
    run_team(_work, Plan(shape, text_width, seconds, seed, target))
    return load(target)


def _rate(progress: float) -> float:
    """Share of the peak rates: warm up, stay, and fall along a cosine."""
    if progress < _WARMUP_SHARE:
        return (progress + 1e-3) / _WARMUP_SHARE
    if progress < _FLAT_SHARE:
        return 1.0
    fall = min(1.0, (progress - _FLAT_SHARE) / (1 - _FLAT_SHARE))
    return _LAST_RATE + (1 - _LAST_RATE) * (1 + math.cos(math.pi * fall)) / 2


def _work(team: Team, plan: Plan) -> None:
    shape = plan.shape
    pool = draw_pool(_POOL, shape.image, plan.seed * team.workers + team.worker, 1)
    start = load(plan.target)
    weights = {name: torch.from_numpy(value).to(team.device).requires_grad_() for name, value in start.items()}
    optimizer = Optimizer(weights, worker=team.worker, workers=team.workers)
    reader = Reader(plan.text_width, team.device)
    begun = reported = time.monotonic()
    progress, step, losses = 0.0, 0, np.zeros(2)
    while progress < 1:
        pixels, scenes = pool.batch(_BATCH)
        wanted = targets(scenes).to(team.device)
        tokens = soft_tokens(torch.from_numpy(pixels).to(team.device), weights, shape)
        weighed = reader.emphasis(wanted)
        distance = ((tokens - reader.ideal(wanted)).square().mean(-1) * weighed).mean()
        surprises = functional.cross_entropy(reader.logits(tokens).flatten(0, 1), wanted.flatten(), reduction="none")
        surprise = (surprises * weighed.flatten()).mean()
        (distance + 2 * surprise).backward()  # type: ignore[no-untyped-call]
        facts = [(time.monotonic() - begun) / plan.seconds, distance.item(), surprise.item()]
        gradients, (progress, *told) = team.sum(weights, facts)
        progress /= team.workers
        losses += told
        step += 1
        team.step(optimizer, gradients, team.workers, (_rate(progress) * _MATRIX_RATE, _rate(progress) * _OTHER_RATE))
        if team.leads and (time.monotonic() - reported > _REPORT_SECONDS or progress >= 1):
            means = " ".join(f"{mean / step / team.workers:.3f}" for mean in losses)
            _report(plan, weights, f"step {step}: mean losses so far {means}, {time.monotonic() - begun:.0f} s")
            save(plan.target, weights)
            reported = time.monotonic()


def _report(plan: Plan, weights: dict[str, torch.Tensor], title: str) -> None:
    pixels, scenes = fresh_pictures(_EXAM_SIZE, plan.shape.image, plan.seed)
    found = accuracies(read_slots(weights, torch.from_numpy(pixels), plan.shape, plan.text_width), scenes)
    shares = ", ".join(f"{name} {100 * share:.0f} %" for name, (share, _) in found.items())
    print(f"{title}: {shares}", file=sys.stderr, flush=True)
