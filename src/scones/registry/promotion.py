"""Putting a model in production: measure it beside the one that is there, ask the gates, and write it down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scones.errors import BundleError, ObjectExists, ObjectMissing, PromotionRefused, TrainingError
from scones.registry import gates
from scones.registry.aliases import CANDIDATE, PRODUCTION, Record, current_policy, history, newest, point, resolve
from scones.registry.gates import Gate
from scones.registry.models import load_model, read_evaluation
from scones.registry.pile import pile_up
from scones.staging.source import Progress, no_progress
from scones.store import Bucket

if TYPE_CHECKING:
    from scones.classifier import Classifier
    from scones.staging import Dataset
    from scones.task import Task

__all__ = ["Considered", "consider", "promote"]

_THREADS = 2


@dataclass(frozen=True)
class Considered:
    """What was found out about a model that may go into production.

    Attributes:
        task: the task's name.
        version: the model's.
        production: the version in production when it was judged; None when there was none.
        after: the number of production's newest record then; nobody may write one in between.
        gates: what each gate says; none when the model is in production already.
        evaluation: its figures, when they were measured on the way; else None.
        dataset: the pictures that it was measured on.
    """

    task: str
    version: str
    production: str | None
    after: int
    gates: tuple[Gate, ...]
    evaluation: dict[str, Any] | None = None
    dataset: Dataset | None = None

    @property
    def is_there(self) -> bool:
        """Whether the model is in production already."""
        return self.version == self.production

    @property
    def refused(self) -> tuple[Gate, ...]:
        """The gates that refuse it."""
        return tuple(gate for gate in self.gates if gate.verdict == "refused")

    def check(self) -> None:
        """Raise :class:`scones.errors.PromotionRefused` with the reasons of all gates that refuse it."""
        if self.refused:
            raise PromotionRefused(
                f"model {self.version} does not go into production of task {self.task}: "
                f"{'; '.join(map(str, self.refused))}. Train a better one, or override with "
                f"`scones promote {self.version} --force --why TEXT`"
            )


def consider(bucket: Bucket, task: Task, ref: str = CANDIDATE, *, report: Progress = no_progress) -> Considered:
    """Judge a model beside the one in production, on the test pictures of the dataset it was trained on.

    Nothing is written. A model that was never evaluated on these pictures is evaluated.

    Args:
        bucket: where models and datasets lie.
        task: its policy and gates are the measure.
        ref: a version, or an alias.
        report: told how it gets on.

    Raises:
        BundleError: there is no such model, or it is damaged.
        StoreError: the alias's newest record is damaged.
    """
    from scones.staging import load_dataset
    from scones.training import evaluate

    record = newest(bucket, task.name)
    version = resolve(bucket, task.name, ref)
    found = Considered(task.name, version, record.version if record else None, record.number if record else 0, gates=())
    if found.is_there:
        return found
    candidate = load_model(bucket, task.name, version, threads=_THREADS)
    try:
        dataset = load_dataset(bucket, task.name, candidate.info.dataset)
        known = read_evaluation(bucket, task.name, version)
        if known is not None and known["dataset"]["version"] != dataset.version:
            known = None
        evaluation = known or evaluate(candidate, dataset, task, report=report)
    except (ObjectMissing, TrainingError) as error:
        asked = gates.same_question(task, candidate.info, None)
        return replace(found, gates=(asked, Gate("measured", "refused", f"it cannot be measured: {error}", {})))
    return replace(
        found,
        gates=(
            *_against_production(bucket, task, record, candidate, dataset, report),
            gates.calibrated(evaluation, task.gates),
            gates.risk_held(evaluation, task.policy),
            *_of_the_past(bucket, task.name, version, record),
        ),
        evaluation=None if known else evaluation,
        dataset=dataset,
    )


def promote(
    bucket: Bucket, considered: Considered, *, who: str, why: str, now: datetime, force: bool = False
) -> int | None:
    """Put a model in production that was judged.

    Args:
        bucket: where its records lie.
        considered: the model, as :func:`consider` judged it.
        who, why: for the record.
        now: with time zone.
        force: put it there although gates refuse it; the record says so.

    Returns:
        The number of the record; None when the model is in production already.

    Raises:
        PromotionRefused: gates refuse it, or production changed since it was judged.
    """
    if considered.is_there:
        return None
    if not force:
        considered.check()
    task = considered.task
    said = tuple(f"{gate.verdict}: {gate}" for gate in considered.gates)
    try:
        return point(
            bucket, task, PRODUCTION, considered.version, who=who, why=why, now=now, after=considered.after,
            gates=said, forced=bool(considered.refused),
        )  # fmt: skip
    except ObjectExists as error:
        raise changed_meanwhile(bucket, task, considered.production) from error


def changed_meanwhile(bucket: Bucket, task: str, was: str | None) -> PromotionRefused:
    """Someone else changed production between the look and the write."""
    now = current_policy(bucket, task)
    return PromotionRefused(
        f"production of task {task} changed meanwhile from {was or 'no model'} to {now.version} "
        f"({now.who}, {now.at}: {now.why}), so nothing was written: look at it, then run this again"
    )


def _against_production(
    bucket: Bucket, task: Task, record: Record | None, candidate: Classifier, dataset: Dataset, report: Progress
) -> list[Gate]:
    """What the gates say that look at the model in production too."""
    from scones.training.comparison import compare
    from scones.training.predictions import learned_from

    production, fault = _load_production(bucket, task.name, record)
    info = production.info if production else None
    found = [gates.same_question(task, candidate.info, info), gates.promise_kept(candidate.info, info)]
    if fault:
        says = f"there is nothing to compare it with, as production's own model cannot be loaded: {fault}"
        found.append(Gate("not worse", "refused", says, {}))
    if production and production.info.labels == candidate.info.labels:
        comparison = compare(production, candidate, dataset, report=report)
        seen = learned_from(bucket, production.info, dataset)
        found.append(gates.not_worse(comparison, task.gates))
        found.append(gates.decides_alone(comparison, task.gates))
        found.append(gates.fair_comparison(seen, comparison["n"], production.info.version))
    return found


def _of_the_past(bucket: Bucket, task: str, version: str, record: Record | None) -> list[Gate]:
    """What a person decided before, and this promotion would undo."""
    found = []
    if record and record.policy and record.policy.threshold is not None:
        found.append(gates.override_ends(record.policy))
    if rollback := pile_up(history(bucket, task)).taken_away.get(version):
        found.append(gates.was_taken_back(rollback))
    return found


def _load_production(bucket: Bucket, task: str, record: Record | None) -> tuple[Classifier | None, str]:
    """The model in production, if there is one; and why it cannot be loaded."""
    if record is None:
        return None, ""
    if record.version is None:
        return None, f"record {record.number} is damaged ({record.fault})"
    try:
        return load_model(bucket, task, record.version, threads=_THREADS), ""
    except BundleError as error:
        return None, str(error)
