"""Captured pictures that a person declares healthy are what later ones are compared with, in phases of the day too."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import PIL.Image
import pytest

from scones.capture import CANDIDATE_VARIANT, CaptureRecord
from scones.errors import MonitorError, StoreError
from scones.monitoring.report import monitor_page
from scones.monitoring.tally import summarise
from scones.monitoring.watch.baseline import Declared, declare_healthy, fit_baseline
from scones.monitoring.watch.comparing import Sight, sees_same_drift
from scones.monitoring.watch.health import Health, load_health
from scones.monitoring.watch.history import newest_look
from scones.monitoring.watch.look import Watcher
from scones.monitoring.watch.recent import recent_pictures
from scones.monitoring.watch.records import Look
from scones.monitoring.watch.rules import Rules
from scones.monitoring.watch.state import load_state
from scones.monitoring.watch.watched import read_watched
from scones.picture import encode_png
from scones.store import Bucket, Layout
from tests.monitoring.watch.world import ENDPOINT, START, TASK, Shop, text

MIDNIGHT = datetime(2024, 11, 10, tzinfo=UTC)
NOW = START + timedelta(days=10)


def look(bucket: Bucket) -> Look:
    found = Watcher(bucket, ENDPOINT, TASK, gap_seconds=0).look(NOW).look
    assert found is not None
    return found


def fit(bucket: Bucket, **more: Any) -> Declared:
    return fit_baseline(bucket, ENDPOINT, TASK, who="Ada", why="I saw them", now=NOW, **more)


def declare(bucket: Bucket, **more: Any) -> Declared:
    return declare_healthy(bucket, ENDPOINT, fit(bucket, **more), NOW)


def health(bucket: Bucket) -> Health:
    found = load_health(bucket, TASK, "tiny-1")
    assert found is not None
    return found


def darker(record: CaptureRecord) -> CaptureRecord:
    """As at night."""
    assert record.picture is not None
    image = np.asarray(PIL.Image.open(io.BytesIO(record.picture))) // 3
    return replace(record, picture=encode_png(PIL.Image.fromarray(image)))


def days(shop: Shop, first: int, count: int, each: int = 160, *, drifted: bool = False) -> list[str]:
    """Capture days: of so many pictures half in a dark night, from 0 to 12 UTC, and half in the light; their events."""
    made = []
    for day in range(first, first + count):
        start = MIDNIGHT + timedelta(days=day)
        night = shop.answer(each // 2, start=start, apart=500, drifted=drifted)
        light = shop.answer(each // 2, start=start + timedelta(hours=12), apart=500, drifted=drifted)
        records = [*map(darker, night), *light]
        shop.write(records, f"{day}")
        made += [one.event_id for one in records]
    return made


def test_an_alarm_is_taken_down_and_pictures_like_those_declared_healthy_raise_none(shop: Shop) -> None:
    shop.capture(300, drifted=True)
    assert look(shop.bucket).alarm is not None
    before = health(shop.bucket)
    declared = declare(shop.bucket)
    assert declared.changed == ()
    found = health(shop.bucket)
    base = found.baseline
    assert base is not None
    assert (base.who, base.why, base.at, base.pictures, base.phases) == ("Ada", "I saw them", NOW, 300, 1)
    assert (base.first, base.last) == (START, START + timedelta(seconds=299))
    assert found.reference.pictures == 300
    assert found.reference != before.reference
    assert (found.pictures, found.cells) == (before.pictures, found.cells), "no captured picture lies in it"
    assert (found.chance == before.chance).all()
    assert declared.look == 2
    number, anew = newest_look(shop.bucket, ENDPOINT)
    assert anew is not None
    assert (number, anew.alarm, anew.seen, anew.totals.records) == (2, None, 0, 300)
    assert anew.note == (
        "begun anew on 300 captured pictures, 2024-11-20 10:00 to 2024-11-20 10:04 UTC by Ada: I saw them"
    )
    shop.capture(200, start=START + timedelta(hours=1), drifted=True)
    after = look(shop.bucket)
    assert (after.alarm, after.seen, after.note) == (None, 200, "")
    assert after.baseline == anew.baseline == f"{base} (Ada: I saw them)"
    shop.capture(200, start=START + timedelta(hours=2))
    assert look(shop.bucket).alarm is not None, "what the dataset shows is what is strange now"


def test_a_watcher_that_runs_on_takes_the_new_reference(shop: Shop) -> None:
    running = Watcher(shop.bucket, ENDPOINT, TASK, gap_seconds=0)
    shop.capture(200, drifted=True)
    assert running.look(NOW).look is not None
    declare(shop.bucket)
    shop.capture(100, start=START + timedelta(hours=1), drifted=True)
    found = running.look(NOW).look
    assert found is not None
    assert (found.alarm, found.seen, found.note) == (None, 100, "")


def test_ended_before_it_is_kept_nothing_has_changed_and_right_after_the_next_look_begins_with_it(shop: Shop) -> None:
    class Full(Bucket):
        """A bucket that takes nothing, or no look."""

        kept = False

        def put(self, key: str, data: bytes) -> None:
            if not (self.kept and key == Layout.health(TASK, "tiny-1")):
                raise StoreError("it is full")
            super().put(key, data)

    shop.capture(200, drifted=True)
    look(shop.bucket)
    before = shop.bucket.get(Layout.health(TASK, "tiny-1"))
    full = Full(shop.bucket.name, shop.bucket._store, shop.bucket.folder)
    with pytest.raises(StoreError):
        declare(full)
    assert shop.bucket.get(Layout.health(TASK, "tiny-1")) == before
    assert newest_look(shop.bucket, ENDPOINT)[0] == 1
    full.kept = True
    with pytest.raises(StoreError):
        declare(full)
    assert newest_look(shop.bucket, ENDPOINT)[0] == 1
    shop.capture(50, start=START + timedelta(hours=1), drifted=True)
    after = look(shop.bucket)
    assert (after.alarm, after.seen) == (None, 50)
    assert after.note.startswith("what model tiny-1 looks like in health was told anew on 200 captured pictures, ")


def test_the_latest_are_taken_each_once_and_only_those_of_the_model_in_the_time_that_was_asked_for(shop: Shop) -> None:
    shop.write(shop.answer(50, start=START - timedelta(days=1)), "old")
    shop.write(shop.answer(30, start=START, version="another"), "of another")
    records = shop.answer(160, start=START + timedelta(minutes=10))
    twice = [replace(one, event_id=f"{one.event_id}-again", time=one.time + timedelta(hours=1)) for one in records[:40]]
    bare = [replace(one, picture=None) for one in shop.answer(7, start=START + timedelta(minutes=30))]
    broken = [
        replace(one, picture=b"no picture: " + one.event_id.encode())
        for one in shop.answer(3, start=START + timedelta(minutes=31))
    ]
    shop.write([*records, *bare, *broken, records[0]], "u")
    shop.write(twice, "v")
    found = fit(shop.bucket)
    base = found.health.baseline
    assert base is not None
    assert (base.pictures, found.repeats, found.without, found.unreadable) == (210, 40, 7, 3)
    assert (base.first, base.last) == (START - timedelta(days=1), records[-1].time)
    last = fit(shop.bucket, last=120).health.baseline
    assert last is not None
    assert last.pictures in range(115, 121)
    assert last.first >= START
    since, until = records[10].time, records[129].time
    part = fit(shop.bucket, since=since, until=until).health.baseline
    assert part is not None
    assert (part.pictures, part.first, part.last) == (120, since, until)
    assert health(shop.bucket).baseline is None, "nothing is kept yet"


def test_a_folder_without_days_is_read_and_answers_of_a_candidate_are_not(shop: Shop) -> None:
    shop.bucket.put("elsewhere/one.jsonl", text(shop.answer(70)))
    shop.bucket.put("elsewhere/two.jsonl", text(shop.answer(70, start=START + timedelta(hours=1))))
    base = fit(shop.bucket, prefix="elsewhere").health.baseline
    assert base is not None
    assert (base.pictures, base.first) == (140, START)
    key = shop.write(shop.answer(150))
    shop.bucket.put(key.replace("AllTraffic", CANDIDATE_VARIANT), shop.bucket.get(key))
    shop.bucket.delete(key)
    with pytest.raises(MonitorError, match="captured 0 pictures"):
        fit(shop.bucket)


def test_it_is_read_no_further_back_than_a_day_without_an_answer_of_the_model(shop: Shop) -> None:
    shop.write(shop.answer(100, start=START - timedelta(days=2)), "long ago")
    shop.write(shop.answer(10, start=START - timedelta(days=1), version="another"), "of another")
    shop.write(shop.answer(110), "now")
    base = fit(shop.bucket).health.baseline
    assert base is not None
    assert (base.pictures, base.first) == (110, START)


@pytest.mark.parametrize(
    ("count", "change", "told"),
    [
        (0, {}, "captured 0 pictures that model tiny-1 answered, and a reference needs 100 that differ: wait for more"),
        (60, {}, "captured 60 pictures"),
        (120, {"picture": None}, "120 answers came without a picture: let it capture what it is sent, too"),
        (120, {"picture": b"the same"}, "119 repeats do not count"),
        (120, {"attributes": {"model_version": "another"}}, "captured 0 pictures"),
    ],
)
def test_too_few_pictures_are_refused_and_it_is_said_why(
    shop: Shop, count: int, change: dict[str, Any], told: str
) -> None:
    if count:
        shop.write([replace(one, **change) for one in shop.answer(count)])
    with pytest.raises(MonitorError, match=told):
        fit(shop.bucket)


def test_a_phase_of_the_day_without_enough_pictures_is_named(shop: Shop) -> None:
    days(shop, 0, 6, each=40)
    with pytest.raises(MonitorError, match="only 0 came from 04:00 to 06:00 UTC"):
        fit(shop.bucket, phases=12)
    with pytest.raises(MonitorError, match="of the 120 pictures that model tiny-1 answered only 60 came from 00:00"):
        fit(shop.bucket, phases=2, since=MIDNIGHT + timedelta(days=3))


@pytest.fixture
def cycle(shop: Shop) -> Shop:
    """Four days and nights, which the watch takes for a drift."""
    days(shop, 0, 4)
    assert look(shop.bucket).alarm is not None
    return shop


def test_where_phases_are_told_apart_nights_raise_no_alarm_and_a_drift_is_seen_and_explained(cycle: Shop) -> None:
    assert declare(cycle.bucket, phases=2).changed == ()
    assert len(health(cycle.bucket).reference.parts) == 2
    days(cycle, 4, 4)
    quiet = look(cycle.bucket)
    assert (quiet.alarm, quiet.seen) == (None, 640)
    drifted = days(cycle, 8, 1, drifted=True)
    found = look(cycle.bucket)
    assert found.alarm is not None
    assert abs(found.alarm.began - (MIDNIGHT + timedelta(days=8))) < timedelta(days=1)
    assert found.alarm.responsible
    assert set(found.alarm.responsible) <= set(drifted)
    watched = read_watched(cycle.bucket, ENDPOINT, Rules())
    assert len(watched.responsible) == 9
    assert found.alarm.channels[0].channel in monitor_page(summarise([]), title="t", source="s", watched=watched)
    state = load_state(cycle.bucket, newest(cycle.bucket).state)
    assert state is not None
    recent = recent_pictures(cycle.bucket, state.window, {}, cycle.classifier.info.labels)
    mine = health(cycle.bucket)
    sight = Sight(mine, mine.measure(cycle.classifier, recent.images))
    assert sees_same_drift(sight, sight, recent, found.alarm.began) is True


def newest(bucket: Bucket) -> Look:
    found = newest_look(bucket, ENDPOINT)[1]
    assert found is not None
    return found


def test_without_phases_the_same_nights_raise_an_alarm_as_was_said(cycle: Shop) -> None:
    changed = declare(cycle.bucket).changed
    assert changed
    assert changed[0].began >= MIDNIGHT + timedelta(days=2)
    days(cycle, 4, 4)
    assert look(cycle.bucket).alarm is not None
