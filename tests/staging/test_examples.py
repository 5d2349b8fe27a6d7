from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from scones.contracts import Example
from scones.staging import (
    Dataset,
    Source,
    SourcePicture,
    in_calibration,
    synthetic_pictures,
    with_examples,
    write_dataset,
)
from scones.store import Bucket, Layout, open_bucket
from scones.task import Task

Draw = Callable[..., bytes]


def labelled(bucket: Bucket, number: int, label: str = "bicycle", *, data: bytes = b"", **more: str) -> str:
    """Let a person have labelled a picture; its key."""
    path = f"vehicles/main/driver-1/a{number}"
    fields = {"s3_bucket": "scones", "s3_key": f"arrivals/{path}.png", "label": label, **more}
    example = Example(
        task="vehicles", depot="main", driver_id="driver-1", arrival_id=f"a{number}", by="ada",
        at="2026-11-20T10:00:00+00:00", guess="motorcycle", confidence=0.6, model_version="v", inference_id="i",
        **fields,
    )  # fmt: skip
    bucket.create_json(Layout.example(path), example.model_dump())
    if data:
        bucket.put(example.s3_key, data)
    return example.s3_key


@pytest.fixture
def stage(bucket: Bucket, vehicles: Task, tmp_path: Path) -> Callable[..., Dataset]:
    def stage(*more: SourcePicture) -> Dataset:
        source = Source({"kind": "test"}, [*synthetic_pictures(train=12, test=4), *more])
        other = partial(open_bucket, str(tmp_path / "store"), make=False)
        found = with_examples(source, bucket, vehicles, other)
        return write_dataset(bucket, vehicles, found.pictures, source=found.record)

    return stage


def test_what_people_labelled_is_learned_from_and_nothing_else(
    bucket: Bucket, draw: Draw, stage: Callable[..., Dataset]
) -> None:
    keys = {labelled(bucket, number, data=draw(number)) for number in range(20)}
    dataset = stage()
    found = [line for line in dataset.lines if line.origin in keys]
    assert len(found) == 20
    assert {(line.split, line.label, line.group) for line in found} == {("train", "bicycle", "")}
    assert any(in_calibration(line.hash) for line in found), "else this test shows nothing"
    assert dataset.source == {"kind": "test", "examples": 20}
    assert dataset.read(found[0]) == bucket.get(found[0].origin)


def test_a_picture_that_tests_or_calibrates_is_not_learned_from_because_somebody_labelled_it(
    bucket: Bucket, draw: Draw, stage: Callable[..., Dataset]
) -> None:
    for number in (1, 2):
        labelled(bucket, number, data=draw(number))
    held = [
        SourcePicture("held1", "bicycle", draw(1), "test"),
        SourcePicture("held2", "bicycle", draw(2), "calibration"),
    ]
    dataset = stage(*held)
    assert {line.origin: line.split for line in dataset.lines if line.origin in ("held1", "held2")} == {
        "held1": "test",
        "held2": "calibration",
    }
    assert not [line for line in dataset.lines if line.origin.startswith("arrivals/")]
    assert len(dataset.checks.leaks) == 2


def test_examples_that_cannot_be_used_are_told_and_the_others_come_in(
    bucket: Bucket, draw: Draw, stage: Callable[..., Dataset]
) -> None:
    good = labelled(bucket, 1, data=draw(1))
    gone = labelled(bucket, 2)
    other = labelled(bucket, 3, "tricycle", data=draw(3))
    nowhere = labelled(bucket, 4, s3_bucket="nowhere")
    dataset = stage()
    assert good in {line.origin for line in dataset.lines}
    faults = {entry.origin: entry.reason for entry in dataset.checks.unreadable}
    assert set(faults) == {gone, other, nowhere}
    assert "is of label tricycle, which task vehicles does not have" in faults[other]
    assert "no bucket 'nowhere'" in faults[nowhere]


def test_a_picture_in_another_bucket_is_found(
    bucket: Bucket, draw: Draw, stage: Callable[..., Dataset], tmp_path: Path
) -> None:
    key = labelled(bucket, 1, s3_bucket="cameras")
    open_bucket(str(tmp_path / "store"), "cameras").put(key, draw(1))
    assert key in {line.origin for line in stage().lines}


def test_without_examples_there_is_nothing_to_add(stage: Callable[..., Dataset]) -> None:
    assert stage().source == {"kind": "test", "examples": 0}
