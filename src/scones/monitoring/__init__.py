"""What the endpoint saw and answered, read back from its capture: figures and a report.

The names are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scones._lazy import lazily

_HOMES = {
    "Summary": "scones.monitoring.summary",
    "TimeBin": "scones.monitoring.timeline",
    "Unsure": "scones.monitoring.summary",
    "VersionFigures": "scones.monitoring.summary",
    "join_truths": "scones.monitoring.truth",
    "monitor_page": "scones.monitoring.report",
    "read_truths": "scones.monitoring.truth",
    "summarise": "scones.monitoring.tally",
    "summarise_capture": "scones.monitoring.captured",
}

__all__ = [
    "Summary",
    "TimeBin",
    "Unsure",
    "VersionFigures",
    "join_truths",
    "monitor_page",
    "read_truths",
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


if not TYPE_CHECKING:  # else every name that is asked for would be right
    __getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
