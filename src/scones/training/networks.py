"""The networks behind the backbones, in torch: what is pretrained, exported, and fine-tuned. Needs ``train``."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn

__all__ = ["ARCHITECTURES", "Architecture", "Features", "FlipAveraged", "Normalise", "Standardise", "features", "fold"]

_FAINTEST = 10.0
"""The contrast, in units of the bytes, from which on down it is noise that would be amplified."""


@dataclass(frozen=True)
class Architecture:
    """A residual network (He et al. 2016) halved in size by its first convolution.

    Attributes:
        widths: channels of each stage; each stage after the first halves the picture again.
        blocks: residual blocks of each stage.
        stem: side of the first convolution's kernel.
    """

    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    stem: int


ARCHITECTURES = {
    "nano": Architecture(widths=(32, 64, 192), blocks=(1, 2, 2), stem=3),
    "small": Architecture(widths=(64, 128, 384), blocks=(1, 2, 2), stem=5),
}


class Normalise(nn.Module):
    """uint8 (N, H, W, 3) → float32 (N, 3, H, W) of about zero mean and unit variance.

    Args:
        mean, std: of each colour, in the units of the bytes (0 to 255).
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("scale", 1 / torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise."""
        return (x.permute(0, 3, 1, 2).float() - self.mean) * self.scale


class Standardise(nn.Module):
    """uint8 (N, H, W, 3) → float32 (N, 3, H, W) of zero mean and unit variance, each picture by its own.

    How bright a picture is and how strong its contrast says nothing of what it shows.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Standardise."""
        x = x.permute(0, 3, 1, 2).float()
        x = x - x.mean((1, 2, 3), keepdim=True)
        return x / ((x * x).mean((1, 2, 3), keepdim=True) + _FAINTEST**2).sqrt()


def _convolution(inside: int, outside: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outside)
    )  # fmt: skip


class _Block(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(inside, outside, stride=stride)
        self.second = _convolution(outside, outside)
        self.skip: nn.Module = nn.Identity()
        if inside != outside:
            halve = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
            self.skip = nn.Sequential(halve, *_convolution(inside, outside, kernel=1))
        nn.init.zeros_(self.second[1].weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu(self.skip(x) + self.second(nn.functional.relu(self.first(x))))


class Features(nn.Sequential):
    """A network that knows its architecture, so that it can be written down and built again."""

    def __init__(self, architecture: Architecture, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.architecture = architecture


def features(architecture: Architecture) -> Features:
    """Build a network: uint8 (N, H, W, 3) → float32 (N, ``widths[-1]``), for pictures of any side from 16."""
    width = architecture.widths[0]
    layers: list[nn.Module] = [_convolution(3, width, architecture.stem, stride=2), nn.ReLU()]
    for stage, (outside, blocks) in enumerate(zip(architecture.widths, architecture.blocks, strict=True)):
        for block in range(blocks):
            layers.append(_Block(width, outside, stride=2 if stage and not block else 1))
            width = outside
    return Features(architecture, Standardise(), *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def fold(network: nn.Module) -> Any:
    """Copy a network with each batch normalisation folded into the convolution before it.

    The copy answers as the network does in evaluation, and its parameters are all that it is made of: it
    can be fine-tuned with batches of any size.
    """
    folded = copy.deepcopy(network).eval()
    for part in folded.modules():
        if not isinstance(part, nn.Sequential):
            continue
        for place, (layer, next_layer) in enumerate(pairwise(part)):
            if isinstance(layer, nn.Conv2d) and isinstance(next_layer, nn.BatchNorm2d):
                part[place] = nn.utils.fusion.fuse_conv_bn_eval(layer, next_layer)
                part[place + 1] = nn.Identity()
    return folded


class FlipAveraged(nn.Module):
    """The mean of the outputs of a picture and of its mirror image."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> Any:
        """Answer for pictures uint8 (N, H, W, 3)."""
        both = self.network(torch.cat([x, x.flip(2)]))
        return both.reshape(2, -1, both.shape[1]).mean(0)
