"""What a person decides instead of the monitor: each gives the stance to take, and writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from scones.errors import ObjectMissing, PromotionRefused, SettingsError
from scones.monitoring.watch.deciding import START
from scones.monitoring.watch.records import Stance, Standing
from scones.monitoring.watch.rules import Rules
from scones.monitoring.watch.standings import Stood
from scones.store import Layout

if TYPE_CHECKING:
    from scones.store import Bucket

__all__ = ["overridden", "released", "undone"]


def overridden(
    bucket: Bucket,
    task: str,
    stance: Stance,
    *,
    who: str,
    why: str,
    now: datetime,
    rules: Rules,
    threshold: float | None = None,
    candidate: str | None = None,
    weight: float | None = None,
) -> Standing:
    """The stance that a person wants; the monitor keeps it until it is released.

    Args:
        bucket: where the models lie.
        task: the task's name.
        stance: which.
        who, why: for the record.
        now: with time zone.
        rules: what is taken where the person does not say.
        threshold: the least in force, 0 to 1; not while production is trusted.
        candidate: a version or an alias; default: the task's candidate.
        weight: a canary's share of the pictures, over 0, to 1.

    Raises:
        SettingsError: what was asked for does not go together.
        BundleError: the candidate, or the model to go back to, is missing or damaged.
        PromotionRefused: there is none to go back to.
    """
    on_trial = stance in (Stance.SHADOWING, Stance.CANARY)
    _refuse(threshold is not None and stance is Stance.OBSERVING, "--threshold", stance, "cautious")
    _refuse(candidate is not None and not on_trial, "--candidate", stance, "shadowing or canary")
    _refuse(weight is not None and stance is not Stance.CANARY, "--weight", stance, "canary")
    if weight is not None and not weight:
        raise SettingsError("--weight 0 shows the candidate to nobody: that is the stance shadowing")
    trusted = stance is Stance.OBSERVING
    version, after = _before(bucket, task) if stance is Stance.ROLLED_BACK else (None, 0)
    return Standing(
        stance=stance,
        version=version,
        after=after,
        threshold=None if trusted else rules.cautious_threshold if threshold is None else threshold,
        candidate=_candidate(bucket, task, candidate) if on_trial else None,
        weight=(rules.canary_weight if weight is None else weight) if stance is Stance.CANARY else 0,
        held=True,
        who=who,
        why=why,
        at=now,
    )


def released(
    bucket: Bucket, task: str, standing: Standing | None, *, who: str, why: str, now: datetime
) -> Standing | None:
    """The same stance, no longer held: from now on the monitor decides again. None where nothing is held."""
    if standing is None or not standing.held:
        return None
    version = _where_it_is(bucket, task, standing.version)
    return _again(standing, version=version, after=_record(bucket, task), held=False, who=who, why=why, now=now)


def undone(
    bucket: Bucket, endpoint: str, task: str, stood: Sequence[Stood], *, who: str, why: str, now: datetime
) -> Standing:
    """The stance before the newest one. To undo that is to do it again.

    Where the newest one changed production, the model that was there comes back, unless production was changed since.
    Where the monitor had decided it, the stance is held, as it would decide the same again.

    Args:
        bucket: where production's records lie.
        endpoint: whose stance.
        task: the task's name.
        stood: as :func:`scones.monitoring.watch.standings.read_standings` gives them.
        who, why: for the record.
        now: with time zone.

    Raises:
        ObjectMissing: there is nothing to undo.
        BundleError: the model that was there is missing or damaged.
    """
    meant = [one.standing for one in stood if not one.standing.dry_run]
    if not meant:
        raise ObjectMissing(f"endpoint {endpoint} was never given a stance: there is nothing to undo")
    last, before = meant[-1], meant[-2] if len(meant) > 1 else START
    version = _left_by(bucket, task, last) or _where_it_is(bucket, task, before.version)
    held = before.held or last.look is not None
    return _again(before, version=version, after=_record(bucket, task), held=held, who=who, why=why, now=now)


def _again(standing: Standing, *, who: str, why: str, now: datetime, **more: object) -> Standing:
    return standing.model_copy(update={"who": who, "why": why, "at": now, "look": None, **more})


def _refuse(wrong: bool, option: str, stance: Stance, fits: str) -> None:
    if wrong:
        raise SettingsError(f"{option} does not go with the stance {stance}, but with {fits}: leave it out")


def _candidate(bucket: Bucket, task: str, ref: str | None) -> str:
    from scones.registry import CANDIDATE, current_policy, load_model, resolve

    version = resolve(bucket, task, ref or CANDIDATE)
    if version == current_policy(bucket, task).version:
        raise SettingsError(f"model {version} is in production itself: name another with --candidate, or train one")
    return load_model(bucket, task, version).info.version


def _before(bucket: Bucket, task: str) -> tuple[str, int]:
    """The model before the present one, and the number of production's newest record."""
    from scones.registry import find_rollback

    found = find_rollback(bucket, task)
    if found.policy.version == found.leaves:
        raise PromotionRefused(
            f"before it, model {found.leaves} was in production too, with another threshold: take that back with "
            "`scones rollback`, or name a model with `scones rollback --to`"
        )
    return found.policy.version, found.after


def _where_it_is(bucket: Bucket, task: str, version: str | None) -> str | None:
    """The version if it is in production: else someone put another there since, and that stays."""
    from scones.registry import current_policy

    return version if version and current_policy(bucket, task).version == version else None


def _left_by(bucket: Bucket, task: str, standing: Standing) -> str | None:
    """The model that a stance took out of production; None where it took none, or production was changed since."""
    from scones.registry import find_rollback, history

    records = history(bucket, task)
    left = next((one.version for one in records if one.number == standing.after), None)
    stays = standing.version is not None and records[-1].version == standing.version
    if left is None or left == standing.version or not stays:
        return None
    return find_rollback(bucket, task, left).policy.version  # it is checked that it is whole


def _record(bucket: Bucket, task: str) -> int:
    return bucket.latest_number(Layout.policy_series(task))
