"""Weights that follow a network's while it learns, and answer better than they. Needs the ``train`` extra (torch)."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["follow"]


def follow(average: nn.Module, network: nn.Module, *, keep: float) -> None:
    """Move averaged weights a step towards the current ones (Polyak & Juditsky 1992).

    Args:
        average: of the same architecture; changed.
        network: what it follows.
        keep: share of the old average that stays, 0 to 1.
    """
    with torch.no_grad():
        for old, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if old.dtype.is_floating_point:
                old.lerp_(new, 1 - keep)
            else:
                old.copy_(new)
