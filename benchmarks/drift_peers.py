"""Other drift detectors on the same streams: evidently, NannyML, Frouros and River, each as its documentation sets it.

Each runs in an environment of its own, which pip makes when it is first asked for and which is kept under
``.scones/peers`` (set SCONES_BENCH_PEERS for another place). None of them states a bound on false alarms over a stream.
What was left out: evidently's drift of embeddings, which bootstraps a classifier and takes more than a minute for each
500 pictures; Frouros's MMD, which gives a distance and no decision; its BOCD, whose time for a picture grows with the
stream.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from drift_streams import BEFORE, LONGEST, Streams
from drift_world import Measured, World, part
from harness import progress
from numpy.typing import NDArray
from peer_environments import install

__all__ = ["peers"]

SCRIPTS = Path(__file__).parent / "peers"
HOME = Path(os.environ.get("SCONES_BENCH_PEERS", ".scones/peers"))
NAMES: Final = ("evidently", "nannyml", "frouros", "river")
COLUMNS: Final = ("brightness", "contrast", "sharpness", "class", "probabilities", "embedding")
STREAMS, HEALTHY, LIMIT = 30, 10_000, 600
ALONE: Final = {"OMP_NUM_THREADS": "1", "NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}
"""A core each, and nobody is told that they run."""


def peers(world: World, drifts: Mapping[str, Streams], rng: np.random.Generator) -> dict[str, Any]:
    """By peer and detector, how many healthy streams of 10,000 pictures alarm, and the median delays.

    A delay is counted from the first picture that drifted, whatever alarms there were before. Or why there are none.

    Args:
        world: whose healthy pictures they are shown.
        drifts: streams of each drift.
        rng: draws the healthy streams.
    """
    rows = rng.choice(world.pool, (STREAMS, HEALTHY))
    arrays = {f"reference {name}": values for name, values in columns(part(world.measured, world.reference)).items()}
    arrays["reference truth"] = world.test.coarse[world.reference]
    kinds = {"healthy": Streams.of(world.measured, rows), **drifts}
    for name, streams in kinds.items():
        # one model for all: a two-way head's answers would be another one's
        measured = world.measured if name == "prior70" else streams.measured
        arrays |= {f"{name} {column}": values for column, values in columns(measured).items()}
        arrays[f"{name} truth"] = np.zeros(len(measured["class"]), np.int64)
        arrays[f"rows {name}"] = streams.rows[:STREAMS]
        arrays[f"before {name}"] = np.array(0 if name == "healthy" else BEFORE)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        file = Path(folder) / "streams.npz"
        np.savez(file, allow_pickle=False, **arrays)
        return dict(zip(NAMES, pool.map(lambda name: shown(name, file), NAMES), strict=True))


def columns(measured: Measured) -> Measured:
    """What the peers look at."""
    return {**{name: measured[name] for name in COLUMNS}, "confidence": measured["probabilities"].max(1)}


def shown(name: str, file: Path) -> dict[str, Any]:
    """What a peer makes of the streams."""
    place = (HOME / name).absolute()
    if reason := install(name, place, (SCRIPTS / f"{name}.txt").read_text()):
        return {"skipped": reason}
    progress(f"{name} …")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    try:
        done = subprocess.run(
            [str(place / "bin/python"), str(SCRIPTS / f"watch_{name}.py"), str(file)],
            check=False, capture_output=True, text=True, timeout=LIMIT, env={**environment, **ALONE},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"skipped": f"it is not done after {LIMIT} s"}
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it says nothing"]
        return {"skipped": f"it ends with {done.returncode}: {said[-1]}"}
    return {detector: summed_up(found) for detector, found in json.loads(done.stdout).items()}


def summed_up(found: dict[str, list[int | None]]) -> dict[str, Any]:
    """Of a detector: how many healthy streams alarm, and the median delays; null where most streams never alarm."""
    healthy = found.pop("healthy")
    told: dict[str, Any] = {
        "healthy_alarmed": sum(at is not None for at in healthy), "healthy_streams": len(healthy), "delays": {},
    }  # fmt: skip
    for name, alarms in found.items():
        delays: NDArray[np.float64] = np.array([np.inf if at is None else at - BEFORE for at in alarms])
        middle = float(np.quantile(delays, 0.5, method="lower"))
        told["delays"][name] = middle if middle <= LONGEST else None
    return told
