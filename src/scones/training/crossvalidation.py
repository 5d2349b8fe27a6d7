"""Measure what a task's pictures can teach when they are too few to set some aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

from scones.errors import TrainingError
from scones.staging.inspection import SPLITS
from scones.training.folds import group_numbers, grouped_folds
from scones.training.head import choose_penalty, fit_head
from scones.training.trainer import check_labels
from scones.training.views import look

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scones.staging import Dataset
    from scones.task import Task
    from scones.training.backbone import Backbone

__all__ = ["balanced_accuracy", "cross_validate"]

_DRAWS = 2000


def cross_validate(
    dataset: Dataset,
    task: Task,
    backbone: Backbone,
    *,
    folds: int = 5,
    repeats: int = 10,
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> dict[str, Any]:
    """Let every picture be answered by a model that saw neither it nor any other picture of the same thing.

    All pictures of the dataset take part, whatever their split. In each repeat they are parted anew into folds of
    whole groups; of each fold, a head is fitted on the others, and its penalty is chosen on those alone, again
    over whole groups. Nothing is chosen on a picture that it is measured on.

    Args:
        dataset: as :func:`scones.staging.load_dataset` gives it.
        task: its labels must be the dataset's; its view is the one that pictures are looked at with.
        backbone: the frozen part.
        folds: how many; fewer where there are fewer groups.
        repeats: how often.
        seed: of the folds.
        progress: called as the work goes on.

    Returns:
        ``balanced_accuracy`` (the mean recall of the labels, over all repeats), its ``interval`` (95 %, by
        drawing groups with replacement: other things of the same kind), the ``lowest`` and ``highest``
        repeat, ``recall`` a label, and ``pictures``: key, truth and ``right``, the share of repeats.

    Raises:
        TrainingError: the labels disagree, or a label has fewer than two groups.
    """
    check_labels(dataset, task)
    lines = [line for split in SPLITS for line in dataset.lines if line.split == split]
    labels, groups = np.array([line.label_index for line in lines], np.int64), group_numbers(lines)
    k = len(task.labels)
    for index, label in enumerate(task.labels):
        if (found := len(np.unique(groups[labels == index]))) < 2:
            raise TrainingError(
                f"{found} of the things in dataset {dataset.version} are of label {label}, but cross-validation needs "
                "two: stage more pictures"
            )
    seen = look(backbone, task.view)
    embeddings = np.concatenate([seen.embed(dataset.arrays(split, seen.size, progress)[0]) for split in SPLITS])
    folds = min(folds, len(np.unique(groups)))
    rng = np.random.default_rng(seed)
    answers = np.empty((repeats, len(labels), k))
    for repeat in range(repeats):
        fold = grouped_folds(labels, groups, folds, rng)
        for number in range(folds):
            out = fold == number
            inside = embeddings[~out], labels[~out], k
            penalty = choose_penalty(*inside, seed=seed, groups=groups[~out])
            answers[repeat, out] = softmax(fit_head(*inside, penalty).logits(embeddings[out]), axis=1)
            progress("cross-validating", repeat * folds + number + 1, repeats * folds)
    right = answers.argmax(2) == labels
    each = [balanced_accuracy(one, labels) for one in right]
    return {
        "task": task.name,
        "dataset": dataset.version,
        "backbone": backbone.name,
        "n": len(labels),
        "groups": len(np.unique(groups)),
        "folds": folds,
        "repeats": repeats,
        "balanced_accuracy": float(np.mean(each)),
        "interval": _interval(right.mean(0), labels, groups, rng),
        "lowest": min(each),
        "highest": max(each),
        "recall": {label: float(right[:, labels == index].mean()) for index, label in enumerate(task.labels)},
        "pictures": [
            {"key": line.source_ref, "origin": line.origin, "truth": line.label, "right": float(share)}
            for line, share in zip(lines, right.mean(0), strict=True)
        ],
    }


def balanced_accuracy(right: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """The mean over the labels of the share of their pictures that are right.

    Args:
        right: (N,), bool, or a share of each picture's own.
        labels: (N,).

    Example:
        >>> balanced_accuracy(np.array([True, True, True, False]), np.array([0, 0, 0, 1]))
        0.5
    """
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


def _interval(
    right: NDArray[np.float64], labels: NDArray[np.int64], groups: NDArray[np.int64], rng: np.random.Generator
) -> list[float]:
    """The 95 % interval of the balanced accuracy, by the bootstrap over groups (Davison & Hinkley 1997, 3.8)."""
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    found = []
    for _ in range(_DRAWS):
        rows = np.concatenate([members[k] for k in rng.integers(0, len(members), len(members))])
        if len(np.unique(labels[rows])) == len(np.unique(labels)):
            found.append(balanced_accuracy(right[rows], labels[rows]))
    return [float(value) for value in np.quantile(found, [0.025, 0.975])]
