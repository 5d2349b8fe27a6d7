"""What a model must show before it goes into production: each gate is a question, an answer in words, and its figures.

Gates are plain functions of what was measured. Their limits are the task's (:class:`scones.task.Gates`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from scones.intervals import share_interval
from scones.page.numbers import plural

if TYPE_CHECKING:
    from scones.bundle import BundleInfo
    from scones.contracts import Policy
    from scones.task import DecisionPolicy, Gates, Task

__all__ = [
    "Gate",
    "calibrated",
    "decides_alone",
    "fair_comparison",
    "not_worse",
    "override_ends",
    "promise_kept",
    "risk_held",
    "same_question",
    "was_taken_back",
]


@dataclass(frozen=True)
class Gate:
    """A gate's answer.

    Attributes:
        name: which gate.
        verdict: "passed", "refused", or "warning": nothing speaks against the model, but a person should read it.
        says: the reason, one sentence with its figures.
        figures: the same for programs.
    """

    name: str
    verdict: Literal["passed", "warning", "refused"]
    says: str
    figures: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.name}: {self.says}"


def same_question(task: Task, candidate: BundleInfo, production: BundleInfo | None) -> Gate:
    """The labels are the task's and those of production, in the same order."""
    asked = {f"task {task.name}": task.labels}
    if production is not None:
        asked[f"model {production.version} in production"] = production.labels
    own = f"it answers with {', '.join(candidate.labels)}"
    others = [f"{who} has {', '.join(labels)}" for who, labels in asked.items() if labels != candidate.labels]
    figures = {
        "labels": candidate.labels,
        "task_labels": task.labels,
        "production_labels": production.labels if production else None,
    }
    if others:
        return Gate("same question", "refused", f"{own}, but {' and '.join(others)}", figures)
    return Gate("same question", "passed", f"{own}, as the task asks", figures)


def not_worse(comparison: dict[str, Any], limits: Gates) -> Gate:
    """It is not significantly worse than production on the same test pictures.

    Args:
        comparison: as :func:`scones.training.comparison.compare` gives it: first production, then the model.
        limits: of the task.
    """
    n, difference, p = comparison["n"], comparison["difference"], comparison["p_value"]
    low, high = comparison["difference_interval"]
    says = (
        f"accuracy {comparison['second']['accuracy']:.1%} against {comparison['first']['accuracy']:.1%} of production "
        f"on the same {plural(n, 'test picture')}, {100 * difference:+.1f} points "
        f"(95 % interval {100 * low:+.1f} to {100 * high:+.1f}), p = {p:.2g}"
    )
    names = ("n", "difference", "difference_interval", "p_value", "only_first_right", "only_second_right")
    figures = {
        "accuracy": comparison["second"]["accuracy"],
        "production_accuracy": comparison["first"]["accuracy"],
        **{name: comparison[name] for name in names},
        "worse_p": limits.worse_p,
        "margin": limits.margin,
    }
    if p < limits.worse_p:
        better = difference > 0
        return Gate(
            "not worse", "passed" if better else "refused", f"{says}: {'better' if better else 'worse'}", figures
        )
    if n < limits.pictures:
        return Gate(
            "not worse", "warning", f"{says}: too few pictures to see a difference, {limits.pictures} would do", figures
        )
    if difference < 0 and low < -limits.margin:
        return Gate("not worse", "warning", f"{says}: no difference shown, but not shown to be as good either", figures)
    return Gate("not worse", "passed", f"{says}: no difference shown", figures)


def decides_alone(comparison: dict[str, Any], limits: Gates) -> Gate:
    """It leaves people not much more to decide than production does.

    Args:
        comparison: as for :func:`not_worse`.
        limits: of the task.
    """
    before, after = comparison["first"]["coverage"], comparison["second"]["coverage"]
    figures = {"coverage": after, "production_coverage": before, "coverage_drop": limits.coverage_drop}
    says = f"of the test pictures it decides {after:.1%} alone, and production {before:.1%}"
    if before - after > limits.coverage_drop:
        return Gate("decides alone", "warning", f"{says}: people get more to decide", figures)
    return Gate("decides alone", "passed", says, figures)


def fair_comparison(seen: int | None, n: int, version: str) -> Gate:
    """Production's model did not learn from the test pictures: that would flatter it.

    Args:
        seen: how many of them it learned from; None when its dataset is gone.
        n: test pictures.
        version: of the model in production.
    """
    figures = {"seen": seen, "n": n}
    if seen is None:
        says = f"the dataset that model {version} in production learned from is gone: it may know the test pictures"
        return Gate("fair comparison", "warning", says, figures)
    if seen:
        says = f"model {version} in production learned from {seen} of the {n} test pictures, which flatters it"
        return Gate("fair comparison", "warning", says, figures)
    return Gate("fair comparison", "passed", "neither model learned from a test picture", figures)


def calibrated(evaluation: dict[str, Any], limits: Gates) -> Gate:
    """Its calibration error does not exceed by much what luck alone would show.

    Args:
        evaluation: as :func:`scones.training.evaluate` gives it.
        limits: of the task.
    """
    n, ece, null = evaluation["n"], evaluation["ece"], evaluation["ece_null"]
    excess = ece - null
    says = f"calibration error {ece:.3f} on {plural(n, 'test picture')}, where luck alone would show {null:.3f}"
    figures = {"n": n, "ece": ece, "ece_null": null, "ece_excess": excess, "limit": limits.ece_excess}
    if excess <= limits.ece_excess:
        return Gate("calibrated", "passed", says, figures)
    says = f"{says}: {excess:.3f} more, {limits.ece_excess:.3f} is allowed"
    if n < limits.pictures:
        return Gate("calibrated", "warning", f"{says}, but the pictures are too few to be sure", figures)
    return Gate("calibrated", "refused", says, figures)


def risk_held(evaluation: dict[str, Any], policy: DecisionPolicy) -> Gate:
    """The test pictures do not contradict the target risk.

    It is contradicted when the exact lower bound of the share of wrong answers among the accepted
    pictures lies above the target (Clopper & Pearson 1934), and shown when the upper bound lies below.

    Args:
        evaluation: as :func:`scones.training.evaluate` gives it.
        policy: the task's.
    """
    held, threshold = evaluation["at_threshold"], evaluation["threshold"]["value"]
    wrong, accepted = held["wrong"], held["accepted"]
    low, high = share_interval(wrong, accepted, 2 * policy.confidence - 1)  # one-sided bounds, each at `confidence`
    figures = {
        "threshold": threshold, "accepted": accepted, "wrong": wrong, "lower_bound": low, "upper_bound": high,
        "target_risk": policy.target_risk, "confidence": policy.confidence,
    }  # fmt: skip
    if not accepted:
        return Gate(
            "risk", "warning", f"at threshold {threshold:.4f} it decides none of the test pictures alone", figures
        )
    says = (
        f"{wrong} of the {accepted} test pictures that it decides alone at threshold {threshold:.4f} are wrong; "
        f"the target is {policy.target_risk:.1%}"
    )
    sure = f"with {policy.confidence:.0%} confidence"
    if low > policy.target_risk:
        return Gate("risk", "refused", f"{says}, and the risk is above {low:.1%} {sure}", figures)
    if high > policy.target_risk:
        return Gate("risk", "warning", f"{says}; too few to show that it holds: below {high:.1%} {sure}", figures)
    return Gate("risk", "passed", f"{says}, and the risk is below {high:.1%} {sure}", figures)


def promise_kept(candidate: BundleInfo, production: BundleInfo | None) -> Gate:
    """Its threshold promises a risk, or production's promises none either."""
    fit = candidate.threshold
    before = production.threshold.origin if production else None
    figures = {"origin": fit.origin, "production_origin": before, "note": fit.note}
    if fit.origin == "fitted":
        return Gate("promise", "passed", fit.note, figures)
    if before == "fitted":
        return Gate(
            "promise", "refused", f"production's threshold promises a risk, and its own none: {fit.note}", figures
        )
    return Gate("promise", "warning", fit.note, figures)


def override_ends(policy: Policy) -> Gate:
    """A threshold that a person set for production ends with the promotion: that one is told.

    Args:
        policy: production's, with a threshold.
    """
    says = (
        f"the threshold {policy.threshold} that {policy.who} set for production ({policy.why}) ends: "
        "the new model brings its own"
    )
    return Gate("override", "warning", says, {"threshold": policy.threshold})


def was_taken_back(rollback: Policy) -> Gate:
    """A model that was in production and was left comes again: that one is told.

    Args:
        rollback: the record by which it was left.
    """
    says = f"{rollback.who} went back from this very model to {rollback.version} on {rollback.at}: {rollback.why}"
    return Gate("taken back", "warning", says, {"at": rollback.at, "who": rollback.who, "why": rollback.why})
