"""Runs the command line as a person's shell would, without the settings of whoever runs the tests."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


def _options(cwd: Path, environ: dict[str, str]) -> dict[str, Any]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SCONES_", "AWS_"))}
    return {"cwd": cwd, "env": {**clean, "COLUMNS": "200", **environ}, "text": True}


@pytest.fixture(scope="session")
def scones() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a verb to its end: ``scones("train", "--json", cwd=folder, SCONES_TASK="vehicles")``."""

    def run(*words: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "scones", *words]
        return subprocess.run(command, capture_output=True, timeout=300, check=False, **_options(cwd, environ))

    return run


@pytest.fixture
def start_scones() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a verb and go on, as :func:`scones`; what still runs at the end of the test is ended."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str, cwd: Path, **environ: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            # the script and not `-m`, which would put the working directory on the module path
            [str(Path(sys.executable).with_name("scones")), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **_options(cwd, environ),
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.terminate()
        child.communicate(timeout=60)
