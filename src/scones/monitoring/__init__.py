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
    "monitor_page": "scones.monitoring.report",
    "summarise": "scones.monitoring.summary",
}

__all__ = [
    "Summary",
    "TimeBin",
    "Unsure",
    "VersionFigures",
    "monitor_page",
    "summarise",
]

if TYPE_CHECKING:
    from scones.monitoring.report import monitor_page
    from scones.monitoring.summary import Summary, Unsure, VersionFigures, summarise
    from scones.monitoring.timeline import TimeBin


if not TYPE_CHECKING:  # else every name that is asked for would be right
    __getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
