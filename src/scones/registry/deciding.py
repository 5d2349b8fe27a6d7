"""A model that may decide: a reference in the store, or a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scones.classifier import Classifier
from scones.registry.aliases import ALIASES, current_policy
from scones.registry.models import load_model
from scones.store import Bucket

__all__ = ["Decider", "load_decider"]


@dataclass(frozen=True)
class Decider:
    """A model and the least confidence at which it decides alone (0 to 1)."""

    classifier: Classifier
    threshold: float


def load_decider(ref: str | Path, task: str, bucket: Callable[[], Bucket]) -> Decider:
    """Load a model, to answer on one core a call, and the threshold that counts for it.

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
        classifier = Classifier.load(ref)
        return Decider(classifier, classifier.info.threshold.value)
    place, override = bucket(), None
    if ref in ALIASES:
        policy = current_policy(place, task, ref)
        ref, override = policy.version, policy.threshold
    classifier = load_model(place, task, ref)
    return Decider(classifier, classifier.info.threshold.value if override is None else override)
