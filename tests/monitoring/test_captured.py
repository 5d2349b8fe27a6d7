import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones.capture import CaptureProblems, CaptureRecord, capture_key, encode_line, read_capture
from scones.monitoring import Summary, summarise, summarise_capture
from scones.monitoring.tally import Tally
from scones.store import Bucket, open_bucket

START = datetime(2026, 11, 20, 10, 14, 51, tzinfo=UTC)
OURS = {"model_version": "v1", "threshold": "0.9", "labels": "bicycle,motorcycle"}


def records(begin: int, end: int, picture: bytes | None = b"picture") -> list[CaptureRecord]:
    found = []
    for number in range(begin, end):
        sure = Random(number).uniform(0.5, 1)
        time = START + timedelta(minutes=7 * number)
        found.append(
            CaptureRecord(f"event-{number}", f"i-{number}", time, (sure, 1 - sure), "image/png", picture, OURS)
        )
    return found


def text(some: list[CaptureRecord]) -> bytes:
    return "".join(f"{encode_line(record)}\n" for record in some).encode()


def write(bucket: Bucket, some: list[CaptureRecord], name: str = "u", time: datetime | None = None) -> str:
    key = capture_key("capture", "scones", "AllTraffic", time or some[0].time, name)
    bucket.put(key, text(some))
    return key


def same(one: Summary, other: Summary) -> None:
    """Equal but for the order in which confidences were added up."""

    def rounded(value: object) -> object:
        if isinstance(value, float):
            return round(value, 9)
        if isinstance(value, dict):
            return {name: rounded(part) for name, part in value.items()}
        return [rounded(part) for part in value] if isinstance(value, list) else value

    assert rounded(one.figures()) == rounded(other.figures())
    assert (one.histogram, one.dots, one.thresholds) == (other.histogram, other.dots, other.thresholds)
    assert [entry.picture for entry in one.unsure] == [entry.picture for entry in other.unsure]


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path), "scones")


class Watched(Bucket):
    """A bucket that tells which keys were opened."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket.name, bucket._store, bucket.folder)
        self.opened: list[str] = []

    def chunks(self, key: str, *, most: int | None = None) -> Iterator[bytes]:
        self.opened.append(key)
        return super().chunks(key, most=most)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_capture_of_many_files_and_days_says_the_same_as_its_records_in_a_row(bucket: Bucket, processes: int) -> None:
    every = records(0, 900)
    for begin in range(0, 900, 90):
        write(bucket, every[begin : begin + 90])
    same(summarise_capture(bucket, "capture/scones", processes=processes), summarise(every))


def test_an_event_that_was_captured_twice_counts_once_within_a_file_across_files_and_across_days(
    bucket: Bucket,
) -> None:
    every = records(0, 300)
    write(bucket, [*every[:150], *every[100:150]])
    write(bucket, every[100:], time=START + timedelta(days=1))
    write(bucket, every[290:], time=START + timedelta(days=2))
    same(summarise_capture(bucket, "capture"), summarise(every))
    write(bucket, records(299, 301), "later", START + timedelta(days=9))
    same(summarise_capture(bucket, "capture"), summarise(records(0, 301)))


def test_what_was_read_is_not_read_again(bucket: Bucket) -> None:
    for begin in range(0, 500, 100):
        write(bucket, records(begin, begin + 100))
    first, again = Watched(bucket), Watched(bucket)
    summary = summarise_capture(first, "capture", pictures=0)
    assert len(first.opened) == 5
    same(summarise_capture(again, "capture", pictures=0), summary)
    assert again.opened == []


def test_a_late_file_of_an_hour_that_was_read_counts(bucket: Bucket) -> None:
    every = records(0, 300)
    write(bucket, every[:100])
    write(bucket, every[200:])
    summarise_capture(bucket, "capture", pictures=0)
    late = write(bucket, every[100:200], "late", START)
    watched = Watched(bucket)
    summary = summarise_capture(watched, "capture", pictures=0)
    assert watched.opened == [late]
    assert summary.records == 300


def test_a_file_that_grew_or_went_is_counted_as_it_is(bucket: Bucket) -> None:
    every = records(0, 100)
    key = write(bucket, every)
    whole = text(every)
    bucket.put(key, whole[:-30])
    cut = CaptureProblems()
    assert summarise_capture(bucket, "capture", problems=cut).records == 99
    assert cut.lines == 1
    assert cut.examples[0].startswith(f"{key} line 100: no capture record")
    bucket.put(key, whole)
    problems = CaptureProblems()
    same(summarise_capture(bucket, "capture", problems=problems), summarise(every))
    assert problems.lines == 0
    bucket.delete(key)
    assert summarise_capture(bucket, "capture").records == 0
    assert list(bucket.list("capture-days")) == []


def test_what_is_kept_names_nobody_and_holds_no_picture(bucket: Bucket) -> None:
    write(bucket, [*records(0, 50), CaptureRecord("event-bad", "i-bad", START, (-3.0, 4.0))], "execution-of-somebody")
    summarise_capture(bucket, "capture")
    kept = [bucket.get(key).decode() for key in bucket.list("capture-days")]
    assert len(kept) == 1
    assert not any(word in kept[0] for word in ("event-", "i-", "execution", "cGljdHVyZQ"))


@pytest.mark.parametrize("damage", [b"", b"[]", b"{}", b"\xff", b'{"files": 3}'])
def test_what_is_kept_and_damaged_is_made_anew(bucket: Bucket, damage: bytes) -> None:
    write(bucket, records(0, 100))
    first = summarise_capture(bucket, "capture")
    (kept,) = bucket.list("capture-days")
    good = bucket.get(kept)
    bucket.put(kept, damage)
    same(summarise_capture(bucket, "capture"), first)
    assert bucket.get(kept) == good


def test_other_labels_or_thresholds_are_another_question(bucket: Bucket) -> None:
    write(bucket, [replace(one, attributes={}) for one in records(0, 20)])
    assert summarise_capture(bucket, "capture").labels == {"class 0": 20}
    named = summarise_capture(bucket, "capture", ["bicycle", "motorcycle"], 0.99)
    assert named.labels == {"bicycle": 20}
    assert named.judged == 20


def test_a_store_that_takes_nothing_is_read_all_the_same(bucket: Bucket, caplog: pytest.LogCaptureFixture) -> None:
    write(bucket, records(0, 20))
    assert bucket.folder is not None
    (bucket.folder / "capture-days").write_text("no folder")
    assert summarise_capture(bucket, "capture").records == 20
    assert "will be read again" in caplog.text


def test_only_the_sampled_records_are_shown_and_always_the_same_ones(bucket: Bucket) -> None:
    write(bucket, records(0, 1000))
    tenth = summarise_capture(bucket, "capture", pictures=0.01)
    assert tenth.picture_share == 0.01
    assert tenth.records == 1000
    read = [record for record in read_capture(bucket, "capture", pictures=0.01) if record.picture is not None]
    assert 0 < len(tenth.unsure) == len(read) < 24
    assert {entry.name for entry in tenth.unsure} == {record.inference_id for record in read}
    assert summarise_capture(bucket, "capture", pictures=0).unsure == ()


def test_a_capture_that_is_not_ours_in_no_dated_folder_is_summed_up(
    bucket: Bucket,
) -> None:
    buffer = io.BytesIO()
    PIL.Image.new("RGBA", (32, 32), (220, 20, 20, 128)).save(buffer, "PNG")
    picture = buffer.getvalue()
    for name in ("a.jsonl", "deep/er/b.jsonl", "notes.txt"):
        theirs = CaptureRecord(f"event-{name}", "", START, (0.1, 0.9), "image/png", picture)
        bucket.put(f"copied/{name}", text([theirs]))
    summary = summarise_capture(bucket, "copied/")
    assert (summary.records, summary.labels) == (2, {"class 1": 2})
    assert {entry.name for entry in summary.unsure} == {"event-a.jsonl", "event-deep/er/b.jsonl"}
    assert {entry.picture for entry in summary.unsure} == {picture}


def test_a_damaged_picture_costs_the_picture_and_not_the_record(bucket: Bucket) -> None:
    line = encode_line(records(0, 1)[0]).replace("cGljdHVyZQ", "!")
    bucket.put("capture/f.jsonl", line.encode())
    summary = summarise_capture(bucket, "capture")
    assert (summary.records, summary.without_picture) == (1, 0)
    assert [(entry.name, entry.picture) for entry in summary.unsure] == [("i-0", None)]


def test_it_says_how_far_it_is_also_of_what_was_read_before(bucket: Bucket) -> None:
    write(bucket, records(0, 10))
    summarise_capture(bucket, "capture")
    write(bucket, records(500, 510))
    told: list[tuple[int, int]] = []
    summarise_capture(bucket, "capture", report=lambda done, total: told.append((done, total)))
    assert told == [(2, 2)]


@given(
    st.lists(
        st.tuples(st.integers(0, 10**9), st.floats(0, 1), st.sampled_from(["", "v1", "v2"]), st.integers(0, 3)),
        max_size=60,
    )
)
def test_parts_add_up_to_the_whole_also_by_way_of_json(some: list[tuple[int, float, str, int]]) -> None:
    every = [
        (
            CaptureRecord(
                f"e{number}",
                f"e{number}",
                START + timedelta(seconds=after),
                (sure, 0.0),
                attributes={"model_version": version, "threshold": "0.9"} if version else {},
            ),
            part,
        )
        for number, (after, sure, version, part) in enumerate(some)
    ]
    whole = Tally()
    for part in range(4):
        tally = Tally()
        for number, (record, of) in enumerate(every):
            if of == part:
                tally.add(record, place=(0, number, 0))
        whole.merge(Tally.from_json(json.loads(json.dumps(tally.to_json()))))
    unsure = tuple(replace(one, name=f"e{place[1]}") for one, place in whole.unsure() if place is not None)
    same(whole.summary(CaptureProblems(), unsure), summarise(record for record, _ in every))
