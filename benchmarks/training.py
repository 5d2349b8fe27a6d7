"""How long `scones train` takes, from staged data to a written bundle, beside fine-tuning the same backbone.

Needs CIFAR-100 (SCONES_CIFAR100). The whole process counts: start of Python, reading pictures, embedding them,
choosing the penalty, fitting, calibrating, writing. Fine-tuning is measured once, where torch is installed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from harness import Claim, emit, progress

RUNS = 5


def main() -> None:
    started = time.monotonic()
    archive = str(Path(os.environ["SCONES_CIFAR100"]).resolve())
    detail: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        scones(folder, "stage", "--archive", archive)
        seconds: dict[str, list[float]] = {"small": [], "nano": []}
        models: dict[str, dict[str, Any]] = {}
        for run in range(RUNS):
            for backbone, found in seconds.items():
                took, models[backbone] = scones(folder, "train", "--backbone", backbone)
                found.append(took)
                progress(f"run {run + 1} of {RUNS}, {backbone}: {took:.1f} s")
        for backbone, found in seconds.items():
            detail[backbone] = {"runs_seconds": found, **measured(folder, models[backbone])}
        if importlib.util.find_spec("torch"):
            progress("fine-tuning …")
            took, model = scones(folder, "train", "--backbone", "small", "--fine-tune")
            detail["fine_tuned_small"] = {"seconds": took, **measured(folder, model)}
        else:
            detail["fine_tuned_small"] = "torch is not installed: make train"
    claims = [
        Claim(f"train_seconds_{name}", round(statistics.median(found), 1), "s", "<= 15")
        for name, found in seconds.items()
    ]
    emit("training", started, claims, detail)


def scones(folder: str, *words: str) -> tuple[float, dict[str, Any]]:
    """Run a verb; its wall time and what it printed."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "scones", *words, "--json"]
    ran = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE)
    return time.monotonic() - begun, json.loads(ran.stdout)


def measured(folder: str, model: dict[str, Any]) -> dict[str, float]:
    """The accuracy of a model on the test pictures."""
    figures = scones(folder, "evaluate", "--model", model["version"])[1]
    return {"accuracy": figures["accuracy"]}


if __name__ == "__main__":
    main()
