"""The application's state machines, with the real functions, endpoint, store and journal."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scones.dispatch import add_orders, sample_orders
from scones.errors import EndpointBusy
from scones.functions.filter_inferences import filter_inferences
from scones.settings import Settings
from scones.store import Bucket, open_bucket
from scones.workflow.application import check_endpoint, definition, open_engine, substitutions
from scones.workflow.arrivals import execution_name, find_arrivals, outcome, start_arrival
from scones.workflow.engine import Engine, ExecutionDetail, load

RED, BLUE, PURPLE = (220, 20, 20), (20, 20, 220), (120, 20, 120)


@pytest.fixture
def settings(tmp_path: Path, start_endpoint: Callable[..., str]) -> Settings:
    return Settings.load(
        environ={},
        file=None,
        store=str(tmp_path / "store"),
        journal=tmp_path / "journal.sqlite",
        endpoint_url=start_endpoint(),
    )


@pytest.fixture
def bucket(settings: Settings) -> Bucket:
    place = open_bucket(settings.store, settings.bucket)
    add_orders(place, "main", sample_orders(20, seed=1))
    return place


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    with open_engine(settings) as opened:
        yield opened


def arrive(bucket: Bucket, picture: bytes, name: str = "a1", task: str = "vehicles", ext: str = "png") -> str:
    key = f"arrivals/{task}/main/driver-1/{name}.{ext}"
    bucket.put(key, picture)
    return key


def work(engine: Engine, key: str, **options: Any) -> ExecutionDetail:
    name = start_arrival(engine, "scones", key, **options)
    [ended] = engine.wait(name, machine="classify", timeout=60)
    return ended


def test_a_sure_picture_is_routed_to_a_bay_and_an_order(
    engine: Engine, bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    ended = work(engine, arrive(bucket, png_bytes(RED)))
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
    ended = work(engine, arrive(bucket, png_bytes(PURPLE)))
    assert outcome(ended) == "review"
    events = [(event.type, event.state) for event in engine.history(ended.name, "classify")]
    assert ("TaskFailed", "FilterInferences") in events
    assert "RouteDriver" not in [state for _, state in events]
    [review] = engine.wait(ended.name, machine="review", timeout=60)
    assert review.status == "SUCCEEDED"
    record = bucket.get_json("reviews/vehicles/main/driver-1/a1.json")
    assert record["why"] == "ThresholdConfidenceNotMet"
    assert record["confidence"] < record["threshold"]
    assert record["s3_key"] == "arrivals/vehicles/main/driver-1/a1.png"
    assert not bucket.exists("routes/vehicles/main/driver-1/a1.json")


def test_the_same_arrival_delivered_twice_is_worked_once(
    engine: Engine, bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    key = arrive(bucket, png_bytes(RED))
    first = work(engine, key)
    assert work(engine, key) == first
    # and where another journal does not know of it, the claim in the store does
    engine.start("classify", {"image_data": "", "s3_bucket": "scones", "s3_key": key}, name="redelivered")
    [again] = engine.wait("redelivered", machine="classify", timeout=60)
    assert outcome(again) == "duplicate"
    assert len(list(bucket.list("order-claims"))) == 1


def test_text_named_png_fails_loudly_and_the_others_go_on(
    engine: Engine, bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    bad = work(engine, arrive(bucket, b"hello", "bad"))
    assert (bad.status, bad.error) == ("FAILED", "PictureError")
    assert "bad.png is no picture" in json.loads(bad.cause or "")["errorMessage"]
    assert outcome(work(engine, arrive(bucket, png_bytes(BLUE), "good"))) == "routed"


def test_a_failed_arrival_is_worked_anew_when_its_cause_is_gone(
    engine: Engine, bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    key = arrive(bucket, b"hello")
    failed = work(engine, key)
    arrive(bucket, png_bytes(RED))
    assert work(engine, key).status == "FAILED", "by itself it stays as it is"
    anew = work(engine, key, retry_failed=True)
    assert (anew.name, outcome(anew)) == (f"{failed.name}.2", "routed")
    assert work(engine, key, retry_failed=True) == anew


def test_another_task_ends_classified(engine: Engine, bucket: Bucket, png_bytes: Callable[..., bytes]) -> None:
    ended = work(engine, arrive(bucket, png_bytes(RED), task="defects"))
    assert outcome(ended) == "classified"
    assert not list(bucket.list("order-claims"))


def test_a_12_megapixel_photograph_goes_through(
    engine: Engine, bucket: Bucket, png_bytes: Callable[..., bytes]
) -> None:
    # others put it into the state as it was, far over 262,144 bytes
    photograph = png_bytes(RED, size=(4000, 3000), kind="JPEG")
    assert outcome(work(engine, arrive(bucket, photograph, ext="jpg"))) == "routed"


def test_a_manifest_among_the_arrivals_is_no_arrival(bucket: Bucket, png_bytes: Callable[..., bytes]) -> None:
    key = arrive(bucket, png_bytes(RED))
    bucket.put("arrivals/vehicles/main/driver-1/test.lst", b"1\t0\ta.png\n")
    assert find_arrivals(bucket) == ([key], ["arrivals/vehicles/main/driver-1/test.lst"])


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
        ended = work(engine, key)
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
        ended = work(engine, key)
    assert (ended.status, ended.error) == ("FAILED", error)
    assert not list(bucket.list("reviews"))


def test_a_raised_string_is_a_type_error_and_not_mistaken_for_low_confidence(
    bucket: Bucket, settings: Settings, png_bytes: Callable[..., bytes]
) -> None:
    def raise_text(event: Any, context: Any) -> Any:
        raise "THRESHOLD_CONFIDENCE_NOT_MET"  # type: ignore[misc]  # noqa: B016 - the fault itself

    key = arrive(bucket, png_bytes(RED))
    with open_engine(settings, functions={"filter_inferences": raise_text}) as engine:
        ended = work(engine, key)
    assert (ended.status, ended.error) == ("FAILED", "TypeError")
    assert filter_inferences({"body": SURE})["statusCode"] == 200


def test_the_machines_load_and_name_every_function() -> None:
    names = substitutions(Settings.load(environ={}, file=None))
    for name in ("classify", "review"):
        assert load(definition(name), names, source=name)
    text = definition("classify") + definition("review")
    assert [placeholder for placeholder in names if f"${{{placeholder}}}" not in text] == []


def test_nothing_in_classify_waits_so_that_it_can_be_express() -> None:
    states = json.loads(definition("classify"))["States"].values()
    assert not [state for state in states if state["Type"] == "Wait"]
    assert not [
        state for state in states if ".sync" in state.get("Resource", "") or "waitFor" in state.get("Resource", "")
    ]


def test_an_execution_is_named_by_its_arrival() -> None:
    assert execution_name("b", "arrivals/a.png") != execution_name("c", "arrivals/a.png")
    assert len(execution_name("b", f"arrivals/{'x' * 200}.png")) <= 60


def test_no_endpoint_is_told_before_any_work_is_sent(settings: Settings) -> None:
    check_endpoint(settings)
    with pytest.raises(EndpointBusy, match="start one with `scones serve`"):
        check_endpoint(settings.model_copy(update={"endpoint_url": "http://127.0.0.1:9"}))
