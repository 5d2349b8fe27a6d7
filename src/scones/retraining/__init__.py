"""Learn from what people said of captured pictures, and say whether the new model is to be promoted.

The names are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scones._lazy import lazily

_HOMES = {
    "Judged": "scones.retraining.judged",
    "Retrained": "scones.retraining.candidate",
    "judged_pictures": "scones.retraining.judged",
    "retrain": "scones.retraining.candidate",
}

__all__ = ["Judged", "Retrained", "judged_pictures", "retrain"]

if TYPE_CHECKING:
    from scones.retraining.candidate import Retrained, retrain
    from scones.retraining.judged import Judged, judged_pictures


if not TYPE_CHECKING:  # else every name that is asked for would be right
    __getattr__ = lazily(__name__, _HOMES)
