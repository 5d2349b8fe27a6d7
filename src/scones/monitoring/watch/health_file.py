"""A model's health as a file: NumPy's npz, without pickle; the same health gives the same bytes."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from scones.errors import BundleError, SettingsError
from scones.monitoring.drift.learned import Damage, Surroundings
from scones.monitoring.drift.reference import DriftReference
from scones.monitoring.drift.support import Support
from scones.monitoring.quality.label_shift import AnswerCells
from scones.monitoring.quality.right_chance import RightChance
from scones.monitoring.watch.records import Baseline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scones.monitoring.watch.health import Health

__all__ = ["pack", "unpack"]

_FORM: Final = 1
_ARRAYS: Final = {
    "mean": 1, "centres": 2, "weights": 2, "bias": 1, "middle": 1, "whiten": 2, "usual": 2, "edges": 2, "counts": 2,
    "chance": 1, "chance mean": 1, "chance axes": 2, "chance weights": 1, "confidence": 1, "correct": 1,
    "embeddings": 2, "pictures": 1,
}  # fmt: skip
"""What each file holds, and how many dimensions it has."""
_FAULTS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, LookupError, TypeError, RuntimeError)


def pack(health: Health) -> bytes:
    """Write a health down."""
    told = {
        "form": _FORM,
        "task": health.task,
        "version": health.version,
        "labels": health.labels,
        "input_size": health.input_size,
        "kinds": health.damage.kinds,
        "lines": health.support.lines,
        "chance bias": health.right_chance.bias,
        "reference": health.reference.model_dump_json(),
        "baseline": health.baseline.model_dump(mode="json") if health.baseline else None,
        "lengths": [len(picture) for picture in health.pictures],
    }
    arrays: dict[str, NDArray[Any]] = {
        "told": _bytes(json.dumps(told).encode()),
        "mean": health.surroundings.mean,
        "centres": health.surroundings.centres,
        "weights": health.damage.weights,
        "bias": health.damage.bias,
        "middle": health.support.mean,
        "whiten": health.support.whiten,
        "usual": health.support.usual,
        "edges": health.cells.edges,
        "counts": health.cells.counts,
        "chance": health.chance,
        "chance mean": health.right_chance.mean,
        "chance axes": health.right_chance.axes,
        "chance weights": health.right_chance.weights,
        "confidence": health.confidence,
        "correct": health.correct,
        "embeddings": health.embeddings,
        "pictures": _bytes(b"".join(health.pictures)),
    }
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def unpack(data: bytes, name: str) -> Health:
    """Read a health back.

    Args:
        data: what :func:`pack` wrote.
        name: what to call it in an error.

    Raises:
        BundleError: it is damaged, or of another form.
    """
    from scones.monitoring.watch.health import Health

    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            told = json.loads(file["told"].tobytes())
            if told["form"] != _FORM:
                raise ValueError(f"form {told['form']}, not {_FORM}")
            found = {key: file[key] for key in _ARRAYS}
        for key, dimensions in _ARRAYS.items():
            if found[key].ndim != dimensions:
                raise ValueError(f"{key} has {found[key].ndim} dimensions, not {dimensions}")
        ends = np.cumsum(told["lengths"], dtype=np.int64)
        pictures = found["pictures"].tobytes()
        return Health(
            task=told["task"],
            version=told["version"],
            labels=tuple(told["labels"]),
            input_size=told["input_size"],
            surroundings=Surroundings(found["mean"], found["centres"]),
            damage=Damage(tuple(told["kinds"]), found["weights"], found["bias"]),
            support=Support(found["middle"], found["whiten"], found["usual"], (told["lines"][0], told["lines"][1])),
            reference=DriftReference.from_json(told["reference"]),
            cells=AnswerCells(found["edges"], found["counts"]),
            right_chance=RightChance(
                found["chance mean"], found["chance axes"], found["chance weights"], float(told["chance bias"])
            ),
            chance=found["chance"],
            confidence=found["confidence"],
            correct=found["correct"],
            embeddings=found["embeddings"],
            pictures=tuple(pictures[end - size : end] for size, end in zip(told["lengths"], ends, strict=True)),
            baseline=Baseline.model_validate(base) if (base := told.get("baseline")) else None,
        )
    except (*_FAULTS, SettingsError) as error:
        raise BundleError(f"{name} is damaged or of another version ({error}): remove it, it is made anew") from error


def _bytes(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8)
