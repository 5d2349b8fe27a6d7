"""The floor under every server: decode, resize and infer the same pictures in so many processes, without any HTTP.

As a script: `serving_floor.py MODEL PROCESSES SECONDS BATCH` prints pictures a second, the median of a batch in
milliseconds, and what a picture takes of the processor. Each process works on one core.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import sys
import time
from typing import Any


def work(model: str, seconds: float, batch: int, ready: Any, start: Any, told: Any) -> None:
    """One process."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    import numpy as np

    from scones.classifier import Classifier
    from scones.loadtest import drawn_samples
    from scones.picture import model_input

    classifier = Classifier.load(model)
    size = classifier.info.input_size
    pictures = [sample.data for sample in drawn_samples()]

    def answer(place: int) -> list[list[float]]:
        some = [pictures[(place + number) % len(pictures)] for number in range(batch)]
        found: list[list[float]] = classifier.predict(np.stack([model_input(each, size) for each in some]))[0].tolist()
        return found

    for place in range(20):
        answer(place)
    ready.put("ready")
    start.wait()
    done, took, worked = 0, [], time.process_time()
    end = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end:
        answer(done)
        done += batch
        took.append(1000 * (time.perf_counter() - begun))
    told.put((done / seconds, statistics.median(took), 1e6 * (time.process_time() - worked) / done))


def main() -> None:
    model, processes, seconds, batch = sys.argv[1:]
    ready: Any = multiprocessing.Queue()
    told: Any = multiprocessing.Queue()
    start = multiprocessing.Event()
    given = (model, float(seconds), int(batch), ready, start, told)
    workers = [multiprocessing.Process(target=work, args=given) for _ in range(int(processes))]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.get()
    start.set()
    a_second, median_ms, worked = zip(*[told.get() for _ in workers], strict=True)
    for worker in workers:
        worker.join()
    print(
        json.dumps(
            {
                "a_second": round(sum(a_second), 1),
                "p50_ms": round(statistics.median(median_ms), 3),
                "cpu_us": round(statistics.mean(worked), 1),
            }
        )
    )


if __name__ == "__main__":
    main()
