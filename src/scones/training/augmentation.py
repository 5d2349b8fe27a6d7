"""Pictures as they might have been: what a network sees while it learns. Needs the ``train`` extra (torch)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

__all__ = ["augment", "shift_and_mirror"]

_PHOTOGRAPH = 65
"""From this side on, in pixels, a picture has detail enough to be looked at more closely."""
_CLOSEST = 0.7
"""The smallest share of a photograph's side that is looked at."""


def augment(x: Any, rng: np.random.Generator) -> Any:
    """Shift each picture by up to an eighth of its side, mirror half of them, and zoom into photographs.

    Args:
        x: uint8 (N, H, W, 3).
        rng: decides.

    Returns:
        uint8 (N, H, W, 3).
    """
    mirrored = torch.from_numpy(rng.random(len(x)) < 0.5).to(x.device)
    shifted = shift_and_mirror(x, mirrored, rng)
    if x.shape[1] >= _PHOTOGRAPH:
        shifted = _zoom(shifted, rng)
    return shifted.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def shift_and_mirror(x: Any, mirrored: Any, rng: np.random.Generator) -> Any:
    """Shift each picture by up to an eighth of its side, its edges reflected, and mirror some (Jordan 2024).

    Args:
        x: uint8 (N, H, W, 3).
        mirrored: bool (N,).
        rng: for the shifts.

    Returns:
        float32 (N, 3, H, W), 0 to 255.
    """
    n, height, width, _ = x.shape
    far = min(height, width) // 8
    padded = torch.nn.functional.pad(x.permute(0, 3, 1, 2).float(), (far, far, far, far), mode="reflect")
    dy, dx = torch.from_numpy(rng.integers(0, 2 * far + 1, (2, n))).to(x.device)
    columns = torch.arange(width, device=x.device).expand(n, width)
    columns = torch.where(mirrored[:, None], width - 1 - columns, columns) + dx[:, None]
    rows = torch.arange(height, device=x.device).expand(n, height) + dy[:, None]
    which = torch.arange(n, device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()


def _zoom(x: Any, rng: np.random.Generator) -> Any:
    """Show a part of each picture, float32 (N, 3, H, W), in its full size."""
    scale = torch.from_numpy(rng.uniform(_CLOSEST, 1, len(x)).astype(np.float32)).to(x.device)
    theta = torch.zeros((len(x), 2, 3), device=x.device)
    theta[:, 0, 0] = theta[:, 1, 1] = scale
    grid = torch.nn.functional.affine_grid(theta, list(x.shape), align_corners=False)
    return torch.nn.functional.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
