"""The data-capture format is SageMaker's, to the letter when written and in all its dialects when read."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones.capture import (
    CaptureProblems,
    CaptureRecord,
    capture_key,
    capture_lines,
    decode_line,
    encode_line,
    read_capture,
)
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
        GOLDEN.replace("[0.93, 0.07]", "[0.93"),
        GOLDEN.replace("aVZCT1J3", "a"),
        GOLDEN.replace("2026-11-20T10:14:51Z", "yesterday"),
    ],
)
def test_what_is_no_record_is_a_value_error(line: str) -> None:
    with pytest.raises(ValueError, match="no capture record"):
        decode_line(line)


PICTURES = [b"", b"iVBORw", bytes(range(256)) * 20]


@pytest.mark.parametrize("picture", [None, *PICTURES])
@pytest.mark.parametrize("shape", ["{}", "spaced", "output first", "encoding first", "unicode"])
def test_a_record_without_its_picture_is_the_same_whatever_the_order_of_the_fields(
    picture: bytes | None, shape: str
) -> None:
    line = encode_line(replace(RECORD, picture=picture))
    value = json.loads(line)
    captured = value["captureData"]
    if shape == "spaced":
        line = json.dumps(value, indent=1).replace("\n", " ")
    elif shape == "output first":
        line = json.dumps({**value, "captureData": dict(reversed(captured.items()))})
    elif shape == "encoding first":
        captured = {place: dict(reversed(part.items())) for place, part in captured.items()}
        line = json.dumps(dict(reversed({**value, "captureData": captured}.items())))
    elif shape == "unicode":
        line = json.dumps({"new": '{"endpointInput":{"data":"', "eventMetadata": {}, **value})
    skipped = decode_line(line, pictures=0)
    expected = replace(RECORD, picture=None, unread=picture is not None)
    if picture is None:
        expected = replace(expected, content_type="application/octet-stream")
    assert skipped == expected
    assert skipped.has_picture == (picture is not None)
    assert decode_line(line.encode(), pictures=0) == skipped


@given(st.text(), st.sampled_from(["JSON", "CSV", "BASE64", None]))
def test_an_input_that_is_text_is_skipped_too_whatever_stands_in_it(data: str, encoding: str | None) -> None:
    value = json.loads(GOLDEN)
    value["captureData"]["endpointInput"] |= {"data": data, "encoding": encoding}
    for line in (json.dumps(value), json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")):
        assert decode_line(line, pictures=0) == replace(RECORD, picture=None, unread=True)


@given(st.binary() | st.integers(0, len(GOLDEN)).map(lambda end: GOLDEN[:end].encode()))
def test_whatever_stands_in_a_line_it_is_a_record_or_a_value_error_with_and_without_its_picture(line: bytes) -> None:
    for pictures in (0, 0.5, 1):
        try:
            assert decode_line(line, pictures=pictures).event_id == RECORD.event_id
        except ValueError as error:
            assert str(error).startswith("no capture record")  # noqa: PT017 - most lines are none


def test_the_pictures_that_are_read_are_a_share_and_those_of_a_smaller_share_are_among_them() -> None:
    lines = [encode_line(replace(RECORD, event_id=f"event-{number}")) for number in range(2000)]

    def read(share: float) -> set[str]:
        records = [decode_line(line, pictures=share) for line in lines]
        return {record.event_id for record in records if record.picture == RECORD.picture}

    assert len(read(0)) == 0
    assert 150 <= len(read(0.1)) <= 250
    assert read(0.1) < read(0.5) < read(1)
    assert len(read(1)) == 2000


@given(st.lists(st.binary(max_size=12)), st.lists(st.integers(1, 7), min_size=1))
def test_lines_are_the_same_in_whatever_pieces_a_file_comes(lines: list[bytes], sizes: list[int]) -> None:
    whole = b"\n".join(lines)
    pieces, at = [], 0
    for size in itertools.cycle(sizes):
        if at >= len(whole):
            break
        pieces.append(whole[at : at + size])
        at += size
    assert list(capture_lines(pieces)) == whole.split(b"\n")


def test_a_file_that_comes_in_pieces_is_read_whole(bucket: Bucket) -> None:
    picture = bytes(3 * 2**20)
    records = [replace(RECORD, event_id=f"event-{number}", picture=picture) for number in range(5)]
    bucket.put("capture/f.jsonl", "\n".join(map(encode_line, records)).encode())  # 20 MB
    assert list(read_capture(bucket, "capture")) == records


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
