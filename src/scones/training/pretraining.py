"""Train a backbone on CIFAR-100 and write it as ONNX. Needs the ``train`` extra (torch).

The shipped backbones were made by the commands in docs/models.md. They learn from the training split
without the calibration pictures (:func:`scones.staging.in_calibration`), and the learning curve is
measured on those; the test split is read once, at the end.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import torch
from torch import nn

from scones.errors import TrainingError
from scones.picture import content_hash
from scones.staging.cifar100 import CifarSplit, read_split
from scones.staging.splits import in_calibration
from scones.training.augmentation import shift_and_mirror
from scones.training.averaging import follow
from scones.training.backbone import Backbone
from scones.training.export import export_backbone
from scones.training.head import fit_head
from scones.training.muon import Muon
from scones.training.networks import ARCHITECTURES, FlipAveraged, features

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Recipe", "pretrain"]

_CLASSES = 100
_WATCHED = 2000
"""Held-out pictures that the learning curve is measured on."""
_WARM_UP = 0.02
_PENALTY = 1e-2
"""Of the teacher's head: enough that its doubts show on pictures that it knows."""
_LAST = 0.1
"""Share of the training at whose end pictures are whole: no CutMix."""


@dataclass(frozen=True)
class Recipe:
    """How a backbone is trained; the defaults made the shipped ones.

    Attributes:
        batch: pictures a step.
        rate: learning rate of the convolutions (Muon), which falls to zero in a straight line.
        plain_rate: that of everything else (SGD with momentum).
        small_share: share of the training during which pictures have ``small_side`` pixels a side instead
            of 32, which costs little more than half.
        cutmix: probability that a step pastes a piece of each picture into another (Yun et al. 2019).
        smoothing: label smoothing.
        teacher_weight: share of the loss that comes from the teacher's answers, where there is a teacher.
        teacher_temperature: that softens them (Hinton et al. 2015).
        restart: share of the learning rates that a run begins at whose network has learned before.
    """

    batch: int = 400
    rate: float = 0.1
    plain_rate: float = 0.25
    small_share: float = 0.65
    small_side: int = 24
    cutmix: float = 0.5
    smoothing: float = 0.1
    teacher_weight: float = 0.5
    teacher_temperature: float = 1.25
    restart: float = 0.5


def pretrain(
    archive: Path,
    out: Path,
    *,
    network: str = "small",
    epochs: int = 64,
    teachers: Sequence[Backbone] = (),
    start: Path | None = None,
    recipe: Recipe = Recipe(),
    seed: int = 0,
    report: Callable[[dict[str, Any]], None] = lambda _: None,
) -> dict[str, Any]:
    """Train a backbone's network on CIFAR-100's 100 classes and write its features as ONNX.

    A checkpoint is written beside ``out`` after each epoch; a run that was killed goes on from there. All
    randomness comes from seed, epoch and step.

    Args:
        archive: the CIFAR-100 python archive.
        out: the ONNX file to write: input ``images`` uint8 (N, 32, 32, 3), output ``embedding``
            float32 (N, D).
        network: which of ``scones.training.networks.ARCHITECTURES``.
        epochs: passes over the 40,001 training pictures.
        teachers: backbones to learn from too (distillation): their mean opinion of the training pictures, each
            by a head that is fitted to them.
        start: the checkpoint of an earlier run, whose averaged weights this one starts from: it learns at a
            lower rate, from whole pictures throughout.
        recipe: everything else.
        seed: of weights, order and augmentation.
        report: called with a row of the learning curve after each epoch.

    Returns:
        The final figures: parameters, accuracy on held-out and test pictures (of the picture and its mirror
        image together, as the backbone is used), seconds.

    Raises:
        TrainingError: there is no network of that name, or the checkpoint is of another one.
    """
    if network not in ARCHITECTURES:
        raise TrainingError(f"unknown network {network!r}: use one of {', '.join(ARCHITECTURES)}")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train, test = read_split(archive, "train"), read_split(archive, "test")
    held = np.array([in_calibration(content_hash(PIL.Image.fromarray(image))) for image in train.images])
    images = torch.from_numpy(train.images[~held]).to(device)
    labels = torch.from_numpy(train.labels[~held]).to(device)
    watched = held & (np.cumsum(held) <= _WATCHED)

    torch.manual_seed(seed)
    run = _Run(network, recipe, epochs, device)
    if start is not None:
        run.start(start)
    checkpoint, curve = out.with_suffix(".ckpt"), out.with_suffix(".curve.jsonl")
    if checkpoint.is_file():
        run.restore(checkpoint)
    if teachers and run.epoch < epochs:
        opinions = [_opinion(teacher, train.images[~held], train.labels[~held]) for teacher in teachers]
        run.lessons = torch.from_numpy(np.mean(opinions, axis=0)).to(device)
    started = time.monotonic() - run.seconds
    for epoch in range(run.epoch, epochs):
        loss = run.learn(images, labels, np.random.default_rng((seed, epoch)))
        row = {
            "epoch": epoch + 1,
            "loss": round(loss, 4),
            "held_out_accuracy": round(_accuracy(run.average, train, watched, device), 4),
            "seconds": round(time.monotonic() - started, 1),
        }
        report(row)
        with curve.open("a") as file:
            file.write(json.dumps(row) + "\n")
        run.save(checkpoint, time.monotonic() - started)
    export_backbone(run.average[0], out)
    return {
        "parameters": sum(p.numel() for p in run.average[0].parameters()),
        "held_out_accuracy": _accuracy(run.average, train, held, device),
        "test_accuracy": _accuracy(run.average, test, np.ones(len(test.images), bool), device),
        "seconds": round(time.monotonic() - started, 1),
        "bytes": out.stat().st_size,
    }


class _Run:
    """A network that learns, and its averaged weights, which are what is kept of it in the end."""

    def __init__(self, network: str, recipe: Recipe, epochs: int, device: str) -> None:
        self.network, self.recipe, self.epochs = network, recipe, epochs
        self.net = _classifier(network, device)
        self.average = copy.deepcopy(self.net)
        self.optimizers = [
            Muon([p for p in self.net.parameters() if p.ndim == 4], lr=recipe.rate),
            torch.optim.SGD(
                [{"params": [p for p in self.net.parameters() if p.ndim == 2], "weight_decay": 5e-4},
                 {"params": [p for p in self.net.parameters() if p.ndim == 1], "weight_decay": 0.0}],
                lr=recipe.plain_rate, momentum=0.9, nesterov=True,
            ),
        ]  # fmt: skip
        self.lessons: torch.Tensor | None = None
        self.epoch, self.seconds = 0, 0.0

    def learn(self, images: torch.Tensor, labels: torch.Tensor, rng: np.random.Generator) -> float:
        """Go through the pictures once.

        Args:
            images: uint8 (N, 32, 32, 3).
            labels: int64 (N,).
            rng: of the order and the augmentation.

        Returns:
            The mean loss.
        """
        self.net.train()
        order = torch.from_numpy(rng.permutation(len(images))).to(images.device)
        steps, total = max(1, len(images) // self.recipe.batch), 0.0
        for step in range(steps):
            done = (self.epoch + step / steps) / self.epochs
            rows = order[step * self.recipe.batch : (step + 1) * self.recipe.batch]
            x = shift_and_mirror(images[rows], (rows + self.epoch) % 2 == 1, rng)
            targets = self._targets(labels[rows], rows)
            if done < self.recipe.small_share:
                side = self.recipe.small_side
                x = nn.functional.interpolate(x, size=(side, side), mode="bilinear", antialias=True)
            if done < 1 - _LAST and rng.random() < self.recipe.cutmix:
                x, targets = _cutmix(x, targets, rng)
            with _half_precision(x.device):
                answers = self.net(x.permute(0, 2, 3, 1))
            loss = nn.functional.cross_entropy(answers.float(), targets)
            self._descend(loss, min(1.0, done / _WARM_UP) * (1 - done))
            if step % 8 == 0:
                follow(self.average, self.net, keep=0.9 if done < 0.5 else 0.95)
            total += loss.item()
        self.epoch += 1
        return total / steps

    def _targets(self, labels: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """What the network should answer, float32 (N, 100): the label, smoothed, and the teacher's opinion."""
        smoothing = self.recipe.smoothing
        targets = nn.functional.one_hot(labels, _CLASSES).float() * (1 - smoothing) + smoothing / _CLASSES
        if self.lessons is not None:
            opinion = torch.softmax(self.lessons[rows] / self.recipe.teacher_temperature, 1)
            targets = targets.lerp(opinion, self.recipe.teacher_weight)
        return targets

    def _descend(self, loss: torch.Tensor, share: float) -> None:
        """Take a step at a share of each learning rate."""
        rates = (self.recipe.rate, self.recipe.plain_rate)
        for optimizer, rate in zip(self.optimizers, rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * share
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()

    def save(self, checkpoint: Path, seconds: float) -> None:
        state = {
            "name": self.network, "net": self.net.state_dict(), "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "epoch": self.epoch, "seconds": seconds,
        }  # fmt: skip
        part = checkpoint.with_suffix(".part")
        torch.save(state, part)
        part.replace(checkpoint)

    def start(self, checkpoint: Path) -> None:
        """Begin with the weights of an earlier run."""
        weights = self._read(checkpoint)["average"]
        self.net.load_state_dict(weights)
        self.average.load_state_dict(weights)
        recipe, share = self.recipe, self.recipe.restart
        self.recipe = replace(recipe, rate=recipe.rate * share, plain_rate=recipe.plain_rate * share, small_share=0.0)

    def restore(self, checkpoint: Path) -> None:
        """Go on from where this run was."""
        state = self._read(checkpoint)
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.epoch, self.seconds = state["epoch"], state["seconds"]

    def _read(self, checkpoint: Path) -> dict[str, Any]:
        try:
            state: dict[str, Any] = torch.load(checkpoint, weights_only=True)
        except FileNotFoundError as error:
            raise TrainingError(f"there is no checkpoint {checkpoint}") from error
        if state["name"] != self.network:
            raise TrainingError(f"{checkpoint} is of {state['name']}, not of {self.network}: move it away")
        return state


def _classifier(network: str, device: str) -> nn.Sequential:
    trunk = features(ARCHITECTURES[network])
    return nn.Sequential(trunk, nn.Linear(ARCHITECTURES[network].widths[-1], _CLASSES)).to(device)


def _opinion(teacher: Backbone, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """A backbone's logits, float32 (N, 100), by a head that is fitted to the same pictures."""
    embeddings = teacher.embed(images)
    return fit_head(embeddings, labels, _CLASSES, _PENALTY).logits(embeddings).astype(np.float32)


def _half_precision(device: torch.device) -> torch.autocast:
    """Compute in bfloat16, where the processor can: about twice as fast, and as right."""
    able = device.type == "cuda" or torch.cpu.get_capabilities().get("avx512_bf16", False)
    return torch.autocast(device.type, torch.bfloat16, enabled=able)


def _cutmix(x: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Paste a rectangle of each picture's neighbour in the batch into it, and mix the targets by area."""
    height, width = x.shape[2:]
    share = np.sqrt(rng.random())
    rows, columns = max(1, int(height * share)), max(1, int(width * share))
    top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
    x = x.clone()
    x[:, :, top : top + rows, left : left + columns] = x.roll(1, 0)[:, :, top : top + rows, left : left + columns]
    return x, targets.lerp(targets.roll(1, 0), rows * columns / (height * width))


def _logits(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Answers, float32 (N, 100), to pictures and their mirror images together."""
    both = FlipAveraged(net).eval()
    with torch.no_grad():
        return torch.cat([both(images[start : start + 500]) for start in range(0, len(images), 500)])


def _accuracy(net: nn.Module, split: CifarSplit, chosen: NDArray[np.bool_], device: str) -> float:
    found = _logits(net, torch.from_numpy(split.images[chosen]).to(device)).argmax(1).cpu().numpy()
    return float((found == split.labels[chosen]).mean())
