"""Messages: what is accepted, and what a bad one is told."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones.contracts import Answer, Arrival, ExecutionInput, execution_input, parse, picture_type, unwrap
from scones.errors import MessageError


def test_who_arrived_is_read_from_the_key() -> None:
    request = ExecutionInput(s3_bucket="b", s3_key="arrivals/road/north/d-7/x.1.jpg")
    arrival = request.arrival(task="vehicles", depot="main")
    assert arrival == Arrival(task="road", depot="north", driver_id="d-7", arrival_id="x.1")
    assert arrival.key("jpg") == request.s3_key


def test_fields_beat_the_key() -> None:
    request = ExecutionInput(s3_bucket="b", s3_key="arrivals/road/north/d-7/x.jpg", driver_id="other")
    assert request.arrival(task="vehicles", depot="main").driver_id == "other"


@pytest.mark.parametrize(
    ("manifest", "ref", "found"),
    [
        ("", "pictures/1.png", ("b", "pictures/1.png")),
        ("datasets/v/manifest.jsonl", "pictures/1.png", ("b", "datasets/v/pictures/1.png")),
        ("manifest.jsonl", "1.png", ("b", "1.png")),
        ("datasets/v/manifest.jsonl", "s3://other/deep/1.png", ("other", "deep/1.png")),
    ],
)
def test_a_manifests_words_become_bucket_and_key(manifest: str, ref: str, found: tuple[str, str]) -> None:
    resolved = ExecutionInput(s3_bucket="b", s3_key=ref, manifest=manifest).resolved()
    assert (resolved.s3_bucket, resolved.s3_key) == found


@given(st.text(min_size=1, max_size=200))
def test_any_key_names_an_arrival_that_can_be_a_key_or_is_refused(key: str) -> None:
    request = ExecutionInput(s3_bucket="b", s3_key=key)
    try:
        path = request.arrival(task="vehicles", depot="main").path
    except MessageError:
        return
    assert path.count("/") == 3
    assert ".." not in path.split("/")


def test_keys_that_differ_only_in_their_folder_are_different_arrivals() -> None:
    paths = {
        ExecutionInput(s3_bucket="b", s3_key=f"{folder}/1.png").arrival(task="vehicles", depot="main").path
        for folder in ("a", "b", "test/a")
    }
    assert len(paths) == 3


def test_an_eventbridge_event_becomes_the_workflows_input() -> None:
    event = {"detail-type": "Object Created", "detail": {"bucket": {"name": "b"}, "object": {"key": "arrivals/k.png"}}}
    assert execution_input(event) == {"image_data": "", "s3_bucket": "b", "s3_key": "arrivals/k.png"}
    with pytest.raises(MessageError, match="Object Created"):
        execution_input({"detail": {}})


@pytest.mark.parametrize("wrap", [lambda b: b, lambda b: {"body": b}, lambda b: {"body": json.dumps(b)}])
def test_a_body_is_found_however_it_is_wrapped(wrap: object) -> None:
    assert unwrap(wrap({"a": 1})) == {"a": 1}  # type: ignore[operator]


@pytest.mark.parametrize("event", ["{", 7, {"body": "[1]"}, {"body": b"{}"}, None])
def test_an_event_without_a_body_is_refused(event: object) -> None:
    with pytest.raises(MessageError):
        unwrap(event)


def test_the_endpoints_attributes_survive_their_header() -> None:
    answer = Answer(model_version="v1", threshold=0.1 + 0.2, inference_id="i=1", labels=("a", "b"))
    assert Answer.from_header(answer.header()) == answer
    with pytest.raises(MessageError, match="model_version"):
        Answer.from_header("threshold=0.5")


def test_a_bad_field_is_named() -> None:
    with pytest.raises(MessageError, match="the arrival: field depot"):
        parse(Arrival, {"task": "t", "depot": "../x", "driver_id": "d", "arrival_id": "a"}, "the arrival")


@pytest.mark.parametrize(
    ("key", "kind"),
    [("a/b.PNG", "image/png"), ("a/b.jpeg", "image/jpeg"), ("test.lst", None), ("a.png/b", None), ("png", None)],
)
def test_a_picture_is_known_by_its_extension(key: str, kind: str | None) -> None:
    assert picture_type(key) == kind
