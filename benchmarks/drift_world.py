"""What the drift benchmark watches: a model, and CIFAR-100's test pictures, healthy and changed, measured by it.

The model is the shipped backbone ``nano`` with a head for CIFAR-100's twenty coarse classes. Head and channels are
fitted on training pictures as ``scones train`` and the monitor fit them; buses are left out of all that is fitted.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import PIL.Image
from harness import progress
from numpy.typing import NDArray
from scipy.special import softmax

from scones.bundle import BundleInfo, ThresholdFit
from scones.classifier import Classifier
from scones.monitoring.drift.channels import answer_scores
from scones.monitoring.drift.learned import Damage, Surroundings
from scones.monitoring.watch.healthy_pictures import KINDS, damaged
from scones.monitoring.watch.measuring import Seen, see
from scones.staging.cifar100 import CifarSplit, class_names, read_split
from scones.training import load_backbone
from scones.training.calibration import fit_temperature
from scones.training.distortions import DISTORTIONS
from scones.training.graph import join
from scones.training.head import Head, fit_head

__all__ = ["DAMAGES", "POOL", "Images", "Measured", "Watched", "World", "channels", "concatenated", "part"]

BACKBONE: Final = "nano"
PENALTY: Final = 0.03
FITTED, HEAD, LEARNED, DAMAGED = 10_000, 7_000, 4_000, 300
"""Training pictures; of them those that the head is fitted on, and, as in the monitor, the channels."""
POOL, CHANGED = 4_000, 2_000
"""Test pictures that streams are drawn from, and those of them that are damaged."""
ANIMALS: Final = (0, 1, 7, 8, 11, 12, 13, 14, 15, 16)
"""Coarse classes, by number: animals and people."""

Images: TypeAlias = NDArray[np.uint8]
Measured: TypeAlias = dict[str, NDArray[Any]]
Damaging: TypeAlias = Callable[[Images, np.random.Generator], Images]


class Watched:
    """The model with its channels: fitted on the chosen training pictures, and nothing else."""

    def __init__(self, images: Images, coarse: NDArray[np.int64]) -> None:
        backbone = load_backbone(BACKBONE)
        embeddings = kept("train", images, lambda some: {"embeddings": backbone.embed(some)})["embeddings"]
        head, temperature = fitted(embeddings, coarse, 20)
        self.two, self.two_temperature = fitted(embeddings, np.isin(coarse, ANIMALS).astype(np.int64), 2)
        info = BundleInfo(
            task="cifar", labels=tuple(f"class {k}" for k in range(20)), input_size=backbone.size, version="1",
            threshold=ThresholdFit(
                value=0, origin="default", target_risk=0, confidence=0, risk_bound=None, pictures=0,
                coverage=1, note="",
            ),
            temperature=temperature, metrics={}, reference={}, dataset="cifar-100", backbone=BACKBONE, seed=0, code="",
            trained_at="",
        )  # fmt: skip
        self.classifier = Classifier(info, join(backbone, head, temperature), threads=2)
        rng, few = np.random.default_rng(1), list(images[:DAMAGED])
        learned = self.see("learned", images[:LEARNED])
        self.surroundings = Surroundings.fit(learned.embeddings, seed=0)
        worse = {kind: self.see(kind, np.stack(list(damaged(kind, few, rng)))).features for kind in KINDS}
        self.damage = Damage.fit(learned.features, worse)

    def see(self, name: str, images: Images) -> Seen:
        """Look at pictures, as the monitor does."""

        def arrays(some: Images) -> Measured:
            seen = see(self.classifier, list(some))
            return {"probabilities": seen.probabilities, "embeddings": seen.embeddings, "features": seen.features,
                    **{f"pixels {name}": values for name, values in seen.pixels.items()}}  # fmt: skip

        found = kept(f"seen-{name}", images, arrays)
        pixels = {name.removeprefix("pixels "): found[name] for name in found if name.startswith("pixels ")}
        return Seen(pixels, found["probabilities"], found["embeddings"], found["features"])

    def measure(self, name: str, images: Images) -> Measured:
        """All channels of pictures, and the model's answers."""
        seen = self.see(name, images)
        return {**seen.scores(self.surroundings, self.damage), "probabilities": seen.probabilities}

    def two_way(self, measured: Measured) -> Measured:
        """The same with the answers of the two-way head: animal, or not."""
        answers = softmax(self.two.logits(measured["embedding"]) / self.two_temperature, axis=1)
        others = {name: values for name, values in measured.items() if name not in ("class", "confidence")}
        return {**others, **answer_scores(answers), "probabilities": answers.astype(np.float32)}


@dataclass(frozen=True)
class World:
    """Test pictures, measured.

    Attributes:
        model: that measured them.
        test: the split; ``known`` are rows of it that are no buses, in random order: the first are the pool.
        measured: all of ``test``.
        changed: by drift, the damaged pictures of the pool, and the buses.
    """

    model: Watched
    test: CifarSplit
    known: NDArray[np.int64]
    measured: Measured
    changed: dict[str, Measured]

    @property
    def pool(self) -> NDArray[np.int64]:
        """Rows that streams are drawn from."""
        return self.known[:POOL]

    @property
    def reference(self) -> NDArray[np.int64]:
        """Rows that the reference is fitted on."""
        return self.known[POOL:]

    @property
    def buses(self) -> Images:
        """Pictures of the class that nothing was fitted on."""
        return self.test.images[self.changed["bus10"]["row"]]

    @property
    def animals(self) -> NDArray[np.bool_]:
        """Which pictures of ``test`` show animals or people."""
        return np.isin(self.test.coarse, ANIMALS)

    @classmethod
    def made(cls, archive: Path) -> World:
        """Fit the model, measure the pictures."""
        train, test = read_split(archive, "train"), read_split(archive, "test")
        bus = class_names(archive).index("bus")
        rng = np.random.default_rng(0)
        chosen = rng.permutation(np.flatnonzero(train.labels != bus))[:FITTED]
        progress(f"fitting a head and channels on {FITTED} training pictures …")
        model = Watched(train.images[chosen], train.coarse[chosen])
        known, buses = rng.permutation(np.flatnonzero(test.labels != bus)), np.flatnonzero(test.labels == bus)
        progress(f"measuring {len(test.images)} test pictures, and {len(DAMAGES)} kinds of damage to {CHANGED} …")
        measured = model.measure("test", test.images)
        changed = {"bus10": {**part(measured, buses), "row": buses}}
        for name, damage in DAMAGES.items():
            changed[name] = model.measure(name, damage(test.images[known[:CHANGED]], rng))
        return cls(model, test, known, measured, changed)


def part(measured: Measured, rows: NDArray[np.int64]) -> Measured:
    """The scores of some pictures."""
    return {name: values[rows] for name, values in measured.items()}


def channels(measured: Measured) -> Measured:
    """What a reference is fitted on: all but the answers."""
    return {name: values for name, values in measured.items() if name not in ("probabilities", "row")}


def concatenated(*parts: Measured) -> Measured:
    """The scores of one after the other."""
    return {name: np.concatenate([one[name] for one in parts]) for name in parts[0]}


def fitted(embeddings: NDArray[np.float32], labels: NDArray[np.int64], classes: int) -> tuple[Head, float]:
    """A head, and its temperature from pictures that it did not see."""
    head = fit_head(embeddings[:HEAD], labels[:HEAD], classes, PENALTY)
    return head, fit_temperature(head.logits(embeddings[HEAD:]), labels[HEAD:])


def kept(name: str, images: Images, measure: Callable[[Images], Measured]) -> Measured:
    """Measure pictures, once for all runs: the second run finds what it was in the temporary folder."""
    folder = Path(tempfile.gettempdir()) / "scones-bench-drift"
    folder.mkdir(exist_ok=True)
    file = folder / f"{BACKBONE}-{name}-{hashlib.sha256(images.tobytes()).hexdigest()[:16]}.npz"
    if not file.is_file():
        np.savez(file, allow_pickle=False, **measure(images))
    with np.load(file, allow_pickle=False) as found:
        return dict(found)


def each(change: Callable[[PIL.Image.Image, np.random.Generator], PIL.Image.Image]) -> Damaging:
    """Change pictures one by one."""
    return lambda images, rng: np.stack([np.asarray(change(PIL.Image.fromarray(image), rng)) for image in images])


def distorted(name: str, steps: Iterable[float]) -> Damaging:
    """One of the project's distortions, each picture by one of the steps."""
    apply, choice = next(d.apply for d in DISTORTIONS if d.name == name), list(steps)
    return each(
        lambda image, rng: PIL.Image.open(io.BytesIO(apply(image, float(rng.choice(choice)), rng))).convert("RGB")
    )


def fog(share: float, light: float) -> Damaging:
    """Light from between the camera and the thing, as much everywhere."""
    return lambda images, _: np.round(images * (1 - share) + light * share).astype(np.uint8)


DAMAGES: Final[dict[str, Damaging]] = {
    "black": lambda images, _: np.zeros_like(images),
    "noise": distorted("noise", (0.2,)),
    "jpeg": distorted("JPEG", (50,)),
    "rotation": distorted("rotation", (20,)),
    "blur": distorted("blur", (0.03,)),
    "fog": fog(0.4, 230.0),
    "dark": lambda images, _: np.round(255 * (images / 255.0) ** 1.5 * 0.6).astype(np.uint8),
}
"""The channels know kinds of damage at other strengths, and darkness and fog made in another way."""
