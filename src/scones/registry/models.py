"""The models of a task: written once with their lineage, read whole, listed with what is known of them."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from scones.bundle import BundleInfo, write_bundle
from scones.classifier import Classifier
from scones.contracts import first_fault
from scones.errors import ObjectExists, ObjectMissing
from scones.registry.aliases import ALIASES, CANDIDATE, PRODUCTION, newest, point, resolve
from scones.registry.bundles import read_model
from scones.store import Bucket, Layout

__all__ = ["ListedModel", "Registered", "list_models", "load_model", "read_evaluation", "register", "save_model"]

_FIGURES = {"dataset", "n", "accuracy", "accuracy_interval", "ece", "ece_null", "threshold", "at_threshold"}


@dataclass(frozen=True)
class Registered:
    """What became of a model that was registered.

    Attributes:
        key: of its ``model.tar.gz``.
        info: its bundle, with its lineage.
        in_production: it is the task's first, and went into production at once.
    """

    key: str
    info: BundleInfo
    in_production: bool


@dataclass(frozen=True)
class ListedModel:
    """A model in the store.

    Attributes:
        version: of the model.
        info: what its ``bundle.json`` says; None when that is damaged.
        evaluation: what ``scones evaluate`` found last; None when it was never evaluated.
        aliases: those that name it.
        fault: what is wrong with a damaged one, else empty.
    """

    version: str
    info: BundleInfo | None
    evaluation: dict[str, Any] | None
    aliases: tuple[str, ...]
    fault: str = ""


def register(
    bucket: Bucket, info: BundleInfo, model: bytes, *, who: str, now: datetime, why: str = "trained"
) -> Registered:
    """Save a model and make it the candidate; in production too where none is yet: it can be worse than none.

    The model in production becomes its parent. A model that was registered before keeps the lineage of
    its first time, and becomes the candidate again.

    Args:
        bucket: where models lie.
        info, model: as :func:`scones.training.train` gives them.
        who, why: for the records of the aliases.
        now: with time zone.
    """
    production = newest(bucket, info.task)
    known, _ = _bundle_info(bucket, info.task, info.version)
    info = known or info.model_copy(update={"parent": production.version if production else None})
    key = save_model(bucket, info, model)
    point(bucket, info.task, CANDIDATE, info.version, who=who, why=why, now=now)
    if production is None:
        reason = "the task's first model: there is none that it could be worse than"
        with suppress(ObjectExists):  # another training was first
            point(bucket, info.task, PRODUCTION, info.version, who=who, why=reason, now=now, after=0)
            return Registered(key, info, in_production=True)
    return Registered(key, info, in_production=False)


def save_model(bucket: Bucket, info: BundleInfo, model: bytes) -> str:
    """Write a model's bundle; the same model twice is written once more, the same.

    Returns:
        The key of its ``model.tar.gz``.
    """
    home = Layout.model(info.task, info.version)
    bucket.put(f"{home}/model.tar.gz", write_bundle(info, model))
    bucket.put(f"{home}/bundle.json", info.model_dump_json(indent=1).encode())  # last: what is listed can be loaded
    return f"{home}/model.tar.gz"


def load_model(bucket: Bucket, task: str, ref: str | None = None, *, threads: int = 1) -> Classifier:
    """Load a model from the store.

    Args:
        bucket: where it lies.
        task: the task's name.
        ref: a version, "production" (the default) or "candidate".
        threads: processor cores that one call may use.

    Raises:
        BundleError: there is none, or it is damaged.
    """
    return Classifier(*read_model(bucket, task, resolve(bucket, task, ref or PRODUCTION)), threads=threads)


def list_models(bucket: Bucket, task: str) -> list[ListedModel]:
    """The models of a task, in the order in which they were trained; damaged ones come first."""
    aliases = {alias: record.version for alias in ALIASES if (record := newest(bucket, task, alias))}
    found = []
    for key in bucket.list(Layout.model(task)):
        version, _, name = key.rpartition("/")
        if name != "bundle.json":
            continue
        version = version.rpartition("/")[2]
        info, fault = _bundle_info(bucket, task, version)
        names = tuple(alias for alias, value in aliases.items() if value == version)
        found.append(ListedModel(version, info, read_evaluation(bucket, task, version), names, fault))
    return sorted(found, key=lambda model: model.info.trained_at if model.info else "")


def read_evaluation(bucket: Bucket, task: str, version: str) -> dict[str, Any] | None:
    """What ``scones evaluate`` wrote of a model; None when it wrote nothing, or that is damaged."""
    with suppress(ObjectMissing, ValueError):
        value = json.loads(bucket.get(f"{Layout.model(task, version)}/evaluation.json"))
        if isinstance(value, dict) and value.keys() >= _FIGURES:
            return value
    return None


def _bundle_info(bucket: Bucket, task: str, version: str) -> tuple[BundleInfo | None, str]:
    try:
        return BundleInfo.model_validate_json(bucket.get(f"{Layout.model(task, version)}/bundle.json")), ""
    except ObjectMissing:
        return None, "there is no bundle.json"
    except ValidationError as error:
        return None, f"bundle.json: {first_fault(error)}"
