"""Which model is served: a file, SageMaker's model folder, or the one in force for a task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scones.classifier import Classifier
from scones.registry import current_policy, load_model

if TYPE_CHECKING:
    from scones.store import Bucket

__all__ = ["SAGEMAKER_MODEL_DIR", "ServedModel", "holds_model", "load_served_model"]

SAGEMAKER_MODEL_DIR = Path("/opt/ml/model")
"""Where SageMaker unpacks ``model.tar.gz`` in the container."""


@dataclass(frozen=True)
class ServedModel:
    """A model and the least confidence at which it decides alone (0 to 1)."""

    classifier: Classifier
    threshold: float


def holds_model(folder: Path) -> bool:
    """Say whether a model bundle lies in a folder, unpacked or packed."""
    return any((folder / name).is_file() for name in ("bundle.json", "model.tar.gz"))


def load_served_model(path: Path | None, bucket: Bucket | None, task: str) -> ServedModel:
    """Load the model to serve.

    Args:
        path: a ``model.tar.gz``, or a folder with its contents; its own threshold counts.
        bucket: where to find the task's model in force, if no path is given; a threshold that its policy
            sets overrides the model's own.
        task: the task's name.

    Raises:
        BundleError: there is no model, or it is damaged.
    """
    if path is not None:
        # one core a call: the endpoint has one worker a core, and more threads would only fight for them
        classifier = Classifier.load(path, threads=1)
        return ServedModel(classifier, classifier.info.threshold.value)
    assert bucket is not None, "without a path, a model comes from the store"
    policy = current_policy(bucket, task)
    classifier = load_model(bucket, task, policy.version, threads=1)
    return ServedModel(classifier, classifier.info.threshold.value if policy.threshold is None else policy.threshold)
