"""How soon the detector sees a drift, how often it alarms on healthy pictures, and what other detectors do.

Needs CIFAR-100 (SCONES_CIFAR100). The model is `drift_world.py`'s; what was chosen about the detector was chosen on
training pictures that the backbone never saw, with other classes than buses left out. Reference and streams are of the
test split, which nothing was fitted on: 5,900 pictures and the other 4,000. Streams draw from those 4,000 with
replacement, so a healthy stream's law is that of a sample of 4,000, which is itself a little off the reference's:
harder than the theorem assumes. The false alarms are counted over ten ways to part the pictures into reference and
pool. Each stream of a drift starts with 300 healthy pictures. The prior is that of a two-way task (animals and people,
or not), with a head of its own. Bursts and cycles: `drift_bursts.py`. Other detectors: `drift_peers.py`; with
`--no-peers` they are left out.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from drift_bursts import bursty
from drift_peers import peers
from drift_streams import BEFORE, Streams, alarms_at, drifting, summed_up
from drift_world import POOL, Measured, World, channels, concatenated, part
from harness import Claim, emit, progress
from numpy.typing import NDArray

from scones.intervals import share_interval
from scones.monitoring.drift.reference import DriftReference, fit_reference
from scones.monitoring.drift.sequential import Detector
from scones.monitoring.watch.why import responsible

WAYS, STREAMS, HEALTHY = 10, 30, 10_000
DELAYS, SHOWN, WATCHED = 200, 20, 1_500
TARGETS = {
    "black": 5, "noise": 5, "jpeg": 25, "rotation": 25, "blur": 25, "fog": 25, "dark": 25,
    "bus10": 350, "prior70": 350,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-peers", action="store_true", help="leave the other detectors out")
    with_peers = not parser.parse_args().no_peers
    started = time.monotonic()
    os.environ["OMP_NUM_THREADS"] = "1"  # of each worker, which are as many as there are cores
    rng = np.random.default_rng(1)
    world = World.made(Path(os.environ["SCONES_CIFAR100"]))
    measured = channels(world.measured)
    reference = fit_reference(part(measured, world.reference))
    accuracy = (world.measured["class"][world.known] == world.test.coarse[world.known]).mean()
    detail: dict[str, Any] = {
        "reference": len(world.reference), "pool": POOL, "accuracy": round(float(accuracy), 4),
        "channels": list(reference.channels),
    }  # fmt: skip
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as workers:
        progress(f"{WAYS * STREAMS} healthy streams …")
        jobs = [workers.submit(false_alarms, measured, rng.permutation(world.known), k) for k in range(WAYS)]
        alarms = sum(job.result() for job in jobs)
        claims = [Claim("pfa_10k", alarms / (WAYS * STREAMS), "share of streams", "<= 0.05")]
        interval = share_interval(alarms, WAYS * STREAMS)
        detail["false_alarms"] = {
            "streams": WAYS * STREAMS,
            "alarms": alarms,
            "interval": np.round(interval, 4).tolist(),
        }
        claim, detail["bursts"] = bursty(world, workers, rng)
        claims.append(claim)
        progress("drifts …")
        drifts = {name: streams(world, name, rng) for name in TARGETS}
        found = {name: workers.submit(alarms_at, *drift) for name, drift in drifts.items()}
        detail["delays"] = {name: summed_up(job.result()) for name, job in found.items()}
    for name, target in TARGETS.items():
        middle = detail["delays"][name]["median"]
        reason = "" if middle else "most streams raise no alarm in time"
        claims.append(Claim(f"delay_{name}", middle, "pictures", f"<= {target}", reason))
    detail["bus10"] = shown = buses(world, reference, rng)
    claims.append(Claim("bus_precision_at_50", shown["precision_at_50"], "share of pictures", ">= 0.9"))
    if with_peers:
        detail["peers"] = peers(world, {name: drift[1] for name, drift in drifts.items()}, rng)
    emit("drift", started, claims, detail)


def false_alarms(measured: Measured, rows: NDArray[np.int64], seed: int) -> int:
    """How many of some healthy streams alarm, with the pictures parted so into pool and reference."""
    reference = fit_reference(part(measured, rows[POOL:]))
    drawn = np.random.default_rng(seed).choice(rows[:POOL], (STREAMS, HEALTHY))
    return int(np.isfinite(alarms_at(reference, Streams.of(measured, drawn))).sum())


def streams(world: World, name: str, rng: np.random.Generator) -> tuple[DriftReference, Streams]:
    """Streams that drift, and their reference."""
    if name == "prior70":
        two = world.model.two_way(channels(world.measured))
        yes, no = (world.pool[world.animals[world.pool] == kind] for kind in (True, False))
        rows = drifting(rng, DELAYS, world.pool, no)
        later = rows[:, BEFORE:]
        more = rng.random(later.shape) < 0.7
        later[more] = rng.choice(yes, int(more.sum()))
        return fit_reference(part(channels(two), world.reference)), Streams.of(two, rows)
    usual = part(world.measured, world.pool)
    changed = {key: world.changed[name][key] for key in usual}
    rows = drifting(
        rng, DELAYS, np.arange(POOL), POOL + np.arange(len(changed["class"])), 0.1 if name == "bus10" else 1.0
    )
    return fit_reference(part(channels(world.measured), world.reference)), Streams.of(
        concatenated(usual, changed), rows
    )


def buses(world: World, reference: DriftReference, rng: np.random.Generator) -> dict[str, Any]:
    """Which channel tells of the buses, when it says they began, and how many of the pictures it shows are buses."""
    begun, precision, channels = [], [], []
    _, drawn = streams(world, "bus10", rng)
    healthy = world.measured["embedding"][world.reference[:1000]]
    for rows in drawn.rows[:SHOWN, :WATCHED]:
        detector = Detector(reference)
        places = detector.places(part(drawn.measured, rows))
        detector.add(places)
        alarm = detector.telling()[0]
        gains = detector.bets.logs(places[alarm.since :])[:, alarm.bet]
        found = alarm.since + responsible(drawn.measured["embedding"][rows[alarm.since :]], gains, healthy, 50)
        begun.append(alarm.since - BEFORE)
        precision.append(float((rows[found] >= POOL).mean()) if len(found) else 0.0)
        channels.append(alarm.channel)
    return {
        "precision_at_50": round(float(np.mean(precision)), 3), "worst": min(precision), "streams": SHOWN,
        "channels": dict(Counter(channels)), "begun_off_by": np.median(np.abs(begun)),
    }  # fmt: skip


if __name__ == "__main__":
    main()
