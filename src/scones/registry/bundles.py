"""A model's bundle by its name: a reference in the store, or a file; not loaded yet, so that it takes no time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scones.bundle import BundleInfo, load_bundle, read_bundle
from scones.errors import BundleError, ObjectMissing
from scones.registry.aliases import ALIASES, current_policy
from scones.store import Bucket, Layout

__all__ = ["FoundBundle", "find_bundle", "read_model"]


@dataclass(frozen=True)
class FoundBundle:
    """What ``bundle.json`` says, the bytes of ``model.onnx``, and the threshold that counts, 0 to 1."""

    info: BundleInfo
    model: bytes
    threshold: float


def find_bundle(ref: str | Path, task: str, bucket: Callable[[], Bucket]) -> FoundBundle:
    """Read a model, and the threshold that counts for it.

    Args:
        ref: a version, "production" or "candidate"; or the path of a ``model.tar.gz`` or of a folder with its
            contents: a text is a path if it holds a ``/`` or ends so.
        task: the task's name.
        bucket: opens the bucket that models lie in; a path needs none.

    Returns:
        The model and its threshold: an alias's policy may set it, else it is the model's own.

    Raises:
        BundleError: there is no such model, or it is damaged.
    """
    if isinstance(ref, Path) or "/" in ref or ref.endswith(".tar.gz"):
        info, model = load_bundle(Path(ref))
        return FoundBundle(info, model, info.threshold.value)
    place, override = bucket(), None
    if ref in ALIASES:
        policy = current_policy(place, task, ref)
        ref, override = policy.version, policy.threshold
    info, model = read_model(place, task, ref)
    return FoundBundle(info, model, info.threshold.value if override is None else override)


def read_model(bucket: Bucket, task: str, version: str) -> tuple[BundleInfo, bytes]:
    """Read a version from the store: what ``bundle.json`` says, and the bytes of ``model.onnx``.

    Raises:
        BundleError: there is none, or it is damaged.
    """
    key = f"{Layout.model(task, version)}/model.tar.gz"
    try:
        data = bucket.get(key)
    except ObjectMissing as error:
        raise BundleError(f"no model at {bucket.url(key)}: `scones models` lists those there are") from error
    return read_bundle(data, bucket.url(key))
