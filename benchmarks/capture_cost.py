"""What data capture costs: the same endpoint with every request and answer recorded, and without, in turn.

Both run all the while; only one is asked at a time. The cost is the share of the throughput that capture takes, the
median of all rounds; told besides: processor time for an answer, and whether every answer was recorded.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from endpoint_process import Served, serve, train
from harness import Claim, emit, progress

from scones.capture import read_capture
from scones.loadtest import Generator, Load, drawn_samples, encode_request, find_target
from scones.store import open_bucket

CALLERS = 64


def asked(served: Served, generator: Generator, seconds: float) -> dict[str, float]:
    """Answers a second, how many, and milliseconds of the processor for each."""
    before = served.cpu_seconds()
    step = generator.send(Load(seconds, CALLERS))
    assert step.clean, step
    answers = step.statuses[200]
    cpu = 1000 * (served.cpu_seconds() - before) / answers
    return {"a_second": round(step.throughput, 1), "answers": answers, "cpu_ms": round(cpu, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11, help="of both  [11]")
    parser.add_argument("--seconds", type=float, default=4.0, help="asking each  [4]")
    parser.add_argument("--model", type=Path, help="a model.tar.gz  [one that is trained for it]")
    given = parser.parse_args()
    started = time.monotonic()
    rounds: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model = str(given.model.absolute() if given.model else train(folder))
        fixed = ("--model", model, "--max-queue", "128")
        with ExitStack() as stack:
            plain, _ = stack.enter_context(serve(folder, *fixed, "--no-capture"))
            capturing, _ = stack.enter_context(serve(folder, *fixed, "--capture-prefix", "seen"))
            made, answered = {}, 0
            for name, served in (("without", plain), ("with", capturing)):
                target = find_target(served.url)
                requests = [encode_request(target, sample) for sample in drawn_samples()]
                made[name] = (served, stack.enter_context(Generator(target, requests)))
            for number in range(given.rounds + 1):
                order = ("without", "with") if number % 2 else ("with", "without")
                found: dict[str, Any] = {name: asked(*made[name], given.seconds) for name in order}
                answered += found["with"]["answers"]
                if number:  # the first round warms both up
                    rounds.append(found | {"cost": 1 - found["with"]["a_second"] / found["without"]["a_second"]})
                    progress(f"round {number}: {found['without']}, {found['with']} with capture")
        bucket = open_bucket(str(folder / ".scones/store"), "scones")
        recorded = sum(1 for _ in read_capture(bucket, "seen"))
    cost = statistics.median(one["cost"] for one in rounds)
    cpu = statistics.median(one["with"]["cpu_ms"] / one["without"]["cpu_ms"] - 1 for one in rounds)
    claims = [
        Claim("throughput_cost", round(cost, 4), "share", "<= 0.05"),
        Claim("capture_lost", answered - recorded, "records", "<= 0"),
    ]
    emit("capture_cost", started, claims, {"cpu_cost": round(cpu, 4), "callers": CALLERS, "rounds": rounds})


if __name__ == "__main__":
    main()
