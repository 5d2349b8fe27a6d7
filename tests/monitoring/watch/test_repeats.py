"""A picture that comes again, byte for byte, is not shown to the detector again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from scones.capture import CaptureRecord
from scones.monitoring.watch.history import newest_look
from scones.monitoring.watch.look import Watcher
from scones.monitoring.watch.records import Look
from scones.monitoring.watch.repeats import LATEST, LatestPictures, note_of_repeats
from scones.monitoring.watch.state import WatchState, load_state, pack, unpack
from scones.store import Bucket
from tests.monitoring.watch.world import ENDPOINT, START, TASK, Shop

SOON = START + timedelta(hours=1)


def look(bucket: Bucket, most: int = 10_000) -> Look | None:
    return Watcher(bucket, ENDPOINT, TASK, most=most).look(SOON).look


def state(bucket: Bucket) -> WatchState:
    newest = newest_look(bucket, ENDPOINT)[1]
    assert newest is not None
    found = load_state(bucket, newest.state)
    assert found is not None
    return found


def again(records: list[CaptureRecord], times: int) -> list[CaptureRecord]:
    """Each record so often, one right after the other, each an event of its own."""
    return [
        replace(one, event_id=f"{one.event_id}-{k}", inference_id="", time=one.time + timedelta(seconds=k / times))
        for one in records
        for k in range(times)
    ]


@pytest.mark.parametrize("most", [10_000, 37], ids=["one look", "many looks, each by another monitor"])
def test_a_stream_in_which_each_picture_comes_twenty_times_raises_no_alarm(shop: Shop, most: int) -> None:
    shop.write(again(shop.answer(60), 20))
    found, repeats = None, 0
    while (more := look(shop.bucket, most)) is not None:
        found, repeats = more, repeats + more.repeats
    assert found is not None
    assert found.alarm is None
    assert (found.seen, found.totals.records, found.totals.pictures) == (60, 1200, 60)
    assert found.totals.repeats == repeats == 1140


def test_without_that_the_same_stream_raises_one(shop: Shop) -> None:
    records = shop.answer(60)
    look_alike = [
        replace(one, picture=None if one.picture is None else one.picture + bytes([k]), event_id=f"{one.event_id}-{k}")
        for one in records
        for k in range(20)
    ]
    shop.write(look_alike)
    found = look(shop.bucket)
    assert found is not None
    assert (found.seen, found.repeats) == (1200, 0)
    assert found.alarm is not None


def test_a_drift_whose_pictures_come_twice_is_seen(shop: Shop) -> None:
    shop.capture(100)
    shop.write(again(shop.answer(60, start=START + timedelta(minutes=5), drifted=True), 2), "v")
    found = look(shop.bucket)
    assert found is not None
    assert found.alarm is not None
    assert (found.seen, found.repeats) == (160, 60)


def test_what_was_not_captured_is_no_repeat_and_what_cannot_be_read_is_not_remembered(shop: Shop) -> None:
    records = [replace(one, picture=None) for one in shop.answer(5)]
    broken = [replace(one, picture=b"no picture") for one in shop.answer(3)]
    shop.write([*records, *broken])
    found = look(shop.bucket)
    assert found is not None
    assert (found.seen, found.repeats, found.unreadable) == (5, 0, 3)
    assert state(shop.bucket).contents.tolist() == [0] * 5


def test_pictures_are_remembered_beside_their_times_until_the_watch_begins_anew(shop: Shop) -> None:
    shop.capture(30)
    look(shop.bucket)
    found = state(shop.bucket)
    assert len(found.contents) == len(found.times) == 30
    assert (unpack(pack(found)).contents == found.contents).all()
    assert found.begun_anew("tiny-1", found.detector).contents.tolist() == []
    with pytest.raises(ValueError, match="as many contents as times"):
        unpack(pack(replace(found, contents=found.contents[:-1])))


def test_the_oldest_is_forgotten_once_there_are_too_many() -> None:
    latest = LatestPictures(np.zeros(0, np.uint64))
    latest.add(b"first")
    for _ in range(LATEST - 1):
        latest.add(None)
    assert b"first" in LatestPictures(latest.numbers)
    latest.add(b"second")
    assert b"first" not in latest
    assert b"second" in LatestPictures(latest.numbers)
    assert len(latest.numbers) == LATEST


def test_a_person_is_asked_about_repeats_only_where_most_pictures_are() -> None:
    assert note_of_repeats(19, 0) == note_of_repeats(30, 30) == ""
    assert note_of_repeats(30, 1).startswith("30 of 31 new pictures came before")
