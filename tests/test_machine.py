"""How many cores a process may use, and who stays on which."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scones.machine import available_cores

CORES = sorted(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("limits", "cores"),
    [
        ("max 100000", len(CORES)),
        ("50000 100000", 1),
        ("100000 100000", 1),
        ("900000000 100000", len(CORES)),
        ("", len(CORES)),
    ],
)
def test_a_container_with_a_part_of_the_time_counts_for_as_many_cores(tmp_path: Path, limits: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(f"{limits}\n")
    assert available_cores(tmp_path / "cpu.max") == cores


def test_without_a_limit_all_cores_count(tmp_path: Path) -> None:
    assert available_cores(tmp_path / "none") == len(CORES)


def stays(number: int, of: int) -> set[int]:
    """The cores on which a process stays."""
    text = (
        "import os; from scones.machine import stay_on_core; "
        f"stay_on_core({number}, {of}); print(os.sched_getaffinity(0))"
    )
    shown = subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True).stdout
    return {int(core) for core in shown.strip(" {}\n").split(",")}


@pytest.mark.skipif(len(CORES) < 2 or available_cores() != len(CORES), reason="there is one core, or a part of some")
def test_as_many_processes_as_cores_have_one_each_and_others_go_where_they_like() -> None:
    assert [stays(number, len(CORES)) for number in (0, len(CORES) - 1)] == [{CORES[0]}, {CORES[-1]}]
    assert stays(0, 1) == stays(0, len(CORES) + 1) == set(CORES)
