"""A model that may decide: a reference in the store, or a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scones.classifier import Classifier
from scones.registry.bundles import find_bundle
from scones.store import Bucket

__all__ = ["Decider", "load_decider"]


@dataclass(frozen=True)
class Decider:
    """A model and the least confidence at which it decides alone (0 to 1)."""

    classifier: Classifier
    threshold: float


def load_decider(ref: str | Path, task: str, bucket: Callable[[], Bucket]) -> Decider:
    """Load a model, to answer on one core a call, and the threshold that counts for it.

    The arguments are those of :func:`scones.registry.bundles.find_bundle`.

    Raises:
        BundleError: there is no such model, or it is damaged.
    """
    found = find_bundle(ref, task, bucket)
    return Decider(Classifier(found.info, found.model), found.threshold)
