"""A short run of `benchmarks/crash.py`: every kind of state, in a process that is killed again and again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import scones

CRASH = Path(__file__).parents[3] / "benchmarks/crash.py"
KILLS = 25


def test_a_process_killed_while_it_runs_every_kind_of_state_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(scones.__file__).parents[1])}
    command = [sys.executable, str(CRASH), "--kills", str(KILLS), "--keep", str(tmp_path)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)
    figures = {claim["name"]: claim["value"] for claim in result["claims"]}
    assert result["detail"]["wrong"] == []
    assert (figures["kills"], figures["lost"], figures["finished_twice"]) == (KILLS, 0, 0)
    assert figures["rerun_after_journaled"] == 0
    assert figures["accepted"] >= KILLS
    assert result["detail"]["seen"]["calls_run_again"] > 0, "no kill came while a handler ran: this tests nothing"
