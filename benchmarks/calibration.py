"""Whether the model is as sure as it says, and whether the threshold keeps its promise.

Needs CIFAR-100 (SCONES_CIFAR100). The ten-vehicle model answers its 1,000 test pictures; then 1,000 calibration sets
of 1,000 pictures each are drawn from its answers to all pictures that it was not trained on, a threshold is fitted to
each, and what that threshold truly accepts and gets wrong is counted on all of them.
"""

from __future__ import annotations

import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from harness import Claim, emit, progress

from scones.classifier import Classifier
from scones.staging import open_source, write_dataset
from scones.store import open_bucket
from scones.task import DecisionPolicy, load_task
from scones.training import evaluate, load_backbone, train
from scones.training.calibration import fit_threshold

RESAMPLES = 1000
PICTURES = 1000
SPLITS: tuple[Literal["calibration", "test"], ...] = ("calibration", "test")


def main() -> None:
    started = time.monotonic()
    detail: dict[str, Any] = {}
    answers: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("vehicles-10", "vehicles"):
            progress(f"staging, training and evaluating {name} …")
            detail[name], answers[name] = measured(folder, name, Path(os.environ["SCONES_CIFAR100"]))
    progress(f"fitting {RESAMPLES} thresholds …")
    policy = load_task("vehicles-10").policy
    broken, coverage, oracle = simulate(*answers["vehicles-10"], policy)
    detail["simulation"] = {
        "resamples": RESAMPLES, "pictures_each": PICTURES, "population": len(answers["vehicles-10"][0]),
        "target_risk": policy.target_risk, "confidence": policy.confidence,
        "oracle_coverage": oracle, "mean_coverage": float(np.mean(coverage)),
        "fell_back_to_the_default": float(np.mean([value == 0 for value in coverage])),
    }  # fmt: skip
    claims = [
        Claim("vehicles10_excess_ece", round(detail["vehicles-10"]["ece_excess"], 4), "share", "<= 0.005"),
        Claim("risk_violation_rate", float(np.mean(broken)), "share", "<= 0.05"),
        Claim("coverage_of_oracle", round(float(np.mean(coverage)) / oracle, 4), "ratio", ">= 0.85"),
    ]
    emit("calibration", started, claims, detail)


def measured(folder: str, name: str, archive: Path) -> tuple[dict[str, Any], tuple[np.ndarray, np.ndarray]]:
    """A task's figures on its test pictures; and of all pictures not trained on, how sure and whether right."""
    bucket, task = open_bucket(folder, "benchmark"), load_task(name)
    source = open_source("cifar100", task, archive=archive)
    dataset = write_dataset(bucket, task, source.pictures, source=source.record)
    info, model = train(dataset, task, load_backbone("small"), now=datetime.now(UTC))
    classifier = Classifier(info, model, threads=2)
    figures = evaluate(classifier, dataset, task)
    confidence, correct = [], []
    for split in SPLITS:
        images, labels = dataset.arrays(split, info.input_size)
        answers = np.concatenate([classifier.predict(part)[0] for part in np.array_split(images, 20)])
        confidence.append(answers.max(1).astype(np.float64))
        correct.append(answers.argmax(1) == labels)
    kept = {
        key: figures[key] for key in ("n", "accuracy", "ece", "ece_null", "ece_excess", "threshold", "at_threshold")
    }
    return kept, (np.concatenate(confidence), np.concatenate(correct))


def simulate(
    confidence: np.ndarray, correct: np.ndarray, policy: DecisionPolicy
) -> tuple[list[bool], list[float], float]:
    """Fit a threshold to each of many calibration sets, and count on all pictures what it does.

    Returns:
        For each whether the true risk exceeds the target, and the true share accepted; the largest share that
        could be accepted at the target risk by who knew all answers.
    """
    order = np.argsort(-confidence, kind="stable")
    risk = np.cumsum(~correct[order]) / np.arange(1, len(order) + 1)
    oracle = float((np.flatnonzero(risk <= policy.target_risk)[-1] + 1) / len(order))
    rng = np.random.default_rng(0)
    broken, coverage = [], []
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(confidence), PICTURES)
        fit = fit_threshold(confidence[rows], correct[rows], policy)
        accepted = confidence >= fit.value
        # a default makes no promise that could be broken, and counts as nothing accepted
        broken.append(fit.origin == "fitted" and float((~correct[accepted]).mean()) > policy.target_risk)
        coverage.append(float(accepted.mean()) if fit.origin == "fitted" else 0.0)
    return broken, coverage, oracle


if __name__ == "__main__":
    main()
