"""A look sees what is new once, remembers it, and notices when something changes or stops."""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scones.errors import BundleError, StoreError, StoreFull
from scones.monitoring.watch.audit import answer, draw, save_audit
from scones.monitoring.watch.health import fit_health, load_health, save_health
from scones.monitoring.watch.history import newest_look, read_look, state_numbers
from scones.monitoring.watch.look import Looked, Watcher
from scones.monitoring.watch.records import Look
from scones.monitoring.watch.state import WatchState, load_state, pack, unpack
from scones.registry import load_model
from scones.registry.aliases import point
from scones.staging import load_dataset
from scones.store import Bucket, Entry, Layout, open_bucket
from tests.monitoring.watch.world import ENDPOINT, START, TASK, Shop, add_model, text

SOON = START + timedelta(minutes=30)


def watcher(bucket: Bucket, **more: Any) -> Watcher:
    return Watcher(bucket, ENDPOINT, TASK, **more)


def look(bucket: Bucket, now: datetime = SOON, **more: Any) -> Look:
    found = watcher(bucket, **more).look(now).look
    assert found is not None
    return found


def looks(bucket: Bucket) -> list[Look]:
    numbers = bucket.numbers(Layout.watch_series(ENDPOINT))
    return [found for number in numbers if (found := read_look(bucket, ENDPOINT, number))]


def state(bucket: Bucket) -> WatchState:
    _, newest = newest_look(bucket, ENDPOINT)
    assert newest is not None
    found = load_state(bucket, newest.state)
    assert found is not None
    return found


def test_a_look_tells_what_came_and_how_good_the_answers_are(shop: Shop) -> None:
    shop.capture(200)
    found = look(shop.bucket)
    assert (found.files, found.records, found.pictures, found.seen, found.others) == (1, 200, 200, 200, 0)
    assert (found.task, found.version, found.start, found.until) == (
        TASK, "tiny-1", START, START + timedelta(seconds=199),
    )  # fmt: skip
    assert found.alarm is None
    assert found.gap is None
    assert 0 < found.strongest < found.alarm_line
    assert sum(found.labels.values()) == 200
    assert found.accuracy
    assert found.expected
    assert found.accuracy.low < found.expected < found.accuracy.high
    assert found.mix["bicycle"].low < 0.5 < found.mix["bicycle"].high
    assert (found.mix_warning, found.note) == ("", "")
    assert looks(shop.bucket) == [found.model_copy(update={"state": looks(shop.bucket)[0].state})]


def test_nothing_is_written_when_nothing_is_new(shop: Shop) -> None:
    assert watcher(shop.bucket).look(START) == Looked(None, 0)
    shop.capture(20)
    look(shop.bucket)
    assert watcher(shop.bucket).look(SOON) == Looked(None, 1)
    assert len(looks(shop.bucket)) == 1


def test_a_drift_raises_an_alarm_that_says_since_when_and_stays(shop: Shop) -> None:
    shop.capture(150)
    began = START + timedelta(seconds=150)
    shop.capture(80, start=began, drifted=True)
    alarm = look(shop.bucket).alarm
    assert alarm is not None
    assert 150 < alarm.picture < 180
    assert alarm.at == began + timedelta(seconds=alarm.picture - 150)
    assert abs(alarm.began - began) < timedelta(seconds=5)
    assert alarm.began == alarm.channels[0].began
    assert alarm.channels[0].evidence >= alarm.channels[-1].evidence > 0
    assert alarm.outside > 0.9
    assert set(alarm.responsible) <= {f"event-{number}" for number in range(150, 230)}
    shop.capture(20, start=START + timedelta(minutes=20))
    later = look(shop.bucket)
    assert later.alarm is not None
    assert (later.alarm.at, later.alarm.channels) == (alarm.at, alarm.channels)
    assert 0.7 < later.alarm.outside < 0.9


def copy_of(bucket: Bucket) -> Bucket:
    assert bucket.folder is not None
    folder = bucket.folder.parent / "copy"
    shutil.copytree(bucket.folder, folder / bucket.name)
    return open_bucket(str(folder), bucket.name)


def test_many_looks_end_as_one_look_at_all_of_it(shop: Shop) -> None:
    shop.capture(100)
    shop.capture(60, start=START + timedelta(minutes=10), drifted=True)
    at_once = look(copy_of(shop.bucket))
    records = 0
    while (found := watcher(shop.bucket, most=23).look(SOON)).look is not None:
        records += found.look.records
    last = looks(shop.bucket)[-1]
    assert len(looks(shop.bucket)) == math.ceil(160 / 23)
    assert records == last.totals.records == last.seen == 160
    assert (last.evidence, last.accuracy, last.mix) == (at_once.evidence, at_once.accuracy, at_once.mix)
    assert last.alarm is not None
    assert at_once.alarm is not None
    assert (last.alarm.at, last.alarm.began) == (at_once.alarm.at, at_once.alarm.began)


def test_a_long_backlog_is_read_in_parts_and_the_caller_is_told_to_go_on(shop: Shop) -> None:
    shop.capture(50)
    one = watcher(shop.bucket, most=30)
    assert [one.look(SOON).more for _ in range(2)] == [True, False]
    assert [found.records for found in looks(shop.bucket)] == [30, 20]


def test_the_rest_of_a_file_that_holds_hours_is_read_though_its_key_is_old(shop: Shop) -> None:
    shop.capture(12, apart=3600)
    one, now = watcher(shop.bucket, most=5), START + timedelta(hours=12)
    assert [one.look(now).more for _ in range(3)] == [True, True, False]
    assert looks(shop.bucket)[-1].totals.records == 12


def test_a_monitor_that_goes_on_after_days_sees_all_that_came(shop: Shop) -> None:
    shop.capture(10)
    look(shop.bucket)
    for day in range(1, 6):
        shop.capture(10, start=START + timedelta(days=day))
    assert look(shop.bucket, START + timedelta(days=5, minutes=1)).totals.records == 60


def test_a_file_that_comes_hours_late_is_found_within_an_hour(shop: Shop) -> None:
    one = watcher(shop.bucket)
    shop.capture(10, start=START + timedelta(hours=9))
    assert one.look(START + timedelta(hours=9, minutes=1)).look is not None
    shop.capture(10, start=START)
    shop.capture(10, start=START + timedelta(hours=8))
    soon = one.look(START + timedelta(hours=9, minutes=2)).look
    assert soon is not None
    assert (soon.records, soon.start) == (10, START + timedelta(hours=8))
    late = one.look(START + timedelta(hours=10, minutes=1)).look
    assert late is not None
    assert (late.records, late.start) == (10, START)


def test_of_two_monitors_one_writes_the_look_and_nothing_counts_twice(shop: Shop) -> None:
    shop.capture(30)

    class Overtaken(Bucket):
        """Another monitor looks while this one is about to write."""

        def append(self, series: str, value: Any, *, after: int | None = None) -> int:
            assert watcher(shop.bucket).look(SOON).number == 1
            return super().append(series, value, after=after)

    slow = watcher(Overtaken(shop.bucket.name, shop.bucket._store, shop.bucket.folder))
    assert slow.look(SOON) == Looked(None, 1, more=True, beaten=True)
    assert [found.totals.records for found in looks(shop.bucket)] == [30]
    assert len(state_numbers(shop.bucket, ENDPOINT)) == 1  # the slow one left none
    assert slow.look(SOON) == Looked(None, 1)


def test_a_look_whose_writing_was_answered_as_taken_is_known_as_its_own(shop: Shop) -> None:
    shop.capture(10)

    class Repeating(Bucket):
        """Writes, loses the answer, and writes again: as a client does that tries again by itself."""

        def append(self, series: str, value: Any, *, after: int | None = None) -> int:
            super().append(series, value, after=after)
            return super().append(series, value, after=after)

    found = watcher(Repeating(shop.bucket.name, shop.bucket._store, shop.bucket.folder)).look(SOON)
    assert (found.number, found.beaten) == (1, False)
    assert state(shop.bucket).detector.seen == 10


class Killed(BaseException):
    """The end of the process."""


class Mortal(Bucket):
    """A bucket whose process dies at a write: before it, or after it took effect."""

    def __init__(self, bucket: Bucket, left: int, *, after: bool) -> None:
        super().__init__(bucket.name, bucket._store, bucket.folder)
        self.left, self.after = left, after

    def _count(self, write: Callable[[], None]) -> None:
        self.left -= 1
        if self.left < 0 and not self.after:
            raise Killed
        write()
        if self.left < 0:
            raise Killed

    def _write(self, key: str, data: bytes, mode: Any) -> None:
        self._count(lambda: super(Mortal, self)._write(key, data, mode))

    def delete(self, key: str) -> None:
        self._count(lambda: super(Mortal, self).delete(key))


@pytest.mark.parametrize("after", [False, True])
def test_a_monitor_killed_at_any_write_loses_nothing_and_repeats_nothing(shop: Shop, after: bool) -> None:
    expected, deaths = 0, 0
    for turn in range(12):
        shop.capture(5, start=START + timedelta(minutes=turn))
        expected += 5
        mortal = Mortal(shop.bucket, turn % 4, after=after)
        try:
            watcher(mortal).look(SOON)
        except Killed:
            deaths += 1
        while watcher(shop.bucket).look(SOON).look is not None:
            pass
        last = looks(shop.bucket)[-1]
        assert (last.totals.records, last.seen, last.totals.duplicates) == (expected, expected, 0)
        assert state(shop.bucket).window.events == tuple(f"event-{number}" for number in range(expected))
    assert deaths >= 8
    assert len(state_numbers(shop.bucket, ENDPOINT)) <= 4
    assert sum(found.records for found in looks(shop.bucket)) == expected


def test_two_states_are_kept(shop: Shop) -> None:
    for turn in range(5):
        shop.capture(3, start=START + timedelta(minutes=turn))
        look(shop.bucket)
    assert sorted(state_numbers(shop.bucket, ENDPOINT).values()) == [4, 5]
    kept = {found.state for found in looks(shop.bucket)[-2:]}
    assert set(state_numbers(shop.bucket, ENDPOINT)) == kept


@pytest.mark.parametrize("damage", [b"", b"rubbish", None, "cut", "flipped"])
def test_after_a_damaged_state_the_look_before_is_gone_on_from(shop: Shop, damage: bytes | str | None) -> None:
    for turn in range(3):
        shop.capture(30, start=START + timedelta(minutes=turn), apart=0.5)
        before = look(shop.bucket)
    key = looks(shop.bucket)[-1].state
    data = shop.bucket.get(key)
    if damage is None:
        shop.bucket.delete(key)
    elif isinstance(damage, bytes):
        shop.bucket.put(key, damage)
    else:
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]
        shop.bucket.put(key, data[:middle] if damage == "cut" else flipped)
    after = look(shop.bucket)
    assert after.note == "what look 3 left is damaged or gone: what it read was read again"
    assert (after.totals, after.evidence, after.seen) == (before.totals, before.evidence, 90)
    assert watcher(shop.bucket).look(SOON).look is None


def test_where_every_state_is_damaged_the_watch_begins_anew_after_what_was_read(shop: Shop) -> None:
    for turn in range(3):
        shop.capture(10, start=START + timedelta(minutes=turn))
        look(shop.bucket)
    for key in state_numbers(shop.bucket, ENDPOINT):
        shop.bucket.put(key, b"")
    shop.capture(7, start=START + timedelta(minutes=5))
    after = look(shop.bucket)
    assert after.note.startswith("what look 3 and the one before left is damaged, gone or of another version")
    assert (after.duplicates, after.records, after.seen, after.totals.records) == (0, 7, 7, 37)
    assert watcher(shop.bucket).look(SOON).look is None


def test_after_an_upgrade_to_another_kind_of_detector_what_was_read_stays_read(shop: Shop) -> None:
    for turn in range(2):
        shop.capture(10, start=START + timedelta(minutes=2 - turn))
        look(shop.bucket)
    for key in state_numbers(shop.bucket, ENDPOINT):
        with np.load(io.BytesIO(shop.bucket.get(key))) as file:
            arrays = {name: file[name] for name in file.files} | {"told": np.frombuffer(b"{}", np.uint8)}
        data = io.BytesIO()
        np.savez(data, **arrays)
        shop.bucket.put(key, data.getvalue())
    shop.capture(7, start=START)  # earlier than what was read
    after = look(shop.bucket)
    assert "of another version: the watch begins anew" in after.note
    assert (after.records, after.duplicates, after.seen, after.totals.records) == (7, 0, 7, 27)


def test_a_damaged_look_does_no_more_harm_than_a_damaged_state(shop: Shop) -> None:
    for turn in range(2):
        shop.capture(10, start=START + timedelta(minutes=turn))
        look(shop.bucket)
    shop.bucket.put(Layout.record(Layout.watch_series(ENDPOINT), 2), b"{")
    after = look(shop.bucket)
    assert (after.totals.records, after.seen, newest_look(shop.bucket, ENDPOINT)[0]) == (20, 20, 3)


def test_a_state_of_another_form_or_with_parts_that_do_not_fit_is_refused(shop: Shop) -> None:
    shop.capture(10)
    look(shop.bucket)
    found = state(shop.bucket)
    assert unpack(pack(found)).window.events == found.window.events
    for bad in (
        pack(replace(found, window=replace(found.window, events=("a",)))),
        pack(found).replace(b'"form": 2', b'"form": 9'),
    ):
        with pytest.raises(ValueError, match="no state of a watch"):
            unpack(bad)


def test_a_store_that_does_not_answer_ends_the_look_and_the_next_one_sees_all(shop: Shop) -> None:
    shop.capture(10)
    shop.capture(10, start=START + timedelta(minutes=1))

    class Deaf(Bucket):
        def chunks(self, key: str, *, most: int | None = None) -> Iterator[bytes]:
            if "01-00-000" in key:
                raise StoreError(f"cannot read {key}: no answer")
            return super().chunks(key, most=most)

    with pytest.raises(StoreError, match="no answer"):
        watcher(Deaf(shop.bucket.name, shop.bucket._store, shop.bucket.folder)).look(SOON)
    assert looks(shop.bucket) == []
    assert look(shop.bucket).records == 20


def test_a_full_disk_ends_the_look_and_loses_nothing(shop: Shop, tiny_disk: Path) -> None:
    shop.capture(30)
    home = shop.bucket.folder
    assert home is not None
    (home / Layout.watch_state(ENDPOINT)).parent.symlink_to(tiny_disk)
    (tiny_disk / "filler").write_bytes(bytes(60_000))
    with pytest.raises(StoreFull):
        look(shop.bucket)
    assert looks(shop.bucket) == []
    (home / Layout.watch_state(ENDPOINT)).parent.unlink()
    assert look(shop.bucket).totals.records == 30


def test_a_picture_that_cannot_be_read_is_counted_and_not_shown(shop: Shop) -> None:
    records = shop.answer(10)
    records[3] = replace(records[3], picture=b"\x89PNG rubbish")
    records[4] = replace(records[4], picture=records[4].picture[:60] if records[4].picture else None)
    shop.write(records)
    found = look(shop.bucket)
    assert (found.records, found.pictures, found.unreadable) == (10, 8, 2)


def test_an_answer_with_another_number_of_labels_is_counted_and_not_shown(shop: Shop) -> None:
    records = shop.answer(5)
    records[2] = replace(records[2], probabilities=(0.2, 0.3, 0.5))
    shop.write(records)
    found = look(shop.bucket)
    assert (found.records, found.pictures, found.unreadable, found.others) == (5, 4, 1, 0)


def test_answers_of_another_model_are_counted_and_not_shown(shop: Shop) -> None:
    shop.write([*shop.answer(20), *shop.answer(15, version="candidate")])
    found = look(shop.bucket)
    assert (found.records, found.others, found.pictures, sum(found.labels.values())) == (35, 15, 20, 20)
    shop.write(shop.answer(5, version="old"), name="v")
    assert look(shop.bucket).note == "no new answer is of model tiny-1, which is in production; the last one is of old"


def test_an_endpoint_that_tells_no_model_is_taken_to_run_the_one_in_production(shop: Shop) -> None:
    shop.write([replace(one, attributes={}) for one in shop.answer(12)])
    assert look(shop.bucket).pictures == 12


def test_of_answers_without_pictures_the_answers_are_watched(shop: Shop) -> None:
    shop.write([replace(one, picture=None) for one in shop.answer(60)])
    found = look(shop.bucket)
    assert (found.pictures, found.unreadable) == (60, 0)
    surer = [replace(one, picture=None, probabilities=(0.501, 0.499)) for one in shop.answer(80)]
    shop.write(surer, name="v")
    alarm = look(shop.bucket).alarm
    assert alarm is not None
    assert {one.channel for one in alarm.channels} <= {"confidence", "log odds", "class"}
    assert alarm.outside == 0


def test_answers_that_the_capture_rounded_are_no_drift(shop: Shop) -> None:
    rounded = [replace(one, probabilities=tuple(round(p, 3) for p in one.probabilities)) for one in shop.answer(200)]
    shop.write(rounded)
    assert look(shop.bucket).alarm is None


def test_a_share_of_the_pictures_is_shown_always_the_same_ones(shop: Shop) -> None:
    shop.capture(200)
    found = look(shop.bucket, share=0.25)
    assert found.records == 200
    assert 30 < found.pictures < 70
    assert sum(found.labels.values()) == 200


def test_a_new_model_in_production_gets_a_watch_of_its_own(shop: Shop, tiny_bundle: Callable[..., bytes]) -> None:
    shop.capture(60)
    shop.capture(40, start=START + timedelta(minutes=5), drifted=True)
    assert look(shop.bucket).alarm is not None
    dataset = shop.dataset
    shop.classifier = add_model(shop.bucket, tiny_bundle(version="tiny-2", strength=3.0), dataset)
    point(shop.bucket, TASK, "production", "tiny-2", who="a test", why="better", now=SOON)
    first = look(shop.bucket)  # though nothing is new
    assert (first.version, first.records, first.seen, first.alarm) == ("tiny-2", 0, 0, None)
    assert first.note == "model tiny-2 took the place of tiny-1 in production: its watch begins"
    shop.capture(30, start=SOON)
    second = look(shop.bucket)
    assert (second.pictures, second.seen, second.totals.records, second.note) == (30, 30, 130, "")


def test_without_a_model_in_production_there_is_nothing_to_watch(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no model of task vehicles is in production"):
        watcher(open_bucket(str(tmp_path), "scones")).look(START)


def test_a_gap_is_told_when_it_begins_and_ends_with_the_next_record(shop: Shop) -> None:
    shop.capture(10)
    look(shop.bucket)
    assert watcher(shop.bucket).look(START + timedelta(minutes=59)).look is None
    began = look(shop.bucket, START + timedelta(hours=2))
    assert began.gap == 7200 - 9
    assert (began.records, began.seen, began.totals.records) == (0, 10, 10)
    assert watcher(shop.bucket).look(START + timedelta(hours=3)).look is None
    shop.capture(5, start=START + timedelta(hours=4))
    ended = look(shop.bucket, START + timedelta(hours=4, minutes=1))
    assert ended.gap is None
    assert ended.note == "no record came from 2024-11-20 10:00 to 2024-11-20 14:00 UTC"


def test_an_endpoint_that_never_captured_anything_is_a_gap_too(shop: Shop) -> None:
    found = look(shop.bucket, START + timedelta(hours=2))
    assert found.gap == 7200 + 60
    assert (found.records, found.newest) == (0, None)
    assert watcher(shop.bucket).look(START + timedelta(hours=3)).look is None


def test_a_gap_can_be_allowed(shop: Shop) -> None:
    shop.capture(10)
    look(shop.bucket)
    assert watcher(shop.bucket, gap_seconds=0).look(START + timedelta(days=9)).look is None
    assert watcher(shop.bucket, gap_seconds=7200).look(START + timedelta(hours=2)).look is None


def test_a_clock_that_is_fast_does_not_hide_a_gap(shop: Shop) -> None:
    records = shop.answer(10)
    shop.write([replace(one, time=one.time + timedelta(days=365)) for one in records], time=START)
    look(shop.bucket, START + timedelta(minutes=1))
    found = look(shop.bucket, START + timedelta(hours=2))
    assert found.gap == 7200 - 60


def test_as_long_as_a_backlog_is_read_there_is_no_gap(shop: Shop) -> None:
    shop.capture(10)
    shop.capture(10, start=START + timedelta(hours=5))
    one = watcher(shop.bucket, most=10)
    now = START + timedelta(hours=5, minutes=1)
    first, second = one.look(now).look, one.look(now).look
    assert first is not None
    assert second is not None
    assert (first.gap, second.gap) == (None, None)
    assert second.note == "no record came from 2024-11-20 10:00 to 2024-11-20 15:00 UTC"


def test_after_many_looks_the_newest_is_found_without_listing_them_all(shop: Shop) -> None:
    shop.capture(3)
    look(shop.bucket)

    class Blind(Bucket):
        def list(self, prefix: str) -> Iterator[str]:
            assert prefix != Layout.watch_series(ENDPOINT)
            return super().list(prefix)

        def entries(self, prefix: str) -> Iterator[Entry]:
            return super().entries(prefix)

    blind = Blind(shop.bucket.name, shop.bucket._store, shop.bucket.folder)
    assert newest_look(blind, ENDPOINT)[0] == 1
    shop.capture(3, start=SOON)
    assert watcher(blind).look(SOON).number == 2


def test_lines_that_are_cut_short_are_counted_once_and_read_when_whole(shop: Shop) -> None:
    records = shop.answer(6)
    key = shop.write(records)
    shop.bucket.put(key, text(records)[:-100])
    first = look(shop.bucket)
    shop.bucket.put(key, text(records))
    second = look(shop.bucket)
    assert (first.records, first.unreadable, second.records, second.unreadable) == (5, 1, 1, 0)
    assert (second.totals.records, second.totals.duplicates) == (6, 0)


def test_what_people_say_of_audited_pictures_is_told_though_nothing_was_captured_since(shop: Shop) -> None:
    shop.capture(100)
    one = watcher(shop.bucket)
    first = one.look(SOON).look
    assert first is not None
    assert first.reviewed is None
    health = load_health(shop.bucket, TASK, "tiny-1")
    assert health is not None
    rng = np.random.default_rng(0)
    audit = draw(state(shop.bucket).window, health, 30, last=100, now=SOON, rng=rng)
    save_audit(shop.bucket, ENDPOINT, "one", audit)
    assert one.look(SOON).look is None
    said = {audit.events[k]: audit.labels[audit.answers[k]] for k in audit.drawn}
    answer(shop.bucket, ENDPOINT, audit, said, who="Ada", now=SOON)
    second = one.look(SOON).look
    assert second is not None
    assert second.reviewed is not None
    assert (second.records, second.reviewed.answers, second.reviewed.high) == (0, 30, 1)
    assert one.look(SOON).look is None
    shop.capture(10, start=START + timedelta(minutes=5))
    third = one.look(SOON).look
    assert third is not None
    assert third.reviewed == second.reviewed


def test_where_health_was_told_anew_the_watch_begins_anew(shop: Shop) -> None:
    shop.capture(20)
    look(shop.bucket)
    classifier = load_model(shop.bucket, TASK)
    save_health(shop.bucket, fit_health(classifier, load_dataset(shop.bucket, TASK), seed=1))
    shop.capture(10, start=START + timedelta(minutes=1))
    after = look(shop.bucket)
    assert (after.seen, after.totals.records) == (10, 30)
    assert after.note == "what model tiny-1 looks like in health was told anew: its watch begins anew"
