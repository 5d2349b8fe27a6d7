"""The main job from nothing: how long it takes once installed, how large the installation is, how right it is.

Makes a virtual environment in a temporary folder, installs the lock, and runs `scones demo` there.
Names CIFAR-100 with SCONES_CIFAR100; without it, the demo downloads it or draws pictures.
"""

from __future__ import annotations

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

REPOSITORY = Path(__file__).resolve().parent.parent
RUNS = 3


def main() -> None:
    started = time.monotonic()
    environ = dict(os.environ)
    if archive := environ.get("SCONES_CIFAR100"):
        environ["SCONES_CIFAR100"] = str(Path(archive).resolve())  # the demo runs in another folder
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv = folder / "venv"
        pip = [str(venv / "bin/python"), "-m", "pip", "--disable-pip-version-check", "-q", "install", "--no-compile"]
        progress("installing the lock into a new virtual environment …")
        begun = time.monotonic()
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        lock = str(REPOSITORY / "requirements.lock")
        subprocess.run([*pip, "--require-hashes", "-r", lock], check=True, stdout=sys.stderr)
        subprocess.run([*pip, "--no-deps", str(REPOSITORY)], check=True, stdout=sys.stderr)
        install_seconds = time.monotonic() - begun
        results: list[dict[str, Any]] = []
        seconds: list[float] = []
        for run in range(RUNS):
            begun = time.monotonic()
            command = [str(venv / "bin/scones"), "demo", "--json"]
            demo = subprocess.run(command, cwd=folder, env=environ, check=True, stdout=subprocess.PIPE)
            seconds.append(time.monotonic() - begun)
            results.append(json.loads(demo.stdout))
            progress(f"run {run + 1} of {RUNS}: {seconds[-1]:.1f} s")
        # after the runs, so that the bytecode that Python wrote by then counts too
        size = int(subprocess.run(["du", "-sk", str(venv)], check=True, capture_output=True).stdout.split()[0]) / 1024
    last = results[-1]
    on_cifar = last["data"] == "cifar100"
    claims = [
        Claim("demo_seconds", round(statistics.median(seconds), 1), "s", "<= 180"),
        Claim("install_mb", round(size, 1), "MiB", "<= 450"),
        Claim(
            "accuracy",
            last["accuracy"] if on_cifar else None,
            "share",
            ">= 0.9",
            "" if on_cifar else "the demo ran on synthetic pictures: name CIFAR-100 with SCONES_CIFAR100",
        ),
    ]
    detail = {"runs_seconds": [round(value, 1) for value in seconds], "install_seconds": round(install_seconds, 1)}
    emit("demo", started, claims, {**detail, "demo": last})


if __name__ == "__main__":
    main()
