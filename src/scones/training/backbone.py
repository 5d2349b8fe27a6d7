"""The frozen part of a model: a network that turns pictures into embeddings, shipped with Scones as ONNX."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

from scones.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["Backbone", "backbone_names", "load_backbone"]

_BATCH = 128


@dataclass(frozen=True)
class Backbone:
    """A backbone: ONNX with input uint8 (N, size, size, 3) and output ``embedding`` float32 (N, D)."""

    name: str
    model: bytes
    size: int

    def embed(
        self, images: NDArray[np.uint8], *, threads: int = 2, progress: Callable[[int], None] = lambda _: None
    ) -> NDArray[np.float32]:
        """Embed pictures.

        Args:
            images: uint8 array of shape (N, size, size, 3).
            threads: processor cores to use.
            progress: called with the number of pictures done since its last call.

        Returns:
            float32 array of shape (N, D).
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(self.model, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        parts = []
        for start in range(0, max(len(images), 1), _BATCH):
            part = images[start : start + _BATCH]
            parts.append(np.asarray(session.run(["embedding"], {name: part})[0], dtype=np.float32))
            progress(len(part))
        return np.concatenate(parts)


def backbone_names() -> list[str]:
    """The backbones that come with Scones."""
    folder = resources.files("scones.training") / "backbones"
    return sorted(entry.name.removesuffix(".onnx") for entry in folder.iterdir() if entry.name.endswith(".onnx"))


def load_backbone(name: str) -> Backbone:
    """Load a backbone that comes with Scones.

    Raises:
        TrainingError: there is none of that name.
    """
    if name not in backbone_names():
        raise TrainingError(f"unknown backbone {name!r}: use one of {', '.join(backbone_names())}")
    model = (resources.files("scones.training") / "backbones" / f"{name}.onnx").read_bytes()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return Backbone(name, model, int(session.get_inputs()[0].shape[1]))
