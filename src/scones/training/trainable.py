"""A network that can still learn: a backbone of our own, built again from its ONNX file, or one of the hub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scones.errors import TrainingError
from scones.training.backbone import Backbone, is_of_hub, load_backbone

__all__ = ["Trainable", "load_trainable", "needs_torch"]


@dataclass(frozen=True)
class Trainable:
    """A backbone in torch.

    Attributes:
        name: as it was asked for.
        network: uint8 (N, size, size, 3) → float32 (N, D), a ``torch.nn.Module``.
        size: side of the pictures in pixels.
        mirrored: the answer is the mean of a picture's and its mirror image's.
    """

    name: str
    network: Any
    size: int
    mirrored: bool

    def averaged(self) -> Any:
        """The network as it is used: over a picture and its mirror image, where it is ``mirrored``."""
        from scones.training.networks import FlipAveraged

        return FlipAveraged(self.network) if self.mirrored else self.network

    def freeze(self, name: str | None = None) -> Backbone:
        """Make the backbone that everything else reads; it learns no more."""
        from scones.training.export import onnx_graph

        return Backbone(name or self.name, onnx_graph(self.network, size=self.size, mirrored=self.mirrored), self.size)


def load_trainable(name: str) -> Trainable:
    """Load a backbone to train it further.

    Args:
        name: as for :func:`scones.training.load_backbone`.

    Raises:
        TrainingError: there is none of that name, it cannot learn, or torch is not installed.
    """
    try:
        if is_of_hub(name):
            from scones.training.hub import load_hub_network

            return load_hub_network(name)
        from scones.training.export import read_network
    except ImportError as error:
        raise needs_torch(f"backbone {name}" if is_of_hub(name) else "fine-tuning", error) from error
    backbone = load_backbone(name)
    return Trainable(backbone.name, read_network(backbone.model, f"backbone {name}"), backbone.size, mirrored=True)


def needs_torch(what: str, error: ImportError) -> TrainingError:
    """The error of whoever asks for what the ``train`` extra does, without it."""
    return TrainingError(
        f"{what} needs torch and transformers ({error}): pip install torch==2.13.0, then pip install 'scones[train]'"
    )
