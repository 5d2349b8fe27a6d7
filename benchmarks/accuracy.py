"""How right the models are on test pictures that nothing was chosen on, with the backbones that come with Scones.

Needs CIFAR-100 (SCONES_CIFAR100); the figure on cookies needs their folder (SCONES_COOKIES). Every model is what
`scones train` makes; the seeds are those of the folds in which the head's penalty is chosen.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from harness import Claim, emit, progress

from scones.classifier import Classifier
from scones.staging import Dataset, open_source, write_dataset
from scones.staging.cifar100 import class_names
from scones.store import open_bucket
from scones.task import DecisionPolicy, Task, load_task
from scones.training import cross_validate, load_backbone, train

SEEDS = range(5)
SINGLES = 2000
TASKS = (
    ("vehicles", "small", "vehicles_small_median", ">= 0.98", SEEDS),
    ("vehicles", "nano", "vehicles_nano_median", ">= 0.97", SEEDS),
    ("vehicles-10", "small", "vehicles10_small", ">= 0.9", SEEDS[:1]),
    ("road", "small", "road_accuracy", ">= 0.9", SEEDS[:1]),
    ("social", "small", "social_accuracy", ">= 0.85", SEEDS[:1]),
)


def main() -> None:
    started = time.monotonic()
    archive = Path(os.environ["SCONES_CIFAR100"])
    claims: list[Claim] = []
    detail: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        hundred = stage(folder, all_classes(archive), archive)
        for backbone, target in (("small", ">= 0.76"), ("nano", ">= 0.7")):
            name = f"cifar100_top1_{backbone}"
            found, n = accuracy(fitted(hundred, all_classes(archive), backbone), hundred)
            claims.append(Claim(name, found, "share", target))
            detail[name] = {"test_pictures": n}
            progress(f"{name}: {found}")
        for task, backbone, name, target, seeds in TASKS:
            dataset = stage(folder, load_task(task), archive)
            runs = [accuracy(fitted(dataset, load_task(task), backbone, seed), dataset) for seed in seeds]
            claims.append(Claim(name, round(statistics.median(share for share, _ in runs), 4), "share", target))
            detail[name] = {
                "seeds": list(seeds),
                "accuracies": [share for share, _ in runs],
                "test_pictures": runs[0][1],
                "a_seed_decides": "the folds in which the head's penalty is chosen, nothing else",
            }
            progress(f"{name}: {claims[-1].value}")
        claim, detail["defects"] = cookies(folder)
        claims.append(claim)
        dataset = stage(folder, load_task("vehicles"), archive)
        nano = fitted(dataset, load_task("vehicles"), "nano", threads=1)
        claims.append(Claim("nano_ms", milliseconds(nano), "ms", "<= 1.5"))
    emit("accuracy", started, claims, detail)


def all_classes(archive: Path) -> Task:
    """CIFAR-100 as a task of its own: all 100 classes."""
    labels = tuple(class_names(archive))
    return Task(name="cifar100", title="CIFAR-100", labels=labels, policy=DecisionPolicy(target_risk=0.05))


def cookies(folder: str) -> tuple[Claim, dict[str, Any]]:
    """Balanced accuracy over grouped folds; nothing is chosen on a cookie that it is measured on."""
    name, target = "defects_cv_balanced_accuracy", ">= 0.9"
    if not (place := os.environ.get("SCONES_COOKIES")):
        return Claim(name, None, "share", target, "name the folder of the cookies with SCONES_COOKIES"), {}
    task, bucket = load_task("defects"), open_bucket(folder, "benchmark")
    source = open_source("folder", task, folder=Path(place))
    dataset = write_dataset(bucket, task, source.pictures, source=source.record)
    figures = cross_validate(dataset, task, load_backbone("small"))
    del figures["pictures"]
    return Claim(name, round(figures["balanced_accuracy"], 4), "share", target), figures


def stage(folder: str, task: Task, archive: Path) -> Dataset:
    source = open_source("cifar100", task, archive=archive)
    return write_dataset(open_bucket(folder, "benchmark"), task, source.pictures, source=source.record)


def fitted(dataset: Dataset, task: Task, backbone: str, seed: int = 0, threads: int = 2) -> Classifier:
    made = train(dataset, task, load_backbone(backbone), seed=seed, now=datetime.now(UTC))
    return Classifier(*made, threads=threads)


def accuracy(classifier: Classifier, dataset: Dataset) -> tuple[float, int]:
    """The share of the test pictures that is answered right, and how many they are."""
    images, labels = dataset.arrays("test", classifier.info.input_size)
    parts = np.array_split(images, max(1, len(images) // 64))
    answers = np.concatenate([classifier.predict(part)[0].argmax(1) for part in parts])
    return float((answers == labels).mean()), len(labels)


def milliseconds(classifier: Classifier) -> float:
    """Median time that one picture alone takes."""
    picture = np.zeros((1, 32, 32, 3), np.uint8)
    times = []
    for _ in range(SINGLES):
        begun = time.perf_counter()
        classifier.predict(picture)
        times.append(1000 * (time.perf_counter() - begun))
    return round(statistics.median(times), 3)


if __name__ == "__main__":
    main()
