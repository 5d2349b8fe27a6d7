"""What the engine needs: memory and time, each measured in a process of its own.

As a script: `footprint.py MEASURE FOLDER COUNT` prints one figure or several as JSON. The measures: `waiting`,
`recovered`, `growth`, `fill`, `open`, `alone`.
"""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contenders import MACHINE, engine_contender, keep_busy

from scones.workflow.engine import Engine, load
from scones.workflow.engine.jsontext import digest
from scones.workflow.engine.schema import SCHEMA

WAIT: dict[str, Any] = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 86_400, "End": True}}}
GIVEN = {"image_data": "", "s3_bucket": "pictures", "s3_key": "arrivals/vehicles/berlin/driver-17/0123456789abcdef.png"}
_WRITES, _PAGE = 100, 4096


def resident() -> float:
    """The memory that this process holds, in MB."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except FileNotFoundError:  # not Linux: the most that it has held
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def waiting(folder: Path, count: int) -> dict[str, float]:
    """Memory of executions that wait, those that begin."""
    with Engine(folder / "waiting.db", {"m": WAIT}) as engine:
        before = resident()

        def run_one(number: int) -> Any:
            engine.start("m", {**GIVEN, "n": number}, name=f"e{number}")
            return {"n": number}

        keep_busy(run_one, lambda number: number < count)
        assert engine.running == count
        return {"mb": resident() - before}


def recovered(folder: Path, count: int) -> dict[str, float]:
    """Memory of the same executions, taken up by another process."""
    before = resident()
    with Engine(folder / "waiting.db", {"m": WAIT}) as engine:
        assert engine.running == count
        return {"mb": resident() - before}


def growth(folder: Path, count: int) -> dict[str, float]:
    """Memory after so many executions, and after ten times as many."""
    with engine_contender(folder) as run_one:
        keep_busy(run_one, lambda number: number < count)
        before = resident()
        keep_busy(run_one, lambda number: number < 10 * count, count)
        return {"before_mb": before, "after_mb": resident()}


def fill(folder: Path, count: int) -> dict[str, float]:
    """Write a journal of executions that have ended, without an engine."""
    machine = load(MACHINE)
    given = json.dumps(GIVEN, separators=(",", ":"))
    # All of yesterday, so that none is old enough to be pruned.
    times = [time.time() - 86_400 * (1 - number / (count + 1)) for number in range(count + 1)]
    rows = (
        (number, f"{number:032x}", machine.hash, times[number], times[number], given, digest(GIVEN), given)
        for number in range(1, count + 1)
    )
    events = ((number, times[number], f'{{"input":{given}}}') for number in range(1, count + 1))
    connection = sqlite3.connect(folder / "many.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    connection.executescript(f"BEGIN; {SCHEMA}")
    connection.execute("INSERT INTO definitions VALUES (?, ?)", (machine.hash, machine.text.encode()))
    connection.executemany(
        "INSERT INTO executions (id, machine, name, definition, status, started, stopped, input, input_digest, output)"
        " VALUES (?, 'm', ?, ?, 'SUCCEEDED', ?, ?, ?, ?, ?)",
        rows,
    )
    connection.executemany("INSERT INTO events VALUES (?, 1, 'ExecutionStarted', ?, NULL, ?)", events)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return {"mb": (folder / "many.db").stat().st_size / 2**20}


def opening(folder: Path, count: int) -> dict[str, float]:
    """Time to open that journal, and until it has taken a first execution.

    It comes from the disk, where the system lets what it has of a file in memory be forgotten.
    """
    path = folder / "many.db"
    if hasattr(os, "posix_fadvise"):
        file = os.open(path, os.O_RDWR)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)
    begun = time.monotonic()
    with Engine(path, {"m": MACHINE}, {"f": lambda event, _: event}) as engine:
        opened = time.monotonic() - begun
        name = engine.start("m", {"n": count}).name
        seconds = time.monotonic() - begun
        assert engine.wait(name)[0].status == "SUCCEEDED"
        assert engine.status(f"{count:032x}") == "SUCCEEDED"
    return {"opened_seconds": opened, "seconds": seconds}


def alone(folder: Path, count: int) -> dict[str, float]:
    """What one execution takes, less what its handlers take: from start to the end of wait, one after the other."""
    handled: list[float] = []

    def handler(event: Any, _: object) -> Any:
        begun = time.perf_counter()
        time.sleep(0.001)
        handled.append(time.perf_counter() - begun)
        return event

    found = []
    with Engine(folder / "alone.db", {"m": MACHINE}, {"f": handler}) as engine:
        for number in range(count):
            handled.clear()
            begun = time.perf_counter()
            engine.start("m", {"n": number}, name=f"e{number}")
            engine.wait(f"e{number}", machine="m")
            found.append(1000 * (time.perf_counter() - begun - sum(handled)))
    return {
        "median_ms": statistics.median(found),
        "p95_ms": sorted(found)[int(0.95 * count)],
        "sync_ms": sync_ms(folder),
    }


def sync_ms(folder: Path) -> float:
    """What the disk takes for one small durable write into a file; an execution of three tasks needs four of them."""
    file = os.open(folder / "sync", os.O_RDWR | os.O_CREAT)
    os.write(file, bytes(_WRITES * _PAGE))
    os.fsync(file)
    took = []
    for number in range(_WRITES):
        begun = time.perf_counter()
        os.pwrite(file, b"\1" * _PAGE, number * _PAGE)
        getattr(os, "fdatasync", os.fsync)(file)
        took.append(1000 * (time.perf_counter() - begun))
    os.close(file)
    return statistics.median(took)


MEASURES: dict[str, Callable[[Path, int], dict[str, float]]] = {
    "waiting": waiting,
    "recovered": recovered,
    "growth": growth,
    "fill": fill,
    "open": opening,
    "alone": alone,
}


def main() -> None:
    found = MEASURES[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps({name: round(value, 3) for name, value in found.items()}))


if __name__ == "__main__":
    main()
