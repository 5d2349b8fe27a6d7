"""From labelled pictures to a safe, scalable, monitored image-classification service.

The public names are loaded on first use: importing ``scones``, or one room of it, loads no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scones._lazy import lazily

__version__ = "0.1.0"

_HOMES = {
    "Bucket": "scones.store",
    "BundleInfo": "scones.bundle",
    "Classifier": "scones.classifier",
    "Engine": "scones.workflow.engine",
    "SconesError": "scones.errors",
    "Settings": "scones.settings",
    "Task": "scones.task",
    "load_task": "scones.task",
    "open_bucket": "scones.store",
}

__all__ = [
    "Bucket",
    "BundleInfo",
    "Classifier",
    "Engine",
    "SconesError",
    "Settings",
    "Task",
    "__version__",
    "load_task",
    "open_bucket",
]

if TYPE_CHECKING:
    from scones.bundle import BundleInfo
    from scones.classifier import Classifier
    from scones.errors import SconesError
    from scones.settings import Settings
    from scones.store import Bucket, open_bucket
    from scones.task import Task, load_task
    from scones.workflow.engine import Engine


if not TYPE_CHECKING:  # else every name that is asked for would be right
    __getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
