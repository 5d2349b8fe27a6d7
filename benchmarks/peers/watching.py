"""What the scripts share that show streams to another drift detector, each in an environment of its own.

A script is given an npz file: columns of M pictures, ``reference {column}``, and ``rows {stream}`` (n, T), which
pictures come in each of n streams, with ``before {stream}``, how many of them are healthy. It prints, by detector and
stream, after how many pictures each stream first alarmed behind those: null where it did not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

__all__ = ["Alarms", "chunks", "watch"]

Alarms = Callable[[dict[str, np.ndarray]], Iterator[int]]
"""Given the columns of a stream, says after how many pictures there are alarms, in order."""


def watch(make: Callable[[dict[str, np.ndarray]], dict[str, tuple[Alarms, int]]]) -> None:
    """Show all streams to detectors.

    Args:
        make: given the columns of the reference, the detectors by name, and how many streams each is shown of a kind.
    """
    with np.load(sys.argv[1], allow_pickle=False) as file:
        arrays = dict(file)
    reference = {name.removeprefix("reference "): arrays.pop(name) for name in list(arrays) if "reference " in name}
    rows = {name.removeprefix("rows "): arrays.pop(name) for name in list(arrays) if name.startswith("rows ")}
    before = {name: int(arrays.pop(f"before {name}")) for name in rows}
    kinds = {name: {column: arrays[f"{name} {column}"] for column in reference} for name in rows}
    told: dict[str, Any] = {}
    for detector, (alarms, most) in make(reference).items():
        told[detector] = {
            name: [first(alarms, columns, own, before[name]) for own in rows[name][:most]]
            for name, columns in kinds.items()
        }
    print(json.dumps(told))


def first(alarms: Alarms, columns: dict[str, np.ndarray], rows: np.ndarray, before: int) -> int | None:
    """After how many pictures a stream first alarms behind the healthy ones."""
    stream = {name: values[rows] for name, values in columns.items()}
    return next((at for at in alarms(stream) if at > before), None)


def chunks(stream: dict[str, np.ndarray], size: int) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Full chunks of a stream, with how many pictures are over at the end of each."""
    for end in range(size, len(next(iter(stream.values()))) + 1, size):
        yield end, {name: values[end - size : end] for name, values in stream.items()}
