"""How far the mix of labels has moved, how sure that is, and what the scheduled monitor does about it. No I/O."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from scones.bundle import BundleInfo
from scones.capture import CaptureRecord

__all__ = ["Decision", "Drift", "Reference", "Tally", "decide", "first_day", "measure_drift", "of_model"]

RUNS: Final = 3
"""Runs in a row that must find a drift over its limit before anything is done."""
_CONFIDENCE: Final = 0.99
_DAY: Final = timedelta(days=1)

Action: TypeAlias = Literal["none", "wait", "raise", "strict already"]


@dataclass
class Tally:
    """Counts of captured answers.

    Attributes:
        names: labels for answers that tell none, and ``threshold`` likewise; None when unknown.
        floor: the least threshold in force now, 0 to 1.
        judged: answers with a threshold to be judged by; so many are ``below`` it.
        confidence: the sum of the confidences.
        strictness: the least threshold in force among the answers; None when none is judged.
        labels, versions: how often each label was the likeliest, and each model answered.
        unusable: answers that are no list of probabilities.
    """

    names: Sequence[str] = ()
    threshold: float | None = None
    floor: float = 0.0
    records: int = 0
    judged: int = 0
    below: int = 0
    confidence: float = 0.0
    strictness: float | None = None
    labels: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    unusable: int = 0

    def add(self, record: CaptureRecord) -> None:
        """Count an answer."""
        if record.fault is not None:
            self.unusable += 1
            return
        confidence, threshold = record.confidence, record.threshold(self.threshold)
        self.records += 1
        self.confidence += confidence
        self.labels[record.label(self.names)] += 1
        if version := record.attributes.get("model_version"):
            self.versions[version] += 1
        if threshold is not None:
            threshold = max(threshold, self.floor)
            self.judged += 1
            self.below += confidence < threshold
            self.strictness = threshold if self.strictness is None else min(self.strictness, threshold)


class Reference(BaseModel):
    """The mix of labels that others are compared with.

    Attributes:
        origin: the calibration pictures of the ``model``; or the answers of the ``first day``, where the bucket has no
            such figures of the model.
        version: the model's; "" when nobody tells.
        counts: how often each label was the likeliest.
        since: when the first day began.
        whole: it can be compared with; a first day must be over.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    origin: Literal["model", "first day"]
    version: str
    counts: dict[str, int]
    since: datetime | None = None
    whole: bool = True


def of_model(info: BundleInfo) -> Reference | None:
    """The reference that a model brings along; None when it brings none."""
    shares, pictures = info.reference.get("predicted_share"), info.reference.get("pictures")
    if not isinstance(shares, list) or len(shares) != len(info.labels) or not isinstance(pictures, int):
        return None
    counts = {label: round(share * pictures) for label, share in zip(info.labels, shares, strict=True)}
    return Reference(origin="model", version=info.version, counts=counts)


def first_day(
    before: Reference | None, version: str, counts: Counter[str], start: datetime, end: datetime
) -> Reference:
    """The answers of the first day, so far; a model of another version begins anew.

    Args:
        before: the reference of the run before.
        version: the model's.
        counts: the labels from ``start`` to ``end``.
    """
    if before is None or before.origin != "first day" or before.version != version:
        before = Reference(origin="first day", version=version, counts={}, since=start, whole=False)
    if before.whole:
        return before
    counts = counts + Counter(before.counts)
    whole = before.since is not None and end - before.since >= _DAY and counts.total() > 0
    return before.model_copy(update={"counts": dict(counts), "whole": whole})


@dataclass(frozen=True)
class Drift:
    """How far two mixes of labels are apart.

    Attributes:
        distance: total variation of what was counted, 0 to 1: the share of answers that would have to change.
        margin: how much of that may be luck.
    """

    distance: float
    margin: float

    @property
    def proven(self) -> float:
        """The distance of the true mixes is at least this, in 99 of 100 runs."""
        return max(0.0, self.distance - self.margin)


def measure_drift(counts: Mapping[str, int], reference: Mapping[str, int]) -> Drift | None:
    """Compare two mixes of labels; None when one of them is empty.

    With n pictures of K labels, counted shares are further than t from the true ones (in total variation) with a
    probability of at most (2^K - 2) exp(-2 n t^2) (Weissman et al. 2003, which is Hoeffding's bound over all sets of
    labels). The margin is the sum of both sides' t, each at half the probability of error. Answers that depend on
    each other, as of one driver who comes again and again, tell less than it assumes.

    Example:
        >>> drift = measure_drift({"bicycle": 90, "motorcycle": 10}, {"bicycle": 500, "motorcycle": 500})
        >>> round(drift.distance, 3), round(drift.margin, 3), round(drift.proven, 3)
        (0.4, 0.228, 0.172)
        >>> measure_drift({"bicycle": 3}, {"bicycle": 500, "motorcycle": 500}).proven
        0.0
    """
    seen, known = sum(counts.values()), sum(reference.values())
    if not seen or not known:
        return None
    labels = counts.keys() | reference.keys()
    distance = sum(abs(counts.get(label, 0) / seen - reference.get(label, 0) / known) for label in labels) / 2
    log_sets = len(labels) * math.log(2) + math.log1p(-(2.0 ** (1 - len(labels)))) if len(labels) > 1 else math.log(2)
    bound = log_sets - math.log((1 - _CONFIDENCE) / 2)
    return Drift(distance, math.sqrt(bound / (2 * seen)) + math.sqrt(bound / (2 * known)))


@dataclass(frozen=True)
class Decision:
    """What a run makes of what it saw.

    Attributes:
        in_a_row: so many runs have now found the drift over its limit.
        action: ``raise`` the floor of the threshold; ``wait`` for more runs; or ``strict already``: raising it would
            change nothing, a person must look.
    """

    in_a_row: int
    action: Action


def decide(drift: Drift | None, before: int, *, limit: float, strictness: float | None, floor: float) -> Decision:
    """Decide what to do: three runs in a row must prove more drift than the limit.

    A run that could compare nothing neither adds to the row nor breaks it.

    Args:
        drift: what was measured; None when nothing could be compared.
        before: the row's length before this run.
        limit: of the proven drift, 0 to 1.
        strictness: the least threshold in force; None when unknown.
        floor: what it would be raised to.

    Example:
        >>> decide(Drift(0.6, 0.1), 2, limit=0.15, strictness=0.9, floor=0.99)
        Decision(in_a_row=3, action='raise')
    """
    if drift is None:
        return Decision(before, "none")
    if drift.proven <= limit:
        return Decision(0, "none")
    if before + 1 < RUNS:
        return Decision(before + 1, "wait")
    return Decision(before + 1, "strict already" if strictness is not None and strictness >= floor else "raise")
