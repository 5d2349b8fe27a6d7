"""Healthy streams with bursts, duplicates, day and night: the detector as it is, and with what is meant for them.

A day is 600 arrivals, the pictures of which are made as dark as it is at that time. The reference went through days as
well. A quarter of the arrivals come 2 to 20 times in a row, and 3 % come again later, byte for byte. The variant takes
the first of each, and compares a picture with those of its hour: within it the light still changes, so that what is
assumed holds only nearly.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from drift_streams import BEFORE, LONGEST, Streams, alarms_at, summed_up
from drift_world import DAMAGES, POOL, Measured, World, channels, concatenated, part
from harness import Claim, progress
from numpy.typing import NDArray

from scones.intervals import share_interval
from scones.monitoring.drift.blocks import first_of_each, phases
from scones.monitoring.drift.reference import DriftReference, fit_reference

__all__ = ["bursty"]

HOURS, IN_HOUR = 24, 25
"""Hours of a day, which are the phases that the variant tells apart, and arrivals in each."""
SEEN: Final = 3
"""At how many times of the day each picture was taken."""
BURST, LONGEST_BURST, AGAIN, WITHIN = 0.25, 20, 0.03, 300
WAYS, STREAMS, HEALTHY, DELAYS, CHANGED = 10, 8, 10_000, 60, 1_500
DAY: Final = 86_400.0


@dataclass(frozen=True)
class Lit:
    """Test pictures by the light of some time of the day.

    Attributes:
        measured: them.
        picture: (M,), row of the test split.
        time: (M,), seconds since midnight.
    """

    measured: Measured
    picture: NDArray[np.int64]
    time: NDArray[np.float64]

    @property
    def hour(self) -> NDArray[np.int64]:
        """The phase, (M,)."""
        return phases(self.time, DAY, HOURS)


def bursty(world: World, workers: Executor, rng: np.random.Generator) -> tuple[Claim, dict[str, Any]]:
    """The claim, and the figures behind it."""
    progress(f"measuring test pictures by the light of {SEEN} times of the day …")
    lit = lit_pictures(world, rng)
    progress("healthy streams with bursts, duplicates, day and night …")
    jobs = []
    for _ in range(WAYS):
        shuffled = rng.permutation(world.known)
        jobs.append(workers.submit(healthy, lit, shuffled[:POOL], shuffled[POOL:], int(rng.integers(2**32))))
    alarms: dict[str, list[NDArray[np.float64]]] = {}
    for job in jobs:
        for name, found in job.result().items():
            alarms.setdefault(name, []).append(found)
    told = {name: figures(np.concatenate(found)) for name, found in alarms.items()}
    held = [told[name] for name in told if name.endswith("variant")]
    share = sum(one["alarms"] for one in held) / sum(one["streams"] for one in held)
    progress(f"  {told}")
    claim = Claim("pfa_10k_bursty", share, "share of streams", "<= 0.05")
    return claim, {"false_alarms": told, "delays_by_day_and_night": delays(world, lit, workers, rng)}


def darkened(images: NDArray[np.uint8], time: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Pictures by the light of a time of the day: 0.4 at midnight to 1 at noon."""
    light = 0.7 - 0.3 * np.cos(time * 2 * np.pi / DAY)
    return np.round(images * light[:, None, None, None]).astype(np.uint8)


def lit_pictures(world: World, rng: np.random.Generator) -> Lit:
    """Each picture that is no bus, at some times of the day, that are as far from each other as can be."""
    picture, first = np.tile(world.known, SEEN), rng.permutation(len(world.known)) / len(world.known) * DAY
    time = np.concatenate([(first + k * DAY / SEEN) % DAY for k in range(SEEN)])
    return Lit(channels(world.model.measure("lit", darkened(world.test.images[picture], time))), picture, time)


def healthy(lit: Lit, pool: NDArray[np.int64], kept: NDArray[np.int64], seed: int) -> dict[str, NDArray[np.float64]]:
    """When healthy streams alarm, by what they hold and who watches; the reference has each of its pictures once."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(np.flatnonzero(np.isin(lit.picture, kept)))
    rows = rows[np.unique(lit.picture[rows], return_index=True)[1]]
    some_of = part(lit.measured, rows)
    plain, phased = fit_reference(some_of), fit_reference(some_of, phase=lit.hour[rows])
    some = np.flatnonzero(np.isin(lit.picture, pool))
    found = {}
    for name in ("bursts", "days", "both"):
        arrivals = [
            rng.permutation(some)[:HEALTHY] if name == "bursts" else by_day(rng, some, lit, HEALTHY)
            for _ in range(STREAMS)
        ]
        raw = arrivals if name == "days" else [repeated(rng, one) for one in arrivals]
        found[f"{name}, plain"] = when(plain, lit, [stream[:HEALTHY] for stream in raw], phased=False)
        firsts = [stream[first_of_each(stream.tolist())] for stream in raw]
        found[f"{name}, variant"] = when(plain if name == "bursts" else phased, lit, firsts, phased=name != "bursts")
    return found


def when(reference: DriftReference, lit: Lit, streams: list[NDArray[np.int64]], *, phased: bool) -> NDArray[np.float64]:
    """When each of the streams alarms; all are cut to the shortest."""
    length = min(map(len, streams))
    rows = np.stack([one[:length] for one in streams])
    return alarms_at(reference, Streams(lit.measured, rows, lit.hour), phased=phased)


def by_day(rng: np.random.Generator, rows: NDArray[np.int64], lit: Lit, count: int) -> NDArray[np.int64]:
    """Arrivals in order of time, from a random hour on; none twice, as long as there are others."""
    now, hour = hours(rng, count), lit.hour[rows]
    found = np.empty(count, np.int64)
    for one in range(HOURS):
        at = np.flatnonzero(now == one)
        found[at] = np.resize(rng.permutation(rows[hour == one]), len(at))
    return in_order(found, lit.time)


def hours(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """The hours of arrivals, from a random one on."""
    return (rng.integers(HOURS) + np.arange(count) // IN_HOUR) % HOURS


def in_order(rows: NDArray[np.int64], time: NDArray[np.float64]) -> NDArray[np.int64]:
    """Arrivals of whole hours, in order of time within each."""
    return rows[np.lexsort((time[rows], np.arange(len(rows)) // IN_HOUR))]


def repeated(rng: np.random.Generator, arrivals: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same with bursts, and some that come again later."""
    times = np.where(rng.random(len(arrivals)) < BURST, rng.integers(2, LONGEST_BURST + 1, len(arrivals)), 1)
    again = np.flatnonzero(rng.random(len(arrivals)) < AGAIN)
    place = np.concatenate([np.arange(len(arrivals)), again + rng.integers(1, WITHIN, len(again)) + 0.5])
    order = np.argsort(place, kind="stable")
    everything, many = np.concatenate([arrivals, arrivals[again]]), np.concatenate([times, np.ones(len(again), int)])
    return np.repeat(everything[order], many[order])


def figures(found: NDArray[np.float64]) -> dict[str, Any]:
    """How many streams alarmed."""
    alarms = int(np.isfinite(found).sum())
    low, high = share_interval(alarms, len(found))
    return {"streams": len(found), "alarms": alarms, "interval": [round(low, 4), round(high, 4)]}


def delays(world: World, lit: Lit, workers: Executor, rng: np.random.Generator) -> dict[str, Any]:
    """What the variant costs: delays by day and night, in pictures that are no duplicates."""
    kept = np.flatnonzero(np.isin(lit.picture, world.reference) & (np.arange(len(lit.picture)) < len(world.known)))
    usual = np.flatnonzero(np.isin(lit.picture, world.pool))
    reference = fit_reference(part(lit.measured, kept), phase=lit.hour[kept])
    some = rng.choice(usual, CHANGED, replace=False)
    images = darkened(world.test.images[lit.picture[some]], lit.time[some])
    sources = {name: (damage(images, rng), lit.time[some], 1.0) for name, damage in DAMAGES.items()}
    time = (np.arange(HOURS).repeat(len(world.buses)) + rng.random(HOURS * len(world.buses))) / HOURS * DAY
    sources["bus10"] = (darkened(np.concatenate([world.buses] * HOURS), time), time, 0.1)
    jobs = {}
    for name, (pictures, when_taken, share) in sources.items():
        measured = channels(world.model.measure(f"lit-{name}", pictures))
        changed = Lit(measured, np.zeros(len(pictures), np.int64), when_taken)
        jobs[name] = workers.submit(delay, reference, lit, usual, changed, share, int(rng.integers(2**32)))
    return {name: job.result() for name, job in jobs.items()}


def delay(
    reference: DriftReference, lit: Lit, usual: NDArray[np.int64], changed: Lit, share: float, seed: int
) -> dict[str, Any]:
    """Delays of streams that begin at any time of the day."""
    rng = np.random.default_rng(seed)
    time, own = np.concatenate([lit.time, changed.time]), np.arange(len(changed.time)) + len(lit.time)
    hour, streams = phases(time, DAY, HOURS), []
    for _ in range(DELAYS):
        now = hours(rng, BEFORE + LONGEST)
        drift = (rng.random(len(now)) < share) & (np.arange(len(now)) >= BEFORE)
        rows = np.empty(len(now), np.int64)
        for one in range(HOURS):
            for new, source in ((False, usual), (True, own)):
                at = np.flatnonzero((now == one) & (drift == new))
                rows[at] = rng.choice(source[hour[source] == one], len(at))
        streams.append(in_order(rows, time))
    both = Streams(concatenated(lit.measured, changed.measured), np.stack(streams), hour)
    return summed_up(alarms_at(reference, both, phased=True))
