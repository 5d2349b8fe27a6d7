"""What all benchmarks share: progress on stderr, one JSON object on stdout."""

from __future__ import annotations

import json
import operator
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_COMPARE: dict[str, Callable[[float, float], bool]] = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True)
class Claim:
    """A figure and what it should be.

    Attributes:
        name: as the issue or the documentation names it.
        value: the measured figure; None when it could not be measured, and ``reason`` says why.
        unit: of value and target.
        target: as "<= 180" or ">= 0.9".
    """

    name: str
    value: float | None
    unit: str
    target: str
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """The claim with its verdict; the reason only where there is one."""
        sign, number = self.target.split()
        holds = None if self.value is None else _COMPARE[sign](self.value, float(number))
        fields = asdict(self)
        if not self.reason:
            del fields["reason"]
        return {**fields, "holds": holds}


def progress(text: str) -> None:
    """Say what is going on."""
    print(text, file=sys.stderr, flush=True)


def emit(benchmark: str, started: float, claims: list[Claim], detail: dict[str, Any]) -> None:
    """Print the result.

    Args:
        benchmark: its name.
        started: ``time.monotonic()`` at its start.
        claims: the figures.
        detail: whatever stands behind them.
    """
    result = {
        "benchmark": benchmark,
        "machine": _machine(),
        "seconds": round(time.monotonic() - started, 1),
        "claims": [claim.to_json() for claim in claims],
        "detail": detail,
    }
    print(json.dumps(result, indent=1))


def _machine() -> dict[str, Any]:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return {"cpu": model, "cores": os.cpu_count(), "system": platform.system(), "python": platform.python_version()}
