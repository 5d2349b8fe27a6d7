"""Many pictures: by manifest or prefix, each by itself, what fails collected, the answers as JSON lines."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scones.errors import EndpointBusy, StoreError
from scones.settings import Settings
from scones.staging import SourcePicture, write_dataset
from scones.store import Bucket
from scones.task import load_task
from scones.workflow.application import open_engine
from scones.workflow.batch import BatchResult, ends_picture, pictures_found, read_batch, start_batch
from scones.workflow.engine import Engine, Event, ExecutionDetail

from .conftest import BLUE, PURPLE, RED, FastClock

UNDER = {"s3_bucket": "scones", "task": "vehicles", "prefix": "trips/"}


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    with open_engine(settings) as opened:
        yield opened


@pytest.fixture
def trips(bucket: Bucket, png_bytes: Callable[..., bytes]) -> Bucket:
    """Three good pictures, one that is none, and a list."""
    for number, colour in enumerate((RED, BLUE, PURPLE)):
        bucket.put(f"trips/{number}.png", png_bytes(colour))
    bucket.put("trips/poison.png", b"hello")
    bucket.put("trips/test.lst", b"1\t0\ttrips/0.png\n")
    return bucket


def run(engine: Engine, bucket: Bucket, given: dict[str, Any]) -> tuple[ExecutionDetail, BatchResult]:
    name, _ = start_batch(engine, bucket, given)
    [ended] = engine.wait(name, machine="batch", timeout=60)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    return ended, read_batch(bucket, ended.output["s3_key"])


def answers(bucket: Bucket, result: BatchResult) -> list[dict[str, Any]]:
    return [json.loads(line) for key in result.succeeded for line in bucket.get(key).splitlines()]


def test_everything_under_a_prefix_is_classified_and_poison_stops_nothing(engine: Engine, trips: Bucket) -> None:
    ended, result = run(engine, trips, UNDER)
    assert ended.output["s3_key"].startswith(f"batches/{ended.name}/")
    assert (result.labels.total(), result.decided, result.pictures) == (3, 2, 5)
    assert result.errors == {"PictureError": 2}
    assert {one.s3_key for one in result.first_failures} == {"trips/poison.png", "trips/test.lst"}
    assert "poison.png is no picture" in next(one.cause for one in result.first_failures if "poison" in one.s3_key)
    first = answers(trips, result)[0]
    assert set(first) == {
        "s3_bucket", "s3_key", "label", "confidence", "threshold", "inferences", "model_version", "inference_id",
    }  # fmt: skip
    assert (first["s3_key"], first["label"], first["model_version"]) == ("trips/0.png", "bicycle", "tiny-1")


def test_a_batch_claims_nothing_and_sends_no_driver_anywhere(
    engine: Engine, bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    bucket.put("arrivals/vehicles/main/driver-1/a1.png", png_bytes(RED))
    run(engine, bucket, {**UNDER, "prefix": "arrivals/"})
    written = {key.split("/")[0] for key in bucket.list("")}
    assert written == {"arrivals", "batches", "orders"}


def test_a_staged_manifest_is_classified_line_by_line(
    engine: Engine, bucket: Bucket, red_and_blue: Callable[..., list[SourcePicture]]
) -> None:
    staged = write_dataset(bucket, load_task("vehicles"), red_and_blue()[110:150], source={})
    given = {"s3_bucket": "scones", "task": "vehicles", "manifest": f"{staged.prefix}/manifest.jsonl"}
    bucket.delete(staged.key(staged.lines[0]))
    _, result = run(engine, bucket, given)
    assert result.pictures == len(staged.lines)
    assert {one["s3_key"] for one in answers(bucket, result)} == {staged.key(line) for line in staged.lines[1:]}
    assert [(one.s3_key, one.error) for one in result.first_failures] == [(staged.lines[0].source_ref, "ObjectMissing")]


def test_a_manifest_may_name_pictures_by_their_s3_address(
    engine: Engine, bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    bucket.put("elsewhere/1.png", png_bytes(BLUE))
    bucket.put("lists/manifest.jsonl", b'{"source-ref": "s3://scones/elsewhere/1.png"}\n')
    given = {"s3_bucket": "scones", "task": "vehicles", "manifest": "lists/manifest.jsonl"}
    _, result = run(engine, bucket, given)
    assert [(one["s3_key"], one["label"]) for one in answers(bucket, result)] == [("elsewhere/1.png", "motorcycle")]


def test_a_busy_endpoint_is_asked_again_for_each_picture(settings: Settings, trips: Bucket) -> None:
    calls: list[str] = []

    def busy_once(event: Any, context: Any) -> Any:
        key = event["body"]["s3_key"]
        calls.append(key)
        if calls.count(key) == 1:
            raise EndpointBusy("saturated")
        answer = {"label": "bicycle", "confidence": 1.0, "threshold": 0.9, "inferences": [1.0, 0.0]}
        return {"statusCode": 200, "body": {**event["body"], **answer, "model_version": "v", "inference_id": "i"}}

    with open_engine(settings, functions={"classify_image": busy_once}, clock=FastClock()) as engine:
        _, result = run(engine, trips, UNDER)
    assert result.labels == {"bicycle": 3}
    assert len(calls) == 6


def test_no_picture_at_all_is_an_empty_result(engine: Engine, bucket: Bucket) -> None:
    _, result = run(engine, bucket, {**UNDER, "prefix": "nothing/"})
    assert (result.pictures, result.succeeded, result.failed) == (0, (), ())


@pytest.mark.parametrize(
    ("given", "error"),
    [({"s3_bucket": "scones", "task": "vehicles"}, "MessageError"),
     ({"s3_bucket": "scones", "task": "vehicles", "manifest": "gone.jsonl"}, "States.ItemReaderFailed")],
)  # fmt: skip
def test_a_batch_that_cannot_be_read_fails_loudly(
    engine: Engine, bucket: Bucket, given: dict[str, Any], error: str
) -> None:
    name, _ = start_batch(engine, bucket, given)
    [ended] = engine.wait(name, machine="batch", timeout=60)
    assert (ended.status, ended.error) == ("FAILED", error)


def test_a_batch_that_was_interrupted_goes_on_and_a_new_one_gets_a_new_name(settings: Settings, trips: Bucket) -> None:
    begun, release = threading.Event(), threading.Event()

    def slow(event: Any, context: Any) -> Any:
        begun.set()
        release.wait(20)
        raise ValueError("given up")

    engine = open_engine(settings, functions={"classify_image": slow})
    name, earlier = start_batch(engine, trips, UNDER)
    assert not earlier
    assert begun.wait(20)
    engine.stop(grace=0)
    release.set()
    with open_engine(settings) as again:
        assert start_batch(again, trips, UNDER) == (name, True)
        again.wait(name, machine="batch", timeout=60)
        ended, result = run(again, trips, UNDER)
    assert ended.name == f"{name}.2"
    assert result.labels.total() == 3


def test_how_far_a_batch_is_shows_in_the_engines_events(settings: Settings, trips: Bucket) -> None:
    events: list[Event] = []
    with open_engine(settings, on_event=events.append) as engine:
        run(engine, trips, UNDER)
    assert [total for event in events if (total := pictures_found(event)) is not None] == [5]
    assert sum(map(ends_picture, events)) == 5


def test_results_that_are_damaged_are_told_with_their_line(engine: Engine, trips: Bucket) -> None:
    ended, result = run(engine, trips, UNDER)
    trips.put(result.succeeded[0], b"{\n")
    with pytest.raises(StoreError, match=r"SUCCEEDED_0\.jsonl line 1 is no JSON"):
        read_batch(trips, ended.output["s3_key"])
