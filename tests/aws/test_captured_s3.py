"""The capture is summed up in S3 as in a folder, by processes of their own too, and larger files than a piece."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import boto3
import pytest

from scones.capture import CaptureRecord, capture_key, encode_line
from scones.monitoring import summarise_capture
from scones.store import open_bucket

START = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.usefixtures("aws")
def test_a_capture_in_s3_is_summed_up_and_what_was_read_is_kept_there() -> None:
    boto3.client("s3").create_bucket(Bucket="captured", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    bucket = open_bucket("s3://", "captured")
    for file, count in enumerate((3000, 20, 20, 20)):  # the first is larger than what is fetched at once
        time = START + timedelta(hours=9 * file)
        records = [CaptureRecord(f"{file}-{n}", "", time, (0.9, 0.1), "image/png", bytes(2500)) for n in range(count)]
        bucket.put(capture_key("capture", "e", "v", time, "u"), "\n".join(map(encode_line, records)).encode())
    summary = summarise_capture(bucket, "capture/e", processes=2)
    assert summary.records == 3060
    assert {entry.picture for entry in summary.unsure} == {bytes(2500)}
    told: list[tuple[int, int]] = []
    again = summarise_capture(bucket, "capture/e", report=lambda done, total: told.append((done, total)))
    assert again.figures() == summary.figures()
    assert told == []
    assert len(list(bucket.list("capture-days"))) == 2
