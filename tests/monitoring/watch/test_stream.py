"""What is new in a capture is read once, however its files come."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scones.capture import CaptureRecord, capture_key, encode_line
from scones.monitoring.watch.position import Position
from scones.monitoring.watch.stream import NewRecords, read_new
from scones.store import Bucket, Entry, open_bucket

START = datetime(2024, 11, 20, 10, 14, 51, tzinfo=UTC)
"""Long before the files of these tests are written, as no record counts as newer than its file."""
NOW = datetime(2099, 1, 1, tzinfo=UTC)
PREFIX = "capture/scones"


def record(number: int, *, version: str = "v1", picture: bytes | None = b"picture", **more: Any) -> CaptureRecord:
    time = START + timedelta(minutes=7 * number)
    made = CaptureRecord(f"event-{number}", f"i-{number}", time, (0.75, 0.25), "image/png", picture)
    return replace(made, attributes={"model_version": version}, **more)


def text(records: Sequence[CaptureRecord]) -> bytes:
    return "".join(f"{encode_line(one)}\n" for one in records).encode()


def write(bucket: Bucket, records: Sequence[CaptureRecord], name: str = "u", *, time: datetime | None = None) -> str:
    key = capture_key("capture", "scones", "AllTraffic", time or records[0].time, name)
    bucket.put(key, text(records))
    return key


def read(bucket: Bucket, position: Position | None = None, **more: Any) -> NewRecords:
    return read_new(bucket, PREFIX, position or Position(), **{"now": NOW, **more})


def events(new: NewRecords) -> list[str]:
    return [one.record.event_id for one in new.records]


def names(*numbers: int) -> list[str]:
    return [f"event-{number}" for number in numbers]


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path), "scones")


class Watched(Bucket):
    """A bucket that tells what was listed and opened."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket.name, bucket._store, bucket.folder)
        self.listed: list[str] = []
        self.opened: list[str] = []

    def entries(self, prefix: str) -> Iterator[Entry]:
        self.listed.append(prefix)
        return super().entries(prefix)

    def chunks(self, key: str, *, most: int | None = None) -> Iterator[bytes]:
        self.opened.append(key)
        return super().chunks(key, most=most)


def test_records_of_many_files_and_hours_come_in_order_of_time(bucket: Bucket) -> None:
    for part in ([7, 3], [20, 1], [12], [40, 41]):
        write(bucket, [record(number) for number in part], name=f"f{part[0]}")
    new = read(bucket)
    assert events(new) == names(1, 3, 7, 12, 20, 40, 41)
    assert (new.files, new.duplicates, new.problems.lines, new.more) == (4, 0, 0, False)
    assert all(one.record.picture == b"picture" for one in new.records)
    assert new.records[0].file.endswith("-f20.jsonl")


def test_what_was_read_is_not_opened_again(bucket: Bucket) -> None:
    write(bucket, [record(1), record(2)])
    first = read(bucket)
    watched = Watched(bucket)
    again = read(watched, first.position)
    assert (events(again), again.files, again.newest, watched.opened) == ([], 0, None, [])


def test_a_file_that_comes_late_for_an_earlier_hour_is_read(bucket: Bucket) -> None:
    write(bucket, [record(50)])
    first = read(bucket)
    write(bucket, [record(2), record(3)], name="late")
    assert events(read(bucket, first.position)) == names(2, 3)


def test_an_event_counts_once_in_a_file_in_two_files_and_in_two_looks(bucket: Bucket) -> None:
    write(bucket, [record(1), record(1), record(2)])
    write(bucket, [record(2), record(3)], name="v")
    first = read(bucket)
    assert (events(first), first.duplicates) == (names(1, 2, 3), 2)
    write(bucket, [record(3), record(4)], name="w")
    second = read(bucket, first.position)
    assert (events(second), second.duplicates) == (names(4), 1)


def test_the_answers_of_two_models_to_one_event_are_two_records(bucket: Bucket) -> None:
    write(bucket, [record(1), record(1, version="candidate")])
    assert events(read(bucket)) == names(1, 1)


def test_a_file_that_grew_is_read_again_and_what_it_held_is_not_counted_twice(bucket: Bucket) -> None:
    key = write(bucket, [record(1), record(2)])
    first = read(bucket)
    bucket.put(key, text([record(1), record(2), record(3)]))
    second = read(bucket, first.position)
    assert (events(second), second.files, second.duplicates) == (names(3), 1, 0)
    assert events(read(bucket, second.position)) == []


def test_a_last_line_cut_short_is_counted_and_read_once_it_is_whole(bucket: Bucket) -> None:
    whole = text([record(1), record(2)])
    key = write(bucket, [record(1)])
    bucket.put(key, whole[:-40])
    first = read(bucket)
    assert (events(first), first.problems.lines) == (names(1), 1)
    assert "line 2: no capture record" in first.problems.examples[0]
    bucket.put(key, whole)
    second = read(bucket, first.position)
    assert (events(second), second.problems.lines) == (names(2), 0)


def test_a_line_that_cannot_be_read_is_counted_once_however_often_its_file_is_read(bucket: Bucket) -> None:
    key = write(bucket, [record(1)])
    bucket.put(key, b"rubbish\n" + text([record(1)]))
    first = read(bucket)
    bucket.put(key, b"rubbish\n" + text([record(1), record(2)]))
    second = read(bucket, first.position)
    assert (first.problems.lines, second.problems.lines, events(second)) == (1, 0, names(2))


def test_a_file_from_which_a_person_was_removed_brings_nothing_back(bucket: Bucket) -> None:
    key = write(bucket, [record(1), record(2), record(3)])
    first = read(bucket)
    bucket.put(key, text([record(1), record(3)]))
    second = read(bucket, first.position)
    assert (events(second), second.duplicates) == ([], 0)


def test_records_of_any_encoding_and_with_unknown_fields_are_read(bucket: Bucket) -> None:
    def line(event: str, data: str, encoding: str) -> str:
        return json.dumps(
            {
                "captureData": {
                    "endpointInput": {"data": base64.b64encode(b"p").decode(), "encoding": "BASE64", "new": 1},
                    "endpointOutput": {"data": data, "encoding": encoding, "observedContentType": "x/y"},
                    "another": {},
                },
                "eventMetadata": {"eventId": event, "inferenceTime": "2024-11-20T10:14:51Z", "invocationSource": "me"},
                "eventVersion": "0",
                "extra": [1],
            }
        )

    lines = [
        line("a", "[0.9, 0.1]", "JSON"),
        line("b", "0.8,0.2", "CSV"),
        line("c", base64.b64encode(b"[[0.7, 0.3]]").decode(), "BASE64"),
    ]
    bucket.put(f"{PREFIX}/AllTraffic/2024/11/20/10/14-51-000-u.jsonl", "\n".join(lines).encode())
    assert [one.record.probabilities[0] for one in read(bucket).records] == [0.9, 0.8, 0.7]


def test_an_answer_that_is_no_probability_and_a_picture_that_is_no_base64_are_counted(bucket: Bucket) -> None:
    bad = encode_line(record(2)).replace(base64.b64encode(b"picture").decode(), "%%%%")
    key = write(bucket, [record(1, probabilities=(7.0, 1.0))])
    bucket.put(key, text([record(1, probabilities=(7.0, 1.0))]) + f"{bad}\n".encode() + text([record(3)]))
    new = read(bucket)
    assert (events(new), new.problems.lines) == (names(3), 2)


def test_a_picture_that_is_not_wanted_is_not_read(bucket: Bucket) -> None:
    write(bucket, [record(1), record(2, picture=None)])
    new = read(bucket, wants_picture=lambda one: one.event_id == "event-2")
    assert [(one.record.picture, one.record.has_picture) for one in new.records] == [(None, True), (None, False)]


def test_a_file_of_more_records_than_a_look_takes_is_read_in_parts(bucket: Bucket) -> None:
    write(bucket, [record(number) for number in range(7)])
    write(bucket, [record(100)], name="v")
    position, seen, looks = Position(), [], 0
    while True:
        new = read(bucket, position, most=3)
        position, looks = new.position, looks + 1
        assert (new.duplicates, new.files) == (0, 1 + (looks == 3))
        seen += events(new)
        if not new.more:
            break
    assert (seen, looks) == (names(*range(7), 100), 3)
    assert not read(bucket, position).files


def test_a_file_that_ends_where_a_look_has_enough_is_read_whole(bucket: Bucket) -> None:
    write(bucket, [record(number) for number in range(4)])
    assert not read(bucket, most=4).more
    write(bucket, [record(9)], name="v")
    first = read(bucket, most=4)
    assert (first.more, events(read(bucket, first.position))) == (True, names(9))


def test_a_look_takes_no_more_bytes_of_pictures_than_it_may(bucket: Bucket) -> None:
    write(bucket, [record(number, picture=bytes(1000)) for number in range(5)])
    new = read(bucket, most_bytes=1500)
    assert (events(new), new.more) == (names(0, 1), True)
    assert events(read(bucket, new.position)) == names(2, 3, 4)


def test_the_rest_of_a_file_is_read_even_where_others_come_before_it_meanwhile(bucket: Bucket) -> None:
    write(bucket, [record(number) for number in range(10, 14)])
    first = read(bucket, most=2)
    write(bucket, [record(1), record(2)], name="late")
    second = read(bucket, first.position, most=2)
    third = read(bucket, second.position)
    assert [events(second), events(third)] == [names(1, 2), names(12, 13)]
    assert (second.more, third.more, third.duplicates) == (True, False, 0)


def test_after_a_year_a_look_lists_only_the_days_that_files_may_still_come_for(bucket: Bucket) -> None:
    for day in range(365):
        write(bucket, [record(day)], time=datetime(2024, 1, 2, tzinfo=UTC) + timedelta(days=day))
    new = read(bucket)
    assert len(new.records) == 365
    watched = Watched(bucket)
    assert not read(watched, new.position).files
    assert watched.listed == [f"{PREFIX}/AllTraffic/2024/12/{day}/" for day in (29, 30, 31)]
    assert sorted(new.position.files) == [f"2024-12-{day}" for day in (29, 30, 31)]


def test_where_only_recent_files_are_looked_for_earlier_hours_are_not_listed(bucket: Bucket) -> None:
    for hour in (8, 9, 10, 11):
        write(bucket, [record(hour)], time=datetime(2024, 11, 20, hour, tzinfo=UTC))
    write(bucket, [record(12)], time=datetime(2024, 11, 21, 1, tzinfo=UTC))
    write(bucket, [record(13)], time=datetime(2024, 11, 19, 23, tzinfo=UTC))
    watched = Watched(bucket)
    since = datetime(2024, 11, 20, 10, 59, tzinfo=UTC)
    assert events(read(watched, since=since)) == names(10, 11, 12)
    home = f"{PREFIX}/AllTraffic/2024/11"
    assert watched.listed == [f"{home}/20/10/", f"{home}/20/11/", f"{home}/21/"]
    assert events(read(bucket)) == names(8, 9, 10, 11, 12, 13)


def test_a_file_more_than_two_days_late_is_taken_as_read(bucket: Bucket) -> None:
    write(bucket, [record(1)], time=START)
    first = read(bucket)
    write(bucket, [record(2)], time=START - timedelta(days=2), name="late")
    write(bucket, [record(3)], time=START - timedelta(days=3), name="too late")
    assert events(read(bucket, first.position)) == names(2)


def test_a_monitor_that_was_down_for_weeks_goes_on_where_it_was(bucket: Bucket) -> None:
    write(bucket, [record(0)], time=START)
    first = read(bucket)
    for day in range(1, 30):
        write(bucket, [record(day)], time=START + timedelta(days=day))
    assert len(read(bucket, first.position).records) == 29


def test_a_day_in_the_future_does_not_make_todays_files_late(bucket: Bucket) -> None:
    write(bucket, [record(1)], time=datetime(2099, 1, 1, tzinfo=UTC))
    write(bucket, [record(2)], time=START)
    first = read(bucket, now=START)
    write(bucket, [record(3)], time=START, name="v")
    assert events(read(bucket, first.position, now=START)) == names(3)


def test_the_newest_record_is_no_newer_than_its_file_and_than_now(bucket: Bucket) -> None:
    write(bucket, [record(2)])
    assert read(bucket).newest == record(2).time.timestamp()
    ahead = replace(record(1), time=datetime(2098, 1, 1, tzinfo=UTC))
    key = write(bucket, [ahead], name="ahead", time=START)
    assert read(bucket).newest == next(entry.modified for entry in bucket.entries(key))
    assert read(bucket, now=START).newest == START.timestamp()


def test_records_that_a_lost_look_had_read_are_taken_as_read(bucket: Bucket) -> None:
    write(bucket, [record(1), record(2), record(3)])
    new = read(bucket, Position(since=record(2).time.timestamp()))
    assert (events(new), new.duplicates) == (names(3), 0)


def test_a_file_that_is_deleted_meanwhile_is_counted_and_the_others_are_read(bucket: Bucket) -> None:
    gone = write(bucket, [record(1)])
    write(bucket, [record(2)], name="v")

    class Deleting(Watched):
        def chunks(self, key: str, *, most: int | None = None) -> Iterator[bytes]:
            self.delete(gone)
            return super().chunks(key, most=most)

    new = read(Deleting(bucket))
    assert (events(new), new.problems.lines) == (names(2), 1)


def test_a_folder_without_folders_is_read_whole_and_other_files_are_left_alone(bucket: Bucket) -> None:
    bucket.put("export/all.jsonl", text([record(1)]))
    bucket.put("export/readme.txt", b"hello")
    first = read_new(bucket, "export", Position(), now=NOW)
    bucket.put("export/more.jsonl", text([record(1), record(2)]))
    second = read_new(bucket, "export/", first.position, now=NOW)
    assert (events(first), events(second), second.duplicates) == (names(1), names(2), 1)


def test_a_capture_that_is_not_there_yet_holds_nothing(bucket: Bucket) -> None:
    new = read(bucket)
    assert (new.records, new.files, new.more) == ([], 0, False)


def test_folders_that_only_look_like_days_do_no_harm(bucket: Bucket) -> None:
    bucket.put(f"{PREFIX}/AllTraffic/2024/99/99/10/a.jsonl", text([record(1)]))
    write(bucket, [record(2)])
    new = read(bucket)
    assert events(new) == names(1, 2)
    assert not read(bucket, new.position).files


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.lists(st.integers(0, 12), min_size=1, max_size=5), st.integers(1, 4)),
        max_size=8,
    )
)
def test_each_event_comes_once_however_files_come_grow_and_overlap(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, list[int], int]]
) -> None:
    bucket = open_bucket(str(tmp_path_factory.mktemp("store")), "scones")
    position, seen = Position(), []
    contents: dict[int, list[CaptureRecord]] = {}
    for file, numbers, most in steps:
        contents.setdefault(file, []).extend(map(record, numbers))
        write(bucket, contents[file], name=f"{file}", time=START + timedelta(hours=file))
        new = read(bucket, position, most=most)
        position = Position.from_arrays(new.position.to_arrays())
        seen += events(new)
    while (new := read(bucket, position, most=3)).files:
        position = new.position
        seen += events(new)
    assert sorted(seen) == sorted(set(seen)) == sorted({f"event-{n}" for _, numbers, _ in steps for n in numbers})


def test_a_position_that_is_no_position_is_refused() -> None:
    since = np.array(0.0)
    floats = {"since": since, "files 2024-11-20": np.zeros(3)}
    no_day = {"since": since, "events x": np.zeros(1, np.uint64)}
    for arrays in ({}, floats, no_day):
        with pytest.raises((KeyError, ValueError)):
            Position.from_arrays(arrays)
