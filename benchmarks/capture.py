"""Read a month of data capture back: a million records with their pictures, and then what came since.

`capture.py` alone prints the claims; `capture.py read FOLDER` sums up a store once and prints what that took.

The records are of realistic size (pictures of 2 to 4 kB, 500 records a file, 4.6 GB), and not all are in order: some
events are captured twice, some files end in the midst of a line, some come late. SCONES_BENCH_RECORDS makes it smaller.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from harness import Claim, emit, progress

from scones.capture import CaptureRecord, capture_key, encode_line
from scones.monitoring import summarise_capture
from scones.store import open_bucket

RECORDS = int(os.environ.get("SCONES_BENCH_RECORDS", "1000000"))
A_FILE = 500
TWICE, CUT = 100, 200  # of so many files one repeats records of the file before; one ends in the midst of a line
SINCE = 10  # files that came since, the first of them late
CORES = 2
DISK_GB = 6
START = datetime(2026, 11, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


def main() -> None:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="scones-capture-") as made:
        folder = Path(made)
        need = RECORDS * 6000
        if need > DISK_GB * 10**9 or shutil.disk_usage(folder).free < need + 10**9:
            sys.exit(f"{folder} needs {need / 1e9:.1f} GB free and may take {DISK_GB}: lower SCONES_BENCH_RECORDS")
        bytes_written = write(folder, 0, RECORDS // A_FILE)
        progress(f"{RECORDS:,} records, {bytes_written / 1e9:.1f} GB")
        first = measured(folder)
        progress(f"all: {first['seconds']:.1f} s, {first['peak_mb']:.0f} MB")
        write(folder, RECORDS // A_FILE, SINCE)
        again = measured(folder)
        progress(f"what came since: {again['seconds']:.2f} s, {again['peak_mb']:.0f} MB")
        kept = sum(path.stat().st_size for path in folder.rglob("capture-days/**/*.json"))
    since = SINCE * A_FILE
    assert first["records"] == RECORDS, first
    assert again["records"] == RECORDS + since, again
    claims = [
        Claim("capture_million_seconds", round(first["seconds"] * 1e6 / RECORDS, 1), "s", "<= 60"),
        Claim("capture_peak_mb", round(first["peak_mb"]), "MB", "<= 1024"),
        Claim("incremental_seconds", round(again["seconds"], 2), "s", "<= 10"),
    ]
    detail = {
        "records": RECORDS, "bytes": bytes_written, "processes": CORES, "since_records": since,
        "unreadable": first["unreadable"], "cpu_seconds": round(first["cpu_seconds"], 1),
        "incremental_peak_mb": round(again["peak_mb"]),
        "kept_mb": round(kept / 1e6, 1),
    }  # fmt: skip
    emit("capture", started, claims, detail)


def write(folder: Path, begin: int, files: int) -> int:
    """Write capture files, the ``begin``-th first; answers how many bytes."""
    random = Random(begin)
    pictures = [random.randbytes(random.randint(2000, 4000)) for _ in range(64)]
    mark = encode_line(
        CaptureRecord("@event", "@inference", START, (0.123456789, 0.5), "image/png", b"", {
            "model_version": "20261101-000000-abcdef", "threshold": "0.93", "labels": "bicycle,motorcycle",
            "task": "vehicles",
        })
    )  # fmt: skip
    filled = [mark.replace('"data":""', f'"data":"{base64.b64encode(picture).decode()}"', 1) for picture in pictures]
    total, before = 0, ""
    for place in range(begin, begin + files):
        lines = []
        late = place == begin > 0
        for number in range(place * A_FILE, (place + 1) * A_FILE):
            sure = random.betavariate(8, 1)
            answer = f"[{sure!r}, {1 - sure!r}]" if random.random() < 0.5 else f"[{1 - sure!r}, {sure!r}]"
            at = START + timedelta(days=3) if late else START + MONTH * (number / RECORDS)
            line = random.choice(filled).replace("@event", f"{number:08x}-7d1e-4f57-9f0e-6f3f5f3b7a10")
            line = line.replace("@inference", f"execution-{number:032x}").replace("[0.123456789, 0.5]", answer)
            lines.append(line.replace("2026-11-01T00:00:00Z", at.strftime("%Y-%m-%dT%H:%M:%SZ")))
        text = "\n".join(lines) + "\n"
        extra = (before if place % TWICE == 1 else "") + (lines[0][:900] if place % CUT == 2 else "")
        path = folder / "scones" / capture_key("capture", "scones", "AllTraffic", at, f"{place:06d}")
        path.parent.mkdir(parents=True, exist_ok=True)
        total += path.write_bytes((text + extra).encode())
        before = "\n".join(lines[:100]) + "\n"
    return total


def measured(folder: Path) -> dict[str, Any]:
    """Sum up in a process of its own: what it says, and the most memory that it held with all its children, in MB."""
    process = subprocess.Popen([sys.executable, __file__, "read", str(folder)], stdout=subprocess.PIPE, text=True)
    peak, over = 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.02):
            peak = max(peak, _resident(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        told, _ = process.communicate(timeout=900)
    finally:
        process.kill()
        over.set()
        watcher.join()
    assert process.returncode == 0
    return {**json.loads(told), "peak_mb": peak}


def _resident(pid: int) -> float:
    """Memory that a process and its children hold, in MB; what they share counts for each."""
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            total += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
            for thread in Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (thread / "children").read_text().split())
        except (OSError, IndexError):  # it has ended
            continue
    return total


def read(folder: Path) -> None:
    """Sum up the capture in a store, and say how long it took."""
    bucket = open_bucket(str(folder), "scones")
    begun = time.monotonic()
    summary = summarise_capture(bucket, "capture/scones", processes=CORES)
    seconds = time.monotonic() - begun
    assert len(summary.unsure) == 24
    assert all(one.picture for one in summary.unsure)
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    told = {"seconds": seconds, "cpu_seconds": cpu, "records": summary.records, "unreadable": summary.problems.lines}
    print(json.dumps(told))


if __name__ == "__main__":
    if sys.argv[1:2] == ["read"]:
        read(Path(sys.argv[2]))
    else:
        main()
