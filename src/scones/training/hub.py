"""Backbones of the Hugging Face hub, through ``transformers``. Needs the ``train`` extra.

Weights are read from safetensors files alone, which hold numbers and no code; code that a repository brings is
never run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from torch import nn
from transformers.utils import logging

from scones.errors import TrainingError
from scones.training.backbone import HUB
from scones.training.networks import Normalise
from scones.training.trainable import Trainable

__all__ = ["load_hub_network"]


class _Pooled(nn.Module):
    """A hub model between the bytes of pictures and one embedding each.

    Args:
        normalise: as the model's own processor does it.
        model: ``pixel_values`` float32 (N, 3, H, W) → the outputs of ``transformers.AutoModel``.
        has_pooler: its pooled output was trained, and is not there by chance alone.
    """

    def __init__(self, normalise: Normalise, model: nn.Module, *, has_pooler: bool) -> None:
        super().__init__()
        self.normalise = normalise
        self.model = model
        self.has_pooler = has_pooler

    def forward(self, x: torch.Tensor) -> Any:
        outputs = self.model(pixel_values=self.normalise(x))
        pooled = outputs.pooler_output if self.has_pooler and "pooler_output" in outputs else None
        if pooled is None:
            last = outputs.last_hidden_state
            pooled = last[:, 0] if last.ndim == 3 else last.mean((2, 3))  # a transformer's first token, or the mean
        return pooled.flatten(1)


def load_hub_network(name: str) -> Trainable:
    """Load an image backbone of the hub, or of a folder in its layout.

    Args:
        name: ``hf:ORG/NAME``, or the path of a folder with ``config.json``.

    Returns:
        The network with its processor's size and normalisation in it. Its embedding is the model's pooled
        output; where the weights hold none, a transformer's first token.

    Raises:
        TrainingError: it is not there, has no safetensors weights, wants to run code of its own, or takes no pictures.
    """
    place = name.removeprefix(HUB)
    safely: dict[str, Any] = {"trust_remote_code": False}
    try:
        with _quietly():
            processor = transformers.AutoImageProcessor.from_pretrained(place, **safely)
            model, loading = transformers.AutoModel.from_pretrained(
                place, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **safely
            )
        size = _side(processor)
        unit = 1 / (processor.rescale_factor if getattr(processor, "do_rescale", True) else 1)
        normalises = getattr(processor, "do_normalize", True)
        mean, std = (processor.image_mean, processor.image_std) if normalises else ([0.0] * 3, [1.0] * 3)
    except Exception as error:  # a foreign model may fail in any way
        reason = " ".join(str(error).split())[:300]
        raise TrainingError(
            f"backbone {name} cannot be loaded ({reason}): give hf:ORG/NAME of an image model with safetensors "
            "weights, or the path of a folder that holds one"
        ) from error
    network = _Pooled(
        Normalise([unit * value for value in mean], [unit * value for value in std]),
        model,
        has_pooler=not any("pooler" in key for key in loading["missing_keys"]),
    ).eval()
    try:
        with torch.no_grad():
            network(torch.zeros((1, size, size, 3), dtype=torch.uint8))
    except Exception as error:  # as above
        raise TrainingError(
            f"backbone {name} gives no embedding for a picture of {size} pixels a side ({error}): use an image model"
        ) from error
    return Trainable(name, network, size, mirrored=False)


def _side(processor: Any) -> int:
    """The side of the square pictures that a processor makes, in pixels."""
    cropped = getattr(processor, "do_center_crop", False) and getattr(processor, "crop_size", None)
    size = dict(processor.crop_size if cropped else processor.size)
    return int(size.get("shortest_edge") or size["height"])


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep transformers from writing reports between our lines: what is missing is handled here."""
    level = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
