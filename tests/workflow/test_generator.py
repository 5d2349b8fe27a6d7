"""Test pictures, sent as drivers would arrive."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scones.errors import SourceEmpty
from scones.staging import Dataset, SourcePicture, write_dataset
from scones.store import Bucket, open_bucket
from scones.task import load_task
from scones.workflow.arrivals import find_arrivals
from scones.workflow.generator import send_arrivals


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


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


def send(
    bucket: Bucket, dataset: Dataset, count: int, rate: float | None = None, seed: int = 0
) -> list[tuple[str, str]]:
    clock = Clock()
    sent = send_arrivals(
        bucket,
        dataset,
        task="vehicles",
        depot="main",
        run="t",
        count=count,
        rate=None,
        seed=seed,
        clock=clock,
        sleep=clock.sleep,
    )
    return [(arrival.key(), line.source_ref) for arrival, line in sent]


def test_a_burst_sends_each_test_picture_once_before_any_comes_again(bucket: Bucket, dataset: Dataset) -> None:
    tests = {line.source_ref for line in dataset.lines if line.split == "test"}
    sent = send(bucket, dataset, 2 * len(tests))
    assert {source for _, source in sent[: len(tests)]} == tests
    assert len({key for key, _ in sent}) == 2 * len(tests)


def test_what_is_sent_are_pictures_and_nothing_that_lies_beside_them(bucket: Bucket, dataset: Dataset) -> None:
    # others drew from a listing of the folder, and sent test.lst to the classifier
    sent = send(bucket, dataset, 30)
    assert find_arrivals(bucket) == (sorted(key for key, _ in sent), [])


def test_the_same_seed_sends_the_same_pictures(bucket: Bucket, dataset: Dataset) -> None:
    assert send(bucket, dataset, 9, seed=4) == send(bucket, dataset, 9, seed=4) != send(bucket, dataset, 9, seed=5)


def test_a_stream_keeps_its_rate(bucket: Bucket, dataset: Dataset) -> None:
    clock = Clock()
    times = []
    for _ in send_arrivals(
        bucket,
        dataset,
        task="vehicles",
        depot="main",
        run="t",
        count=11,
        rate=5.0,
        seed=0,
        clock=clock,
        sleep=clock.sleep,
    ):
        times.append(clock.now)
        clock.now += 0.05  # the receiver takes its time; the stream does not fall behind
    assert times[-1] - times[0] == pytest.approx(2.0)


def test_a_dataset_without_test_pictures_is_told(bucket: Bucket, png_bytes: Callable[..., bytes]) -> None:
    pictures = [
        SourcePicture(origin=f"{label}{n}", label=label, data=png_bytes((n, 60 * k, 9)), split="train")
        for k, label in enumerate(("bicycle", "motorcycle"))
        for n in range(0, 250, 10)
    ]
    dataset = write_dataset(bucket, load_task("vehicles"), pictures, source={"kind": "test"})
    with pytest.raises(SourceEmpty, match="no test pictures"):
        send(bucket, dataset, 1)
