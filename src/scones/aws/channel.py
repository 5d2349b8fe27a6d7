"""A dataset, copied to where a training job finds it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from scones.aws.account import Account
from scones.aws.artefacts import Artefact, upload
from scones.staging.source import Progress, no_progress

if TYPE_CHECKING:
    from scones.aws.names import Names
    from scones.staging import Dataset

__all__ = ["upload_dataset"]


def upload_dataset(
    account: Account,
    names: Names,
    dataset: Dataset,
    extra_files: Mapping[str, bytes],
    progress: Progress = no_progress,
) -> int:
    """Copy a version of a dataset into the bucket of artefacts, under the same keys.

    What is there with its size is not copied again: a version's name follows from its content.

    Args:
        account, names: where to.
        dataset: what.
        extra_files: what is to lie beside it, by name; the names must follow from the content too.
        progress: called as the copying goes on.

    Returns:
        How many objects were copied.

    Raises:
        AwsAccess, AwsError: as AWS answers.
        StoreError: as the store answers.
    """
    bucket, home = dataset.bucket, f"{dataset.prefix}/"
    own = [Artefact(one.key, one.size, partial(bucket.get, one.key)) for one in bucket.entries(home)]
    extra = [Artefact(f"{home}{name}", len(data), partial(bytes, data)) for name, data in extra_files.items()]
    return len(upload(account, names.artefacts, own + extra, progress))
