"""Which of two models is better, and whether the difference is real: both answer the same test pictures."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest, norm

from scones.errors import TrainingError
from scones.intervals import share_interval
from scones.staging.source import Progress, no_progress
from scones.store import Layout
from scones.training.predictions import lines_to_test, predict_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from scones.bundle import BundleInfo
    from scones.classifier import Classifier
    from scones.contracts import ManifestLine
    from scones.staging import Dataset
    from scones.store import Bucket

__all__ = ["NO_DIFFERENCE", "compare", "mcnemar", "paired_difference", "points", "save_comparison", "sentence"]

NO_DIFFERENCE = "no difference shown"
_SIGNIFICANT = 0.05


def compare(
    first: Classifier, second: Classifier, dataset: Dataset, *, report: Progress = no_progress
) -> dict[str, Any]:
    """Compare two models, picture by picture, on a dataset's test split.

    They may differ in input size and backbone, but not in labels.

    Args:
        first, second: the models.
        dataset: its labels must be theirs.
        report: told how it gets on.

    Returns:
        ``task``, ``labels``, ``dataset`` (version), ``n`` test pictures; ``first`` and ``second``
        (``version``, ``backbone``, ``accuracy``, ``accuracy_interval``, and at its own threshold ``coverage`` and
        ``risk``); ``only_first_right`` and ``only_second_right`` (pictures); ``difference`` in accuracy, second
        less first, and its 95 % ``difference_interval`` (:func:`paired_difference`); ``p_value``
        (:func:`mcnemar`); ``verdict`` ("first", "second" or "no difference shown"); ``per_class`` (pictures
        of each label, and how many of them each model gets right); ``pictures``, those on which the labels
        differ, the surest disagreement first (``key``, ``truth``, and of each model ``label`` and ``confidence``).

    Raises:
        TrainingError: the labels disagree, or there are no test pictures.
    """
    if first.info.labels != second.info.labels:
        raise TrainingError(
            f"model {first.info.version} knows {', '.join(first.info.labels)}, but model {second.info.version} knows "
            f"{', '.join(second.info.labels)}: only models of the same labels can be compared"
        )
    lines = lines_to_test(first.info, dataset)
    truth = np.array([line.label_index for line in lines])
    found = [predict_lines(model, dataset, lines, report=report) for model in (first, second)]
    right = [probabilities.argmax(1) == truth for probabilities in found]
    n, names = len(lines), first.info.labels
    only_first, only_second = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    p_value = mcnemar(only_first, only_second)
    better = "first" if only_first > only_second else "second"
    return {
        "task": first.info.task,
        "labels": list(names),
        "dataset": dataset.version,
        "n": n,
        "first": _figures(first.info, found[0], right[0]),
        "second": _figures(second.info, found[1], right[1]),
        "only_first_right": only_first,
        "only_second_right": only_second,
        "difference": (only_second - only_first) / n,
        "difference_interval": list(paired_difference(int((right[0] & right[1]).sum()), only_first, only_second, n)),
        "p_value": p_value,
        "verdict": better if p_value < _SIGNIFICANT else NO_DIFFERENCE,
        "per_class": [
            {
                "label": name,
                "n": int((truth == k).sum()),
                "first_right": int(right[0][truth == k].sum()),
                "second_right": int(right[1][truth == k].sum()),
            }
            for k, name in enumerate(names)
        ],
        "pictures": _disputed(lines, names, found),
    }


def mcnemar(only_first: int, only_second: int) -> float:
    """Test whether two models err equally often (McNemar 1947, exact and two-sided).

    Only the pictures that one model alone gets right tell them apart. Were the models equally good, each of
    these would be as likely the one's as the other's.

    Args:
        only_first, only_second: pictures that the one gets right and the other wrong.

    Returns:
        The probability of a split as uneven as this one, or more so, between equally good models.

    Example:
        >>> round(mcnemar(1, 9), 4), mcnemar(0, 0)
        (0.0215, 1.0)
    """
    disputed = only_first + only_second
    return float(binomtest(only_first, disputed).pvalue) if disputed else 1.0


def paired_difference(
    both: float, only_first: float, only_second: float, n: float, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of the difference between two shares of the same things (Newcombe 1998, method 10).

    Wilson's score intervals of both shares are put together, with regard to how the two go together
    ("Improved confidence intervals for the difference between binomial proportions based on paired data",
    Statistics in Medicine 17, 2635-2650). It stays between -1 and 1 and has a width where no picture is
    disputed at all.

    Args:
        both: pictures that both get right; ``only_first`` and ``only_second`` one alone; ``n`` all. Where pictures are
            weighted they need not be whole numbers.
        confidence: 0 to 1.

    Returns:
        Lower and upper end of second less first.

    Example:
        >>> [round(end, 4) for end in paired_difference(36, 2, 12, 50)]
        [0.0569, 0.3404]
    """
    neither = max(n - both - only_first - only_second, 0)  # a rounding error must not make it less than none
    shares = [(both + only_second) / n, (both + only_first) / n]
    (low, high), (other_low, other_high) = (_wilson(share, n, confidence) for share in shares)
    margins = (both + only_first) * (neither + only_second) * (both + only_second) * (neither + only_first)
    excess = both * neither - only_first * only_second
    corrected = max(excess - n / 2, 0.0) if excess > 0 else float(excess)  # for continuity
    together = corrected / sqrt(margins) if margins else 0.0

    def reach(one: float, other: float) -> float:
        return sqrt(max(one * one - 2 * together * one * other + other * other, 0.0))

    difference = shares[0] - shares[1]
    down = reach(shares[0] - low, other_high - shares[1])
    up = reach(high - shares[0], shares[1] - other_low)
    return difference - down, difference + up


def sentence(comparison: Mapping[str, Any]) -> str:
    """Say in one sentence whether the difference is real.

    Args:
        comparison: as :func:`compare` returns it.
    """
    versions = {side: comparison[side]["version"] for side in ("first", "second")}
    alone = {side: comparison[f"only_{side}_right"] for side in versions}
    low, high = comparison["difference_interval"]
    chance = f"p = {comparison['p_value']:.2g}"
    if comparison["verdict"] == NO_DIFFERENCE and not low <= 0 <= high:
        chance = f"p = {comparison['p_value']:.3f}, where less than {_SIGNIFICANT} would show it"
    if comparison["verdict"] == NO_DIFFERENCE:
        return (
            f"No difference shown between {versions['first']} and {versions['second']}: of {comparison['n']:,} "
            f"test pictures the first alone is right on {alone['first']:,}, the second alone on {alone['second']:,}; "
            f"anything from {points(low)} to {points(high)} points of accuracy for the second fits that "
            f"(95 % interval, {chance})."
        )
    better, worse = ("first", "second") if comparison["verdict"] == "first" else ("second", "first")
    if better == "first":
        low, high = -high, -low
    return (
        f"{versions[better]} is better than {versions[worse]}: {points(abs(comparison['difference']))} points of "
        f"accuracy (95 % interval {points(low)} to {points(high)}); of {comparison['n']:,} test pictures it alone is "
        f"right on {alone[better]:,}, the other alone on {alone[worse]:,} ({chance})."
    )


def save_comparison(bucket: Bucket, comparison: Mapping[str, Any], dataset: Dataset) -> str:
    """Write the comparison's page.

    Args:
        bucket: where reports lie.
        comparison: as :func:`compare` returns it.
        dataset: whose test pictures were compared on.

    Returns:
        The key of the page.
    """
    from scones.training.report.comparison import SHOWN, comparison_page, disputes

    lines = {line.source_ref: line for line in dataset.lines}
    shown = [row["key"] for rows in disputes(comparison).values() for row in rows[:SHOWN]]
    page = comparison_page(comparison, {key: dataset.read(lines[key]) for key in shown})
    versions = f"{comparison['first']['version']}-{comparison['second']['version']}"
    key = Layout.report(f"compare-{comparison['task']}-{versions}")
    bucket.put(key, page.encode())
    return key


def points(share: float) -> str:
    """Write a difference of shares in percentage points, with its sign.

    Example:
        >>> points(0.045)
        '+4.5'
    """
    return f"{round(100 * share, 1) + 0.0:+.1f}".replace("-", "\N{MINUS SIGN}")


def _wilson(share: float, n: float, confidence: float) -> tuple[float, float]:
    """Score interval of a share (Wilson 1927)."""
    z2 = float(norm.ppf(0.5 + confidence / 2)) ** 2
    middle, reach = 2 * n * share + z2, sqrt(z2 * (z2 + 4 * n * share * (1 - share)))
    return (middle - reach) / (2 * (n + z2)), (middle + reach) / (2 * (n + z2))


def _figures(info: BundleInfo, probabilities: NDArray[np.float32], right: NDArray[np.bool_]) -> dict[str, Any]:
    alone = probabilities.max(1).astype(np.float64) >= info.threshold.value
    return {
        "version": info.version,
        "backbone": info.backbone,
        "accuracy": float(right.mean()),
        "accuracy_interval": list(share_interval(int(right.sum()), len(right))),
        "coverage": float(alone.mean()),
        "risk": float((~right[alone]).mean()) if alone.any() else 0.0,
    }


def _disputed(
    lines: list[ManifestLine], names: tuple[str, ...], found: list[NDArray[np.float32]]
) -> list[dict[str, Any]]:
    labels = [probabilities.argmax(1) for probabilities in found]
    sure = [probabilities.max(1) for probabilities in found]
    differ = np.flatnonzero(labels[0] != labels[1])
    return [
        {
            "key": lines[i].source_ref,
            "truth": lines[i].label,
            **{
                side: {"label": names[label[i]], "confidence": float(confidence[i])}
                for side, label, confidence in zip(("first", "second"), labels, sure, strict=True)
            },
        }
        for i in differ[np.argsort(-(sure[0] + sure[1])[differ], kind="stable")]
    ]
