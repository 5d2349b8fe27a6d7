"""Hostile input: the benchmark that sends it, in small. Its seed makes each run the same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

FUZZ = Path(__file__).parents[2] / "benchmarks/fuzz.py"


def test_mutated_pictures_and_requests_never_make_a_server_error_nor_end_a_worker(
    tmp_path: Path, tiny_bundle: Callable[..., bytes]
) -> None:
    model = tmp_path / "model.tar.gz"
    model.write_bytes(tiny_bundle())
    command = [sys.executable, str(FUZZ), "--cases", "2000", "--seed", "11", "--model", str(model)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    claims = {claim["name"]: claim["value"] for claim in json.loads(shown.stdout)["claims"]}
    assert (claims["cases"], claims["server_errors"], claims["crashes"]) == (2000, 0, 0)
