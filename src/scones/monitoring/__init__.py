"""What the endpoint saw and answered, read back from its capture: figures and a report.

The names are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scones._lazy import lazily

_HOMES = {
    "Look": "scones.monitoring.watch.records",
    "Looked": "scones.monitoring.watch.look",
    "Monitor": "scones.monitoring.watch.monitor",
    "Rules": "scones.monitoring.watch.rules",
    "Stance": "scones.monitoring.watch.records",
    "Standing": "scones.monitoring.watch.records",
    "Summary": "scones.monitoring.summary",
    "TimeBin": "scones.monitoring.timeline",
    "Unsure": "scones.monitoring.summary",
    "VersionFigures": "scones.monitoring.summary",
    "Watched": "scones.monitoring.watch.watched",
    "Watcher": "scones.monitoring.watch.look",
    "begin_anew": "scones.monitoring.watch.resetting",
    "declare_healthy": "scones.monitoring.watch.baseline",
    "fit_baseline": "scones.monitoring.watch.baseline",
    "join_truths": "scones.monitoring.truth",
    "monitor_page": "scones.monitoring.report",
    "newest_look": "scones.monitoring.watch.history",
    "read_truths": "scones.monitoring.truth",
    "read_watched": "scones.monitoring.watch.watched",
    "summarise": "scones.monitoring.tally",
    "summarise_capture": "scones.monitoring.captured",
}

__all__ = [
    "Look",
    "Looked",
    "Monitor",
    "Rules",
    "Stance",
    "Standing",
    "Summary",
    "TimeBin",
    "Unsure",
    "VersionFigures",
    "Watched",
    "Watcher",
    "begin_anew",
    "declare_healthy",
    "fit_baseline",
    "join_truths",
    "monitor_page",
    "newest_look",
    "read_truths",
    "read_watched",
    "summarise",
    "summarise_capture",
]

if TYPE_CHECKING:
    from scones.monitoring.captured import summarise_capture
    from scones.monitoring.report import monitor_page
    from scones.monitoring.summary import Summary, Unsure, VersionFigures
    from scones.monitoring.tally import summarise
    from scones.monitoring.timeline import TimeBin
    from scones.monitoring.truth import join_truths, read_truths
    from scones.monitoring.watch.baseline import declare_healthy, fit_baseline
    from scones.monitoring.watch.history import newest_look
    from scones.monitoring.watch.look import Looked, Watcher
    from scones.monitoring.watch.monitor import Monitor
    from scones.monitoring.watch.records import Look, Stance, Standing
    from scones.monitoring.watch.resetting import begin_anew
    from scones.monitoring.watch.rules import Rules
    from scones.monitoring.watch.watched import Watched, read_watched


if not TYPE_CHECKING:  # else every name that is asked for would be right
    __getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
