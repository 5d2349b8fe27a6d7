"""Train a backbone on CIFAR-100 and write it as ONNX. Needs the ``train`` extra (torch).

The shipped backbone was made by::

    scones pretrain --archive cifar-100-python.tar.gz --epochs 30 --out src/scones/training/backbones/small.onnx

It learns from the training split without the calibration pictures (:func:`scones.staging.in_calibration`),
and its learning curve is measured on those; the test split is read once, at the end.
"""

from __future__ import annotations

import copy
import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image

from scones.errors import TrainingError
from scones.picture import content_hash
from scones.staging.cifar100 import read_split
from scones.staging.splits import in_calibration

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["pretrain"]

_MEAN = (129.3, 124.1, 112.4)
_STD = (68.2, 65.4, 70.4)


def pretrain(  # noqa: PLR0915 - a training loop on one screen
    archive: Path,
    out: Path,
    *,
    epochs: int = 30,
    batch: int = 128,
    peak_lr: float = 0.2,
    widths: tuple[int, ...] = (24, 64, 192),
    seed: int = 0,
    report: Callable[[dict[str, Any]], None] = lambda _: None,
) -> dict[str, Any]:
    """Train a small stride-2 ResNet on CIFAR-100's 100 classes and write its features as ONNX.

    A checkpoint is written beside ``out`` after each epoch; a run that was killed goes on from there.

    Args:
        archive: the CIFAR-100 python archive.
        out: the ONNX file to write: input ``images`` uint8 (N, 32, 32, 3), output ``embedding``
            float32 (N, ``widths[-1]``).
        epochs: passes over the 40,001 training pictures.
        batch: pictures a step.
        peak_lr: the highest learning rate, for this batch size.
        widths: channels of the three stages.
        seed: of weights, order and augmentation.
        report: called with a row of the learning curve after each epoch.

    Returns:
        The final figures: parameters, accuracy on held-out and test pictures, seconds.

    Raises:
        TrainingError: torch is not installed.
    """
    try:
        import torch
        import torch.nn.functional as F  # noqa: N812 - torch's own convention
    except ImportError as error:
        raise TrainingError(
            "pretraining needs torch: pip install torch==2.13.0, then pip install 'scones[train]'"
        ) from error

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train, test = read_split(archive, "train"), read_split(archive, "test")
    held = np.array([in_calibration(content_hash(PIL.Image.fromarray(image))) for image in train.images])
    images = torch.from_numpy(train.images[~held]).to(device)
    labels = torch.from_numpy(train.labels[~held]).to(device)

    net = _resnet(widths).to(device)
    average = copy.deepcopy(net)
    decay = [p for p in net.parameters() if p.ndim > 1]
    plain = [p for p in net.parameters() if p.ndim <= 1]
    optimizer = torch.optim.SGD(
        [{"params": decay, "weight_decay": 5e-4}, {"params": plain, "weight_decay": 0.0}],
        lr=0.0, momentum=0.9, nesterov=True,
    )  # fmt: skip
    steps = len(images) // batch
    checkpoint = out.with_suffix(".ckpt")
    first, elapsed = 0, 0.0
    if checkpoint.is_file():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        first, elapsed = state["epoch"], state["seconds"]
        rng = np.random.default_rng((seed, first))
        torch.manual_seed(seed + first)

    started = time.monotonic() - elapsed
    for epoch in range(first, epochs):
        net.train()
        order = torch.from_numpy(rng.permutation(len(images)))
        total = 0.0
        for step in range(steps):
            done = (epoch + step / steps) / epochs
            lr = peak_lr * min(1.0, done / 0.15) * 0.5 * (1 + math.cos(math.pi * max(0.0, (done - 0.15) / 0.85)))
            for group in optimizer.param_groups:
                group["lr"] = lr
            rows = order[step * batch : (step + 1) * batch].to(device)
            x, y = _augment(images[rows], rng), labels[rows]
            loss = F.cross_entropy(net(x), y, label_smoothing=0.1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += float(loss.detach())
            if step % 8 == 0:
                _follow(average, net, 0.98 if done < 0.3 else 0.99)
        row = {
            "epoch": epoch + 1,
            "loss": round(total / steps, 4),
            "held_out_accuracy": round(_accuracy(average, train.images[held], train.labels[held], device), 4),
            "seconds": round(time.monotonic() - started, 1),
        }
        report(row)
        with out.with_suffix(".curve.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        state = {
            "net": net.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict(),
            "epoch": epoch + 1, "seconds": time.monotonic() - started,
        }  # fmt: skip
        torch.save(state, checkpoint.with_suffix(".part"))
        checkpoint.with_suffix(".part").replace(checkpoint)

    _export(average, out)
    return {
        "parameters": sum(p.numel() for p in average.parameters()),
        "held_out_accuracy": _accuracy(average, train.images[held], train.labels[held], device),
        "test_accuracy": _accuracy(average, test.images, test.labels, device),
        "seconds": round(time.monotonic() - started, 1),
        "bytes": out.stat().st_size,
    }


def _resnet(widths: tuple[int, ...]) -> Any:
    """A pre-norm-free residual network (He et al. 2016), halved in size by its first convolution."""
    from torch import nn

    def conv(inside: int, outside: int, stride: int = 1) -> Any:
        return nn.Sequential(nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside))

    class Block(nn.Module):
        def __init__(self, inside: int, outside: int, stride: int) -> None:
            super().__init__()
            self.first = conv(inside, outside, stride)
            self.second = conv(outside, outside)
            self.skip = nn.Identity() if inside == outside else nn.Sequential(
                nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside),
            )  # fmt: skip
            nn.init.zeros_(self.second[1].weight)

        def forward(self, x: Any) -> Any:
            return nn.functional.relu(self.skip(x) + self.second(nn.functional.relu(self.first(x))))

    layers: list[Any] = [conv(3, widths[0], 2), nn.ReLU()]
    inside = widths[0]
    for stage, width in enumerate(widths):
        layers += [Block(inside, width, 1 if stage == 0 else 2), Block(width, width, 1)]
        inside = width
    features = nn.Sequential(_normalise(), *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(features, nn.Linear(inside, 100))


def _normalise() -> Any:
    import torch
    from torch import nn

    class Normalise(nn.Module):
        """uint8 (N, H, W, 3) → float32 (N, 3, H, W) of about zero mean and unit variance."""

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
            self.register_buffer("scale", 1 / torch.tensor(_STD).view(1, 3, 1, 1))

        def forward(self, x: Any) -> Any:
            return (x.permute(0, 3, 1, 2).float() - self.mean) * self.scale

    return Normalise()


def _augment(x: Any, rng: np.random.Generator) -> Any:
    """Flip each picture with probability one half, and shift it by up to four pixels."""
    import torch

    n, height, width, _ = x.shape
    padded = torch.nn.functional.pad(x.permute(0, 3, 1, 2).float(), (4, 4, 4, 4), mode="reflect").byte()
    dy, dx = torch.from_numpy(rng.integers(0, 9, (2, n))).to(x.device)
    columns = torch.arange(width, device=x.device).expand(n, width)
    flip = torch.from_numpy(rng.random(n) < 0.5).to(x.device)[:, None]
    columns = torch.where(flip, width - 1 - columns, columns) + dx[:, None]
    rows = torch.arange(height, device=x.device).expand(n, height) + dy[:, None]
    which = torch.arange(n, device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None, :]]


def _follow(average: Any, net: Any, keep: float) -> None:
    """Move the averaged weights a step towards the current ones (Polyak & Juditsky 1992)."""
    import torch

    with torch.no_grad():
        for old, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
            if old.dtype.is_floating_point:
                old.lerp_(new, 1 - keep)
            else:
                old.copy_(new)


def _accuracy(net: Any, images: np.ndarray, labels: np.ndarray, device: str) -> float:
    import torch

    net.eval()
    hits = 0
    with torch.no_grad():
        for start in range(0, len(images), 1000):
            x = torch.from_numpy(images[start : start + 1000]).to(device)
            hits += int((net(x).argmax(1).cpu().numpy() == labels[start : start + 1000]).sum())
    return hits / len(images)


def _flip_averaged(features: Any) -> Any:
    """The mean of the features of a picture and of its mirror image."""
    import torch
    from torch import nn

    class FlipAveraged(nn.Module):
        def forward(self, x: Any) -> Any:
            both = features(torch.cat([x, x.flip(2)]))
            return both.reshape(2, -1, both.shape[1]).mean(0)

    return FlipAveraged()


def _export(net: Any, out: Path) -> None:
    """Write the features alone as ONNX, without the traces of this machine that the exporter notes in each node."""
    import onnx
    import torch

    features = _flip_averaged(copy.deepcopy(net[0]).cpu().eval()).eval()
    program = torch.onnx.export(
        features,
        (torch.zeros((2, 32, 32, 3), dtype=torch.uint8),),
        input_names=["images"],
        output_names=["embedding"],
        dynamic_shapes=({0: torch.export.Dim("n")},),
        verbose=False,
    )
    model = program.model_proto
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        value.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    model.ClearField("metadata_props")
    onnx.checker.check_model(model)
    out.write_bytes(model.SerializeToString())
