from datetime import timedelta
from pathlib import Path

from scones.monitoring import read_watched
from scones.monitoring.watch.look import Watcher
from scones.monitoring.watch.records import Stance
from scones.monitoring.watch.rules import Rules
from scones.monitoring.watch.standings import stand
from scones.store import Layout, open_bucket
from tests.monitoring.looks import look as made_look
from tests.monitoring.looks import standing
from tests.monitoring.watch.world import ENDPOINT, START, TASK, Shop


def look(shop: Shop, minutes: float = 60) -> None:
    assert Watcher(shop.bucket, ENDPOINT, TASK).look(START + timedelta(minutes=minutes)).look is not None


def test_of_a_drift_the_pictures_that_tell_most_are_found_again_beside_reference_pictures(shop: Shop) -> None:
    shop.capture(150)
    shop.capture(80, start=START + timedelta(seconds=150), drifted=True)
    look(shop)
    seen = read_watched(shop.bucket, ENDPOINT, Rules())
    alarm = seen.looks[-1].alarm
    assert alarm is not None
    assert 0 < len(seen.responsible) <= 9
    assert [one.name for one in seen.responsible] == [
        event.replace("event", "inference") for event in alarm.responsible[: len(seen.responsible)]
    ]
    assert {one.title for one in seen.responsible} <= {"bicycle", "motorcycle"}
    assert all(one.data is not None and one.data.startswith(b"\x89PNG") for one in seen.responsible)
    assert len(seen.reference) == 9
    assert any("far outside" in one.text for one in seen.findings)


def test_only_the_share_of_the_pictures_that_may_be_shown_is(shop: Shop) -> None:
    shop.capture(150)
    shop.capture(80, start=START + timedelta(seconds=150), drifted=True)
    look(shop)
    assert not read_watched(shop.bucket, ENDPOINT, Rules(), pictures=0).responsible


def test_pictures_and_state_that_were_removed_are_left_out(shop: Shop) -> None:
    key = shop.write([*shop.answer(150), *shop.answer(80, start=START + timedelta(seconds=150), drifted=True)])
    look(shop)
    shop.bucket.delete(key)
    shop.bucket.delete(Layout.health(TASK, shop.classifier.info.version))
    seen = read_watched(shop.bucket, ENDPOINT, Rules())
    assert (list(seen.responsible), list(seen.reference)) == ([], [])
    shop.bucket.delete(seen.looks[-1].state)
    assert read_watched(shop.bucket, ENDPOINT, Rules()).responsible == []


def test_the_looks_and_stances_are_read_in_order_and_a_damaged_look_is_left_out(tmp_path: Path) -> None:
    bucket = open_bucket(str(tmp_path), "scones")
    for minute in range(1, 41):
        bucket.append(Layout.watch_series(ENDPOINT), made_look(minute).model_dump(mode="json"))
    bucket.put(Layout.record(Layout.watch_series(ENDPOINT), 7), b"{")
    for number, stance in enumerate((Stance.CAUTIOUS, Stance.OBSERVING)):
        stand(bucket, ENDPOINT, standing(stance, number), number)
    seen = read_watched(bucket, ENDPOINT, Rules())
    assert [one.seen // 20 for one in seen.looks] == [*range(1, 7), *range(8, 41)]
    assert [one.stance for one in seen.standings] == [Stance.CAUTIOUS, Stance.OBSERVING]
    assert (seen.findings, seen.responsible, seen.reference) == ((), (), ())


def test_an_endpoint_that_nobody_watches_has_no_looks(tmp_path: Path) -> None:
    seen = read_watched(open_bucket(str(tmp_path), "scones"), ENDPOINT, Rules())
    assert (seen.looks, seen.standings) == ((), [])
