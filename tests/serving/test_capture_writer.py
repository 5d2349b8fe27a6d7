"""Capture off the path of the answers: many records a file, nothing lost at the end, failures survived."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scones.capture import CaptureRecord, is_sampled, read_capture
from scones.serving import CaptureWriter
from scones.store import Bucket, open_bucket


def _record(number: int, picture: bytes | None = b"p") -> CaptureRecord:
    return CaptureRecord(
        f"e{number}", f"i{number}", datetime(2026, 11, 20, 10, 14, 51, tzinfo=UTC), (0.5, 0.5), picture=picture
    )


def _ids(bucket: Bucket) -> list[str]:
    return [record.inference_id for record in read_capture(bucket, "capture")]


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _writer(bucket: Bucket, **options: float) -> CaptureWriter:
    return CaptureWriter(bucket, "capture", "scones", "AllTraffic", **options)  # type: ignore[arg-type]


def test_closing_writes_all_that_waits_in_one_file_under_the_agreed_key(bucket: Bucket) -> None:
    with CaptureWriter(bucket, "capture", "scones", "AllTraffic", new_id=lambda: "u1") as writer:
        for number in range(20):
            writer.add(_record(number))
    assert list(bucket.list("capture")) == ["capture/scones/AllTraffic/2026/11/20/10/14-51-000-u1.jsonl"]
    assert _ids(bucket) == [f"i{number}" for number in range(20)]
    assert (writer.written, writer.dropped) == (20, 0)


def test_a_file_is_written_as_soon_as_it_has_its_records(bucket: Bucket) -> None:
    with _writer(bucket, flush_records=3, flush_seconds=3600) as writer:
        for number in range(6):
            writer.add(_record(number))
        _eventually(lambda: writer.written == 6)
        assert len(list(bucket.list("capture"))) == 2


def test_a_few_records_are_written_when_they_are_old_enough(bucket: Bucket) -> None:
    with _writer(bucket, flush_seconds=0.02) as writer:
        writer.add(_record(1))
        _eventually(lambda: writer.written == 1)
        writer.add(_record(2))
        _eventually(lambda: writer.written == 2)


def test_a_share_is_recorded_by_the_callers_ids_and_not_the_one_that_a_monitor_samples(bucket: Bucket) -> None:
    for _ in range(2):  # a retried request is recorded again, or is not again
        with _writer(bucket, share=0.3) as writer:
            for number in range(1000):
                writer.add(_record(number))
    found = _ids(bucket)
    assert len(found) == 2 * len(set(found))
    assert 240 < len(set(found)) < 360
    records = [record for record in read_capture(bucket, "capture") if is_sampled(record.event_id, 0.3)]
    assert 0.2 < len(records) / len(found) < 0.4


def test_a_disk_that_cannot_keep_a_file_is_as_good_as_full(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    synced = []

    def fsync(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())
        if len(synced) == 1:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    with _writer(bucket, fsync=True, flush_records=1, flush_seconds=0.01) as writer:
        writer.add(_record(1))
        _eventually(lambda: writer.written == 1)
    assert [path.suffix for path in synced] == [".jsonl", ".jsonl", ""]
    assert synced[2] == synced[1].parent
    assert "capture cannot be written" in caplog.text
    assert _ids(bucket) == ["i1"]


def test_large_pictures_are_written_before_they_fill_the_memory_allowed(bucket: Bucket) -> None:
    with _writer(bucket, flush_seconds=3600, max_pending_bytes=100_000) as writer:
        for number in range(40):
            _eventually(lambda: writer.written >= number - 2)  # noqa: B023 - called at once
            writer.add(_record(number, bytes(25_000)))
        assert writer.dropped == 0


def test_records_of_many_threads_are_all_written(bucket: Bucket) -> None:
    with _writer(bucket, flush_records=7, flush_seconds=0.01) as writer:

        def work(start: int) -> None:
            for number in range(start, start + 100):
                writer.add(_record(number))

        threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 400, 100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(_ids(bucket)) == sorted(f"i{number}" for number in range(400))


def test_after_a_failure_nothing_is_lost_and_it_is_told_once(bucket: Bucket, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    bucket.put("capture", b"a file where a folder should be")
    with _writer(bucket, flush_records=1, flush_seconds=0.01) as writer:
        for number in range(10):
            writer.add(_record(number))
        _eventually(lambda: "cannot be written" in caplog.text)
        bucket.delete("capture")
        _eventually(lambda: writer.written == 10)
    assert sorted(_ids(bucket)) == sorted(f"i{number}" for number in range(10))
    assert writer.dropped == 0
    messages = [record.getMessage() for record in caplog.records]
    assert len([message for message in messages if "cannot be written" in message]) == 1
    assert len([message for message in messages if "written again" in message]) == 1


def test_what_does_not_fit_while_the_store_fails_is_left_out_and_counted(bucket: Bucket) -> None:
    bucket.put("capture", b"a file where a folder should be")
    with _writer(bucket, flush_seconds=0.01, max_pending_bytes=51_000) as writer:
        for number in range(100):
            writer.add(_record(number, bytes(9_000)))
        assert writer.dropped == 95
        bucket.delete("capture")
        _eventually(lambda: writer.written == 5)
        writer.add(_record(100))
        _eventually(lambda: writer.written == 6)
    assert writer.dropped == 95


def test_a_store_that_still_fails_at_the_end_costs_the_records_but_not_the_exit(bucket: Bucket) -> None:
    bucket.put("capture", b"a file where a folder should be")
    with _writer(bucket, flush_records=2, flush_seconds=3600) as writer:
        for number in range(5):
            writer.add(_record(number))
    assert (writer.written, writer.dropped) == (0, 5)
    writer.add(_record(6))
    assert writer.dropped == 6


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", folder], capture_output=True, check=False)


def test_a_full_disk_stops_the_capture_until_there_is_room_again(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bucket = open_bucket(str(small_disk), "scones")
    (small_disk / "ballast").write_bytes(bytes(48_000))
    with _writer(bucket, flush_records=1, flush_seconds=0.01) as writer:
        writer.add(_record(1, bytes(20_000)))
        _eventually(lambda: "no space left" in caplog.text)
        assert writer.written == 0
        (small_disk / "ballast").unlink()
        _eventually(lambda: writer.written == 1)
    assert [path.suffix for path in bucket.folder.rglob("*") if path.is_file()] == [".jsonl"]  # type: ignore[union-attr]
