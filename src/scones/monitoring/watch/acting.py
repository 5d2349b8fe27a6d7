"""Decide on the newest look at an endpoint, write down what was decided, and do it.

Most of a stance needs no doing: the endpoint follows the series of stances by itself, its threshold and its candidate.
Only to go back to the model before changes production's own records.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from scones.errors import ObjectExists
from scones.monitoring.watch.deciding import START, decide, proposal
from scones.monitoring.watch.findings import Finding, findings
from scones.monitoring.watch.history import newest_look
from scones.monitoring.watch.knowing import Asked, learn, recent_looks
from scones.monitoring.watch.records import Standing
from scones.monitoring.watch.rules import Rules
from scones.monitoring.watch.standings import read_standings, stand
from scones.registry.aliases import newest
from scones.registry.rollback import find_rollback, roll_back
from scones.staging.source import Progress, no_progress

if TYPE_CHECKING:
    from scones.store import Bucket

__all__ = ["Reaction", "apply", "react"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reaction:
    """What came of a look.

    Attributes:
        standing: the new stance, as it was written down; None where the old one stays. ``number`` is that of the newest
            record, 0 where there is none.
        did: what was done, in words; empty where nothing was to be done.
        findings: what the newest look found, and whether a candidate is ready to be promoted.
    """

    standing: Standing | None = None
    number: int = 0
    did: str = ""
    findings: tuple[Finding, ...] = ()


def apply(bucket: Bucket, task: str, standing: Standing, now: datetime) -> str:
    """Do what a stance wants of production: put the model there that it names. Twice is the same as once.

    Production is left alone where someone changed it after the stance was taken, as that person knew better.

    Args:
        bucket: where production's records lie.
        task: the task's name.
        standing: the newest that is in force.
        now: with time zone.

    Returns:
        What was done, or why nothing was, in words; empty where nothing is wanted.

    Raises:
        PromotionRefused: the model was never in production, or someone changes production at this moment.
        BundleError: it is missing or damaged; production stays as it is.
    """
    if standing.dry_run or standing.version is None:
        return ""
    production = newest(bucket, task)
    if production and production.version == standing.version:
        return ""
    if production and production.number != standing.after:
        return f"production of task {task} was changed since that was decided: it stays with model {production.version}"
    found = find_rollback(bucket, task, standing.version)
    roll_back(bucket, found, who=standing.who, why=standing.why, now=now)
    left = found.leaves or "a damaged record"
    return f"model {standing.version} is in production of task {task} again, in place of {left}"


def react(
    bucket: Bucket,
    endpoint: str,
    task: str,
    *,
    rules: Rules,
    now: datetime,
    dry_run: bool,
    report: Progress = no_progress,
) -> Reaction:
    """Decide on the newest look, write the decision down, and do it. Call it after each look.

    What was decided before is done first, should the process have died before it was.

    Args:
        bucket: where all lies.
        endpoint: which.
        task: the task's name.
        rules: from when on to act.
        now: with time zone.
        dry_run: only write down what would be decided, going on from what would have been decided before.
        report: told how it gets on, should a model's health have to be fitted.

    Raises:
        StoreError, MessageError: as the store answers.
        PromotionRefused, BundleError: what was decided cannot be done, see :func:`apply`.
    """
    stood = read_standings(bucket, endpoint)
    number = stood[-1].number if stood else 0
    told = [one.standing for one in stood if dry_run or not one.standing.dry_run]
    standing = told[-1] if told else START
    did = "" if dry_run else apply(bucket, task, standing, now)
    last, look = newest_look(bucket, endpoint)
    if look is None:
        return Reaction(number=number, did=did)
    found = findings(look, rules)
    if standing.held:
        return Reaction(number=number, did=did, findings=found)
    looks = recent_looks(bucket, endpoint, last, standing, rules)
    known = learn(Asked(bucket, endpoint, task, rules, report), standing, told, looks, last)
    if proposed := proposal(standing, looks, rules, known):
        found = (*found, proposed)
    decided = decide(standing, looks, rules, known, now)
    if decided is None:
        return Reaction(number=number, did=did, findings=found)
    decided = decided.model_copy(update={"look": last, "dry_run": dry_run})
    try:
        number = stand(bucket, endpoint, decided, number)
    except ObjectExists as error:
        _log.warning("what the monitor decided is dropped: %s", error)
        return Reaction(number=number, did=did, findings=found)
    return Reaction(decided, number, "; ".join(filter(None, (did, apply(bucket, task, decided, now)))), found)
