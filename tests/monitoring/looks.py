"""Made-up looks at an endpoint, as a watch would write them down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from scones.monitoring.watch.records import Alarm, ChannelEvidence, Estimate, Look, MixShare, Stance, Standing

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
LINE = 250_000.0


def at(minutes: float) -> datetime:
    """So long after the start."""
    return START + timedelta(minutes=minutes)


def look(minute: int, **fields: Any) -> Look:
    """A look, a minute after the one before, in which all is well."""
    told: dict[str, Any] = {
        "at": at(minute),
        "task": "vehicles",
        "version": "v1",
        "state": f"watch-state/scones/{minute:08d}-a.npz",
        "start": at(minute - 1),
        "until": at(minute - 0.1),
        "files": 1,
        "records": 20,
        "pictures": 20,
        "seen": 20 * minute,
        "newest": at(minute - 0.1),
        "confidence": 0.95,
        "labels": {"bicycle": 12, "motorcycle": 8},
        "evidence": {"sharpness": 1.5, "like blur": 0.5, "size": 0.0},
        "alarm_line": LINE,
        "accuracy": Estimate(share=0.94, low=0.92, high=0.96, warning="estimated without labels"),
        "expected": 0.95,
        "mix": {
            "bicycle": MixShare(share=0.6, low=0.5, high=0.7),
            "motorcycle": MixShare(share=0.4, low=0.3, high=0.5),
        },
    }
    return Look(**told | fields)


def drifted(minute: int, *, began: int, evidence: float = 1e12, **fields: Any) -> Look:
    """A look at which a drift stands since minute ``began``, in two channels."""
    channels = (
        ChannelEvidence(channel="like blur", evidence=3e5, began=at(began)),
        ChannelEvidence(channel="sharpness", evidence=4e4, began=at(began + 1)),
    )
    alarm = Alarm(
        at=at(began + 2),
        picture=399,
        began=at(began),
        channels=channels,
        outside=0.25,
        responsible=("event-1", "event-2"),
    )
    told = {"evidence": {"sharpness": evidence / 10, "like blur": evidence, "size": 0.0}, "alarm": alarm}
    return look(minute, **told | fields)


def standing(stance: Stance, minute: float, **fields: Any) -> Standing:
    """How the endpoint is run since then."""
    told: dict[str, Any] = {"stance": stance, "who": "monitor", "why": "harm was found", "at": at(minute)}
    return Standing(**told | fields)
