"""A short run of `benchmarks/switch.py`: models change while requests come, and each answer is one model's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import scones

SWITCH = Path(__file__).parents[2] / "benchmarks/switch.py"


def test_models_change_under_load_without_an_error_and_every_answer_is_of_the_model_it_names(
    tmp_path: Path, tiny_bundle: Callable[..., bytes]
) -> None:
    model = tmp_path / "model.tar.gz"
    model.write_bytes(tiny_bundle())
    environment = {**os.environ, "PYTHONPATH": str(Path(scones.__file__).parents[1])}
    command = [sys.executable, str(SWITCH), "--short", "--model", str(model)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)
    figures = {claim["name"]: claim["value"] for claim in result["claims"]}
    assert (figures["errors"], figures["mixed_versions"]) == (0, 0), result["detail"]
    assert figures["switches"] == 3
    assert figures["requests"] >= 1500
