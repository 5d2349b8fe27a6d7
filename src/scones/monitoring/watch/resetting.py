"""Begin a watch anew, once a person has looked at its alarm."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from scones.errors import ObjectExists, ObjectMissing
from scones.monitoring.drift.sequential import Detector
from scones.monitoring.watch.basis import find_basis, write_look
from scones.monitoring.watch.records import Look
from scones.store import Bucket

if TYPE_CHECKING:
    from scones.monitoring.watch.health import Health

__all__ = ["begin_anew"]


def begin_anew(
    bucket: Bucket, endpoint: str, *, who: str, why: str, now: datetime, health: Health | None = None
) -> tuple[int, Look]:
    """Take the alarm down, and watch on with a detector that has seen nothing. What was read stays read.

    It is a look at no record, with a note of who did it and why.

    Args:
        bucket: where the looks lie.
        endpoint: whose.
        who, why: for the record.
        now: with time zone.
        health: of the model that is watched, whose reference a person told anew; None: the reference stays.

    Returns:
        The look's number, and the look.

    Raises:
        ObjectMissing: nobody watches the endpoint or that model yet, or what the last look left is gone.
        ObjectExists: a monitor wrote a look at this moment.
        StoreError: the store does not answer.
    """
    basis = find_basis(bucket, endpoint)
    if basis.state is None or basis.last is None:
        raise ObjectMissing(
            f"endpoint {endpoint} is not watched yet, so there is nothing to begin anew: run `scones monitor watch`"
        )
    if health is not None and health.version != basis.state.version:
        raise ObjectMissing(
            f"endpoint {endpoint} is watched by model {basis.state.version}, not by {health.version}: look first, with "
            "`scones monitor watch`"
        )
    reference = basis.state.detector.reference if health is None else health.reference
    detector = Detector(reference, basis.state.detector.plan)
    state = basis.state.begun_anew(basis.state.version, detector)
    on = f" on {health.baseline}" if health is not None and health.baseline is not None else ""
    look = Look(
        at=now,
        task=basis.last.task,
        version=state.version,
        state="",
        totals=state.totals,
        newest=basis.last.newest,
        gap=basis.last.gap,
        evidence=detector.by_channel,
        alarm_line=detector.plan.alarm_line,
        reviewed=basis.last.reviewed,
        expected=basis.last.expected,
        baseline=basis.last.baseline if health is None or health.baseline is None else health.baseline.said,
        note="; ".join(filter(None, (basis.note, f"begun anew{on} by {who}: {why}"))),
    )
    if not write_look(bucket, endpoint, look, state, basis.number):
        raise ObjectExists(f"a monitor looked at endpoint {endpoint} at this moment: look at what it saw, then repeat")
    return basis.number + 1, look
