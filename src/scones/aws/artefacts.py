"""What a deployment uploads: packages, definitions and the model."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

from scones.aws.account import Account, explained
from scones.aws.packages import Package
from scones.errors import BundleError
from scones.registry import PRODUCTION, resolve
from scones.staging.source import Progress, no_progress
from scones.store import Bucket, Layout
from scones.workflow.definitions import definition

__all__ = ["Artefact", "definition_artefact", "known_artefacts", "model_artefact", "package_artefact", "upload"]

_AT_ONCE = 8
"""Objects that are uploaded at a time."""


@dataclass(frozen=True)
class Artefact:
    """An object for the bucket of artefacts; its key says its content, so that it is uploaded once.

    Attributes:
        key: of the object.
        size: bytes.
        read: gives the content.
    """

    key: str
    size: int
    read: Callable[[], bytes]


def package_artefact(package: Package) -> Artefact:
    """A function's package."""
    return Artefact(package.key, package.path.stat().st_size, package.path.read_bytes)


def definition_artefact(name: str) -> Artefact:
    """A state machine's definition as it is, by the name of its file."""
    text = definition(name).encode()
    key = f"definitions/{name}-{hashlib.sha256(text).hexdigest()[:16]}.asl.json"
    return Artefact(key, len(text), lambda: text)


def model_artefact(bucket: Bucket, task: str) -> Artefact:
    """The model of a task that is in production in a store.

    Raises:
        BundleError: none is, or it is gone.
        StoreError: the store does not say.
    """
    try:
        version = resolve(bucket, task, PRODUCTION)
    except BundleError as error:
        raise BundleError(f"{error}, or put one in production with `scones promote`, then deploy") from error
    key = f"{Layout.model(task, version)}/model.tar.gz"
    found = next((one for one in bucket.entries(key) if one.key == key), None)
    if found is None:
        raise BundleError(
            f"model {version} is in production, but {bucket.url(key)} is not there: put another one in production "
            "with `scones promote`, or go back with `scones rollback`"
        )
    return Artefact(key, found.size, lambda: bucket.get(key))


def known_artefacts(bucket: Bucket, model: Artefact) -> tuple[Artefact, ...]:
    """What the application's bucket is to know of a model: what monitors compare with, here and elsewhere.

    That is the model itself, its ``bundle.json``, and its health, where a monitor has measured it.

    Raises:
        ObjectMissing: ``bundle.json`` is gone.
        StoreError: the store does not answer.
    """
    _, task, version, _ = model.key.split("/")
    bundle, health = f"{Layout.model(task, version)}/bundle.json", Layout.health(task, version)
    found = [one for one in bucket.entries(health) if one.key == health]
    text = bucket.get(bundle)
    return (
        Artefact(bundle, len(text), lambda: text),
        model,
        *(Artefact(one.key, one.size, lambda: bucket.get(health)) for one in found),
    )


def upload(
    account: Account, bucket: str, artefacts: Sequence[Artefact], progress: Progress = no_progress
) -> list[Artefact]:
    """Upload what is not there yet.

    Args:
        account: whose bucket it is.
        bucket: its name.
        artefacts: what must be there in the end.
        progress: told how many bytes of how many are there.

    Returns:
        What was uploaded.

    Raises:
        AwsAccess, AwsError: as AWS answers.
    """
    there = _sizes(account, bucket, {artefact.key.rpartition("/")[0] for artefact in artefacts})
    missing = [artefact for artefact in artefacts if there.get(artefact.key) != artefact.size]
    total, done, lock = sum(artefact.size for artefact in missing), 0, Lock()

    def sent(size: int) -> None:
        nonlocal done
        with lock:
            done += size
            progress("uploading (bytes)", done, total)

    def send(artefact: Artefact) -> None:
        with explained(f"upload {artefact.key} to bucket {bucket}"):
            account.s3.upload_fileobj(io.BytesIO(artefact.read()), bucket, artefact.key, Callback=sent)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(send, missing))
    return missing


def _sizes(account: Account, bucket: str, folders: Iterable[str]) -> dict[str, int]:
    """The sizes of the objects in some folders of a bucket, by key."""
    found: dict[str, int] = {}
    with explained(f"look into bucket {bucket}"):
        for folder in sorted(folders):
            pages = account.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{folder}/")
            found |= {one["Key"]: one["Size"] for page in pages for one in page.get("Contents", [])}
    return found
