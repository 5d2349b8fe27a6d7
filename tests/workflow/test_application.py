"""The application's state machines, with the real functions, endpoint, store and journal."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from scones.bundle import read_bundle
from scones.capture import read_capture
from scones.classifier import Classifier
from scones.errors import EndpointBusy
from scones.functions.filter_inferences import filter_inferences
from scones.settings import Settings
from scones.store import Bucket, Layout, open_bucket
from scones.workflow.application import check_endpoint, open_engine
from scones.workflow.arrivals import execution_name, find_arrivals, outcome
from scones.workflow.engine import Engine

from .conftest import BLUE, PURPLE, RED, FastClock, arrive, work


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    with open_engine(settings) as opened:
        yield opened


def test_a_sure_picture_is_routed_to_a_bay_and_an_order(
    engine: Engine, bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    ended = work(engine, bucket, arrive(bucket, png_bytes(RED)))
    assert ended.status == "SUCCEEDED"
    assert ended.output["outcome"] == "routed"
    assert ended.output["label"] == "bicycle"
    assert ended.output["bay"] == "bicycle bay"
    assert ended.output["order"]["distance_km"] <= 6
    assert bucket.get_json("routes/vehicles/main/driver-1/a1.json") == ended.output


def test_an_unsure_picture_waits_for_a_person_and_is_never_routed(
    engine: Engine, bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    # others let low confidence end as a plain success
    ended = work(engine, bucket, arrive(bucket, png_bytes(PURPLE)))
    assert outcome(ended) == "review"
    events = [(event.type, event.state) for event in engine.history(ended.name, "classify")]
    assert ("TaskFailed", "FilterInferences") in events
    assert "RouteDriver" not in [state for _, state in events]
    assert ended.output["arrival"] == "vehicles/main/driver-1/a1"
    assert engine.status(ended.name, "review") == "RUNNING"
    assert not bucket.exists("routes/vehicles/main/driver-1/a1.json")


def test_a_floor_of_the_threshold_and_the_share_that_is_captured_hold_here_as_on_aws(
    settings: Settings, bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    mine = settings.model_copy(update={"threshold_floor": 1.0, "capture_share": 1.0})
    with open_engine(mine) as engine:
        ended = work(engine, bucket, arrive(bucket, png_bytes(RED)))
    assert (outcome(ended), ended.output["threshold"]) == ("review", 1.0)
    [record] = read_capture(bucket, Layout.CAPTURE)
    assert (record.inference_id, record.attributes["threshold"]) == (ended.name, "1.0")
    [key] = bucket.list(Layout.CAPTURE)
    assert f"{ended.started:%Y/%m/%d/%H/%M-%S}" in key


def test_the_same_arrival_delivered_twice_is_worked_once(
    engine: Engine, bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    key = arrive(bucket, png_bytes(RED))
    first = work(engine, bucket, key)
    assert work(engine, bucket, key) == first
    # and where another journal does not know of it, the claim in the store does
    engine.start("classify", {"image_data": "", "s3_bucket": "scones", "s3_key": key}, name="redelivered")
    [again] = engine.wait("redelivered", machine="classify", timeout=60)
    assert outcome(again) == "duplicate"
    assert len(list(bucket.list("order-claims"))) == 1


def test_text_named_png_fails_loudly_and_the_others_go_on(
    engine: Engine, bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    bad = work(engine, bucket, arrive(bucket, b"hello", "bad"))
    assert (bad.status, bad.error) == ("FAILED", "PictureError")
    assert "bad.png is no picture" in json.loads(bad.cause or "")["errorMessage"]
    assert outcome(work(engine, bucket, arrive(bucket, png_bytes(BLUE), "good"))) == "routed"


def test_a_failed_arrival_is_worked_anew_when_its_cause_is_gone(
    engine: Engine, bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    key = arrive(bucket, b"hello")
    failed = work(engine, bucket, key)
    arrive(bucket, png_bytes(RED))
    assert work(engine, bucket, key).status == "FAILED", "by itself it stays as it is"
    anew = work(engine, bucket, key, retry_failed=True)
    assert (anew.name, outcome(anew)) == (f"{failed.name}.2", "routed")
    assert work(engine, bucket, key, retry_failed=True) == work(engine, bucket, key) == anew


def test_an_arrival_that_failed_before_and_after_its_claim_is_not_taken_for_a_duplicate(
    bucket: Bucket, settings: Settings, png_bytes: Callable[..., bytes]
) -> None:
    key = arrive(bucket, png_bytes(RED))

    def refuse(event: Any, context: Any) -> Any:
        raise ValueError("no")

    with open_engine(settings, functions={"classify_image": refuse}) as engine:
        assert work(engine, bucket, key).status == "FAILED"  # it has claimed the arrival
    with open_engine(settings, functions={"serialize_image": refuse}) as engine:
        assert work(engine, bucket, key, retry_failed=True).status == "FAILED"  # it has not
    with open_engine(settings) as engine:
        assert outcome(work(engine, bucket, key, retry_failed=True)) == "routed"


def test_two_journals_on_one_store_work_an_arrival_once(
    engine: Engine, bucket: Bucket, settings: Settings, tmp_path: Path, png_bytes: Callable[..., bytes]
) -> None:
    key = arrive(bucket, png_bytes(RED))
    assert outcome(work(engine, bucket, key)) == "routed"
    with open_engine(settings.model_copy(update={"journal": tmp_path / "other.sqlite"})) as another:
        assert outcome(work(another, bucket, key)) == "duplicate"


def test_an_arrival_whose_run_is_gone_with_its_journal_is_taken_over(
    bucket: Bucket, settings: Settings, tmp_path: Path, png_bytes: Callable[..., bytes]
) -> None:
    key = arrive(bucket, png_bytes(RED))

    def refuse(event: Any, context: Any) -> Any:
        raise ValueError("no")

    with open_engine(settings, functions={"classify_image": refuse}) as engine:
        assert work(engine, bucket, key).status == "FAILED"
    with open_engine(settings.model_copy(update={"journal": tmp_path / "new.sqlite"})) as engine:
        assert outcome(work(engine, bucket, key)) == "duplicate"
        assert outcome(work(engine, bucket, key, retry_failed=True)) == "routed"


def test_a_picture_of_another_task_than_the_endpoints_fails_loudly(
    engine: Engine, bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    ended = work(engine, bucket, arrive(bucket, png_bytes(RED), task="road"))
    assert (ended.status, ended.error) == ("FAILED", "EndpointRejected")


@pytest.mark.parametrize(
    ("task", "labels", "colour", "outcome", "label"),
    [
        ("social", None, RED, "queued", "product"),
        ("defects", None, RED, "accepted", "normal"),
        ("defects", None, BLUE, "rejected", "defect"),
        ("road", None, RED, "event", "person"),
        ("plates", ("round", "square"), BLUE, "classified", "square"),
    ],
)
def test_each_task_ends_in_its_own_way(
    task: str,
    labels: Sequence[str] | None,
    colour: tuple[int, int, int],
    outcome: str,
    label: str,
    bucket: Bucket,
    settings: Settings,
    tiny_bundle: Callable[..., bytes],
    start_endpoint: Callable[..., str],
    png_bytes: Callable[..., bytes],
) -> None:
    model = Classifier(*read_bundle(tiny_bundle(labels, task=task)))
    other = settings.model_copy(update={"endpoint_url": start_endpoint(model)})
    with open_engine(other) as engine:
        key = arrive(bucket, png_bytes(colour), task=task)
        ended = work(engine, bucket, key)
        assert (ended.output["outcome"], ended.output["label"]) == (outcome, label)
        assert ended.output["queue"] == (label if task == "social" else None)
        assert ended.output["by"] is None
        assert bucket.get_json(f"results/{task}/main/driver-1/a1.json") == ended.output
        engine.start("classify", {"image_data": "", "s3_bucket": "scones", "s3_key": key}, name="redelivered")
        assert engine.wait("redelivered", machine="classify", timeout=60)[0].output["outcome"] == "duplicate"
    assert not list(bucket.list("order-claims"))


def test_a_12_megapixel_photograph_goes_through(
    engine: Engine, bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    # others put it into the state as it was, far over 262,144 bytes
    photograph = png_bytes(RED, size=(4000, 3000), kind="JPEG")
    assert outcome(work(engine, bucket, arrive(bucket, photograph, ext="jpg"))) == "routed"


def test_a_manifest_among_the_arrivals_is_no_arrival(bucket: Bucket, png_bytes: Callable[..., bytes]) -> None:
    key = arrive(bucket, png_bytes(RED))
    bucket.put("arrivals/vehicles/main/driver-1/test.lst", b"1\t0\ta.png\n")
    assert find_arrivals(bucket) == [key]


def test_an_endpoint_that_is_away_for_a_moment_is_asked_again(
    bucket: Bucket, settings: Settings, tmp_path: Path, png_bytes: Callable[..., bytes]
) -> None:
    key = arrive(bucket, png_bytes(RED))
    calls: list[Any] = []

    def busy_once(event: Any, context: Any) -> Any:
        calls.append(event)
        if len(calls) == 1:
            raise EndpointBusy("saturated")
        return {"statusCode": 200, "body": {**event["body"], **SURE}}

    with open_engine(settings, functions={"classify_image": busy_once}) as engine:
        ended = work(engine, bucket, key)
    assert outcome(ended) == "routed"
    assert len(calls) == 2


SURE = {
    "inferences": [0.99, 0.01],
    "label": "bicycle",
    "confidence": 0.99,
    "threshold": 0.9,
    "model_version": "v",
    "inference_id": "i",
}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lambda event: (_ for _ in ()).throw(ValueError("bad")), "ValueError"),
        (lambda event: {"statusCode": 200, "body": {**event["body"], "image_data": b"bytes"}}, "Runtime.MarshalError"),
    ],
)
def test_everything_but_low_confidence_fails_loudly(
    fault: Callable[[Any], Any],
    error: str,
    bucket: Bucket,
    settings: Settings,
    png_bytes: Callable[..., bytes],
) -> None:
    key = arrive(bucket, png_bytes(RED))
    with open_engine(settings, functions={"classify_image": lambda event, _: fault(event)}) as engine:
        ended = work(engine, bucket, key)
    assert (ended.status, ended.error) == ("FAILED", error)
    assert not list(bucket.list("reviews"))


@pytest.mark.parametrize("refuses", [False, True])
def test_a_failure_is_told_from_inside_and_stays_what_it_was(
    refuses: bool, bucket: Bucket, settings: Settings, png_bytes: Callable[..., bytes]
) -> None:
    told: list[Any] = []

    def publish(message: Any) -> str:
        told.append(message)
        if refuses:
            raise OSError("no topic")
        return "id"

    def refuse(event: Any, context: Any) -> Any:
        raise ValueError("no model")

    with open_engine(settings, functions={"classify_image": refuse}, publish=publish, clock=FastClock()) as engine:
        ended = work(engine, bucket, arrive(bucket, png_bytes(RED)))
        bad = work(engine, bucket, arrive(bucket, b"hello", "bad"))
    assert (ended.status, ended.error) == ("FAILED", "ValueError")
    assert json.loads(ended.cause or "")["errorMessage"] == "no model"
    assert (bad.status, bad.error) == ("FAILED", "PictureError")
    messages = {one["Message"]["execution"]: one["Message"] for one in told}
    assert messages[ended.name] == {
        "machine": "classify", "execution": ended.name, "arrival": "vehicles/main/driver-1/a1", "input": ended.input,
        "error": ended.error, "cause": ended.cause,
    }  # fmt: skip
    assert messages[bad.name]["arrival"] == "", "it was never known"
    assert messages[bad.name]["input"]["s3_key"] == "arrivals/vehicles/main/driver-1/bad.png"


def test_a_raised_string_is_a_type_error_and_not_mistaken_for_low_confidence(
    bucket: Bucket, settings: Settings, png_bytes: Callable[..., bytes]
) -> None:
    def raise_text(event: Any, context: Any) -> Any:
        raise "THRESHOLD_CONFIDENCE_NOT_MET"  # type: ignore[misc]  # noqa: B016 - the fault itself

    key = arrive(bucket, png_bytes(RED))
    with open_engine(settings, functions={"filter_inferences": raise_text}) as engine:
        ended = work(engine, bucket, key)
    assert (ended.status, ended.error) == ("FAILED", "TypeError")
    assert filter_inferences({"body": SURE})["statusCode"] == 200


def test_an_execution_is_named_by_its_arrival_and_its_place(tmp_path: Path) -> None:
    here, there = (open_bucket(str(tmp_path / name), "scones") for name in ("here", "there"))
    key = f"arrivals/{'x' * 200}.png"
    assert execution_name(here, key) == execution_name(here, key) != execution_name(there, key)
    assert len(execution_name(here, key)) <= 60


def test_no_endpoint_is_told_before_any_work_is_sent(settings: Settings) -> None:
    check_endpoint(settings)
    with pytest.raises(EndpointBusy, match="start one with `scones serve`"):
        check_endpoint(settings.model_copy(update={"endpoint_url": "http://127.0.0.1:9"}))
