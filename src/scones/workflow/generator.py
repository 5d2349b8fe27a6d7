"""Make arrivals: test pictures, sent as drivers would."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from scones.contracts import Arrival, ManifestLine
from scones.errors import SourceEmpty
from scones.store import Bucket

if TYPE_CHECKING:
    from scones.staging import Dataset

__all__ = ["send_arrivals"]


def send_arrivals(
    bucket: Bucket,
    dataset: Dataset,
    *,
    task: str,
    depot: str,
    run: str,
    count: int,
    rate: float | None,
    seed: int,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Iterator[tuple[Arrival, ManifestLine]]:
    """Write test pictures under ``arrivals/``: one, a burst, or a stream at a rate.

    The test pictures come in a shuffled order, each once before any comes again. Only pictures of the
    manifest's test split are sent, never a file that happens to lie beside them.

    Args:
        bucket: where arrivals are watched.
        dataset: where the pictures come from.
        task: the arrivals' task.
        depot: the arrivals' depot.
        run: names this call; part of each arrival's id, so that two calls never collide.
        count: how many.
        rate: arrivals a second; None for as fast as they can be written.
        seed: of the order.
        clock: seconds, monotonic.
        sleep: waits for a number of seconds.

    Yields:
        Each arrival as soon as it is written, with the manifest's line of its picture (the truth).

    Raises:
        SourceEmpty: the dataset has no test pictures.
    """
    lines = [line for line in dataset.lines if line.split == "test"]
    if not lines:
        raise SourceEmpty(f"dataset {dataset.version} holds no test pictures to send: stage some")
    rng = random.Random(seed)
    order: list[ManifestLine] = []
    started = clock()
    for number in range(count):
        if rate is not None and (ahead := started + number / rate - clock()) > 0:
            sleep(ahead)
        if not order:
            order = rng.sample(lines, len(lines))
        line = order.pop()
        arrival = Arrival(task=task, depot=depot, driver_id=f"driver-{number:05d}", arrival_id=f"{run}-{number:05d}")
        bucket.put(arrival.key(line.source_ref.rsplit(".", 1)[-1]), dataset.read(line))
        yield arrival, line
