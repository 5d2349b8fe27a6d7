"""Which model an alias of a task names: a series of policy records, each written once, of which the newest counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from scones.contracts import Policy, first_fault
from scones.errors import BundleError, StoreError
from scones.store import Bucket, Layout

__all__ = [
    "ALIASES",
    "CANDIDATE",
    "PRODUCTION",
    "Record",
    "current_policy",
    "history",
    "newest",
    "point",
    "resolve",
]

PRODUCTION = "production"
"""The model that the task's endpoints serve; those that run follow."""
CANDIDATE = "candidate"
"""The model that was trained last, and that `scones promote` would put in production."""
ALIASES = (PRODUCTION, CANDIDATE)


@dataclass(frozen=True)
class Record:
    """A record of an alias.

    Attributes:
        number: its place in the series, from 1.
        policy: what it says; None when it is damaged.
        fault: what is wrong with a damaged one, else empty.
    """

    number: int
    policy: Policy | None
    fault: str = ""

    @property
    def version(self) -> str | None:
        """The model's version; None when the record is damaged."""
        return self.policy.version if self.policy else None


def point(
    bucket: Bucket,
    task: str,
    alias: str,
    version: str,
    *,
    who: str,
    why: str,
    now: datetime,
    after: int | None = None,
    **more: Any,
) -> int:
    """Let an alias name a model from now on. Earlier records stay, for the history and for going back.

    Args:
        bucket: where the models lie.
        task: the task's name.
        alias: "production" or "candidate".
        version: the model's.
        who, why: for the record.
        now: with time zone.
        after: number of the alias's newest record (0: none) when this was decided.
        **more: further fields of :class:`scones.contracts.Policy`.

    Returns:
        The record's number.

    Raises:
        ObjectExists: someone else wrote a record after ``after``.
    """
    policy = Policy(version=version, who=who, why=why, at=now.isoformat(timespec="seconds"), **more)
    return bucket.append(Layout.policy_series(task, alias), policy.model_dump(), after=after)


def history(bucket: Bucket, task: str, alias: str = PRODUCTION) -> list[Record]:
    """Every record of an alias, oldest first; damaged ones too."""
    series = Layout.policy_series(task, alias)
    return [_read(bucket, series, number) for number in bucket.numbers(series)]


def current_policy(bucket: Bucket, task: str, alias: str = PRODUCTION) -> Policy:
    """The newest record of an alias: for production, the policy in force.

    Raises:
        BundleError: the alias names no model yet.
        StoreError: the record is damaged.
    """
    record = newest(bucket, task, alias)
    if record is None:
        is_what = "in production" if alias == PRODUCTION else f"the {alias}"
        raise BundleError(f"no model of task {task} is {is_what} in {bucket.url()}: train one with `scones train`")
    if record.policy is None:
        key = Layout.record(Layout.policy_series(task, alias), record.number)
        fix = "go back to the model before it with `scones rollback`" if alias == PRODUCTION else "name a version"
        raise StoreError(f"{bucket.url(key)} is damaged ({record.fault}): {fix}")
    return record.policy


def newest(bucket: Bucket, task: str, alias: str = PRODUCTION) -> Record | None:
    """The newest record of an alias, damaged or not; None when there is none."""
    series = Layout.policy_series(task, alias)
    number = bucket.latest_number(series)
    return _read(bucket, series, number) if number else None


def resolve(bucket: Bucket, task: str, ref: str) -> str:
    """The version that a reference means: itself, or what the alias of that name names.

    Raises:
        BundleError: the alias names no model yet.
        StoreError: its record is damaged.
    """
    return current_policy(bucket, task, ref).version if ref in ALIASES else ref


def _read(bucket: Bucket, series: str, number: int) -> Record:
    try:
        return Record(number, Policy.model_validate_json(bucket.get(Layout.record(series, number))))
    except ValidationError as error:
        return Record(number, None, first_fault(error))
