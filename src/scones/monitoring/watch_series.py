"""What of a watch's records is drawn: thinned, the largest parts of it, and what stood for how long. No I/O."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from typing import Final, NamedTuple

from scones.monitoring.plots import milliseconds
from scones.monitoring.watch.deciding import START
from scones.monitoring.watch.records import Alarm, Estimate, Look, Standing

__all__ = ["Span", "alarms", "labels", "moments", "reviews", "spans", "strongest", "thinned"]

_MOST_POINTS: Final = 400
_MOST_REVIEWS: Final = 60
_MOST_LINES: Final = 8
"""Lines that people can tell apart."""


def moments(looks: Sequence[Look]) -> list[float]:
    """The times that looks tell of, in milliseconds: of their last record, and never before that of an earlier look."""
    return list(accumulate((milliseconds(look.until or look.at) for look in looks), max))


def thinned(looks: Sequence[Look], most: int = _MOST_POINTS) -> list[Look]:
    """At most so many looks of a series: of those next to each other the one with most evidence, and the last."""
    if len(looks) <= most:
        return list(looks)
    size = math.ceil((len(looks) - 1) / (most - 1))
    groups = (looks[place : min(place + size, len(looks) - 1)] for place in range(0, len(looks) - 1, size))
    return [*(max(group, key=lambda look: look.strongest) for group in groups), looks[-1]]


def strongest(looks: Sequence[Look]) -> list[str]:
    """The channels that are drawn in colour: those of the alarm that stands, then those with most evidence now."""
    parts, alarm = looks[-1].evidence, looks[-1].alarm
    named = [] if alarm is None else [one.channel for one in alarm.channels if one.channel in parts]
    return list(dict.fromkeys([*named, *sorted(parts, key=lambda name: -parts[name])]))[:_MOST_LINES]


def labels(looks: Sequence[Look]) -> list[str]:
    """The classes with the largest shares when they were last estimated: those that are drawn."""
    mix = next((look.mix for look in reversed(looks) if look.mix), {})
    return sorted(mix, key=lambda label: -mix[label].share)[:_MOST_LINES]


def alarms(looks: Sequence[Look]) -> list[tuple[Alarm, float]]:
    """Each alarm as it was last told, and until when it stood, in milliseconds."""
    found: dict[datetime, tuple[Alarm, float]] = {}
    for look, time in zip(looks, moments(looks), strict=True):
        if look.alarm is not None:
            found[look.alarm.at] = (look.alarm, time)
    return list(found.values())


def reviews(looks: Sequence[Look]) -> list[tuple[float, Estimate]]:
    """Each new estimate that stands on people's answers, and when it was told, in milliseconds; the latest of many."""
    found: list[tuple[float, Estimate]] = []
    for look, time in zip(looks, moments(looks), strict=True):
        if look.reviewed is not None and (not found or found[-1][1] != look.reviewed):
            found.append((time, look.reviewed))
    return found[-_MOST_REVIEWS:]


class Span(NamedTuple):
    """How long a stance stood."""

    standing: Standing
    start: datetime
    end: datetime


def spans(standings: Sequence[Standing], start: datetime, end: datetime) -> list[Span]:
    """How long each stance stood, the oldest first; until the first was decided on, the endpoint was only observed.

    Args:
        standings: the oldest first. One that was only said ends none that is in force.
        start, end: of the time that is shown; what ended before is left out.
    """
    said = [START.model_copy(update={"at": min([start, *(standing.at for standing in standings)])}), *standings]
    found = []
    for place, standing in enumerate(said):
        next_one = next((each for each in said[place + 1 :] if standing.dry_run or not each.dry_run), None)
        until = max(end, standing.at) if next_one is None else next_one.at
        found.append(Span(standing, max(start, standing.at), until))
    return [span for span in found if span.end > span.start]
