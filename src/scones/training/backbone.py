"""The frozen part of a model: a network that turns pictures into embeddings, shipped with Scones as ONNX."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scones.errors import TrainingError
from scones.onnx_runtime import onnx_runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["HUB", "Backbone", "backbone_names", "is_of_hub", "load_backbone"]

HUB = "hf:"
"""What the name of a backbone of the hub starts with."""
_BATCH = 128


@dataclass(frozen=True)
class Backbone:
    """A backbone: ONNX with input uint8 (N, size, size, 3) and output ``embedding`` float32 (N, D).

    Attributes:
        name: as it was asked for.
        model: the ONNX file.
        size: side of the pictures in pixels.
        tiles: pieces that a view cuts each picture into, each of which the network looks at.
    """

    name: str
    model: bytes
    size: int
    tiles: int = 1

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
        runtime = onnx_runtime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        session = runtime.InferenceSession(self.model, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        parts = []
        batch = max(1, _BATCH // self.tiles)
        for start in range(0, max(len(images), 1), batch):
            part = images[start : start + batch]
            parts.append(np.asarray(session.run(["embedding"], {name: part})[0], dtype=np.float32))
            progress(len(part))
        return np.concatenate(parts)


def backbone_names() -> list[str]:
    """The backbones that come with Scones."""
    folder = resources.files("scones.training") / "backbones"
    return sorted(entry.name.removesuffix(".onnx") for entry in folder.iterdir() if entry.name.endswith(".onnx"))


def is_of_hub(name: str) -> bool:
    """Say whether a name means a model of the hub, or a folder in its layout."""
    return name.startswith(HUB) or (Path(name) / "config.json").is_file()


def load_backbone(name: str) -> Backbone:
    """Load a backbone.

    Args:
        name: one that comes with Scones; ``hf:ORG/NAME`` of the hub (needs the ``train`` extra); or a path: of
            an ONNX file that `scones pretrain` wrote, or of a folder with a hub model's ``config.json``.

    Raises:
        TrainingError: there is none of that name, or it is no backbone.
    """
    if is_of_hub(name):
        from scones.training.trainable import load_trainable

        return load_trainable(name).freeze()
    if name in backbone_names():
        model = (resources.files("scones.training") / "backbones" / f"{name}.onnx").read_bytes()
    elif name.endswith(".onnx") and Path(name).is_file():
        model = Path(name).read_bytes()
    else:
        raise TrainingError(
            f"unknown backbone {name!r}: use one of {', '.join(backbone_names())}, hf:ORG/NAME, or the path of "
            "an ONNX file or of a folder with config.json"
        )
    return Backbone(Path(name).name.removesuffix(".onnx"), model, _side(name, model))


def _side(name: str, model: bytes) -> int:
    """The side of the pictures that a backbone takes, in pixels."""
    try:
        session = onnx_runtime().InferenceSession(model, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no base of their own
        raise TrainingError(f"backbone {name} cannot be loaded ({error}): use a file of `scones pretrain`") from error
    shape, outputs = session.get_inputs()[0].shape, [output.name for output in session.get_outputs()]
    if len(shape) != 4 or not isinstance(shape[1], int) or outputs != ["embedding"]:
        raise TrainingError(
            f"backbone {name} takes {shape} and gives {', '.join(outputs)}, not pictures and their embedding: "
            "use a file of `scones pretrain`"
        )
    return shape[1]
