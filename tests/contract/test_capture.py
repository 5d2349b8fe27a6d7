"""The data-capture format is SageMaker's, to the letter when written and in all its dialects when read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from scones.capture import CaptureProblems, CaptureRecord, capture_key, decode_line, encode_line, read_capture
from scones.store import Bucket, open_bucket

HERE = Path(__file__).parent
GOLDEN = (HERE / "capture_line.jsonl").read_text("utf-8").removesuffix("\n")
RECORD = CaptureRecord(
    event_id="0f4a2c31-7d1e-4f57-9f0e-6f3f5f3b7a10",
    inference_id="arrival-7",
    time=datetime(2026, 11, 20, 10, 14, 51, tzinfo=UTC),
    probabilities=(0.93, 0.07),
    content_type="image/png",
    picture=b"iVBORw",
)


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path), "scones")


def test_a_record_is_written_exactly_as_the_golden_line() -> None:
    assert encode_line(RECORD) == GOLDEN


def test_the_golden_line_is_read_back_whole() -> None:
    assert decode_line(GOLDEN) == RECORD


@pytest.mark.parametrize("line", (HERE / "capture_dialects.jsonl").read_text("utf-8").splitlines())
def test_every_encoding_of_the_output_is_read_and_unknown_fields_are_ignored(line: str) -> None:
    record = decode_line(line)
    assert record.probabilities == (0.93, 0.07)
    assert record.picture is None


def test_a_record_without_inference_id_is_read() -> None:
    record = decode_line(GOLDEN.replace('"inferenceId":"arrival-7",', ""))
    assert (record.event_id, record.inference_id) == (RECORD.event_id, "")


def test_attributes_of_the_answer_survive_the_way_through_a_line() -> None:
    attributes = {"model_version": "v1", "threshold": "0.9", "labels": "bicycle,motorcycle"}
    record = CaptureRecord("e", "i", RECORD.time, (1.0, 0.0), attributes=attributes)
    assert decode_line(encode_line(record)) == record


def test_the_key_and_the_time_are_in_utc_wherever_the_clock_stands() -> None:
    in_india = datetime(2026, 11, 21, 2, 14, 51, 7_000, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert capture_key("p", "e", "v", in_india, "u") == "p/e/v/2026/11/20/20/44-51-007-u.jsonl"
    assert '"inferenceTime":"2026-11-20T20:44:51Z"' in encode_line(CaptureRecord("e", "", in_india, (1.0,)))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "null",
        "[]",
        "no json",
        GOLDEN[:-40],
        "[" * 100_000,
        GOLDEN.replace("[0.93, 0.07]", "[]"),
        GOLDEN.replace("[0.93, 0.07]", ""),
        GOLDEN.replace("[0.93, 0.07]", "[NaN, 0.07]"),
        GOLDEN.replace("[0.93, 0.07]", "[1" + "0" * 400 + "]"),
        GOLDEN.replace("[0.93, 0.07]", "bicycle"),
        GOLDEN.replace("aVZCT1J3", "a"),
        GOLDEN.replace("2026-11-20T10:14:51Z", "yesterday"),
    ],
)
def test_what_is_no_record_is_a_value_error(line: str) -> None:
    with pytest.raises(ValueError, match="no capture record"):
        decode_line(line)


def test_all_records_of_all_files_are_read_oldest_first(bucket: Bucket) -> None:
    start = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
    expected = []
    for file in range(120):  # more than a page of the listing
        time = start + timedelta(minutes=file)
        endpoint = "scones" if file % 2 else "another"
        lines = []
        for record in range(3):
            expected.append(f"{file}/{record}")
            lines.append(encode_line(CaptureRecord("e", expected[-1], time, (0.5, 0.5))) + "\n")
        bucket.put(capture_key("capture", endpoint, "AllTraffic", time, f"u{file}"), "".join(lines).encode())
    bucket.put("capture/scones/AllTraffic/notes.txt", b"not a capture file")
    assert [record.inference_id for record in read_capture(bucket, "capture")] == expected
    assert len(list(read_capture(bucket, "capture/scones/AllTraffic"))) == len(expected) // 2


def test_a_last_line_cut_short_costs_that_line_alone_and_is_counted(bucket: Bucket) -> None:
    bucket.put("capture/f.jsonl", f"{GOLDEN}\n\n{GOLDEN}\n{GOLDEN[:100]}".encode())
    problems = CaptureProblems()
    assert list(read_capture(bucket, "capture", problems)) == [RECORD, RECORD]
    assert problems.lines == 1
    assert problems.examples[0].startswith("capture/f.jsonl line 4: no capture record")
