import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones.capture import CaptureProblems, CaptureRecord
from scones.contracts import Example, PersonsAnswer, Review
from scones.monitoring import join_truths, read_truths
from scones.monitoring.truth import decode_truth
from scones.store import Bucket, Layout, open_bucket

START = datetime(2026, 11, 20, 10, 14, 51, tzinfo=UTC)
LABELS = ["bicycle", "motorcycle"]
OURS = CaptureRecord("event-1", "execution-1", START, (0.6, 0.4), attributes={"labels": ",".join(LABELS)})
THEIRS = CaptureRecord("event-2", "", START, (0.2, 0.8))
GOLDEN = (Path(__file__).parent.parent / "contract/ground_truth.jsonl").read_text("utf-8")


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path), "scones")


def truth(event: str, data: object, encoding: str = "CSV") -> str:
    value = {"data": data, "encoding": encoding}
    return json.dumps({"groundTruthData": value, "eventMetadata": {"eventId": event}, "eventVersion": "0"})


def review(arrival: str, inference: str) -> Review:
    return Review.model_validate(
        {
            "task": "vehicles", "depot": "main", "driver_id": "d", "arrival_id": arrival, "s3_bucket": "scones",
            "s3_key": f"arrivals/vehicles/main/d/{arrival}.png", "label": "bicycle", "confidence": 0.6,
            "threshold": 0.9, "inferences": [0.6, 0.4], "model_version": "v1", "inference_id": inference,
            "execution": inference, "why": "ThresholdConfidenceNotMet", "asked_at": START,
            "seconds": 900, "task_token": "token",
        }
    )  # fmt: skip


def answer(bucket: Bucket, asked: Review, label: str) -> None:
    bucket.put_json(Layout.review(asked.path), asked.model_dump(mode="json"))
    given = PersonsAnswer(label=label, by="ann", at="2026-11-20T10:20:00Z")
    bucket.put_json(Layout.answer(asked.path), given.model_dump(mode="json"))


@pytest.mark.parametrize("line", GOLDEN.splitlines())
def test_ground_truth_in_each_of_its_encodings_is_read(line: str) -> None:
    assert decode_truth(line) == ("event-2", "1")


@pytest.mark.parametrize(
    "line",
    ["", "null", "[]", "[" * 100_000, "{}", truth("e", ""), truth("e", "[1, 2]", "JSON"), truth("", "1"),
     truth("e", "true", "JSON"), truth("e", "!", "BASE64"), truth("e", None), '{"groundTruthData": {"data": "1"}}'],
)  # fmt: skip
def test_what_is_no_ground_truth_is_a_value_error(line: str) -> None:
    with pytest.raises(ValueError, match="no ground truth"):
        decode_truth(line)


@given(st.text() | st.binary() | st.dictionaries(st.text(), st.text() | st.none()).map(json.dumps))
def test_whatever_stands_in_a_line_of_ground_truth_it_is_a_truth_or_a_value_error(line: str | bytes) -> None:
    try:
        name, label = decode_truth(line)
    except ValueError:
        return
    assert name
    assert label


def test_ground_truth_is_joined_by_the_callers_id_and_else_by_the_endpoints(bucket: Bucket) -> None:
    lines = [truth("execution-1", "motorcycle"), truth("event-1", "bicycle"), truth("event-2", "1"), "no json"]
    bucket.put("truth/2026/11/20/a.jsonl", "\n".join(lines).encode())
    problems = CaptureProblems()
    truths = read_truths(bucket, "truth", problems)
    joined = list(join_truths([OURS, THEIRS, replace(OURS, event_id="e", inference_id="i")], truths, LABELS))
    assert [(one.answered, one.truth, one.right) for one in joined] == [
        ("bicycle", "motorcycle", False),
        ("motorcycle", "motorcycle", True),
    ]
    assert problems.examples[0].startswith("truth/2026/11/20/a.jsonl line 4: no ground truth")


def test_the_endpoints_id_counts_where_the_callers_is_not_known(bucket: Bucket) -> None:
    bucket.put("truth/a.jsonl", truth("event-1", "0").encode())
    (joined,) = join_truths([OURS], read_truths(bucket, "truth"))
    assert joined.right


def test_a_truth_out_of_the_labels_is_a_class_that_the_model_does_not_know(bucket: Bucket) -> None:
    bucket.put("truth/a.jsonl", f"{truth('event-1', '7')}\n{truth('event-2', 'bus')}".encode())
    joined = list(join_truths([OURS, THEIRS], read_truths(bucket, "truth")))
    assert [(one.truth, one.right) for one in joined] == [("class 7", False), ("bus", False)]


def test_a_review_answer_is_joined_before_the_workflow_has_taken_it_and_goes_before_ground_truth(
    bucket: Bucket,
) -> None:
    answer(bucket, review("a", "execution-1"), "motorcycle")
    bucket.put("truth/a.jsonl", truth("execution-1", "bicycle").encode())
    (joined,) = join_truths([OURS], read_truths(bucket, "truth"))
    assert joined.truth == "motorcycle"


def test_an_example_is_joined_though_its_review_is_gone(bucket: Bucket) -> None:
    asked = review("a", "execution-1")
    example = Example.model_validate(
        {**asked.model_dump(), "label": "bicycle", "by": "ann", "at": "2026-11-20T10:20:00Z", "guess": "bicycle"}
    )
    bucket.put_json(Layout.example(asked.path), example.model_dump(mode="json"))
    (joined,) = join_truths([OURS], read_truths(bucket))
    assert joined.right


def test_a_review_that_waits_or_is_damaged_is_no_truth(bucket: Bucket) -> None:
    waits = review("a", "execution-1")
    bucket.put_json(Layout.review(waits.path), waits.model_dump(mode="json"))
    bucket.put_json(Layout.answer("vehicles/main/d/lost"), {"label": "bicycle", "by": "ann", "at": ""})
    problems = CaptureProblems()
    assert read_truths(bucket, problems=problems) == {}
    assert problems.lines == 1


def test_an_event_that_was_captured_twice_is_joined_once(bucket: Bucket) -> None:
    bucket.put("truth/a.jsonl", truth("event-1", "0").encode())
    again = replace(OURS, time=START + timedelta(seconds=1))
    assert len(list(join_truths([OURS, again], read_truths(bucket, "truth")))) == 1


def test_of_two_ground_truths_the_later_file_counts(bucket: Bucket) -> None:
    bucket.put("truth/2026/11/21/a.jsonl", truth("event-1", base64.b64encode(b"1").decode(), "BASE64").encode())
    bucket.put("truth/2026/11/20/z.jsonl", truth("event-1", "0").encode())
    (joined,) = join_truths([OURS], read_truths(bucket, "truth"))
    assert joined.truth == "motorcycle"
