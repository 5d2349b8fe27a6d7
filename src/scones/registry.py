"""Models in the store, and which one is in force."""

from __future__ import annotations

from datetime import datetime

from scones.bundle import BundleInfo, read_bundle, write_bundle
from scones.classifier import Classifier
from scones.contracts import Policy, parse
from scones.errors import BundleError, ObjectMissing
from scones.store import Bucket, Layout

__all__ = ["current_policy", "load_model", "put_in_force", "save_model"]


def save_model(bucket: Bucket, info: BundleInfo, model: bytes) -> str:
    """Write a model's bundle; the same model twice is written once more, the same.

    Returns:
        The key of its ``model.tar.gz``.
    """
    home = Layout.model(info.task, info.version)
    bucket.put(f"{home}/bundle.json", info.model_dump_json(indent=1).encode())
    bucket.put(f"{home}/model.tar.gz", write_bundle(info, model))
    return f"{home}/model.tar.gz"


def put_in_force(bucket: Bucket, info: BundleInfo, *, who: str, why: str, now: datetime) -> int:
    """Make a model the one that the task's endpoint serves from its next start.

    Returns:
        The number of the policy record; earlier ones stay, for the history and for going back.
    """
    policy = Policy(version=info.version, threshold=None, who=who, why=why, at=now.isoformat(timespec="seconds"))
    return bucket.append(Layout.policy_series(info.task), policy.model_dump())


def current_policy(bucket: Bucket, task: str) -> Policy:
    """The policy in force.

    Raises:
        BundleError: no model of this task was ever put in force.
    """
    record = bucket.latest(Layout.policy_series(task))
    if record is None:
        raise BundleError(f"no model of task {task} is in force in {bucket.url()}: train one with `scones train`")
    return parse(Policy, record, f"the policy of task {task}")


def load_model(bucket: Bucket, task: str, version: str | None = None, *, threads: int = 1) -> Classifier:
    """Load a model from the store.

    Args:
        bucket: where it lies.
        task: the task's name.
        version: default: the one in force.
        threads: processor cores that one call may use.

    Raises:
        BundleError: there is none, or it is damaged.
    """
    key = f"{Layout.model(task, version or current_policy(bucket, task).version)}/model.tar.gz"
    try:
        data = bucket.get(key)
    except ObjectMissing as error:
        raise BundleError(f"no model at {bucket.url(key)}: train one with `scones train`") from error
    return Classifier(*read_bundle(data, bucket.url(key)), threads=threads)
