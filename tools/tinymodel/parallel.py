"""Training on several processor cores: one process per core with one thread, gradients summed after every step.

Small matrices gain little from several threads, and twice the batches from two processes. Where there is a GPU, one
process uses it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch import distributed as dist
from torch import multiprocessing as mp

from tools.tinymodel.muon import Optimizer
from tools.tinymodel.weights import Tensors

__all__ = ["Team", "load", "run_team", "save", "worker_count"]

_CLIP = 1.0

Plan = TypeVar("Plan")


@dataclass(frozen=True)
class Team:
    """One worker's view of all."""

    worker: int
    workers: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """This worker reports and saves."""
        return self.worker == 0

    def sum(self, parameters: Mapping[str, Tensor], facts: list[float]) -> tuple[dict[str, Tensor], list[float]]:
        """Gradients and `facts` summed over all workers; the parameters' own gradients are cleared."""
        pieces = [torch.tensor(facts, dtype=torch.float32, device=self.device)]
        for value in parameters.values():
            pieces.append((torch.zeros_like(value) if value.grad is None else value.grad).flatten())
            value.grad = None
        flat = self._reduced(torch.cat(pieces))
        return _parts(flat[len(facts) :], parameters), flat[: len(facts)].tolist()

    def step(
        self, optimizer: Optimizer, gradients: dict[str, Tensor], total: float, rates: tuple[float, float]
    ) -> float:
        """Divide the summed gradients by `total`, bound their norm and change the parameters.

        `rates` are the learning rates of the matrices and of the rest. Gives back the norm.
        """
        norm = torch.stack([gradient.norm() for gradient in gradients.values()]).norm().item() / total
        factor = min(1.0, _CLIP / (norm + 1e-9)) / total
        for gradient in gradients.values():
            gradient.mul_(factor)
        directions = optimizer.directions(gradients)
        flat = self._reduced(torch.cat([direction.flatten() for direction in directions.values()]))
        optimizer.step(gradients, _parts(flat, directions), *rates)
        return norm

    def _reduced(self, flat: Tensor) -> Tensor:
        if self.workers > 1:
            dist.all_reduce(flat)
        return flat


def worker_count() -> int:
    """Processes that a training should use here."""
    return 1 if torch.cuda.is_available() else torch.get_num_threads()


def run_team(work: Callable[[Team, Plan], None], plan: Plan) -> None:
    """Run `work(team, plan)` in every worker; it must be a function of a module."""
    workers = worker_count()
    if workers == 1:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        work(Team(0, 1, device), plan)
        return
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(_join, (work, plan, workers, f"file://{folder}/meet"), nprocs=workers)


def _join(worker: int, work: Callable[[Team, Plan], None], plan: Plan, workers: int, meeting: str) -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    dist.init_process_group("gloo", init_method=meeting, rank=worker, world_size=workers)
    work(Team(worker, workers, torch.device("cpu")), plan)
    dist.barrier()
    dist.destroy_process_group()


def _parts(flat: Tensor, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    parts = flat.split([value.numel() for value in like.values()])
    return {name: part.view(value.shape) for (name, value), part in zip(like.items(), parts, strict=True)}


def save(path: Path, tensors: Mapping[str, Tensor] | Tensors) -> None:
    """Write tensors as an npz file; a half-written file never stands under the name."""
    part = path.with_suffix(".part.npz")
    arrays = {
        name: value.detach().cpu().numpy() if isinstance(value, Tensor) else value for name, value in tensors.items()
    }
    np.savez(part, allow_pickle=False, **arrays)
    part.replace(path)


def load(path: Path) -> Tensors:
    """The tensors of an npz file."""
    with np.load(path) as found:
        return dict(found)
