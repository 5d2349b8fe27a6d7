"""Two models on the same recent pictures: which does better, and whether both see the same drift."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from scones.intervals import share_interval
from scones.monitoring.drift.sequential import Detector, WatchPlan
from scones.monitoring.quality.accuracy import accuracy_from_confidence
from scones.monitoring.watch.comparison import Comparison
from scones.monitoring.watch.health import Health, Measured, health_of
from scones.monitoring.watch.recent import Recent
from scones.monitoring.watch.records import Estimate
from scones.monitoring.watch.scoring import phase_at
from scones.staging.source import Progress, no_progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scones.store import Bucket

__all__ = ["Sight", "compare", "sees_same_drift", "sight_of"]

_LEAST: Final = 50
"""Pictures with fewer of which nobody can tell whether a model sees a drift."""
_EASILY, _SURELY = 0.2, 0.05
"""Most that the probability may be of seeing a drift in as many healthy pictures."""
_ANSWERS_A_STRATUM: Final = 5
_STRATA: Final = 5


@dataclass(frozen=True)
class Sight:
    """What a model makes of the recent pictures: its health, and what was measured of them."""

    health: Health
    measured: Measured

    @property
    def answers(self) -> NDArray[np.str_]:
        """(N,), the likeliest labels."""
        found: NDArray[np.str_] = np.array(self.health.labels)[self.measured.probabilities.argmax(1)]
        return found

    @property
    def confidence(self) -> NDArray[np.float32]:
        """(N,), how sure it is of them, 0 to 1."""
        found: NDArray[np.float32] = self.measured.probabilities.max(1)
        return found


def sight_of(bucket: Bucket, task: str, version: str, recent: Recent, report: Progress = no_progress) -> Sight:
    """Measure the recent pictures with a model; where its health is not known yet, that is fitted first.

    Raises:
        BundleError: the model is missing or damaged.
        ObjectMissing, TrainingError: its health cannot be fitted, see :func:`scones.monitoring.watch.health.health_of`.
    """
    from scones.registry import load_model

    health = health_of(bucket, task, version, report)
    return Sight(health, health.measure(load_model(bucket, task, version), recent.images))


def compare(model: Sight, production: Sight, recent: Recent, *, chance: float) -> Comparison:
    """Hold a model against production.

    Only the pictures that the two answer differently tell them apart. People do not judge just any of them, but rather
    those that production is not sure of, so they are weighted: by strata of production's confidence, within which it
    is taken as chance which ones they judge.

    Args:
        model, production: on the same pictures.
        recent: these.
        chance: the probability, at most, that the interval of ``preferred`` misses the truth.
    """
    latest, n = recent.latest, int(recent.latest.sum())
    if not n:
        return Comparison(model.health.version)
    alike = model.answers == production.answers
    health, measured = model.health, model.measured
    chance_of_right = health.right_chance.of(measured.probabilities[latest], measured.embeddings[latest])
    believed = accuracy_from_confidence(chance_of_right, health.chance, health.correct)
    return Comparison(
        model.health.version,
        pictures=n,
        agreement=float(alike[latest].mean()),
        outside=float(model.measured.outside[latest].mean()),
        production_outside=float(production.measured.outside[latest].mean()),
        preferred=_preferred(model, production, recent, chance),
        accuracy=Estimate(share=believed.estimate, low=believed.low, high=believed.high, warning=believed.warning),
    )


def sees_same_drift(before: Sight, production: Sight, recent: Recent, began: datetime | None) -> bool | None:
    """Say whether the model before sees a drift in the pictures that production sees one in.

    A detector of its own is shown the same pictures. It sees the drift where it finds more than luck gives in one of
    five healthy streams of this length; that is easily said, as the answer "no" may end in a rollback. And "no" counts
    only where the same pictures are enough for a detector of production, begun anew, to find the drift again, at one
    in twenty.

    Args:
        before: the model before; ``production``: the present one.
        recent: the pictures.
        began: when the drift began; None where production sees none, and harm is known from people's answers.

    Returns:
        Whether it sees it; None where nobody can tell.
    """
    since = -math.inf if began is None else began.timestamp()
    part = np.flatnonzero(recent.latest & (recent.times >= since))
    if len(part) < _LEAST:
        return None
    if _drifted(before, recent, part, _EASILY):
        return True
    return False if began is None or _drifted(production, recent, part, _SURELY) else None


def _drifted(sight: Sight, recent: Recent, part: NDArray[np.int64], false_alarms: float) -> bool:
    scores: dict[str, NDArray[Any]] = {name: values[part] for name, values in sight.measured.scores.items()}
    reference = sight.health.reference
    detector = Detector(reference, WatchPlan(horizon=len(part), false_alarms=false_alarms))
    return detector.add(detector.places(scores, phase_at(reference, recent.times[part])))


def _preferred(model: Sight, production: Sight, recent: Recent, chance: float) -> Estimate | None:
    """Of disputed pictures, the share where the model is right; its interval counts what the weights cost (Kish)."""
    disputed = model.answers != production.answers
    truth = np.array([label or "" for label in recent.truth])
    right, wrong = disputed & (model.answers == truth), disputed & (production.answers == truth)
    judged = right | wrong
    if not judged.any():
        return None
    confidence, among = production.confidence, disputed & recent.latest
    if not among.any():
        among = disputed
    strata = max(1, min(_STRATA, int(judged.sum()) // _ANSWERS_A_STRATUM))
    edges = np.quantile(confidence[among], np.arange(1, strata) / strata)
    stratum = np.searchsorted(edges, confidence, side="right")
    known = np.unique(stratum[judged])  # one without answers goes with the next below that has some, or the first
    stratum = np.maximum(np.searchsorted(known, stratum, side="right") - 1, 0)
    sizes, counts = (np.bincount(stratum[each], minlength=len(known)) for each in (among, judged))
    weight = sizes / sizes.sum()
    share = float((weight * np.bincount(stratum[right], minlength=len(known)) / counts).sum())
    worth = int(1 / (weight**2 / counts).sum() + 1e-9)
    level = 1 - chance
    return Estimate(
        share=min(share, 1.0),
        low=share_interval(max(0, math.floor(share * worth + 1e-9)), worth, level)[0],
        high=share_interval(min(worth, math.ceil(share * worth - 1e-9)), worth, level)[1],
        answers=int(judged.sum()),
    )
