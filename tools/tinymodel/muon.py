"""The optimizer: Muon for the matrices of the blocks, Adam for everything else.

Muon (Jordan et al. 2024) takes the momentum of a matrix, makes it nearly orthogonal by Newton-Schulz steps and scales
the result to the root mean square of an Adam update.
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor

__all__ = ["Optimizer"]

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_NEWTON_SCHULZ_STEPS = 5
_MOMENTUM = 0.95
_DECAY = 0.01
_ADAM_BETAS = (0.9, 0.98)
_SMALL = 1e-8


class Optimizer:
    """Keeps momenta of `parameters` and changes them in place.

    With several workers each one orthogonalizes its part of the matrices (`worker` of `workers`); `step` needs the
    sum over the workers.
    """

    def __init__(self, parameters: dict[str, Tensor], *, worker: int = 0, workers: int = 1) -> None:
        """Matrices are the two-dimensional tensors of blocks (`blk.*`, `v.blk.*`)."""
        shapes: defaultdict[tuple[int, ...], list[str]] = defaultdict(list)
        for name, value in parameters.items():
            if name.startswith(("blk.", "v.blk.")) and value.ndim > 1:
                shapes[tuple(value.shape)].append(name)
        self._parameters = parameters
        self._groups = list(shapes.values())
        self._worker, self._workers = worker, workers
        matrices = [name for group in self._groups for name in group]
        self._others = [name for name in parameters if name not in set(matrices)]
        self._momentum = {name: torch.zeros_like(parameters[name]) for name in matrices}
        self._first = {name: torch.zeros_like(parameters[name]) for name in self._others}
        self._second = {name: torch.zeros_like(parameters[name]) for name in self._others}
        self._steps = 0

    @torch.no_grad()
    def directions(self, gradients: dict[str, Tensor]) -> dict[str, Tensor]:
        """This worker's part of the matrices' update directions, zeros for the rest; momenta take the gradients in."""
        found: dict[str, Tensor] = {}
        for group in self._groups:
            pushed = []
            for name in group:
                momentum = self._momentum[name].lerp_(gradients[name], 1 - _MOMENTUM)
                pushed.append(gradients[name].lerp(momentum, _MOMENTUM))
            mine = slice(self._worker, None, self._workers)
            updates = torch.zeros(len(group), *pushed[0].shape, device=pushed[0].device)
            if group[mine]:
                updates[mine] = _orthogonalized(torch.stack(pushed[mine]))
            found |= dict(zip(group, updates, strict=True))
        return found

    @torch.no_grad()
    def step(
        self, gradients: dict[str, Tensor], directions: dict[str, Tensor], matrix_rate: float, other_rate: float
    ) -> None:
        """Change the parameters; `directions` are those of all workers together."""
        self._steps += 1
        for name, direction in directions.items():
            self._parameters[name].mul_(1 - matrix_rate * _DECAY).sub_(direction, alpha=matrix_rate)
        first_share, second_share = (1 - beta**self._steps for beta in _ADAM_BETAS)
        for name in self._others:
            gradient = gradients[name]
            first = self._first[name].lerp_(gradient, 1 - _ADAM_BETAS[0])
            second = self._second[name].lerp_(gradient.square(), 1 - _ADAM_BETAS[1])
            denominator = (second / second_share).sqrt_().add_(_SMALL)
            self._parameters[name].addcdiv_(first, denominator, value=-other_rate / first_share)


def _orthogonalized(updates: Tensor) -> Tensor:
    """Nearest semi-orthogonal matrices of a stack (N, rows, columns), scaled to a root mean square of about 0.2."""
    a, b, c = _NEWTON_SCHULZ
    tall = updates.shape[1] > updates.shape[2]
    x = updates.mT if tall else updates
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(_NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x) * (0.2 * max(updates.shape[1:]) ** 0.5)
