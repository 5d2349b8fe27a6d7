"""Data staging: take pictures from a source, check them, split them, and write them as a versioned dataset.

The public names are loaded on first use, so that importing one of the modules here brings no other.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "Checks": "checks",
    "Dataset": "dataset",
    "DatasetRecord": "dataset",
    "Source": "source",
    "SourceKind": "pipeline",
    "SourcePicture": "source",
    "choose_source": "pipeline",
    "cifar100_pictures": "cifar100",
    "download_cifar100": "pipeline",
    "folder_pictures": "folder",
    "in_calibration": "splits",
    "load_dataset": "dataset",
    "open_source": "pipeline",
    "synthetic_pictures": "synthetic",
    "write_dataset": "writing",
}

__all__ = [
    "Checks",
    "Dataset",
    "DatasetRecord",
    "Source",
    "SourceKind",
    "SourcePicture",
    "choose_source",
    "cifar100_pictures",
    "download_cifar100",
    "folder_pictures",
    "in_calibration",
    "load_dataset",
    "open_source",
    "synthetic_pictures",
    "write_dataset",
]

if TYPE_CHECKING:
    from scones.staging.checks import Checks
    from scones.staging.cifar100 import cifar100_pictures
    from scones.staging.dataset import Dataset, DatasetRecord, load_dataset
    from scones.staging.folder import folder_pictures
    from scones.staging.pipeline import SourceKind, choose_source, download_cifar100, open_source
    from scones.staging.source import Source, SourcePicture
    from scones.staging.splits import in_calibration
    from scones.staging.synthetic import synthetic_pictures
    from scones.staging.writing import write_dataset


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'scones.staging' has no attribute {name!r}") from None
    return getattr(import_module(f"scones.staging.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
