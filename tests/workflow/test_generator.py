"""Test pictures, sent as drivers would arrive."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scones.errors import ObjectMissing, SourceEmpty
from scones.staging import Dataset, SourcePicture, write_dataset
from scones.store import Bucket, open_bucket
from scones.task import load_task
from scones.workflow.arrivals import find_arrivals
from scones.workflow.generator import Sender, Sent, pictures_to_send, send_all
from scones.workflow.schedule import Schedule
from scones.workflow.traffic import Traffic, parse_damage, plan


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Stopped(Clock):
    """Whoever sleeps is told that sending is to end."""

    def sleep(self, seconds: float) -> bool:  # type: ignore[override]
        return True


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path), "scones")


@pytest.fixture
def dataset(bucket: Bucket, png_bytes: Callable[..., bytes]) -> Dataset:
    pictures = [
        SourcePicture(
            origin=f"{label}-{shade}",
            label=label,
            data=png_bytes((shade, 200 * (label == "bicycle"), shade // 2)),
            split="test" if shade % 3 == 0 else "train",
        )
        for label in ("bicycle", "motorcycle")
        for shade in range(0, 240, 8)
    ]
    return write_dataset(bucket, load_task("vehicles"), pictures, source={"kind": "test"})


def sender(bucket: Bucket, dataset: Dataset, clock: Any = None, run: str = "t") -> Sender:
    clock = clock or Clock()
    return Sender(bucket, dataset, "vehicles", "main", run, 3, clock, clock.sleep, lambda: 1e9 + clock())


def send_at_once(sending: Sender, dataset: Dataset, count: int, traffic: Traffic, **options: Any) -> list[Sent]:
    sent: list[Sent] = []
    planned = plan(pictures_to_send(dataset), traffic, Schedule(count=count).dues(), 3)
    options = {"stop": threading.Event(), **options}
    send_all(sending, planned, told=sent.append, **options)
    return sorted(sent, key=lambda one: one.planned.number)


def test_what_is_sent_are_the_test_pictures_and_nothing_that_lies_beside_them(bucket: Bucket, dataset: Dataset) -> None:
    # others drew from a listing of the folder, and sent test.lst to the classifier
    sent = send_at_once(sender(bucket, dataset), dataset, 30, Traffic())
    assert find_arrivals(bucket) == list(bucket.list("arrivals")) == sorted(one.key for one in sent)
    assert {one.planned.line for one in sent} == {line for line in dataset.lines if line.split == "test"}


def test_a_dataset_without_test_pictures_is_told(bucket: Bucket, png_bytes: Callable[..., bytes]) -> None:
    pictures = [
        SourcePicture(origin=f"{label}{n}", label=label, data=png_bytes((n, 60 * k, 9)), split="train")
        for k, label in enumerate(("bicycle", "motorcycle"))
        for n in range(0, 250, 10)
    ]
    dataset = write_dataset(bucket, load_task("vehicles"), pictures, source={"kind": "test"})
    with pytest.raises(SourceEmpty, match="no test pictures"):
        pictures_to_send(dataset)


def files(bucket: Bucket) -> dict[str, bytes]:
    return {key: bucket.get(key) for key in bucket.list("arrivals")}


def test_the_same_seed_and_options_write_the_same_files_under_names_of_their_own(
    tmp_path: Path, dataset: Dataset
) -> None:
    traffic = Traffic({"bicycle": 3.0, "motorcycle": 1.0}, parse_damage(None), 0.5, 0.2, 0.2)
    written = []
    for run in ("one", "two"):
        place = open_bucket(str(tmp_path / run), "scones")
        send_at_once(sender(place, dataset, run=run), dataset, 60, traffic)
        written.append(files(place))
    one, two = written
    assert not one.keys() & two.keys()
    assert {key.replace("/one-", "/two-"): data for key, data in one.items()} == two


def test_a_duplicate_is_the_same_file_under_the_same_key(bucket: Bucket, dataset: Dataset) -> None:
    sent = send_at_once(sender(bucket, dataset), dataset, 80, Traffic(duplicate=0.4))
    again = [one for one in sent if one.planned.again]
    assert 20 < len(again) < 45
    assert len(sent) == 80
    assert len(files(bucket)) == 80 - len(again)
    assert {one.key for one in again} <= {one.key for one in sent if not one.planned.again}


def test_an_arrival_is_due_at_its_time_whatever_the_one_before_it_took(bucket: Bucket, dataset: Dataset) -> None:
    clock = Clock()
    sending = sender(bucket, dataset, clock)
    planned = plan(pictures_to_send(dataset), Traffic(), Schedule(count=5, rate=1.0).dues(), 0)
    sent = []
    for one in planned:
        sent.append(sending.deliver(one, started=100.0))
        clock.now += 2.5 if one.number == 1 else 0.0
    assert all(sent)
    assert [one.late for one in sent if one] == [0.0, 0.0, 1.5, 0.5, 0.0], "it catches up, and says how late it was"
    assert [one.written - 1e9 for one in sent if one] == [100.0, 101.0, 103.5, 103.5, 104.0]


class Slow(Bucket):
    """A store in which the first write hangs until it is let go."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket.name, bucket._store, bucket.folder)
        self.let_go = threading.Event()

    def put(self, key: str, data: bytes) -> None:
        if "00000" in key:
            assert self.let_go.wait(60)
        super().put(key, data)


def test_a_write_that_hangs_holds_up_no_other(bucket: Bucket, dataset: Dataset) -> None:
    slow, numbers = Slow(bucket), list[int]()

    def told(sent: Sent) -> None:
        numbers.append(sent.planned.number)
        if len(numbers) == 9:
            slow.let_go.set()

    planned = plan(pictures_to_send(dataset), Traffic(), Schedule(count=10).dues(), 0)
    send_all(sender(slow, dataset), planned, told=told, stop=threading.Event(), writers=2)
    assert numbers == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


def test_an_error_ends_the_sending_at_once_and_is_told(bucket: Bucket, dataset: Dataset) -> None:
    lines = pictures_to_send(dataset)
    bucket.delete(dataset.key(lines[5]))
    stop = threading.Event()
    sending = Sender(bucket, dataset, "vehicles", "main", "t", 0, time.monotonic, stop.wait, time.time)
    planned = plan(lines, Traffic(), Schedule(count=1000, rate=1.0).dues(), 0)
    with pytest.raises(ObjectMissing, match="stage"):
        send_all(sending, planned, told=lambda _: None, stop=stop, writers=len(lines))
    assert stop.is_set(), "who waited for the time of a later one did not wait on"


def test_sending_that_was_stopped_writes_nothing_more(bucket: Bucket, dataset: Dataset) -> None:
    planned = plan(pictures_to_send(dataset), Traffic(), Schedule(count=9, rate=1.0).dues(), 0)
    sent: list[Sent] = []
    send_all(sender(bucket, dataset, Stopped()), planned, told=sent.append, stop=threading.Event(), writers=1)
    assert [one.planned.number for one in sent] == [0]
    assert len(files(bucket)) == 1


def test_warming_up_writes_nothing(bucket: Bucket, dataset: Dataset) -> None:
    traffic = Traffic(damage=parse_damage(None), corrupt=1.0, garbage=0.5)
    sender(bucket, dataset).warm_up(traffic, pictures_to_send(dataset)[0])
    assert files(bucket) == {}
