"""What the watch of an endpoint wrote down, as the report shows it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING, Final

from scones.capture import is_sampled, read_capture_file
from scones.errors import BundleError, ObjectMissing
from scones.monitoring.watch.findings import Finding, findings
from scones.monitoring.watch.history import newest_number, read_look
from scones.monitoring.watch.records import Look, Standing
from scones.monitoring.watch.standings import read_standings
from scones.page import Picture
from scones.page.numbers import percent

if TYPE_CHECKING:
    from scones.monitoring.watch.rules import Rules
    from scones.store import Bucket

__all__ = ["Watched", "read_watched"]

_MOST_LOOKS: Final = 2_000
_AT_A_TIME: Final = 16
_MOST_PICTURES: Final = 9


@dataclass(frozen=True)
class Watched:
    """What the watch of an endpoint wrote down.

    Attributes:
        looks: the oldest first; none where nobody watches it.
        standings: how it was to be run, the oldest first.
        findings: what the last look found.
        responsible: the pictures that tell most of the drift that stands, the most telling first.
        reference: reference pictures to compare them with, as files.
    """

    looks: Sequence[Look] = ()
    standings: Sequence[Standing] = ()
    findings: Sequence[Finding] = ()
    responsible: Sequence[Picture] = ()
    reference: Sequence[bytes] = ()


def read_watched(bucket: Bucket, endpoint: str, rules: Rules, *, pictures: float = 1) -> Watched:
    """Read the latest 2,000 looks and all stances; of the drift that stands find the pictures again in the capture.

    Args:
        bucket: where all lies.
        endpoint: whose.
        rules: what is called harm.
        pictures: share of the records, 0 to 1, chosen by event id, whose pictures may be shown.

    Raises:
        MessageError: a stance is damaged.
        StoreError: the store does not answer.
    """
    newest = newest_number(bucket, endpoint)
    numbers = range(max(1, newest - _MOST_LOOKS + 1), newest + 1)
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        looks = [look for look in pool.map(lambda n: read_look(bucket, endpoint, n), numbers) if look is not None]
    standings = [stood.standing for stood in read_standings(bucket, endpoint)]
    if not looks:
        return Watched(standings=standings)
    last = looks[-1]
    found = Watched(looks, standings, findings(last, rules))
    if last.alarm is None:
        return found
    return replace(
        found, responsible=_responsible(bucket, last, pictures), reference=_reference(bucket, last)[:_MOST_PICTURES]
    )


def _responsible(bucket: Bucket, look: Look, pictures: float) -> list[Picture]:
    """The pictures that an alarm names, from the files that the look's state says they lie in."""
    from scones.monitoring.watch.state import load_state

    assert look.alarm is not None
    wanted = [event for event in look.alarm.responsible if is_sampled(event, pictures)][:_MOST_PICTURES]
    if not wanted or (state := load_state(bucket, look.state)) is None:
        return []
    files = dict(zip(state.window.events, state.window.files, strict=True))
    found: dict[str, Picture] = {}
    for file in {files[event] for event in wanted if event in files}:
        with suppress(ObjectMissing):
            for record in read_capture_file(bucket, file, pictures=pictures):
                if record.event_id in wanted and record.fault is None:
                    time = record.time.astimezone(UTC)
                    found[record.event_id] = Picture(
                        record.picture,
                        title=record.label(tuple(look.mix)),
                        detail=f"{percent(record.confidence)} sure, {time:%-d %b %H:%M}",
                        name=record.inference_id or record.event_id,
                    )
    return [found[event] for event in wanted if event in found]


def _reference(bucket: Bucket, look: Look) -> tuple[bytes, ...]:
    from scones.monitoring.watch.health import load_health

    try:
        health = load_health(bucket, look.task, look.version)
    except BundleError:  # the monitor makes it anew
        return ()
    return () if health is None else health.pictures
