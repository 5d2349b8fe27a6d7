"""The monitor looks, reacts and tells: each thing once, and whatever ends it in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from scones.errors import ObjectMissing, StoreError
from scones.monitoring.watch.findings import Finding
from scones.monitoring.watch.history import newest_look, read_look
from scones.monitoring.watch.look import Watcher
from scones.monitoring.watch.monitor import Monitor
from scones.monitoring.watch.records import Look, Stance, Standing
from scones.monitoring.watch.resetting import begin_anew
from scones.monitoring.watch.rules import Rules
from scones.monitoring.watch.standings import in_force, newest_standing
from scones.monitoring.watch.telling import mark_told, news
from scones.notifications import Notification
from scones.store import Bucket, Layout
from tests.monitoring.watch.world import ENDPOINT, START, TASK, Shop

GAP = Finding("warning", "capture", "nothing was captured for 2 hours")
DRIFT = Finding("warning", "drift", "brightness drifted")


def monitor(bucket: Bucket, told: list[Notification], *, acts: bool = False) -> Monitor:
    return Monitor(Watcher(bucket, ENDPOINT, TASK), rules=Rules(), acts=acts, tell=told.append)


def look(**more: object) -> Look:
    return Look.model_validate({"at": START, "task": TASK, "version": "v", "state": "s", "alarm_line": 9, **more})


def tell(bucket: Bucket, seen: Look, findings: Sequence[Finding], standing: Standing | None = None) -> list[str]:
    found, told = news(bucket, ENDPOINT, seen, findings, standing, "")
    mark_told(bucket, ENDPOINT, told)
    return [one.title for one in found]


def test_a_drift_is_told_once_by_whichever_monitor(shop: Shop) -> None:
    told: list[Notification] = []
    for start in range(3):
        shop.capture(60, start=START + timedelta(minutes=start), drifted=True)
        monitor(shop.bucket, told).turn(START + timedelta(minutes=10 + start))
    drifts = [one for one in told if one.group == "scones outside"]
    assert [(one.kind, one.title) for one in drifts] == [("drift", "scones: the model does not know these pictures")]
    assert "lie far outside" in drifts[0].detail
    assert drifts[0].time == (START + timedelta(minutes=10)).timestamp()


def test_what_was_decided_is_told_with_its_reason(shop: Shop) -> None:
    told: list[Notification] = []
    one = monitor(shop.bucket, told, acts=True)
    for start in range(2):
        shop.capture(60, start=START + timedelta(minutes=start), drifted=True)
        turn = one.turn(START + timedelta(minutes=10 + start))
    assert turn.reaction is not None
    assert turn.reaction.standing == in_force(shop.bucket, ENDPOINT)
    (stance,) = [one for one in told if one.group == "scones stance"]
    assert stance.title == "scones: it is run otherwise"
    assert stance.detail.startswith("cautious: harm was found")


def test_where_nothing_is_new_nothing_is_decided_but_at_the_first_turn(shop: Shop) -> None:
    shop.capture(20)
    one = monitor(shop.bucket, [])
    assert one.turn(START + timedelta(minutes=1)).reaction is not None
    assert one.turn(START + timedelta(minutes=2)).reaction is None
    again = monitor(shop.bucket, []).turn(START + timedelta(minutes=3))
    assert (again.looked.look, again.reaction is None) == (None, False)


def test_a_reaction_that_failed_is_made_up_for_at_the_next_turn(shop: Shop) -> None:
    class Refusing(Bucket):
        refuses = True

        def list(self, prefix: str) -> Iterator[str]:
            if self.refuses and prefix == Layout.stance_series(ENDPOINT):
                raise StoreError("the store does not answer")
            return super().list(prefix)

    shop.capture(60, drifted=True)
    bucket = Refusing(shop.bucket.name, shop.bucket._store, shop.bucket.folder)
    told: list[Notification] = []
    one = monitor(bucket, told)
    with pytest.raises(StoreError):
        one.turn(START + timedelta(minutes=10))
    assert (newest_look(bucket, ENDPOINT)[0], told) == (1, [])
    bucket.refuses = False
    turn = one.turn(START + timedelta(minutes=11))
    assert turn.looked.look is None
    assert turn.reaction is not None
    assert "scones outside" in {one.group for one in told}


def test_people_are_told_again_rather_than_never_where_that_cannot_be_written_down(shop: Shop) -> None:
    class Full(Bucket):
        def put(self, key: str, data: bytes) -> None:
            if key.endswith("told.json"):
                raise StoreError("no space left")
            super().put(key, data)

    shop.capture(60, drifted=True)
    told: list[Notification] = []
    for minute in (10, 11):
        bucket = Full(shop.bucket.name, shop.bucket._store, shop.bucket.folder)
        monitor(bucket, told).turn(START + timedelta(minutes=minute))
    assert [one.group for one in told].count("scones outside") == 2


def test_the_same_thing_is_told_once_and_again_when_it_was_away_for_a_day(shop: Shop) -> None:
    first = look(newest=START)
    assert tell(shop.bucket, first, [GAP]) == ["scones: nothing is captured"]
    assert tell(shop.bucket, first, [GAP]) == []
    errs = Finding("warning", "estimated accuracy", "the model seems to err")
    for hours, expected in ((1, 1), (2, 0), (20, 0), (50, 1)):
        seen = look(at=START + timedelta(hours=hours))
        assert len(tell(shop.bucket, seen, [errs])) == expected


def test_another_gap_and_another_drift_are_told_at_once(shop: Shop) -> None:
    def alarm(minute: int) -> dict[str, object]:
        at = START + timedelta(minutes=minute)
        return {"at": at, "picture": 1, "began": at, "channels": ()}

    assert len(tell(shop.bucket, look(newest=START, alarm=alarm(1)), [GAP, DRIFT])) == 2
    assert tell(shop.bucket, look(newest=START, alarm=alarm(1)), [GAP, DRIFT]) == []
    later = look(newest=START + timedelta(hours=1), alarm=alarm(2))
    assert len(tell(shop.bucket, later, [GAP, DRIFT])) == 2


def test_what_is_only_said_is_told_as_such(shop: Shop) -> None:
    standing = Standing(stance=Stance.CAUTIOUS, dry_run=True, who="monitor", why="harm", at=START)
    found, _ = news(shop.bucket, ENDPOINT, look(), [Finding("info", "class mix", "x")], standing, "")
    assert [one.detail for one in found] == ["would be cautious: harm"]


def test_a_damaged_note_of_what_was_told_only_repeats_it(shop: Shop) -> None:
    assert tell(shop.bucket, look(), [DRIFT])
    for damage in (b"{", b"[1]"):
        shop.bucket.put(Layout.watch_state(ENDPOINT, "told.json"), damage)
        assert tell(shop.bucket, look(), [DRIFT])
    assert not tell(shop.bucket, look(), [DRIFT])


def test_a_watch_that_is_begun_anew_keeps_what_was_read_and_forgets_the_alarm(shop: Shop) -> None:
    shop.capture(60, drifted=True)
    Watcher(shop.bucket, ENDPOINT, TASK).look(START + timedelta(minutes=10))
    number, anew = begin_anew(shop.bucket, ENDPOINT, who="Ada", why="a new camera", now=START + timedelta(minutes=11))
    written = read_look(shop.bucket, ENDPOINT, number)
    assert written is not None
    assert written == anew.model_copy(update={"state": written.state})
    assert (anew.alarm, anew.seen, anew.records, anew.totals.records, anew.strongest) == (None, 0, 0, 60, 0)
    assert anew.note == "begun anew by Ada: a new camera"
    assert Watcher(shop.bucket, ENDPOINT, TASK).look(START + timedelta(minutes=12)).look is None
    shop.capture(30, start=START + timedelta(minutes=1))
    after = Watcher(shop.bucket, ENDPOINT, TASK).look(START + timedelta(minutes=12)).look
    assert after is not None
    assert (after.alarm, after.seen, after.totals.records) == (None, 30, 90)


def test_what_nobody_watches_cannot_be_begun_anew(shop: Shop) -> None:
    with pytest.raises(ObjectMissing, match="is not watched yet"):
        begin_anew(shop.bucket, ENDPOINT, who="Ada", why="x", now=START)
    assert newest_standing(shop.bucket, ENDPOINT) == (0, None)
