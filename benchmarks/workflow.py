"""The workflow engine: how fast beside dbos and moto's interpreter, how much it adds, what memory it needs.

A machine of three tasks whose handlers do nothing, 64 executions at the same time, `synchronous=FULL`. The three
engines take turns, each turn in a process of its own, so that what slows the machine down slows all. `--quick` does
all of it on small sizes, to see that it works: the figures mean nothing then.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contenders import CONTENDERS, IN_FLIGHT
from harness import Claim, emit, progress

HERE = Path(__file__).parent
MEMORY = Path("/dev/shm")
"""A folder in memory, to tell what the engine takes from what the disk takes."""


@dataclass(frozen=True)
class Sizes:
    """How much of each is done."""

    rounds: int = 5
    seconds: float = 4.0
    alone: int = 300
    waiting: int = 10_000
    growth: int = 10_000
    ended: int = 1_000_000
    openings: int = 3


QUICK = Sizes(rounds=1, seconds=1.0, alone=20, waiting=500, growth=200, ended=20_000, openings=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes: does it work?")
    quick = parser.parse_args().quick
    sizes = QUICK if quick else Sizes()
    started = time.monotonic()
    rates = race(sizes)
    middle = {name: statistics.median(found) for name, found in rates.items()}
    with tempfile.TemporaryDirectory() as folder:
        alone = footprint("alone", folder, sizes.alone)
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as memory:
            undelayed = footprint("alone", memory, sizes.alone)
        progress(
            f"one execution alone adds {alone['median_ms']} ms; the disk takes {alone['sync_ms']} ms a write; in memory"
            f" it adds {undelayed['median_ms']} ms"
        )
        waiting = [footprint(which, folder, sizes.waiting)["mb"] for which in ("waiting", "recovered")]
        progress(f"{sizes.waiting:,} waiting executions: {waiting[0]} MB, {waiting[1]} MB after a restart")
        grown = footprint("growth", folder, sizes.growth)
        progress(
            f"after {sizes.growth:,} executions {grown['before_mb']} MB, after ten times as many {grown['after_mb']}"
        )
        filled = footprint("fill", folder, sizes.ended)
        openings = [footprint("open", folder, sizes.ended) for _ in range(sizes.openings)]
        open_seconds = statistics.median(one["seconds"] for one in openings)
        progress(f"a journal of {sizes.ended:,} executions, {filled['mb']:.0f} MB, opens in {open_seconds} s")
    claims = [
        Claim("vs_dbos", round(middle["scones"] / middle["dbos"], 2), "times", ">= 3"),
        Claim("vs_moto", round(middle["scones"] / middle["moto"], 2), "times", ">= 2"),
        Claim("executions_per_second", middle["scones"], "executions/s", ">= 2000"),
        Claim("overhead_ms", alone["median_ms"], "ms", "<= 3"),
        Claim("mb_per_10k_waiting", round(max(waiting) * 10_000 / sizes.waiting, 1), "MB", "<= 200"),
        Claim("rss_growth_mb_100k", round(grown["after_mb"] - grown["before_mb"], 1), "MB", "<= 10"),
        Claim("open_million_seconds", open_seconds, "s", "<= 1"),
    ]
    detail: dict[str, Any] = {
        "quick": quick,
        "in_flight": IN_FLIGHT,
        "executions_per_second": rates,
        "alone": alone,
        "alone_in_memory": undelayed,
        "waiting_mb": {"begun": waiting[0], "recovered": waiting[1]},
        "memory_mb": grown,
        "journal": {"executions": sizes.ended, **filled, "openings": openings},
    }
    emit("workflow", started, claims, detail)


def race(sizes: Sizes) -> dict[str, list[float]]:
    """Executions a second of each contender, who take turns."""
    rates: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for number in range(sizes.rounds):
        for name, found in rates.items():
            found.append(script("contenders.py", name, str(sizes.seconds))["per_second"])
            progress(f"round {number + 1} of {sizes.rounds}, {name}: {found[-1]:,} executions a second")
    return rates


def footprint(measure: str, folder: str, count: int) -> dict[str, float]:
    """A measure of `footprint.py`."""
    return script("footprint.py", measure, folder, str(count))


def script(name: str, *words: str) -> dict[str, float]:
    """What a script beside this one prints."""
    ran = subprocess.run([sys.executable, str(HERE / name), *words], stdout=subprocess.PIPE, check=False)
    if ran.returncode:
        sys.exit(f"{name} {' '.join(words)} failed; what it said stands above")
    found: dict[str, float] = json.loads(ran.stdout)
    return found


if __name__ == "__main__":
    main()
