"""What is measured of a picture and of the model's answer to it, to be held against the reference. No I/O."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

__all__ = ["PIXEL_CHANNELS", "answer_scores", "blockiness", "fine_features", "pixel_scores"]

PIXEL_CHANNELS: Final = (
    "brightness",
    "contrast",
    "colour",
    "darkest",
    "sharpness",
    "noise",
    "blockiness",
    "size",
)
_TINY: Final = 0.1  # of 255: what a difference of pixels is rounded by, more or less
_GRID: Final = 8
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)


def pixel_scores(images: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Measure pictures.

    Args:
        images: uint8 (N, H, W, 3), as they were captured: of the same size, at least 3 by 3.

    Returns:
        By channel float64 (N,). Of the luma, 0 to 255: ``brightness``, its mean; ``contrast``, its deviation;
        ``darkest``, its 2nd percentile, which fog lifts; ``sharpness``, the logarithm of the mean second difference;
        ``noise``, that of the smaller ones (their lower quartile), which edges hardly touch; ``blockiness``, the
        logarithm of how much larger the steps are across the 8 by 8 grid of JPEG than beside it. ``colour``: the mean
        spread of red, green and blue. ``size``: the logarithm of the pixels.
    """
    n, height, width, _ = images.shape
    luma = images @ _LUMA
    flat = luma.reshape(n, -1)
    second = np.abs(_second_difference(luma)).reshape(n, -1)
    spread = images.max(3).astype(np.float64) - images.min(3)
    return {
        "brightness": flat.mean(1, dtype=np.float64),
        "contrast": flat.std(1, dtype=np.float64),
        "colour": spread.mean((1, 2)),
        "darkest": np.quantile(flat, 0.02, axis=1).astype(np.float64),
        "sharpness": np.log(second.mean(1, dtype=np.float64) + _TINY),
        "noise": np.log(np.quantile(second, 0.25, axis=1).astype(np.float64) + _TINY),
        "blockiness": _blockiness(luma),
        "size": np.full(n, np.log(height * width)),
    }


def blockiness(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The channel ``blockiness`` alone, of pictures of any size; 0 where they are too small to have a grid."""
    return _blockiness(images @ _LUMA)


def answer_scores(probabilities: NDArray[np.floating[Any]]) -> dict[str, NDArray[Any]]:
    """Measure the model's answers.

    Args:
        probabilities: (N, K).

    Returns:
        By channel: ``class``, int64 (N,), the likeliest; ``confidence``, the logarithm of the odds of the likeliest
        against the second. Of two labels also ``log odds`` of the second, which tell more than the class.
    """
    logs = np.log(np.maximum(np.asarray(probabilities, np.float64), 1e-12))
    best = np.sort(logs, axis=1)
    found: dict[str, NDArray[Any]] = {
        "class": logs.argmax(1).astype(np.int64),
        "confidence": best[:, -1] - best[:, -2],
    }
    if logs.shape[1] == 2:
        found["log odds"] = logs[:, 1] - logs[:, 0]
    return found


def fine_features(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What learned channels look at besides the embedding.

    Args:
        images: uint8 (N, H, W, 3), of the same size, at least 16 by 16.

    Returns:
        float64 (N, F): the pixel channels but size, the logarithms of the mean strengths of the 64 frequencies of 8 by
        8 blocks, those of the contrast in each corner and at each edge, and how gradients spread over 8 directions.
    """
    n, height, width, _ = images.shape
    luma = images @ _LUMA
    rows, columns = height // _GRID, width // _GRID
    blocks = luma[:, : rows * _GRID, : columns * _GRID].reshape(n, rows, _GRID, columns, _GRID)
    strengths = np.abs(dctn(blocks, axes=(2, 4), norm="ortho")).mean((1, 3)).reshape(n, -1)
    high, wide = height // _GRID, width // _GRID
    parts = (
        luma[:, :high, :wide], luma[:, :high, -wide:], luma[:, -high:, :wide], luma[:, -high:, -wide:],
        luma[:, 0, :], luma[:, -1, :], luma[:, :, 0], luma[:, :, -1],
    )  # fmt: skip
    contrast = np.stack([part.reshape(n, -1).std(1) for part in parts], axis=1)
    scores = pixel_scores(images)
    return np.concatenate(
        [
            np.stack([scores[name] for name in PIXEL_CHANNELS if name != "size"], axis=1),
            np.log(strengths + _TINY),
            np.log(contrast + _TINY),
            _directions(luma),
        ],
        axis=1,
    ).astype(np.float64)


def _second_difference(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """A constant, a slope and a straight edge along an axis give 0 (the mask of Immerkaer 1996)."""
    across = luma[:, :, 2:] - 2 * luma[:, :, 1:-1] + luma[:, :, :-2]
    both: NDArray[np.float32] = across[:, 2:] - 2 * across[:, 1:-1] + across[:, :-2]
    return both


def _blockiness(luma: NDArray[np.float32]) -> NDArray[np.float64]:
    on, beside = np.zeros(len(luma)), np.zeros(len(luma))
    for turned in (luma, luma.transpose(0, 2, 1)):
        steps = np.abs(np.diff(turned, axis=2)).mean(1, dtype=np.float64)
        grid = np.arange(1, steps.shape[1] + 1) % _GRID == 0
        if grid.any():
            on += steps[:, grid].mean(1)
            beside += steps[:, ~grid].mean(1)
    ratio: NDArray[np.float64] = (on + _TINY) / (beside + _TINY)
    return np.log(ratio)


def _directions(luma: NDArray[np.float32]) -> NDArray[np.float64]:
    across = luma[:, 1:-1, 2:] - luma[:, 1:-1, :-2]
    down = luma[:, 2:, 1:-1] - luma[:, :-2, 1:-1]
    strength = np.hypot(across, down).reshape(len(luma), -1)
    sector = ((np.arctan2(down, across) / np.pi * 8 + 0.5) % 8).astype(int).reshape(len(luma), -1)
    sums = np.stack([(strength * (sector == k)).sum(1) for k in range(8)], axis=1).astype(np.float64)
    shares: NDArray[np.float64] = (sums + 1) / (sums.sum(1, keepdims=True) + 8)
    return np.log(shares)
