"""How two models do on the judged pictures that neither has learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scones.intervals import share_interval
from scones.training.comparison import paired_difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scones.classifier import Classifier
    from scones.retraining.judged import Judged

__all__ = ["OnNew", "measure_on_new"]


@dataclass(frozen=True)
class OnNew:
    """How two models do on the judged pictures that were held back. Shares are of the endpoint's pictures.

    Each picture counts by the inverse of its chance to be drawn, so that doubtful ones, which are drawn more often, do
    not count for more than their share; intervals are those of as many pictures as tell as much (Kish 1965).

    Attributes:
        pictures: held back; ``worth`` as many drawn at random.
        production, candidate: accuracies, 0 to 1, each with its 95 % interval.
        difference: candidate less production, with its 95 % interval.
    """

    pictures: int
    worth: float
    production: float
    production_interval: tuple[float, float]
    candidate: float
    candidate_interval: tuple[float, float]
    difference: float
    difference_interval: tuple[float, float]


def measure_on_new(
    production: Classifier, candidate: Classifier, held: Sequence[Judged], labels: tuple[str, ...]
) -> OnNew:
    """How two models do on pictures that neither has learned from.

    Args:
        production, candidate: the models.
        held: audited pictures, at least one.
        labels: of the task, in the order of the models' outputs.
    """
    truth = np.array([labels.index(one.label) for one in held])
    weight = np.array([one.weight for one in held], np.float64)
    weight /= weight.sum()
    worth = float(1 / (weight**2).sum())

    def right(model: Classifier) -> NDArray[np.bool_]:
        answers = np.array([model.classify([one.data])[0] for one in held]).argmax(1)
        return np.asarray(answers == truth)

    before, after = right(production), right(candidate)

    def share(of: NDArray[np.bool_]) -> float:
        return float(weight @ of)

    n = max(1, round(worth))
    both, only_before, only_after = (worth * share(of) for of in (before & after, before & ~after, after & ~before))
    low, high = paired_difference(both, only_before, only_after, worth)
    return OnNew(
        len(held),
        worth,
        share(before),
        share_interval(round(n * share(before)), n),
        share(after),
        share_interval(round(n * share(after)), n),
        share(after) - share(before),
        (low, high),
    )
