"""Streams of measured pictures, and when the detector alarms in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from drift_world import Measured
from numpy.typing import NDArray

from scones.monitoring.drift.reference import DriftReference
from scones.monitoring.drift.sequential import WatchPlan
from scones.monitoring.drift.sought import Search
from scones.monitoring.drift.wealth import Bets, Wealth

__all__ = ["BEFORE", "LONGEST", "Streams", "alarms_at", "drifting", "summed_up"]

BEFORE, LONGEST = 300, 2_000
"""Healthy pictures at the start of a stream that drifts, and how many it drifts for."""
_AT_ONCE: Final = 50


@dataclass(frozen=True)
class Streams:
    """Streams drawn from measured pictures.

    Attributes:
        measured: M pictures.
        rows: (n, T), which of them come, in each stream.
        phases: (M,), of a cycle, of each picture; zeros where there is none.
    """

    measured: Measured
    rows: NDArray[np.int64]
    phases: NDArray[np.int64]

    @classmethod
    def of(cls, measured: Measured, rows: NDArray[np.int64], phases: NDArray[np.int64] | None = None) -> Self:
        """Streams; without phases, of no cycle."""
        count = len(measured["embedding"])
        return cls(measured, rows, np.zeros(count, np.int64) if phases is None else phases)


def drifting(
    rng: np.random.Generator, n: int, healthy: NDArray[np.int64], changed: NDArray[np.int64], share: float = 1.0
) -> NDArray[np.int64]:
    """Rows of n streams (n, T) that begin with healthy pictures, and then a share of the pictures is changed."""
    rows = healthy[rng.integers(len(healthy), size=(n, BEFORE + LONGEST))]
    drift = rng.random(rows.shape) < share
    drift[:, :BEFORE] = False
    rows[drift] = changed[rng.integers(len(changed), size=int(drift.sum()))]
    return rows


def alarms_at(reference: DriftReference, streams: Streams, *, phased: bool = False) -> NDArray[np.float64]:
    """When each stream first alarms: number of the picture, from 0; infinite where it does not.

    It is what :class:`scones.monitoring.drift.sequential.Detector` does, for many streams at once.
    """
    plan, parts = WatchPlan(), len(reference.parts)
    wealth = Wealth(Bets.against(reference, plan.horizon, plan.delta), streams.rows.shape[:1])
    phases = streams.phases if phased else np.zeros_like(streams.phases)
    standing = reference.places(streams.measured, phase=phases if phased else None)
    searches = [Search(sought) for sought in reference.sought.values() for _ in streams.rows]
    found = np.full(len(streams.rows), np.inf)
    for start in range(0, streams.rows.shape[1], _AT_ONCE):
        rows = streams.rows[:, start : start + _AT_ONCE]
        places = standing[rows]
        for stream in np.flatnonzero(np.isinf(found)):
            own = rows[stream]
            bins = searches[stream].places(streams.measured["embedding"][own], phases[own])
            places[stream, :, -1] = np.where(bins < 0, -1, bins * parts + phases[own])
        for step in range(rows.shape[1]):
            wealth.add(places[:, step])
            new = (wealth.evidence().max(1) >= plan.alarm_line) & np.isinf(found)
            found[new] = start + step
        if np.isfinite(found).all():
            break
    return found


def summed_up(found: NDArray[np.float64]) -> dict[str, Any]:
    """Delays from when each stream alarmed: the first picture that drifted is 1.

    Streams that alarmed before are left out. The interval of the median is between two order statistics, at 95 %.
    """
    delays = np.sort(found[found >= BEFORE]) - BEFORE + 1
    n = len(delays)
    if not n:
        return {"median": None, "streams": 0, "alarmed_before": len(found)}
    off = 0.98 * np.sqrt(n)
    ends = [delays[max(0, int(np.floor(n / 2 - off)))], delays[min(n - 1, int(np.ceil(n / 2 + off)))]]
    quantiles = np.quantile(delays, [0.05, 0.5, 0.95], method="lower")
    low, middle, high, *interval = (float(one) if np.isfinite(one) else None for one in (*quantiles, *ends))
    return {
        "median": middle, "interval": interval, "5%": low, "95%": high, "streams": n, "alarmed_before": len(found) - n,
    }  # fmt: skip
