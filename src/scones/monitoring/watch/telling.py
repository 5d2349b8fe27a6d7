"""What people are told of a watch: each thing once, however often it is looked at, and by however many monitors."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from scones.errors import ObjectMissing
from scones.notifications import Notification
from scones.store import Bucket, Layout

if TYPE_CHECKING:
    from scones.monitoring.watch.findings import Finding
    from scones.monitoring.watch.records import Look, Standing

__all__ = ["mark_told", "news"]

_log = logging.getLogger(__name__)
_TITLES: Final = {
    "accuracy": "the model errs",
    "outside": "the model does not know these pictures",
    "drift": "the pictures have drifted",
    "estimated accuracy": "the model seems to err",
    "capture": "nothing is captured",
    "unreadable": "some of what was captured cannot be used",
    "candidate": "a candidate does better than production",
}
_AGAIN: Final = timedelta(days=1)
"""What was away so long is told again when it is back."""
_FORGET: Final = timedelta(days=90)


def news(
    bucket: Bucket, endpoint: str, look: Look, findings: Sequence[Finding], standing: Standing | None, did: str
) -> tuple[list[Notification], dict[str, str]]:
    """What people are to be told after a look.

    Args:
        bucket: where is written down what they were told.
        endpoint: whose.
        look: the newest.
        findings: what it found.
        standing: the stance that was decided on just now; None where it stays.
        did: what was done for it, in words.

    Returns:
        The notifications, and what is to be marked as told once they are handed over, see :func:`mark_told`.

    Raises:
        StoreError: the store does not answer.
    """
    told = _told(bucket, endpoint)
    seen = {_name(one, look): one for one in findings if one.level != "info" or one.signal == "candidate"}
    again = (look.at - _AGAIN).isoformat()
    found = [
        _notification(endpoint, one.signal, one.text, look.at)
        for name, one in seen.items()
        if name not in told or (_recurs(one) and told[name] < again)
    ]
    if standing is not None:
        would = "would be " if standing.dry_run else ""
        text = f"{would}{standing.stance}: {standing.why}" + (f"; {did}" if did else "")
        found.append(_notification(endpoint, "stance", text, look.at))
    oldest = (look.at - _FORGET).isoformat()
    kept = {name: when for name, when in told.items() if when >= oldest}
    return found, kept | dict.fromkeys(seen, look.at.isoformat())


def mark_told(bucket: Bucket, endpoint: str, told: dict[str, str]) -> None:
    """Write down what people were told.

    Raises:
        StoreError: the store does not answer: they are told again.
    """
    if told != _told(bucket, endpoint):
        bucket.put(_key(endpoint), json.dumps(told, indent=1).encode())


def _told(bucket: Bucket, endpoint: str) -> dict[str, str]:
    """When something was last found that people were told of, by name."""
    try:
        value = json.loads(bucket.get(_key(endpoint)))
    except ObjectMissing:
        return {}
    except ValueError as error:
        _log.warning("%s is damaged (%s): some things are told again", _key(endpoint), error)
        return {}
    return {str(name): str(when) for name, when in value.items()} if isinstance(value, dict) else {}


def _key(endpoint: str) -> str:
    return Layout.watch_state(endpoint, "told.json")


def _recurs(finding: Finding) -> bool:
    """Whether it may come back under its name; a drift and a gap have one each."""
    return finding.signal not in ("drift", "outside", "capture")


def _name(finding: Finding, look: Look) -> str:
    """The same as long as it is the same thing: another drift, and another gap, is told at once."""
    if look.alarm is not None and finding.signal in ("drift", "outside"):
        return f"{finding.signal} {look.version} {look.alarm.at.isoformat()}"
    if finding.signal == "capture":
        return f"capture {look.newest.isoformat() if look.newest else ''}"
    return f"{finding.signal} {look.version}"


def _notification(endpoint: str, signal: str, text: str, at: datetime) -> Notification:
    title = _TITLES.get(signal, signal if signal != "stance" else "it is run otherwise")
    return Notification("drift", f"{endpoint} {signal}", f"{endpoint}: {title}", at.timestamp(), text, endpoint)
