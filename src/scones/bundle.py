"""The model bundle: ``model.tar.gz`` with ``model.onnx`` and ``bundle.json``. What training writes, serving reads."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scones.contracts import first_fault
from scones.errors import BundleError

__all__ = ["BundleInfo", "ThresholdFit", "load_bundle", "read_bundle", "read_bundle_folder", "write_bundle"]

_MAX_BYTES = 2 * 1024**3


class ThresholdFit(BaseModel):
    """The decision threshold and what it holds.

    Attributes:
        value: the least confidence at which the model decides alone, 0 to 1.
        origin: "fitted" to the target risk on calibration pictures, or the task's "default" because
            they were too few.
        target_risk, confidence: what was asked for (shares, 0 to 1).
        risk_bound: upper confidence bound on the share of wrong answers among accepted pictures;
            None for a default.
        pictures: calibration pictures it was fitted on.
        coverage: share of them that is accepted, 0 to 1.
        note: a sentence for people.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    value: float = Field(ge=0, le=1)
    origin: Literal["fitted", "default"]
    target_risk: float
    confidence: float
    risk_bound: float | None
    pictures: int
    coverage: float
    note: str


class BundleInfo(BaseModel):
    """What ``bundle.json`` says of a model.

    Attributes:
        task: the task's name; ``labels`` are in the order of the model's outputs.
        input_size: side of the square pictures that the model takes, in pixels.
        threshold: the decision threshold.
        temperature: by which the logits were divided, folded into the graph.
        metrics: figures on the calibration split.
        reference: statistics of the calibration pictures, which monitoring compares with.
        dataset: version of the dataset; ``source`` is where its pictures came from, as its record says.
        backbone: the frozen part; ``code`` the version of Scones.
        parameters: what else it takes to train the same model again: ``backbone_sha256``, ``penalty`` and
            what the training was told.
        parent: the version in production when the model was registered; None when there was none.
        trained_at: UTC, ISO 8601.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    task: str
    labels: tuple[str, ...] = Field(min_length=2)
    input_size: int = Field(gt=0, le=4096)
    version: str
    threshold: ThresholdFit
    temperature: float
    metrics: dict[str, Any]
    reference: dict[str, Any]
    dataset: str
    backbone: str
    seed: int
    code: str
    trained_at: str
    source: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    parent: str | None = None


def write_bundle(info: BundleInfo, model: bytes) -> bytes:
    """Pack a bundle; the same content gives the same bytes.

    Args:
        info: what ``bundle.json`` will say.
        model: the ONNX graph: input uint8 (N, H, W, 3); outputs float32 ``probabilities`` (N, K) and
            ``embedding`` (N, D).

    Returns:
        The bytes of a ``model.tar.gz``.
    """
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name, data in (("bundle.json", info.model_dump_json(indent=1).encode()), ("model.onnx", model)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def read_bundle(data: bytes, name: str = "model.tar.gz") -> tuple[BundleInfo, bytes]:
    """Unpack a bundle.

    Returns:
        What ``bundle.json`` says, and the bytes of ``model.onnx``.

    Raises:
        BundleError: it is damaged or lacks a part.
    """
    parts: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isfile() and member.size <= _MAX_BYTES else None
                if file is not None:
                    parts[member.name.removeprefix("./")] = file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise BundleError(f"{name} is damaged ({error}): copy or train it again") from error
    return _check(parts, name)


def load_bundle(path: Path) -> tuple[BundleInfo, bytes]:
    """Read a ``model.tar.gz``, or a folder with its contents, from the disk.

    Raises:
        BundleError: there is none, it cannot be read, it is damaged or lacks a part.
    """
    try:
        if path.is_dir():
            return read_bundle_folder(path)
        return read_bundle(path.read_bytes(), str(path))
    except FileNotFoundError as error:
        raise BundleError(f"no model at {path}: give a model.tar.gz, or train one with `scones train`") from error
    except OSError as error:
        raise BundleError(f"cannot read {path} ({error.strerror}): allow it, or give another model") from error


def read_bundle_folder(folder: Path) -> tuple[BundleInfo, bytes]:
    """Read an unpacked bundle, as SageMaker lays it under ``/opt/ml/model``; a packed one there works too.

    Raises:
        BundleError: it is damaged or lacks a part.
    """
    if (packed := folder / "model.tar.gz").is_file() and not (folder / "bundle.json").is_file():
        return read_bundle(packed.read_bytes(), str(packed))
    parts = {name: (folder / name).read_bytes() for name in ("bundle.json", "model.onnx") if (folder / name).is_file()}
    return _check(parts, str(folder))


def _check(parts: dict[str, bytes], name: str) -> tuple[BundleInfo, bytes]:
    if missing := {"bundle.json", "model.onnx"} - parts.keys():
        raise BundleError(f"{name} holds no {' and no '.join(sorted(missing))}: it is no model of `scones train`")
    try:
        return BundleInfo.model_validate_json(parts["bundle.json"]), parts["model.onnx"]
    except ValidationError as error:
        raise BundleError(f"{name}: bundle.json: {first_fault(error)}: train it again") from error
