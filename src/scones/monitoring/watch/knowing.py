"""Find out what the monitor needs to know before it decides: only what matters now, as models must answer for it."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from scones.errors import BundleError, ObjectMissing, PromotionRefused, StoreError, TrainingError
from scones.monitoring.truth import read_truths
from scones.monitoring.watch.comparing import Sight, compare, sees_same_drift, sight_of
from scones.monitoring.watch.comparison import Comparison
from scones.monitoring.watch.evidence import Known
from scones.monitoring.watch.history import read_look
from scones.monitoring.watch.recent import Recent, recent_pictures
from scones.monitoring.watch.records import Look, Stance, Standing
from scones.monitoring.watch.rules import Rules, confirmed_error, harmful
from scones.monitoring.watch.state import load_state
from scones.monitoring.watch.window import Window
from scones.registry import CANDIDATE, current_policy, find_rollback, load_model, resolve
from scones.staging.source import Progress
from scones.store import Layout

if TYPE_CHECKING:
    from scones.contracts import Policy
    from scones.store import Bucket

__all__ = ["Asked", "learn", "recent_looks"]

_log = logging.getLogger(__name__)
_FARTHEST: Final = 100
"""Looks that are read, at most."""


@dataclass(frozen=True)
class Asked:
    """Whose case it is."""

    bucket: Bucket
    endpoint: str
    task: str
    rules: Rules
    report: Progress


def recent_looks(bucket: Bucket, endpoint: str, newest: int, standing: Standing, rules: Rules) -> list[Look]:
    """The newest looks since a stance was taken, the newest last: as many as are needed to decide."""
    found: list[Look] = []
    for number in range(newest, max(0, newest - _FARTHEST), -1):
        look = read_look(bucket, endpoint, number)
        if look is not None and look.at <= standing.at:
            break
        if look is not None and look.pictures:
            found.append(look)
        if len(found) >= rules.looks_to_return:
            break
    return found[::-1]


def learn(asked: Asked, standing: Standing, told: Sequence[Standing], looks: Sequence[Look], newest: int) -> Known:
    """Find out what there is to choose from.

    Models are asked only where harm was found that they may help against, or where a candidate is on trial.

    Args:
        asked: whose case it is.
        standing: the present stance; ``told``: all, the oldest first.
        looks: as :func:`recent_looks` finds them; ``newest``: number of the newest.

    Raises:
        BundleError: nothing is in production.
        StoreError: the store does not answer.
    """
    policy, rules = current_policy(asked.bucket, asked.task), asked.rules
    record = asked.bucket.latest_number(Layout.policy_series(asked.task))
    known = Known(policy.version, _promoted_at(policy), record)
    if standing.stance is Stance.OBSERVING:
        return known
    lately = _since_trusted(told)
    known = replace(
        known,
        erred=any(_erred(asked, one, policy.version) for one in lately),
        pictures=_pictures_since(asked, standing, newest),
    )
    harm = bool(looks) and harmful(looks[-1], rules)
    if standing.stance is Stance.ROLLED_BACK or not (harm or standing.candidate):
        return known
    candidate = _candidate(asked, standing, policy.version, {one.candidate for one in lately})
    before = _before(asked, policy.version) if harm else None
    alarm = looks[-1].alarm if looks else None
    return _compared(asked, known, candidate, before, newest, alarm.began if alarm else None)


def _compared(
    asked: Asked, known: Known, candidate: str | None, before: str | None, newest: int, began: datetime | None
) -> Known:
    """The same, with the models that there are held against production."""
    if candidate is None and before is None:
        return known
    recent = _recent(asked, newest, known.production)
    sights = {name: _sight(asked, name, recent) for name in (known.production, candidate, before) if name}
    production = sights[known.production]

    def beside(version: str) -> Comparison:
        own = sights[version]
        return (
            compare(own, production, recent, chance=asked.rules.chance) if own and production else Comparison(version)
        )

    own = sights[before] if before else None
    return replace(
        known,
        candidate=beside(candidate) if candidate else None,
        before=beside(before) if before else None,
        same_drift=sees_same_drift(own, production, recent, began) if own and production else None,
    )


def _promoted_at(policy: Policy) -> datetime:
    """When production was changed; where that cannot be read, it is as if no harm had begun since."""
    try:
        time = datetime.fromisoformat(policy.at)
    except ValueError:  # a person may have written the policy
        return datetime.max.replace(tzinfo=UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _since_trusted(told: Sequence[Standing]) -> list[Standing]:
    """The stances since the endpoint was last trusted."""
    found: list[Standing] = []
    for one in reversed(told):
        if one.stance is Stance.OBSERVING:
            break
        found.append(one)
    return found


def _erred(asked: Asked, standing: Standing, production: str) -> bool:
    """Whether a stance was decided on an error of the model that is in production now."""
    look = read_look(asked.bucket, asked.endpoint, standing.look) if standing.look else None
    return look is not None and look.version == production and confirmed_error(look, asked.rules)


def _pictures_since(asked: Asked, standing: Standing, newest: int) -> int:
    """New pictures since a stance was taken: all so far, less those until then."""

    def at(number: int) -> datetime:
        look = read_look(asked.bucket, asked.endpoint, number)
        return look.at if look else datetime.min.replace(tzinfo=UTC)

    until = bisect_right(range(1, newest + 1), standing.at, key=at)
    first, last = (read_look(asked.bucket, asked.endpoint, number) for number in (until, newest))
    return (last.totals.pictures if last else 0) - (first.totals.pictures if first else 0)


def _candidate(asked: Asked, standing: Standing, production: str, tried: Collection[str | None]) -> str | None:
    """The model on trial; else the task's candidate, where it was not on trial since the endpoint was last trusted."""
    try:
        version = standing.candidate or resolve(asked.bucket, asked.task, CANDIDATE)
        if version == production or (standing.candidate is None and version in tried):
            return None
        load_model(asked.bucket, asked.task, version)
    except (BundleError, StoreError) as error:
        _log.warning("there is no candidate to try: %s", error)
        return None
    return version


def _before(asked: Asked, production: str) -> str | None:
    try:
        version = find_rollback(asked.bucket, asked.task).policy.version
    except (BundleError, PromotionRefused) as error:
        _log.info("there is no model to go back to: %s", error)
        return None
    return version if version != production else None


def _recent(asked: Asked, newest: int, production: str) -> Recent:
    bucket, look = asked.bucket, read_look(asked.bucket, asked.endpoint, newest)
    state = load_state(bucket, look.state) if look else None
    truths = read_truths(bucket, Layout.ground_truth(asked.endpoint))
    labels = load_model(bucket, asked.task, production).info.labels
    return recent_pictures(bucket, state.window if state else Window.none(), truths, labels)


def _sight(asked: Asked, version: str, recent: Recent) -> Sight | None:
    try:
        return sight_of(asked.bucket, asked.task, version, recent, asked.report)
    except (BundleError, ObjectMissing, TrainingError) as error:
        _log.warning("model %s cannot be compared: %s", version, error)
        return None
