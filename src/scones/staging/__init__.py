"""Data staging: take pictures from a source, check them, split them, and write them as a versioned dataset.

The public names are loaded on first use, so that importing one of the modules here brings no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scones._lazy import lazily

_HOMES = {
    "Checks": "scones.staging.checks",
    "Dataset": "scones.staging.dataset",
    "DatasetRecord": "scones.staging.dataset",
    "Source": "scones.staging.source",
    "SourceKind": "scones.staging.pipeline",
    "SourcePicture": "scones.staging.source",
    "choose_source": "scones.staging.pipeline",
    "cifar100_pictures": "scones.staging.cifar100",
    "download_cifar100": "scones.staging.pipeline",
    "folder_pictures": "scones.staging.folder",
    "in_calibration": "scones.staging.splits",
    "load_dataset": "scones.staging.dataset",
    "open_source": "scones.staging.pipeline",
    "synthetic_pictures": "scones.staging.synthetic",
    "with_examples": "scones.staging.examples",
    "write_dataset": "scones.staging.writing",
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
    "with_examples",
    "write_dataset",
]

if TYPE_CHECKING:
    from scones.staging.checks import Checks
    from scones.staging.cifar100 import cifar100_pictures
    from scones.staging.dataset import Dataset, DatasetRecord, load_dataset
    from scones.staging.examples import with_examples
    from scones.staging.folder import folder_pictures
    from scones.staging.pipeline import SourceKind, choose_source, download_cifar100, open_source
    from scones.staging.source import Source, SourcePicture
    from scones.staging.splits import in_calibration
    from scones.staging.synthetic import synthetic_pictures
    from scones.staging.writing import write_dataset


if not TYPE_CHECKING:  # else every name that is asked for would be right
    __getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
