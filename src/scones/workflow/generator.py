"""Make arrivals: test pictures, sent as drivers would."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scones.contracts import Arrival, ManifestLine
from scones.errors import SourceEmpty
from scones.store import Bucket
from scones.workflow.traffic import GARBAGE, Planned, Traffic, content

if TYPE_CHECKING:
    from scones.staging import Dataset

__all__ = ["Sender", "Sent", "pictures_to_send", "send_all"]

_WRITERS = 16
"""So many slow writes may be under way before an arrival is late because of them."""


@dataclass(frozen=True)
class Sent:
    """An arrival that was written.

    Attributes:
        planned: what it is.
        arrival, key: its name, and where it lies.
        late: seconds after it was due that its writing began.
        written: when it lay there, POSIX seconds.
    """

    planned: Planned
    arrival: Arrival
    key: str
    late: float
    written: float


@dataclass(frozen=True)
class Sender:
    """Writes arrivals when they are due.

    Attributes:
        bucket: where arrivals are watched.
        dataset: where the pictures come from.
        task, depot: the arrivals'.
        run: names this call; part of each arrival's id, so that two calls never collide.
        seed: of what is random in a picture's corruption.
        clock: seconds, monotonic.
        sleep: waits for a number of seconds; answers True where sending is to end at once.
        now: POSIX seconds.
    """

    bucket: Bucket
    dataset: Dataset
    task: str
    depot: str
    run: str
    seed: int
    clock: Callable[[], float]
    sleep: Callable[[float], bool | None]
    now: Callable[[], float]

    def warm_up(self, traffic: Traffic, line: ManifestLine) -> None:
        """Make a file of each kind once: what loads with the first makes no arrival late then; raises as deliver."""
        data = self.dataset.read(line)
        damaged = [Planned(0, 0.0, line, damage) for damage in traffic.damage if traffic.corrupt]
        garbage = [Planned(0, 0.0, line, garbage=kind) for kind in GARBAGE if traffic.garbage]
        for planned in [*damaged, *garbage]:
            content(planned, data, self.seed)

    def deliver(self, planned: Planned, started: float) -> Sent | None:
        """Make an arrival's file, wait until it is due, and write it; None where sending ended meanwhile.

        Args:
            planned: the arrival.
            started: what the clock said at the beginning.

        Raises:
            ObjectMissing: someone removed the picture.
            StoreError: the file cannot be written.
        """
        data, ending = content(planned, self.dataset.read(planned.line), self.seed)
        number = f"{planned.number:05d}"
        arrival = Arrival(
            task=self.task, depot=self.depot, driver_id=f"driver-{number}", arrival_id=f"{self.run}-{number}"
        )
        due = started + planned.due
        if (ahead := due - self.clock()) > 0 and self.sleep(ahead):
            return None
        late = max(0.0, self.clock() - due)
        key = arrival.key(ending)
        self.bucket.put(key, data)
        return Sent(planned, arrival, key, late, self.now())


def pictures_to_send(dataset: Dataset) -> Sequence[ManifestLine]:
    """The pictures of the manifest's test split; never a file that happens to lie beside them.

    Raises:
        SourceEmpty: there are none.
    """
    lines = [line for line in dataset.lines if line.split == "test"]
    if not lines:
        raise SourceEmpty(f"dataset {dataset.version} holds no test pictures to send: stage some")
    return lines


def send_all(
    sender: Sender,
    planned: Iterable[Planned],
    *,
    told: Callable[[Sent], None],
    stop: threading.Event,
    writers: int = _WRITERS,
) -> None:
    """Send arrivals, each when it is due: a slow write holds up no other, as long as fewer than ``writers`` are slow.

    Args:
        sender: writes them; its ``sleep`` is ``stop.wait``, so that ``stop`` ends it.
        planned: the arrivals, in the order in which they are due.
        told: called with each as soon as it is written, from several threads.
        stop: set it to end early; an error sets it.
        writers: threads that make and write files.

    Raises:
        SconesError: the first that a write raised; no more is sent then.
    """
    left, lock, started = iter(planned), threading.Lock(), sender.clock()

    def work() -> None:
        try:
            while not stop.is_set():
                with lock:
                    one = next(left, None)
                if one is None or (sent := sender.deliver(one, started)) is None:
                    return
                told(sent)
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(writers) as pool:
        try:
            for writer in [pool.submit(work) for _ in range(writers)]:
                writer.result()
        except BaseException:  # an error, or Ctrl+C
            stop.set()
            raise
