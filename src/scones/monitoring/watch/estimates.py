"""How good the answers of the latest pictures are, and of what: as a look writes it down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scones.monitoring.quality.accuracy import accuracy_from_confidence
from scones.monitoring.quality.label_shift import class_mix
from scones.monitoring.watch.records import Estimate, MixShare

if TYPE_CHECKING:
    from scones.monitoring.watch.health import Health
    from scones.monitoring.watch.window import Window

__all__ = ["estimates"]


def estimates(window: Window, health: Health) -> dict[str, Any]:
    """The fields of a look that need no people's answers: ``accuracy``, ``expected``, ``mix``, ``mix_warning``."""
    found: dict[str, Any] = {"expected": float(health.correct.mean())}
    if not len(window):
        return found
    chance = health.right_chance.of(window.probabilities, window.embeddings)
    accuracy = accuracy_from_confidence(chance, health.chance, health.correct)
    mix = class_mix(health.cells, window.probabilities)
    return {
        **found,
        "accuracy": Estimate(share=accuracy.estimate, low=accuracy.low, high=accuracy.high, warning=accuracy.warning),
        "mix": {
            label: MixShare(share=min(float(mix.share[k]), 1.0), low=float(mix.low[k]), high=float(mix.high[k]))
            for k, label in enumerate(health.labels)
        },
        "mix_warning": mix.warning,
    }
