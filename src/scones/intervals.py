"""How far a share that was counted may be from the truth."""

from __future__ import annotations

__all__ = ["share_interval"]


def share_interval(hits: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided confidence interval of a share (Clopper & Pearson 1934).

    Args:
        hits: 0 to ``n``.
        n: how many were looked at; none tells nothing, and the interval is all of 0 to 1.
        confidence: 0 to 1.

    Example:
        >>> [round(end, 3) for end in share_interval(9, 10)]
        [0.555, 0.997]
    """
    from scipy.special import betaincinv

    if not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n} is no share")
    tail = (1 - confidence) / 2
    low = float(betaincinv(hits, n - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, n - hits, 1 - tail)) if hits < n else 1.0
    return low, high
