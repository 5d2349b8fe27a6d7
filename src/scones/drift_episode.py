"""The demo's last act: fog comes up before the camera, and the monitor sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import PIL.Image

from scones.errors import EndpointError
from scones.picture import decode, encode_png

if TYPE_CHECKING:
    from scones.settings import Settings
    from scones.staging import Dataset
    from scones.store import Bucket

__all__ = ["DriftSeen", "drift_episode"]

_SENT: Final = 60
_FOG, _LIGHT = 0.5, 225
"""How much of the light comes from the fog, and how bright it is, of 255."""
_AT_A_LOOK: Final = 40


@dataclass(frozen=True)
class DriftSeen:
    """What the monitor saw.

    Attributes:
        healthy_pictures: that were shown to it before, and ``false_alarm`` whether it raised an alarm on them.
        pictures_to_alarm: from the first in fog to the alarm, that one included; None where it saw nothing.
        channels: that told of it, the strongest first.
        report: key of the page.
    """

    healthy_pictures: int
    false_alarm: bool
    pictures_to_alarm: int | None
    channels: tuple[str, ...]
    report: str

    def to_json(self) -> dict[str, Any]:
        """The object that ``scones demo --json`` prints."""
        return {name: value for name, value in vars(self).items() if name != "report"}


def drift_episode(
    bucket: Bucket,
    dataset: Dataset,
    settings: Settings,
    serve: Callable[[], AbstractContextManager[str]],
    report: Callable[[str, int, int], None],
) -> DriftSeen:
    """Look at what was captured; then send pictures in fog, and look again.

    Args:
        bucket: where capture and model lie.
        dataset: its test pictures are sent.
        settings: of the endpoint.
        serve: runs the endpoint, and answers its address; at its end the capture is complete.
        report: told how it gets on.
    """
    from scones.monitoring import monitor_page, summarise_capture
    from scones.monitoring.watch.look import Watcher
    from scones.monitoring.watch.monitor import Monitor
    from scones.monitoring.watch.rules import Rules
    from scones.monitoring.watch.watched import read_watched
    from scones.store import Layout

    rules = Rules()
    watcher = Watcher(bucket, settings.endpoint, settings.task, most=_AT_A_LOOK, report=report)
    monitor = Monitor(watcher, rules=rules, acts=False, tell=lambda _: None)
    looks = list(_look(monitor))
    healthy, false_alarm = looks[-1].seen, looks[-1].alarm is not None
    with serve() as url:
        _send(url, dataset, report)
    looks = list(_look(monitor))
    alarm = looks[-1].alarm
    prefix = f"{Layout.CAPTURE}/{settings.endpoint}"
    summary = summarise_capture(bucket, prefix)
    page = monitor_page(
        summary,
        title="What the demo's endpoint saw",
        source=bucket.url(prefix),
        watched=read_watched(bucket, settings.endpoint, rules),
    )
    key = Layout.report("monitor")
    bucket.put(key, page.encode())
    return DriftSeen(
        healthy_pictures=healthy,
        false_alarm=false_alarm,
        pictures_to_alarm=None if alarm is None or false_alarm else alarm.picture - healthy + 1,
        channels=() if alarm is None else tuple(one.channel for one in alarm.channels),
        report=key,
    )


def _look(monitor: Any) -> Iterator[Any]:
    more = True
    while more:
        turn = monitor.turn(datetime.now(UTC))
        more = turn.looked.more
        if turn.looked.look is not None:
            yield turn.looked.look


def _send(url: str, dataset: Dataset, report: Callable[[str, int, int], None]) -> None:
    import urllib3

    lines = [line for line in dataset.lines if line.split == "test"][:_SENT]
    with urllib3.PoolManager() as client:
        for number, line in enumerate(lines, start=1):
            answer = client.request(
                "POST", f"{url}/invocations", body=_in_fog(dataset.read(line)), headers={"Content-Type": "image/png"}
            )
            if answer.status != 200:
                raise EndpointError(f"the endpoint answered {answer.status} to a picture in fog: {answer.data[:200]!r}")
            report("pictures in fog", number, len(lines))


def _in_fog(data: bytes) -> bytes:
    values = np.asarray(decode(data), np.float64) * (1 - _FOG) + _LIGHT * _FOG
    return encode_png(PIL.Image.fromarray(values.round().astype(np.uint8)))
