"""Going back to the model that was in production before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scones.contracts import Policy
from scones.errors import BundleError, ObjectExists, PromotionRefused
from scones.registry.aliases import PRODUCTION, Record, history, point
from scones.registry.models import load_model
from scones.registry.pile import pile_up
from scones.registry.promotion import changed_meanwhile
from scones.store import Bucket

__all__ = ["Rollback", "find_rollback", "roll_back"]


@dataclass(frozen=True)
class Rollback:
    """A way back.

    Attributes:
        task: the task's name.
        leaves: the version in production; None when its record is damaged.
        is_there: it leads nowhere, since what was asked for is in production already.
        policy: what counts again: model and threshold.
        restores: the number of its record.
        after: the number of production's newest record; nobody may write one in between.
    """

    task: str
    leaves: str | None
    is_there: bool
    policy: Policy
    restores: int
    after: int


def find_rollback(bucket: Bucket, task: str, to: str | None = None) -> Rollback:
    """Find the way back, and make sure that the model at its end can be loaded. Nothing is written.

    Args:
        bucket: where the models lie.
        task: the task's name.
        to: a version that was in production at any time; default: the one below the top of the pile.

    Raises:
        PromotionRefused: there is nothing to go back to, or ``to`` was never in production.
        BundleError: that model is gone or damaged.
    """
    records = history(bucket, task)
    if not records:
        raise PromotionRefused(f"no model of task {task} was ever in production: there is nothing to go back to")
    standing = pile_up(records).standing
    top = standing[-1]
    target = _named(to, standing, records) if to else _below(top, standing)
    if target is None:
        why = f"model {to} never was" if to else f"nothing lies below {top.version or 'its damaged record'}"
        raise PromotionRefused(
            f"cannot go back, {why} in production of task {task}: `scones models --history` shows what was, "
            "and `scones promote` puts another model there"
        )
    number, policy = target
    try:
        load_model(bucket, task, policy.version)
    except BundleError as error:
        raise BundleError(
            f"{error}; production stays as it is: choose another model with `scones rollback --to VERSION`"
        ) from error
    return Rollback(task, top.version, number == top.number, policy, number, records[-1].number)


def roll_back(bucket: Bucket, found: Rollback, *, who: str, why: str, now: datetime) -> int | None:
    """Go back.

    Args:
        bucket: where the records lie.
        found: the way, as :func:`find_rollback` found it.
        who, why: for the record.
        now: with time zone.

    Returns:
        The number of the new record; None when what was asked for is in production already.

    Raises:
        PromotionRefused: production changed since the way was found.
    """
    if found.is_there:
        return None
    try:
        return point(
            bucket, found.task, PRODUCTION, found.policy.version, who=who, why=why, now=now, after=found.after,
            threshold=found.policy.threshold, restores=found.restores,
        )  # fmt: skip
    except ObjectExists as error:
        raise changed_meanwhile(bucket, found.task, found.leaves) from error


def _named(version: str, standing: Sequence[Record], records: Sequence[Record]) -> tuple[int, Policy] | None:
    """The newest record of a version: in the pile if it lies there, else anywhere."""
    for record in (*reversed(standing), *reversed(records)):
        if record.policy and record.policy.version == version:
            return record.number, record.policy
    return None


def _below(top: Record, standing: Sequence[Record]) -> tuple[int, Policy] | None:
    """The nearest record below the top that says something else."""
    for record in reversed(standing[:-1]):
        if record.policy and (top.policy is None or _said(record.policy) != _said(top.policy)):
            return record.number, record.policy
    return None


def _said(policy: Policy) -> tuple[str, float | None]:
    return policy.version, policy.threshold
