"""The functions' packages: how large they are, and how long importing a handler from one takes.

Each is built for this machine and this Python, unpacked, and its handler imported by fresh processes that see nothing
but the standard library and the package; a bare start of the interpreter, measured in turn with it, is taken off.
`--rounds` says how many starts of each.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from harness import Claim, emit, progress

from scones.aws.packages import Package, Target, build_packages

WHEELS = Path(".scones/aws/wheels")
HERE = Target(
    python=".".join(platform.python_version_tuple()[:2]),
    architecture="arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64",
)
DEPLOYED = Target()
MB = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21, help="starts of each  [21]")
    rounds = parser.parse_args().rounds
    started = time.monotonic()
    claims: list[Claim] = []
    detail: dict[str, Any] = {"rounds": rounds}
    with tempfile.TemporaryDirectory() as scratch:
        deployed = {package.function: package for package in build(DEPLOYED, Path(scratch, "deployed"))}
        for package in build(HERE, Path(scratch, "here")):
            name = package.function
            compiled = unpack(package, Path(scratch, name))
            sources = unpack(package, Path(scratch, f"{name}-sources"), code=False)
            starts = {"bare": compiled, "compiled": compiled, "sources_only": sources}
            wall, cpu = take_turns(name, starts, rounds)
            size = round(package.path.stat().st_size / MB, 2)
            claims += [
                Claim(f"import_ms_{name}", over_bare(wall)["compiled"], "ms", "<= 250"),
                Claim(f"zip_mb_{name}", size, "MB", "<= 50"),
            ]
            detail[name] = {
                "import_ms": over_bare(wall),
                "import_cpu_ms": over_bare(cpu),
                "bare_start_ms": round(statistics.median(wall["bare"]), 1),
                "quarters_ms": {kind: [round(value, 1) for value in statistics.quantiles(wall[kind])] for kind in wall},
                "zip_mb_deployed": round(deployed[name].path.stat().st_size / MB, 2),
                "deployed_compiled": deployed[name].compiled,
            }
            progress(f"{name}: {size} MB, {over_bare(wall)}")
    emit("coldstart", started, claims, detail | {"here": vars(HERE), "deployed": vars(DEPLOYED)})


def build(target: Target, folder: Path) -> list[Package]:
    """The packages, of wheels that are kept."""
    progress(f"building packages for Python {target.python} on {target.architecture}")
    WHEELS.mkdir(parents=True, exist_ok=True)
    folder.mkdir()
    (folder / "wheels").symlink_to(WHEELS.absolute())
    return build_packages(target, folder)


def unpack(package: Package, folder: Path, *, code: bool = True) -> Path:
    """A package's files, with or without byte code."""
    with zipfile.ZipFile(package.path) as packed:
        packed.extractall(folder, [name for name in packed.namelist() if code or not name.endswith(".pyc")])
    return folder


Times = dict[str, list[float]]
"""Milliseconds of each kind of start."""


def take_turns(function: str, starts: dict[str, Path], rounds: int) -> tuple[Times, Times]:
    """Each start in turn, so that what slows the machine down slows all; a first round warms it up.

    Returns:
        What they took, and what of it the processor worked: the second hardly heeds what else runs.
    """
    wall: Times = {kind: [] for kind in starts}
    cpu: Times = {kind: [] for kind in starts}
    for number in range(rounds + 1):
        for kind, folder in starts.items():
            work = "" if kind == "bare" else f"import scones.functions.{function}"
            took, worked = start(f"import sys; sys.path.insert(0, {str(folder)!r}); {work}")
            if number:
                wall[kind].append(took)
                cpu[kind].append(worked)
    return wall, cpu


def start(code: str) -> tuple[float, float]:
    """A fresh interpreter that sees the standard library alone and keeps no byte code: milliseconds, of the CPU too."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-I", "-S", "-B", "-c", code], check=True, cwd=os.sep)
    took, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * took, 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def over_bare(found: Times) -> dict[str, float]:
    """The medians, less that of a bare start."""
    bare = statistics.median(found["bare"])
    return {kind: round(statistics.median(found[kind]) - bare, 1) for kind in ("compiled", "sources_only")}


if __name__ == "__main__":
    main()
