"""The optimizer of the backbones' convolutions. Needs the ``train`` extra (torch)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

__all__ = ["Muon"]


class Muon(torch.optim.Optimizer):
    """Momentum whose step is made orthogonal, on weights of constant norm (Jordan et al. 2024).

    ``torch.optim.Muon`` takes matrices alone; this one takes convolutions (as matrices of output channels by
    everything else) and keeps each weight's norm at the square root of its output channels, so that the
    learning rate is relative.
    """

    def __init__(self, params: Iterable[torch.Tensor], lr: float, momentum: float = 0.6) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    def step(self, closure: Any = None) -> None:  # noqa: ARG002 - torch's signature
        """Take one step."""
        with torch.no_grad():
            for group in self.param_groups:
                for weight in group["params"]:
                    state = self.state[weight]
                    if "momentum" not in state:
                        state["momentum"] = torch.zeros_like(weight)
                    state["momentum"].mul_(group["momentum"]).add_(weight.grad)
                    step = weight.grad.add(state["momentum"], alpha=group["momentum"])
                    weight.mul_(len(weight) ** 0.5 / weight.norm())
                    weight.add_(_orthogonal(step.flatten(1)).view_as(weight), alpha=-group["lr"])


def _orthogonal(matrix: torch.Tensor, steps: int = 3) -> torch.Tensor:
    """About the nearest orthogonal matrix, by a quintic Newton-Schulz iteration, for which bfloat16 is enough."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = (wide / (wide.norm() + 1e-7)).bfloat16()
    for _ in range(steps):
        gram = wide @ wide.T
        wide = 3.4445 * wide + (-4.7750 * gram + 2.0315 * gram @ gram) @ wide
    wide = wide.float()
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T
