"""What a flood of requests does to those that are accepted.

At capacity is the endpoint that 64 callers wait at, each of which asks again as soon as it is answered: it is never
idle, and refuses hardly anybody (callers are dealt out by chance, and a worker may get more than it keeps). What it
answers a second then is its capacity. Four times as many requests come at random times, as those of many independent
callers. What is refused with 503 is done with; all others must be answered, and about as soon as at capacity: the claim
is the ratio of the two p99, in turn, the median of all rounds. Told besides: the same for requests that come at random
times just as often as the endpoint can answer, where the queue is now full and now empty. The pictures take long to
decode for their size, so that sending them takes little of the cores.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from endpoint_process import Served, serve, train
from harness import Claim, emit, progress

from scones.loadtest import Generator, Load, Sample, Step, ask_once, encode_request, find_target

TIMES = 4.0
CALLERS = 64
MOST = 1024
"""Requests in the air at once, at most: what is more waits at the generator, and its wait counts."""
SETTLE = 1.0
SIDE = 400


def pictures(number: int = 16) -> list[Sample]:
    """PNGs of large soft shapes: a few kilobytes each."""
    found = []
    for seed in range(number):
        shapes = PIL.Image.fromarray(np.random.default_rng(seed).integers(0, 255, (3, 4, 3), dtype=np.uint8))
        soft = shapes.resize((SIDE, SIDE), PIL.Image.Resampling.BICUBIC).quantize(32)
        data = io.BytesIO()
        soft.convert("RGB").save(data, "PNG")
        found.append(Sample(f"{seed}", data.getvalue(), "image/png"))
    return found


def measured(served: Served, samples: list[Sample], rounds: int, seconds: float) -> dict[str, Any]:
    """Callers that wait, requests at capacity, and four times as many, in turn."""
    target = find_target(served.url)
    ask_once(target, samples)
    waiting: list[Step] = []
    random: list[Step] = []
    over: list[Step] = []
    with Generator(target, [encode_request(target, sample) for sample in samples]) as generator:
        for number in range(rounds):
            waiting.append(generator.send(Load(seconds, CALLERS, settle=SETTLE)))
            capacity = statistics.median(step.throughput for step in waiting)
            for times, steps in ((1.0, random), (TIMES, over)):
                load = Load(seconds, MOST, rate=times * capacity, settle=SETTLE, timeout=30, seed=number)
                steps.append(generator.send(load))
                progress(f"{times} times {capacity:,.0f}/s: {said(steps[-1])}")
    return {
        "capacity": round(capacity, 1),
        "ratios": [round(p99(high) / p99(low), 3) for low, high in zip(waiting, over, strict=True)],
        "ratios_to_random_arrivals": [round(p99(high) / p99(low), 3) for low, high in zip(random, over, strict=True)],
        "dropped": sum(step.failed for step in waiting + random + over),
        "waiting_callers": [step.to_json() for step in waiting],
        "random_arrivals": [step.to_json() for step in random],
        "four_times": [step.to_json() for step in over],
    }


def p99(step: Step) -> float:
    """Of the accepted, milliseconds."""
    assert step.latency is not None, step
    return step.latency.p99


def said(step: Step) -> str:
    """A step in a line."""
    refused = f"{step.refused:,} refused within {step.refusal.p99:.1f} ms" if step.refusal else "none refused"
    return f"{step.throughput:,.0f}/s answered, p99 {p99(step):.1f} ms, {refused}, {step.failed} failed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of each load  [5]")
    parser.add_argument("--seconds", type=float, default=10.0, help="a load  [10]")
    parser.add_argument("--model", type=Path, help="a model.tar.gz  [one that is trained for it]")
    given = parser.parse_args()
    started = time.monotonic()
    samples = pictures()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model = given.model.absolute() if given.model else train(folder)
        with serve(folder, "--model", str(model), "--no-capture") as (served, _):
            found = measured(served, samples, given.rounds, given.seconds)
    claims = [
        Claim("p99_ratio_at_4x", round(statistics.median(found["ratios"]), 3), "ratio", "<= 2"),
        Claim("accepted_dropped", found["dropped"], "requests", "<= 0"),
    ]
    sent = {"pictures": len(samples), "mean_bytes": round(statistics.mean(len(one.data) for one in samples))}
    emit("overload", started, claims, sent | found)


if __name__ == "__main__":
    main()
