"""An environment of its own for each peer of a benchmark."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from harness import progress

__all__ = ["install"]


def install(name: str, place: Path, wanted: str) -> str:
    """Make a peer's environment, unless it is there; answers why it cannot be, or nothing.

    Args:
        name: the peer's.
        place: its folder.
        wanted: what pip is to install, as in a file of requirements.
    """
    stamp = place / hashlib.sha256(wanted.encode()).hexdigest()[:16]
    if stamp.exists():
        return ""
    progress(f"installing {name} (once) …")
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    requirements = place / "requirements.txt"
    requirements.write_text(wanted)
    command = [str(place / "bin/python"), "-m", "pip", "install", "--quiet", "-r", str(requirements)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip says nothing"]
        return f"pip cannot install it: {errors[-1]}"
    stamp.touch()
    return ""
